//! What is stored, listed and put side by side: `baseline list`, `run --list`, `compare` of several records,
//! and reports as markdown.

use crate::support::xml::Element;
use crate::support::{Sandbox, model, with};
use std::fs;
use trt_perf::baseline::{self, Store, load};
use trt_perf::record::Record;

const SAVE: [&str; 2] = ["run", "--save-baseline"];

/// A history with three baselines, oldest first: of both cases, of one, of the other.
fn three_baselines() -> (Sandbox, Vec<std::path::PathBuf>) {
    let s = Sandbox::package(&(model("a", "mlp.onnx") + &model("b", "mlp.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    for filter in [&[][..], &["demo/a"], &["demo/b"]] {
        s.run(".", &[&SAVE, filter].concat()).says(0, &[]);
    }
    let files = s.baselines(".");
    assert_eq!(files.len(), 3);
    (s, files)
}

#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let (s, _) = three_baselines();
    for words in [
        &["baseline", "list"][..],
        &["export", "csv"],
        &["compare", "HEAD", "HEAD", "--message-format", "json"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut command = s.command(".", words);
        command.stdout(full).stderr(std::process::Stdio::piped());
        let ran = command.spawn().and_then(std::process::Child::wait_with_output).expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(101), "{words:?}: {said}");
        assert!(said.contains("standard output") && said.contains("No space left"), "{words:?}: {said}");
    }
}

#[test]
fn list_and_show_say_what_is_there() {
    let (s, files) = three_baselines();
    let head = s.git(".", &["rev-parse", "--short=12", "HEAD"]);
    let listed = s.run(".", &["baseline", "list"]);
    listed.says(0, &[&head]);
    assert!(listed.out.trim_start().starts_with("id "), "a header: {listed}");
    let ids: Vec<&str> = listed.out.lines().skip(1).map(|l| l.split_whitespace().next().unwrap()).collect();
    let newest_first: Vec<Record> = files.iter().rev().map(|f| load(f).unwrap()).collect();
    assert_eq!(ids, newest_first.iter().map(|r| &r.id[..8]).collect::<Vec<_>>());
    let key = newest_first[0].device.key.as_str();
    listed.says(0, &["time (UTC)", &trt_perf::record::minute(newest_first[0].created_s)]);
    assert_eq!(s.run(".", &["baseline", "list", "--device", key]).out, listed.out);
    let messages = s.run_json(".", &["baseline", "list"]).1;
    let stored: Vec<_> =
        messages.iter().map(|m| (m["id"].as_str(), m["cases"].as_array().map(Vec::len))).collect();
    let expected: Vec<_> = newest_first.iter().map(|r| (Some(r.id.as_str()), Some(r.cases.len()))).collect();
    assert_eq!(stored, expected);
    // A copy or a clone writes files in any order; what counts is when the records were made.
    let spread = |i: i64| {
        let mut record = Record {
            created_s: newest_first[0].created_s - newest_first[0].created_s % 86_400 + i,
            ..newest_first[0].clone()
        };
        Store::new(s.path("copies")).save(&mut record).expect("saved");
        record.id[..8].to_owned()
    };
    let by_time: Vec<String> = [3, 1, 2].map(spread).to_vec();
    let listed: Vec<String> = baseline::newest_first(Store::new(s.path("copies")).list().expect("listed"))
        .map(|e| e.record8)
        .collect();
    assert_eq!(listed, [&by_time[0], &by_time[2], &by_time[1]].map(Clone::clone));
    s.run(".", &["baseline", "list", "--device", "gpu-none"])
        .says(0, &["no baselines of the device gpu-none in", key]);
    s.run(".", &["baseline", "list", "--device", &format!("{key}x")])
        .says(0, &[&format!("did you mean {key}?")]);
    let typo = format!(
        "{}{}",
        &newest_first[0].id[..7],
        if newest_first[0].id.as_bytes()[7] == b'0' { "1" } else { "0" }
    );
    s.run(".", &["baseline", "show", &typo])
        .says(4, &[&format!("did you mean the record {}?", &newest_first[0].id[..8])]);
    // By id, by file name, by path, by revision: the newest of the commit.
    let newest = &newest_first[0];
    let file_name = files[2].file_name().unwrap().to_str().unwrap();
    let path = files[2].display().to_string();
    for name in [
        &newest.id,
        &newest.id[..8],
        file_name,
        file_name.trim_end_matches(".json"),
        &path,
        "HEAD",
        "main",
        &head,
    ] {
        let ran = s.run(".", &["baseline", "show", name]);
        ran.says(0, &[&format!("record {} of {head}", newest.id), key, "demo/b/default/latency"]);
        ran.silent_on(&["demo/a/"]);
    }
    s.run(".", &["baseline", "show", "nowhere"])
        .says(4, &["`nowhere` is no record file and no record id", "next: "]);
    s.run(".", &["baseline", "show", "gone/r.json"]).says(4, &["there is no file `gone/r.json`", "next: "]);
    s.run(".", &["baseline", "show", "0123456789abcdef"]).says(4, &["0123456789abcdef"]);
}

#[test]
fn the_list_of_cases_is_there_for_machines_too() {
    let s = Sandbox::package(&(model("mlp", "mlp.onnx") + "max-latency = \"5ms\"\nbatches = [1, 4]\n"));
    s.copy("mlp.onnx", "mlp.onnx");
    let (ran, messages) = s.run_json(".", &["run", "--list"]);
    let listed = with(&messages, "case-listed");
    assert_eq!(listed.len(), 2, "{ran}");
    let one = listed[1];
    assert_eq!(
        (&one["backend"], &one["scenario"], &one["batch"]),
        (&"cpu".into(), &"latency".into(), &4.into())
    );
    assert_eq!((&one["budget"]["max_ns"], &one["processes"]), (&5_000_000.into(), &2.into()));
    let (ran, messages) =
        s.run_json(".", &["discover", "--list", "--grid", "streams=1,2", "--grid", "threads=1", "mlp/b4"]);
    let streams: Vec<_> = with(&messages, "case-listed").iter().map(|m| m["streams"].as_u64()).collect();
    assert_eq!(streams, [Some(1), Some(2)], "{ran}");
    assert!(!s.path("target").exists(), "nothing was measured");
}

#[test]
fn several_records_stand_side_by_side_without_verdicts() {
    let (s, files) = three_baselines();
    let ids: Vec<String> = files.iter().map(|f| load(f).expect("a record").id).collect();
    let args = ["compare", &ids[0], &ids[1], &ids[2]];
    let ran = s.run(".", &args);
    ran.says(0, &["demo/a/default/latency", "1.00  ", "–"]).silent_on(&["regressed", "inconclusive"]);
    assert!(ran.out.contains(&format!("{}: ", ids[2])), "{ran}");
    let (ran, messages) = s.run_json(".", &args);
    let rows = with(&messages, "several");
    assert_eq!(rows.len(), 2, "{ran}");
    for (row, missing) in rows.iter().zip([2, 1]) {
        let cells = row["records"].as_array().expect("a cell for each");
        assert_eq!(cells.iter().map(|c| c["record"].as_str().expect("an id")).collect::<Vec<_>>(), ids);
        assert!(cells.iter().any(|c| c["ratio"] == 1.0) && cells[missing]["value"].is_null(), "{row}");
    }
    s.run(".", &[&args[..], &["--strict"]].concat()).says(2, &["--strict"]);
}

#[test]
fn a_run_and_a_comparison_are_markdown_too() {
    let s = Sandbox::committed_mlp();
    s.run(".", &[&SAVE[..], &["--markdown", "run.md", "--junit", "run.xml"]].concat()).says(0, &[]);
    let tests = Element::document(&fs::read_to_string(s.path("run.xml")).expect("JUnit XML"));
    assert_eq!((&*tests.attributes["tests"], &*tests.attributes["failures"]), ("1", "0"));
    assert_eq!(tests.children[0].named("testcase")[0].attributes["classname"], "demo/mlp");
    let text = fs::read_to_string(s.path("run.md")).expect("a report");
    assert!(
        text.starts_with("## Inference performance: 1 case measured")
            && text.contains("| demo/mlp/default/latency |"),
        "{text}"
    );
    let ran = s.run(".", &["run", "--markdown", "run.md"]);
    ran.says(0, &["change:"]);
    s.run(".", &["compare", "HEAD", "HEAD", "--markdown", "c.md", "--junit", "c.xml"]).says(0, &[]);
    let tests = Element::document(&fs::read_to_string(s.path("c.xml")).expect("JUnit XML"));
    assert_eq!((&*tests.attributes["tests"], &*tests.attributes["errors"]), ("1", "0"));
    for file in ["run.md", "c.md"] {
        let text = fs::read_to_string(s.path(file)).expect("a report");
        let table: Vec<&str> = text.lines().filter(|l| l.starts_with('|')).collect();
        let columns = |line: &str| line.matches('|').count();
        assert!(table.len() >= 3 && table.iter().all(|l| columns(l) == columns(table[0])), "{text}");
    }
    s.run(".", &["compare", "HEAD", "HEAD", "--markdown", "mlp.onnx/c.md"])
        .says(101, &["cannot create the folder"]);
}

#[test]
fn files_that_are_asked_for_get_their_folders_and_are_there_before_the_last_message() {
    let s = Sandbox::committed_mlp();
    let files =
        ["--markdown", "a/run.md", "--junit", "b/c/run.xml", "--html", "d/run.html", "--result", "e/r.json"];
    s.run_json(".", &[&["run"], &files[..]].concat()).0.says(0, &["session-finished"]);
    for file in files.iter().skip(1).step_by(2) {
        assert!(s.path(file).is_file(), "{file}");
    }
    s.run(".", &["compare", "e/r.json", "e/r.json", "--markdown", "f/c.md", "--junit", "g/c.xml"])
        .says(0, &[]);
    assert!(s.path("f/c.md").is_file() && s.path("g/c.xml").is_file());
    let merged = ["merge", "e/r.json", "--json", "h/m.jsonl", "--result", "i/m.json"];
    s.run(".", &merged).says(0, &["record:"]);
    assert!(s.path("h/m.jsonl").is_file() && s.path("i/m.json").is_file());
    // A check of the same engine measures nothing.
    let files =
        ["--markdown", "k/a.md", "--junit", "k/l/a.xml", "--json", "m/a.jsonl", "--result", "n/a.json"];
    let check = ["check", "--base-config", "seed=0", "--head-config", "seed=0"];
    s.run(".", &[&check[..], &files[..]].concat()).says(0, &["same engine"]);
    for file in files.iter().skip(1).step_by(2) {
        assert!(s.path(file).is_file(), "{file}");
    }
}

#[test]
fn a_named_baseline_is_compared_with_when_it_is_named_and_never_otherwise() {
    let s = Sandbox::committed_mlp();
    s.write("src/lib.rs", "// changes beside the commit are no matter for a name");
    s.run(".", &["run", "--save-baseline=mine"]).says(0, &["/named/mine.json"]);
    let of = |name: &str| {
        let messages = s.run_json(".", &["baseline", "list"]).1;
        let listed = with(&messages, "baseline-stored");
        listed.iter().find(|m| m["name"] == name).expect("listed")["id"].clone()
    };
    let first = of("mine");
    s.run(".", &["run"]).says(0, &["nothing to compare with: no baseline of this commit"]);
    s.run(".", &["run", "--baseline", "mine"]).says(0, &["change: ", ", as named"]);
    let (ran, messages) = s.run_json(".", &["run", "--baseline", "mine"]);
    let base = &with(&messages, "case-finished")[0]["comparison"]["base"];
    assert!(
        base["steps"].is_null() && base["path"].as_str().is_some_and(|p| p.ends_with("mine.json")),
        "{ran}"
    );
    s.run(".", &["run", "--save-baseline=other"]).says(0, &["/named/other.json"]);
    s.run(".", &["compare", "mine", "other"]).says(0, &["demo/mlp/default/latency"]);
    // Listed with its name, and neither pruned nor part of the history.
    s.run(".", &["baseline", "list"]).says(0, &["name", "mine", "other"]);
    s.run(".", &["baseline", "prune", "--keep", "0"]).says(0, &["0 records deleted"]);
    // The same name again takes the place.
    s.run(".", &["run", "--save-baseline=mine"]).says(0, &["/named/mine.json"]);
    assert_ne!(of("mine"), first);
    let names = with(&s.run_json(".", &["baseline", "list"]).1, "baseline-stored")
        .iter()
        .map(|m| m["name"].clone())
        .collect::<Vec<_>>();
    assert_eq!(names, ["mine", "other"]);
    s.run(".", &["run", "--save-baseline=../x"]).says(2, &["cannot be the name of a baseline"]);
    // Whoever names a record asks for a comparison: where there is none, that is said, also with --quiet.
    s.run(".", &["run", "--baseline", "mine", "--quiet", "--scenario", "throughput"])
        .says(4, &["no case compares with --baseline mine: ", "next: see what it holds"]);
    s.run(".", &["run", "--baseline", "mine", "--config", "seed=18446744073709551615"])
        .says(4, &["no case compares with --baseline mine: "]);
    s.run(".", &["run", "--baseline", "othr"])
        .says(4, &["`othr` is no record file", "did you mean the record other?"]);
    s.run(".", &["discover", "--save-baseline=x", "--max-latency", "1s"])
        .says(2, &["say --save-baseline alone"]);
}

#[test]
fn a_result_may_be_far_larger_than_what_is_committed() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run"]).says(0, &[]);
    let mut record = s.record("target");
    let case = record.cases.values().next().expect("a case").clone();
    record.cases = (0..400).map(|i| (format!("demo/m{i}/default/latency"), case.clone())).collect();
    let path = Store::results(s.path("target/trt-perf/results")).save(&mut record).expect("a result");
    assert!(fs::metadata(&path).expect("a file").len() > 256 << 10, "{}", path.display());
    let shown = [&record.id, "HEAD", &path.display().to_string()];
    for name in shown {
        s.run(".", &["baseline", "show", name]).says(0, &["demo/m399/default/latency"]);
    }
    let large = "the largest that may be stored has 262144";
    for name in shown {
        s.run(".", &["baseline", "save", name]).says(2, &[large, "next: measure fewer cases"]);
    }
    let baselines = Store::new(s.path("baselines"));
    let refused = baselines.save_named(&mut record, "large").expect_err("too large");
    assert!(refused.message.contains(large), "{refused}");
    // As if somebody had committed it.
    let key = &record.device.key;
    s.write(format!("baselines/{key}/{}", path.file_name().unwrap().display()), fs::read(&path).unwrap());
    let listed = baselines.list().expect("listed");
    let refused = listed[0].load().expect_err("too large");
    assert!(refused.message.contains("has more than 262144 bytes"), "{refused}");
}
