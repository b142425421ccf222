//! Turns results into text, for people and for machines. Pure: data in, text out; `cli` prints it.
//!
//! Text for people has ANSI colours; whoever prints it removes them where they are not wanted.

pub mod baselines;
mod braille;
pub mod calibration;
pub mod discover;
mod fold;
pub mod github;
pub mod history;
pub mod html;
pub mod json;
pub mod junit;
pub mod layers;
pub mod markdown;
pub mod memory;
pub mod past;
pub mod plot;
pub mod profile;
mod roofline;
pub mod scatter;
pub mod several;
pub mod style;
mod table;
pub mod terminal;

use crate::acceptance::AcceptanceStatus;
use crate::compare::{CaseComparison, Verdict};
use crate::outcome::{Added, AddedBy, AddedWhat, Checked, Figure, Gap, OnMissing, Row, RowOrigin};
use crate::printable::{line, message};
use crate::record::{Acceptance, short};
use crate::stats::Interval;
use crate::units::change;

pub use fold::fold;

/// What is said first of a session that Ctrl-C ended: what it measured may look complete.
const STOPPED: &str = "stopped early, so not everything was measured";

/// A check, as every format shows it.
pub struct CheckReport<'a> {
    /// What the base is called.
    pub base: &'a str,
    /// What the head is called.
    pub head: &'a str,
    /// The device's name.
    pub device: &'a str,
    /// The seeds of the order of the arms: several where several machines measured.
    pub seeds: &'a [u64],
    /// The result of the check.
    pub checked: &'a Checked,
    /// What is to be said first of all, such as that it is judged again.
    pub remark: Option<&'a str>,
}

impl CheckReport<'_> {
    /// The answer in one line.
    pub fn headline(&self) -> String {
        let counts = self.checked.counts();
        let parts: Vec<String> = [
            (counts.regressed, "regressed"),
            (counts.accepted, "regressed but accepted"),
            (counts.advisory, "regressed by stored numbers (advisory)"),
            (counts.failed, "failed"),
            (counts.invalid, "invalid"),
            (counts.removed, "removed"),
            (counts.redefined, "redefined"),
            (counts.not_compared, "not compared"),
            (counts.gaps_accepted, "removed, redefined or not compared but accepted"),
            (counts.inconclusive, "inconclusive"),
            (counts.new, "new"),
            (counts.improved, "improved"),
            (counts.unchanged, "unchanged"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .chain(self.settings_changed())
        .collect();
        let counted = if parts.is_empty() { "nothing was checked".into() } else { parts.join(", ") };
        if self.checked.interrupted { format!("{STOPPED}: {counted}") } else { counted }
    }
}

impl CheckReport<'_> {
    /// The seeds of the order of the arms, for people.
    pub fn seeds(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        seeds.join(", ")
    }

    /// By which settings head would be judged otherwise.
    pub fn settings_changed(&self) -> Option<String> {
        let found = self.checked.settings_changed();
        let all: Vec<String> = found.iter().map(|s| line(&s.changed.to_string())).collect();
        (!all.is_empty()).then(|| format!("settings changed: {}", all.join(", ")))
    }
}

/// The metric that decided, with its change: `p99 +3.40% [+3.20% +3.70%]`; `None` where nothing was compared.
pub fn decided_by(c: &CaseComparison) -> Option<String> {
    let m = c.deciding()?;
    Some(format!("{} {}", m.metric.name(c.budget), interval(&m.change?)))
}

/// A change with its interval: `+3.40% [+3.20% +3.70%]`.
pub(crate) fn interval(i: &Interval) -> String {
    format!("{} [{} {}]", change(i.est), change(i.lo), change(i.hi))
}

/// A number with its interval, where it has one: `1.2345 ms [1.2301 ms 1.2398 ms]`.
pub(crate) fn interval_of(figure: &Figure, show: &dyn Fn(f64) -> String) -> String {
    match figure {
        Figure::Interval(i) => format!("{} [{} {}]", show(i.est), show(i.lo), show(i.hi)),
        Figure::Single(v) => show(*v),
    }
}

