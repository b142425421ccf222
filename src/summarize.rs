//! Sums samples up as a [`Summary`]: what one measuring process says about a case. Pure.

use crate::capacity::{Curve, LateGenerator};
use crate::case::Budget;
use crate::device::{GpuConditions, GpuDisturbance, Throttle};
use crate::error::{Failure, FailureKind, Result};
use crate::measured::{GpuTimes, Measured, MeasuredGpu};
use crate::stats::{self, Description, QUANTILES};
use crate::steady;
use crate::trtexec::TooCoarse;

/// One process, in numbers. Times are nanoseconds per request.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Requests in the summary, after truncation.
    pub requests: u64,
    /// Requests before the measured phase.
    pub warm_up_requests: u64,
    /// Whether warming up ended because latencies were steady.
    pub steady: bool,
    /// Requests dropped from the start of the measured phase: a cold start, after a warm-up that did not become steady.
    pub dropped: u64,
    /// A trend moved the mean by more than 0.5 % over the run.
    pub non_stationary: bool,
    /// The container was stopped for its CPU quota: the numbers hold its pauses.
    pub throttled: bool,
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Sample standard deviation.
    pub sd_ns: f64,
    /// The shortest request.
    pub min_ns: u64,
    /// The longest request.
    pub max_ns: u64,
    /// The quantiles, in the order of [`QUANTILES`].
    pub quantiles_ns: [f64; QUANTILES.len()],
    /// Correlation of neighbouring requests, in [−1, 1].
    pub lag1: f64,
    /// Number of independent requests that would give the mean the same precision.
    pub n_eff: f64,
    /// The step of the clock that requests were timed with, as their times show it; `None` where they do not.
    pub tick_ns: Option<u64>,
    /// How long it was to measure, at least, in nanoseconds; `None` where that is not known.
    pub measure_ns: Option<u64>,
    /// The build of the engine that it loaded, from 1; `None` where there is one.
    pub build: Option<u32>,
    /// Outliers between Tukey's inner and outer fences. All outliers are counted and kept.
    pub outliers_mild: u64,
    /// Outliers beyond the outer fences.
    pub outliers_severe: u64,
    /// Inferences per second over all streams.
    pub inferences_per_s: f64,
    /// Share of requests over the budget.
    pub over_budget_frac: Option<f64>,
    /// Time from the engine file to a loaded engine; 0 where it is not known.
    pub load_ns: u64,
    /// The first request, which also pays for what is set up late; 0 where it is not known.
    pub first_ns: u64,
    /// The most host memory the process had resident, in bytes; `None` where the system does not tell.
    pub peak_host_bytes: Option<u64>,
    /// What loading was spent on, in order: name and nanoseconds. Empty where it is one step.
    pub steps: Vec<(String, u64)>,
    /// `None` for `cpu`.
    pub gpu: Option<GpuSummary>,
    /// What an open loop found; `None` in closed ones. The other numbers are then of the probe that confirmed the rate.
    pub capacity: Option<Curve>,
}

/// What a GPU said of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuSummary {
    /// `None` where requests were not timed, as in `throughput`.
    pub compute: Option<Compute>,
    /// Medians of the parts of a request.
    pub times: Option<GpuTimes>,
    /// Clock of the multiprocessors at the end of the measured phase.
    pub sm_mhz: Option<f64>,
    /// The highest clock they have.
    pub max_sm_mhz: Option<f64>,
    /// What held the clocks down at the end; empty where nothing did.
    pub held_by: Vec<Throttle>,
    /// By which share of itself that clock moved during the phase, where by more than 1 %: it is not locked.
    pub clock_change_frac: Option<f64>,
    /// Temperature of the chip at the end, in °C.
    pub temperature_c: Option<u32>,
    /// Power draw of the whole board at the end, in watts.
    pub power_w: Option<f64>,
    /// Energy of the whole GPU, idle power included.
    pub joules_per_inference: Option<f64>,
    /// How long that energy was counted, in nanoseconds.
    pub energy_window_ns: Option<u64>,
    /// Why the numbers are not valid: a clock that moved, throttling, other processes.
    pub invalid_reason: Option<InvalidReason>,
}

