//! The reasons that a comparison gives: one type for each kind, whose text is the sentence that people read. Pure.
//!
//! Invariant: no code decides by these texts; it asks the type.

use super::OutputDifference;
use crate::config::Tolerances;
use crate::record::BudgetKind;
use crate::stats::{Interval, StatError};
use crate::summarize::InvalidReason;
use crate::units::{bytes, plain_time, share, time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Below this many closed-loop medians a budget makes capacity ill-conditioned: an engine 1 % slower loses 2.6 % of it
/// at 3 ×, and 13.6 % at 2 ×.
pub const MIN_BUDGET_IN_MEDIANS: f64 = 3.0;

/// Which of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhichArm {
    /// What is compared with.
    Base,
    /// What is judged.
    Head,
}

impl WhichArm {
    /// As in tables and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }

    /// As in the middle of a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Base => "the base",
            Self::Head => "head",
        }
    }
}

/// What a comparison counts: builds where an engine was built several times, else pairs where both arms ran as pairs, else
/// the processes of each arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One process of each arm, back to back.
    Pairs,
    /// The processes of an arm.
    Processes,
    /// The builds of an engine.
    Builds,
    /// Of each arm, one for each process that another program measured.
    Files,
}

impl Unit {
    /// As in sentences.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pairs => "pairs",
            Self::Processes => "processes",
            Self::Builds => "builds",
            Self::Files => "files",
        }
    }

    /// What gives so many of them.
    fn next(self, n: usize) -> String {
        match self {
            Self::Pairs => format!(" (`check --pairs {n}` measures them)"),
            Self::Processes => format!(" (`run --processes {n}` measures them)"),
            Self::Builds => format!(" (`--builds {n}` measures them)"),
            Self::Files => " (one for each process)".to_owned(),
        }
    }
}

/// Why a metric is shown and not judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum NotJudged {
    #[error("too few requests per process")]
    TooFewRequests,
    #[error("needs {need} {}, has {have}", .unit.word())]
    NeedsUnits { unit: Unit, need: usize, have: usize },
    #[error("the load generator of {} was late for more than 1 % of the requests", .arm.in_words())]
    GeneratorWasLate { arm: WhichArm },
    #[error("in {count} of {of} processes of {} no rate keeps the budget", .arm.in_words())]
    NoRateKeepsBudget { arm: WhichArm, count: usize, of: usize },
    #[error("in {count} of {of} processes of {} no rate that can be offered is too much", .arm.in_words())]
    NoRateIsTooMuch { arm: WhichArm, count: usize, of: usize },
    /// `times`: the budget in closed-loop medians.
    #[error(
        "the budget is {times:.1} × the closed-loop p50, and below {} × small changes of latency are large ones of capacity",
        MIN_BUDGET_IN_MEDIANS
    )]
    BudgetTooTight { times: f64 },
    /// Times in nanoseconds.
    #[error(
        "the clock ticks every {}, too coarse to see changes of {} in {}: half a tick is more; a larger batch or a finer clock tells",
        plain_time(*.tick_ns), share(*.margin_frac), time(*.median_ns)
    )]
    CoarseClock { tick_ns: f64, median_ns: f64, margin_frac: f64 },
    #[error(transparent)]
    Unusable(#[from] StatError),
}

impl NotJudged {
    /// Whether measuring more pairs or processes would make it judged.
    pub fn wants_units(&self) -> bool {
        matches!(self, Self::NeedsUnits { .. })
    }

    /// Whether a case whose gated metric was not judged for this reason is undecided. A budget too near to the engine's
    /// own time makes its capacity information, by rule: no further measuring would judge it.
    pub fn gates(&self) -> bool {
        !matches!(self, Self::BudgetTooTight { .. })
    }

    /// What would make it judged, to be appended to the reason; empty where nothing is known to.
    fn next(&self) -> String {
        match self {
            Self::TooFewRequests => "; measure longer, with --measure".into(),
            Self::NeedsUnits { unit, need, .. } => unit.next(*need),
            Self::GeneratorWasLate { .. } => "; leave a CPU core free".into(),
            _ => String::new(),
        }
    }
}

/// Why the verdict on a case is inconclusive. `metric`: its name in reports.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Inconclusive {
    #[error("nothing to judge")]
    NothingToJudge,
    /// A metric that decides the case was not judged; of the first.
    #[error("{metric}: {why}{}", .why.next())]
    NotJudged { metric: String, why: NotJudged },
    #[error("{metric}: all processes gave the same number, so nothing tells how much it varies")]
    NoSpread { metric: String },
    #[error("{metric}: among this many cases such a change is expected by chance")]
    ByChance { metric: String },
    #[error("{metric} is too uncertain{remedy}")]
    TooUncertain { metric: String, remedy: Remedy },
    /// No change of sources can be the reason.
    #[error(
        "the very same engine was measured in both sessions: the machine differs, not the engine (`cargo trt-perf doctor` says what disturbs it, `check` measures both arms in one session)"
    )]
    SameEngine,
    #[error(
        "{metric}: by the first set of pairs it changed, and no second set was measured that could confirm it (`cargo trt-perf check` measures one)"
    )]
    NoSecondSet { metric: String },
    #[error("{metric}: a second, independent set of pairs did not confirm the change")]
    NotConfirmed { metric: String },
    #[error("a second, independent set of pairs did not confirm that the budget is broken")]
    BudgetNotConfirmed,
    /// `wanted`: pairs of the look that was not begun.
    #[error("time ran out (--max-time): {pairs} of {wanted} pairs were measured")]
    TimeRanOut { pairs: usize, wanted: usize },
}

