//! JUnit XML: that it is well-formed, as Surefire and Jenkins want it, and says what the exit code says.

use super::{ID, compared, five, record, verdicts, with_verdict};
use crate::support::xml::Element;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use trt_perf::acceptance::AcceptanceStatus;
use trt_perf::compare::{Basis, CaseComparison, Inconclusive, NotComparable, Verdict};
use trt_perf::error::{Failure, FailureKind};
use trt_perf::outcome::{Checked, OnMissing, Row, RowOrigin, RunOutcome, Tally};
use trt_perf::report::{CheckReport, junit, markdown, terminal};

/// Everything that XML would take for its own, or cannot hold.
const EVIL: &str = "a<b>&\"'c]]>\u{1}\u{8}\u{fffe}\u{202e}\x1b[31m\nd";

/// A check of these rows and failures.
fn checked(rows: Vec<Row>, failed: Vec<(&str, Failure)>) -> Checked {
    Checked {
        rows: rows.into_iter().map(|row| (row.comparison.id.clone(), row)).collect(),
        failed: failed.into_iter().map(|(id, failure)| (id.to_owned(), failure)).collect(),
        ..Checked::empty([record(vec![], vec![]), record(vec![(ID, five(1.5e6))], vec![])])
    }
}

fn report(checked: &Checked) -> CheckReport<'_> {
    CheckReport {
        base: "main",
        head: "this & that",
        device: "cpu-test-2c",
        seeds: &[7],
        checked,
        remark: None,
    }
}

fn text(checked: &Checked, strict: bool) -> String {
    junit::check(&report(checked), strict)
}

fn pairs(comparison: CaseComparison) -> Row {
    Row::new(comparison, RowOrigin::Pairs { pairs: 5, discarded: 0, confirmed: Some(true) })
}

fn of(id: &str, verdict: Verdict) -> CaseComparison {
    with_verdict(id, verdict).comparison
}

/// The elements of a test and of a suite, in the order of Surefire's schema, with the attributes that both know.
const RULES: [(&str, &[&str], &[&str]); 8] = [
    ("testsuites", &["name", "tests", "failures", "errors", "skipped", "time"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors", "skipped", "time", "timestamp"],
        &["properties", "testcase"],
    ),
    ("properties", &[], &["property"]),
    ("property", &["name", "value"], &[]),
    ("testcase", &["classname", "name", "time"], &["failure", "skipped", "error", "system-out"]),
    ("failure", &["message", "type"], &[]),
    ("error", &["message", "type"], &[]),
    ("skipped", &["message"], &[]),
];

/// Fails where a document is not as its readers want it; gives it back.
#[track_caller]
fn valid(text: &str) -> Element {
    let root = Element::document(text);
    assert_eq!(root.name, "testsuites");
    conforms(&root);
    for suite in &root.children {
        counts_match(suite, &suite.named("testcase"));
    }
    counts_match(&root, &root.children.iter().flat_map(|suite| suite.named("testcase")).collect::<Vec<_>>());
    root
}

#[track_caller]
fn conforms(element: &Element) {
    let Some((_, attributes, children)) = RULES.iter().find(|rule| rule.0 == element.name) else {
        assert_eq!(element.name, "system-out");
        return;
    };
    let unknown: Vec<&String> =
        element.attributes.keys().filter(|key| !attributes.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {}", element.name);
    let optional = ["timestamp"];
    for name in attributes.iter().filter(|name| !optional.contains(name)) {
        assert!(element.attributes.contains_key(*name), "{name} of {}", element.name);
    }
    let places: Vec<usize> = element
        .children
        .iter()
        .map(|child| children.iter().position(|name| *name == child.name).expect("an element that is known"))
        .collect();
    assert!(places.is_sorted(), "the order in {}", element.name);
    if element.name == "testcase" {
        let ended = element.children.iter().filter(|child| child.name != "system-out").count();
        assert!(ended <= 1, "a test ends once");
        assert!(element.attributes["time"].parse::<f64>().is_ok_and(f64::is_finite));
    }
    element.children.iter().for_each(conforms);
}

#[track_caller]
fn counts_match(of: &Element, tests: &[&Element]) {
    let with = |name: &str| tests.iter().filter(|test| !test.named(name).is_empty()).count();
    let expected = [
        ("tests", tests.len()),
        ("failures", with("failure")),
        ("errors", with("error")),
        ("skipped", with("skipped")),
    ];
    for (attribute, count) in expected {
        assert_eq!(of.attributes[attribute], count.to_string(), "{attribute}");
    }
}

/// A reader that somebody else wrote.
fn python_reads(text: &str) {
    let program = "import sys, xml.etree.ElementTree as t; t.fromstring(sys.stdin.buffer.read())";
    let started = Command::new("python3").args(["-c", program]).stdin(Stdio::piped()).spawn();
    let Ok(mut python) = started else {
        eprintln!("skipped: there is no python3 to read it, too");
        return;
    };
    python.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    assert!(python.wait().expect("ended").success(), "{text}");
}

#[test]
fn a_check_with_every_kind_of_end() {
    let rows = vec![
        pairs(compared(&five(1e6), &five(1.5e6)).comparison),
        pairs(of("vision/resnet/b8/latency", Verdict::Unchanged)),
        pairs(of("vision/resnet/b8/throughput", Verdict::Inconclusive(Inconclusive::NothingToJudge))),
        Row::new(
            of(
                "text/encoder/default/latency",
                Verdict::NotComparable(NotComparable::Removed { likely: None }),
            ),
            RowOrigin::Removed,
        ),
    ];
    let failure = Failure::new(FailureKind::Crash, "the worker was ended by signal 9 (SIGKILL)")
        .next("see its messages above");
    let mut checked = checked(rows, vec![("text/tiny/default/latency", failure)]);
    // Whether sessions differ is no question of pairs.
    checked.rows.values_mut().for_each(|row| {
        row.comparison.metrics.iter_mut().for_each(|m| m.basis = Basis::Pairs);
    });
    let text = text(&checked, false);
    valid(&text);
    python_reads(&text);
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "[version]"));
}

