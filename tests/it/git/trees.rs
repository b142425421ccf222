//! Source-tree keys, files read from commits, and extraction.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use trt_perf::git::GitError;

use crate::support::{Sandbox, listing};

const BASELINES: &str = "baselines";

fn key(sandbox: &Sandbox, rev: &str, exclude: &str) -> String {
    sandbox.open("repo").src_tree(rev, Path::new(exclude)).expect("a key")
}

fn committed() -> Sandbox {
    let sandbox = Sandbox::with_repo();
    for path in
        ["repo/src/lib.rs", "repo/aaa", "repo/baselines-not", "repo/zzz/y", "repo/crates/x/src/lib.rs"]
    {
        sandbox.write(path, path);
    }
    sandbox.commit("repo", "sources");
    sandbox
}

#[test]
fn without_baselines_the_key_is_the_tree_itself() {
    let sandbox = committed();
    assert_eq!(key(&sandbox, "HEAD", BASELINES), sandbox.git("repo", &["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn adding_a_baseline_does_not_change_the_key_and_a_source_does() {
    let sandbox = committed();
    // The last one is the only thing in its folder, and git stores no empty folders.
    for exclude in ["baselines", "crates/x/baselines", "tools/perf/baselines"] {
        let before = key(&sandbox, "HEAD", exclude);
        sandbox.write(format!("repo/{exclude}/gpu/a.json"), exclude);
        sandbox.write(format!("repo/{exclude}/.gitattributes"), "* -merge\n");
        sandbox.commit("repo", "baseline");
        assert_eq!(key(&sandbox, "HEAD", exclude), before, "{exclude}");
        assert_ne!(sandbox.git("repo", &["rev-parse", "HEAD^{tree}"]), before, "{exclude}");
        sandbox.write("repo/src/lib.rs", exclude);
        sandbox.commit("repo", "source");
        assert_ne!(key(&sandbox, "HEAD", exclude), before, "{exclude}");
    }
}

#[test]
fn the_key_is_the_tree_that_git_itself_would_write() {
    let sandbox = committed();
    sandbox.write("repo/baselines/gpu/a.json", "{}");
    sandbox.write("repo/run me", "#!/bin/sh\n");
    fs::set_permissions(sandbox.path("repo/run me"), fs::Permissions::from_mode(0o755)).expect("executable");
    symlink("src/lib.rs", sandbox.path("repo/lien-é")).expect("a link");
    sandbox.commit("repo", "all kinds of entries");
    let ours = key(&sandbox, "HEAD", BASELINES);
    sandbox.git("repo", &["rm", "--quiet", "-r", BASELINES]);
    let theirs = sandbox.git("repo", &["write-tree"]);
    assert_eq!(ours, theirs);
}

#[test]
fn the_key_survives_amend_and_squash() {
    let sandbox = committed();
    sandbox.git("repo", &["checkout", "--quiet", "-b", "work"]);
    for n in 0..3 {
        sandbox.write("repo/src/lib.rs", n.to_string());
        sandbox.commit("repo", &format!("step {n}"));
    }
    let before = key(&sandbox, "HEAD", BASELINES);
    let measured = sandbox.git("repo", &["rev-parse", "HEAD"]);

    sandbox.write("repo/baselines/gpu/a.json", "{}");
    sandbox.git("repo", &["add", "--all"]);
    sandbox.git("repo", &["commit", "--quiet", "--amend", "--message", "reworded, with its baseline"]);
    assert_ne!(sandbox.git("repo", &["rev-parse", "HEAD"]), measured);
    assert_eq!(key(&sandbox, "HEAD", BASELINES), before, "amend");

    sandbox.git("repo", &["checkout", "--quiet", "main"]);
    sandbox.git("repo", &["merge", "--quiet", "--squash", "work"]);
    sandbox.git("repo", &["commit", "--quiet", "--message", "squashed"]);
    assert_eq!(key(&sandbox, "HEAD", BASELINES), before, "squash");
    sandbox.git("repo", &["reset", "--quiet", "--hard", "HEAD~1"]);
    sandbox.git("repo", &["merge", "--quiet", "--no-ff", "--message", "merge", "work"]);
    assert_eq!(key(&sandbox, "HEAD", BASELINES), before, "merge commit");
}

#[test]
fn only_baselines_is_the_empty_tree_and_nothing_is_written() {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/baselines/a.json", "{}");
    sandbox.commit("repo", "only a baseline");
    let before = listing(&sandbox.path("repo/.git"));
    assert_eq!(key(&sandbox, "HEAD", BASELINES), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert_eq!(listing(&sandbox.path("repo/.git")), before);
    for bad in ["", ".", "../x", "/baselines"] {
        let error = sandbox.open("repo").src_tree("HEAD", Path::new(bad)).expect_err(bad);
        assert!(matches!(error, GitError::NotRelative { .. }), "{bad}: {error}");
    }
}

#[test]
fn files_are_read_from_the_commit_and_not_from_the_working_tree() {
    let sandbox = committed();
    sandbox.write("repo/baselines/gpu b/2.json", "two");
    sandbox.write("repo/baselines/gpu b/1.json", "one");
    sandbox.write("repo/baselines/ü/3.json", [0, 255, 10]);
    symlink("1.json", sandbox.path("repo/baselines/gpu b/link")).expect("a link");
    sandbox.commit("repo", "baselines");
    sandbox.write("repo/baselines/gpu b/1.json", "changed");
    let repo = sandbox.open("repo");
    let files = repo.read_tree_files("HEAD", Path::new("baselines")).expect("readable");
    let expected: [(&str, &[u8]); 3] =
        [("gpu b/1.json", b"one"), ("gpu b/2.json", b"two"), ("ü/3.json", &[0, 255, 10])];
    let expected: Vec<_> =
        expected.map(|(path, bytes)| (Path::new("baselines").join(path), bytes.to_vec())).into();
    assert_eq!(files, expected);
    for absent in [("HEAD~1", "baselines"), ("HEAD", "nowhere/at/all"), ("HEAD", "aaa")] {
        assert_eq!(repo.read_tree_files(absent.0, Path::new(absent.1)).expect("no error"), [], "{absent:?}");
    }
    let blob = |rev: &str, path: &str| repo.read_blob(rev, Path::new(path)).expect("readable");
    assert_eq!(blob("HEAD", "baselines/gpu b/1.json").as_deref(), Some(&b"one"[..]));
    assert_eq!(blob("HEAD~1", "baselines/gpu b/1.json"), None);
    assert_eq!(blob("HEAD", "baselines"), None);
}

#[test]
fn extraction_writes_what_git_archive_does_and_touches_nothing_else() {
    let sandbox = committed();
    sandbox.write("repo/empty", "");
    sandbox.write("repo/dir with space/naïve 文件.bin", [0, 159, 146, 150, 13, 10]);
    sandbox.write("repo/deep/er/and/deep/er/file", "x".repeat(100_000));
    sandbox.write("repo/run.sh", "#!/bin/sh\n");
    fs::set_permissions(sandbox.path("repo/run.sh"), fs::Permissions::from_mode(0o755)).expect("executable");
    symlink("../run.sh", sandbox.path("repo/deep/link")).expect("a link");
    symlink("../../shared/models", sandbox.path("repo/deep/outside")).expect("a link");
    let commit = sandbox.commit("repo", "all kinds of files");
    sandbox.write("repo/empty", "changed since");
    sandbox.write("repo/untracked", "x");
    let before = listing(&sandbox.path("repo"));

    let into = sandbox.path("trees/new/base");
    let done = sandbox.open("repo").extract_tree(&commit, &into).expect("extracted");
    fs::create_dir(sandbox.path("archive")).expect("a folder");
    sandbox.git("repo", &["archive", "--output", "../archive.tar", &commit]);
    let tar =
        Command::new("tar").args(["-xf", "../archive.tar"]).current_dir(sandbox.path("archive")).status();
    assert!(tar.expect("tar runs").success());
    assert_eq!(listing(&into), listing(&sandbox.path("archive")));
    assert_eq!(done.files, 11);
    assert_eq!(done.links_outside, [Path::new("deep/outside")]);
    assert_eq!(listing(&sandbox.path("repo")), before, "the user's files and .git");
    assert_eq!(
        fs::read_dir(sandbox.path("trees/new")).expect("a folder").count(),
        1,
        "no temporary folder is left"
    );
    let readable_by_all = fs::metadata(&into).expect("a folder").permissions().mode() & 0o500;
    assert_eq!(readable_by_all, 0o500);
}

#[test]
fn extraction_wants_an_empty_folder() {
    let sandbox = committed();
    let repo = sandbox.open("repo");
    let into = sandbox.path("base");
    fs::create_dir(&into).expect("a folder");
    repo.extract_tree("HEAD", &into).expect("an empty folder is fine");
    let before = listing(&into);
    let error = repo.extract_tree("HEAD", &into).expect_err("full");
    assert!(matches!(error, GitError::NotEmpty { .. }), "{error}");
    assert_eq!(listing(&into), before);
}

#[test]
fn of_processes_that_extract_to_the_same_place_one_wins() {
    let sandbox = committed();
    let into = sandbox.path("base");
    let results: Vec<_> = std::thread::scope(|scope| {
        let extract = || sandbox.open("repo").extract_tree("HEAD", &into);
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(extract)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().all(|r| matches!(r, Ok(_) | Err(GitError::NotEmpty { .. }))), "{results:?}");
    assert_eq!(fs::read(into.join("aaa")).expect("a file"), b"repo/aaa");
}

#[test]
fn submodules_are_left_out_and_named() {
    let sandbox = committed();
    sandbox.git(".", &["init", "--quiet", "inner"]);
    sandbox.write("inner/file", "1");
    sandbox.commit("inner", "first");
    sandbox.git("repo", &["submodule", "--quiet", "add", &sandbox.url("inner"), "vendor/inner"]);
    sandbox.commit("repo", "with a submodule");
    let done = sandbox.open("repo").extract_tree("HEAD", &sandbox.path("base")).expect("extracted");
    assert_eq!(done.submodules, [Path::new("vendor/inner")]);
    assert!(sandbox.path("base/.gitmodules").is_file() && !sandbox.path("base/vendor/inner").exists());
}

#[test]
fn large_files_replace_their_pointers_where_they_are_here() {
    let sandbox = committed();
    // The SHA-256 of "hello\n", and one that nobody has.
    let id = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let pointer = |id: &str| format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 6\n");
    sandbox.write("repo/here.onnx", pointer(id));
    sandbox.write("repo/missing.onnx", pointer(&"0".repeat(64)));
    sandbox.commit("repo", "pointers");
    sandbox.write(format!("repo/.git/lfs/objects/58/91/{id}"), "hello\n");
    sandbox.git("repo", &["worktree", "add", "--quiet", "--detach", "../linked"]);
    for folder in ["repo", "linked"] {
        let into = sandbox.path(format!("from {folder}"));
        let done = sandbox.open(folder).extract_tree("HEAD", &into).expect("extracted");
        assert_eq!(fs::read(into.join("here.onnx")).expect("a file"), b"hello\n");
        assert_eq!(done.lfs_missing, [Path::new("missing.onnx")]);
    }
}

/// Writes a tree that `git` itself would refuse, and a commit of it.
fn malicious(sandbox: &Sandbox, entries: &[(&str, &str, &str)]) -> String {
    let mut tree = Vec::new();
    for (mode, name, id) in entries {
        write!(tree, "{mode} {name}\0").expect("bytes");
        tree.extend((0..20).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).expect("hexadecimal")));
    }
    let args = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
    let mut child = sandbox
        .git_command("repo")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git runs");
    child.stdin.take().expect("a pipe").write_all(&tree).expect("written");
    let output = child.wait_with_output().expect("an end");
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    sandbox.git("repo", &["commit-tree", "-m", "malicious", &id])
}

#[test]
fn entries_that_would_escape_are_refused_and_nothing_is_left() {
    let sandbox = committed();
    fs::create_dir(sandbox.path("outside")).expect("a folder");
    sandbox.write("target-of-link", sandbox.path("outside").display().to_string());
    let file = sandbox.git("repo", &["rev-parse", "HEAD:aaa"]);
    let folder = sandbox.git("repo", &["rev-parse", "HEAD:zzz"]);
    let link = sandbox.git("repo", &["hash-object", "-w", "../target-of-link"]);
    type Entry<'a> = (&'a str, &'a str, &'a str);
    let cases: [(&str, Vec<Entry>); 6] = [
        ("parent", vec![("40000", "..", &folder)]),
        ("itself", vec![("40000", ".", &folder)]),
        ("git's own", vec![("40000", ".GIT", &folder)]),
        ("a path", vec![("100644", "../outside/x", &file)]),
        ("an absolute path", vec![("100644", "/outside/x", &file)]),
        ("through a link", vec![("120000", "a", &link), ("40000", "a", &folder)]),
    ];
    for (name, entries) in cases {
        let commit = malicious(&sandbox, &entries);
        let error = sandbox.open("repo").extract_tree(&commit, &sandbox.path("trees/base")).expect_err(name);
        assert!(matches!(error, GitError::UnsafeEntry { .. } | GitError::Io { .. }), "{name}: {error}");
        assert_eq!(listing(&sandbox.path("outside")), Vec::<String>::new(), "{name}");
        assert_eq!(listing(&sandbox.path("trees")), Vec::<String>::new(), "{name}: all or nothing");
    }
}

#[test]
fn an_object_missing_from_a_partial_clone_is_named_with_the_cure() {
    let sandbox = committed();
    sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let args = ["clone", "--quiet", "--no-checkout", "--filter=blob:none", &sandbox.url("repo"), "partial"];
    sandbox.git(".", &args);
    let repo = sandbox.open("partial");
    assert_eq!(
        repo.src_tree("HEAD", Path::new(BASELINES)).expect("needs no files"),
        key(&sandbox, "HEAD", BASELINES)
    );
    let said = repo.extract_tree("HEAD", &sandbox.path("base")).expect_err("no files").to_string();
    assert!(said.contains("aaa") && said.contains("git fetch --refetch"), "{said}");
}
