//! Files that are not what they should be: an error that names them, the right exit code, and the rest goes on.

use crate::support::{QUICK_ARGS, Sandbox, files_below, model, sample, with};
use std::fs;
use std::path::{Path, PathBuf};

/// Each broken model with the word in its row and what the error says.
const BROKEN: [(&str, &str, &[&str]); 16] = [
    ("absolute_external", "build failed", &["\"/etc/passwd\", outside the model's own folder"]),
    (
        "bad_permutation",
        "crashed",
        &["the worker ended with exit code 101; it said: thread ", "panicked at "],
    ),
    ("bitflip_dimension", "build failed", &["in node \"w\"", "[67, 4]"]),
    ("bitflip_element_type", "build failed", &["in node \"w\"", "INT16"]),
    ("bitflip_length", "build failed", &["it cannot be parsed"]),
    ("bitflip_wire_type", "build failed", &["it cannot be parsed", "invalid wire type"]),
    ("cycle", "build failed", &["node `first_node` (Add) is part of a cycle"]),
    ("empty", "build failed", &["the file is empty"]),
    ("escaping_external", "build failed", &["\"../external.onnx.data\", outside the model's own folder"]),
    ("garbage", "build failed", &["it cannot be parsed"]),
    (
        "missing_external",
        "I/O error",
        &["no_such_file.data: No such file", "next: put no_such_file.data beside"],
    ),
    ("missing_tensor", "build failed", &["node `add_node` (Add) reads `nowhere`, which nothing makes"]),
    ("no_outputs", "build failed", &["it has no outputs"]),
    ("truncated", "build failed", &["it cannot be parsed"]),
    ("unsupported_op", "build failed", &["\"bad_node\"", "NoSuchOp operator not supported"]),
    ("wrong_shape", "measuring failed", &["\"product_node\" failed", "[2, 3]", "[4, 5]"]),
];

#[test]
fn broken_models_are_rows_and_the_others_are_measured() {
    let names: Vec<String> = files_below(&sample("broken"))
        .iter()
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, BROKEN.map(|(name, ..)| name), "every broken model is listed here");
    // Sound models first, in the middle and last.
    let mut tables = model("a-good", "models/mlp.onnx");
    for (i, name) in names.iter().enumerate() {
        tables += &model(name, &format!("models/broken/{name}.onnx"));
        if i == 7 {
            tables += &(model("m-good", "models/half.onnx") + "shapes = { x = [1, 16] }\n");
        }
    }
    tables += &model("z-good", "models/mlp.onnx");
    let s = Sandbox::package(&tables);
    s.copy("mlp.onnx", "models/mlp.onnx");
    s.copy("half.onnx", "models/half.onnx");
    // What the escaping model points at does exist.
    s.copy("external.onnx.data", "models/external.onnx.data");
    for name in &names {
        s.copy(&format!("broken/{name}.onnx"), &format!("models/broken/{name}.onnx"));
    }
    let mut command = s.command(".", &["run"]);
    // A backtrace must not take the place of the reason.
    command.env("RUST_BACKTRACE", "1");
    let ran = crate::support::Ran::of(command);
    assert_eq!(ran.code, Some(101), "{ran}");
    let record = s.record("target");
    let measured: Vec<&str> = record.cases.keys().map(String::as_str).collect();
    assert_eq!(measured, ["a-good", "m-good", "z-good"].map(|n| format!("demo/{n}/default/latency")));
    assert_eq!(record.failed.len(), BROKEN.len());
    for (name, word, says) in BROKEN {
        let id = format!("demo/{name}/default/latency");
        assert!(ran.row(&id).ends_with(word), "{}", ran.row(&id));
        // The block of the case: from its id to the empty line.
        let block = ran.out.split("\n\n").find(|b| b.trim_start().starts_with(&id)).expect("a block");
        for text in says {
            assert!(block.contains(text), "no {text:?} in {block}");
        }
        let failure = &record.failed[&id];
        assert!(block.contains(&failure.message), "{failure}");
        if failure.kind.word() == "build failed" {
            assert!(failure.message.contains(&format!("models/broken/{name}.onnx")), "{failure}");
        }
    }
    s.check_nothing_half_written(".");
}

