//! Tells when a process has warmed up.
//!
//! From samples in time order it says how many to drop at the start, whether the rest still drifts, and (in the
//! measuring worker, while it runs) whether warm-up may end. Only samples at the start are dropped: warm-up is what
//! comes first.

use crate::stats::autocorrelation::autocorrelation;
use crate::stats::dist;

/// Samples per block: MSER-5 averages five, which tames single spikes (White, Cobb & Spratt, *A comparison of
/// five steady-state truncation heuristics for simulation*, Winter Simulation Conference 2000).
const BLOCK: usize = 5;

/// A trend that moves the mean by less than this share over the run is harmless, however significant.
const MAX_DRIFT_FRAC: f64 = 0.005;

/// A trend less significant than this is not taken for real. Strict, because every process of every run is
/// tested.
const TREND_ALPHA: f64 = 0.01;

/// Fewer samples cannot be told to be steady: four blocks, of which at most two may be dropped.
pub const MIN_SAMPLES: usize = 4 * BLOCK;

/// Where warm-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Samples to drop at the start, a multiple of [`BLOCK`], at most half of them.
    pub dropped: usize,
    /// The best cut was the last one allowed: the run was probably still warming up at its middle.
    pub at_cap: bool,
}

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

/// MSER-5: with block means Z_1…Z_m, drop the d ≤ m/2 blocks that minimise Σ_{j>d}(Z_j − Z̄_d)²/(m − d)², the
/// squared standard error of the mean of what is left (K. P. White, *An effective truncation heuristic for
/// bias reduction in simulation output*, Simulation 69, 1997). The first minimum wins, so constant samples
/// drop nothing.
///
/// The cut is confined to the first half, as White advises: near the end the criterion is small by chance.
/// Trailing samples that fill no block are kept. Below four blocks nothing is dropped.
pub fn truncate(samples: &[u64]) -> Truncation {
    let blocks = block_means(samples);
    let m = blocks.len();
    if samples.len() < MIN_SAMPLES {
        return Truncation { dropped: 0, at_cap: false };
    }
    // Deviations from the last block mean keep the running sums small against the spread.
    let origin = blocks[m - 1];
    let cap = m / 2;
    let (mut sum, mut squares, mut best, mut least) = (0.0, 0.0, 0, f64::INFINITY);
    for d in (0..m).rev() {
        let x = blocks[d] - origin;
        sum += x;
        squares += x * x;
        let left = (m - d) as f64;
        let criterion = (squares - sum * sum / left).max(0.0) / (left * left);
        // `<=` while walking backwards makes the earliest of equal cuts win.
        if d <= cap && criterion <= least {
            (best, least) = (d, criterion);
        }
    }
    Truncation { dropped: best * BLOCK, at_cap: best == cap }
}

/// Least-squares line through the samples against their number, its slope tested with the effective sample
/// size of the residuals: t = slope / (s·√(12/(n²·n_eff))), n_eff − 2 degrees of freedom. Correlated
/// residuals make a naive test call almost every trace drifting.
///
/// Below [`MIN_SAMPLES`] samples, or with fewer than three effective ones, no trend can be told: p = 1.
pub fn trend(samples: &[u64]) -> Trend {
    let n = samples.len() as f64;
    let mean = samples.iter().map(|&s| u128::from(s)).sum::<u128>() as f64 / n.max(1.0);
    if samples.len() < MIN_SAMPLES || mean <= 0.0 {
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

/// Whether warm-up may end after `warmup`, the samples so far in time order: MSER-5 finds a cut inside the
/// first half, and what follows the cut has no real trend of more than [`MAX_DRIFT_FRAC`].
///
/// `false` below [`MIN_SAMPLES`]. Takes a few milliseconds per 10⁵ samples; ask after a fixed share of new
/// samples, not after each, because every question is another chance to say yes. The caller bounds the
/// warm-up in time: a process that never settles is measured anyway and flagged by [`trend`].
pub fn is_steady(warmup: &[u64]) -> bool {
    if warmup.len() < MIN_SAMPLES {
        return false;
    }
    let cut = truncate(warmup);
    !cut.at_cap && !trend(&warmup[cut.dropped..]).is_non_stationary()
}

fn block_means(samples: &[u64]) -> Vec<f64> {
    samples
        .chunks_exact(BLOCK)
        .map(|block| block.iter().map(|&s| s as f64).sum::<f64>() / BLOCK as f64)
        .collect()
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
    fn a_slow_start_is_cut_off_where_it_ends() {
        let slow_start = |t: f64| if t < 0.2 { 1.5 } else { 1.0 };
        for seed in 0..20 {
            let cut = truncate(&trace(1000, 0.3, seed, slow_start));
            assert!((200..300).contains(&cut.dropped) && !cut.at_cap, "{seed}: {cut:?}");
        }
    }

    #[test]
    fn an_exponential_warm_up_loses_its_bias() {
        let samples = trace(2000, 0.0, 7, |t| 1.0 + 0.5 * (-t / 0.03).exp());
        let cut = truncate(&samples);
        let kept = &samples[cut.dropped..];
        let mean = kept.iter().sum::<u64>() as f64 / kept.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.002, "{cut:?} leaves {mean}");
    }

    #[test]
    fn nothing_is_dropped_without_a_reason() {
        let untouched = Truncation { dropped: 0, at_cap: false };
        for samples in [&[][..], &[5], &[9, 1, 1, 1, 1, 1, 1], &[7; 1000], &[0; 100]] {
            assert_eq!(truncate(samples), untouched);
            assert!(!trend(samples).is_non_stationary());
        }
        // One late spike must not drag the cut with it.
        let mut spiked = vec![1000_u64; 400];
        spiked[399] = 50_000;
        assert_eq!(truncate(&spiked), untouched);
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
