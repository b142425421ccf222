//! Judged metrics → the one word of a case. Pure.

use super::{Basis, MetricComparison, Sessions};
use crate::case::Budget;
use crate::stats::{Decision, Doubt, Ruling};

/// What the comparison of a case comes to. Sign and word are oriented: regressed means worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Regressed,
    Improved,
    Unchanged,
    /// Real, and too small to matter.
    ChangedWithinMargin,
    Inconclusive(String),
    /// The two numbers do not answer the same question.
    NotComparable(String),
    /// A number cannot be trusted.
    Invalid(String),
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::ChangedWithinMargin => "changed within the margin",
            Self::Inconclusive(_) => "inconclusive",
            Self::NotComparable(_) => "not comparable",
            Self::Invalid(_) => "invalid",
        }
    }

    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Inconclusive(r) | Self::NotComparable(r) | Self::Invalid(r) => Some(r),
            _ => None,
        }
    }

    /// Worst first: the order of tables.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Regressed => 0,
            Self::Invalid(_) => 1,
            Self::NotComparable(_) => 2,
            Self::Inconclusive(_) => 3,
            Self::Improved => 4,
            Self::ChangedWithinMargin => 5,
            Self::Unchanged => 6,
        }
    }
}

/// The verdict of a case: that of its metrics, unless head breaks the budget that the base kept.
pub fn verdict_of(metrics: &[MetricComparison], budget: Option<Budget>, broken: Option<&str>) -> Verdict {
    if broken.is_some() { Verdict::Regressed } else { case_verdict(metrics, budget) }
}

/// The worst of the judged metrics: one regression is a regression, one doubt is a doubt.
pub fn case_verdict(metrics: &[MetricComparison], budget: Option<Budget>) -> Verdict {
    let judged: Vec<(&MetricComparison, &Ruling)> =
        metrics.iter().filter_map(|m| m.ruling.as_ref().ok().map(|r| (m, r))).collect();
    let has = |d: Decision| judged.iter().any(|(_, r)| r.decision == d);
    if judged.is_empty() {
        let why = metrics
            .iter()
            .find_map(|m| m.ruling.as_ref().err().map(|e| format!("{}: {e}", m.metric.name(budget))));
        return Verdict::Inconclusive(why.unwrap_or_else(|| "nothing to judge".into()));
    }
    if has(Decision::Regressed) {
        return Verdict::Regressed;
    }
    if let Some((m, r)) = judged.iter().find(|(_, r)| r.decision == Decision::Inconclusive) {
        return Verdict::Inconclusive(doubt(m, r, budget));
    }
    if has(Decision::Improved) {
        Verdict::Improved
    } else if has(Decision::ChangedWithinMargin) {
        Verdict::ChangedWithinMargin
    } else {
        Verdict::Unchanged
    }
}

/// Why a metric was not decided, and what would help.
fn doubt(m: &MetricComparison, r: &Ruling, budget: Option<Budget>) -> String {
    let name = m.metric.name(budget);
    match r.doubt {
        Some(Doubt::TestsDisagree) => {
            return format!(
                "{name}: the t interval and the exact test disagree; outlying processes are likely"
            );
        }
        Some(Doubt::NoSpread) => {
            return format!(
                "{name}: all processes gave the same number, so nothing tells how much it varies"
            );
        }
        Some(Doubt::Multiplicity) => {
            return format!("{name}: among this many cases such a change is expected by chance");
        }
        _ => {}
    }
    match r.units_to_settle {
        Some(n) => format!("{name} is too uncertain; about {n} processes would settle it"),
        None if m.basis == Basis::Sessions(Sessions::Assumed) => {
            format!(
                "{name} is too uncertain; how much sessions differ on this machine is not known (`cargo trt-perf calibrate` or five stored sessions tell)"
            )
        }
        None => format!("{name} is too uncertain to be settled by more processes"),
    }
}
