//! `backfill` and `bisect` in real repositories: which commits are measured, what is kept, and which one is found.

use crate::support::{Sandbox, measuring, with};
use serde_json::Value;
use std::fs;

const SETTINGS: &str = "processes = 2\nwarm-up = \"5ms\"\nmeasure = \"30ms\"\nscenarios = [\"latency\"]\n[[model]]\nname = \"m\"\n";
const ID: &str = "project/m/default/latency";

/// A repository with one commit without models.
fn repository() -> (Sandbox, String) {
    let s = Sandbox::with_repo();
    s.write("repo/README", "");
    let root = s.commit("repo", "nothing yet");
    (s, root)
}

/// A program whose requests take so many nanoseconds and a little more, which differs from process to process. Without
/// a `commit` of its own in it, git would have nothing to commit.
fn program(s: &Sandbox, ns: u32, commit: usize) {
    let script = format!(
        "# {commit}\nexec awk -v pid=$$ 'BEGIN {{ for (i = 0; i < 1200; i++) print {ns} + (pid % 11) * 3 + (i % 7) * 40 }}'\n"
    );
    s.write("repo/infer.sh", script);
    s.write("repo/trt-perf.toml", format!("{SETTINGS}run = [\"sh\", \"infer.sh\"]\nbackend = \"command\"\n"));
}

/// A sample model that is another file in each commit and computes the same: a text for people is added at its end.
fn model(s: &Sandbox, name: &str, commit: u8) {
    s.copy(name, "repo/model.onnx");
    let path = s.path("repo/model.onnx");
    let mut bytes = fs::read(&path).expect("a model");
    // Field 6 of a ModelProto, a text of one byte.
    bytes.extend([0x32, 1, b'a' + commit]);
    fs::write(&path, bytes).expect("written");
    s.write("repo/trt-perf.toml", format!("{SETTINGS}path = \"model.onnx\"\n"));
}

fn finished<'a>(messages: &'a [Value], reason: &str) -> &'a Value {
    with(messages, reason).pop().unwrap_or_else(|| panic!("no {reason} in {messages:#?}"))
}

#[test]
fn bisect_finds_five_percent_in_sixteen_commits_with_half_of_the_measurements() {
    let (s, _) = repository();
    let commits: Vec<String> = (0..16)
        .map(|at| {
            program(&s, if at < 11 { 20_000 } else { 21_000 }, at);
            match at {
                // The one in the middle fails when it is run, and a later one cannot be read.
                7 => s.write("repo/infer.sh", "echo no weights >&2; exit 3"),
                12 => s.write("repo/trt-perf.toml", "[[model]"),
                _ => {}
            }
            s.commit("repo", &format!("commit {at}"))
        })
        .collect();
    let (ran, messages) = s.run_json("repo", &["bisect", ID, &commits[0], "HEAD"]);
    ran.says(0, &[]);
    let told = finished(&messages, "bisected");
    assert_eq!(
        (&told["answer"], &told["bad"]["id"]),
        (&"found".into(), &commits[11].as_str().into()),
        "{told:#}"
    );
    assert_eq!(
        (&told["good"]["id"], &told["bad"]["subject"]),
        (&commits[10].as_str().into(), &"commit 11".into())
    );
    assert_eq!(told["several"], false, "{told:#}");
    let change = &told["comparison"]["metrics"][0]["change"]["est"];
    assert!((change.as_f64().expect("a change") - 0.05).abs() < 0.005, "{told:#}");
    let number = |key: &str| told[key].as_u64().expect("a number");
    assert!(2 * number("processes") <= number("all_would_take"), "{told:#}");
    let over: Vec<&Value> =
        told["steps"].as_array().expect("steps").iter().filter(|step| step["bad"].is_null()).collect();
    assert!(
        over.iter().any(|step| step["found"].as_str().is_some_and(|f| f.contains("no weights"))),
        "{over:#?}"
    );
    assert_eq!(s.git("repo", &["status", "--short"]), "", "the checkout is not touched");

    let shown = s.run("repo", &["history", ID]);
    shown.says(
        0,
        &["4 records", "found by bisect: mean +", &format!("Found by bisect: {}", &commits[11][..12])],
    );
    let told = s.run_json("repo", &["history", ID]).1;
    assert_eq!(finished(&told, "history")["found"][0]["commit"]["id"], commits[11].as_str());

    // The oldest commit with a record is the good end where nobody names one.
    let again = s.run("repo", &["bisect", ID]);
    again.says(0, &["found: ", "commit 11", "  good  ", "commit 0", "a check of each of the 15 commits"]);
}

#[test]
fn bisect_finds_the_model_that_is_slower_on_the_cpu() {
    let (s, _) = repository();
    let commits: Vec<String> = (0..16)
        .map(|at| {
            model(&s, if at < 5 { "mlp.onnx" } else { "mlp_slow.onnx" }, at);
            s.commit("repo", &format!("commit {at}"))
        })
        .collect();
    let ran = s.run("repo", &["bisect", ID, &commits[0]]);
    ran.says(0, &["found: ", "commit 5", "regressed: ", "what changed: the model"]);
    s.write("repo/notes", "no model");
    let last = s.commit("repo", "no model");
    s.run("repo", &["bisect", ID, &commits[15], &last])
        .says(4, &["both ends have the same engine", "no change between the ends"]);
    s.run("repo", &["bisect", ID, &commits[4], &last]).says(0, &["found: ", "commit 5"]);
}

