//! The page that `run`, `check` and `report` write, from real measurements.

use crate::support::Sandbox;
use std::fs;

const CASE: &str = "demo/mlp/default/latency";

/// What stands between two texts of a page.
#[track_caller]
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn a_run_draws_its_samples_and_a_report_finds_them_again_as_long_as_they_are_there() {
    let s = Sandbox::committed_mlp();
    let read = |name: &str| fs::read_to_string(s.path(name)).expect("a page");
    s.run(".", &["run", "--html", "pages/run.html"]).says(0, &["record:"]);
    let run = read("pages/run.html");
    let drawn = |page: &str| between(page, "<div class=\"figures\">", "</div>").to_owned();
    assert_eq!(drawn(&run).matches("<svg ").count(), 3, "distribution, time and processes");
    let link = format!("<a href=\"#case-demo-mlp-default-latency\">{}</a>", CASE.replace('/', "&#x2f;"));
    assert!(run.contains(&link), "{run}");

    s.run(".", &["report", "HEAD"]).says(0, &["page:", "report.html"]);
    let stored = read("target/trt-perf/report.html");
    assert_eq!(drawn(&stored).matches("<svg ").count(), 3, "the same samples");
    let legend = |page: &str| between(page, "<span class=\"key h\">", "</span>").to_owned();
    assert_eq!(legend(&stored), legend(&run));
    s.run(".", &["run"]).says(0, &["record:"]);
    fs::remove_dir_all(s.path("target/trt-perf/samples")).expect("the samples");
    s.run(".", &["report", "HEAD", "-o", "later.html", "--history"]).says(0, &["page:", "later.html"]);
    let later = read("later.html");
    assert_eq!(later.matches("samples are not kept here").count(), 2);
    assert!(later.contains("Each process") && later.contains("Over all records"), "{later}");
}

#[test]
fn a_record_is_shown_against_another_one() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline"]).says(0, &["baseline:"]);
    s.commit(".", "a baseline");
    s.run(".", &["run"]).says(0, &["record:"]);
    s.run(".", &["report", "HEAD", "HEAD~1", "--html", "p.html"]).says(0, &["page: p.html"]);
    let page = fs::read_to_string(s.path("p.html")).expect("a page");
    for said in ["Inference performance, compared", "base median", "head median", "change [95 %]"] {
        assert!(page.contains(said), "{said}");
    }
    s.run(".", &["report", "HEAD", "nothing-of-that-name"]).says(4, &["nothing-of-that-name"]);
    s.run(".", &["report", "HEAD", "-o", "."]).says(101, &["cannot write .: "]);
}

#[test]
fn a_check_draws_both_arms_and_joins_the_pairs() {
    let s = Sandbox::committed_mlp();
    let args = ["check", "--head-config", "debug-extra-work=300%", "--pairs", "3", "--html", "check.html"];
    let ran = s.run(".", &args);
    assert!(ran.code.is_some_and(|code| code != 2), "{ran}");
    let page = fs::read_to_string(s.path("check.html")).expect("a page");
    for said in ["base median", "head median", "not a real result: debug-extra-work", "3 pairs"] {
        assert!(page.contains(said), "{said}: {ran}");
    }
    assert_eq!(
        between(&page, "<path class=\"j\" d=\"", "\"").matches('M').count(),
        3,
        "a line for each pair"
    );
    assert!(!page.contains("samples are not kept here"));
}

#[test]
fn the_winner_of_a_grid_is_drawn_with_the_samples_of_its_last_trial() {
    let s = Sandbox::committed_mlp();
    let search =
        ["discover", "mlp", "--grid", "streams=1,2", "--max-latency", "10s", "--html", "search.html"];
    s.run(".", &search).says(0, &["record:"]);
    let search = fs::read_to_string(s.path("search.html")).expect("a page");
    for said in
        ["1 grid searched, 1 winner", "winner: batch 1, ", "to the right: p99 latency", "Each process"]
    {
        assert!(search.contains(said), "{said}: {search}");
    }
    assert!(!search.contains("samples are not kept here"), "{search}");
    s.run(".", &["report", "HEAD", "-o", "grid.html"]).says(0, &["page: grid.html"]);
    let page = fs::read_to_string(s.path("grid.html")).expect("a page");
    assert!(page.contains("Latency and throughput of the grid"), "{page}");
    assert!(!page.contains("samples are not kept here"), "{page}");
    let without = ["discover", "mlp", "--grid", "streams=1", "--html", "without.html", "--quiet"];
    s.run(".", &without).says(0, &["no winner without a budget"]);
    let without = fs::read_to_string(s.path("without.html")).expect("a page");
    assert!(without.contains("no budget") && without.contains("the front"), "{without}");
}

#[test]
fn the_help_says_what_a_page_is() {
    let s = Sandbox::new();
    for (verb, says) in [("run", "one HTML page"), ("check", "one HTML page"), ("report", "needs no network")]
    {
        s.run(".", &[verb, "--help"]).says(0, &["--html <FILE>", says]);
    }
}
