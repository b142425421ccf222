//! Records that are kept per commit: where they may be saved, and how a later run finds the right one.

use crate::support::{QUICK, QUICK_ARGS, Ran, Sandbox, files_below, model, sample, with};
use std::fs;
use std::path::Path;
use trt_perf::baseline::{Store, load};
use trt_perf::record::Record;
use trt_perf::record::wire::document::{RECORD, write};

const SAVE: [&str; 2] = ["run", "--save-baseline"];

/// The one baseline of a folder, whose place and name must be those of its contents.
#[track_caller]
fn saved(s: &Sandbox, folder: &str) -> Record {
    let files = s.baselines(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    let record = load(&files[0]).expect("a readable record");
    let parts: Vec<&str> = files[0].iter().rev().take(3).map(|p| p.to_str().unwrap()).collect();
    let source = record.source.as_ref().expect("a source");
    let day = trt_perf::record::date(record.created_s).replace('-', "");
    assert_eq!(parts[0], format!("{day}-{}-{}.json", &source.commit[..12], &record.id[..8]));
    assert_eq!(parts[1..], [record.device.key.as_str(), "baselines"]);
    record
}

/// What is broken is the same, so a script must see the same, whichever verb it calls.
#[test]
fn every_verb_that_needs_git_ends_alike_in_a_broken_repository() {
    let s = Sandbox::committed_mlp();
    let accept = ["baseline", "accept", "--case", "demo/mlp/default/latency", "--reason", "faster"];
    let verbs: [&[&str]; 10] = [
        &SAVE,
        &["discover", "--save-baseline"],
        &["check"],
        &["check", "--base", "HEAD"],
        &["check", "--base-config", "threads=1", "--head-config", "threads=2"],
        &["compare", "HEAD", "HEAD"],
        &["bisect", "mlp", "HEAD~1"],
        &["backfill", "HEAD~1..HEAD"],
        &["baseline", "save"],
        &accept,
    ];
    let damages: [(&str, &dyn Fn()); 3] = [
        ("its configuration", &|| s.write(".git/config", "[core")),
        ("HEAD", &|| s.write(".git/HEAD", "nonsense")),
        ("every object", &|| fs::remove_dir_all(s.path(".git/objects")).expect("objects")),
    ];
    for (damage, harm) in damages {
        let whole = [".git/config", ".git/HEAD"].map(|file| (file, fs::read(s.path(file)).expect(file)));
        harm();
        for args in verbs {
            let ran = s.run(".", args);
            assert_eq!(ran.code, Some(2), "{damage}, {args:?}: {}", ran.err);
        }
        // Nothing of git is needed here.
        s.run(".", &["baseline", "list"]).says(0, &[]);
        whole.into_iter().for_each(|(file, bytes)| s.write(file, bytes));
    }
}

#[test]
fn the_second_run_compares_with_the_baseline_of_the_first() {
    let s = Sandbox::committed_mlp();
    let head = s.git(".", &["rev-parse", "HEAD"]);
    let key = format!("base: {}", &head[..12]);
    let none = "nothing to compare with: no baseline of this commit or its ancestors on this device yet";
    s.run(".", &["run"]).says(0, &[none, "cargo trt-perf run --save-baseline"]).silent_on(&["change:"]);
    s.run(".", &SAVE).says(0, &["baseline: baselines/cpu-", "(commit it: git add baselines)"]);
    let source = saved(&s, ".").source.unwrap();
    assert_eq!((source.commit, source.branch, source.dirty), (head.clone(), Some("main".into()), false));
    assert_eq!(s.git(".", &["status", "--porcelain"]), "?? baselines/");
    s.run(".", &["run"])
        .says(0, &["change:", &key, "1 case), this commit"])
        .silent_on(&["nothing to compare"]);
    s.commit(".", "add a baseline");
    s.run(".", &["run"]).says(0, &[&key, "1 case), 1 commit before HEAD"]);
    s.write("src/lib.rs", "// changed");
    s.commit(".", "change the sources");
    let (ran, messages) = s.run_json(".", &["run"]);
    ran.says(0, &[]);
    let base = &with(&messages, "case-finished")[0]["comparison"]["base"];
    assert_eq!(base["steps"], 2, "{base}");
    assert!(base["label"].as_str().is_some_and(|l| l.starts_with(&head[..12])), "{base}");
    assert!(base["path"].as_str().is_some_and(|p| Path::new(p).is_file()), "{base}");
}

#[test]
fn an_amended_commit_still_finds_its_baseline() {
    let s = Sandbox::committed_mlp();
    let before = s.git(".", &["rev-parse", "HEAD"]);
    s.run(".", &SAVE).says(0, &[]);
    s.git(".", &["add", "--all"]);
    s.git(".", &["commit", "--quiet", "--amend", "--message", "first, amended, with its baseline"]);
    assert_ne!(s.git(".", &["rev-parse", "HEAD"]), before);
    s.run(".", &["run"]).says(0, &[&format!("base: {}", &before[..12]), ", this commit"]);
    // A branch that never had the baseline's commit, nor its sources, has nothing to compare with.
    s.git(".", &["checkout", "--quiet", "--orphan", "other"]);
    s.write("src/lib.rs", "// other");
    s.commit(".", "other sources");
    s.run(".", &["run"]).says(0, &["nothing to compare with: no baseline of this commit or its ancestors"]);
}

#[test]
fn the_nearest_baseline_wins_and_of_one_commit_the_newest() {
    let s = Sandbox::committed_mlp();
    s.run(".", &SAVE).says(0, &[]);
    s.write("src/lib.rs", "// second");
    let second = s.commit(".", "second, and the first's baseline");
    s.run(".", &SAVE).says(0, &[]);
    s.commit(".", "the second's baseline");
    s.run(".", &["run"]).says(0, &[&format!("base: {}", &second[..12]), ", 1 commit before HEAD"]);
    assert_eq!(s.baselines(".").len(), 2);
}

#[test]
fn changes_beside_the_commit_are_refused_or_told() {
    let s = Sandbox::committed_mlp();
    s.write("src/lib.rs", "// changed");
    s.write("new file", "");
    let refused = "cannot save a baseline: there are changes beside the commit";
    s.run(".", &SAVE)
        .says(2, &[refused, "src/lib.rs", "new file", "next: commit or stash them", "--allow-dirty"]);
    assert!(!s.path("target").exists(), "refused before anything was measured");
    s.run(".", &["run", "--allow-dirty"]).says(2, &["--save-baseline"]);
    // Without saving, nobody minds; but the result does not become a baseline later either.
    s.run(".", &["run"]).says(0, &[]);
    s.run(".", &["baseline", "save"]).says(2, &["there were changes beside commit", "--allow-dirty"]);
    s.run(".", &["run", "--save-baseline", "--allow-dirty"]).says(0, &["baseline: baselines/"]);
    assert!(saved(&s, ".").source.unwrap().dirty);
    s.run(".", &["run"]).says(0, &["+changes (", ", this commit"]);
}

#[test]
fn saving_after_the_run_does_the_same() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["baseline", "save"]).says(4, &["there is no result of HEAD", "next: measure it"]);
    s.run(".", &["run"]).says(0, &[]);
    s.run(".", &["baseline", "save"]).says(0, &["baseline: baselines/cpu-"]);
    let (result, baseline) = (s.results("target").remove(0), s.baselines(".").remove(0));
    assert_eq!(fs::read(result).unwrap(), fs::read(&baseline).unwrap());
    // Once more is the same file, and by its id too.
    let id = saved(&s, ".").id;
    s.run(".", &["baseline", "save", &id]).says(0, &["baseline: "]);
    saved(&s, ".");
}

