//! Gives `[lo est hi]` of one arm, as criterion prints it, but over processes: one value per process.
//!
//! Two such intervals are no comparison: whether they overlap says little about the difference.

use super::{StatError, dist, sample};

/// A confidence interval and the estimate it is about. Always lo ≤ est ≤ hi.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Interval {
    /// Lower end.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub lo: f64,
    /// The estimate.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub est: f64,
    /// Upper end.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub hi: f64,
}

impl Interval {
    /// Whether the closed interval contains `x`.
    pub fn contains(&self, x: f64) -> bool {
        self.lo <= x && x <= self.hi
    }

    /// Both ends and the estimate through an increasing function: `exp_m1` turns logarithms into relative
    /// changes.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { lo: f(self.lo), est: f(self.est), hi: f(self.hi) }
    }
}

/// exp(mean ± t(R−1, (1+confidence)/2) · sd/√R) of the logarithms of one positive summary per process: the
/// geometric mean with its interval, in the unit of the values. Logarithms because run-to-run effects
/// multiply, and because the same scale is used for comparisons.
///
/// Fails below two processes, on values that are not finite and positive, and for a confidence outside (0,
/// 1).
pub fn geometric_mean_interval(values: &[f64], confidence: f64) -> Result<Interval, StatError> {
    sample::check_open("confidence", confidence, (0.0, 1.0), "0 to 1")?;
    sample::check_count("an interval over processes", 2, values.len())?;
    let logs = sample::logs(values)?;
    let (mean, variance) = sample::mean_variance(&logs);
    let n = logs.len() as f64;
    let half = dist::t_quantile(0.5 + confidence / 2.0, n - 1.0) * (variance / n).sqrt();
    let est = mean.exp();
    Ok(Interval {
        // A factor instead of exp(mean ± half): lo ≤ est ≤ hi even after rounding, and equality when nothing
        // varies.
        lo: est * (-half).exp(),
        est,
        // Absurd spreads (numbers near the limits of f64) may overflow; a bound must stay a number.
        hi: (est * half.exp()).min(f64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_hand_calculation() {
        // Logarithms 1, 2, 3: mean 2, sd 1, t(2, .975) = 4.302653.
        let values = [1.0_f64, 2.0, 3.0].map(f64::exp);
        let got = geometric_mean_interval(&values, 0.95).expect("three values").map(f64::ln);
        let half = 4.302_653 / 3.0_f64.sqrt();
        for (got, expected) in [(got.lo, 2.0 - half), (got.est, 2.0), (got.hi, 2.0 + half)] {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let err = |values: &[f64]| geometric_mean_interval(values, 0.95).expect_err("cannot be used");
        assert!(matches!(err(&[1.0]), StatError::TooFew { got: 1, .. }));
        assert_eq!(err(&[1.0, f64::NAN]), StatError::NotFinite { index: 1 });
        assert_eq!(err(&[1.0, 2.0, 0.0]), StatError::NotPositive { index: 2, value: 0.0 });
        assert!(geometric_mean_interval(&[1.0, 2.0], 1.0).is_err());
        assert!(geometric_mean_interval(&[1.0, 2.0], f64::NAN).is_err());
    }

    #[test]
    fn equal_values_make_a_point_and_absurd_ones_stay_finite() {
        let point = geometric_mean_interval(&[8.0, 8.0, 8.0], 0.99).expect("three values");
        assert_eq!((point.lo, point.hi), (point.est, point.est));
        let wide = geometric_mean_interval(&[f64::MIN_POSITIVE, f64::MAX], 0.99).expect("two values");
        assert!(wide.lo >= 0.0 && wide.hi.is_finite() && wide.lo <= wide.est && wide.est <= wide.hi);
    }
}
