//! Tells how much a series whose values depend on each other is worth: lag-1 autocorrelation and effective sample size.
//!
//! The work is at most a fixed multiple of reading the series (see [`MAX_POINTS`] and [`MAX_LAG`]).

use super::sample;

/// Autocovariances are summed over at most this many points. A longer series is first averaged in blocks,
/// which leaves the long-run variance Σγ_k (all that n_eff needs) unchanged and bounds the work.
const MAX_POINTS: usize = 1 << 15;

/// The sum stops at this lag (in blocks) even if Geyer's rule has not. A series still correlated there is
/// drifting, and its n_eff is an upper bound. With [`MAX_POINTS`] the work is at most 2²⁵ multiplications,
/// about 20 ms.
const MAX_LAG: usize = 1 << 10;

/// What one series says about its own dependence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autocorrelation {
    /// Correlation of neighbours, in [−1, 1]; 0 for a constant series.
    pub lag1: f64,
    /// Number of independent values with the same variance of the mean, in [1, n].
    pub n_eff: f64,
}

/// n_eff = n / (1 + 2 Σ ρ_k), the sum cut where the sum of two neighbouring autocovariances is first not
/// positive (the initial positive sequence of C. J. Geyer, *Practical Markov chain Monte Carlo*, Statistical
/// Science 7, 1992).
///
/// Negative correlation can make n_eff exceed n; it is capped at n because that surplus is never needed and
/// rarely real. A constant series gives lag 1 = 0 and n_eff = n; an empty one gives 0 and 0. Values must be
/// finite: others are taken as if the series were constant.
pub fn autocorrelation(values: &[f64]) -> Autocorrelation {
    let n = values.len();
    let mean = sample::mean(values);
    let variance = sample::squares_about(values, mean) / n.max(1) as f64;
    // Rounding leaves a constant series with a variance of about (ε·mean)².
    if variance <= (1e-14 * mean) * (1e-14 * mean) || !variance.is_finite() {
        return Autocorrelation { lag1: 0.0, n_eff: n as f64 };
    }
    let centred: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let lag1 = (autocovariance(&centred, 1) / variance).clamp(-1.0, 1.0);
    let block = n.div_ceil(MAX_POINTS);
    let long_run = if block == 1 {
        long_run_variance(&centred)
    } else {
        let means: Vec<f64> = centred.chunks_exact(block).map(sample::mean).collect();
        block as f64 * long_run_variance(&means)
    };
    let n_eff = (n as f64 * variance / long_run).clamp(1.0, n as f64);
    Autocorrelation { lag1, n_eff }
}

/// Σ γ_k over all lags, positive and negative, cut by Geyer's rule. `centred` has mean 0 (block means:
/// nearly).
fn long_run_variance(centred: &[f64]) -> f64 {
    let variance = autocovariance(centred, 0);
    // Γ_0 = γ_0 + γ_1; Σ over all lags = 2 Σ Γ_m − γ_0.
    let mut sum_of_pairs = variance + autocovariance(centred, 1);
    let last = MAX_LAG.min(centred.len() / 2);
    let mut lag = 2;
    while lag < last {
        let pair = autocovariance(centred, lag) + autocovariance(centred, lag + 1);
        if pair <= 0.0 {
            break;
        }
        sum_of_pairs += pair;
        lag += 2;
    }
    // Strong negative lag-1 correlation can make this tiny or negative; γ_0/n is then far below what can be
    // estimated.
    (2.0 * sum_of_pairs - variance).max(variance * 1e-3)
}

/// γ_lag with divisor n, the choice that keeps the sequence positive definite.
fn autocovariance(centred: &[f64], lag: usize) -> f64 {
    let Some(later) = centred.get(lag..) else {
        return 0.0;
    };
    // Four partial sums, so that the compiler may keep several multiplications in flight.
    let mut sums = [0.0_f64; 4];
    let (a, b) = (&centred[..later.len()], later);
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    (sums[0] + sums[1] + sums[2] + sums[3] + rest) / centred.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn ar1(n: usize, rho: f64, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let mut x = rng.normal();
        (0..n)
            .map(|_| {
                x = rho * x + (1.0 - rho * rho).sqrt() * rng.normal();
                1000.0 + x
            })
            .collect()
    }

    /// For an AR(1) series n_eff/n is (1 − ρ)/(1 + ρ), whether or not the series had to be averaged in
    /// blocks.
    #[test]
    fn effective_size_of_ar1_is_the_textbook_value() {
        for n in [20_000, 120_000] {
            for (rho, tolerance) in [(0.0, 0.1), (0.5, 0.1), (0.9, 0.2), (0.98, 0.4)] {
                let got = autocorrelation(&ar1(n, rho, 11));
                let expected = n as f64 * (1.0 - rho) / (1.0 + rho);
                assert!((got.lag1 - rho).abs() < 0.03, "{n} {rho}: {got:?}");
                assert!((got.n_eff / expected - 1.0).abs() < tolerance, "{n} {rho}: {got:?} for {expected}");
            }
        }
    }

    #[test]
    fn degenerate_series_have_a_value() {
        let of = |values: &[f64]| {
            let got = autocorrelation(values);
            (got.lag1, got.n_eff)
        };
        assert_eq!(of(&[]), (0.0, 0.0));
        assert_eq!(of(&[5.0]), (0.0, 1.0));
        assert_eq!(of(&[0.1; 10]), (0.0, 10.0));
        assert_eq!(of(&[f64::NAN, 1.0]), (0.0, 2.0));
        let alternating: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let (lag1, n_eff) = of(&alternating);
        assert!(lag1 < -0.9 && n_eff == 100.0, "{lag1} {n_eff}");
    }
}
