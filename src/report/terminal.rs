//! Shows results for a terminal as criterion does: a block per case, then a table, the worst case first. Pure.

mod capacity;
mod case;

use super::CheckReport;
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, add_row, clipped, paint, plain_table, table_text};
use crate::case::Margins;
use crate::compare::{CaseComparison, Metric, MetricComparison, Verdict};
use crate::config::Scenario;
use crate::error::Failure;
use crate::outcome::{Base, Compared, Figure, Figures, Row, RunRow, worst_first};
use crate::printable::{line, message, row as row_of};
use crate::record::{CaseRecord, Record};
use crate::units::{change, rate, share, time};
use comfy_table::CellAlignment;
use std::collections::BTreeMap;
use std::fmt::Write;

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
    lines.extend(compared.map(|c| comparison_lines(&c.comparison, Some(&c.base))).unwrap_or_default());
    lines.extend(case::warnings(case, &figures));
    block(id, &lines)
}

/// The block of one case that was compared without measuring anew.
pub fn comparison_block(comparison: &CaseComparison) -> String {
    block(&comparison.id, &comparison_lines(comparison, None))
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

/// Change lines, the sentence, and what it was compared with.
fn comparison_lines(c: &CaseComparison, base: Option<&Base>) -> Vec<String> {
    let mut lines: Vec<String> = c.metrics.iter().map(|m| change_line(m, c)).collect();
    lines.push(paint(colour(&c.verdict), &sentence(&c.verdict, c.margins)));
    lines.extend(c.broken_budget.as_ref().map(|why| paint(RED, &format!("the budget is broken: {why}"))));
    if !c.engine_changes.is_empty() {
        lines.push(paint(DIM, &format!("what changed: {}", c.engine_changes.join(", "))));
    }
    lines.extend(c.moved.map(|moved| paint(DIM, &moved.to_string())));
    lines.extend(c.unreal.map(|u| paint(RED, &format!("not a real result: {}", u.words()))));
    if c.outputs_changed {
        lines.push(paint(YELLOW, "the outputs are not the same as the base's"));
    }
    lines.extend(super::calibration::basis(c).map(|note| paint(DIM, &note)));
    if let Some(base) = base {
        let ago = match base.steps {
            0 => "this commit".to_owned(),
            1 => "1 commit before HEAD".to_owned(),
            n => format!("{n} commits before HEAD"),
        };
        lines.push(paint(DIM, &format!("base: {}, {ago}", base.label)));
        if !base.soft_differences.is_empty() {
            lines.push(paint(
                YELLOW,
                &format!("advisory: since the base {}", base.soft_differences.join(", ")),
            ));
        }
    }
    lines
}

fn change_line(m: &MetricComparison, c: &CaseComparison) -> String {
    let label = match m.metric {
        Metric::Mean => "change:".to_owned(),
        other => format!("  {}:", other.name(c.budget)),
    };
    let shown = match (&m.ruling, &m.change) {
        (Ok(ruling), Some(i)) => {
            format!(
                "[{} {} {}] (p = {:.2})",
                paint(DIM, &change(i.lo)),
                paint(BOLD, &change(i.est)),
                paint(DIM, &change(i.hi)),
                ruling.p_zero
            )
        }
        (Err(why), Some(i)) => {
            let interval = format!("[{} {} {}]", change(i.lo), change(i.est), change(i.hi));
            format!("{interval} {}", paint(DIM, &format!("(not judged: {why})")))
        }
        (Err(why), None) => {
            let point = if m.base > 0.0 && m.head.is_finite() {
                change(m.head / m.base - 1.0)
            } else {
                "unknown".into()
            };
            format!("{point} {}", paint(DIM, &format!("(not judged: {why})")))
        }
        (Ok(_), None) => paint(DIM, "unknown"),
    };
    // As wide as the longest of most cases, `  throughput:`.
    format!("{label:<13} {shown}")
}

/// The verdict as a plain sentence.
pub fn sentence(verdict: &Verdict, margins: Margins) -> String {
    let margin = format!("±{} (tail ±{})", share(margins.value_frac), share(margins.tail_frac));
    match verdict {
        Verdict::Regressed => "Performance has regressed.".into(),
        Verdict::Improved => "Performance has improved.".into(),
        Verdict::Unchanged => format!("No change: any difference is within {margin}."),
        Verdict::ChangedWithinMargin => format!("A real change, but within {margin}."),
        Verdict::Inconclusive(why) => format!("Inconclusive: {why}."),
        Verdict::NotComparable(why) => format!("Not compared: {why}."),
        Verdict::Invalid(why) => format!("Invalid: {why}."),
    }
}

/// A check: a block per case that has something to say, then a table, worst first.
pub fn check(report: &CheckReport, quiet: bool) -> String {
    let mut out = String::new();
    let rows = report.checked.worst_first();
    if !quiet {
        for row in rows.iter().filter(|r| !r.comparison.metrics.is_empty()).rev() {
            let mut lines = comparison_lines(&row.comparison, None);
            let more = row.accepted.is_some() || row.gap().is_some();
            lines.extend(more.then(|| paint(YELLOW, &super::verdict(row))));
            lines.push(paint(DIM, &super::how(&row.origin)));
            out += &format!("{}\n", block(&row.comparison.id, &lines));
        }
    }
    out += &check_table(report, &rows);
    for added in &report.checked.added {
        let _ = writeln!(out, "{YELLOW}added to the baselines:{RESET} {}", super::added(added));
    }
    out += &gaps(report);
    for (id, (comparison, base)) in &report.checked.drifted {
        let delta = comparison
            .metrics
            .first()
            .and_then(|m| m.change)
            .map_or_else(String::new, |i| format!(" by {}", change(i.est)));
        let _ = writeln!(
            out,
            "{YELLOW}drift: {} is slower{delta} than the oldest stored record, {}; no single step was{RESET}",
            line(id),
            line(base)
        );
    }
    let _ = writeln!(
        out,
        "{BOLD}{}{RESET} (base {}, order seed {})",
        report.headline(),
        line(report.base),
        report.seed
    );
    out
}

/// The table of a check: a row per case.
fn check_table(report: &CheckReport, rows: &[&Row]) -> String {
    let mut table =
        plain_table(["case", "change", "smallest detectable", "how", "verdict"].map(str::to_owned).into());
    for (id, failure) in &report.checked.failed {
        add_row(
            &mut table,
            [
                id.clone(),
                String::new(),
                String::new(),
                clipped(&failure.message),
                failure.kind.word().to_owned(),
            ],
        );
    }
    for row in rows {
        let first = row.comparison.metrics.first();
        let delta = first
            .and_then(|m| m.change)
            .map_or_else(|| "–".into(), |i| format!("{} [{} {}]", change(i.est), change(i.lo), change(i.hi)));
        let mde =
            first.and_then(|m| m.ruling.as_ref().ok()).map_or_else(|| "–".into(), |r| change(r.mde.exp_m1()));
        add_row(
            &mut table,
            [row.comparison.id.clone(), delta, mde, super::how(&row.origin), super::verdict(row)],
        );
    }
    table_text(&table)
}

/// What is missing before anyone can say that nothing regressed, and what to do about it.
fn gaps(report: &CheckReport) -> String {
    let mut out = String::new();
    for row in report.checked.worst_first() {
        let Some(next) = super::gap_next(row) else { continue };
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

/// The table at the end: a row per case, worst first.
pub fn table(record: &Record, compared: &BTreeMap<String, Compared>) -> String {
    let mut table = plain_table(
        ["case", "time", "p99", "thrpt", "budget", "change", "verdict"].map(str::to_owned).into(),
    );
    for id in record.failed.keys() {
        let word = record.failed.get(id).map_or("failed", |f| f.kind.word());
        add_row(&mut table, [id.as_str(), "", "", "", "", "", word]);
    }
    for r in worst_first(record, compared) {
        add_row(&mut table, row(&r));
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table_text(&table)
}

fn row(r: &RunRow) -> Vec<String> {
    let RunRow { id, case, figures, compared, verdict } = r;
    let shown = |f: Option<Figure>, show: &dyn Fn(f64) -> String| {
        f.map_or_else(|| "–".into(), |f| show(f.estimate()))
    };
    let budget = match figures.budget {
        None => "–",
        Some(b) if b.thin => "?",
        Some(b) if b.holds => "holds",
        Some(_) => "MISSED",
    };
    let first = compared.and_then(|c| c.comparison.metrics.first());
    let metric = match case.scenario {
        Scenario::Latency => "",
        Scenario::Throughput => " thrpt",
        Scenario::Capacity => " capacity",
    };
    let delta =
        first.and_then(|m| m.change).map_or_else(|| "–".into(), |i| format!("{}{metric}", change(i.est)));
    let verdict = verdict.as_ref().map_or("–", Verdict::word);
    vec![
        (*id).to_owned(),
        shown(figures.mean_ns, &time),
        shown(figures.p99_ns, &time),
        shown(figures.throughput_per_s, &rate),
        budget.into(),
        delta,
        verdict.into(),
    ]
}
