//! `backfill` and `bisect` in real repositories: which commits are measured, what is kept, and which one is found.

use crate::support::{QUICK, Ran, Sandbox, measuring, model as table, with};
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

#[test]
fn a_good_end_that_was_merged_is_refused_with_what_to_name_instead() {
    let (s, _) = repository();
    program(&s, 20_000, 0);
    let before = s.commit("repo", "before the branch");
    s.git("repo", &["checkout", "--quiet", "-b", "side"]);
    s.write("repo/notes", "of the branch");
    let side = s.commit("repo", "on the branch");
    s.git("repo", &["checkout", "--quiet", "main"]);
    program(&s, 24_000, 1);
    s.commit("repo", "slower, before the merge");
    s.git("repo", &["merge", "--quiet", "--no-ff", "--message", "the merge", "side"]);
    let merge = s.git("repo", &["rev-parse", "HEAD"]);
    program(&s, 24_000, 2);
    s.commit("repo", "last");
    let instead = format!("{} (the branch has it, too) or {} (the merge)", &before[..12], &merge[..12]);
    s.run("repo", &["bisect", ID, &side])
        .says(2, &[&format!("{} is on a branch that was merged", &side[..12]), &instead]);
    // Nor is it taken for the oldest commit with a record.
    s.run("repo", &["backfill", &format!("{before}..{side}")]).says(0, &["1 measured"]);
    s.run("repo", &["bisect", ID])
        .says(2, &["no commit before ", " has a record of project/m/default/latency"]);
    s.run("repo", &["bisect", ID, &before, "--pairs", "5"]).says(0, &["found: ", "slower, before the merge"]);
}

#[test]
fn what_the_search_found_is_an_answer_where_it_cannot_be_confirmed_or_kept() {
    let (s, _) = repository();
    let fails = "case \"$TRT_PERF_SAMPLES\" in */confirm/*) echo no weights >&2; exit 3;; esac\n";
    let commits: Vec<String> = [20_000, 24_000]
        .into_iter()
        .enumerate()
        .map(|(at, ns)| {
            program(&s, ns, at);
            let script = fs::read_to_string(s.path("repo/infer.sh")).expect("a script");
            s.write("repo/infer.sh", [fails, &script].concat());
            s.commit("repo", &format!("commit {at}"))
        })
        .collect();
    s.run("repo", &["bisect", ID, &commits[0], "--pairs", "5"]).says(
        102,
        &["cannot be confirmed", "no weights", "one of these commits made the change:", "commit 1"],
    );
    for ns in [28_000, 34_000] {
        program(&s, ns, 2);
        s.commit("repo", "without that fault");
    }
    // A file is where the folder of this device is to be.
    let results = s.path("repo/.trt-perf/results");
    let device = fs::read_dir(&results).expect("records").flatten().next().expect("of a device").file_name();
    fs::remove_dir_all(results.join(&device)).expect("removed");
    fs::write(results.join(&device), "").expect("a file");
    s.write("repo/.trt-perf/bisects/".to_owned() + &device.to_string_lossy(), "");
    s.run("repo", &["bisect", ID, "HEAD~1", "--pairs", "5"])
        .says(0, &["found: ", "without that fault", "cannot write the record ", "/.trt-perf/bisects/"]);
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

#[test]
fn commits_of_a_cargo_project_from_before_its_configuration_are_measured() {
    let s = Sandbox::with_repo();
    s.write("repo/README", "");
    let root = s.commit("repo", "nothing yet");
    s.add_package("repo", "demo", "[workspace]\n");
    s.copy("mlp.onnx", "repo/model.onnx");
    s.commit("repo", "a model, and no table");
    let tables = format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{}", table("m", "model.onnx"));
    s.add_package("repo", "demo", &tables);
    s.commit("repo", "configured");
    s.run("repo", &["backfill", &format!("{root}..")]).says(0, &["2 measured, 0 recorded before, 0 skipped"]);
}

#[test]
fn a_commit_is_recorded_where_one_case_has_a_record_and_another_cannot_be_built() {
    let (s, root) = repository();
    model(&s, "mlp.onnx", 0);
    // The SHA-256 is of a file that nobody has.
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 6\n", "0".repeat(64));
    s.write("repo/weights.bin", pointer);
    s.commit("repo", "one model");
    model(&s, "mlp.onnx", 1);
    let other = fs::read_to_string(s.path("repo/trt-perf.toml")).expect("a file")
        + "[[model]]\nname = \"broken\"\npath = \"broken.onnx\"\n";
    s.write("repo/trt-perf.toml", other);
    s.write("repo/broken.onnx", "this is no model");
    s.commit("repo", "and another one");
    let range = format!("{root}..");
    let first = s.run("repo", &["backfill", &range]);
    first.says(0, &["2 measured, 0 recorded before, 0 skipped"]);
    assert_eq!(first.err.matches("files in Git LFS that are not here").count(), 1, "{first}");
    let again = s.run("repo", &["backfill", &range, "--save-baseline"]);
    again.says(0, &["0 measured, 2 recorded before, 0 skipped", "project/broken/default/latency of "]);
    assert_eq!(s.baselines("repo").len(), 2, "{again}");
}

#[test]
fn backfill_leaves_no_engine_of_a_commit_behind() {
    let (s, root) = repository();
    let log = s.path("log");
    for commit in 0..3 {
        model(&s, "mlp.onnx", commit);
        let prepare =
            "prepare = [\"sh\", \"-c\", \"(echo prepared; ls ../engines) >>$LOG; true\"]\n[[model]]";
        s.edit("repo/trt-perf.toml", "[[model]]", prepare);
        s.commit("repo", "another model");
    }
    let mut command = s.command("repo", &["backfill", &format!("{root}..")]);
    command.env("LOG", &log);
    Ran::of(command).says(0, &["3 measured"]);
    assert_eq!(fs::read_to_string(&log).expect("a log"), "prepared\n".repeat(3));
}