#[test]
fn what_comes_from_outside_cannot_leave_its_place() {
    let id = format!("{EVIL}/{EVIL}/{EVIL}/latency");
    let failure = Failure::new(FailureKind::Build, EVIL).next(EVIL);
    let mut row = pairs(of(&id, Verdict::NotComparable(NotComparable::NoBase(EVIL.into()))));
    row.origin = RowOrigin::NoBase { why: EVIL.into() };
    let text = text(&checked(vec![row], vec![(EVIL, failure)]), true);
    python_reads(&text);
    let root = valid(&text);
    let shown = r#"a<b>&"'c]]>\u{1}\u{8}\u{fffe}\u{202e}\u{1b}[31m\nd"#;
    // XML hands back what was meant.
    let suites: Vec<&str> = root.children.iter().map(|suite| suite.attributes["name"].as_str()).collect();
    assert_eq!(suites, [shown, "cargo-trt-perf"]);
    let test = root.children[0].named("testcase")[0];
    assert_eq!(test.attributes["classname"], format!("{shown}/{shown}"));
    assert_eq!(test.attributes["name"], format!("{shown}/latency"));
    let failed = root.children[1].named("testcase")[0];
    assert_eq!(
        (failed.attributes["name"].as_str(), failed.children[0].attributes["message"].as_str()),
        (shown, shown)
    );
    assert!(failed.children[0].text.contains(&format!("next: {shown}")), "{}", failed.children[0].text);
}

#[test]
fn a_test_is_bad_where_the_check_fails_for_it() {
    let accepted = || Some(AcceptanceStatus::Honoured { reason: "r".into(), by: "b".into() });
    let stored = || RowOrigin::Stored { why: "x".into(), base: "y".into() };
    let mut seen = 0;
    for verdict in verdicts() {
        for on_missing in [OnMissing::Fail, OnMissing::Warn] {
            let base = pairs(of(ID, verdict.clone()));
            let rows = [
                base.clone(),
                Row { accepted: accepted(), gap_accepted: accepted(), ..base.clone() },
                Row { origin: stored(), ..base.clone() },
                Row { origin: RowOrigin::New, ..base },
            ];
            for row in rows {
                let mut checked = checked(vec![row], vec![]);
                checked.on_missing = on_missing;
                let tally = Tally::of_check(&checked);
                for strict in [false, true] {
                    let fails =
                        tally.regressed + tally.gaps + tally.invalid > 0 || strict && tally.inconclusive > 0;
                    let root = valid(&text(&checked, strict));
                    let bad = root.attributes["failures"] != "0" || root.attributes["errors"] != "0";
                    assert_eq!(bad, fails, "{:?}", checked.rows);
                    seen += usize::from(bad);
                }
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_run_says_what_was_measured_and_advice_fails_nothing() {
    let advice = compared(&five(1e6), &five(1.5e6));
    assert!(advice.comparison.is_advisory(), "nobody knows how much sessions differ");
    let mut slowed = five(1e6);
    slowed.processes[0].throttled = true;
    let other = "vision/resnet/b1/throughput";
    let failure = Failure::new(FailureKind::TimedOut, "too slow");
    let outcome = RunOutcome {
        record: record(vec![(ID, five(1.5e6)), (other, slowed)], vec![("p/slow/default/latency", failure)]),
        written: None,
        compared: BTreeMap::from([(ID.to_owned(), advice)]),
        interrupted: false,
        no_base: None,
    };
    let root = valid(&junit::run(&outcome, false));
    let tests: BTreeMap<&str, &Element> = root
        .children
        .iter()
        .flat_map(|suite| suite.named("testcase"))
        .map(|test| (test.attributes["name"].as_str(), test))
        .collect();
    let skipped = &tests["b1/latency"].children[0];
    assert!(
        skipped.attributes["message"].starts_with("advisory: Performance has regressed: "),
        "{skipped:?}"
    );
    assert!(tests["b1/latency"].named("system-out")[0].text.contains("time:"), "its figures");
    // Five processes with 12,345 requests of 1.5 ms each.
    let seconds: f64 = tests["b1/latency"].attributes["time"].parse().expect("a number");
    assert!((seconds - 5.0 * 12_345.0 * 1.5e-3).abs() < 0.1, "{seconds}");
    assert_eq!(tests["b1/throughput"].children[0].attributes["type"], "invalid");
    assert_eq!(tests["default/latency"].children[0].name, "error");
}

#[test]
fn what_was_stopped_is_said_to_be_incomplete_before_anything_else() {
    const STOPPED: &str = "stopped early, so not everything was measured: ";
    let checked = Checked { interrupted: true, ..checked(vec![pairs(of(ID, Verdict::Unchanged))], vec![]) };
    let report = report(&checked);
    assert_eq!(report.headline(), format!("{STOPPED}1 unchanged"));
    assert!(terminal::check(&report, true, 100).contains(STOPPED));
    assert!(
        markdown::check(&report).starts_with(&format!("## Inference performance: {STOPPED}1 unchanged\n"))
    );
    let run = |interrupted| {
        let record = record(vec![(ID, five(1e6))], vec![]);
        let compared = BTreeMap::new();
        markdown::run(&RunOutcome { record, written: None, compared, interrupted, no_base: None })
    };
    assert!(run(true).starts_with(&format!("## Inference performance: {STOPPED}1 case measured\n")));
    assert!(run(false).starts_with("## Inference performance: 1 case measured\n"));
}
