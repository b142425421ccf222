//! Compares two arms that ran as pairs, back to back in random order: the gate's comparison.
//!
//! The input is one summary per process and arm. What both processes of a pair share (temperature, neighbours, clocks)
//! cancels in their ratio, and only there (Bulej et al., *Duet benchmarking*, 2020, arXiv:2001.05811). Therefore pairs
//! stay together, and the iterations of several processes are not pooled.

use super::estimate::Estimate;
use super::{StatError, sample};

/// d_p = ln(head_p) − ln(base_p) for each pair. Swapping the arms negates every value exactly.
///
/// Summaries in any one unit. Fails if the arms differ in length, or on a value that is not finite and
/// positive.
pub fn log_ratios(base: &[f64], head: &[f64]) -> Result<Vec<f64>, StatError> {
    if base.len() != head.len() {
        return Err(StatError::Unpaired { base: base.len(), head: head.len() });
    }
    let (base, head) = (sample::logs(base)?, sample::logs(head)?);
    Ok(head.iter().zip(&base).map(|(h, b)| h - b).collect())
}

/// D = mean(d), se = s_d/√R, R − 1 degrees of freedom (Student's paired t on log ratios).
///
/// `resolution_sd` is the spread that rounding alone gives a log ratio ([`rounding_sd`]), 0 if unknown. s_d
/// is never taken to be smaller: a coarse clock can make every pair agree to the last digit, which is no
/// proof of perfect precision.
///
/// Fails below two pairs, on values that are not finite, and for a negative `resolution_sd`.
pub fn paired_t(log_ratios: &[f64], resolution_sd: f64) -> Result<Estimate, StatError> {
    sample::check_not_negative("clock resolution", resolution_sd)?;
    sample::check_count("a paired comparison", 2, log_ratios.len())?;
    sample::check_finite(log_ratios)?;
    let n = log_ratios.len();
    let (effect, variance) = sample::mean_variance(log_ratios);
    let sd = variance.sqrt().max(resolution_sd);
    if !(effect.is_finite() && sd.is_finite()) {
        // Finite values whose sum or squares are not: no log ratio of durations is anywhere near.
        return Err(StatError::NotFinite { index: 0 });
    }
    Ok(Estimate { effect, se: sd / (n as f64).sqrt(), df: (n - 1) as f64, sd, n, fixed_var: 0.0 })
}

/// D = (m₁ + m₂)/2 of the log ratios of pairs that ran in one order and in the other, with one spread for both and R − 2
/// degrees of freedom: the two-period crossover (M. Hills & P. Armitage, *The two-period cross-over clinical trial*, Br.
/// J. Clin. Pharmacol. 8, 1979). What the second process of a pair has over the first cancels in it.
///
/// `resolution_sd` and failures as in [`paired_t`]; both orders need two pairs.
pub fn crossover_t([one, other]: [&[f64]; 2], resolution_sd: f64) -> Result<Estimate, StatError> {
    let of_one = paired_t(one, 0.0)?;
    let of_other = paired_t(other, 0.0)?;
    sample::check_not_negative("clock resolution", resolution_sd)?;
    let (df, n) = (of_one.df + of_other.df, one.len() + other.len());
    let variance = (of_one.df * of_one.sd.powi(2) + of_other.df * of_other.sd.powi(2)) / df;
    let sd = variance.sqrt().max(resolution_sd);
    let se = 0.5 * sd * (1.0 / one.len() as f64 + 1.0 / other.len() as f64).sqrt();
    // Orders that are not as frequent as each other tell a little less.
    let sd = se * (n as f64).sqrt();
    if !sd.is_finite() {
        return Err(StatError::NotFinite { index: 0 });
    }
    Ok(Estimate { effect: 0.5 * of_one.effect + 0.5 * of_other.effect, se, df, sd, n, fixed_var: 0.0 })
}

