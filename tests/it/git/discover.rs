//! Where the repository is, what HEAD and other names mean, and what is said when they mean nothing.

use std::fs;
use std::path::Path;

use trt_perf::git::{GitError, Repo};

use crate::support::Sandbox;

fn error_of<T>(result: Result<T, GitError>) -> GitError {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(e) => e,
    }
}

#[test]
fn no_repository_is_not_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("project/src/lib.rs", "");
    assert!(Repo::discover(&sandbox.path("project/src")).expect("no error").is_none());
    let said = error_of(Repo::discover(&sandbox.path("absent"))).to_string();
    assert!(said.contains("absent"), "{said}");
}

#[test]
fn a_repository_is_found_from_below_and_without_commits() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/a b/ü/file", "x");
    for start in ["repo", "repo/a b/ü", "repo/a b/ü/file", "repo/.git"] {
        let repo = sandbox.open(start);
        assert_eq!(repo.workdir(), sandbox.path("repo"), "{start}");
        assert_eq!(repo.head().expect("unborn is fine"), None);
        assert!(!repo.is_shallow());
    }
    let repo = sandbox.open("repo");
    let said = error_of(repo.resolve("HEAD")).to_string();
    assert!(said.contains("no commits yet"), "{said}");
    assert_eq!(repo.default_branch().expect("none yet"), None);
}

#[test]
fn head_says_id_time_summary_and_branch_also_when_detached() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/file", "1");
    let first = sandbox.commit("repo", "The first line, é\n\nand more");
    let time: i64 = sandbox.git("repo", &["log", "-1", "--format=%ct"]).parse().expect("seconds");
    let head = sandbox.open("repo").head().expect("readable").expect("a commit");
    assert_eq!((head.id.as_str(), head.time), (first.as_str(), time));
    assert_eq!((head.summary.as_str(), head.branch.as_deref()), ("The first line, é", Some("main")));

    sandbox.git("repo", &["checkout", "--quiet", "--detach"]);
    let repo = sandbox.open("repo");
    let head = repo.head().expect("readable").expect("a commit");
    assert_eq!((head.id.as_str(), head.branch), (first.as_str(), None));
    assert_eq!(repo.resolve("main").expect("main").branch.as_deref(), Some("main"));
    assert_eq!(repo.resolve("HEAD").expect("HEAD").branch, None);
}

#[test]
fn linked_worktrees_and_submodules_are_repositories_of_their_own() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/file", "1");
    let first = sandbox.commit("repo", "first");
    sandbox.git("repo", &["worktree", "add", "--quiet", "-b", "side", "../linked tree"]);
    sandbox.write("linked tree/file", "2");
    let second = sandbox.commit("linked tree", "second");
    let linked = sandbox.open("linked tree");
    assert_eq!(linked.workdir(), sandbox.path("linked tree"));
    let head = linked.head().expect("readable").expect("a commit");
    assert_eq!((head.id, head.branch.as_deref()), (second, Some("side")));
    assert_eq!(linked.resolve("main").expect("shared references").id, first);

    sandbox.git(".", &["init", "--quiet", "super"]);
    sandbox.git("super", &["submodule", "--quiet", "add", &sandbox.url("repo"), "inner"]);
    let outer = sandbox.commit("super", "with a submodule");
    let inner = sandbox.open("super/inner");
    assert_eq!(inner.workdir(), sandbox.path("super/inner"));
    assert_eq!(inner.resolve("HEAD").expect("a commit").id, first);
    assert_eq!(sandbox.open("super").resolve("HEAD").expect("a commit").id, outer);
}

