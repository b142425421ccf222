//! The numbers of one measured case over its processes, each computed once for every format.

use super::bound::Bound;
use super::spread::BuildSpread;
use crate::capacity::{Capacity, Confirmed, Curve, Outcome};
use crate::case::{Budget, tail_quantile};
use crate::compare::Metric;
use crate::config::Scenario;
use crate::record::CaseRecord;
use crate::stats::{Interval, clopper_pearson, geometric_mean_interval, is_judged, requests_for};
use crate::summarize::{GpuSummary, Summary};

/// Confidence of every interval shown.
pub const CONFIDENCE: f64 = 0.95;

/// One number of a case over its processes: `[lo est hi]`, or only the estimate where there is one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// An estimate with its interval at 95 %.
    Interval(Interval),
    /// The number of one process, which has no interval.
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

    /// The number without its interval.
    pub fn estimate(&self) -> f64 {
        match self {
            Self::Interval(i) => i.est,
            Self::Single(v) => *v,
        }
    }
}

/// The value over the processes of a case, or its builds; `None` unless every process has it.
fn over(case: &CaseRecord, value: impl Fn(&Summary) -> Option<f64>) -> Option<Figure> {
    let values: Option<Vec<f64>> =
        case.by_unit(case.processes.iter().map(value).collect()).into_iter().collect();
    Figure::of(&values?)
}

/// Everything that is said of one case before it is compared with anything. `None`: not known, or too few requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// How many processes measured it.
    pub processes: usize,
    /// Requests of all processes.
    pub requests: u64,
    /// Mean latency.
    pub mean_ns: Option<Figure>,
    /// Median latency.
    pub p50_ns: Option<Figure>,
    /// The latency that 90 % of the requests keep.
    pub p90_ns: Option<Figure>,
    /// The latency that 99 % of the requests keep.
    pub p99_ns: Option<Figure>,
    /// Inferences per second.
    pub inferences_per_s: Option<Figure>,
    /// What the scenario is about: of a capacity case the rate that keeps the budget, else the same as above.
    pub throughput_per_s: Option<Figure>,
    /// Loading the engine.
    pub load_ns: Option<Figure>,
    /// The first request.
    pub first_ns: Option<Figure>,
    /// The most host memory that a process used.
    pub peak_host_bytes: Option<Figure>,
    /// `None` where no process ran on a GPU.
    pub gpu: Option<GpuFigures>,
    /// How much builds differ; `None` where there is one.
    pub builds: Option<BuildSpread>,
    /// What holds the case back; `None` where the numbers do not tell.
    pub bound: Option<Bound>,
    /// Whether the budget holds; `None` without one.
    pub budget: Option<BudgetResult>,
    /// `None` in closed loops.
    pub capacity: Option<CapacityFigures>,
    /// Why the tail is not judged; `None` where it is.
    pub few_requests: Option<FewRequests>,
    /// Processes that were not steady when warming up ended.
    pub unsteady: usize,
    /// Processes whose latency drifted while measuring.
    pub drifted: usize,
    /// Processes during which the GPU's clock moved by more than 1 %, and the largest of these moves as a share.
    pub clock_moved: Option<(usize, f64)>,
}

impl Figures {
    /// Computes the numbers of a case from its processes.
    pub fn of(case: &CaseRecord) -> Self {
        let quantile = |q: f64| over(case, |s| s.quantile_ns(q).filter(|_| is_judged(s.requests, q)));
        // Programs that measure themselves do not tell every phase.
        let known = |ns: u64| (ns > 0).then_some(ns as f64);
        let count = |test: fn(&Summary) -> bool| case.processes.iter().filter(|s| test(s)).count();
        let inferences_per_s = over(case, |s| Some(s.inferences_per_s));
        let gpu = GpuFigures::of(case);
        Self {
            processes: case.processes.len(),
            requests: case.processes.iter().map(|s| s.requests).sum(),
            mean_ns: over(case, |s| Some(s.mean_ns)),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            inferences_per_s,
            throughput_per_s: match case.scenario {
                Scenario::Capacity => over(case, |s| Metric::Capacity.value(s, case.budget)),
                Scenario::Latency | Scenario::Throughput => inferences_per_s,
            },
            load_ns: over(case, |s| known(s.load_ns)),
            first_ns: over(case, |s| known(s.first_ns)),
            peak_host_bytes: over(case, |s| s.peak_host_bytes.map(|b| b as f64)),
            gpu,
            builds: BuildSpread::of(case),
            bound: gpu.and_then(|gpu| Bound::of(case, &gpu)),
            budget: BudgetResult::of(case),
            capacity: CapacityFigures::of(case),
            few_requests: FewRequests::of(case),
            unsteady: count(|s| !s.steady),
            drifted: count(|s| s.non_stationary),
            clock_moved: clock_moved(case),
        }
    }
}

fn clock_moved(case: &CaseRecord) -> Option<(usize, f64)> {
    let moves = case.processes.iter().filter_map(|s| Some(s.gpu.as_ref()?.clock_change_frac?.abs()));
    moves.fold(None, |sum, frac| {
        Some(sum.map_or((1, frac), |(n, most): (usize, f64)| (n + 1, most.max(frac))))
    })
}

