//! The page of a memory session.

use super::check::failed;
use super::view::{PageCase, TableCell, Tone, View};
use super::{Details, figure, phases, render};
use crate::error::Result;
use crate::outcome::{CaseDetail, MemoryOutcome, MemoryRow};
use crate::record::{UNKNOWN, Unreal, short};
use crate::report::memory::{said, size};
use crate::units::{bytes, plural};

const COLUMNS: [(&str, bool); 6] = [
    ("case", false),
    ("traced peak", true),
    ("process", true),
    ("plan", true),
    ("budget", true),
    ("verdict", false),
];

/// The page of a memory session.
pub fn memory(outcome: &MemoryOutcome, details: &Details) -> Result<String> {
    let failed = outcome.failed.iter().map(|(id, failure)| failed(id, failure, COLUMNS.len()));
    let cases = failed.chain(outcome.rows.iter().map(|row| of_row(row, details.get(&row.id)))).collect();
    let mut view = View::new("Memory of inference", &headline(outcome), &COLUMNS, cases);
    let record = &outcome.record;
    view.fact("measured", &record.created);
    let dirty = if record.dirty { " with changes" } else { "" };
    let commit = record.commit.as_deref().map_or(UNKNOWN, short);
    view.fact("commit", &format!("{commit}{dirty}"));
    view.fact("base", outcome.base.as_deref().unwrap_or_default());
    view.fact("device", &record.device);
    if outcome.rows.iter().any(|row| row.memory.of_test_library()) {
        view.note(Tone::Bad, &format!("not a real result: {}", Unreal::TestLibrary.words()));
    }
    if outcome.interrupted {
        view.note(Tone::Warn, "stopped by Ctrl-C: not every case was measured");
    }
    render(&view)
}

fn headline(outcome: &MemoryOutcome) -> String {
    let counts = [(outcome.over(), "over the budget"), (outcome.failed.len(), "failed")];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}"));
    plural(outcome.rows.len(), "case") + " measured" + &counts.collect::<String>()
}

fn of_row(row: &MemoryRow, detail: Option<&CaseDetail>) -> PageCase {
    let memory = &row.memory;
    let (word, tone) = match (&row.over, &row.differences, row.budget) {
        (Some(_), _, _) => ("over the budget", Tone::Bad),
        (None, Some(all), _) if !all.is_empty() => ("differs", Tone::Warn),
        (None, Some(_), _) => ("the same", Tone::Calm),
        (None, None, Some(_)) if memory.judged_bytes().is_some() => ("within the budget", Tone::Good),
        (None, None, _) => ("measured", Tone::Calm),
    };
    let number =
        |label, value: Option<u64>| TableCell::number(label, value.map(|n| n as f64), |n| bytes(n as u64));
    let cells = vec![
        TableCell::case(&row.id),
        number("traced peak", memory.run.traced_peak()),
        number("process", memory.run.process_peak()),
        number("plan", Some(memory.engine.plan_bytes)),
        number("budget", row.budget),
        TableCell::verdict(tone as u8, ""),
    ];
    let mut case = PageCase::new(&row.id, (word, tone), cells);
    case.say([format!("{}, judged by {}.", memory.library, size(memory.judged_bytes()))]);
    case.say(said(row).into_iter().map(|(_, text)| text));
    if let Some(detail) = detail {
        if let Some((columns, rows)) = detail.memory.as_ref().map(phases::rows) {
            case.table("Each phase", columns, rows);
        }
        case.draw(figure::all(detail, false));
    }
    case
}