#[test]
fn without_a_repository_or_a_commit_only_saving_is_refused() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.run(".", &SAVE).says(2, &["cannot save a baseline: ", "is in no git repository", "next: ", "git init"]);
    s.run(".", &["baseline", "save"]).says(2, &["is in no git repository"]);
    s.run(".", &["run"]).says(0, &["there is no commit to keep baselines for"]);
    s.init_git(".");
    s.run(".", &SAVE)
        .says(2, &["cannot save a baseline: this repository has no commit yet", "next: commit first"]);
    s.run(".", &["baseline", "save"]).says(2, &["this repository has no commit yet"]);
    s.run(".", &["run"]).says(0, &["there is no commit to keep baselines for"]);
    s.run(".", &["baseline", "list"]).says(0, &["no baselines in baselines"]);
    assert_eq!(s.baselines("."), Vec::<std::path::PathBuf>::new());
    // A repository that cannot be read is said, and measuring goes on.
    fs::write(s.path(".git/HEAD"), "nonsense").unwrap();
    s.run(".", &["run"]).says(0, &["note: no baselines: ", "record: "]);
    s.run(".", &SAVE).says(2, &["cannot save a baseline"]);
}

#[test]
fn a_detached_head_is_a_commit_like_any_other() {
    let s = Sandbox::committed_mlp();
    let first = s.git(".", &["rev-parse", "HEAD"]);
    s.write("src/lib.rs", "// second");
    s.commit(".", "second");
    s.git(".", &["checkout", "--quiet", "--detach", "HEAD~1"]);
    s.run(".", &SAVE).says(0, &[]);
    let source = saved(&s, ".").source.unwrap();
    assert_eq!((source.commit.as_str(), source.branch), (first.as_str(), None));
    s.git(".", &["checkout", "--quiet", "main"]);
    s.run(".", &["run"]).says(0, &[&format!("base: {}", &first[..12]), ", 1 commit before HEAD"]);
}

