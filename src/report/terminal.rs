//! Shows results for a terminal as criterion does: a block per case, then a table, the worst case first. Pure.

mod capacity;
mod case;
mod change;

use super::CheckReport;
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, no_result, paint};
use super::table::TextTable;
use crate::compare::{CaseComparison, Verdict};
use crate::error::Failure;
use crate::outcome::{BudgetAnswer, Compared, Figure, Figures, Row, RunRow, worst_first};
use crate::printable::{line, message, row as row_of};
use crate::record::{CaseRecord, Record, Unreal};
use crate::units::{change as percent, rate, time};
use std::collections::BTreeMap;
use std::fmt::Write;

pub use change::sentence;

/// Where criterion's columns stand: a longer id gets a line of its own.
const ID_WIDTH: usize = 24;

/// The colour of a verdict.
fn colour(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed | Verdict::Invalid(_) => RED,
        Verdict::Improved => GREEN,
        Verdict::Inconclusive(_) | Verdict::NotComparable(_) => YELLOW,
        Verdict::Unchanged | Verdict::ChangedWithinMargin => DIM,
    }
}

/// The block of one measured case. `verbose` adds a line per process and what the engine is.
pub fn case_block(id: &str, case: &CaseRecord, compared: Option<&Compared>, verbose: bool) -> String {
    let figures = Figures::of(case);
    let mut lines = capacity::lines(&figures, case.budget);
    lines.extend(case::lines(case, &figures, verbose));
    lines.extend(compared.map(|c| change::lines(&c.comparison, Some(&c.base))).unwrap_or_default());
    lines.extend(case::warnings(case, &figures));
    block(id, &lines)
}

/// The block of one case that was compared without measuring anew.
pub fn comparison_block(comparison: &CaseComparison) -> String {
    block(&comparison.id, &change::lines(comparison, None))
}

/// The block of one case that failed.
pub fn failure_block(id: &str, failure: &Failure) -> String {
    let mut lines = vec![paint(RED, &format!("{}: {}", failure.kind.word(), message(&failure.message)))];
    lines.extend(failure.parts.iter().map(|part| format!("  {}", message(part))));
    if !failure.next.is_empty() {
        lines.push(format!("next: {}", message(&failure.next)));
    }
    block(id, &lines)
}

/// A block whose lines stay lines, whatever they name.
fn block(id: &str, lines: &[String]) -> String {
    let (id, mut out) = (line(id), String::new());
    let mut lead = if id.chars().count() < ID_WIDTH {
        format!("{BOLD}{id}{RESET}{}", " ".repeat(ID_WIDTH - id.chars().count()))
    } else {
        format!("{BOLD}{id}{RESET}\n{}", " ".repeat(ID_WIDTH))
    };
    for line in lines {
        let _ = writeln!(out, "{lead}{}", row_of(line));
        lead = " ".repeat(ID_WIDTH);
    }
    out
}

/// A check: a block per case that has something to say, then a table, worst first, in so many columns.
pub fn check(report: &CheckReport, quiet: bool, width: usize) -> String {
    let mut out = String::new();
    let rows = report.checked.worst_first();
    if !quiet {
        for row in rows.iter().filter(|r| !r.comparison.metrics.is_empty()).rev() {
            let mut lines = change::lines(&row.comparison, None);
            let more = row.accepted.is_some() || row.gap().is_some();
            lines.extend(more.then(|| paint(YELLOW, &super::verdict(row))));
            lines.push(paint(DIM, &super::how(&row.origin)));
            lines.extend(row.explained.iter().flat_map(super::layers::explanation));
            out += &format!("{}\n", block(&row.comparison.id, &lines));
        }
    }
    out += &check_table(report, &rows, width);
    out += &no_results(rows.iter().map(|row| (row.comparison.id.as_str(), row.comparison.unreal)));
    for added in &report.checked.added {
        let _ = writeln!(out, "{YELLOW}added to the baselines:{RESET} {}", super::added(added));
    }
    out += &gaps(report);
    for (id, (comparison, base)) in &report.checked.drifted {
        let by = super::decided_by(comparison).map_or_else(String::new, |what| format!(" ({what})"));
        let _ = writeln!(
            out,
            "{YELLOW}drift: {} is slower{by} than the oldest stored record, {}; no single step was{RESET}",
            line(id),
            line(base)
        );
    }
    if let Some(remark) = report.remark {
        let _ = writeln!(out, "{YELLOW}{}{RESET}", line(remark));
    }
    let _ = writeln!(
        out,
        "{BOLD}{}{RESET} (base {}, order seed {})",
        report.headline(),
        line(report.base),
        report.seeds()
    );
    out
}