/// What would make an uncertain metric certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// So many pairs or processes.
    Units(Unit, usize),
    /// To know how much sessions differ.
    Calibration,
    /// Not more of these.
    Unknown(Unit),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Units(unit, n) => write!(f, "; about {n} {} would settle it", unit.word()),
            Self::Calibration => f.write_str(
                "; how much sessions differ on this machine is not known (`cargo trt-perf calibrate` or five stored sessions tell)",
            ),
            Self::Unknown(unit) => write!(f, " to be settled by more {}", unit.word()),
        }
    }
}

/// Why two numbers do not answer the same question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum NotComparable {
    /// Device keys.
    #[error("measured on {head}, the base on {base}")]
    Device { base: String, head: String },
    #[error("backend {head} against {base}")]
    Backend { base: String, head: String },
    #[error("another definition: {} changed", words(.0))]
    Definition(Vec<Difference>),
    /// With the reason, which may be the message of a failure.
    #[error("there is no base: {0}")]
    NoBase(String),
    /// `likely`: the case of head that it may have become.
    #[error("only the base has it{}", .likely.as_ref().map_or_else(String::new, |id| format!("; is it {id} now?")))]
    Removed { likely: Option<String> },
    /// Names, types and shapes.
    #[error("the model takes other inputs: {head} instead of {base}")]
    Inputs { base: String, head: String },
    /// With the message of the failure.
    #[error("head's model cannot be asked what the base asks: {0}")]
    Unaskable(String),
}

/// What differs between two definitions of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Batch, streams, requests in flight or CUDA graph.
    OperatingPoint,
    /// Which transfers are timed, or how the host waits.
    Mode,
    /// The latency budget.
    Budget,
    /// Arrivals, further budgets or batching of an open loop.
    OpenLoop,
    /// The shapes of the inputs.
    Shapes,
    /// None of what a record tells.
    Untold,
}

impl Difference {
    fn words(self) -> &'static str {
        match self {
            Self::OperatingPoint => "operating point",
            Self::Mode => "transfers or way of waiting",
            Self::Budget => "budget",
            Self::OpenLoop => "arrivals, further budgets or batching",
            Self::Shapes => "shapes",
            Self::Untold => "inputs, seed, how a program is run, or measuring protocol",
        }
    }
}

fn words(all: &[Difference]) -> String {
    all.iter().map(|d| d.words()).collect::<Vec<_>>().join(", ")
}

/// Why the numbers of a case cannot be trusted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Invalid {
    #[error("in {count} of {of} processes of {} {why}", .arm.word())]
    Processes { arm: WhichArm, count: usize, of: usize, why: InvalidReason },
    /// Of a case that is compared with nothing.
    #[error("{0}")]
    Alone(InvalidReason),
    #[error("{discarded} of {of} pairs had to be discarded, the last because {last}")]
    PairsDiscarded { discarded: usize, of: usize, last: InvalidReason },
    #[error("the base has debug-extra-work, so its numbers are no base")]
    BaseDidExtraWork,
    #[error("head computes something else than the base does: {difference} (outputs: {tolerances})")]
    Outputs { difference: OutputDifference, tolerances: Tolerances },
}

/// How head breaks the budget that the base kept. `metric`: the tail's name; times in nanoseconds; `p`: one-sided, of the
/// hypothesis that head keeps the budget.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum BrokenBudget {
    #[error(
        "{metric} is {} [{} {}], over the budget of {}, which the base kept with {}",
        time(.head.est), time(.head.lo), time(.head.hi), plain_time(*.max_ns as f64), time(*.base_ns)
    )]
    Exceeded { metric: String, head: Interval, max_ns: u64, base_ns: f64, p: f64 },
    #[error("no rate keeps {metric} within {} any more, and the base has one", plain_time(*.max_ns as f64))]
    NoRate { metric: String, max_ns: u64 },
    #[error(
        "it takes {} of memory, over the budget of {}, which the base kept with {}",
        bytes(*.head_bytes), bytes(*.max_bytes), bytes(*.base_bytes)
    )]
    Memory { head_bytes: u64, base_bytes: u64, max_bytes: u64 },
}

impl BrokenBudget {
    /// What the budget limits.
    pub fn kind(&self) -> BudgetKind {
        match self {
            Self::Exceeded { .. } | Self::NoRate { .. } => BudgetKind::Latency,
            Self::Memory { .. } => BudgetKind::Memory,
        }
    }
}
