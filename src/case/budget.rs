//! The latency budget of a case, the quantile that stands for its slow requests, and how many requests both need.

use super::{Case, Scenario};
use crate::stats::{QUANTILES, requests_for};
use serde::{Deserialize, Serialize};

/// The maximum latency, and the share of requests that must meet it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Budget {
    /// The longest latency that meets the budget, in nanoseconds.
    pub max_ns: u64,
    /// 0.99: 99 of 100 requests must take no longer than `max_ns`.
    pub quantile: f64,
}

/// The quantile that stands for the slow requests of a case, as an index into [`QUANTILES`]: the budget's own where
/// summaries hold it, otherwise the next one that they hold above it, so that what passes also keeps what was asked
/// for (and not one further up, which varies more and was not asked about); the highest where none is above; p99
/// without a budget.
pub fn tail_index(budget: Option<Budget>) -> usize {
    let wanted = budget.map_or(0.99, |b| b.quantile);
    QUANTILES.iter().position(|q| *q >= wanted - 1e-9).unwrap_or(QUANTILES.len() - 1)
}

/// The same as a fraction of one. `discover` ranks by it, `run` and `check` gate it.
pub fn tail_quantile(budget: Option<Budget>) -> f64 {
    QUANTILES[tail_index(budget)]
}

/// Requests that each of so many processes needs for the quantile that a case is judged by, and all of them together for
/// the budget's percentile, which may lie beyond.
fn requests_of_each(budget: Option<Budget>, processes: u64) -> u64 {
    let of_all = budget.map_or(0, |budget| requests_for(budget.quantile));
    of_all.div_ceil(processes.max(1)).max(requests_for(tail_quantile(budget)))
}

impl Case {
    /// Requests that each process needs at least; `None` where the case is judged by no quantile.
    pub fn tail_requests(&self) -> Option<u64> {
        match self.scenario {
            Scenario::Latency | Scenario::Throughput if !self.is_whole_program() => {
                Some(requests_of_each(self.budget, self.effort.processes))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_beyond_those_that_summaries_hold_gets_its_requests_from_all_processes() {
        let of = |quantile| requests_of_each(Some(Budget { max_ns: 1, quantile }), 8);
        assert_eq!(requests_of_each(None, 8), 1_200);
        assert_eq!([of(0.95), of(0.99), of(0.999)], [240, 1_200, 12_000]);
        assert_eq!(of(0.9999), 15_000, "120,000 in eight");
    }
}
