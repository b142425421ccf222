//! Shows results as JUnit XML, which GitHub's actions for tests, GitLab and Jenkins read: a suite per package, a test per
//! case. Pure.
//!
//! A test fails where a case regressed by more than advice, and is an error where nothing can be said that a check needs:
//! the case failed, its numbers cannot be trusted, or something is missing to compare. What was not decided, or compared
//! with nothing that counts, is skipped, with the reason. Elements and attributes are those that Maven Surefire and
//! Jenkins both know, in Surefire's order.

use super::terminal::{case_block, comparison_block, failure_block, sentence};
use super::{CheckReport, gap_next, how, reason, verdict};
use crate::compare::{CaseComparison, Verdict};
use crate::config::Scenario;
use crate::error::Failure;
use crate::outcome::{self, Row, RunOutcome};
use crate::printable::{plain, row as one_line};
use crate::record::CaseRecord;
use crate::units::share;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Where the ids of cases do not name one.
const SUITE: &str = "cargo-trt-perf";

/// How a test ended.
enum TestEnd {
    Passed,
    /// In a word, in a sentence, in numbers.
    Failure(&'static str, String, String),
    Error(&'static str, String, String),
    Skipped(String),
}

/// One test.
struct TestCase<'a> {
    id: &'a str,
    seconds: f64,
    ended: TestEnd,
    /// Lines.
    out: String,
}

/// What is said of all tests.
struct SuiteFacts {
    properties: Vec<(&'static str, String)>,
    created_s: Option<i64>,
}

/// A run. `strict`: what is not decided fails.
pub fn run(run: &RunOutcome, strict: bool) -> String {
    let record = &run.record;
    let measured = record.cases.iter().map(|(id, case)| {
        let compared = run.compared.get(id);
        let ended = match outcome::verdict(case, compared) {
            None => TestEnd::Passed,
            Some(verdict @ Verdict::Invalid(_)) => {
                TestEnd::Error("invalid", verdict.reason().unwrap_or_default(), String::new())
            }
            // There is a verdict that is not on the case alone.
            Some(_) => compared.map_or(TestEnd::Passed, |c| of_comparison(&c.comparison, strict)),
        };
        TestCase { id, seconds: seconds(case), ended, out: case_block(id, case, compared, false) }
    });
    let failed = record.failed.iter().map(|(id, failure)| of_failure(id, failure));
    let bases: BTreeSet<&str> = run.compared.values().map(|c| c.base.label.as_str()).collect();
    let bases = bases.into_iter().collect::<Vec<&str>>().join(", ");
    let margins = margins(run.compared.values().map(|c| &c.comparison));
    let about = SuiteFacts {
        properties: properties(&bases, &record.label(), &record.device.key, margins, run.interrupted),
        created_s: Some(record.created_s),
    };
    document(&measured.chain(failed).collect::<Vec<TestCase>>(), &about)
}

/// A check. `strict`: what is not decided fails.
pub fn check(report: &CheckReport, strict: bool) -> String {
    let checked = report.checked;
    let rows = checked.rows.iter().map(|(id, row)| {
        let measured = checked.records.iter().filter_map(|record| record.cases.get(id));
        let out = format!("{}{}\n", comparison_block(&row.comparison), how(&row.origin));
        TestCase { id, seconds: measured.map(seconds).sum(), ended: of_row(report, row, strict), out }
    });
    let failed = checked.failed.iter().map(|(id, failure)| of_failure(id, failure));
    let margins = margins(checked.rows.values().map(|row| &row.comparison));
    let mut properties = properties(report.base, report.head, report.device, margins, checked.interrupted);
    properties.push(("order-seed", report.seed.to_string()));
    properties.extend(report.settings_changed().map(|changed| ("settings-changed", changed)));
    let about = SuiteFacts { properties, created_s: Some(checked.records[1].created_s).filter(|s| *s > 0) };
    document(&rows.chain(failed).collect::<Vec<TestCase>>(), &about)
}

/// Records, or folders of samples, that were compared: nothing was measured. `strict`: what is not decided fails.
pub fn comparisons<'a>(
    [base, head, device]: [&str; 3],
    comparisons: impl IntoIterator<Item = &'a CaseComparison>,
    strict: bool,
) -> String {
    let all: Vec<&CaseComparison> = comparisons.into_iter().collect();
    let test = |c: &&'a CaseComparison| TestCase {
        id: &c.id,
        seconds: 0.0,
        ended: of_comparison(c, strict),
        out: comparison_block(c),
    };
    let properties = properties(base, head, device, margins(all.iter().copied()), false);
    document(&all.iter().map(test).collect::<Vec<TestCase>>(), &SuiteFacts { properties, created_s: None })
}

fn of_comparison(c: &CaseComparison, strict: bool) -> TestEnd {
    let numbers = || comparison_block(c);
    match &c.verdict {
        Verdict::Regressed if !c.is_advisory() => TestEnd::Failure("regressed", sentence(c), numbers()),
        Verdict::Invalid(_) => TestEnd::Error("invalid", sentence(c), numbers()),
        Verdict::Inconclusive(_) if strict => TestEnd::Failure("inconclusive", sentence(c), numbers()),
        Verdict::Regressed => TestEnd::Skipped(format!("advisory: {}", sentence(c))),
        Verdict::Inconclusive(_) | Verdict::NotComparable(_) => TestEnd::Skipped(sentence(c)),
        Verdict::Improved | Verdict::Unchanged | Verdict::ChangedWithinMargin => TestEnd::Passed,
    }
}