#[test]
fn bare_and_broken_repositories_are_named() {
    let sandbox = Sandbox::with_repo();
    sandbox.git(".", &["init", "--quiet", "--bare", "bare.git"]);
    let bare = error_of(Repo::discover(&sandbox.path("bare.git")));
    assert!(matches!(bare, GitError::Bare { .. }), "{bare}");

    sandbox.write("lost/.git", "gitdir: /nowhere/at/all\n");
    sandbox.git(".", &["init", "--quiet", "garbled"]);
    sandbox.write("garbled/.git/config", "[core\nthis is not configuration");
    sandbox.git(".", &["init", "--quiet", "future"]);
    sandbox.write(
        "future/.git/config",
        "[core]\nrepositoryformatversion = 1\n[extensions]\nfromTomorrow = true\n",
    );
    fs::create_dir_all(sandbox.path("hollow/.git/nothing")).expect("folders");
    for broken in ["lost", "garbled", "hollow"] {
        let error = error_of(Repo::discover(&sandbox.path(broken)));
        assert!(matches!(error, GitError::Broken { .. }), "{broken}: {error}");
        assert!(error.to_string().contains(broken), "{error}");
    }
}

#[test]
fn features_that_libgit2_lacks_are_named_with_what_turns_them_off() {
    let cases = [
        ("refStorage = reftable", "git refs migrate --ref-format=files"),
        ("objectFormat = sha256", "sha1"),
        ("fromTomorrow = true", "clone without that extension"),
    ];
    for (extension, cure) in cases {
        let sandbox = Sandbox::with_repo();
        let config = format!("[core]\nrepositoryformatversion = 1\n[extensions]\n{extension}\n");
        sandbox.write("repo/.git/config", config);
        let error = error_of(Repo::discover(&sandbox.path("repo")));
        assert!(matches!(error, GitError::Unsupported { .. }), "{extension}: {error}");
        assert!(error.to_string().ends_with(cure), "{extension}: {error}");
    }
}

#[test]
fn a_head_whose_commit_is_lost_is_an_error_everywhere() {
    let sandbox = Sandbox::with_repo();
    let lost = sandbox.commit("repo", "empty");
    fs::remove_file(sandbox.path("repo/.git/objects").join(&lost[..2]).join(&lost[2..])).expect("removed");
    let repo = sandbox.open("repo");
    let said =
        [error_of(repo.head()), error_of(repo.resolve("HEAD")), error_of(repo.dirty(Path::new("baselines")))];
    for error in said {
        assert!(error.to_string().contains("repo"), "{error}");
    }
}

#[test]
fn a_repository_of_another_user_is_refused_with_the_command_that_allows_it() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/file", "1");
    sandbox.commit("repo", "first");
    let repo = sandbox.path("repo");
    let given_away = [".", ".git"]
        .iter()
        .all(|part| std::os::unix::fs::chown(repo.join(part), Some(65_533), None).is_ok());
    let result = Repo::discover(&repo);
    if !given_away {
        // Only root can give files away; the text of the refusal has a test of its own next to the error type.
        assert!(result.expect("one's own repository").is_some());
        return;
    }
    let error = error_of(result);
    let expected = format!("git config --global --add safe.directory '{}'", repo.display());
    assert!(matches!(error, GitError::NotOwned { .. }) && error.to_string().ends_with(&expected), "{error}");
}

#[test]
fn revisions_resolve_as_in_git() {
    let sandbox = Sandbox::with_repo();
    for n in 0..3 {
        sandbox.write("repo/file", n.to_string());
        sandbox.commit("repo", &format!("commit {n}"));
    }
    sandbox.git("repo", &["tag", "light", "HEAD~1"]);
    sandbox.git("repo", &["tag", "--annotate", "v1.0", "--message", "one", "HEAD~2"]);
    let repo = sandbox.open("repo");
    let id = sandbox.git("repo", &["rev-parse", "HEAD"]);
    let revs = [
        "HEAD",
        "main",
        "@",
        "HEAD~2",
        "HEAD^",
        "light",
        "v1.0",
        "refs/tags/v1.0",
        ":/commit 1",
        &id,
        &id[..10],
    ];
    for rev in revs {
        let expected = sandbox.git(
            "repo",
            &["rev-parse", &format!("{rev}^{{commit}}").replace(":/commit 1^{commit}", ":/commit 1")],
        );
        assert_eq!(repo.resolve(rev).expect(rev).id, expected, "{rev}");
    }
}

