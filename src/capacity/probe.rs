//! What one probe says about every budget. Makes a [`Probe`] from an [`Answer`]. Must never pass a rate because
//! too few requests were seen: what cannot be judged is undecided.

use super::{Answer, Ask, Plan};
use crate::stats::bursts::BATCHES;
use crate::stats::{BurstyShare, bursty_share, share_over};

/// The queue starts empty: this share of the requests, the first ones, is not counted.
pub const WARM_UP_FRAC: f64 = 0.1;

/// Latencies that grow with a t statistic above this are not those of a server that keeps up.
const SATURATED_T: f64 = 3.0;

/// And by at least this much of their mean over the probe: a server that falls behind from an empty queue doubles it,
/// a drifting clock does not.
const SATURATED_RISE: f64 = 0.5;

/// A request that found a free server and was sent later than by this share of the smallest budget was late.
const LATE_FRAC: f64 = 0.01;
/// And later than calls and clocks take.
const LATE_NS: u64 = 1_000;

/// What a probe says about one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
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
    pub verdict: Verdict,
}

/// A probe that ran, assessed.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub ask: Ask,
    /// Requests that were counted: answered, less the first [`WARM_UP_FRAC`].
    pub requests: usize,
    /// Ended early: too many requests over a budget.
    pub stopped: bool,
    /// The number in the system grew all the time.
    pub saturated: bool,
    pub p50_ns: u64,
    pub p99_ns: u64,
    /// Share of the requests that found a free server and were sent late by more than 1 % of the smallest budget,
    /// in [0, 1]; and the 99 % quantile of the lateness.
    pub late_frac: f64,
    pub late_p99_ns: u64,
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
pub fn assess(plan: &Plan, ask: &Ask, answer: &Answer) -> Probe {
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
        p50_ns: quantile(counted, 0.5),
        p99_ns: quantile(counted, 0.99),
        late_frac: late_share(&answer.late_ns, plan.budgets_ns.first().copied().unwrap_or(0)),
        late_p99_ns: quantile(&answer.late_ns, 0.99),
        over: plan.budgets_ns.iter().map(budget).collect(),
    }
}

/// Share of requests that the generator itself sent late: by more than 1 % of the budget, and by more than the
/// microsecond that calls and clocks take. 0 where nothing was answered.
pub fn late_share(late_ns: &[u64], budget_ns: u64) -> f64 {
    share_over(late_ns, late_limit_ns(budget_ns))
}

/// What a request may be late by.
pub fn late_limit_ns(budget_ns: u64) -> u64 {
    ((budget_ns as f64 * LATE_FRAC) as u64).max(LATE_NS)
}

/// The value of rank ⌈q·n⌉, 0 of none: only shown, so without sorting all of a probe.
fn quantile(values: &[u64], q: f64) -> u64 {
    let rank = (values.len() as f64 * q).ceil() as usize;
    let mut values = values.to_vec();
    match values.len() {
        0 => 0,
        n => *values.select_nth_unstable(rank.clamp(1, n) - 1).1,
    }
}

fn verdict(bound: Option<&BurstyShare>, saturated: bool, allowed_frac: f64) -> Verdict {
    match bound {
        _ if saturated => Verdict::Fails,
        Some(bound) if bound.upper_frac <= allowed_frac => Verdict::Passes,
        Some(bound) if bound.lower_frac > allowed_frac => Verdict::Fails,
        _ => Verdict::Undecided,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_late_beyond_a_hundredth_of_the_budget_or_a_microsecond() {
        let late_ns = [0, 999, 1_001, 10_000, 10_001];
        for (budget_ns, share) in [(1_000_000, 0.2), (1_000, 0.6), (0, 0.6), (u64::MAX, 0.0)] {
            assert_eq!(late_share(&late_ns, budget_ns), share, "{budget_ns}");
        }
        assert_eq!(late_share(&[], 5), 0.0);
    }
}