/// Why the numbers of a process must not be believed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidReason {
    /// The container ran into its CPU quota.
    #[error("the CPU was throttled")]
    CpuThrottled,
    /// Something disturbed the GPU.
    #[error(transparent)]
    Gpu(#[from] GpuDisturbance),
    /// The load generator sent too many requests late.
    #[error(transparent)]
    LateGenerator(#[from] LateGenerator),
    /// The times of an imported run are too coarse.
    #[error(transparent)]
    TooCoarse(#[from] TooCoarse),
    /// Read from a record, which keeps only the text.
    #[error("{0}")]
    Recorded(String),
}

/// Time the GPU computed per request, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compute {
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: f64,
    /// 99 % quantile.
    pub p99_ns: f64,
    /// The median times the measured clock over the highest one: what the GPU would take at its highest clock, as far
    /// as it waits for nothing but its multiprocessors. Where this did not change and the median did, clocks did it.
    /// `None` where a clock is not known.
    pub p50_at_max_clock_ns: Option<f64>,
}

impl Summary {
    /// The stored quantile `q`; `None` if it is not one of [`QUANTILES`].
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        QUANTILES.iter().position(|x| (x - q).abs() < 1e-9).map(|i| self.quantiles_ns[i])
    }

    /// Those of a process's samples that are summed up here: all but a cold start.
    pub fn kept<'a>(&self, samples: &'a [u64]) -> &'a [u64] {
        usize::try_from(self.dropped).ok().and_then(|cold| samples.get(cold..)).unwrap_or_default()
    }

    /// Whether these are its samples, as far as their number and their extremes tell: another session may have had the
    /// same place.
    pub fn is_of(&self, samples: &[u64]) -> bool {
        let kept = self.kept(samples);
        let ends = (kept.iter().min(), kept.iter().max());
        kept.len() as u64 == self.requests && ends == (Some(&self.min_ns), Some(&self.max_ns))
    }
}

impl Summary {
    /// Why this process must not be believed; `None` where nothing is known against it.
    pub fn invalid_reason(&self) -> Option<InvalidReason> {
        if self.throttled {
            return Some(InvalidReason::CpuThrottled);
        }
        let of_gpu = self.gpu.as_ref().and_then(|gpu| gpu.invalid_reason.clone());
        of_gpu.or_else(|| Some(self.capacity.as_ref()?.invalid_reason()?.into()))
    }
}

/// The samples of one process without a cold start.
#[derive(Clone, Debug, PartialEq)]
pub struct Steady {
    /// Samples dropped from the start.
    pub dropped: u64,
    /// A trend moved the mean by more than 0.5 % over what is left.
    pub non_stationary: bool,
    /// What is left, in numbers.
    pub description: Description,
}

/// Describes the samples of one process (nanoseconds, in time order). All of them where it had warmed up before
/// (`warm`); otherwise without a cold start. Fails below two.
pub fn describe_steady(samples: &[u64], warm: bool) -> Result<Steady> {
    let dropped = if warm { 0 } else { steady::cold_start(samples) };
    let kept = samples.get(dropped..).unwrap_or(samples);
    let description = stats::describe(kept).map_err(|e| {
        Failure::new(FailureKind::Measure, format!("the samples cannot be summarised: {e}"))
            .next("measure longer, with --measure")
    })?;
    Ok(Steady {
        dropped: dropped as u64,
        non_stationary: steady::trend(kept).is_non_stationary(),
        description,
    })
}

/// Summarises the samples of one process (nanoseconds, in time order); `compute` are the GPU's of a
/// pass of its own, empty where there was none.
pub fn summarize(
    samples: &[u64],
    compute: &[u64],
    measured: &Measured,
    budget: Option<Budget>,
) -> Result<Summary> {
    let Steady { dropped, non_stationary, description: d } = describe_steady(samples, measured.steady)?;
    let kept = samples.get(dropped as usize..).unwrap_or(samples);
    Ok(Summary {
        requests: d.n,
        warm_up_requests: measured.warm_up_requests,
        steady: measured.steady,
        dropped,
        non_stationary,
        throttled: measured.throttled,
        mean_ns: d.mean_ns,
        sd_ns: d.sd_ns,
        min_ns: d.min_ns,
        max_ns: d.max_ns,
        quantiles_ns: d.quantiles_ns,
        lag1: d.lag1,
        n_eff: d.n_eff,
        tick_ns: d.tick_ns,
        measure_ns: None,
        build: None,
        outliers_mild: d.labels.low_mild + d.labels.high_mild,
        outliers_severe: d.labels.low_severe + d.labels.high_severe,
        inferences_per_s: measured.requests_per_s * measured.inferences_per_request,
        over_budget_frac: budget.map(|b| stats::share_over(kept, b.max_ns)),
        load_ns: measured.load_ns,
        first_ns: measured.first_ns,
        peak_host_bytes: measured.peak_host_bytes,
        steps: measured.steps.clone(),
        gpu: match &measured.gpu {
            Some(gpu) => {
                let inferences = measured.requests as f64 * measured.inferences_per_request;
                Some(summarize_gpu(compute, gpu, inferences)?)
            }
            None => None,
        },
        capacity: measured.capacity.clone().map(|curve| curve.times(measured.inferences_per_request)),
    })
}

