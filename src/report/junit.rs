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
use crate::printable::{message, plain, row as row_of};
use crate::record::CaseRecord;
use crate::units::share;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Where the ids of cases do not name one.
const SUITE: &str = "cargo-trt-perf";

/// How a test ended: in a word for machines, in a sentence.
enum TestEnd {
    Passed,
    Failure(&'static str, String),
    Error(&'static str, String),
    Skipped(String),
}

/// One test.
struct TestCase<'a> {
    id: &'a str,
    seconds: f64,
    ended: TestEnd,
    /// Lines that the end rests on.
    numbers: String,
    /// Lines about the case beside these.
    figures: String,
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
            Some(Verdict::Invalid(why)) => TestEnd::Error("invalid", why.to_string()),
            // Every other verdict is that of a comparison.
            _ => compared.map_or(TestEnd::Passed, |c| of_comparison(&c.comparison, strict)),
        };
        let numbers = compared.map_or_else(String::new, |c| comparison_block(&c.comparison));
        TestCase { id, seconds: seconds(case), ended, numbers, figures: case_block(id, case, None, false) }
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
        let next = gap_next(checked, row).map_or_else(String::new, |next| format!("next: {next}\n"));
        // Why, and by whom: a test that passes says nothing else of it.
        let accepted = row.accepted.is_some() || row.gap_accepted.is_some();
        let accepted = if accepted { format!("{}\n", verdict(row)) } else { String::new() };
        TestCase {
            id,
            seconds: total(measured.map(seconds)),
            ended: of_row(report, row, strict),
            numbers: comparison_block(&row.comparison) + &accepted + &next,
            figures: how(&row.origin),
        }
    });
    let failed = checked.failed.iter().map(|(id, failure)| of_failure(id, failure));
    let margins = margins(checked.rows.values().map(|row| &row.comparison));
    let mut properties = properties(report.base, report.head, report.device, margins, checked.interrupted);
    properties.push(("order-seed", report.seeds()));
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
        numbers: comparison_block(c),
        figures: String::new(),
    };
    let properties = properties(base, head, device, margins(all.iter().copied()), false);
    document(&all.iter().map(test).collect::<Vec<TestCase>>(), &SuiteFacts { properties, created_s: None })
}

fn of_comparison(c: &CaseComparison, strict: bool) -> TestEnd {
    match &c.verdict {
        Verdict::Regressed if c.is_advisory() => TestEnd::Skipped(format!("advisory: {}", sentence(c))),
        Verdict::Regressed => TestEnd::Failure("regressed", sentence(c)),
        Verdict::Invalid(_) => TestEnd::Error("invalid", sentence(c)),
        Verdict::Inconclusive(_) if strict => TestEnd::Failure("inconclusive", sentence(c)),
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
            TestEnd::Error(row.open_gap().map_or("gap", outcome::Gap::word), said())
        }
        Verdict::Invalid(_) | Verdict::Inconclusive(_) if row.gates() => of_comparison(c, strict),
        Verdict::Improved | Verdict::Unchanged | Verdict::ChangedWithinMargin => TestEnd::Passed,
        Verdict::Regressed if row.is_accepted() => TestEnd::Passed,
        _ => TestEnd::Skipped(said()),
    }
}

fn of_failure<'a>(id: &'a str, failure: &Failure) -> TestCase<'a> {
    let ended = TestEnd::Error(failure.kind.word(), failure.message.clone());
    TestCase { id, seconds: 0.0, ended, numbers: failure_block(id, failure), figures: String::new() }
}

/// How long its requests were measured.
fn seconds(case: &CaseRecord) -> f64 {
    let inferences = |requests: u64| requests as f64 * case.point.batch as f64;
    let all = case.processes.iter().map(|s| inferences(s.requests) / s.inferences_per_s);
    total(all.filter(|seconds| seconds.is_finite()))
}

/// A sum of nothing would be -0.
fn total(seconds: impl Iterator<Item = f64>) -> f64 {
    seconds.fold(0.0, |all, one| all + one)
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
        total(tests.iter().map(|test| test.seconds))
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
    let mut bad = |element: &str, kind: &str, message: &str| {
        let (message, body) = (escaped(message), lines(&test.numbers));
        let _ = writeln!(out, "      <{element} message=\"{message}\" type=\"{kind}\">{body}</{element}>");
        test.figures.clone()
    };
    let beside = match &test.ended {
        TestEnd::Passed => format!("{}{}", test.numbers, test.figures),
        TestEnd::Failure(kind, message) => bad("failure", kind, message),
        TestEnd::Error(kind, message) => bad("error", kind, message),
        TestEnd::Skipped(message) => {
            let _ = writeln!(out, "      <skipped message=\"{}\"/>", escaped(message));
            format!("{}{}", test.numbers, test.figures)
        }
    };
    if !beside.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", lines(&beside));
    }
    out + "    </testcase>\n"
}

/// Lines that stay lines, without our colours.
fn lines(text: &str) -> String {
    let line = |line| with_entities(&plain(&row_of(line)));
    text.trim_end().split('\n').map(line).collect::<Vec<String>>().join("\n")
}

/// On one line, in an attribute. XML has no way to write most control characters; they stand here as they do wherever else
/// text from outside is shown.
fn escaped(text: &str) -> String {
    with_entities(&message(text))
}

fn with_entities(text: &str) -> String {
    let entities = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];
    entities.into_iter().fold(text.to_owned(), |text, (c, entity)| text.replace(c, entity))
}
