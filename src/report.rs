//! What people and machines read. Pure: data in, text out; `cli` prints it.
//!
//! Text for people carries ANSI colours; whoever prints it strips them where they are not wanted.

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

use crate::acceptance::Standing;
use crate::case::Budget;
use crate::compare::Verdict;
use crate::record::{Acceptance, CaseRecord, short};
use crate::session::Added;
use crate::session::check::{Checked, How, Row};
use crate::stats::{Interval, geometric_mean_interval};
use crate::units::change;

/// A check, as every format shows it.
pub struct CheckReport<'a> {
    pub base: &'a str,
    pub head: &'a str,
    pub device: &'a str,
    /// Of the order of the arms.
    pub seed: u64,
    pub checked: &'a Checked,
}

impl CheckReport<'_> {
    /// The rows, worst first.
    pub fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.checked.rows.values().collect();
        rows.sort_by_key(|r| (r.comparison.verdict.rank(), !r.gates(), r.comparison.id.clone()));
        rows
    }

    /// The answer in one line.
    pub fn headline(&self) -> String {
        let count = |test: &dyn Fn(&Row) -> bool| self.checked.rows.values().filter(|r| test(r)).count();
        let parts: Vec<String> = [
            (count(&|r| r.gates() && r.comparison.verdict == Verdict::Regressed), "regressed"),
            (count(&|r| matches!(r.accepted, Some(Standing::Honoured { .. }))), "regressed but accepted"),
            (self.checked.failed.len(), "failed"),
            (count(&|r| matches!(r.comparison.verdict, Verdict::Invalid(_))), "invalid"),
            (count(&|r| matches!(r.comparison.verdict, Verdict::Inconclusive(_))), "inconclusive"),
            (count(&|r| matches!(r.comparison.verdict, Verdict::NotComparable(_))), "not compared"),
            (count(&|r| r.comparison.verdict == Verdict::Improved), "improved"),
            (
                count(&|r| matches!(r.comparison.verdict, Verdict::Unchanged | Verdict::ChangedWithinMargin)),
                "unchanged",
            ),
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
        Some(Standing::Honoured { reason, by }) => {
            format!("{word}, accepted: {} (by {})", one_line(reason), one_line(by))
        }
        Some(Standing::Stale { why }) => format!("{word}, stale acceptance: {}", one_line(why)),
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
pub fn how(how: &How) -> String {
    let pairs = |n: usize, discarded: usize| {
        let gone = if discarded > 0 { format!(", {discarded} discarded") } else { String::new() };
        format!("{n} pairs{gone}")
    };
    match how {
        How::SameEngine => "same engine, not measured".into(),
        How::Pairs { pairs: n, discarded, confirmed: None } => pairs(*n, *discarded),
        How::Pairs { pairs: n, discarded, confirmed: Some(true) } => {
            format!("{}, confirmed", pairs(*n, *discarded))
        }
        How::Pairs { pairs: n, discarded, confirmed: Some(false) } => {
            format!("{}, not confirmed", pairs(*n, *discarded))
        }
        How::Stored { why, base } => format!("advisory, against stored numbers of {base}, because {why}"),
        How::NoBase { why, .. } => format!("no base: {why}"),
    }
}

/// Confidence of every interval shown.
pub const CONFIDENCE: f64 = 0.95;

/// One number of a case over its processes: `[lo est hi]`, or only the estimate where there is one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    Interval(Interval),
    Single(f64),
}

impl Figure {
    /// `None` where no process has the number.
    pub fn of(values: &[f64]) -> Option<Self> {
        match geometric_mean_interval(values, CONFIDENCE) {
            Ok(interval) => Some(Self::Interval(interval)),
            Err(_) => values.first().map(|v| Self::Single(*v)),
        }
    }

    pub fn estimate(&self) -> f64 {
        match self {
            Self::Interval(i) => i.est,
            Self::Single(v) => *v,
        }
    }
}

/// Whether the budget's percentile holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetResult {
    pub budget: Budget,
    /// Share of all requests over the budget.
    pub over_frac: f64,
    pub holds: bool,
    /// Too few requests to judge that percentile.
    pub thin: bool,
}

/// The budget of a case against what was measured, over the requests of all processes.
pub fn budget_result(case: &CaseRecord) -> Option<BudgetResult> {
    let budget = case.budget?;
    let requests: u64 = case.processes.iter().map(|s| s.requests).sum();
    let over: f64 =
        case.processes.iter().map(|s| s.over_budget_frac.unwrap_or(0.0) * s.requests as f64).sum();
    let over_frac = if requests == 0 { 0.0 } else { over / requests as f64 };
    Some(BudgetResult {
        budget,
        over_frac,
        holds: over_frac <= 1.0 - budget.quantile,
        thin: !crate::stats::is_judged(requests, budget.quantile),
    })
}
