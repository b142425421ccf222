//! Joins the decisions on a case's metrics into one verdict. Pure.

use super::reason::{BrokenBudget, Inconclusive, Invalid, NotComparable, NotJudged, Remedy};
use super::{Metric, MetricComparison};
use crate::case::{Budget, Margins};
use crate::stats::{Decision, Doubt, Ruling};

/// What the comparison of a case comes to. Sign and word are oriented: regressed means worse.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A metric became worse by more than its margin.
    Regressed,
    /// A metric became better by more than its margin, and all others are no worse than theirs allow.
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

    /// What its metrics must have been decided to be, for it to rest on them; `None` where it claims no change.
    pub(super) fn claim(&self) -> Option<Decision> {
        match self {
            Self::Regressed => Some(Decision::Regressed),
            Self::Improved => Some(Decision::Improved),
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
pub fn verdict_of(
    metrics: &[MetricComparison],
    budget: Option<Budget>,
    margins: Margins,
    broken: Option<&BrokenBudget>,
) -> Verdict {
    if broken.is_some() { Verdict::Regressed } else { case_verdict(metrics, budget, margins) }
}

/// One regression is a regression. Otherwise a metric that decides the case and was not judged leaves it undecided: what
/// was not looked at has not passed. One improvement is an improvement where all others are shown to be no worse; that
/// everything else is decided, too, is not asked, or a noisy tail would hide every improvement of the rest.
pub fn case_verdict(metrics: &[MetricComparison], budget: Option<Budget>, margins: Margins) -> Verdict {
    let judged: Vec<(&MetricComparison, &Ruling)> =
        metrics.iter().filter_map(|m| m.ruling.as_ref().ok().map(|r| (m, r))).collect();
    let has = |d: Decision| judged.iter().any(|(_, r)| r.decision == d);
    if has(Decision::Regressed) {
        return Verdict::Regressed;
    }
    let unjudged = |gates: bool| {
        let gating = |m: &&MetricComparison| !gates || m.leaves_open();
        metrics.iter().filter(gating).find_map(|m| Some((m, m.ruling.as_ref().err()?)))
    };
    if let Some((m, why)) = unjudged(!judged.is_empty()) {
        let metric = m.metric.name(budget);
        return Verdict::Inconclusive(Inconclusive::NotJudged { metric, why: why.clone() });
    }
    if judged.is_empty() {
        return Verdict::Inconclusive(Inconclusive::NothingToJudge);
    }
    if has(Decision::Improved) && judged.iter().all(|(m, r)| is_no_worse(m, r, margins)) {
        return Verdict::Improved;
    }
    if let Some((m, r)) = judged.iter().find(|(_, r)| r.decision == Decision::Inconclusive) {
        return Verdict::Inconclusive(doubt(m, r, budget));
    }
    if has(Decision::ChangedWithinMargin) { Verdict::ChangedWithinMargin } else { Verdict::Unchanged }
}

impl MetricComparison {
    /// Whether the case stays undecided because this metric was not judged. Time on the GPU never decides alone: where
    /// it cannot be judged, what the host saw still is.
    pub fn leaves_open(&self) -> bool {
        self.metric != Metric::Compute && self.ruling.as_ref().is_err_and(NotJudged::gates)
    }
}

/// Whether the metric is shown to be less than its margin worse: one half of the equivalence test, at the same α.
fn is_no_worse(m: &MetricComparison, r: &Ruling, margins: Margins) -> bool {
    match (r.decision, r.doubt) {
        (Decision::Improved | Decision::Unchanged | Decision::ChangedWithinMargin, _) => true,
        // Withheld, or measured with a spread: the interval means what it says.
        (Decision::Inconclusive, Some(Doubt::TooWide | Doubt::Multiplicity | Doubt::NotConfirmed)) => {
            r.equivalence.hi < m.metric.rule(margins).margin
        }
        (Decision::Regressed | Decision::Inconclusive, _) => false,
    }
}

/// Why a metric was not decided, and what would help.
fn doubt(m: &MetricComparison, r: &Ruling, budget: Option<Budget>) -> Inconclusive {
    let metric = m.metric.name(budget);
    match r.doubt {
        Some(Doubt::NoSpread) => Inconclusive::NoSpread { metric },
        Some(Doubt::Multiplicity) => Inconclusive::ByChance { metric },
        Some(Doubt::NotConfirmed) => Inconclusive::NotConfirmed { metric },
        Some(Doubt::TooFewUnits | Doubt::TooWide) | None => {
            let remedy = match r.units_to_settle {
                Some(n) => Remedy::Units(m.basis.unit(), n),
                None if m.basis.assumes_sessions() => Remedy::Calibration,
                None => Remedy::Unknown(m.basis.unit()),
            };
            Inconclusive::TooUncertain { metric, remedy }
        }
    }
}
