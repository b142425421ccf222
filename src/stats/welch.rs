//! Compares two arms that did not run as pairs: the base is a stored record that cannot be run again.
//!
//! The input is one summary per process and arm, and σ_session: two sessions differ even when the code does not.

use super::estimate::Estimate;
use super::sessions::SessionSpread;
use super::{StatError, sample};

/// Welch's two-sample t on logarithms: D = mean ln(head) − mean ln(base), se² = s_b²/n_b + s_h²/n_h +
/// 2σ_session², degrees of freedom after Satterthwaite (B. L. Welch, Biometrika 34, 1947), the session term
/// counted with its own.
///
/// Summaries in any one unit; [`SessionSpread::NONE`] when both arms ran in one session. Fails below two
/// processes in an arm (one process has no spread to judge by), on values that are not finite and positive,
/// and on a bad session spread.
pub fn welch(base: &[f64], head: &[f64], session: SessionSpread) -> Result<Estimate, StatError> {
    sample::check_not_negative("session sd", session.sd)?;
    if session.df.is_nan() || session.df < 1.0 {
        return Err(StatError::OutOfRange {
            name: "degrees of freedom of the session sd",
            value: session.df,
            range: "1 and above",
        });
    }
    sample::check_count("the base arm of an unpaired comparison", 2, base.len())?;
    sample::check_count("the head arm of an unpaired comparison", 2, head.len())?;
    let (base, head) = (sample::logs(base)?, sample::logs(head)?);
    let (mean_base, var_base) = sample::mean_variance(&base);
    let (mean_head, var_head) = sample::mean_variance(&head);

    let (n_base, n_head) = (base.len() as f64, head.len() as f64);
    let fixed_var = 2.0 * session.sd * session.sd;
    let sampling_var = var_base / n_base + var_head / n_head;
    let se_squared = sampling_var + fixed_var;
    let n = base.len().min(head.len());
    if !se_squared.is_finite() {
        return Err(StatError::OutOfRange {
            name: "session sd",
            value: session.sd,
            range: "the logarithms of durations",
        });
    }
    let df = satterthwaite(&[
        (var_base / n_base, n_base - 1.0),
        (var_head / n_head, n_head - 1.0),
        (fixed_var, session.df),
    ]);
    Ok(Estimate {
        effect: mean_head - mean_base,
        se: se_squared.sqrt(),
        df: df.unwrap_or(n_base + n_head - 2.0),
        sd: (sampling_var * n as f64).sqrt(),
        n,
        fixed_var,
    })
}

/// (Σ v)² / Σ v²/df: degrees of freedom of a sum of independent variance estimates; none when they are all 0.
/// Never below the least of the parts, so that ill-conditioned sums do not fall under 1.
pub(super) fn satterthwaite(parts: &[(f64, f64)]) -> Option<f64> {
    let total: f64 = parts.iter().map(|(v, _)| v).sum();
    if total <= 0.0 {
        return None;
    }
    // Shares instead of variances: squares of tiny variances would underflow.
    let sum: f64 = parts.iter().map(|(v, df)| (v / total) * (v / total) / df).sum();
    let least = parts.iter().map(|&(_, df)| df).fold(f64::INFINITY, f64::min);
    Some((1.0 / sum).max(least.max(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_separate_calculation() {
        // Means, variances and Satterthwaite's formula written out separately.
        let base = [100.0, 101.0, 99.0, 100.0, 102.0];
        let head = [103.0, 104.0, 102.0, 106.0];
        let e = welch(&base, &head, SessionSpread::NONE).expect("enough");
        assert!((e.effect - 0.032_772_238).abs() < 1e-9, "{e:?}");
        assert!((e.se - 0.009_647_121).abs() < 1e-9, "{e:?}");
        assert!((e.df - 5.164_692).abs() < 1e-6, "{e:?}");
        assert!(e.p_zero() < 0.02 && e.p_zero() > 0.005, "{}", e.p_zero());
    }

    #[test]
    fn session_variance_widens_the_interval_and_lowers_the_degrees_of_freedom() {
        let base = [100.0, 100.1, 99.9, 100.05];
        let head = [101.0, 101.1, 100.9, 101.05];
        let alone = welch(&base, &head, SessionSpread::NONE).expect("enough");
        let session = SessionSpread { sd: 0.01, df: 4.0 };
        let with = welch(&base, &head, session).expect("enough");
        assert!(alone.p_zero() < 0.001 && with.p_zero() > 0.05, "{alone:?} {with:?}");
        assert!((with.se * with.se - alone.se * alone.se - 2e-4).abs() < 1e-12);
        assert!(with.df < 4.2, "{with:?}");
        let known = SessionSpread { sd: 0.01, df: f64::INFINITY };
        assert!(welch(&base, &head, known).expect("enough").df > 100.0);
    }

    #[test]
    fn unusable_arms_are_errors() {
        let good = [1.0, 2.0];
        let none = SessionSpread::NONE;
        assert!(matches!(welch(&good, &[1.0], none), Err(StatError::TooFew { .. })));
        assert!(matches!(welch(&[], &good, none), Err(StatError::TooFew { .. })));
        assert!(matches!(welch(&good, &[1.0, 0.0], none), Err(StatError::NotPositive { .. })));
        assert!(matches!(welch(&[f64::NAN, 1.0], &good, none), Err(StatError::NotFinite { .. })));
        for sd in [f64::NAN, -1.0, f64::INFINITY, 1e200] {
            assert!(welch(&good, &good, SessionSpread { sd, df: 4.0 }).is_err(), "{sd}");
        }
        assert!(welch(&good, &good, SessionSpread { sd: 0.1, df: 0.0 }).is_err());
        let flat = welch(&[3.0, 3.0], &[3.0, 3.0], none).expect("enough");
        assert!(!flat.has_spread() && flat.df == 2.0);
    }
}