fn of_row(report: &CheckReport, row: &Row, strict: bool) -> TestEnd {
    let c = &row.comparison;
    let said = || {
        let why = reason(row).map_or_else(String::new, |why| format!(": {why}"));
        format!("{}{why}", verdict(row))
    };
    match &c.verdict {
        Verdict::Regressed if row.gates() => of_comparison(c, strict),
        _ if report.checked.fails_for_gap(row) => {
            let gap = row.open_gap().map_or("gap", outcome::Gap::word);
            TestEnd::Error(gap, said(), gap_next(row).unwrap_or_default())
        }
        Verdict::Invalid(_) | Verdict::Inconclusive(_) if row.gates() => of_comparison(c, strict),
        Verdict::Improved | Verdict::Unchanged | Verdict::ChangedWithinMargin => TestEnd::Passed,
        Verdict::Regressed if row.is_accepted() => TestEnd::Passed,
        _ => TestEnd::Skipped(said()),
    }
}

fn of_failure<'a>(id: &'a str, failure: &Failure) -> TestCase<'a> {
    let ended = TestEnd::Error(failure.kind.word(), failure.message.clone(), failure_block(id, failure));
    TestCase { id, seconds: 0.0, ended, out: String::new() }
}

/// How long its requests were measured.
fn seconds(case: &CaseRecord) -> f64 {
    let inferences = |requests: u64| requests as f64 * case.point.batch as f64;
    let all = case.processes.iter().map(|s| inferences(s.requests) / s.inferences_per_s);
    all.filter(|seconds| seconds.is_finite()).sum()
}

fn properties(
    base: &str,
    head: &str,
    device: &str,
    margins: String,
    interrupted: bool,
) -> Vec<(&'static str, String)> {
    let tool = env!("CARGO_PKG_VERSION").to_owned();
    let mut all: Vec<(&str, String)> =
        vec![("base", base.into()), ("head", head.into()), ("device", device.into())];
    all.extend([("margins", margins), ("tool", tool)]);
    all.extend(interrupted.then(|| ("interrupted", "true".into())));
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// The smallest changes that count; several where cases differ.
fn margins<'a>(comparisons: impl Iterator<Item = &'a CaseComparison>) -> String {
    let shown =
        |c: &CaseComparison| format!("{} (tail {})", share(c.margins.value_frac), share(c.margins.tail_frac));
    comparisons.map(shown).collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>().join(", ")
}

/// Suite, class and name of a test: package, `package/model`, `variant/scenario`.
fn names(id: &str) -> (&str, &str, String) {
    let mut parts = id.rsplitn(3, '/');
    let scenarios = [Scenario::Latency, Scenario::Throughput, Scenario::Capacity].map(Scenario::word);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(scenario), Some(variant), Some(class)) if scenarios.contains(&scenario) => {
            (class.split('/').next().unwrap_or(class), class, format!("{variant}/{scenario}"))
        }
        _ => (SUITE, SUITE, id.to_owned()),
    }
}

fn document(tests: &[TestCase], about: &SuiteFacts) -> String {
    let mut suites: BTreeMap<&str, Vec<&TestCase>> = BTreeMap::new();
    tests.iter().for_each(|test| suites.entry(names(test.id).0).or_default().push(test));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ =
        writeln!(out, "<testsuites name=\"{SUITE}\" {}>", counts(&tests.iter().collect::<Vec<&TestCase>>()));
    let timestamp = about.created_s.and_then(|s| jiff::Timestamp::from_second(s).ok());
    let timestamp = timestamp.map_or_else(String::new, |time| format!(" timestamp=\"{time}\""));
    for (name, tests) in suites {
        let _ = writeln!(out, "  <testsuite name=\"{}\" {}{timestamp}>", escaped(name), counts(&tests));
        out += "    <properties>\n";
        for (name, value) in &about.properties {
            let _ = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", escaped(value));
        }
        out += "    </properties>\n";
        tests.into_iter().for_each(|test| out += &element(test));
        out += "  </testsuite>\n";
    }
    out + "</testsuites>\n"
}

/// Attributes.
fn counts(tests: &[&TestCase]) -> String {
    let count = |is: fn(&TestEnd) -> bool| tests.iter().filter(|test| is(&test.ended)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        tests.len(),
        count(|e| matches!(e, TestEnd::Failure(..))),
        count(|e| matches!(e, TestEnd::Error(..))),
        count(|e| matches!(e, TestEnd::Skipped(_))),
        tests.iter().map(|test| test.seconds).sum::<f64>()
    )
}

fn element(test: &TestCase) -> String {
    let (_, class, name) = names(test.id);
    let mut out = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">\n",
        escaped(class),
        escaped(&name),
        test.seconds
    );
    let mut bad = |element: &str, kind: &str, message: &str, body: &str| {
        let (message, body) = (escaped(message), lines(body));
        let _ = writeln!(out, "      <{element} message=\"{message}\" type=\"{kind}\">{body}</{element}>");
    };
    match &test.ended {
        TestEnd::Passed => {}
        TestEnd::Failure(kind, message, body) => bad("failure", kind, message, body),
        TestEnd::Error(kind, message, body) => bad("error", kind, message, body),
        TestEnd::Skipped(message) => {
            let _ = writeln!(out, "      <skipped message=\"{}\"/>", escaped(message));
        }
    }
    if !test.out.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", lines(&test.out));
    }
    out + "    </testcase>\n"
}

/// Lines that stay lines.
fn lines(text: &str) -> String {
    text.trim_end().split('\n').map(escaped).collect::<Vec<String>>().join("\n")
}

/// One line without our colours, as text or in an attribute. XML has no way to write most control characters; they stand
/// here as they do wherever else text from outside is shown.
fn escaped(text: &str) -> String {
    let text = plain(&one_line(text));
    let entities = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];
    entities.into_iter().fold(text, |text, (c, entity)| text.replace(c, entity))
}