#[test]
fn a_failed_case_is_a_message_too() {
    let s = Sandbox::new();
    s.copy("broken/cycle.onnx", "cycle.onnx");
    let (ran, messages) = s.run_json(".", &["run", "cycle.onnx"]);
    assert_eq!(ran.code, Some(101));
    let failed = with(&messages, "case-failed");
    assert_eq!((failed.len(), failed[0]["kind"].as_str()), (2, Some("build")), "{ran}");
    assert!(failed[0]["message"].as_str().is_some_and(|m| m.contains("first_node")));
    let last = messages.last().unwrap();
    assert_eq!((&last["failed"], &last["exit_code"]), (&2.into(), &101.into()), "{last}");
}

/// Cuts off `bytes` at every place, and flips a bit at every place, in steps.
fn damaged(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).step_by(step).flat_map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        [bytes[..at].to_vec(), flipped]
    })
}

#[test]
fn no_damage_to_a_model_ends_the_session() {
    let s = Sandbox::new();
    let whole = fs::read(sample("types.onnx")).unwrap();
    let mut files = Vec::new();
    for (i, bytes) in damaged(&whole, 61).enumerate() {
        files.push(format!("damaged{i}.onnx"));
        s.write(&files[i], bytes);
    }
    s.copy("mlp.onnx", "mlp.onnx");
    files.push("mlp.onnx".into());
    let mut args = vec!["run"];
    args.extend(files.iter().map(String::as_str));
    args.extend(["--processes", "1", "--warm-up", "0ms", "--measure", "1ms", "--scenario", "latency"]);
    args.extend(["--shape", "scale:scalar", "--time-limit", "20s"]);
    // The shape is no input of the MLP, which has none called that; so it is left to fail, and the last case to come.
    let ran = s.run(".", &args);
    ran.says(101, &["`scale`, which is no input"]);
    let record = s.record("target");
    assert_eq!(record.cases.len() + record.failed.len(), files.len());
    let cut: Vec<String> =
        (0..files.len() - 1).step_by(2).map(|i| format!("files/damaged{i}/default/latency")).collect();
    for id in cut {
        assert!(record.failed.contains_key(&id), "a model that is cut off cannot be measured: {id}");
    }
    for (id, failure) in &record.failed {
        assert!(!failure.message.is_empty(), "{id}");
    }
}

fn only_engine(s: &Sandbox) -> PathBuf {
    let mut engines = files_below(&s.work_folder("target").join("engines"));
    assert_eq!(engines.len(), 1, "{engines:?}");
    engines.remove(0)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_engine_that_was_changed_is_built_again() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    let cached = || {
        let (ran, messages) = s.run_json(".", &[&["run", "mlp.onnx"], &QUICK_ARGS[..]].concat());
        ran.says(0, &[]);
        with(&messages, "engine")[0]["cached"] == true
    };
    assert!(!cached());
    let (engine, whole) = (only_engine(&s), fs::read(only_engine(&s)).unwrap());
    assert!(cached());
    let damages: [(&str, &dyn Fn()); 5] = [
        ("a bit of the magic", &|| flip(&engine, 0)),
        ("a bit of the header", &|| flip(&engine, 100)),
        ("a bit of the payload", &|| flip(&engine, whole.len() - 100)),
        ("cut off", &|| fs::write(&engine, &whole[..whole.len() / 2]).unwrap()),
        ("empty", &|| fs::write(&engine, "").unwrap()),
    ];
    for (what, damage) in damages {
        damage();
        assert!(!cached(), "{what}: must not be trusted");
        assert!(cached(), "{what}: mended");
        trt_perf::engine::read(&only_engine(&s)).expect("a whole engine");
    }
}

