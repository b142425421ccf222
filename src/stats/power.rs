//! Tells how small a change a comparison can see, and how many units it takes to see a smaller one.
//!
//! These are statements about a design (a spread and a rule), not the probability that a given verdict is right.

use super::dist;
use super::estimate::Estimate;
use super::interval::Interval;

/// Above this many pairs the answer is "not by repeating it".
pub const MAX_UNITS: usize = 10_000;

/// Smallest true effect that is ruled `Regressed` with probability `power`: MDE = δ + (t(df, 1 − α/2) + t(df,
/// power))·se.
///
/// Log scale like `margin`; infinite when the estimate has no usable standard error. The noncentral t is
/// approximated by a shifted t, which keeps the power within 85–95 % for a nominal 90 % if the spread is the
/// true one. The spread of the same few pairs is itself uncertain: effects printed from it are seen 75 % of
/// the time with 5 pairs, and at least 81 % with 10 and 86 % with 20 (simulated in `benches/verdicts.rs`). A
/// [`super::Prior`] narrows that.
pub fn minimum_detectable_effect(estimate: &Estimate, margin: f64, alpha: f64, power: f64) -> f64 {
    if !estimate.se.is_finite() {
        return f64::INFINITY;
    }
    margin + factor(estimate.df, alpha / 2.0, power) * estimate.se
}

/// Fewest units with which the minimum detectable effect is at most `target` (log scale), given this
/// estimate's spread. `None` if `target` is not above the margin, or out of reach of [`MAX_UNITS`] or of the
/// session variance.
pub fn required_units(
    estimate: &Estimate,
    margin: f64,
    target: f64,
    alpha: f64,
    power: f64,
) -> Option<usize> {
    fewest(estimate, target - margin, alpha / 2.0, power)
}

/// Fewest units that would settle an inconclusive estimate with probability `power`, if the true effect is
/// the estimated one: enough to put it beyond the margin if it lies beyond, else enough for both one-sided
/// tests of equivalence. `None` if it lies on the margin (no number of pairs settles that) or the number is
/// out of reach.
pub(super) fn units_to_settle(estimate: &Estimate, margin: f64, alpha: f64, power: f64) -> Option<usize> {
    let beyond = estimate.effect.abs() - margin;
    let units = if beyond > 0.0 {
        fewest(estimate, beyond, alpha / 2.0, power)
    } else {
        // Near zero either of the two tests can fail, so each gets half of the risk.
        fewest(estimate, -beyond, alpha, 0.5 + power / 2.0)
    };
    // The same number again did not settle it this time.
    units.map(|units| units.max(estimate.n + 1))
}

/// t(df, 1 − tail) + t(df, power).
fn factor(df: f64, tail: f64, power: f64) -> f64 {
    dist::t_quantile(1.0 - tail, df) + dist::t_quantile(power, df)
}

/// Smallest n with factor(df(n))·√(sd²/n + fixed) ≤ gap. The left side falls with n, so bisection finds it.
fn fewest(estimate: &Estimate, gap: f64, tail: f64, power: f64) -> Option<usize> {
    let enough = |n: usize| {
        // Degrees of freedom that do not come from these units (history, the other arm) stay as they are.
        let df = (estimate.df + n as f64 - estimate.n as f64).max(1.0);
        let se = (estimate.sd * estimate.sd / n as f64 + estimate.fixed_var).sqrt();
        factor(df, tail, power) * se <= gap
    };
    if gap.is_nan() || gap <= 0.0 || !enough(MAX_UNITS) {
        return None;
    }
    let (mut too_few, mut plenty) = (1, MAX_UNITS);
    while plenty - too_few > 1 {
        let middle = too_few.midpoint(plenty);
        if enough(middle) {
            plenty = middle;
        } else {
            too_few = middle;
        }
    }
    Some(plenty)
}

/// Whether both ends of `interval` are strictly inside ±margin.
pub(super) fn inside(interval: &Interval, margin: f64) -> bool {
    -margin < interval.lo && interval.hi < margin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit_spread(n: usize) -> Estimate {
        Estimate { effect: 0.0, se: 1.0 / (n as f64).sqrt(), df: (n - 1) as f64, sd: 1.0, n, fixed_var: 0.0 }
    }

    /// The factors × s_d of the printed minimum detectable effect at 90 % power.
    #[test]
    fn factors_are_the_published_ones() {
        for (n, expected) in [(5, 1.93), (8, 1.34), (10, 1.15), (15, 0.90), (20, 0.77), (30, 0.61)] {
            let got = minimum_detectable_effect(&unit_spread(n), 0.0, 0.05, 0.9);
            assert!((got - expected).abs() < 0.006, "{n}: {got}");
        }
    }

    #[test]
    fn required_units_inverts_the_minimum_detectable_effect() {
        for n in [3, 5, 8, 20, 300] {
            let target = minimum_detectable_effect(&unit_spread(n), 0.5, 0.05, 0.9);
            // From the spread seen with any other number of pairs.
            let got = required_units(&unit_spread(5), 0.5, target * (1.0 + 1e-9), 0.05, 0.9);
            assert_eq!(got, Some(n));
        }
        assert_eq!(required_units(&unit_spread(5), 0.5, 0.5, 0.05, 0.9), None);
        assert_eq!(required_units(&unit_spread(5), 0.5, f64::NAN, 0.05, 0.9), None);
        assert_eq!(required_units(&unit_spread(5), 0.0, 1e-6, 0.05, 0.9), None);
        let stuck = Estimate { fixed_var: 1.0, ..unit_spread(5) };
        assert_eq!(required_units(&stuck, 0.0, 1.0, 0.05, 0.9), None);
    }
}
