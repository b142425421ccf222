//! Shows a check as GitHub-flavoured markdown: the answer, a table with the worst case first, then notes; the rest is
//! folded. Pure.

use super::{CheckReport, added, how, verdict};
use crate::case::Budget;
use crate::compare::{CaseComparison, MetricComparison, Verdict};
use crate::outcome::{Row, RowOrigin};
use crate::printable;
use crate::units::change;
use std::fmt::Write;

/// Rows shown before the rest is folded.
const OPEN_ROWS: usize = 20;

/// Text that can be shown, and that markdown and HTML leave alone, on one line: ids and messages come from configuration and tools.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable::message(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' | '!' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn sign(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed | Verdict::Invalid(_) => "❌",
        Verdict::Improved => "🟢",
        Verdict::Inconclusive(_) | Verdict::NotComparable(_) => "⚠️",
        Verdict::Unchanged | Verdict::ChangedWithinMargin => "✅",
    }
}

/// The whole report.
pub fn check(report: &CheckReport) -> String {
    let mut out = format!("## Inference performance: {}\n\n", report.headline());
    let _ = writeln!(
        out,
        "base {} · head {} · {} · order seed {}\n",
        escape(report.base),
        escape(report.head),
        escape(report.device),
        report.seed
    );
    for (id, failure) in &report.checked.failed {
        let _ =
            writeln!(out, "- ❌ **{}** {}: {}", escape(id), failure.kind.word(), escape(&failure.message));
    }
    for (id, (comparison, base)) in &report.checked.drifted {
        let _ = writeln!(
            out,
            "- ⚠️ **{}** drifted: {} against the oldest stored record, {}",
            escape(id),
            first_change(comparison),
            escape(base)
        );
    }
    for file in &report.checked.added {
        let _ = writeln!(out, "- ✍️ added to the baselines: {}", escape(&added(file)));
    }
    if let Some(text) = &report.checked.prepare_differs {
        let _ = writeln!(out, "- ⚠️ {}", escape(text));
    }
    for id in &report.checked.removed {
        let _ = writeln!(out, "- {} is gone: only the base has it", escape(id));
    }
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
    let rows = report.checked.worst_first();
    let (open, folded) = rows.split_at(rows.len().min(OPEN_ROWS));
    out += &table(open);
    if !folded.is_empty() {
        let _ = writeln!(
            out,
            "\n<details><summary>{} more</summary>\n\n{}\n</details>",
            folded.len(),
            table(folded)
        );
    }
    out
}

fn table(rows: &[&Row]) -> String {
    let mut out = String::from(
        "| | case | metric | base | head | change [95 % interval] | verdict |\n|---|---|---|---:|---:|---:|---|\n",
    );
    for row in rows {
        let c = &row.comparison;
        let sign = if c.verdict == Verdict::Regressed && !row.gates() { "⚠️" } else { sign(&c.verdict) };
        let mut metrics = c.metrics.iter().map(|m| numbers(m, c.budget));
        let first = metrics.next().unwrap_or_else(|| " | | |".into());
        let _ = writeln!(out, "| {sign} | {} | {first} | {} |", escape(&c.id), verdict_cell(row));
        for more in metrics {
            let _ = writeln!(out, "| | | {more} | |");
        }
    }
    out
}

fn verdict_cell(row: &Row) -> String {
    let c = &row.comparison;
    let verdict = match (c.verdict.reason(), &row.origin) {
        (Some(reason), _) => format!("{}: {}", c.verdict.word(), escape(&reason)),
        (None, h) => format!("{} ({})", escape(&verdict(row)), escape(&how(h))),
    };
    let test = c.unreal.map_or_else(String::new, |u| format!(" **not a real result: {}**", u.words()));
    let broken =
        c.broken_budget.as_ref().map_or_else(String::new, |why| format!("; {}", escape(&why.to_string())));
    let moved = c.moved.map_or_else(String::new, |moved| format!(" ({})", escape(&moved.to_string())));
    let advisory = if matches!(row.origin, RowOrigin::Stored { .. }) { " (advisory)" } else { "" };
    format!("{verdict}{broken}{test}{moved}{advisory}")
}

/// Metric, base, head and change: four cells without the outer bars.
fn numbers(m: &MetricComparison, budget: Option<Budget>) -> String {
    let show = |v: f64| match m.metric {
        _ if !v.is_finite() => "–".to_owned(),
        metric => metric.shown(v),
    };
    format!("{} | {} | {} | {}", m.metric.name(budget), show(m.base), show(m.head), change_cell(m))
}

/// A change with its interval; empty where there is none.
fn change_cell(m: &MetricComparison) -> String {
    m.change.map_or_else(String::new, |i| format!("{} [{} {}]", change(i.est), change(i.lo), change(i.hi)))
}

fn first_change(c: &CaseComparison) -> String {
    c.metrics.first().map_or_else(String::new, change_cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_break_out_of_its_cell() {
        let escaped = "a\\|b\\\\n&lt;script&gt;\\@me \\`x\\` \\[l\\](u)\\\\u{202e}";
        assert_eq!(escape("a|b\n<script>@me `x` [l](u)\u{202e}"), escaped);
    }
}
