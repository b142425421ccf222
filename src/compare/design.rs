//! How two arms were measured, and what is known of the noise beside their own processes. Pure.

use super::{Metric, Unit};
use crate::stats::{Order, Prior, SessionSpread};
use serde::{Deserialize, Serialize};

/// Session-to-session standard deviation that is assumed where it was never measured. Larger than what a quiet
/// machine shows (0.1–1 %), so that a verdict reached with it is not a false alarm.
pub const ASSUMED_SESSION_SD: f64 = 0.02;

/// What is known of how much sessions differ on this device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sessions {
    /// Measured by `calibrate`, then (seconds since 1970).
    Calibrated {
        /// How much sessions differ.
        spread: SessionSpread,
        /// When it was measured.
        created_s: i64,
    },
    /// Estimated from stored sessions.
    Known(SessionSpread),
    /// Stated by whoever compares.
    Given(SessionSpread),
    /// Nothing known: [`ASSUMED_SESSION_SD`].
    Assumed,
}

impl Sessions {
    /// Sessions that are said to differ by `sd_frac` (sd; 0.01 is 1 %).
    pub fn given(sd_frac: f64) -> Self {
        Self::Given(SessionSpread { sd: sd_frac.ln_1p(), df: f64::INFINITY })
    }

    /// How much sessions differ.
    pub fn spread(self) -> SessionSpread {
        match self {
            Self::Calibrated { spread, .. } | Self::Known(spread) | Self::Given(spread) => spread,
            // As if it had been measured exactly: it is an upper bound, not an estimate.
            Self::Assumed => SessionSpread { sd: ASSUMED_SESSION_SD, df: f64::INFINITY },
        }
    }
}

/// What a calibration says of the spread between pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CalibratedPrior {
    /// What was known of the spread.
    pub prior: Prior,
    /// When it was made (seconds since 1970).
    pub created_s: i64,
    /// Whether it is about this very case; otherwise it is what the calibrated cases have in common.
    pub same_case: bool,
}

/// Where a judgement's idea of the noise comes from, beside the processes themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// From nowhere else: the pairs' own spread.
    Pairs,
    /// The pairs' own spread and a calibration's; not `used` where the pairs vary more than it explains.
    Calibration {
        /// What the calibration says.
        prior: CalibratedPrior,
        /// Whether it was used.
        used: bool,
    },
    /// Sessions differ, by so much.
    Sessions(Sessions),
    /// The builds' own spread, and that of sessions where the arms are of two.
    Builds(Option<Sessions>),
}

impl Basis {
    /// What is counted where this is the basis.
    pub fn unit(self) -> Unit {
        match self {
            Self::Pairs | Self::Calibration { .. } => Unit::Pairs,
            Self::Sessions(_) => Unit::Processes,
            Self::Builds(_) => Unit::Builds,
        }
    }

    /// The same where builds are what is counted.
    pub(super) fn of_builds(self) -> Self {
        match self {
            Self::Sessions(sessions) => Self::Builds(Some(sessions)),
            Self::Pairs | Self::Calibration { .. } => Self::Builds(None),
            Self::Builds(_) => self,
        }
    }

    /// Whether sessions are taken to differ by what nobody measured.
    pub fn assumes_sessions(self) -> bool {
        matches!(self, Self::Sessions(Sessions::Assumed) | Self::Builds(Some(Sessions::Assumed)))
    }
}

/// How the two arms were measured, which decides how they are judged.
pub enum Design<'a> {
    /// In two sessions: what differs between sessions is part of the uncertainty.
    Stored(&'a dyn Fn(Metric) -> Sessions),
    /// Process i of both arms ran back to back.
    Pairs {
        /// Two-sided error rate of this look.
        alpha: f64,
        /// Which arm ran first in each pair; empty where it is not known.
        first: &'a [Order],
        /// What is known of the spread between pairs.
        prior: &'a dyn Fn(Metric) -> Option<CalibratedPrior>,
    },
}