#[test]
fn unknown_revisions_suggest_what_is_meant() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/file", "1");
    sandbox.commit("repo", "first");
    sandbox.git("repo", &["branch", "feature/faster-decoder"]);
    sandbox.git("repo", &["tag", "v1.2.0"]);
    sandbox.git(".", &["clone", "--quiet", &sandbox.url("repo"), "clone"]);
    sandbox.git("clone", &["checkout", "--quiet", "--detach"]);
    sandbox.git("clone", &["branch", "--delete", "main"]);
    let cases = [
        ("repo", "mian", "did you mean main?"),
        ("repo", "v1.2", "did you mean v1.2.0?"),
        ("repo", "feature/fast-decoder", "did you mean feature/faster-decoder?"),
        ("clone", "main", "did you mean origin/main?"),
        (
            "clone",
            "release-9",
            "git fetch origin release-9:refs/remotes/origin/release-9, and call it origin/release-9",
        ),
        ("clone", "origin/release-9", "git fetch origin release-9:refs/remotes/origin/release-9,"),
        ("clone", "HEAD~9", "git log --all --oneline"),
        ("clone", "0123456", "git fetch origin gets newer ones"),
        ("repo", "release-9", "git branch --all"),
        ("repo", "HEAD~9", "no revision `HEAD~9`"),
        ("repo", "main..v1.2.0", "main..v1.2.0"),
        ("repo", "", "not one revision"),
        ("repo", "-n", "no revision `-n`"),
        ("repo", "main:file", "names a blob"),
        ("repo", "0123456789012345678901234567890123456789", "no revision"),
    ];
    for (folder, rev, expected) in cases {
        let said = error_of(sandbox.open(folder).resolve(rev)).to_string();
        assert!(said.contains(expected), "{folder} {rev:?}: {said}");
    }
}

#[test]
fn the_default_branch_comes_from_the_remote_then_from_names() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=trunk", "repo"]);
    sandbox.write("repo/file", "1");
    sandbox.commit("repo", "first");
    let name = |folder: &str| {
        let found = sandbox.open(folder).default_branch().expect("readable");
        found.map(|found| (found.name, found.found_by))
    };
    let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
    sandbox.git("repo", &["config", "init.defaultBranch", "elsewhere"]);
    assert_eq!(name("repo"), None);
    sandbox.git("repo", &["config", "init.defaultBranch", "trunk"]);
    assert_eq!(name("repo"), pair("trunk", "init.defaultBranch"));

    sandbox.git(".", &["clone", "--quiet", &sandbox.url("repo"), "clone"]);
    sandbox.git("clone", &["checkout", "--quiet", "-b", "main"]);
    sandbox.git("clone", &["config", "init.defaultBranch", "elsewhere"]);
    assert_eq!(name("clone"), pair("origin/trunk", "origin/HEAD"));
    sandbox.git("clone", &["remote", "set-head", "origin", "--delete"]);
    assert_eq!(name("clone"), pair("main", "the usual name"));
    sandbox.git("clone", &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(name("clone"), pair("origin/main", "the usual name"));
}

#[test]
fn paths_are_seen_from_the_root_also_before_they_exist() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/crates/x/file", "1");
    std::os::unix::fs::symlink(sandbox.path("repo"), sandbox.path("alias")).expect("a link");
    let repo = sandbox.open("repo");
    for (path, expected) in
        [("repo/crates/x/baselines", "crates/x/baselines"), ("alias/crates/x", "crates/x"), ("repo", "")]
    {
        assert_eq!(repo.relative(&sandbox.path(path)).expect(path), Path::new(expected));
    }
    let outside = error_of(repo.relative(&sandbox.path("elsewhere")));
    assert!(matches!(outside, GitError::OutsideRepository { .. }), "{outside}");
}
