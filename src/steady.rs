//! Tells when a process has warmed up.
//!
//! From samples in time order it says whether warm-up may end (in the measuring worker, while it runs), whether samples
//! still drift, and, of a process that never became steady, whether its start must go. Samples of a steady process are
//! all kept: looking for a better start in them cut up to half of steady processes, which made the spread between real
//! ones (H200) 1.4 times as wide.

use crate::stats::autocorrelation::autocorrelation;
use crate::stats::{dist, median_by};

/// A trend that moves the mean by less than this share over the run is harmless, however significant.
const MAX_DRIFT_FRAC: f64 = 0.005;

/// A trend less significant than this is not taken for real. Strict, because every process of every run is
/// tested.
const TREND_ALPHA: f64 = 0.01;

/// Fewer samples cannot be told to be steady.
pub const MIN_SAMPLES: usize = 20;

/// Fewer samples have no trend that could be told from chance: half of the least that a warm-up takes.
const MIN_TREND_SAMPLES: usize = MIN_SAMPLES / 2;

/// Starts that may be cut, as parts of all samples; none is longer than a tenth.
const STARTS: [usize; 4] = [100, 50, 20, 10];

/// A start of fewer samples is a spike rather than a phase.
const MIN_START: usize = 5;

/// A start that differs by less than this share of the mean is not worth a cut.
const MIN_START_FRAC: f64 = 0.005;

/// Overall error rate of cutting a start that is like all the rest.
const START_ALPHA: f64 = 0.01;

/// A straight line through the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Change of the fitted line from the first to the last sample, as a share of the mean; + = getting
    /// slower.
    pub change_frac: f64,
    /// Two-sided p of "no trend", with the degrees of freedom that autocorrelation leaves.
    pub p: f64,
}

impl Trend {
    /// Larger than [`MAX_DRIFT_FRAC`] and real.
    pub fn is_non_stationary(&self) -> bool {
        self.change_frac.abs() > MAX_DRIFT_FRAC && self.p < TREND_ALPHA
    }
}

/// How many samples at the start of a process that was not steady belong to its warm-up: the longest of
/// [`STARTS`] whose mean differs from that of what follows the first tenth, by more than [`MIN_START_FRAC`] and
/// beyond chance, and whose median does so too: a spike in a start is no phase.
///
/// How much the mean of a start varies by chance is taken from the rest, with its effective sample size: a start in
/// which no spike fell looks steadier than it is. The error rate is shared among the starts (Bonferroni). 0 where too
/// few samples are left to compare with.
pub fn cold_start(samples: &[u64]) -> usize {
    let longest = samples.len() / STARTS[STARTS.len() - 1];
    let rest: Vec<f64> = samples[longest..].iter().map(|&s| s as f64).collect();
    if rest.len() < MIN_SAMPLES {
        return 0;
    }
    let n = rest.len() as f64;
    let mean = rest.iter().sum::<f64>() / n;
    let variance = rest.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let n_eff = autocorrelation(&rest).n_eff;
    let rest_middle = middle(&samples[longest..]);
    let differs = |length: usize| {
        let start = samples[..length].iter().map(|&s| s as f64).sum::<f64>() / length as f64;
        let difference = (start - mean).abs();
        // A start is worth as many independent samples, for its length, as the rest.
        let effective = (length as f64 * n_eff / n).max(1.0);
        let se = (variance * (1.0 / effective + 1.0 / n_eff)).sqrt();
        let alpha = START_ALPHA / STARTS.len() as f64;
        let middle_differs = (middle(&samples[..length]) - rest_middle).abs() > MIN_START_FRAC * rest_middle;
        middle_differs
            && difference > MIN_START_FRAC * mean
            && (se == 0.0 || n_eff > 2.0 && 2.0 * dist::t_sf(difference / se, n_eff - 1.0) < alpha)
    };
    let starts = STARTS.iter().rev().map(|part| samples.len() / part).filter(|length| *length >= MIN_START);
    starts.into_iter().find(|length| differs(*length)).unwrap_or(0)
}

fn middle(samples: &[u64]) -> f64 {
    median_by(samples.iter().copied(), u64::cmp).unwrap_or_default() as f64
}

/// Least-squares line through the samples against their number, its slope tested with the effective sample
/// size of the residuals: t = slope / (s·√(12/(n²·n_eff))), n_eff − 2 degrees of freedom. Correlated
/// residuals make a naive test call almost every trace drifting.
///
/// Below [`MIN_TREND_SAMPLES`] samples, or with fewer than three effective ones, no trend can be told: p = 1.
pub fn trend(samples: &[u64]) -> Trend {
    let n = samples.len() as f64;
    let mean = samples.iter().map(|&s| u128::from(s)).sum::<u128>() as f64 / n.max(1.0);
    if samples.len() < MIN_TREND_SAMPLES || mean <= 0.0 {
        return Trend { change_frac: 0.0, p: 1.0 };
    }
    let middle = (n - 1.0) / 2.0;
    let time_squares = n * (n * n - 1.0) / 12.0;
    let products: f64 =
        samples.iter().enumerate().map(|(i, &s)| (i as f64 - middle) * (s as f64 - mean)).sum();
    let slope = products / time_squares;
    let residuals: Vec<f64> =
        samples.iter().enumerate().map(|(i, &s)| s as f64 - mean - slope * (i as f64 - middle)).collect();
    let change_frac = slope * (n - 1.0) / mean;

    let n_eff = autocorrelation(&residuals).n_eff;
    let df = n_eff - 2.0;
    let variance = residuals.iter().map(|r| r * r).sum::<f64>() / (n - 2.0);
    let se = (variance * 12.0 / (n * n * n_eff)).sqrt();
    let p = if df < 1.0 {
        1.0
    } else if se > 0.0 {
        2.0 * dist::t_sf((slope / se).abs(), df)
    } else if slope == 0.0 {
        1.0
    } else {
        0.0
    };
    Trend { change_frac, p }
}

