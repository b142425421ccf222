//! Numbers with their confidence intervals, as messages show them.

use crate::outcome::Figure;
use crate::stats::Interval;
use schemars::JsonSchema;
use serde::Serialize;

/// A number over the processes of a case, with its interval at 95 %; one process has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Number {
    /// Lower end of the 95 % interval; null where there is one process only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lo: Option<f64>,
    /// The estimate.
    pub est: f64,
    /// Upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
}

impl From<Figure> for Number {
    fn from(figure: Figure) -> Self {
        match figure {
            Figure::Interval(i) => Self { lo: Some(i.lo), est: i.est, hi: Some(i.hi) },
            Figure::Single(est) => Self { lo: None, est, hi: None },
        }
    }
}

/// An estimate with its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Range {
    /// Null: the interval has no end on this side.
    pub lo: Option<f64>,
    /// The estimate.
    pub est: f64,
    /// Null: the interval has no end on this side.
    pub hi: Option<f64>,
}

impl From<Interval> for Range {
    fn from(i: Interval) -> Self {
        Self { lo: finite(i.lo), est: i.est, hi: finite(i.hi) }
    }
}

/// JSON has no number for what is not finite.
pub fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|v| v.is_finite())
}
