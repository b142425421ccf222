//! The page of a record: alone, or each case against a stored one.

use super::check::failed;
use super::view::{PageCase, TableCell, Tone, View};
use super::{Details, case, render};
use crate::compare::Verdict;
use crate::error::Result;
use crate::outcome::{BudgetAnswer, Compared, RunRow, worst_first};
use crate::record::{Record, date};
use crate::units::{plural, rate, time};
use std::collections::BTreeMap;

/// The columns where nothing is compared.
const ALONE: [(&str, bool); 6] = [
    ("case", false),
    ("time", true),
    ("p99", true),
    ("throughput", true),
    ("budget", false),
    ("verdict", false),
];
/// What is said of a case that there is nothing to compare with.
const MEASURED: &str = "measured";

/// The page of `record`, whose cases were `compared` with stored ones as far as there are any.
pub fn record(record: &Record, compared: &BTreeMap<String, Compared>, details: &Details) -> Result<String> {
    let columns = if compared.is_empty() { &ALONE[..] } else { &case::COMPARED[..] };
    let rows = worst_first(record, compared);
    let headline = headline(record, &rows);
    let failed = record.failed.iter().map(|(id, failure)| failed(id, failure, columns.len()));
    let cases = failed.chain(rows.iter().map(|row| of_row(row, compared.is_empty(), details))).collect();
    let title = if compared.is_empty() { "Inference performance" } else { "Inference performance, compared" };
    let mut view = View::new(title, &headline, columns, cases);
    view.fact("measured", &date(record.created_s));
    view.fact("record", &record.label());
    let bases: std::collections::BTreeSet<&str> = compared.values().map(|c| c.base.label.as_str()).collect();
    view.fact("base", &bases.into_iter().collect::<Vec<_>>().join(", "));
    view.fact("branch", record.source.as_ref().and_then(|s| s.branch.as_deref()).unwrap_or_default());
    view.fact("device", &format!("{} ({})", record.device.name, record.device.key));
    for (name, value) in &record.device.soft {
        view.fact(name, value);
    }
    if let Some(unreal) = record.cases.values().find_map(|case| case.engine.unreal()) {
        view.note(Tone::Bad, &format!("not a real result: {}", unreal.words()));
    }
    if let Some(text) = record.file_note() {
        view.note(Tone::Warn, &format!("the record {text}"));
    }
    render(&view)
}

/// How many cases came to what, the worst first.
fn headline(record: &Record, rows: &[RunRow]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let failed = record.failed.values().map(|f| f.kind.word());
    for word in failed.chain(rows.iter().map(word)) {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, n)) => *n += 1,
            None => counts.push((word, 1)),
        }
    }
    match &counts[..] {
        [] => "nothing was measured".into(),
        [(MEASURED, n)] => format!("{} measured", plural(*n, "case")),
        _ => counts.iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", "),
    }
}

fn word(row: &RunRow) -> &'static str {
    row.verdict.as_ref().map_or(MEASURED, Verdict::word)
}

fn of_row(row: &RunRow, alone: bool, details: &Details) -> PageCase {
    let missed = row.figures.budget.is_some_and(|b| b.answer == BudgetAnswer::Missed);
    let tone = row.verdict.as_ref().map_or(if missed { Tone::Warn } else { Tone::Calm }, case::tone);
    let advisory = row.compared.is_some_and(|c| c.comparison.is_advisory());
    let more = if advisory { "advisory" } else { "" };
    let rank = row.verdict.as_ref().map_or(u8::MAX, Verdict::rank);
    let cells = match row.compared {
        Some(c) => case::cells(&c.comparison, more),
        None if alone => numbers(row, rank),
        None => unlike(row, rank),
    };
    let mut case = PageCase::new(row.id, (word(row), tone), cells);
    match row.compared {
        Some(c) => {
            case::compared(&mut case, &c.comparison);
            case.say([format!("Base: {}.", c.base.label)]);
            case.differ(c.base.soft_differences.iter().map(|what| format!("machine: {what}")));
        }
        None => case.say(row.verdict.as_ref().and_then(Verdict::reason)),
    }
    if let Some(detail) = details.get(row.id) {
        case::measured(&mut case, detail, false);
    }
    case
}

/// The row of a case on a page where nothing is compared.
fn numbers(row: &RunRow, rank: u8) -> Vec<TableCell> {
    let f = &row.figures;
    let budget = match f.budget.map(|b| b.answer) {
        None => "–",
        Some(BudgetAnswer::Holds) => "holds",
        Some(BudgetAnswer::Missed) => "MISSED",
        Some(BudgetAnswer::TooFewRequests) => "too few requests",
    };
    vec![
        TableCell::case(row.id),
        TableCell::number("time", f.mean_ns.map(|f| f.estimate()), time),
        TableCell::number("p99", f.p99_ns.map(|f| f.estimate()), time),
        TableCell::number("throughput", f.throughput_per_s.map(|f| f.estimate()), rate),
        TableCell::text("budget", budget),
        TableCell::verdict(rank, ""),
    ]
}

/// The row of a case without a base, where others have one.
fn unlike(row: &RunRow, rank: u8) -> Vec<TableCell> {
    let none = |label| TableCell::number(label, None, time);
    vec![
        TableCell::case(row.id),
        TableCell::text("metric", "mean"),
        none("base"),
        TableCell::number("head", row.figures.mean_ns.map(|f| f.estimate()), time),
        none("change"),
        none("detects"),
        TableCell::verdict(rank, "nothing to compare with"),
    ]
}
