//! Decides whether a change that somebody accepted earlier covers the regression, or the gap, that is found now. Pure.
//!
//! An acceptance is honoured when it is about the source tree under test, was measured on the same device and asks
//! the same question, no metric that regressed now is worse than was accepted, and no budget is broken but the one that
//! was broken then. With all effects on the log
//! scale and oriented (+ = worse), *m* [m_lo, m_hi] measured now and *a* [a_lo, a_hi] accepted, both at 95 %, a metric
//! is worse than was accepted when
//!
//! ```text
//! (m − a) − √((m − m_lo)² + (a_hi − a)²) > δ
//! ```
//!
//! where δ is the margin of the case. The left side is the lower end of the interval of the difference of two
//! independent estimates, recovered from their own intervals (Zou & Donner, Statistics in Medicine 27, 2008): as
//! usual, it is not the overlap of the intervals that decides. A regressed metric that has no accepted change, or one
//! whose interval has no end, is not covered. Metrics that did not regress now need no cover.
//!
//! The rule looks at nothing but these two measurements: in particular an acceptance does not move the base.
//!
//! A gap (a case that is gone, asks something else, or does not compare) has no numbers to agree: its acceptance is
//! honoured for the same source tree and device, if it is about the same gap in the same words.

pub mod measured;

use crate::compare::{CaseComparison, MetricComparison};
use crate::record::{Acceptance, ChangeKind, Record, short};
use crate::stats::{Decision, Interval, Orientation};
use crate::units::change;

/// What an acceptance does to a regression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptanceStatus {
    /// It covers the regression, which then does not gate.
    Honoured {
        /// Why the change was accepted.
        reason: String,
        /// Who accepted it.
        by: String,
    },
    /// It does not, and the regression gates as if there were none.
    Stale {
        /// Why it does not.
        why: String,
    },
}

/// What is under test: one case of the head arm of a check.
#[derive(Clone, Copy, Debug)]
pub struct UnderTest<'a> {
    /// `None`: there are changes beside the commit, so no source tree has a name for what was measured.
    pub src_tree: Option<&'a str>,
    /// The key of the device that it was measured on.
    pub device_key: &'a str,
    /// The hash of the case's definition.
    pub definition_hash: &'a str,
    /// The comparison with the base.
    pub comparison: &'a CaseComparison,
}

/// Whether `record`, which carries `acceptance`, covers what was measured.
pub fn acceptance_status(record: &Record, acceptance: &Acceptance, now: &UnderTest) -> AcceptanceStatus {
    match objection(record, acceptance, now) {
        Some(why) => AcceptanceStatus::Stale { why },
        None => AcceptanceStatus::Honoured { reason: acceptance.reason.clone(), by: acceptance.by.clone() },
    }
}

/// A gap of one case of a check.
#[derive(Clone, Copy, Debug)]
pub struct GapUnderTest<'a> {
    /// As in [`UnderTest`].
    pub src_tree: Option<&'a str>,
    /// The device of the check.
    pub device_key: &'a str,
    /// A removal or a redefinition.
    pub kind: ChangeKind,
    /// As in [`Acceptance::redefined`].
    pub redefined: &'a [String],
}

/// Whether `record`, which carries `acceptance`, covers a gap of the case that it is about.
pub fn gap_status(record: &Record, acceptance: &Acceptance, now: &GapUnderTest) -> AcceptanceStatus {
    let objection = other_place(record, now.src_tree, now.device_key).or_else(|| {
        if acceptance.kind != now.kind {
            let (accepted, found) = (acceptance.kind.word(), now.kind.word());
            return Some(format!("it accepts a {accepted}, and this is a {found}"));
        }
        (acceptance.redefined != now.redefined).then(|| {
            let [accepted, found] = [&acceptance.redefined[..], now.redefined].map(|all| all.join(", "));
            format!("it accepts “{accepted}”, and now it is “{found}”")
        })
    });
    match objection {
        Some(why) => AcceptanceStatus::Stale { why },
        None => AcceptanceStatus::Honoured { reason: acceptance.reason.clone(), by: acceptance.by.clone() },
    }
}

/// Why the record is about other sources or another device.
fn other_place(record: &Record, src_tree: Option<&str>, device_key: &str) -> Option<String> {
    let Some(tree) = src_tree else {
        return Some("there are changes beside the commit".into());
    };
    let Some(source) = record.source.as_ref().filter(|s| !s.dirty) else {
        return Some("its record belongs to no source tree".into());
    };
    if source.src_tree != tree {
        return Some(format!("it is about other sources, those of commit {}", short(&source.commit)));
    }
    (record.device.key != device_key)
        .then(|| format!("it was measured on {}, this is {device_key}", record.device.key))
}

/// Why the acceptance is not honoured, most telling reason first.
fn objection(record: &Record, acceptance: &Acceptance, now: &UnderTest) -> Option<String> {
    if let Some(why) = other_place(record, now.src_tree, now.device_key) {
        return Some(why);
    }
    let Some(case) = record.cases.get(&acceptance.case).filter(|_| acceptance.case == now.comparison.id)
    else {
        return Some("its record does not hold the case".into());
    };
    if case.definition_hash != now.definition_hash {
        return Some("it was measured with another definition of the case".into());
    }
    // Beyond it nothing is worse than before, however little the metrics changed.
    let broken = now.comparison.broken_budget.as_ref();
    if let Some(broken) = broken.filter(|broken| acceptance.broken_budget != Some(broken.kind())) {
        return Some(format!("the budget of {} is broken, and that was not accepted", broken.kind().word()));
    }
    let regressed =
        |m: &&MetricComparison| m.ruling.as_ref().is_ok_and(|r| r.decision == Decision::Regressed);
    now.comparison.metrics.iter().filter(regressed).find_map(|m| not_covered(m, acceptance, now.comparison))
}

/// Why one regressed metric is not covered.
fn not_covered(m: &MetricComparison, acceptance: &Acceptance, now: &CaseComparison) -> Option<String> {
    let name = m.metric.name(now.budget);
    let Some(accepted) = acceptance.changes.get(&name) else {
        return Some(format!("{name} regressed, and no change of it was accepted"));
    };
    let Some(measured) = m.change else {
        return Some(format!("{name} regressed by an unknown amount"));
    };
    let orientation = m.metric.orientation();
    let margin = m.metric.rule(now.margins).margin;
    // Not `> margin`: an interval without an end makes the difference no number, and must not pass.
    let covered = excess(worse(measured, orientation), worse(*accepted, orientation)) <= margin;
    (!covered).then(|| {
        format!(
            "{name} changed by {} [{} {}], worse than the accepted {} [{} {}]",
            change(measured.est),
            change(measured.lo),
            change(measured.hi),
            change(accepted.est),
            change(accepted.lo),
            change(accepted.hi)
        )
    })
}

/// By how much `measured` is worse than `accepted` at least: the lower end of the interval of the difference.
fn excess(measured: Interval, accepted: Interval) -> f64 {
    let (below, above) = (measured.est - measured.lo, accepted.hi - accepted.est);
    if !(below.is_finite() && above.is_finite()) {
        return f64::NAN;
    }
    (measured.est - accepted.est) - below.hypot(above)
}

/// A relative change of a value as oriented log effect, + = worse.
fn worse(change: Interval, orientation: Orientation) -> Interval {
    let logs = change.map(f64::ln_1p);
    match orientation {
        Orientation::LowerIsBetter => logs,
        Orientation::HigherIsBetter => Interval { lo: -logs.hi, est: -logs.est, hi: -logs.lo },
    }
}

#[cfg(test)]
mod tests;