/// Too few requests in some process for the quantile that the case is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct FewRequests {
    /// The quantile's name.
    pub metric: String,
    /// The fewest requests of a process.
    pub least: u64,
    /// How many it needs.
    pub needed: u64,
    /// How long a process takes for so many, in whole seconds.
    pub seconds: u64,
}

impl FewRequests {
    /// `None` for an open loop, whose requests are not its tail's.
    fn of(case: &CaseRecord) -> Option<Self> {
        let q = tail_quantile(case.budget);
        let slowest = case.processes.iter().min_by_key(|s| s.requests)?;
        if case.scenario == Scenario::Capacity || is_judged(slowest.requests, q) {
            return None;
        }
        let needed = requests_for(q);
        let per_s = slowest.inferences_per_s / case.point.batch as f64;
        (per_s > 0.0).then(|| Self {
            metric: Metric::Tail.name(case.budget),
            least: slowest.requests,
            needed,
            seconds: (needed as f64 / per_s).ceil() as u64,
        })
    }
}

/// What the GPU measured of the requests, and its state at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuFigures {
    /// Median of computing on the GPU.
    pub compute_p50_ns: Option<Figure>,
    /// What 99 % of the requests compute within.
    pub compute_p99_ns: Option<Figure>,
    /// The median at the GPU's highest clock.
    pub compute_p50_at_max_clock_ns: Option<Figure>,
    /// Host time of handing a request to the driver.
    pub enqueue_ns: Option<Figure>,
    /// Copying the inputs to the GPU.
    pub h2d_ns: Option<Figure>,
    /// Copying the outputs back.
    pub d2h_ns: Option<Figure>,
    /// Clock of the multiprocessors.
    pub sm_mhz: Option<Figure>,
    /// The highest clock they have.
    pub max_sm_mhz: Option<Figure>,
    /// Temperature, in degrees Celsius.
    pub temperature_c: Option<Figure>,
    /// Power of the whole GPU, in watts.
    pub power_w: Option<Figure>,
    /// Energy of the whole GPU per inference, in joules.
    pub joules_per_inference: Option<Figure>,
    /// The GPU's times of some process may hold the host's launching.
    pub holds_launching: bool,
}

impl GpuFigures {
    fn of(case: &CaseRecord) -> Option<Self> {
        case.processes.iter().find(|s| s.gpu.is_some())?;
        let gpu = |value: fn(&GpuSummary) -> Option<f64>| over(case, |s| value(s.gpu.as_ref()?));
        let launching = |s: &Summary| s.gpu.as_ref().and_then(|g| g.times).is_some_and(|t| !t.isolated);
        Some(Self {
            compute_p50_ns: gpu(|g| Some(g.compute?.p50_ns)),
            compute_p99_ns: gpu(|g| Some(g.compute?.p99_ns)),
            compute_p50_at_max_clock_ns: gpu(|g| g.compute?.p50_at_max_clock_ns),
            enqueue_ns: gpu(|g| Some(g.times?.enqueue_ns as f64)),
            h2d_ns: gpu(|g| Some(g.times?.h2d_ns as f64)),
            d2h_ns: gpu(|g| Some(g.times?.d2h_ns as f64)),
            sm_mhz: gpu(|g| g.sm_mhz),
            max_sm_mhz: gpu(|g| g.max_sm_mhz),
            temperature_c: gpu(|g| g.temperature_c.map(f64::from)),
            power_w: gpu(|g| g.power_w),
            joules_per_inference: gpu(|g| g.joules_per_inference),
            holds_launching: case.processes.iter().any(launching),
        })
    }
}

/// Whether the budget's percentile holds, over the requests of all processes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetResult {
    /// The budget.
    pub budget: Budget,
    /// Share of all requests over the budget.
    pub over_frac: f64,
    /// Whether the percentile is within the budget.
    pub answer: BudgetAnswer,
}

/// What the requests say of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetAnswer {
    /// The percentile is within it.
    Holds,
    /// It is not.
    Missed,
    /// Too few requests to judge that percentile.
    TooFewRequests,
}

impl BudgetResult {
    /// `None` for a case without a budget.
    pub fn of(case: &CaseRecord) -> Option<Self> {
        let budget = case.budget?;
        let requests: u64 = case.processes.iter().map(|s| s.requests).sum();
        let over: f64 =
            case.processes.iter().map(|s| s.over_budget_frac.unwrap_or(0.0) * s.requests as f64).sum();
        let over_frac = if requests == 0 { 0.0 } else { over / requests as f64 };
        let allowed = 1.0 - budget.quantile;
        let answer = if !is_judged(requests, budget.quantile) && !surely_missed(case, over_frac, allowed) {
            BudgetAnswer::TooFewRequests
        } else if over_frac <= allowed {
            BudgetAnswer::Holds
        } else {
            BudgetAnswer::Missed
        };
        Some(Self { budget, over_frac, answer })
    }
}

