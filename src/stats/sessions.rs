//! Estimates how much two sessions on one device differ when nothing changed.
//!
//! The input is stored sessions of the same engine.
//!
//! Invariant: with fewer than five sessions there is no answer (`too_little_or_unusable_data_are_errors`).

use super::anova::OneWay;
use super::{StatError, sample};

/// Fewer sessions than this give a spread that is wrong by a factor of two as often as not.
pub const MIN_SESSIONS: usize = 5;

/// Session-to-session standard deviation of a log summary, beyond what processes within a session explain.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SessionSpread {
    /// σ_session, on the log scale (0.005 is about 0.5 %).
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub sd: f64,
    /// Degrees of freedom it was estimated with; infinite if it is known.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub df: f64,
}

impl SessionSpread {
    /// Both arms ran in one session: nothing to add.
    pub const NONE: Self = Self { sd: 0.0, df: f64::INFINITY };
}

/// σ_session² = max(0, (MSB − MSW)/n₀), the method of moments of a one-way random-effects analysis of
/// variance, with n₀ = (N − Σn_i²/N)/(k − 1) for unequal sessions (Searle, Casella & McCulloch, *Variance
/// components*, 1992, ch. 3).
///
/// `sessions` holds, for each session, one positive summary per process. The degrees of freedom are
/// Satterthwaite's for a difference of mean squares, between 1 and k − 1: five sessions are weak evidence,
/// and a comparison that uses them has to say so through its t quantile. Truncation at 0 would claim that
/// sessions never differ, so the spread is not taken to be smaller than the standard error that the processes
/// leave in a session's mean would let us see: √(MSW/n₀)/2.
///
/// Fails below [`MIN_SESSIONS`] sessions, without two processes in at least one of them, and on values that
/// are not finite and positive (the index counts over all sessions).
pub fn session_spread(sessions: &[Vec<f64>]) -> Result<SessionSpread, StatError> {
    let k = sessions.iter().filter(|s| !s.is_empty()).count();
    sample::check_count("the spread between sessions", MIN_SESSIONS, k)?;
    let all = sample::logs(&sessions.concat())?;
    let total = all.len();
    sample::check_count("the spread within sessions", k + 1, total)?;

    let mut rest = &all[..];
    let groups = sessions.iter().map(|session| {
        let (logs, after) = rest.split_at(session.len());
        rest = after;
        logs
    });
    let OneWay { msb, msw, n0, df_between, df_within } = OneWay::of(&groups.collect::<Vec<_>>());
    let variance = ((msb - msw) / n0).max(msw / n0 / 4.0);
    let df = if variance > 0.0 {
        let noise = (msb / n0).powi(2) / df_between + (msw / n0).powi(2) / df_within;
        (variance * variance / noise).clamp(1.0, df_between)
    } else {
        df_between
    };
    Ok(SessionSpread { sd: variance.sqrt(), df })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn simulated(k: usize, n: usize, between: f64, within: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut rng = Rng::new(seed);
        (0..k)
            .map(|_| {
                let session = between * rng.normal();
                (0..n).map(|_| (session + within * rng.normal()).exp()).collect()
            })
            .collect()
    }

    #[test]
    fn recovers_the_simulated_spread() {
        let got = session_spread(&simulated(400, 5, 0.01, 0.003, 1)).expect("many sessions");
        assert!((got.sd - 0.01).abs() < 0.001, "{got:?}");
        assert!(got.df > 300.0, "{got:?}");
        let none = session_spread(&simulated(400, 5, 0.0, 0.003, 2)).expect("many sessions");
        assert!(none.sd < 0.0015, "{none:?}");
    }

    #[test]
    fn five_sessions_are_few_degrees_of_freedom() {
        let got = session_spread(&simulated(5, 5, 0.01, 0.003, 3)).expect("five sessions");
        assert!((1.0..=4.0).contains(&got.df), "{got:?}");
    }

    #[test]
    fn too_little_or_unusable_data_are_errors() {
        assert!(matches!(
            session_spread(&simulated(4, 5, 0.01, 0.003, 4)),
            Err(StatError::TooFew { needed: 5, got: 4, .. })
        ));
        assert!(matches!(
            session_spread(&simulated(6, 1, 0.01, 0.003, 5)),
            Err(StatError::TooFew { needed: 7, got: 6, .. })
        ));
        let mut bad = simulated(5, 2, 0.01, 0.003, 6);
        bad[1][0] = -1.0;
        assert_eq!(session_spread(&bad), Err(StatError::NotPositive { index: 2, value: -1.0 }));
        let flat = session_spread(&vec![vec![2.0, 2.0]; 5]).expect("five sessions");
        assert_eq!((flat.sd, flat.df), (0.0, 4.0));
    }
}
