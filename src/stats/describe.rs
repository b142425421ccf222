//! Describes the samples of one process, in time order, by a dozen numbers.
//!
//! Outliers are counted and kept: every sample counts in every number.

use super::autocorrelation::autocorrelation;
use super::tick::tick;
use super::{StatError, sample};

/// The quantiles that every summary holds.
pub const QUANTILES: [f64; 10] = [0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999];

/// A quantile with fewer samples than this beyond it moves with single samples, and is shown but not judged.
pub const JUDGED_TAIL: f64 = 10.0;

/// Numbers of samples outside Tukey's fences: beyond 1.5 (mild) or 3 (severe) interquartile ranges from the
/// quartiles (J. W. Tukey, *Exploratory data analysis*, 1977; the labels are those of criterion.rs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutlierLabels {
    /// More than 3 interquartile ranges below the lower quartile.
    pub low_severe: u64,
    /// 1.5 to 3 interquartile ranges below the lower quartile.
    pub low_mild: u64,
    /// 1.5 to 3 interquartile ranges above the upper quartile.
    pub high_mild: u64,
    /// More than 3 interquartile ranges above the upper quartile.
    pub high_severe: u64,
}

/// What is kept of one process's samples. Times in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Number of samples.
    pub n: u64,
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Sample standard deviation (n − 1).
    pub sd_ns: f64,
    /// The shortest sample.
    pub min_ns: u64,
    /// The longest sample.
    pub max_ns: u64,
    /// The quantiles, in the order of [`QUANTILES`].
    pub quantiles_ns: [f64; QUANTILES.len()],
    /// Correlation of neighbouring samples, in [−1, 1].
    pub lag1: f64,
    /// Number of independent samples that would give the mean the same precision, in [1, n].
    pub n_eff: f64,
    /// How many samples are outliers.
    pub labels: OutlierLabels,
    /// The step of the clock they were read from, as they show it; `None` where they do not.
    pub tick_ns: Option<u64>,
}

impl Description {
    /// The stored quantile `q`, if it is one of [`QUANTILES`].
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        let index = QUANTILES.iter().position(|&known| (known - q).abs() < 1e-9)?;
        Some(self.quantiles_ns[index])
    }
}

/// Describes `samples`, durations in nanoseconds in the order they were taken. Fails below two samples.
///
/// A million samples take about 50 ms: one unstable sort and the bounded sum of
/// [`mod@super::autocorrelation`].
pub fn describe(samples: &[u64]) -> Result<Description, StatError> {
    sample::check_count("a description", 2, samples.len())?;
    let n = samples.len();
    // The sum is exact: 2⁶⁴ samples of 2⁶⁴ ns fit.
    let sum: u128 = samples.iter().map(|&s| u128::from(s)).sum();
    let mean_ns = sum as f64 / n as f64;
    let values: Vec<f64> = samples.iter().map(|&s| s as f64).collect();
    let sd_ns = (sample::squares_about(&values, mean_ns) / (n - 1) as f64).sqrt();
    let dependence = autocorrelation(&values);

    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    Ok(Description {
        n: n as u64,
        mean_ns,
        sd_ns,
        min_ns: sorted[0],
        max_ns: sorted[n - 1],
        quantiles_ns: QUANTILES.map(|q| quantile_sorted(&sorted, q)),
        lag1: dependence.lag1,
        n_eff: dependence.n_eff,
        labels: labels(&sorted),
        tick_ns: tick(samples),
    })
}

/// Samples that leave so many beyond quantile `q`, ⌈beyond / (1 − q)⌉; `q` from 0 to below 1.
pub fn samples_with(beyond: f64, q: f64) -> u64 {
    // 12/(1 − 0.99) is 1199.999…9 or 1200.000…1 in binary: the allowance is far below one sample.
    (beyond / (1.0 - q).max(0.0) - 1e-6).ceil() as u64
}

/// Whether quantile `q` of `n` samples may be judged: at least [`JUDGED_TAIL`] samples on its thinner side.
/// For q ≥ ½ that is n(1 − q) ≥ 10; p99 needs 1000 samples.
pub fn is_judged(n: u64, q: f64) -> bool {
    // 100·(1 − 0.9) is 9.999…98 in binary; the allowance is far below one sample.
    n as f64 * q.min(1.0 - q) >= JUDGED_TAIL - 1e-6
}

/// Share of samples that took longer than `budget_ns`, in [0, 1]; 0 for no samples.
pub fn share_over(samples: &[u64], budget_ns: u64) -> f64 {
    let over = samples.iter().filter(|&&s| s > budget_ns).count();
    over as f64 / samples.len().max(1) as f64
}

