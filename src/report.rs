//! What people and machines read. Pure: data in, text out; `cli` prints it.
//!
//! Text for people carries ANSI colours; whoever prints it strips them where they are not wanted.

pub mod json;
pub mod terminal;

use crate::case::Budget;
use crate::record::CaseRecord;
use crate::stats::{Interval, geometric_mean_interval};

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