#[test]
fn a_linked_worktree_saves_for_its_own_commit() {
    let s = Sandbox::new();
    s.add_package(
        "main",
        "demo",
        &format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{}", model("mlp", "mlp.onnx")),
    );
    s.copy("mlp.onnx", "main/mlp.onnx");
    s.init_git("main");
    s.commit("main", "first");
    s.git("main", &["worktree", "add", "--quiet", "-b", "topic", "../linked"]);
    s.write("linked/src/lib.rs", "// topic");
    let topic = s.commit("linked", "on the topic");
    s.run("linked", &SAVE).says(0, &["baseline: baselines/"]);
    let source = saved(&s, "linked").source.unwrap();
    assert_eq!((source.commit, source.branch), (topic, Some("topic".into())));
    assert!(s.baselines("main").is_empty());
    s.run("linked", &["run"]).says(0, &[", this commit"]);
}

#[test]
fn a_submodule_saves_for_its_own_commit_and_the_outer_one_for_its() {
    let s = Sandbox::new();
    let package = format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{}", model("mlp", "mlp.onnx"));
    s.add_package("origin", "inner", &package);
    s.copy("mlp.onnx", "origin/mlp.onnx");
    s.init_git("origin");
    s.commit("origin", "inner");
    s.add_package("outer", "outer", &package.replace("[workspace]", "[workspace]\nexclude = [\"inner\"]"));
    s.copy("mlp.onnx", "outer/mlp.onnx");
    s.init_git("outer");
    s.git("outer", &["submodule", "--quiet", "add", "../origin", "inner"]);
    let outer = s.commit("outer", "outer");
    let inner = s.git("outer/inner", &["rev-parse", "HEAD"]);
    assert_ne!(outer, inner);
    s.run("outer", &SAVE).says(0, &["outer/mlp/default/latency"]);
    assert_eq!(saved(&s, "outer").source.unwrap().commit, outer);
    s.run("outer/inner", &SAVE).says(0, &["inner/mlp/default/latency"]);
    assert_eq!(saved(&s, "outer/inner").source.unwrap().commit, inner);
}