fn summarize_gpu(compute: &[u64], gpu: &MeasuredGpu, inferences: f64) -> Result<GpuSummary> {
    let described = match compute {
        [] => None,
        times => Some(stats::describe(times).map_err(|e| {
            Failure::new(FailureKind::Measure, format!("the GPU's times cannot be summarised: {e}"))
                .next("measure longer, with --measure")
        })?),
    };
    Ok(GpuSummary {
        compute: described.map(|d| compute_of(&d, &gpu.after)),
        times: gpu.times,
        sm_mhz: gpu.after.sm_mhz,
        max_sm_mhz: gpu.after.max_sm_mhz,
        held_by: gpu.after.throttled.clone(),
        clock_change_frac: GpuConditions::clock_change_frac(&gpu.before, &gpu.after),
        temperature_c: gpu.after.temperature_c,
        power_w: gpu.after.power_w,
        joules_per_inference: gpu.energy.map(|e| e.joules / inferences),
        energy_window_ns: gpu.energy.map(|e| e.window_ns),
        invalid_reason: GpuConditions::disturbance(&gpu.before, &gpu.after).map(InvalidReason::from),
    })
}

/// `then`: the GPU's state when its clock timed the requests.
fn compute_of(d: &Description, then: &GpuConditions) -> Compute {
    let p50_ns = d.quantile_ns(0.5).unwrap_or(d.mean_ns);
    let clocks = then.sm_mhz.zip(then.max_sm_mhz);
    Compute {
        mean_ns: d.mean_ns,
        p50_ns,
        p99_ns: d.quantile_ns(0.99).unwrap_or(d.mean_ns),
        p50_at_max_clock_ns: clocks.map(|(mhz, max_mhz)| p50_ns * mhz / max_mhz),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_at_half_its_clock_would_take_half_the_time() {
        let d = stats::describe(&[2000; 10]).unwrap();
        let then =
            GpuConditions { sm_mhz: Some(990.0), max_sm_mhz: Some(1980.0), ..GpuConditions::default() };
        assert_eq!(compute_of(&d, &then).p50_at_max_clock_ns, Some(1000.0));
        assert_eq!(compute_of(&d, &GpuConditions::default()).p50_at_max_clock_ns, None);
    }

    #[test]
    fn a_summary_holds_what_was_measured() {
        let samples: Vec<u64> = (0..1000).map(|i| 1000 + (i * 7919) % 100).collect();
        let measured = Measured {
            layers: None,
            load_ns: 1,
            first_ns: 2,
            warm_up_requests: 3,
            warm_up_ns: 4,
            steady: true,
            requests: 1000,
            requests_per_s: 500.0,
            inferences_per_request: 4.0,
            throttled: false,
            peak_host_bytes: None,
            outputs: vec![],
            notes: Vec::new(),
            steps: vec![],
            gpu: None,
            capacity: None,
        };
        let s = summarize(&samples, &[], &measured, Some(Budget { max_ns: 1049, quantile: 0.99 })).unwrap();
        assert_eq!(s.inferences_per_s, 2000.0);
        assert_eq!((s.requests, s.dropped), (1000, 0));
        let over = s.over_budget_frac.unwrap();
        assert!((over - 0.5).abs() < 0.02, "{over}");
        assert!(s.quantile_ns(0.5).is_some() && s.quantile_ns(0.42).is_none());
        assert!(summarize(&[5], &[], &measured, None).is_err());

        let cold = [vec![9000; 50], samples].concat();
        let dropped =
            |steady| summarize(&cold, &[], &Measured { steady, ..measured.clone() }, None).unwrap().dropped;
        assert_eq!((dropped(true), dropped(false)), (0, 105), "what followed a steady warm-up is all kept");
    }
}