#[test]
fn an_engine_that_is_swapped_after_the_build_is_refused() {
    let s = Sandbox::package(
        &(model("first", "mlp.onnx")
            + "measure = \"60s\"\n"
            + &model("second", "half.onnx")
            + "shapes = { x = [1, 16] }\n"),
    );
    s.copy("mlp.onnx", "mlp.onnx");
    s.copy("half.onnx", "half.onnx");
    let mut running = s.start(".", &["run", "--message-format", "json"]);
    // All engines are built before the first case is measured; the second is swapped while that goes on.
    let messages = running.messages_until(crate::support::measuring("demo/first/default/latency"));
    let engine = |id: &str| {
        let found = with(&messages, "engine").into_iter().find(|m| m["case"] == id).expect("an engine");
        PathBuf::from(found["engine"].as_str().expect("a path"))
    };
    fs::copy(engine("demo/first/default/latency"), engine("demo/second/default/latency")).unwrap();
    crate::support::kill("KILL", &running.worker().to_string());
    let ran = running.finish();
    ran.says(
        101,
        &["is not the one that was built for this run", "do not change engine files while it runs"],
    );
}

/// A record that the program wrote, as text.
fn some_record() -> (Sandbox, PathBuf, String) {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline"]).says(0, &["baseline: baselines/cpu-"]);
    let path = s.baselines(".").remove(0);
    let text = fs::read_to_string(&path).unwrap();
    (s, path, text)
}

#[test]
fn damaged_records_are_named_and_skipped() {
    let (s, path, text) = some_record();
    let damages: [(&str, Vec<u8>, &str, &str); 7] = [
        ("cut.json", text[..text.len() / 2].into(), "is cut off", "next: restore it from git, or delete it"),
        ("empty.json", vec![], "is cut off", "next: restore it from git"),
        (
            "future.json",
            text.replace("record@1", "record@2").into(),
            "was written by a newer version of this tool (record@2; this one reads record@1)",
            "next: update it: cargo install cargo-trt-perf",
        ),
        (
            "other.json",
            b"{\"a\": 1}".into(),
            "is not a record of cargo trt-perf",
            "next: name a file of baselines/",
        ),
        ("text.json", b"hello".into(), "is not JSON", "next: restore it from git"),
        ("bytes.json", vec![0xff, 0xfe, 0], "is not text, so it is no record", ""),
        (
            "edited.json",
            text.replace("\"steady\":", "\"steady\" :").into(),
            "was changed after it was written",
            "records are never edited",
        ),
    ];
    for (name, bytes, says, next) in &damages {
        s.write(name, bytes);
        let named = s.path(name).display().to_string();
        s.run(".", &["baseline", "show", &named]).says(2, &[&named, says, next]);
        s.run(".", &["compare", "HEAD", name]).says(2, &[name, says, next]);
        s.run(".", &["compare", name, "HEAD"]).says(2, &[name, says, next]);
    }
    // The same files among the baselines, by names like those of records.
    let folder = path.parent().unwrap();
    let mut files = Vec::new();
    for (i, (_, bytes, ..)) in damages.iter().enumerate() {
        files.push(folder.join(format!("20261122-00000000000{i}-0000000{i}.json")));
        fs::write(&files[i], bytes).unwrap();
    }
    let ran = s.run(".", &["run"]);
    ran.says(0, &["change: ", "base: ", ", this commit"]);
    for (file, (_, bytes, says, _)) in files.iter().zip(&damages) {
        ran.says(0, &[&format!("note: skipped: {} {says}", file.display())]);
        assert_eq!(&fs::read(file).unwrap(), bytes, "left as it was");
    }
    s.run(".", &["baseline", "list"]).says(0, &["00000000"]);
    s.run(".", &["baseline", "prune", "--keep", "0"]).says(0, &["0 records deleted"]);
    assert!(files.iter().all(|f| f.exists()), "what cannot be read is never deleted");
}

#[test]
fn a_model_that_git_lfs_has_not_fetched_is_told_with_the_command_that_does() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 5\n";
    s.write("mlp.onnx", pointer);
    let says = ["mlp.onnx is a pointer of Git LFS, and not the model itself", "next: fetch it: git lfs pull"];
    for args in [&["run"][..], &["build"], &["run", "mlp.onnx"]] {
        let ran = s.run(".", args);
        ran.says(ran.code.unwrap_or(0), &says);
        assert_ne!(ran.code, Some(0), "{ran}");
    }
}
