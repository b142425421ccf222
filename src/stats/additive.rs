//! Gives means and differences of durations that add up: the parts of a whole.
//!
//! Everything else here works on logarithms, because effects multiply. But the parts of a request sum to its time, and
//! neither logarithms nor geometric means do.

use super::welch::satterthwaite;
use super::{Interval, StatError, dist, sample};

/// mean ± t(R−1, (1+confidence)/2) · sd/√R of one value per process. Fails below two processes, on values that are not
/// finite, and for a confidence outside (0, 1).
pub fn mean_interval(values: &[f64], confidence: f64) -> Result<Interval, StatError> {
    sample::check_open("confidence", confidence, (0.0, 1.0), "0 to 1")?;
    sample::check_count("an interval over processes", 2, values.len())?;
    sample::check_finite(values)?;
    let (mean, variance) = sample::mean_variance(values);
    let n = values.len() as f64;
    Ok(around(mean, (variance / n).sqrt(), n - 1.0, confidence))
}

/// mean(head) − mean(base) with Welch's interval: one value per process and arm, that did not run as pairs. Fails where
/// [`mean_interval`] does for one of them.
pub fn difference(base: &[f64], head: &[f64], confidence: f64) -> Result<Interval, StatError> {
    sample::check_open("confidence", confidence, (0.0, 1.0), "0 to 1")?;
    let mut parts = Vec::new();
    let mut means = Vec::new();
    for (arm, what) in [(base, "the base arm of a difference"), (head, "the head arm of a difference")] {
        sample::check_count(what, 2, arm.len())?;
        sample::check_finite(arm)?;
        let (mean, variance) = sample::mean_variance(arm);
        let n = arm.len() as f64;
        means.push(mean);
        parts.push((variance / n, n - 1.0));
    }
    let se = parts.iter().map(|(v, _)| v).sum::<f64>().sqrt();
    // No spread at all: the interval is a point, whatever the degrees of freedom.
    let df = satterthwaite(&parts).unwrap_or(1.0);
    Ok(around(means[1] - means[0], se, df, confidence))
}

fn around(est: f64, se: f64, df: f64, confidence: f64) -> Interval {
    let half = if se > 0.0 { dist::t_quantile(0.5 + confidence / 2.0, df) * se } else { 0.0 };
    Interval { lo: est - half, est, hi: est + half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_hand_calculation() {
        // Mean 2, sd 1, t(2, .975) = 4.302653.
        let got = mean_interval(&[1.0, 2.0, 3.0], 0.95).expect("three values");
        let half = 4.302_653 / 3.0_f64.sqrt();
        assert!((got.lo - (2.0 - half)).abs() < 1e-5 && (got.hi - (2.0 + half)).abs() < 1e-5, "{got:?}");
        // Equal variances and sizes: t with 2(n − 1) = 4 degrees of freedom, 2.776445; se = √(2/3).
        let got = difference(&[1.0, 2.0, 3.0], &[6.0, 7.0, 8.0], 0.95).expect("three values each");
        let half = 2.776_445 * (2.0_f64 / 3.0).sqrt();
        assert!((got.est - 5.0).abs() < 1e-12 && (got.hi - (5.0 + half)).abs() < 1e-5, "{got:?}");
    }

    #[test]
    fn zeros_and_constants_are_values_and_bad_ones_are_named() {
        // A layer that takes no time has no logarithm, but a mean.
        let point = difference(&[0.0, 0.0], &[0.0, 0.0], 0.95).expect("two values each");
        assert_eq!((point.lo, point.est, point.hi), (0.0, 0.0, 0.0));
        assert!(matches!(mean_interval(&[1.0], 0.95), Err(StatError::TooFew { .. })));
        assert!(matches!(difference(&[1.0, 2.0], &[1.0], 0.95), Err(StatError::TooFew { .. })));
        assert!(matches!(mean_interval(&[1.0, f64::NAN], 0.95), Err(StatError::NotFinite { .. })));
        assert!(mean_interval(&[1.0, 2.0], 1.0).is_err());
    }
}
