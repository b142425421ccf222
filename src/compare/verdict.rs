//! Joins the decisions on a case's metrics into one verdict. Pure.

use super::reason::{BrokenBudget, Inconclusive, Invalid, NotComparable, Remedy};
use super::{Basis, MetricComparison, Sessions};
use crate::case::Budget;
use crate::stats::{Decision, Doubt, Ruling};

/// What the comparison of a case comes to. Sign and word are oriented: regressed means worse.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A metric became worse by more than its margin.
    Regressed,
    /// A metric became better by more than its margin, and none became worse.
    Improved,
    /// Every judged metric changed by less than its margin.
    Unchanged,
    /// Real, and too small to matter.
    ChangedWithinMargin,
    /// The numbers do not decide; with the reason.
    Inconclusive(Inconclusive),
    /// The two numbers do not answer the same question.
    NotComparable(NotComparable),
    /// A number cannot be trusted.
    Invalid(Invalid),
}

impl Verdict {
    /// As in tables and messages.
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

    /// Why there is no answer, in words.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Inconclusive(why) => Some(why.to_string()),
            Self::NotComparable(why) => Some(why.to_string()),
            Self::Invalid(why) => Some(why.to_string()),
            Self::Regressed | Self::Improved | Self::Unchanged | Self::ChangedWithinMargin => None,
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
pub fn verdict_of(
    metrics: &[MetricComparison],
    budget: Option<Budget>,
    broken: Option<&BrokenBudget>,
) -> Verdict {
    if broken.is_some() { Verdict::Regressed } else { case_verdict(metrics, budget) }
}

/// The worst of the judged metrics: one regression is a regression, one doubt is a doubt.
pub fn case_verdict(metrics: &[MetricComparison], budget: Option<Budget>) -> Verdict {
    let judged: Vec<(&MetricComparison, &Ruling)> =
        metrics.iter().filter_map(|m| m.ruling.as_ref().ok().map(|r| (m, r))).collect();
    let has = |d: Decision| judged.iter().any(|(_, r)| r.decision == d);
    if judged.is_empty() {
        let unjudged = metrics.iter().find_map(|m| m.ruling.as_ref().err().map(|why| (m, why)));
        return Verdict::Inconclusive(match unjudged {
            Some((m, why)) => Inconclusive::NotJudged { metric: m.metric.name(budget), why: why.clone() },
            None => Inconclusive::NothingToJudge,
        });
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
fn doubt(m: &MetricComparison, r: &Ruling, budget: Option<Budget>) -> Inconclusive {
    let metric = m.metric.name(budget);
    match r.doubt {
        Some(Doubt::NoSpread) => Inconclusive::NoSpread { metric },
        Some(Doubt::Multiplicity) => Inconclusive::ByChance { metric },
        Some(Doubt::TooFewUnits | Doubt::TooWide) | None => {
            let remedy = match r.units_to_settle {
                Some(n) => Remedy::Processes(n),
                None if m.basis == Basis::Sessions(Sessions::Assumed) => Remedy::Calibration,
                None => Remedy::Unknown,
            };
            Inconclusive::TooUncertain { metric, remedy }
        }
    }
}
