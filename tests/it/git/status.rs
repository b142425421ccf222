//! What counts as a dirty working tree: all that would be measured and is not in HEAD, and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use trt_perf::git::{Dirty, PathChange};

use crate::support::Sandbox;

fn committed() -> Sandbox {
    let sandbox = Sandbox::with_repo();
    sandbox.write("repo/.gitignore", "/target\n*.log\n");
    sandbox.write("repo/src/lib.rs", "pub fn one() {}\n");
    sandbox.write("repo/baselines/gpu/old.json", "{}\n");
    sandbox.commit("repo", "first");
    sandbox
}

fn dirty(sandbox: &Sandbox) -> Dirty {
    sandbox.open("repo").dirty(Path::new("baselines")).expect("readable")
}

fn seen(sandbox: &Sandbox) -> Vec<(String, PathChange)> {
    let found = dirty(sandbox);
    assert_eq!(found.is_clean(), found.count == 0);
    found.examples.into_iter().map(|e| (e.path.display().to_string(), e.change)).collect()
}

fn one(path: &str, change: PathChange) -> Vec<(String, PathChange)> {
    vec![(path.to_owned(), change)]
}

#[test]
fn each_kind_of_change_is_told_apart() {
    type Case = (&'static str, fn(&Sandbox), Vec<(String, PathChange)>);
    let cases: [Case; 11] = [
        ("nothing", |_| {}, vec![]),
        (
            "changed",
            |s| s.write("repo/src/lib.rs", "pub fn two() {}\n"),
            one("src/lib.rs", PathChange::Modified),
        ),
        (
            "staged",
            |s| {
                s.write("repo/src/lib.rs", "pub fn two() {}\n");
                s.git("repo", &["add", "--all"]);
            },
            one("src/lib.rs", PathChange::Staged),
        ),
        (
            "untracked",
            |s| s.write("repo/new dir/ünïcode.rs", ""),
            one("new dir/ünïcode.rs", PathChange::Untracked),
        ),
        (
            "deleted",
            |s| fs::remove_file(s.path("repo/src/lib.rs")).expect("deleted"),
            one("src/lib.rs", PathChange::Deleted),
        ),
        ("ignored", |s| s.write("repo/target/x", ""), vec![]),
        ("ignored by pattern", |s| s.write("repo/src/a.log", ""), vec![]),
        ("new baseline", |s| s.write("repo/baselines/gpu/new.json", "{}"), vec![]),
        ("changed baseline", |s| s.write("repo/baselines/gpu/old.json", "{ }"), vec![]),
        ("namesake", |s| s.write("repo/src/baselines/x", ""), one("src/baselines/x", PathChange::Untracked)),
        (
            "same bytes, newer",
            |s| {
                fs::remove_file(s.path("repo/src/lib.rs")).expect("deleted");
                s.write("repo/src/lib.rs", "pub fn one() {}\n");
            },
            vec![],
        ),
    ];
    for (name, make, expected) in cases {
        let sandbox = committed();
        make(&sandbox);
        assert_eq!(seen(&sandbox), expected, "{name}");
    }
}

#[test]
fn asking_leaves_the_index_alone() {
    let sandbox = committed();
    fs::remove_file(sandbox.path("repo/src/lib.rs")).expect("deleted");
    sandbox.write("repo/src/lib.rs", "pub fn one() {}\n");
    let index = sandbox.path("repo/.git/index");
    let before = fs::read(&index).expect("an index");
    assert!(dirty(&sandbox).is_clean());
    assert_eq!(fs::read(&index).expect("an index"), before);
}

#[test]
fn a_nested_baselines_folder_is_excluded_even_when_all_around_it_is_new() {
    let sandbox = committed();
    sandbox.write("repo/crates/x/baselines/gpu/new.json", "{}");
    let exclude = Path::new("crates/x/baselines");
    assert!(sandbox.open("repo").dirty(exclude).expect("readable").is_clean());
    sandbox.write("repo/crates/x/lib.rs", "");
    assert_eq!(sandbox.open("repo").dirty(exclude).expect("readable").count, 1);
}

#[test]
fn many_changes_are_counted_and_a_few_named() {
    let sandbox = committed();
    for n in 0..40 {
        sandbox.write(format!("repo/new/{n:02}"), "");
    }
    sandbox.write("repo/src/lib.rs", "");
    let found = dirty(&sandbox);
    assert_eq!(found.count, 41);
    assert_eq!(found.examples.len(), 5);
    assert_eq!(found.examples[0].path, Path::new("src/lib.rs"), "tracked files come first");
}

#[test]
fn a_repository_without_commits_has_all_its_files_dirty() {
    let sandbox = Sandbox::with_repo();
    assert!(dirty(&sandbox).is_clean());
    sandbox.write("repo/a", "");
    sandbox.write("repo/b", "");
    sandbox.git("repo", &["add", "a"]);
    assert_eq!(
        seen(&sandbox),
        [("a".to_owned(), PathChange::Staged), ("b".to_owned(), PathChange::Untracked)]
    );
}

#[test]
fn conflicts_are_dirty() {
    let sandbox = committed();
    sandbox.git("repo", &["checkout", "--quiet", "-b", "side"]);
    sandbox.write("repo/src/lib.rs", "side\n");
    sandbox.commit("repo", "side");
    sandbox.git("repo", &["checkout", "--quiet", "main"]);
    sandbox.write("repo/src/lib.rs", "main\n");
    sandbox.commit("repo", "main");
    assert_ne!(sandbox.try_git("repo", &["merge", "side"]).code, Some(0));
    assert_eq!(seen(&sandbox), one("src/lib.rs", PathChange::Conflicted));
}

#[test]
fn submodules_count_as_in_git_status() {
    let sandbox = committed();
    sandbox.git(".", &["init", "--quiet", "inner"]);
    sandbox.write("inner/file", "1");
    sandbox.commit("inner", "first");
    sandbox.git("repo", &["submodule", "--quiet", "add", &sandbox.url("inner"), "vendor"]);
    sandbox.commit("repo", "with a submodule");
    assert_eq!(seen(&sandbox), []);
    sandbox.write("repo/vendor/file", "2");
    assert_eq!(seen(&sandbox), one("vendor", PathChange::Modified), "changed inside");
    sandbox.commit("repo/vendor", "second");
    assert_eq!(seen(&sandbox), one("vendor", PathChange::Modified), "other commit");
}

#[test]
fn files_left_out_by_a_sparse_checkout_are_not_deleted() {
    let sandbox = committed();
    sandbox.write("repo/docs/page", "1");
    sandbox.commit("repo", "docs");
    sandbox.git("repo", &["sparse-checkout", "set", "--no-cone", "/src/", "/baselines/", "/.gitignore"]);
    assert!(!sandbox.path("repo/docs/page").exists());
    assert_eq!(seen(&sandbox), []);
}

#[test]
fn a_large_file_that_stands_for_its_pointer_is_clean() {
    let sandbox = committed();
    // The SHA-256 of "hello\n".
    let id = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 6\n");
    sandbox.write("repo/model.onnx", pointer);
    sandbox.commit("repo", "a pointer");
    sandbox.write("repo/model.onnx", "hello\n");
    assert_eq!(seen(&sandbox), []);
    let model = sandbox.path("repo/model.onnx");
    fs::set_permissions(&model, fs::Permissions::from_mode(0o755)).expect("executable");
    assert_eq!(seen(&sandbox), one("model.onnx", PathChange::Modified), "another mode");
    fs::rename(&model, sandbox.path("elsewhere")).expect("moved");
    symlink("../elsewhere", &model).expect("a link");
    assert_eq!(seen(&sandbox), one("model.onnx", PathChange::Modified), "a link to it");
    fs::remove_file(&model).expect("removed");
    sandbox.write("repo/model.onnx", "jello\n");
    assert_eq!(seen(&sandbox), one("model.onnx", PathChange::Modified));
}

#[test]
fn kinds_of_index_that_cannot_be_read_come_with_a_cure_that_works() {
    let split = "update-index --split-index";
    let sparse = "sparse-checkout set --cone --sparse-index src";
    for (make, cure) in
        [(split, "update-index --no-split-index"), (sparse, "sparse-checkout reapply --no-sparse-index")]
    {
        let sandbox = committed();
        sandbox.write("repo/docs/page", "1");
        sandbox.commit("repo", "docs");
        sandbox.git("repo", &make.split(' ').collect::<Vec<_>>());
        let error = sandbox.open("repo").dirty(Path::new("baselines")).expect_err(cure);
        assert!(error.to_string().ends_with(cure), "{error}");
        sandbox.git("repo", &cure.split(' ').collect::<Vec<_>>());
        assert_eq!(seen(&sandbox), [], "{cure}");
    }
}