#[test]
fn baselines_of_a_package_below_the_repository_root() {
    let s = Sandbox::new();
    s.add_package(
        "rust/demo",
        "demo",
        &format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{}", model("mlp", "mlp.onnx")),
    );
    s.copy("mlp.onnx", "rust/demo/mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run("rust/demo/src", &SAVE).says(0, &["baseline: "]);
    saved(&s, "rust/demo");
    s.commit(".", "its baseline");
    s.run("rust/demo", &["run"]).says(0, &["base: ", ", 1 commit before HEAD"]);
}

#[test]
fn the_tools_own_files_never_make_the_tree_dirty() {
    let s = Sandbox::committed_mlp();
    for _ in 0..2 {
        s.run(".", &SAVE).says(0, &[]);
    }
    // Unrelated files below baselines/ are left out of the source tree too.
    s.write("baselines/README.md", "ours");
    s.run(".", &SAVE).says(0, &[]);
    assert_eq!(s.baselines(".").len(), 3);
    let hidden = |p: &std::path::PathBuf| p.file_name().unwrap().to_string_lossy().starts_with('.');
    assert_eq!(files_below(&s.path("baselines")).into_iter().find(hidden), None);
}

#[test]
fn an_ad_hoc_model_in_a_repository_without_cargo_has_baselines_too() {
    let s = Sandbox::new();
    s.write("mlp.onnx", fs::read(sample("mlp.onnx")).unwrap());
    s.write(".gitignore", "target/\n");
    s.init_git(".");
    s.commit(".", "a model");
    let run =
        |more: &[&str]| Ran::of(s.command(".", &[&["run", "mlp.onnx"], &QUICK_ARGS[..], more].concat()));
    run(&["--save-baseline"]).says(0, &["baseline: baselines/"]);
    saved(&s, ".");
    run(&[]).says(0, &["base: ", ", this commit"]);
}

#[test]
fn what_the_test_library_ran_is_no_baseline_and_is_marked_wherever_it_is_shown() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run"]).says(0, &[]);
    let mut record = s.record("target");
    fs::remove_file(&s.results("target")[0]).expect("the record's file");
    for case in record.cases.values_mut() {
        // As if it had been in TensorRT's place.
        case.engine.library = "test library in the shape of TensorRT 10.13.3".into();
    }
    let results = Store::new(s.path("target/trt-perf/results"));
    let result = results.save(&mut record).expect("a record");
    s.run(".", &["baseline", "save"]).says(
        2,
        &[
            "no baseline was saved: demo/mlp/default/latency ran with the test library",
            "it is not a real result",
        ],
    );
    assert!(s.baselines(".").is_empty());
    let result = result.to_str().expect("UTF-8");
    s.run(".", &["compare", result, result]).says(0, &["not a real result: test library"]);
    let (ran, messages) = s.run_json(".", &["compare", result, result]);
    assert_eq!(with(&messages, "comparison")[0]["test_library"], true, "{ran}");
}

/// The file as a newer version of the tool would have written it: with a builder option, and a field of its own.
fn as_a_newer_version_wrote_it(path: &Path) {
    let mut value: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    value["tool"] = "9.0.0".into();
    value["weather"] = "rain".into();
    for case in value["cases"].as_object_mut().unwrap().values_mut() {
        case["engine"]["tensorrt"] = serde_json::json!({ "quantum-tactics": 3 });
    }
    fs::write(path, write(&RECORD, &value).0).unwrap();
}

#[test]
fn a_record_with_a_builder_option_that_is_not_known_is_used_and_the_option_named() {
    let s = Sandbox::committed_mlp();
    s.run(".", &SAVE).says(0, &[]);
    let (baseline, result) = (s.baselines(".").remove(0), s.results("target").remove(0));
    as_a_newer_version_wrote_it(&baseline);
    as_a_newer_version_wrote_it(&result);
    let holds = "holds what this version of the tool does not know and leaves out: cases.engine.tensorrt.quantum-tactics, weather (cargo-trt-perf 9.0.0 wrote it; update with `cargo install cargo-trt-perf`)";
    let name = baseline.display().to_string();
    s.run(".", &["run"]).says(0, &["change: ", ", this commit", &format!("note: {name} {holds}")]);
    s.run(".", &["baseline", "show", &name]).says(0, &[&format!("warning: {name} {holds}")]);
    s.run(".", &["compare", &name, "HEAD"]).says(0, &[&format!("warning: {name} {holds}")]);
    s.run(".", &["history", "mlp"]).says(0, &[&format!("{name} {holds}")]);
    // Written again it would lose what is not known, and get another id.
    let result = result.display().to_string();
    let refused = "was not written again: it would lose cases.engine.tensorrt.quantum-tactics, weather";
    s.run(".", &["baseline", "save", &result]).says(2, &[refused, "cargo install cargo-trt-perf"]);
}
