//! Tells how sure a share of few trials is: the exact interval of k out of n.
//!
//! With a small n the interval matters more than the share: none out of 6 is still compatible with almost one half.

use statrs::distribution::{Beta, ContinuousCDF};

/// The exact two-sided interval for a share of which `k` of `n` were seen (C. J. Clopper & E. S. Pearson,
/// Biometrika 26, 1934), as `(lo, hi)` within 0 and 1, at confidence 1 − `alpha`. It covers at least that
/// often for every true share.
///
/// Nothing tried says nothing: (0, 1). `k` above `n` is taken as `n`, `alpha` outside (0, 1) as 0.05.
#[must_use]
pub fn clopper_pearson(k: usize, n: usize, alpha: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let tail = if alpha > 0.0 && alpha < 1.0 { alpha / 2.0 } else { 0.025 };
    let (k, n) = (k.min(n) as f64, n as f64);
    let quantile = |a: f64, b: f64, level: f64, otherwise: f64| {
        Beta::new(a, b).map_or(otherwise, |beta| beta.inverse_cdf(level)).clamp(0.0, 1.0)
    };
    let lo = if k == 0.0 { 0.0 } else { quantile(k, n - k + 1.0, tail, 0.0) };
    let hi = if k == n { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail, 1.0) };
    (lo, hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the printed tables, and the closed forms at both ends.
    #[test]
    fn intervals_match_tables() {
        for (k, n, lo, hi) in [
            (0, 6, 0.0, 0.459_258),
            (6, 6, 0.540_742, 1.0),
            (1, 10, 0.002_529, 0.445_016),
            (5, 10, 0.187_086, 0.812_914),
            (1, 30, 0.000_844, 0.172_169),
            (3, 1000, 0.000_619, 0.008_742),
        ] {
            let got = clopper_pearson(k, n, 0.05);
            assert!((got.0 - lo).abs() < 2e-6 && (got.1 - hi).abs() < 2e-6, "{k} of {n}: {got:?}");
        }
    }

    #[test]
    fn nothing_tried_says_nothing_and_nothing_is_nan() {
        assert_eq!(clopper_pearson(0, 0, 0.05), (0.0, 1.0));
        for alpha in [f64::NAN, 0.0, 1.0, -1.0] {
            assert_eq!(clopper_pearson(9, 3, alpha), clopper_pearson(3, 3, 0.05));
        }
    }
}
