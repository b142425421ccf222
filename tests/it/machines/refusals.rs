//! What does not belong together, is missing or is broken gets no verdict.

use super::Shared;
use std::fs;

#[test]
fn what_is_not_of_one_check_gets_no_verdict() {
    let s = Shared::new();
    let part = |machine: &str, partition: &str, more: &[&str]| {
        let args = [&["--skip", "broken", "--partition", partition, "--pairs", "3"], more].concat();
        let ran = s.check(machine, &args);
        assert!(matches!(ran.code, Some(0 | 4 | 100)), "{ran}");
        s.result(machine)
    };
    let one = part("1", "count:1/3", &[]);
    let two = part("2", "count:2/3", &[]);
    let merge = |files: &[&str]| s.run("m", &[&["merge"], files].concat());
    merge(&[&one, &two, &two])
        .says(4, &["missing: count:3/3", "no verdict is given on a part"])
        .silent_on(&["regressed"]);
    merge(&[&one, "gone.json"]).says(4, &["a part is missing: there is no gone.json", "next: "]);
    let run = s.0.run("repo", &["run", "weak", "--result", "run.json"]);
    run.says(0, &[]);
    let run = s.0.path("repo/run.json").display().to_string();
    merge(&[&run, &one]).says(2, &["is the result of a check, and", "run.json the record of a run"]);
    // Measured again, it has other numbers.
    let again = part("2b", "count:2/3", &["--order-seed", "8"]);
    let three = part("3", "count:3/3", &[]);
    merge(&[&one, &two, &three, &again]).says(4, &["disagree about project/", "measured once"]);
    let other = part("4", "count:3/3", &["--alpha", "0.01"]);
    merge(&[&one, &two, &other]).says(4, &["are not of one check: --alpha 0.05 against 0.01"]);
    let fewer = part("5", "count:3/3", &["--skip", "same"]);
    merge(&[&one, &two, &fewer]).says(4, &["not of one selection", "select the same cases"]);
    let folder = s.0.path("results").display().to_string();
    merge(&[&folder]).says(4, &["are not of one check"]);
    s.0.commit("repo", "third");
    let later = s.check("6", &["--skip", "broken", "--partition", "count:3/3", "--base", "HEAD~2"]);
    assert!(later.code.is_some(), "{later}");
    merge(&[&one, &two, &s.result("6")]).says(4, &["are not of one check: head "]);
}

#[test]
fn a_broken_or_hostile_result_is_refused_with_its_name_and_the_reason() {
    let s = Shared::new();
    s.check("a", &["weak", "--pairs", "3"]);
    let text = fs::read_to_string(s.result("a")).expect("a result");
    let merge = |text: &str| {
        s.0.write("bad/bad.json", text);
        s.run("m", &["merge", s.0.path("bad/bad.json").to_str().expect("UTF-8")])
    };
    // Whoever means harm also makes the id fit: what is said has to make sense all the same.
    let forged = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let evidence: serde_json::Value = serde_json::from_str(&text.replace(from, to)).expect("JSON");
        let kind = trt_perf::record::wire::document::EVIDENCE;
        merge(&trt_perf::record::wire::document::write(&kind, &evidence).0)
    };
    merge(&text.replace("\"alpha\":0.05", "\"alpha\":0.01")).says(2, &["was changed after it was written"]);
    merge(&text.replace("evidence@1", "evidence@2")).says(2, &["newer version", "evidence@2"]);
    merge(&text[..text.len() / 2]).says(2, &["bad.json"]);
    let commit = s.0.git("repo", &["rev-parse", "HEAD"]);
    forged(&commit, "../../../../tmp/evil").says(2, &["is no commit"]);
    forged("\"alpha\":0.05", "\"alpha\":7").says(2, &["alpha is 7"]);
    forged("\"value_frac\":0.01", "\"value_frac\":-3").says(2, &["-3 is no margin"]);
    forged("project/weak/default/latency", "x\\u001b]0;title\\u0007\\n::error::y")
        .silent_on(&["\u{1b}", "\n::error::y"]);
    s.0.write("bad/bad.json", "{}");
    s.0.write("bad/more/notes.json", "[1, 2]");
    let folder = s.0.path("bad").display().to_string();
    s.run("m", &["merge", &folder]).says(4, &["no result of a check or a run is in", "next: write them"]);
}

#[test]
fn what_else_lies_in_a_folder_is_left_alone_and_a_file_that_is_named_is_not() {
    let s = Shared::new();
    s.check("a", &["weak", "--pairs", "3"]);
    s.0.write("results/notes.json", [0xff, 0xfe]);
    let large = fs::File::create(s.0.path("results/large.json")).expect("a file");
    large.set_len(65 << 20).expect("a sparse file");
    let merge = |name: &str| s.run("m", &["merge", s.0.path(name).to_str().expect("UTF-8")]);
    let merged = merge("results");
    assert!(matches!(merged.code, Some(0 | 100)), "{merged}");
    for said in ["notes.json is not text", "large.json has more than"] {
        assert!(
            merged.err.contains(&format!("skipped: {}/{said}", s.0.path("results").display())),
            "{merged}"
        );
    }
    merge("results/notes.json").says(2, &["is not text"]);
    merge("results/large.json").says(2, &["has more than"]);
}
