//! The page of a check.

use super::view::{PageCase, TableCell, Tone, View};
use super::{Details, case, render};
use crate::compare::Verdict;
use crate::error::{Failure, Result};
use crate::outcome::{Row, RowOrigin};
use crate::report::{CheckReport, added, decided_by, gap_next, how, reason, verdict};

/// The page of a check.
pub fn check(report: &CheckReport, details: &Details) -> Result<String> {
    let checked = report.checked;
    let failed = checked.failed.iter().map(|(id, failure)| failed(id, failure, case::COMPARED.len()));
    let rows = checked.worst_first().into_iter().map(|row| of_row(row, details));
    let cases = failed.chain(rows).collect();
    let mut view =
        View::new("Inference performance of head against base", &report.headline(), &case::COMPARED, cases);
    view.fact("base", report.base);
    view.fact("head", report.head);
    view.fact("device", report.device);
    view.fact("order seed", &report.seeds());
    for (name, value) in &checked.records[1].device.soft {
        view.fact(name, value);
    }
    notes(report, &mut view);
    render(&view)
}

/// What is to be known beside the table.
fn notes(report: &CheckReport, view: &mut View) {
    let checked = report.checked;
    report.remark.iter().for_each(|remark| view.note(Tone::Warn, remark));
    let unreal = checked.rows.values().find_map(|row| row.comparison.unreal);
    if let Some(unreal) = unreal {
        view.note(Tone::Bad, &format!("not a real result: {}", unreal.words()));
    }
    for (id, (comparison, base)) in &checked.drifted {
        let by = decided_by(comparison).unwrap_or_default();
        view.note(Tone::Warn, &format!("{id} drifted: {by} against the oldest stored record, {base}"));
    }
    for file in &checked.added {
        view.note(Tone::Calm, &format!("added to the baselines: {}", added(file)));
    }
    if let Some(text) = &checked.prepare_differs {
        view.note(Tone::Warn, text);
    }
    for found in checked.settings_changed() {
        let text =
            format!("setting changed, the base's judges: {} ({})", found.changed, found.cases.join(", "));
        view.note(Tone::Warn, &text);
    }
    for row in checked.worst_first() {
        if let Some(next) = gap_next(checked, row) {
            let tone = if checked.fails_for_gap(row) { Tone::Bad } else { Tone::Warn };
            let why = reason(row).map_or_else(String::new, |why| format!(": {why}"));
            view.note(tone, &format!("{} {}{why}; {next}", row.comparison.id, verdict(row)));
        }
    }
}

/// A case that could not be built or measured, in a table of so many columns.
pub(super) fn failed(id: &str, failure: &Failure, columns: usize) -> PageCase {
    let mut cells = vec![TableCell::case(id)];
    cells.extend((2..columns).map(|_| TableCell::text("", "")));
    cells.push(TableCell::verdict(0, ""));
    let mut case = PageCase::new(id, (failure.kind.word(), Tone::Bad), cells);
    case.say(std::iter::once(failure.message.clone()).chain(failure.parts.iter().cloned()));
    case.say((!failure.next.is_empty()).then(|| format!("Next: {}", failure.next)));
    case
}

fn of_row(row: &Row, details: &Details) -> PageCase {
    let c = &row.comparison;
    let word = match row.origin {
        RowOrigin::Removed => "removed",
        RowOrigin::New => "new",
        _ => c.verdict.word(),
    };
    let all = verdict(row);
    let more = all.strip_prefix(word).unwrap_or(&all).trim_start_matches([',', ';', ' ']);
    let mut case = PageCase::new(&c.id, (word, tone(row)), case::cells(c, more));
    case.say((!more.is_empty()).then(|| more.to_owned()));
    case::compared(&mut case, c);
    case.say([format!("Measured: {}.", how(&row.origin))]);
    case.differ(row.settings.iter().map(|changed| format!("setting: {changed}")));
    case.differ(row.redefined.iter().map(|changed| format!("what is asked: {changed}")));
    if let Some(detail) = details.get(&c.id) {
        case::measured(&mut case, detail, matches!(row.origin, RowOrigin::Pairs { .. }));
    }
    case
}

fn tone(row: &Row) -> Tone {
    match (&row.comparison.verdict, row.open_gap()) {
        (Verdict::Regressed, _) if !row.gates() => Tone::Warn,
        (Verdict::NotComparable(_), None) => Tone::Calm,
        (verdict, gap) => case::tone(verdict).min(if gap.is_some() { Tone::Warn } else { Tone::Calm }),
    }
}
