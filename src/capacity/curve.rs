//! Holds the capacity for each budget, as one process found it, with the closed loop that ran before.

use super::{Capacity, Confirmed, FoundCapacities, Outcome};
use crate::stats::{describe, share_over};
use crate::units::{share, time};
use serde::{Deserialize, Serialize};

/// More late requests than this make the numbers those of the generator.
pub const MAX_LATE_FRAC: f64 = 0.01;

/// A request that the generator sent later than by this share of the budget was late.
const LATE_FRAC: f64 = 0.01;
/// It was also later than by what calls and clocks take, in nanoseconds.
const LATE_NS: u64 = 1_000;

/// A capacity for each budget, ascending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Rate of a closed loop at the same operating point, just before.
    pub closed_per_s: f64,
    /// Median latency of that loop, in nanoseconds.
    pub closed_p50_ns: f64,
    /// One for each budget, ascending.
    pub points: Vec<Capacity>,
    /// Share of all requests that the generator itself sent late, as the case's own budget counts it, in [0, 1].
    pub late_frac: f64,
    /// 99 % quantile of the lateness of all requests, in nanoseconds.
    pub late_p99_ns: f64,
    /// Requests over all probes.
    pub requests: u64,
    /// How many probes there were.
    pub probes: u64,
}

/// Too many requests were sent late, as in [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "the load generator was late for {} of the requests (p99 {}): leave a CPU core free, use fewer streams, or a longer budget",
    share(*.late_frac), time(*.late_p99_ns)
)]
pub struct LateGenerator {
    /// Share of the requests that were sent late, in [0, 1].
    pub late_frac: f64,
    /// 99 % quantile of the lateness of all requests, in nanoseconds.
    pub late_p99_ns: f64,
}

impl Curve {
    /// `late_ns`: how late each request of all probes was; `budget_ns` is the case's own.
    pub fn new(
        found: FoundCapacities,
        budget_ns: u64,
        (closed_per_s, closed_p50_ns): (f64, f64),
        mut late_ns: Vec<u64>,
    ) -> Self {
        late_ns.sort_unstable();
        Self {
            closed_per_s,
            closed_p50_ns,
            points: found.capacities,
            late_frac: late_share(&late_ns, budget_ns),
            late_p99_ns: describe::quantile_sorted(&late_ns, 0.99),
            requests: late_ns.len() as u64,
            probes: found.probes.len() as u64,
        }
    }

    /// The capacity for this budget; `None` if it was not looked for.
    pub fn at(&self, budget_ns: u64) -> Option<&Capacity> {
        self.points.iter().find(|p| p.budget_ns == budget_ns)
    }

    /// Why the numbers are the generator's and not the engine's.
    pub fn invalid_reason(&self) -> Option<LateGenerator> {
        (self.late_frac > MAX_LATE_FRAC)
            .then_some(LateGenerator { late_frac: self.late_frac, late_p99_ns: self.late_p99_ns })
    }

    /// Whether the generator was late for more than 1 % of the requests, as a further budget counts it.
    pub fn is_late_for(&self, budget_ns: u64) -> bool {
        self.late_p99_ns > late_limit_ns(budget_ns) as f64
    }

    /// The same with every rate times `by`: from requests to inferences per second.
    #[must_use]
    pub fn times(mut self, by: f64) -> Self {
        self.closed_per_s *= by;
        for point in &mut self.points {
            point.outcome = point.outcome.times(by);
            point.confirmed = point.confirmed.map(|c| Confirmed { per_s: c.per_s * by, ..c });
        }
        self
    }
}

/// Share of requests that the generator itself sent late: by more than 1 % of the budget, and by more than the
/// microsecond that calls and clocks take. 0 of none.
pub fn late_share(late_ns: &[u64], budget_ns: u64) -> f64 {
    share_over(late_ns, late_limit_ns(budget_ns))
}

/// What a request may be late by.
fn late_limit_ns(budget_ns: u64) -> u64 {
    ((budget_ns as f64 * LATE_FRAC) as u64).max(LATE_NS)
}

impl Outcome {
    /// The number that stands for it; `None` where there is none to compare.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Rate { per_s, .. } => Some(per_s),
            Self::Cliff { holds_per_s, fails_per_s } => Some((holds_per_s * fails_per_s).sqrt()),
            Self::Beyond { .. } | Self::None { .. } => None,
        }
    }

    fn times(self, by: f64) -> Self {
        match self {
            Self::Rate { per_s, ln_se } => Self::Rate { per_s: per_s * by, ln_se },
            Self::Cliff { holds_per_s, fails_per_s } => {
                Self::Cliff { holds_per_s: holds_per_s * by, fails_per_s: fails_per_s * by }
            }
            Self::Beyond { at_least_per_s } => Self::Beyond { at_least_per_s: at_least_per_s * by },
            Self::None { lowest_per_s, over_frac } => {
                Self::None { lowest_per_s: lowest_per_s * by, over_frac }
            }
        }
    }
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

    #[test]
    fn rates_are_scaled_and_shares_are_not() {
        let confirmed = Confirmed { per_s: 90.0, over_frac: 0.01, upper_frac: 0.02, n_eff: 5.0, requests: 7 };
        let point = |outcome| Capacity { budget_ns: 1, outcome, confirmed: Some(confirmed) };
        let found = FoundCapacities {
            capacities: vec![
                point(Outcome::Rate { per_s: 100.0, ln_se: 0.1 }),
                point(Outcome::Cliff { holds_per_s: 4.0, fails_per_s: 9.0 }),
            ],
            probes: vec![],
        };
        let curve = Curve::new(found, 1, (200.0, 5.0), vec![3, 1, 2]).times(4.0);
        assert_eq!((curve.closed_per_s, curve.closed_p50_ns, curve.requests), (800.0, 5.0, 3));
        assert_eq!(curve.points[0].outcome, Outcome::Rate { per_s: 400.0, ln_se: 0.1 });
        assert_eq!(curve.points[0].confirmed, Some(Confirmed { per_s: 360.0, ..confirmed }));
        assert_eq!(curve.points[1].outcome.value(), Some(24.0));
        assert_eq!((curve.at(1).is_some(), curve.at(2), curve.invalid_reason()), (true, None, None));
        let late = Curve { late_frac: 0.02, ..curve };
        assert!(late.is_late_for(1) == (late.late_p99_ns > 1000.0) && !late.is_late_for(u64::MAX));
        assert!(late.invalid_reason().is_some_and(|why| why.to_string().contains("late for 2%")));
    }
}
