//! The numbers of a case that are compared, and the rule that decides each of them. Pure.

use super::WhichArm;
use crate::case::{Budget, Case, Margins, tail_quantile};
use crate::config::Scenario;
use crate::record::CaseRecord;
use crate::stats::{self, Orientation, Rule};
use crate::summarize::Summary;
use crate::units::{plain_time, rate, time};

/// Fewer processes are not judged by their capacity.
const MIN_CAPACITY_UNITS: usize = 5;

/// One number of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean latency, in nanoseconds.
    Mean,
    /// Median latency, in nanoseconds.
    Median,
    /// The budget's percentile, or p99.
    Tail,
    /// Median time that the GPU computed, between two events; without transfers and the host's part.
    Compute,
    /// Inferences per second in a closed loop.
    Throughput,
    /// Highest rate of an open loop that keeps the budget.
    Capacity,
    /// The same at a further budget, in nanoseconds.
    CapacityAt(u64),
}

impl Metric {
    /// Its name in reports; the tail's says which quantile.
    pub fn name(self, budget: Option<Budget>) -> String {
        match self {
            Self::Mean => "mean".into(),
            Self::Median => "p50".into(),
            Self::Tail => format!("p{}", trim(tail_quantile(budget) * 100.0)),
            Self::Compute => "GPU p50".into(),
            Self::Throughput => "throughput".into(),
            Self::Capacity => "capacity".into(),
            Self::CapacityAt(max_ns) => format!("capacity at {}", plain_time(max_ns as f64)),
        }
    }

    /// Its value in one process; `None` where too few requests support it.
    pub fn value(self, s: &Summary, budget: Option<Budget>) -> Option<f64> {
        match self {
            Self::Mean => Some(s.mean_ns),
            Self::Median => s.quantile_ns(0.5),
            Self::Tail => {
                let q = tail_quantile(budget);
                s.quantile_ns(q).filter(|_| stats::is_judged(s.requests, q))
            }
            Self::Compute => s.gpu.as_ref()?.compute.map(|c| c.p50_ns),
            Self::Throughput => Some(s.inferences_per_s),
            Self::Capacity | Self::CapacityAt(_) => {
                s.capacity.as_ref()?.at(self.capacity_budget_ns(budget)?)?.outcome.value()
            }
        }
    }

    /// The budget that a capacity is for; `None` for other metrics.
    pub fn capacity_budget_ns(self, budget: Option<Budget>) -> Option<u64> {
        match self {
            Self::Capacity => budget.map(|b| b.max_ns),
            Self::CapacityAt(max_ns) => Some(max_ns),
            _ => None,
        }
    }

    /// Inferences per second, and not a time.
    pub fn is_rate(self) -> bool {
        matches!(self, Self::Throughput | Self::Capacity | Self::CapacityAt(_))
    }

    /// A value of it for people.
    pub fn shown(self, value: f64) -> String {
        if self.is_rate() { rate(value) } else { time(value) }
    }

    /// Whether a value that moved by `step` (more if positive) is worse.
    pub fn is_worse(self, step: f64) -> bool {
        match self.orientation() {
            Orientation::LowerIsBetter => step > 0.0,
            Orientation::HigherIsBetter => step < 0.0,
        }
    }

    /// Whether more is better.
    pub fn orientation(self) -> Orientation {
        if self.is_rate() { Orientation::HigherIsBetter } else { Orientation::LowerIsBetter }
    }

    /// How it is decided.
    pub fn rule(self, margins: Margins) -> Rule {
        match self {
            Self::Tail => Rule::for_tail(margins.tail_frac.ln_1p()),
            // It hangs on the tail, so the tail's margin is its own.
            Self::Capacity | Self::CapacityAt(_) => {
                Rule { min_units: MIN_CAPACITY_UNITS, ..Rule::new(margins.tail_frac.ln_1p()) }
            }
            _ => Rule::new(margins.value_frac.ln_1p()),
        }
    }
}

/// What a pair of base and head lacks for its tail to be judged, in words: "head's process has 812 requests, p99 needs
/// 1000"; `None` where it lacks nothing, or the tail does not decide the scenario.
pub fn lacks_requests(case: &Case, pair: [&Summary; 2]) -> Option<String> {
    let decides = !case.is_whole_program() && metrics(case.scenario, false).contains(&Metric::Tail);
    let arms = [WhichArm::Base, WhichArm::Head].into_iter().zip(pair).filter(|_| decides);
    let (arm, s) = arms.into_iter().find(|(_, s)| Metric::Tail.value(s, case.budget).is_none())?;
    let need = stats::describe::samples_with(stats::describe::JUDGED_TAIL, tail_quantile(case.budget));
    let tail = Metric::Tail.name(case.budget);
    Some(format!("{}'s process has {} requests, {tail} needs {need}", arm.word(), s.requests))
}

fn trim(percent: f64) -> String {
    let text = format!("{percent:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The metrics that decide a scenario, most important first. `timed`: a GPU timed each request.
pub fn metrics(scenario: Scenario, timed: bool) -> &'static [Metric] {
    match (scenario, timed) {
        (Scenario::Latency, false) => &[Metric::Mean, Metric::Median, Metric::Tail],
        (Scenario::Latency, true) => &[Metric::Mean, Metric::Median, Metric::Tail, Metric::Compute],
        (Scenario::Throughput, _) => &[Metric::Throughput, Metric::Tail],
        (Scenario::Capacity, _) => &[Metric::Capacity],
    }
}

/// The metrics that decide this case: those of its scenario, and a capacity for each further budget.
pub fn case_metrics(case: &CaseRecord) -> Vec<Metric> {
    let own = case.budget.map(|b| b.max_ns);
    let all = case.open.iter().flat_map(|open| &open.budgets_ns);
    let further = all.filter(|ns| Some(**ns) != own).map(|ns| Metric::CapacityAt(*ns));
    // Whole runs of a program are too few for a tail, however long it is measured.
    let whole = case.engine.build.program.as_ref().is_some_and(|program| program.whole);
    let usual = metrics(case.scenario, case.gpu_timed()).iter().copied();
    usual.filter(|metric| !(whole && *metric == Metric::Tail)).chain(further).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn a_percentile_that_summaries_do_not_hold_is_gated_by_the_next_one_above() {
        let slow = Summary { requests: 100_000, ..sample::summary(1e6) };
        let gated = |percent: f64| {
            let budget = Some(Budget { max_ns: 1, quantile: percent / 100.0 });
            let value = Metric::Tail.value(&slow, budget);
            assert_eq!(value, slow.quantile_ns(tail_quantile(budget)));
            Metric::Tail.name(budget)
        };
        let names = [80.0, 95.0, 97.0, 99.9, 99.95].map(gated);
        assert_eq!(names, ["p90", "p95", "p99", "p99.9", "p99.9"]);
        assert_eq!(Metric::Tail.name(None), "p99");
    }
}
