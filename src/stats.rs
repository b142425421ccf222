//! Computes the statistics behind a verdict: numbers in, numbers out. Pure.
//!
//! Whatever is random takes a seed. An input that cannot be used is a [`StatError`], and data that cannot settle the
//! question are an `Inconclusive` ruling.
//!
//! Invariant: numbers that a user, a file or a device could produce give no panic and no NaN
//! (`tests/it/statistics.rs`).
//!
//! The unit of replication is the fresh process (Kalibera & Jones, *Rigorous benchmarking in reasonable
//! time*, ISMM 2013): iterations inside one process depend on each other and share its memory layout, clocks and
//! tactics, so they only make that process's summary precise. Effects are differences of logarithms, oriented
//! so that + means worse; `exp_m1` of one is the relative change that people read.
//!
//! | module | makes | from |
//! |---|---|---|
//! | [`mod@describe`] | mean, sd, quantiles, n_eff, outlier labels | the samples of one process, in time order |
//! | [`allocation`] | how much each process measures | a quantile, variances, what a process costs |
//! | [`autocorrelation`] | lag-1 autocorrelation, effective sample size | any series in time order |
//! | [`mod@tick`] | the step of the clock | durations |
//! | [`centre`] | medians, geometric means | any values |
//! | [`interval`] | `[lo est hi]` of a mean | one summary per process |
//! | [`estimate`] | [`Estimate`]: effect, standard error, degrees of freedom; its intervals and p values | – |
//! | [`mod@paired`] | [`Estimate`] | two arms that ran as pairs |
//! | [`mod@welch`] | [`Estimate`] | two arms that did not (a stored record) |
//! | [`sessions`] | σ_session | five or more stored sessions |
//! | [`anova`] | [`VarianceComponents`]: spread between and within groups | values in groups |
//! | [`shrinkage`] | [`Prior`]: what the spread usually is | past comparisons on the device |
//! | [`ranks`] | [`RankTest`]: p values, interval and estimate by ranks | oriented log ratios |
//! | [`mod@decide`] | [`Ruling`]: THE decision | an [`Estimate`], the [`Test`] that decides and a [`Rule`] |
//! | [`judge`] | [`Judgement`]: all of the above in one call | two arms and a question |
//! | [`multiplicity`] | p values, adjusted for their number | p values of a run |
//! | [`sequential`] | when to look, and at what threshold | – |
//! | [`binomial`] | the exact interval of a share | k of n |
//! | [`bursts`] | a share over a limit with bounds | correlated values in time order |
//! | [`mod@crossing`] | where a growing share reaches a level | counts in batches |
//! | [`changepoint`] | [`ChangePoint`]s: where a history changed | one value per session |
//! | [`power`] | minimum detectable effect, required number of units | an [`Estimate`] or a spread |
//! | [`dist`] | quantiles and tails of t and normal | – |

pub mod additive;
pub mod allocation;
pub mod anova;
pub mod autocorrelation;
pub mod binomial;
pub mod bursts;
pub mod centre;
pub mod changepoint;
pub mod crossing;
pub mod decide;
pub mod describe;
pub mod dist;
pub mod estimate;
pub mod interval;
pub mod judge;
pub mod multiplicity;
pub mod paired;
pub mod power;
pub mod ranks;
mod sample;
pub mod sequential;
pub mod sessions;
pub mod shrinkage;
pub mod tick;
pub mod welch;

pub use additive::{difference, mean_interval};
pub use allocation::{ProcessCost, requests_for};
pub use anova::{VarianceComponents, variance_components};
pub use binomial::clopper_pearson;
pub use bursts::{BurstyShare, bursty_share};
pub use centre::{geometric_mean, median_by};
pub use changepoint::{ChangePoint, change_points};
pub use crossing::{Batch, Crossing, NoCrossing, crossing};
pub use decide::{Decision, Doubt, Rule, Ruling, Test, decide};
pub use describe::{Description, OutlierLabels, QUANTILES, describe, is_judged, share_over};
pub use estimate::{Estimate, Orientation};
pub use interval::{Interval, geometric_mean_interval};
pub use judge::{Judgement, Order, PairedQuestion, judge_pairs, judge_unpaired};
pub use multiplicity::benjamini_hochberg;
pub use paired::{crossover_t, log_ratios, paired_t};
pub use power::{minimum_detectable_effect, required_units};
pub use ranks::{RankTest, crossover, rank_sum, signed_rank};
pub use sequential::{LOOKS, look_alpha, next_look};
pub use sessions::{SessionSpread, session_spread};
pub use shrinkage::{Prior, fit_prior, moderate};
pub use tick::tick;
pub use welch::welch;

/// Why numbers cannot be used. Callers add which case, metric and arm it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatError {
    /// Not enough values.
    #[error("{what} needs at least {needed}, got {got}")]
    TooFew {
        /// What was to be computed.
        what: &'static str,
        /// How many values it needs.
        needed: usize,
        /// How many there were.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is not a finite number")]
    NotFinite {
        /// Which value, from 0.
        index: usize,
    },
    /// A value is zero or negative where its logarithm is needed.
    #[error("value {index} is {value}, and only a positive number has a logarithm")]
    NotPositive {
        /// Which value, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Arms of pairs have different lengths.
    #[error("paired arms must have the same number of processes, got {base} and {head}")]
    Unpaired {
        /// Processes of the base arm.
        base: usize,
        /// Processes of the head arm.
        head: usize,
    },
    /// A parameter is not in the range where it means something.
    #[error("{name} is {value}, outside {range}")]
    OutOfRange {
        /// Which parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be, in words.
        range: &'static str,
    },
}