#[test]
fn what_cannot_be_searched_is_said_before_anything_is_measured() {
    let (s, root) = repository();
    model(&s, "mlp.onnx", 0);
    let first = s.commit("repo", "first");
    s.write("repo/notes", "");
    s.commit("repo", "second");
    for (args, code, says) in [
        (&["bisect", "nothing-like-it", "HEAD~1"][..], 4, "no case"),
        (&["bisect", ID], 2, "has a record of project/m/default/latency"),
        (&["bisect", ID, "HEAD"], 2, "both ends are"),
        (&["bisect", ID, "HEAD", &first], 2, "is no ancestor of"),
        (&["bisect", ID, "nowhere"], 2, "nowhere"),
        (&["bisect", ID, &root], 4, "the good end"),
        (&["bisect", ID, &first, "--alpha", "0.2"], 2, "use --alpha 0.05 or 0.01"),
        (&["backfill", "HEAD"], 2, "is no range of commits"),
        (&["backfill", "HEAD..HEAD~1"], 4, "there is no commit in HEAD..HEAD~1"),
        (&["backfill", "HEAD...HEAD~1"], 2, "is no range of commits"),
        (&["backfill", "nowhere..HEAD"], 2, "nowhere"),
    ] {
        s.run("repo", args).says(code, &[says]);
    }
    s.write(
        "repo/trt-perf.toml",
        SETTINGS.replace("[\"latency\"]", "[\"latency\", \"throughput\"]") + "path = \"model.onnx\"\n",
    );
    s.run("repo", &["bisect", "m", &first]).says(2, &["2 cases match `m`", "next: name one of them"]);
    let bare = Sandbox::new();
    bare.copy("mlp.onnx", "mlp.onnx");
    bare.run(".", &["backfill", "a..b", "mlp.onnx"]).says(2, &["is in no git repository, so it has no past"]);
}

/// Six commits after the first: one before there is a configuration, one whose model is none, and one that asks something
/// else.
fn past() -> (Sandbox, String, Vec<String>) {
    let (s, root) = repository();
    let commits = (0..6)
        .map(|at| {
            model(&s, "mlp.onnx", at);
            match at {
                0 => fs::remove_file(s.path("repo/trt-perf.toml")).expect("it was there"),
                2 => s.write("repo/model.onnx", "this is no model"),
                3 => s.edit("repo/trt-perf.toml", "[[model]]", "seed = 7\n[[model]]"),
                _ => {}
            }
            s.commit("repo", &format!("commit {at}"))
        })
        .collect();
    (s, root, commits)
}

#[test]
fn backfill_records_each_commit_and_lists_what_cannot_be_built() {
    let (s, root, commits) = past();
    let range = format!("{root}..");
    let (ran, messages) = s.run_json("repo", &["backfill", &range, "--save-baseline"]);
    ran.says(0, &["6 commits, newest first", "commits asked something else (seed"]);
    let told = finished(&messages, "backfilled");
    assert_eq!((&told["measured"], &told["skipped"]), (&5.into(), &1.into()), "{told:#}");
    assert_eq!(told["commits"][0]["commit"]["id"], commits[5].as_str(), "newest first");
    let skipped = &told["commits"][3];
    assert_eq!(
        (&skipped["done"], &skipped["commit"]["id"]),
        (&"skipped".into(), &commits[2].as_str().into())
    );
    assert!(skipped["why"].as_str().is_some_and(|why| why.contains("model.onnx")), "{skipped}");
    let records: Vec<_> =
        s.baselines("repo").iter().map(|path| trt_perf::baseline::load(path).expect("a record")).collect();
    assert_eq!((records.len(), told["baselines"].as_array().map(Vec::len)), (5, Some(5)));
    let definition = |r: &trt_perf::record::Record| r.cases[ID].definition_hash.clone();
    assert!(records.iter().all(|r| definition(r) == definition(&records[0])), "all were asked the same");
    assert!(records.iter().all(|r| r.source.as_ref().is_some_and(|source| !source.dirty)));

    let shown = s.run_json("repo", &["history", ID]).1;
    let points = finished(&shown, "history")["points"].clone();
    let points: Vec<&str> =
        points.as_array().expect("points").iter().filter_map(|p| p["commit"].as_str()).collect();
    let known: Vec<&str> = commits.iter().filter(|id| **id != commits[2]).map(String::as_str).collect();
    assert_eq!(points, known, "in commit order");

    let again = s.run("repo", &["backfill", &range]);
    again.says(0, &["0 measured, 5 recorded before, 1 skipped"]);
    // Other questions have no answer yet; every third commit is asked.
    let other = s.run("repo", &["backfill", &range, "--every", "3", "--config", "seed=9"]);
    other.says(
        0,
        &[
            "2 commits: 1 measured, 0 recorded before, 1 skipped",
            &format!("{} is skipped:", &commits[2][..12]),
        ],
    );
    let none = s.run("repo", &["backfill", &format!("{}..{}", commits[1], commits[2])]);
    none.says(101, &["1 commit: 0 measured, 0 recorded before, 1 skipped"]);
}

#[test]
fn a_stopped_backfill_keeps_what_is_complete_and_goes_on_there() {
    let (s, root, _) = past();
    let range = format!("{root}..HEAD");
    let mut running = s.start("repo", &["backfill", &range, "--message-format", "json"]);
    running.messages_until(|m| {
        m["reason"] == "note" && m["text"].as_str().is_some_and(|t| t.starts_with("1 of 6"))
    });
    running.messages_until(measuring(ID));
    running.signal("INT");
    let ran = running.finish();
    let told = ran.message("backfilled");
    assert_eq!(
        (ran.code, &told["interrupted"], &told["exit_code"]),
        (Some(130), &true.into(), &130.into()),
        "{ran}"
    );
    let kept = told["measured"].as_u64().expect("a number");
    assert!((1..5).contains(&kept), "{told:#}");
    let says = format!("{} measured, {kept} recorded before, 1 skipped", 5 - kept);
    s.run("repo", &["backfill", &range]).says(0, &[&says]);
}