/// The verdict of a row, what it misses, and whether somebody accepted either.
pub fn verdict(row: &Row) -> String {
    let word = match row.origin {
        RowOrigin::Removed => "removed",
        RowOrigin::New => "new",
        _ => row.comparison.verdict.word(),
    };
    let verdict = format!("{word}{}", accepted(row.accepted.as_ref()));
    let gap = accepted(row.gap_accepted.as_ref());
    match redefined(row) {
        Some(what) => format!("{verdict}; {what}{gap}"),
        None => verdict + &gap,
    }
}

/// What head asks otherwise.
fn redefined(row: &Row) -> Option<String> {
    let what: Vec<String> = row.redefined.iter().map(ToString::to_string).collect();
    (!what.is_empty()).then(|| line(&format!("redefined: {}", what.join(", "))))
}

fn accepted(status: Option<&AcceptanceStatus>) -> String {
    match status {
        None => String::new(),
        Some(AcceptanceStatus::Honoured { reason, by }) => {
            format!(", accepted: {} (by {})", line(reason), line(by))
        }
        Some(AcceptanceStatus::Stale { why }) => format!(", stale acceptance: {}", line(why)),
    }
}

/// What a row's verdict rests on: the metric that decided, or why there is no answer, or no better one.
pub fn reason(row: &Row) -> Option<String> {
    let c = &row.comparison;
    let reason = match c.verdict {
        Verdict::Regressed | Verdict::Improved if c.broken_budget.is_none() => decided_by(c),
        _ => c.verdict.reason(),
    };
    match row.origin {
        RowOrigin::Stored { .. } => {
            Some([Some(how(&row.origin)), reason].into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
        _ => reason,
    }
}

/// What to do about a row of a check that misses something though nothing regressed.
pub fn gap_next(of: &Checked, row: &Row) -> Option<String> {
    let accept = || {
        let id = line(&row.comparison.id);
        format!(
            "if that is meant: `cargo trt-perf baseline accept --case {id} --reason \"…\"`, and commit it"
        )
    };
    match row.open_gap()? {
        Gap::Removed | Gap::Redefined | Gap::NotComparable => Some(accept()),
        Gap::NoBase => Some(match of.on_missing {
            OnMissing::Fail => "mend the base, or say --on-missing warn or measure".into(),
            OnMissing::Warn => "mend the base, or say --on-missing measure".into(),
            OnMissing::Measure => "mend the base".into(),
        }),
    }
}

/// A file that head adds to the baselines, in one line.
pub fn added(added: &Added) -> String {
    let file = added.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let text = match (&added.what, added.acceptance()) {
        (AddedWhat::Calibration { device_key }, _) => {
            format!("a calibration of {device_key}, which this check does not use")
        }
        (_, Some((_, acceptance))) => accepts(acceptance),
        (AddedWhat::Record(record), None) => match &**record {
            Err(f) => format!("cannot be read: {}", message(&f.message)),
            Ok(record) => format!("numbers of {}, accepts nothing", record.label()),
        },
    };
    let who = match &added.by {
        AddedBy::Commit { author, date, commit } => {
            format!(", added by {} on {date} in {}", line(author), short(commit))
        }
        AddedBy::NotCommitted => ", not committed".into(),
        AddedBy::Unknown => String::new(),
    };
    message(&format!("{}{who}: {text}", line(&file)))
}

/// What an acceptance says, in one line.
pub fn accepts(a: &Acceptance) -> String {
    let changes: Vec<String> = a.changes.iter().map(|(name, i)| format!("{name} {}", interval(i))).collect();
    let what = a.redefined.iter().cloned().chain(changes).collect::<Vec<_>>().join(", ");
    let what = if what.is_empty() { String::new() } else { format!("{what}. ") };
    message(&format!(
        "accepts a {} of {} against {}: {what}{} (by {})",
        a.kind.word(),
        a.case,
        short(&a.base_commit),
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
        RowOrigin::NoBase { why } => format!("no base: {why}"),
        RowOrigin::New => "the base has no such case".into(),
        RowOrigin::Removed => "gone: only the base has it".into(),
        RowOrigin::NotMeasured => "not measured".into(),
    }
}
