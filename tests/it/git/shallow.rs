//! Clones whose history is cut off: walks end politely, and a merge base is never taken from behind the cut.

use trt_perf::git::{GitError, Repo};

use crate::support::Sandbox;

/// main: 0 - 1 - … - 9
fn straight_line() -> Sandbox {
    let sandbox = Sandbox::with_repo();
    for n in 0..10 {
        sandbox.write("repo/file", n.to_string());
        sandbox.commit("repo", &format!("commit {n}"));
    }
    sandbox
}

/// ```text
/// old ---- base ---- main
///  |\        \
///  | \        p3 - p2 - p1 - feature
///  |  q ---------------------/
/// ```
/// With a depth of 3, `feature` reaches `old` through `q` but not `base`, which lies 5 back through `p1`.
fn hidden_base() -> Sandbox {
    let sandbox = Sandbox::with_repo();
    let step = |name: &str| {
        sandbox.write(format!("repo/{name}"), name);
        sandbox.commit("repo", name)
    };
    step("old");
    step("base");
    sandbox.git("repo", &["branch", "real-base"]);
    sandbox.git("repo", &["checkout", "--quiet", "-b", "feature"]);
    for name in ["p3", "p2", "p1"] {
        step(name);
    }
    sandbox.git("repo", &["checkout", "--quiet", "-b", "quick", "main~1"]);
    step("q");
    sandbox.git("repo", &["checkout", "--quiet", "feature"]);
    sandbox.git("repo", &["merge", "--quiet", "--no-ff", "--message", "merge", "quick"]);
    sandbox.git("repo", &["checkout", "--quiet", "main"]);
    step("main");
    sandbox
}

fn ids(repo: &Repo, rev: &str) -> (Vec<String>, bool) {
    let mut walk = repo.ancestors(rev).expect("a commit");
    let ids = walk.by_ref().map(|a| a.expect("a polite end").id).collect();
    (ids, walk.met_shallow_boundary())
}

#[test]
fn ancestors_stop_at_the_cut_and_say_so_also_in_a_linked_worktree() {
    let sandbox = straight_line();
    sandbox.git(".", &["clone", "--quiet", "--depth", "3", &sandbox.url("repo"), "shallow"]);
    sandbox.git("shallow", &["worktree", "add", "--quiet", "--detach", "../linked"]);
    let expected: Vec<String> =
        sandbox.git("shallow", &["rev-list", "HEAD"]).lines().map(str::to_owned).collect();
    assert_eq!(expected.len(), 3);
    for folder in ["shallow", "linked"] {
        let repo = sandbox.open(folder);
        assert!(repo.is_shallow(), "{folder}");
        assert_eq!(ids(&repo, "HEAD"), (expected.clone(), true), "{folder}");
        assert_eq!(repo.distance("HEAD~2", "HEAD").expect("within the clone"), 2);
        let said = repo.resolve("HEAD~5").expect_err("behind the cut").to_string();
        assert!(said.contains("git fetch --unshallow origin"), "{said}");
    }
}

#[test]
fn a_merge_base_within_the_clone_is_trusted() {
    let sandbox = straight_line();
    sandbox.git("repo", &["checkout", "--quiet", "-b", "feature", "main~1"]);
    sandbox.write("repo/other", "1");
    sandbox.commit("repo", "on the feature branch");
    let expected = sandbox.git("repo", &["rev-parse", "main~1"]);
    // The merge base itself is where the second clone is cut; what lies behind it does not matter.
    for depth in ["4", "2"] {
        let clone = format!("depth{depth}");
        sandbox.git(
            ".",
            &["clone", "--quiet", "--depth", depth, "--no-single-branch", &sandbox.url("repo"), &clone],
        );
        let repo = sandbox.open(&clone);
        assert!(repo.is_shallow());
        let found = repo.merge_base("origin/main", "origin/feature").expect("trusted");
        assert_eq!(
            (found.commit.id, found.commits_to_a, found.commits_to_b),
            (expected.clone(), 1, 1),
            "{clone}"
        );
    }
}

#[test]
fn where_git_merge_base_is_wrong_we_refuse_with_the_cure() {
    let sandbox = hidden_base();
    let real = sandbox.git("repo", &["merge-base", "main", "feature"]);
    assert_eq!(real, sandbox.git("repo", &["rev-parse", "real-base"]));
    assert_eq!(sandbox.open("repo").merge_base("main", "feature").expect("a full clone").commit.id, real);

    let args = ["clone", "--quiet", "--depth", "3", "--no-single-branch", &sandbox.url("repo"), "shallow"];
    sandbox.git(".", &args);
    let git = sandbox.try_git("shallow", &["merge-base", "origin/main", "origin/feature"]);
    let wrong = git.out.trim().to_owned();
    assert!(
        git.code == Some(0) && wrong == sandbox.git("repo", &["rev-parse", "real-base~1"]),
        "git has changed: {wrong}"
    );

    sandbox.git("shallow", &["worktree", "add", "--quiet", "--detach", "../linked"]);
    for folder in ["shallow", "linked"] {
        for (a, b) in [("origin/main", "origin/feature"), ("origin/feature", "origin/main")] {
            let error = sandbox.open(folder).merge_base(a, b).expect_err("not trusted");
            let said = error.to_string();
            assert!(matches!(error, GitError::ShallowMergeBase { .. }), "{folder}: {said}");
            for part in ["git fetch --unshallow origin", "--deepen=", "fetch-depth: 0", &wrong, a, b] {
                assert!(said.contains(part), "{folder}: {part} is not in {said}");
            }
        }
    }

    sandbox.git("shallow", &["fetch", "--quiet", "--unshallow", "origin"]);
    let found = sandbox.open("shallow").merge_base("origin/main", "origin/feature").expect("the cure works");
    assert_eq!(found.commit.id, real);
}

#[test]
fn a_clone_too_shallow_to_have_any_common_commit_says_shallow_and_not_unrelated() {
    let sandbox = hidden_base();
    sandbox.git(
        ".",
        &["clone", "--quiet", "--depth", "1", "--no-single-branch", &sandbox.url("repo"), "shallow"],
    );
    let error = sandbox.open("shallow").merge_base("origin/main", "origin/feature").expect_err("cut");
    assert!(matches!(error, GitError::ShallowMergeBase { .. }), "{error}");
}

#[test]
fn a_branch_that_a_single_branch_clone_lacks_comes_with_the_command_we_give() {
    let sandbox = hidden_base();
    let url = sandbox.url("repo");
    sandbox.git(".", &["clone", "--quiet", "--depth", "1", "--branch", "feature", &url, "shallow"]);
    let said = sandbox.open("shallow").resolve("main").expect_err("not fetched").to_string();
    let command = said.split("git ").nth(1).and_then(|rest| rest.split(',').next()).expect("a command");
    assert_eq!(command, "fetch --unshallow origin main:refs/remotes/origin/main");
    sandbox.git("shallow", &command.split(' ').collect::<Vec<_>>());
    let found = sandbox.open("shallow").merge_base("origin/main", "HEAD").expect("the whole history");
    assert_eq!(found.commit.id, sandbox.git("repo", &["rev-parse", "real-base"]));
}
