//! Turns results into text, for people and for machines. Pure: data in, text out; `cli` prints it.
//!
//! Text for people has ANSI colours; whoever prints it removes them where they are not wanted.

mod braille;
pub mod calibration;
pub mod discover;
pub mod github;
pub mod history;
pub mod json;
pub mod markdown;
pub mod plot;
pub mod scatter;
pub mod style;
pub mod terminal;

use crate::acceptance::AcceptanceStatus;
use crate::outcome::{Added, Checked, Row, RowOrigin};
use crate::printable::{line, message};
use crate::record::{Acceptance, short};
use crate::units::change;

/// A check, as every format shows it.
pub struct CheckReport<'a> {
    /// What the base is called.
    pub base: &'a str,
    /// What the head is called.
    pub head: &'a str,
    /// The device's name.
    pub device: &'a str,
    /// The seed of the order of the arms.
    pub seed: u64,
    /// The result of the check.
    pub checked: &'a Checked,
}

impl CheckReport<'_> {
    /// The answer in one line.
    pub fn headline(&self) -> String {
        let counts = self.checked.counts();
        let parts: Vec<String> = [
            (counts.regressed, "regressed"),
            (counts.accepted, "regressed but accepted"),
            (counts.failed, "failed"),
            (counts.invalid, "invalid"),
            (counts.inconclusive, "inconclusive"),
            (counts.not_compared, "not compared"),
            (counts.improved, "improved"),
            (counts.unchanged, "unchanged"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
        if parts.is_empty() { "nothing was checked".into() } else { parts.join(", ") }
    }
}

/// The verdict of a row, and whether somebody accepted it.
pub fn verdict(row: &Row) -> String {
    let word = row.comparison.verdict.word();
    match &row.accepted {
        None => word.to_owned(),
        Some(AcceptanceStatus::Honoured { reason, by }) => {
            format!("{word}, accepted: {} (by {})", line(reason), line(by))
        }
        Some(AcceptanceStatus::Stale { why }) => format!("{word}, stale acceptance: {}", line(why)),
    }
}

/// A record that head adds to the baselines, in one line.
pub fn added(added: &Added) -> String {
    let file = added.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let text = match (&added.record, added.acceptance()) {
        (Err(f), _) => format!("cannot be read: {}", message(&f.message)),
        (Ok(_), Some((_, acceptance))) => accepts(acceptance),
        (Ok(record), None) => format!("numbers of {}, accepts nothing", record.label()),
    };
    message(&format!("{}: {text}", line(&file)))
}

/// What an acceptance says, in one line.
pub fn accepts(a: &Acceptance) -> String {
    let changes: Vec<String> = a
        .changes
        .iter()
        .map(|(name, i)| format!("{name} {} [{} {}]", change(i.est), change(i.lo), change(i.hi)))
        .collect();
    message(&format!(
        "accepts a {} of {} against {}: {}. {} (by {})",
        a.kind.word(),
        a.case,
        short(&a.base_commit),
        changes.join(", "),
        line(&a.reason),
        line(&a.by)
    ))
}

/// How a row came about, in words.
pub fn how(origin: &RowOrigin) -> String {
    let pairs = |n: usize, discarded: usize| {
        let gone = if discarded > 0 { format!(", {discarded} discarded") } else { String::new() };
        format!("{n} pairs{gone}")
    };
    match origin {
        RowOrigin::SameEngine => "same engine, not measured".into(),
        RowOrigin::Pairs { pairs: n, discarded, confirmed: None } => pairs(*n, *discarded),
        RowOrigin::Pairs { pairs: n, discarded, confirmed: Some(true) } => {
            format!("{}, confirmed", pairs(*n, *discarded))
        }
        RowOrigin::Pairs { pairs: n, discarded, confirmed: Some(false) } => {
            format!("{}, not confirmed", pairs(*n, *discarded))
        }
        RowOrigin::Stored { why, base } => {
            format!("advisory, against stored numbers of {base}, because {why}")
        }
        RowOrigin::NoBase { why, .. } => format!("no base: {why}"),
    }
}