/// The largest error that rounding gives a log ratio, where [`rounding_sd`] is its spread: one step.
pub(super) fn rounding_bound(rounding_sd: f64) -> f64 {
    rounding_sd * 6.0_f64.sqrt()
}

/// Spread of a log ratio of two durations near `typical_ns` read from a clock with steps of `step_ns`: each
/// arm's rounding error is uniform with sd step/√12, so that of the ratio is (step/typical)/√6. 0 if either
/// is not positive and finite.
pub fn rounding_sd(step_ns: f64, typical_ns: f64) -> f64 {
    let share = step_ns / typical_ns;
    if share.is_finite() && share > 0.0 { share / 6.0_f64.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_hand_calculation() {
        // Mean 0.02, sd √(0.0002/4), and t(4, .975) = 2.776445.
        let e = paired_t(&[0.01, 0.02, 0.03, 0.02, 0.02], 0.0).expect("five pairs");
        assert!((e.effect - 0.02).abs() < 1e-15 && (e.sd - 0.007_071_067_8).abs() < 1e-9);
        assert!((e.se - 0.003_162_277_7).abs() < 1e-9);
        assert_eq!((e.df, e.n), (4.0, 5));
        let ci = e.interval(0.05);
        assert!((ci.lo - 0.011_220_1).abs() < 1e-6 && (ci.hi - 0.028_779_9).abs() < 1e-6, "{ci:?}");
        assert!((e.p_zero() - 0.003_198_2).abs() < 1e-6, "{}", e.p_zero());
    }

    #[test]
    fn a_crossover_takes_out_what_the_order_adds() {
        let (base_first, head_first) = ([0.031, 0.029, 0.03], [0.009, 0.011]);
        let e = crossover_t([&base_first, &head_first], 0.0).expect("two orders");
        // Means .03 and .01; squares 2e-6 and 2e-6 over 3 degrees of freedom.
        assert!((e.effect - 0.02).abs() < 1e-12 && (e.df, e.n) == (3.0, 5));
        let se = (4e-6 / 3.0 * 0.25 * (1.0 / 3.0 + 1.0 / 2.0_f64)).sqrt();
        assert!((e.se - se).abs() < 1e-12 && (e.sd - se * 5.0_f64.sqrt()).abs() < 1e-12, "{e:?}");
        assert!(crossover_t([&base_first, &[0.01]], 0.0).is_err());
        assert!(crossover_t([&base_first, &head_first], f64::NAN).is_err());
        assert!(crossover_t([&base_first, &head_first], 0.5).expect("coarse").sd >= 0.5);
    }

    #[test]
    fn unusable_arms_are_errors() {
        assert_eq!(log_ratios(&[1.0], &[]), Err(StatError::Unpaired { base: 1, head: 0 }));
        assert!(matches!(log_ratios(&[1.0, 0.0], &[1.0, 1.0]), Err(StatError::NotPositive { index: 1, .. })));
        assert_eq!(log_ratios(&[1.0, 1.0], &[f64::INFINITY, 1.0]), Err(StatError::NotFinite { index: 0 }));
        assert!(matches!(paired_t(&[0.1], 0.0), Err(StatError::TooFew { got: 1, .. })));
        assert!(paired_t(&[0.1, f64::NAN], 0.0).is_err());
        assert!(paired_t(&[1e308, 1e308], 0.0).is_err());
        assert!(paired_t(&[0.1, 0.2], f64::NAN).is_err());
    }

    #[test]
    fn a_coarse_clock_bounds_the_precision() {
        let floor = rounding_sd(500.0, 20_000.0);
        assert!((floor - 0.025 / 6.0_f64.sqrt()).abs() < 1e-15);
        let e = paired_t(&[0.0; 5], floor).expect("five pairs");
        assert_eq!(e.sd, floor);
        assert_eq!(
            (rounding_sd(1.0, 0.0), rounding_sd(f64::NAN, 1.0), rounding_sd(-1.0, 1.0)),
            (0.0, 0.0, 0.0)
        );
    }
}
