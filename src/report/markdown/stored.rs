//! A run, and records that were compared without measuring, as markdown.

use super::{escape, no_result, numbers, remarks, sign};
use crate::compare::{CaseComparison, Verdict};
use crate::outcome::{RunOutcome, worst_first};
use crate::report::{STOPPED, terminal};
use crate::units::plural;
use std::fmt::Write;

/// What a run measured: a row per case, worst first.
pub fn run(outcome: &RunOutcome) -> String {
    let record = &outcome.record;
    let stopped = if outcome.interrupted { format!("{STOPPED}: ") } else { String::new() };
    let measured = plural(record.cases.len(), "case");
    let mut out = format!("## Inference performance: {stopped}{measured} measured\n\n");
    let _ = writeln!(out, "{} · {}\n", escape(&record.label()), escape(&record.device.key));
    for (id, failure) in &record.failed {
        let _ =
            writeln!(out, "- ❌ **{}** {}: {}", escape(id), failure.kind.word(), escape(&failure.message));
    }
    if !record.failed.is_empty() {
        out.push('\n');
    }
    out +=
        "| | case | time | p99 | thrpt | budget | change | verdict |\n|---|---|---:|---:|---:|---|---|---|\n";
    for row in worst_first(record, &outcome.compared) {
        let sign = row.verdict.as_ref().map_or("", sign);
        let cells: Vec<String> = terminal::run_cells(&row).iter().map(|cell| escape(cell)).collect();
        let why = row.verdict.as_ref().and_then(Verdict::reason);
        let why = why.map_or_else(String::new, |why| format!(": {}", escape(&why)));
        let alone = || no_result(row.case.engine.unreal());
        let more = row.compared.map_or_else(alone, |c| remarks(&c.comparison));
        let _ = writeln!(out, "| {sign} | {}{why}{more} |", cells.join(" | "));
    }
    out
}

/// Records, or folders of samples, that were compared; `comparisons` in the order in which they are to stand.
pub fn comparisons<'a>(
    base: &str,
    head: &str,
    comparisons: impl IntoIterator<Item = &'a CaseComparison>,
) -> String {
    let mut out = format!("## Inference performance\n\nbase {} · head {}\n\n", escape(base), escape(head));
    out += "| | case | metric | base | head | change [95 % interval] | verdict |\n|---|---|---|---:|---:|---:|---|\n";
    for c in comparisons {
        let mut metrics = c.metrics.iter().map(|m| numbers(m, c.budget));
        let first = metrics.next().unwrap_or_else(|| " | | |".into());
        let why = c.verdict.reason().map_or_else(String::new, |why| format!(": {}", escape(&why)));
        let (sign, word) = (sign(&c.verdict), escape(&c.word()));
        let _ = writeln!(out, "| {sign} | {} | {first} | {word}{why}{} |", escape(&c.id), remarks(c));
        metrics.for_each(|more| {
            let _ = writeln!(out, "| | | {more} | |");
        });
    }
    out
}
