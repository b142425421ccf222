//! Shows how a case changed: a line per metric with the times of both arms, the sentence, and the row of a table.

use super::colour;
use crate::compare::{CaseComparison, MetricComparison, Verdict};
use crate::error::Failure;
use crate::outcome::Base;
use crate::report::style::{BOLD, DIM, RED, YELLOW, clipped, paint};
use crate::report::table::TextTable;
use crate::report::{decided_by, interval};
use crate::units::{change, p_value, share};

/// Why a regression fails nothing, and what would let it.
const ADVISORY: &str = "advisory, fails nothing: how much sessions differ here is not known; measure it (`cargo trt-perf calibrate`), or state it (--assume-session-sd)";

/// A line per metric, the sentence, and what it was compared with.
pub(super) fn lines(c: &CaseComparison, base: Option<&Base>) -> Vec<String> {
    let label = |i: usize| if i == 0 { "change:" } else { "" };
    let mut lines: Vec<String> =
        c.metrics.iter().enumerate().map(|(i, m)| format!("{:<8}{}", label(i), metric_line(m, c))).collect();
    lines.push(paint(colour(&c.verdict), &sentence(c)));
    lines.extend(c.is_advisory().then(|| paint(YELLOW, ADVISORY)));
    lines.extend(c.broken_budget.as_ref().map(|why| paint(RED, &format!("the budget is broken: {why}"))));
    if !c.engine_changes.is_empty() {
        lines.push(paint(DIM, &format!("what changed: {}", c.engine_changes.join(", "))));
    }
    lines.extend(c.moved.map(|moved| paint(DIM, &moved.to_string())));
    lines.extend(c.unreal.map(|u| paint(RED, &format!("not a real result: {}", u.words()))));
    if c.outputs_changed {
        let how =
            c.output_difference.as_ref().map_or(String::new(), |d| format!("; they differ most in {d}"));
        lines.push(paint(YELLOW, &format!("the outputs are not the same as the base's{how}")));
    }
    lines.extend(crate::report::calibration::basis(c).map(|note| paint(DIM, &note)));
    lines.extend(base.map(base_lines).unwrap_or_default());
    lines
}

fn base_lines(base: &Base) -> Vec<String> {
    let ago = match base.steps {
        None => "as named".to_owned(),
        Some(0) => "this commit".to_owned(),
        Some(1) => "1 commit before HEAD".to_owned(),
        Some(n) => format!("{n} commits before HEAD"),
    };
    let mut lines = vec![paint(DIM, &format!("base: {}, {ago}", base.label))];
    if !base.soft_differences.is_empty() {
        let since = format!("advisory: since the base {}", base.soft_differences.join(", "));
        lines.push(paint(YELLOW, &since));
    }
    lines
}

/// Name, both arms' values, and the change with its interval.
fn metric_line(m: &MetricComparison, c: &CaseComparison) -> String {
    let shown = match (&m.ruling, &m.change) {
        (Ok(ruling), Some(i)) => {
            format!(
                "[{} {} {}] ({})",
                paint(DIM, &change(i.lo)),
                paint(BOLD, &change(i.est)),
                paint(DIM, &change(i.hi)),
                p_value(ruling.p_zero)
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
    let arms = format!("{} → {}", value(m, m.base), value(m, m.head));
    // As wide as the longest name of most cases, `throughput`.
    format!("{:<10} {arms}  {shown}", m.metric.name(c.budget))
}

fn value(m: &MetricComparison, value: f64) -> String {
    if value.is_finite() { m.metric.shown(value) } else { "–".to_owned() }
}

/// The verdict as a plain sentence, with the number that decided.
pub fn sentence(c: &CaseComparison) -> String {
    let by = || decided_by(c).map_or_else(String::new, |what| format!(": {what}"));
    match &c.verdict {
        Verdict::Regressed => match &c.broken_budget {
            Some(_) => "Performance has regressed: the budget is broken.".into(),
            None => format!("Performance has regressed{}.", by()),
        },
        Verdict::Improved => format!("Performance has improved{}.", by()),
        Verdict::Unchanged => format!("No change{}.", within(c, ": any difference is within ")),
        Verdict::ChangedWithinMargin => format!("A real change{}.", within(c, ", but within ")),
        Verdict::Inconclusive(why) => format!("Inconclusive: {why}."),
        Verdict::NotComparable(why) => format!("Not compared: {why}."),
        Verdict::Invalid(why) => format!("Invalid: {why}."),
    }
}

/// The margins that the judged metrics kept; empty where none was judged.
fn within(c: &CaseComparison, lead: &str) -> String {
    let margins = c.margins_shown();
    let all: Vec<String> =
        margins.iter().map(|(margin, names)| format!("±{} ({})", share(*margin), names.join(", "))).collect();
    if all.is_empty() { String::new() } else { format!("{lead}{}", all.join(" and ")) }
}

/// The cells of a compared case: the metric that decided, with both arms' values. `how` it was measured, where that
/// differs from case to case.
pub(super) fn cells(c: &CaseComparison, how: Option<String>, verdict: String) -> Vec<String> {
    let dash = || "–".to_owned();
    let m = c.deciding();
    let of = |show: &dyn Fn(&MetricComparison) -> Option<String>| m.and_then(show).unwrap_or_else(dash);
    let mut cells = vec![
        c.id.clone(),
        of(&|m| Some(m.metric.name(c.budget))),
        of(&|m| Some(value(m, m.base))),
        of(&|m| Some(value(m, m.head))),
        of(&|m| Some(interval(&m.change?))),
        of(&|m| Some(change(m.ruling.as_ref().ok()?.mde.exp_m1()))),
    ];
    cells.extend(how);
    cells.push(verdict);
    cells
}

/// The cells of a case that failed, in a table that says how each was measured.
pub(super) fn failed_cells(id: &str, failure: &Failure) -> Vec<String> {
    let mut cells = vec![String::new(); 8];
    cells[0] = id.to_owned();
    cells[6] = clipped(&failure.message);
    cells[7] = failure.kind.word().to_owned();
    cells
}

/// A row per case, in the order given.
pub(super) fn table(rows: impl Iterator<Item = Vec<String>>, says_how: bool, width: usize) -> String {
    let mut header = vec!["case", "metric", "base", "head", "change", "detects"];
    header.extend(says_how.then_some("how"));
    header.push("verdict");
    let mut table = TextTable::new(header).numbers(2..6);
    rows.for_each(|cells| table.row(cells));
    table.text(width)
}
