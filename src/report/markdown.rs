//! Shows a check (and in `stored` a run and a comparison) as GitHub-flavoured markdown: the answer, a table with the worst case first, then notes; the rest is
//! folded. Pure.

mod stored;

pub use stored::{comparisons, run};

use super::layers::explanation;
use super::{CheckReport, added, decided_by, gap_next, how, interval, reason, verdict};
use crate::case::Budget;
use crate::compare::{CaseComparison, MetricComparison, Verdict};
use crate::outcome::{Row, RowOrigin};
use crate::printable;
use crate::record::Unreal;
use std::fmt::Write;

/// Rows shown before the rest is folded.
const OPEN_ROWS: usize = 20;

/// A space without width, in letters that can be seen in the file.
const APART: &str = "&#8203;";

/// Text that can be shown, and that markdown and HTML leave alone, on one line: ids and messages come from configuration
/// and tools. In a comment GitHub looks for names, numbers and addresses after the escapes are read, so it must not find any
/// in one piece.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable::message(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => {
                out.push('\\');
                out.push(c);
                out.push_str(APART);
            }
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => {
                let www = || out.as_bytes().last_chunk::<3>().is_some_and(|w| w.eq_ignore_ascii_case(b"www"));
                if c == '/' && out.ends_with(":/") || c == '.' && www() {
                    out.push_str(APART);
                }
                out.push(c);
            }
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
    let mut out = format!("## Inference performance: {}\n\n", escape(&report.headline()));
    let _ = writeln!(
        out,
        "base {} · head {} · {} · order seed {}\n",
        escape(report.base),
        escape(report.head),
        escape(report.device),
        report.seeds()
    );
    out += &notes(report);
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

/// What is to be known beside the table, a line each.
fn notes(report: &CheckReport) -> String {
    let mut out = String::new();
    if let Some(remark) = report.remark {
        let _ = writeln!(out, "- ⚠️ {}", escape(remark));
    }
    for (id, failure) in &report.checked.failed {
        let _ =
            writeln!(out, "- ❌ **{}** {}: {}", escape(id), failure.kind.word(), escape(&failure.message));
    }
    for (id, (comparison, base)) in &report.checked.drifted {
        let _ = writeln!(
            out,
            "- ⚠️ **{}** drifted: {} against the oldest stored record, {}",
            escape(id),
            escape(&decided_by(comparison).unwrap_or_default()),
            escape(base)
        );
    }
    for row in report.checked.worst_first() {
        if let Some(found) = &row.explained {
            let lines: Vec<String> = explanation(found).iter().map(|line| escape(line.trim())).collect();
            let _ = writeln!(out, "- **{}** {}", escape(&row.comparison.id), lines.join("; "));
        }
    }
    for file in &report.checked.added {
        let _ = writeln!(out, "- ✍️ added to the baselines: {}", escape(&added(file)));
    }
    if let Some(text) = &report.checked.prepare_differs {
        let _ = writeln!(out, "- ⚠️ {}", escape(text));
    }
    for found in report.checked.settings_changed() {
        let changed = escape(&found.changed.to_string());
        let cases: Vec<String> = found.cases.iter().map(|id| escape(id)).collect();
        let _ = writeln!(out, "- ⚠️ setting changed, the base's judges: {changed} ({})", cases.join(", "));
    }
    for row in report.checked.worst_first() {
        if let Some(next) = gap_next(report.checked, row) {
            let _ = writeln!(
                out,
                "- {} **{}** {}; {}",
                gap_sign(report, row),
                escape(&row.comparison.id),
                said(row),
                escape(&next)
            );
        }
    }
    out
}

fn table(rows: &[&Row]) -> String {
    let mut out = String::from(
        "| | case | metric | base | head | change [95 % interval] | verdict |\n|---|---|---|---:|---:|---:|---|\n",
    );
    for row in rows {
        let c = &row.comparison;
        let sign = match row.open_gap() {
            Some(_) if c.verdict != Verdict::Regressed => "⚠️",
            _ if c.verdict == Verdict::Regressed && !row.gates() => "⚠️",
            None if row.gap().is_some() && matches!(c.verdict, Verdict::NotComparable(_)) => "✅",
            _ => sign(&c.verdict),
        };
        let mut metrics = c.metrics.iter().map(|m| numbers(m, c.budget));
        let first = metrics.next().unwrap_or_else(|| " | | |".into());
        let _ = writeln!(out, "| {sign} | {} | {first} | {} |", escape(&c.id), verdict_cell(row));
        for more in metrics {
            let _ = writeln!(out, "| | | {more} | |");
        }
    }
    out
}

/// The verdict with its reason, where it has one.
fn said(row: &Row) -> String {
    let reason = reason(row).map_or_else(String::new, |why| format!(": {}", escape(&why)));
    format!("{}{reason}", escape(&verdict(row)))
}

fn gap_sign(report: &CheckReport, row: &Row) -> &'static str {
    if report.checked.fails_for_gap(row) { "❌" } else { "⚠️" }
}

fn verdict_cell(row: &Row) -> String {
    let c = &row.comparison;
    let mut cell = said(row);
    if c.verdict.reason().is_none() && !matches!(row.origin, RowOrigin::Stored { .. }) {
        cell += &format!(" ({})", escape(&how(&row.origin)));
    }
    cell += &remarks(c);
    if matches!(row.origin, RowOrigin::Stored { .. }) {
        cell += " (advisory)";
    }
    cell
}

/// What else is said of a comparison, behind its verdict.
fn remarks(c: &CaseComparison) -> String {
    let mut cell =
        c.broken_budget.as_ref().map_or_else(String::new, |why| format!("; {}", escape(&why.to_string())));
    if !c.engine_changes.is_empty() {
        cell += &format!("; what changed: {}", escape(&c.engine_changes.join(", ")));
    }
    if c.outputs_changed {
        cell += "; outputs differ";
    }
    cell += &no_result(c.unreal);
    cell += &c.moved.map_or_else(String::new, |moved| format!(" ({})", escape(&moved.to_string())));
    cell
}

/// Loud, so that nobody takes such a number for a result.
fn no_result(unreal: Option<Unreal>) -> String {
    unreal.map_or_else(String::new, |unreal| format!(" **not a real result: {}**", unreal.words()))
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
    m.change.map_or_else(String::new, |i| interval(&i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_break_out_of_its_cell() {
        let escaped = "a\\|b\\\\n&lt;script&gt;\\@&#8203;me \\`x\\` \\[l\\](u)\\\\u{202e}";
        assert_eq!(escape("a|b\n<script>@me `x` [l](u)\u{202e}"), escaped);
    }

    #[test]
    fn nothing_from_outside_becomes_a_link_or_a_mention() {
        for (text, escaped) in [
            ("p/a/b1/latency, 5 ms. See C:/x", "p/a/b1/latency, 5 ms. See C:/x"),
            ("@org/team owner/repo#1", "\\@&#8203;org/team owner/repo\\#&#8203;1"),
            ("https://evil.example a@b.example", "https:/&#8203;/evil.example a\\@&#8203;b.example"),
            ("www.evil.example WWW.x", "www&#8203;.evil.example WWW&#8203;.x"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }
}