/// Whether warm-up may end after `warmup`, the samples so far in time order: their second half has no real trend of
/// more than [`MAX_DRIFT_FRAC`]. What was slow in the first half is over then.
///
/// `false` below [`MIN_SAMPLES`]. Takes a few milliseconds per 10⁵ samples; ask after a fixed share of new
/// samples, not after each, because every question is another chance to say yes. The caller bounds the
/// warm-up in time: a process that never settles is measured anyway and flagged by [`trend`].
pub fn is_steady(warmup: &[u64]) -> bool {
    warmup.len() >= MIN_SAMPLES && !trend(&warmup[warmup.len() / 2..]).is_non_stationary()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// AR(1) noise of 1 % around 1 ms, times `shape` of the share of the run that has passed.
    fn trace(n: usize, rho: f64, seed: u64, shape: impl Fn(f64) -> f64) -> Vec<u64> {
        let mut rng = Rng::new(seed);
        let mut x = rng.normal();
        (0..n)
            .map(|i| {
                x = rho * x + (1.0 - rho * rho).sqrt() * rng.normal();
                (1e6 * shape(i as f64 / n as f64) * (1.0 + 0.01 * x)) as u64
            })
            .collect()
    }

    #[test]
    fn a_cold_start_is_cut_and_nothing_else() {
        let slow_start = |t: f64| if t < 0.04 { 1.5 } else { 1.0 };
        for seed in 0..20 {
            let cut = cold_start(&trace(1000, 0.3, seed, slow_start));
            assert!((20..=100).contains(&cut), "{seed}: {cut}");
        }
        let cut =
            |rho: f64| (0..500).filter(|&seed| cold_start(&trace(1000, rho, seed, |_| 1.0)) > 0).count();
        for rho in [0.0, 0.5, 0.9] {
            assert!(cut(rho) <= 12, "{rho}: {} of 500", cut(rho));
        }
        // A phase that lasts is no warm-up, and a difference that does not matter is none.
        assert!(
            (0..20)
                .all(|seed| cold_start(&trace(1000, 0.0, seed, |t| 1.0 + 0.001 * f64::from(t < 0.1))) == 0)
        );
        let half = trace(1000, 0.0, 1, |t| if t < 0.5 { 1.5 } else { 1.0 });
        assert!(cold_start(&half) <= 100);
    }

    #[test]
    fn an_exponential_cold_start_loses_its_bias() {
        let samples = trace(2000, 0.0, 7, |t| 1.0 + 0.5 * (-t / 0.02).exp());
        let kept = &samples[cold_start(&samples)..];
        let mean = kept.iter().sum::<u64>() as f64 / kept.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.002, "{} left {mean}", kept.len());
    }

    #[test]
    fn nothing_is_cut_without_a_reason() {
        for samples in [&[][..], &[5], &[9, 1, 1, 1, 1, 1, 1], &[7; 1000], &[0; 100]] {
            assert_eq!(cold_start(samples), 0);
            assert!(!trend(samples).is_non_stationary());
        }
        // One spike, wherever it is, is no phase.
        for at in [0, 399] {
            let mut spiked = vec![1000_u64; 400];
            spiked[at] = 50_000;
            assert_eq!(cold_start(&spiked), 0, "at {at}");
        }
    }

    #[test]
    fn steady_traces_pass_and_still_warming_ones_do_not() {
        let passes = |rho: f64, shape: &dyn Fn(f64) -> f64| {
            (0..200).filter(|&seed| is_steady(&trace(400, rho, seed, shape))).count()
        };
        for rho in [0.0, 0.5, 0.9] {
            assert!(passes(rho, &|_| 1.0) > 150, "{rho}: {}", passes(rho, &|_| 1.0));
        }
        assert_eq!(passes(0.0, &|t| 1.3 - 0.3 * t), 0);
        assert_eq!(passes(0.0, &|t| 1.0 + (-t / 0.4).exp()), 0);
        assert!(!is_steady(&[]) && !is_steady(&[1; MIN_SAMPLES - 1]) && is_steady(&[1; MIN_SAMPLES]));
    }

    #[test]
    fn a_trend_must_be_large_and_real_to_count() {
        let flagged = |n: usize, rho: f64, drift: f64| {
            (0..200)
                .filter(|&seed| trend(&trace(n, rho, seed, |t| 1.0 + drift * t)).is_non_stationary())
                .count()
        };
        assert_eq!(flagged(2000, 0.0, 0.02), 200);
        assert_eq!(flagged(20_000, 0.0, 0.003), 0);
        for rho in [0.0, 0.5, 0.9] {
            assert!(flagged(500, rho, 0.0) <= 8, "{rho}: {}", flagged(500, rho, 0.0));
        }
    }

    #[test]
    fn the_fitted_change_is_the_simulated_one() {
        let got = trend(&trace(20_000, 0.0, 3, |t| 1.0 + 0.02 * t));
        assert!((got.change_frac - 0.02 / 1.01).abs() < 0.001 && got.p < 1e-6, "{got:?}");
        let exact: Vec<u64> = (1000..2000).collect();
        let got = trend(&exact);
        assert!((got.change_frac - 999.0 / 1499.5).abs() < 1e-9 && got.p < 1e-9, "{got:?}");
    }
}