/// Whether so many are over that few requests suffice to see it: the lower bound of their share, by the effective number
/// of requests, is more than is `allowed`.
fn surely_missed(case: &CaseRecord, over_frac: f64, allowed: f64) -> bool {
    let n_eff: f64 = case.processes.iter().map(|s| s.n_eff.clamp(0.0, s.requests as f64)).sum();
    let (over, n) = ((over_frac * n_eff).floor() as usize, n_eff.floor() as usize);
    clopper_pearson(over, n, 1.0 - CONFIDENCE).0 > allowed
}

/// What an open loop found.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityFigures {
    /// One for each budget that was asked about.
    pub points: Vec<CapacityPoint>,
    /// Inferences per second of the closed loop.
    pub closed_per_s: Option<Figure>,
    /// Median latency of the closed loop.
    pub closed_p50_ns: Option<Figure>,
    /// The largest share of late arrivals of any process, and the largest p99 of their lateness.
    pub late_frac: Option<f64>,
    /// The largest p99 of lateness of any process, in nanoseconds.
    pub late_p99_ns: Option<f64>,
}

/// What an open loop found for one budget.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPoint {
    /// The budget, in nanoseconds.
    pub budget_ns: u64,
    /// The highest rate that keeps the budget, or why there is no one number.
    pub rate: Result<Figure, NoRate>,
    /// Where the share over the budget jumps over the limit, in any process.
    pub cliff: Option<Cliff>,
    /// The lowest of the rates that a long run confirmed, and in how many processes one did.
    pub confirmed: Option<(Confirmed, usize)>,
}

/// Why no rate stands for all processes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoRate {
    /// Not even the lowest rate keeps the budget.
    TooSlow {
        /// The lowest rate that was tried, per second.
        lowest_per_s: f64,
        /// The share of requests over the budget at that rate.
        over_frac: f64,
    },
    /// The highest rate that can be offered still keeps it.
    Beyond {
        /// That rate, per second.
        at_least_per_s: f64,
    },
    /// Some process did not find one.
    NotMeasured,
}

/// A rate at which the budget suddenly breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cliff {
    /// The highest rate that still keeps the budget.
    pub holds_per_s: f64,
    /// The next rate, which does not.
    pub fails_per_s: f64,
    /// In how many processes it was seen.
    pub processes: usize,
}

impl CapacityFigures {
    fn of(case: &CaseRecord) -> Option<Self> {
        let open = case.open.as_ref()?;
        let curves = || case.processes.iter().filter_map(|s| s.capacity.as_ref());
        let curve = |value: fn(&Curve) -> f64| over(case, |s| s.capacity.as_ref().map(value));
        Some(Self {
            points: open.budgets_ns.iter().map(|ns| CapacityPoint::of(case, *ns)).collect(),
            closed_per_s: curve(|c| c.closed_per_s),
            closed_p50_ns: curve(|c| c.closed_p50_ns),
            late_frac: curves().map(|c| c.late_frac).reduce(f64::max),
            late_p99_ns: curves().map(|c| c.late_p99_ns).reduce(f64::max),
        })
    }
}

impl CapacityPoint {
    fn of(case: &CaseRecord, budget_ns: u64) -> Self {
        let found: Vec<&Capacity> =
            case.processes.iter().filter_map(|s| s.capacity.as_ref()?.at(budget_ns)).collect();
        let rate = over(case, |s| s.capacity.as_ref()?.at(budget_ns)?.outcome.value());
        let confirmed: Vec<Confirmed> = found.iter().filter_map(|c| c.confirmed).collect();
        let lowest = confirmed.iter().copied().min_by(|a, b| a.per_s.total_cmp(&b.per_s));
        Self {
            budget_ns,
            rate: rate.ok_or_else(|| NoRate::of(&found)),
            cliff: Cliff::of(&found),
            confirmed: lowest.map(|lowest| (lowest, confirmed.len())),
        }
    }
}

impl NoRate {
    fn of(found: &[&Capacity]) -> Self {
        let too_slow = found.iter().find_map(|c| match c.outcome {
            Outcome::None { lowest_per_s, over_frac } => Some(Self::TooSlow { lowest_per_s, over_frac }),
            _ => None,
        });
        let beyond = found.iter().find_map(|c| match c.outcome {
            Outcome::Beyond { at_least_per_s } => Some(Self::Beyond { at_least_per_s }),
            _ => None,
        });
        too_slow.or(beyond).unwrap_or(Self::NotMeasured)
    }
}

impl Cliff {
    fn of(found: &[&Capacity]) -> Option<Self> {
        let cliffs: Vec<(f64, f64)> = found
            .iter()
            .filter_map(|c| match c.outcome {
                Outcome::Cliff { holds_per_s, fails_per_s } => Some((holds_per_s, fails_per_s)),
                _ => None,
            })
            .collect();
        Some(Self {
            holds_per_s: cliffs.iter().map(|c| c.0).reduce(f64::min)?,
            fails_per_s: cliffs.iter().map(|c| c.1).reduce(f64::max)?,
            processes: cliffs.len(),
        })
    }
}
