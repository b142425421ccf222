//! Holds an effect with its uncertainty: what every comparison comes down to before it is decided.
//!
//! [`mod@super::paired`] and [`mod@super::welch`] make it. It does not say which of them did, so that one decision rule
//! serves both.

use super::dist;
use super::interval::Interval;

/// Spreads of logarithms below this are rounding (1 ns in 1000 s is 10⁻¹²), not measurement: nothing varied
/// at all.
pub const NO_SPREAD: f64 = 1e-12;

/// Which way a metric gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// Latency: more is worse.
    LowerIsBetter,
    /// Throughput: less is worse.
    HigherIsBetter,
}

/// ln(head) − ln(base), oriented so that + means worse, and how far to trust it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// D; `exp_m1` of it is the relative change.
    pub effect: f64,
    /// Standard error of D.
    pub se: f64,
    /// Degrees of freedom of the standard error, at least 1.
    pub df: f64,
    /// Spread of one unit's difference: se² = sd²/n + fixed_var.
    pub sd: f64,
    /// Pairs, or processes in the smaller arm.
    pub n: usize,
    /// The part of se² that more units of the same sessions cannot reduce: 2σ_session² for stored records,
    /// else 0.
    pub fixed_var: f64,
}

impl Estimate {
    /// The same estimate with + meaning worse. `effect` before that is ln(head) − ln(base).
    #[must_use]
    pub fn oriented(self, orientation: Orientation) -> Self {
        match orientation {
            Orientation::LowerIsBetter => self,
            Orientation::HigherIsBetter => Self { effect: -self.effect, ..self },
        }
    }

    /// D ± t(df, 1 − α/2)·se, the two-sided interval at confidence 1 − α.
    pub fn interval(&self, alpha: f64) -> Interval {
        let half = dist::t_quantile(1.0 - alpha / 2.0, self.df) * self.se;
        Interval { lo: self.effect - half, est: self.effect, hi: self.effect + half }
    }

    /// Two-sided p of H0 "D = 0"; 1 where there is nothing to test with.
    pub fn p_zero(&self) -> f64 {
        (2.0 * self.p_above(0.0).min(self.p_below(0.0))).min(1.0)
    }

    /// One-sided p of H0 "D ≤ bound": small means D is above the bound. `p_above(δ)` is the p of a
    /// regression.
    pub fn p_above(&self, bound: f64) -> f64 {
        if !self.has_spread() {
            return 1.0;
        }
        dist::t_sf((self.effect - bound) / self.se, self.df)
    }

    /// One-sided p of H0 "D ≥ bound": small means D is below the bound. `p_below(−δ)` is the p of an
    /// improvement.
    pub fn p_below(&self, bound: f64) -> f64 {
        if !self.has_spread() {
            return 1.0;
        }
        dist::t_sf((bound - self.effect) / self.se, self.df)
    }

    /// Whether there is an uncertainty to judge by: everything finite and the standard error more than
    /// rounding.
    pub fn has_spread(&self) -> bool {
        self.effect.is_finite() && self.se.is_finite() && self.df >= 1.0 && self.se > NO_SPREAD
    }
}
