//! A file that cannot be written is an error, and costs neither the result nor the other files.

use super::command::{PRINTS, program};
use crate::support::Sandbox;

/// Nobody can make a folder there.
const NOWHERE: &str = "/proc/nosuch/report";

/// A repository whose program is slower than at its only commit.
fn slower() -> Sandbox {
    let s = program(r#"["sh", "infer.sh"]"#, "backend = \"command\"");
    s.write("repo/infer.sh", PRINTS);
    s.commit("repo", "first");
    s.write("repo/infer.sh", PRINTS.replace("20.", "22."));
    s
}

#[test]
fn a_report_that_cannot_be_written_hides_no_regression() {
    let s = slower();
    let files = [
        ["--markdown", NOWHERE, "--junit", "check.xml"],
        ["--junit", NOWHERE, "--html", "check.html"],
        ["--html", NOWHERE, "--json", "check.jsonl"],
        ["--json", NOWHERE, "--result", "check.json"],
        ["--result", NOWHERE, "--markdown", "check.md"],
    ];
    let check = ["check", "--base", "HEAD", "--pairs", "8"];
    let mut command = s.command("repo", &[&check[..], &files.concat()[..2], &files.concat()[6..8]].concat());
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", s.path("summary.md"));
    let ran = crate::support::Ran::of(command);
    ran.says(100, &["Performance has regressed", "::error", "error: cannot create the folder /proc/nosuch"]);
    let summary = std::fs::read_to_string(s.path("summary.md")).expect("a summary");
    assert!(summary.contains("regressed"), "{summary}");
    let result = s.path("repo/.trt-perf").join("evidence");
    let evidence = crate::support::files_below(&result).pop().expect("evidence").display().to_string();
    for [lost, nowhere, kept, to] in files.into_iter().filter(|files| !files.contains(&"--result")) {
        let words = ["rejudge", &evidence, lost, nowhere, kept, to, "--message-format", "json"];
        let ran = s.run("repo", &words);
        ran.says(100, &["error: cannot create the folder /proc/nosuch"]);
        assert_eq!(ran.message("check-finished")["exit_code"], 100, "{ran}");
        assert!(s.path("repo").join(to).is_file(), "{words:?}: {ran}");
    }
    let merged = ["merge", &evidence, "--result", NOWHERE, "--markdown", "check.md"];
    s.run("repo", &merged).says(100, &["Performance has regressed", "error: cannot create the folder"]);
    assert!(s.path("repo/check.md").is_file());
}

#[test]
fn a_file_about_a_run_that_cannot_be_written_costs_no_other() {
    let s = slower();
    let words =
        ["run", "--markdown", NOWHERE, "--junit", "run.xml", "--html", "run.html", "--message-format"];
    let ran = s.run("repo", &[&words[..], &["json"]].concat());
    ran.says(101, &["error: cannot create the folder /proc/nosuch"]);
    assert_eq!(ran.message("session-finished")["exit_code"], 101, "{ran}");
    assert!(s.path("repo/run.xml").is_file() && s.path("repo/run.html").is_file());
    let record = crate::support::files_below(&s.path("repo/.trt-perf/results"))[0].display().to_string();
    let compare = ["compare", &record, &record, "--markdown", NOWHERE, "--junit", "compare.xml"];
    s.run("repo", &compare).says(101, &["error: cannot create the folder /proc/nosuch"]);
    assert!(s.path("repo/compare.xml").is_file());
}

/// The target folder of a check may be full; what it found is shown all the same.
#[test]
fn a_result_that_cannot_be_kept_is_judged() {
    let s = slower();
    let in_the_way =
        "\nrm -rf .trt-perf/evidence .trt-perf/results; echo >.trt-perf/evidence; echo >.trt-perf/results";
    s.write("repo/infer.sh", PRINTS.replace("20.", "22.") + in_the_way);
    s.run(
        "repo",
        &["check", "--base", "HEAD", "--pairs", "8", "--markdown", "check.md", "--result", "r.json"],
    )
    .says(100, &["Performance has regressed", ".trt-perf/evidence", ".trt-perf/results"]);
    assert!(s.path("repo/check.md").is_file());
    std::fs::remove_file(s.path("repo/.trt-perf/evidence")).expect("there");
    std::fs::remove_file(s.path("repo/.trt-perf/results")).expect("there");
    s.run("repo", &["merge", "r.json"]).says(100, &["Performance has regressed"]);
}
