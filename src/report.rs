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
            format!("{word}, accepted: {} (by {})", one_line(reason), one_line(by))
        }
        Some(AcceptanceStatus::Stale { why }) => format!("{word}, stale acceptance: {}", one_line(why)),
    }
}

/// A record that head adds to the baselines, in one line.
pub fn added(added: &Added) -> String {
    let file = added.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let text = match (&added.record, added.acceptance()) {
        (Err(f), _) => format!("cannot be read: {}", f.message),
        (Ok(_), Some((_, acceptance))) => accepts(acceptance),
        (Ok(record), None) => format!("numbers of {}, accepts nothing", record.label()),
    };
    one_line(&format!("{file}: {text}"))
}

/// What an acceptance says, in one line.
pub fn accepts(a: &Acceptance) -> String {
    let changes: Vec<String> = a
        .changes
        .iter()
        .map(|(name, i)| format!("{name} {} [{} {}]", change(i.est), change(i.lo), change(i.hi)))
        .collect();
    one_line(&format!(
        "accepts a {} of {} against {}: {}. {} (by {})",
        a.kind.word(),
        a.case,
        short(&a.base_commit),
        changes.join(", "),
        a.reason,
        a.by
    ))
}

/// Text from outside on one line and of a bearable length: it must neither steer the terminal nor, on GitHub, begin
/// a workflow command.
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
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