/// The table of a check: a row per case.
fn check_table(report: &CheckReport, rows: &[&Row], width: usize) -> String {
    let failed = report.checked.failed.iter().map(|(id, failure)| change::failed_cells(id, failure));
    let judged = rows.iter().map(|row| {
        let how = super::how(&row.origin);
        change::cells(&row.comparison, Some(how), super::verdict(row))
    });
    change::table(failed.chain(judged), true, width)
}

/// Comparisons that were made without measuring: a row per case, in the order given.
pub fn comparison_table<'a>(
    comparisons: impl IntoIterator<Item = &'a CaseComparison>,
    width: usize,
) -> String {
    let cells = |c: &'a CaseComparison| change::cells(c, None, c.word());
    change::table(comparisons.into_iter().map(cells), false, width)
}

/// What is missing before anyone can say that nothing regressed, and what to do about it.
fn gaps(report: &CheckReport) -> String {
    let mut out = String::new();
    for row in report.checked.worst_first() {
        let Some(next) = super::gap_next(report.checked, row) else { continue };
        let colour = if report.checked.fails_for_gap(row) { RED } else { YELLOW };
        let reason = super::reason(row).map_or_else(String::new, |why| format!(": {why}"));
        let text = line(&format!("{}: {}{reason}", row.comparison.id, super::verdict(row)));
        let _ = writeln!(out, "{colour}{text}{RESET}\n  next: {next}");
    }
    if let Some(changed) = report.settings_changed() {
        let _ = writeln!(out, "{YELLOW}{changed}; the base's judge{RESET}");
    }
    out
}

/// The table at the end: a row per case, worst first, in so many columns.
pub fn table(record: &Record, compared: &BTreeMap<String, Compared>, width: usize) -> String {
    let header = ["case", "time", "p99", "thrpt", "budget", "change", "verdict"];
    let mut table = TextTable::new(header).numbers(1..6);
    for id in record.failed.keys() {
        let word = record.failed.get(id).map_or("failed", |f| f.kind.word());
        table.row([id.as_str(), "", "", "", "", "", word]);
    }
    let rows = worst_first(record, compared);
    rows.iter().for_each(|row| table.row(run_cells(row)));
    table.text(width) + &no_results(rows.iter().map(|row| (row.id, row.case.engine.unreal())))
}

/// Which rows of a table are no results. With --quiet nothing else says so.
fn no_results<'a>(rows: impl IntoIterator<Item = (&'a str, Option<Unreal>)>) -> String {
    let mut ids: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, unreal) in rows {
        unreal.into_iter().for_each(|unreal| ids.entry(unreal.words()).or_default().push(line(id)));
    }
    let text = |(why, ids): (&str, Vec<String>)| format!("{} ({})\n", no_result(why), ids.join(", "));
    ids.into_iter().map(text).collect()
}

/// The cells of one measured case.
pub(super) fn run_cells(r: &RunRow) -> Vec<String> {
    let RunRow { id, figures, compared, verdict, .. } = r;
    let shown = |f: Option<Figure>, show: &dyn Fn(f64) -> String| {
        f.map_or_else(|| "–".into(), |f| show(f.estimate()))
    };
    let budget = match figures.budget {
        None => "–",
        Some(b) => match b.answer {
            BudgetAnswer::Holds => "holds",
            BudgetAnswer::Missed => "MISSED",
            BudgetAnswer::TooFewRequests => "?",
        },
    };
    let decided = compared.and_then(|c| Some((c, c.comparison.deciding()?)));
    let delta = decided.and_then(|(c, m)| Some((c, m, m.change?))).map_or_else(
        || "–".into(),
        |(c, m, i)| format!("{} {}", m.metric.name(c.comparison.budget), percent(i.est)),
    );
    let alone = || verdict.as_ref().map_or("–", Verdict::word).to_owned();
    let verdict = compared.map_or_else(alone, |c| c.comparison.word());
    vec![
        (*id).to_owned(),
        shown(figures.mean_ns, &time),
        shown(figures.p99_ns, &time),
        shown(figures.throughput_per_s, &rate),
        budget.into(),
        delta,
        verdict,
    ]
}
