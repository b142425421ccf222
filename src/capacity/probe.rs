//! Judges what one probe says about every budget: a [`Probe`] from a [`ProbeAnswer`].
//!
//! A rate with too few requests to judge is undecided; it does not pass.

use super::{Ask, ProbeAnswer, SearchPlan};
use crate::stats::bursts::BATCHES;
use crate::stats::{BurstyShare, bursty_share, share_over};

/// The queue starts empty: this share of the requests, the first ones, is not counted.
pub const WARM_UP_FRAC: f64 = 0.1;

/// Latencies that grow with a t statistic above this are not those of a server that keeps up.
const SATURATED_T: f64 = 3.0;

/// They also grow by at least this much of their mean over the probe: a server that falls behind from an empty queue
/// doubles it, a drifting clock does not.
const SATURATED_RISE: f64 = 0.5;

/// What a probe says about one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// The upper bound of the share over the budget is within what is allowed.
    Passes,
    /// The lower bound is not; or the server did not keep up.
    Fails,
    /// Neither, or too few requests to judge.
    Undecided,
}

/// One budget at the rate of one probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// Share of the requests over the budget, in [0, 1].
    pub frac: f64,
    /// Its bounds and effective n; `None` where they are too few for [`bursty_share`].
    pub bound: Option<BurstyShare>,
    /// Whether the budget is kept at this rate.
    pub verdict: ProbeVerdict,
}

/// A probe that ran, assessed.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What was asked for.
    pub ask: Ask,
    /// Requests that were counted: answered, less the first [`WARM_UP_FRAC`].
    pub requests: usize,
    /// Ended early: too many requests over a budget.
    pub stopped: bool,
    /// The number in the system grew all the time.
    pub saturated: bool,
    /// One for each budget of the plan, in its order.
    pub over: Vec<Over>,
}

impl Probe {
    /// Whether this rate is above the capacity of budget `index`, as far as the plain share tells. A probe without
    /// requests tells that something is very slow.
    pub(super) fn is_over(&self, index: usize, allowed_frac: f64) -> bool {
        let over = self.over.get(index);
        self.saturated || self.requests == 0 || over.is_none_or(|o| o.frac > allowed_frac)
    }
}

/// Assesses `answer` to `ask` for all budgets of `plan`.
pub fn assess(plan: &SearchPlan, ask: &Ask, answer: &ProbeAnswer) -> Probe {
    let answered = &answer.latency_ns;
    let warm_up = (answered.len() as f64 * WARM_UP_FRAC) as usize;
    let counted = &answered[warm_up..];
    let saturated = is_saturated(counted);
    let budget = |&budget_ns: &u64| {
        let bound = bursty_share(counted, budget_ns).ok();
        let verdict = verdict(bound.as_ref(), saturated, plan.allowed_frac());
        Over { frac: share_over(counted, budget_ns), bound, verdict }
    };
    Probe {
        ask: *ask,
        requests: counted.len(),
        stopped: answer.stopped,
        saturated,
        over: plan.budgets_ns.iter().map(budget).collect(),
    }
}

fn verdict(bound: Option<&BurstyShare>, saturated: bool, allowed_frac: f64) -> ProbeVerdict {
    match bound {
        _ if saturated => ProbeVerdict::Fails,
        Some(bound) if bound.upper_frac <= allowed_frac => ProbeVerdict::Passes,
        Some(bound) if bound.lower_frac > allowed_frac => ProbeVerdict::Fails,
        _ => ProbeVerdict::Undecided,
    }
}

/// Whether batch means of the latencies grow: t of their slope above [`SATURATED_T`], and the line by more than
/// [`SATURATED_RISE`] of the mean. Latencies from the planned arrival stand for the number in the system: first come,
/// first served, one is the other times the time of a service.
fn is_saturated(latency_ns: &[u64]) -> bool {
    let batch = latency_ns.len() / BATCHES;
    if batch == 0 {
        return false;
    }
    let mean = |batch: &[u64]| batch.iter().map(|&v| v as f64).sum::<f64>() / batch.len() as f64;
    let means: Vec<f64> = latency_ns.chunks_exact(batch).map(mean).collect();
    let n = means.len() as f64;
    let (x_mean, y_mean) = ((n - 1.0) / 2.0, means.iter().sum::<f64>() / n);
    let centred = || means.iter().enumerate().map(|(i, y)| (i as f64 - x_mean, y - y_mean));
    let xx: f64 = centred().map(|(x, _)| x * x).sum();
    let slope = centred().map(|(x, y)| x * y).sum::<f64>() / xx;
    let residual: f64 = centred().map(|(x, y)| (y - slope * x).powi(2)).sum();
    // Multiplied out, so that an exact line (no residual) counts as one.
    let grows = slope > SATURATED_T * (residual / (n - 2.0) / xx).sqrt();
    grows && slope * (n - 1.0) > SATURATED_RISE * y_mean
}