/// Hyndman and Fan's type 8 (median-unbiased whatever the distribution; *Sample quantiles in statistical
/// packages*, The American Statistician 50, 1996): interpolation at position (n + ⅓)q + ⅓ of the sorted
/// values, counted from 1.
///
/// `sorted` must be sorted and not empty (0 if it is); `q` is clamped to [0, 1].
pub fn quantile_sorted(sorted: &[u64], q: f64) -> f64 {
    let n = sorted.len();
    if n == 0 {
        return 0.0;
    }
    let position = (n as f64 + 1.0 / 3.0) * q.clamp(0.0, 1.0) + 1.0 / 3.0;
    let position = position.clamp(1.0, n as f64);
    let below = position.floor() as usize;
    let low = sorted[below - 1] as f64;
    let high = sorted[below.min(n - 1)] as f64;
    low + (position - position.floor()) * (high - low)
}

fn labels(sorted: &[u64]) -> OutlierLabels {
    let (q1, q3) = (quantile_sorted(sorted, 0.25), quantile_sorted(sorted, 0.75));
    let iqr = q3 - q1;
    let below = |fence: f64| sorted.partition_point(|&s| (s as f64) < fence) as u64;
    let above = |fence: f64| sorted.len() as u64 - sorted.partition_point(|&s| (s as f64) <= fence) as u64;
    let (low_severe, high_severe) = (below(q1 - 3.0 * iqr), above(q3 + 3.0 * iqr));
    OutlierLabels {
        low_severe,
        low_mild: below(q1 - 1.5 * iqr) - low_severe,
        high_mild: above(q3 + 1.5 * iqr) - high_severe,
        high_severe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// By hand: position 10⅓·q + ⅓, so q = 0.1 lies at 1.3667.
    #[test]
    fn quantiles_are_type_8() {
        let sorted = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100];
        for (q, expected) in [
            (0.01, 1.0),
            (0.1, 1.366_666_7),
            (0.25, 2.916_666_7),
            (0.5, 5.5),
            (0.9, 66.633_333),
            (0.99, 100.0),
        ] {
            let got = quantile_sorted(&sorted, q);
            assert!((got - expected).abs() < 1e-5, "{q}: {got}");
        }
    }

    #[test]
    fn describes_a_small_series() {
        let d = describe(&[10, 12, 11, 13, 12, 11, 10, 200]).expect("eight samples");
        assert_eq!((d.n, d.min_ns, d.max_ns), (8, 10, 200));
        assert_eq!(d.mean_ns, 279.0 / 8.0);
        assert!((d.sd_ns - 66.728_528).abs() < 1e-5, "{}", d.sd_ns);
        assert_eq!(d.quantile_ns(0.5), Some(11.5));
        assert_eq!(d.quantile_ns(0.42), None);
        let expected = OutlierLabels { high_severe: 1, ..OutlierLabels::default() };
        assert_eq!(d.labels, expected);
    }

    #[test]
    fn all_equal_samples_have_no_spread_and_no_outliers() {
        let d = describe(&[7; 50]).expect("fifty samples");
        assert_eq!((d.mean_ns, d.sd_ns, d.lag1, d.n_eff), (7.0, 0.0, 0.0, 50.0));
        assert_eq!(d.quantiles_ns, [7.0; 10]);
        assert_eq!(d.labels, OutlierLabels::default());
    }

    #[test]
    fn one_sample_is_too_few_and_the_largest_are_not_too_large() {
        let too_few = |got| Err(StatError::TooFew { what: "a description", needed: 2, got });
        assert_eq!(describe(&[]), too_few(0));
        assert_eq!(describe(&[5]), too_few(1));
        let d = describe(&[u64::MAX, u64::MAX, 0]).expect("three samples");
        assert!(d.mean_ns.is_finite() && d.sd_ns.is_finite() && d.n_eff >= 1.0);
    }

    #[test]
    fn a_quantile_needs_ten_samples_beyond_it() {
        for (n, q, expected) in [
            (1000, 0.99, true),
            (999, 0.99, false),
            (100, 0.9, true),
            (99, 0.9, false),
            (10_000, 0.999, true),
            (20, 0.5, true),
            (1000, 0.01, true),
            (500, 0.01, false),
        ] {
            assert_eq!(is_judged(n, q), expected, "{n} {q}");
        }
    }

    #[test]
    fn share_over_counts_strictly_longer() {
        assert_eq!(share_over(&[1, 2, 3, 4], 2), 0.5);
        assert_eq!(share_over(&[], 2), 0.0);
    }

    #[test]
    fn scaling_the_samples_scales_times_and_nothing_else() {
        let mut rng = Rng::new(5);
        let samples: Vec<u64> = (0..2000).map(|_| 10_000 + rng.below(500)).collect();
        let scaled: Vec<u64> = samples.iter().map(|s| s * 8).collect();
        let (a, b) = (describe(&samples).expect("many"), describe(&scaled).expect("many"));
        assert_eq!((a.lag1, a.n_eff, a.labels), (b.lag1, b.n_eff, b.labels));
        assert_eq!((a.mean_ns * 8.0, a.sd_ns * 8.0), (b.mean_ns, b.sd_ns));
        assert_eq!(a.quantiles_ns.map(|q| q * 8.0), b.quantiles_ns);
    }
}
