//! What a check measured, before anyone judged, and the verdicts that follow from it. Pure.
//!
//! Everything that a verdict of a check hangs on is here: both arms of the first set of pairs and of the second, what is
//! gone or redefined, stored numbers, budgets, what head adds to the baselines. A check keeps it as a file
//! (`trt-perf/evidence@1`), several machines' results are joined as such ([`merge()`]), and margins may be changed after
//! the fact ([`rejudge()`]).
//!
//! Invariant: a verdict of a check has one way to come about, [`Evidence::checked`]. Measured, merged and rejudged verdicts
//! on the same numbers cannot differ (`tests/it/machines.rs`).

mod accepted;
mod judge;
mod merge;
mod pairs;
mod rejudge;
mod wire;

pub use accepted::gap_kind;
pub use merge::{Merged, merge};
pub use pairs::{PairSet, is_spoiled};
pub use rejudge::{NewMargins, rejudge};
pub use wire::{read, schema, write};

use crate::case::{Budget, CasePart, Margins};
use crate::compare::{Metric, NotComparable, Sessions};
use crate::error::Failure;
use crate::layers::Attribution;
use crate::outcome::{Added, OnMissing};
use crate::pairing::Changed;
use crate::record::{CaseRecord, RecordDevice, Source, Unreal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a check found, of all its cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "trt-perf/evidence@1")]
pub struct Evidence {
    /// Seconds since 1970-01-01 UTC.
    pub created_s: i64,
    /// Version of this tool.
    pub tool: String,
    /// What was compared with.
    pub base: EvidenceArm,
    /// What is judged.
    pub head: EvidenceArm,
    /// Where it was measured.
    pub device: RecordDevice,
    /// Two commits, of which head is judged; otherwise an experiment.
    pub of_commits: bool,
    /// Which part of the cases is here; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<CasePart>,
    /// How it was measured.
    pub plan: EvidencePlan,
    /// The seeds of the order of the arms: one for each check that is joined here.
    pub order_seeds: Vec<u64>,
    /// How the commands that prepare the arms differ, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare_differs: Option<String>,
    /// Ctrl-C ended it early.
    pub interrupted: bool,
    /// The manifest that head's case is configured in, relative to the work tree of git.
    pub manifests: BTreeMap<String, PathBuf>,
    /// By case id.
    pub cases: BTreeMap<String, CaseEvidence>,
    /// Cases of head that could not be built or measured.
    pub failed: BTreeMap<String, Failure>,
    /// What head adds to the baselines of the base.
    pub added: Vec<Added>,
}

/// One arm of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceArm {
    /// What reports call it.
    pub name: String,
    /// Its commit and source tree; `None` where it has none.
    pub source: Option<Source>,
}

/// How a check measured: what must be the same in results that are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePlan {
    /// A fixed number of pairs; `None`: sequential looks.
    pub pairs: Option<usize>,
    /// No look was begun that would have ended after this, in nanoseconds.
    pub max_time_ns: Option<u64>,
    /// Two-sided error rate over all looks, and the expected share of false claims among those of all cases.
    pub alpha: f64,
    /// What to do with gaps.
    pub on_missing: OnMissing,
    /// The settings of the command line, as JSON.
    pub settings: String,
}

/// What was found of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseEvidence {
    /// The smallest changes that count: the base's.
    pub margins: Margins,
    /// The latency budget.
    pub budget: Option<Budget>,
    /// Why the numbers say nothing about a model, where nothing was measured.
    pub unreal: Option<Unreal>,
    /// What head asks otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redefined: Vec<Changed>,
    /// How head would be judged otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Changed>,
    /// How it came about, with its numbers.
    pub found: Found,
    /// What both arms take of memory, where there is a budget of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryEvidence>,
    /// The oldest stored record that head is comparable with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<StoredEvidence>,
    /// What its layers contribute to a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained: Option<Attribution>,
}

/// How a case came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Both arms have the same engine.
    SameEngine,
    /// Both arms were measured as pairs.
    Pairs {
        /// The set that decides whether it is to be confirmed.
        first: Box<PairSet>,
        /// The independent set that confirms a change; `None` where none was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<Box<PairSet>>,
    },
    /// Head against stored numbers, because the base could not be measured.
    Stored {
        /// Why the base could not be measured.
        why: String,
        /// The stored record.
        base: Box<StoredEvidence>,
        /// What was measured of head.
        head: Box<CaseRecord>,
    },
    /// There is nothing to compare with.
    NoBase {
        /// Why.
        why: String,
        /// Only head has the case, which is no fault.
        new: bool,
        /// What was measured of head all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<Box<CaseRecord>>,
    },
    /// Only the base has it.
    Removed {
        /// The case of head that it may have become.
        likely: Option<String>,
    },
    /// Not measured, because the numbers would not compare.
    Apart(NotComparable),
    /// Not measured, because the base is no base.
    BaseDidExtraWork,
}

/// Stored numbers, with what is known of how much sessions differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredEvidence {
    /// The stored record, in words.
    pub label: String,
    /// Its numbers of the case.
    pub base: CaseRecord,
    /// How much sessions differ, by metric.
    pub sessions: Vec<(Metric, Sessions)>,
}

/// What both arms take of memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryEvidence {
    /// The base's.
    pub base_bytes: u64,
    /// Head's.
    pub head_bytes: u64,
    /// The budget.
    pub max_bytes: u64,
}

impl Found {
    /// What was measured of head.
    pub fn head(&self) -> Option<&CaseRecord> {
        match self {
            Self::Pairs { first, .. } => Some(&first.head),
            Self::Stored { head, .. } => Some(head),
            Self::NoBase { head, .. } => head.as_deref(),
            Self::SameEngine | Self::Removed { .. } | Self::Apart(_) | Self::BaseDidExtraWork => None,
        }
    }

    /// What was measured of the base in the same session.
    pub fn base(&self) -> Option<&CaseRecord> {
        match self {
            Self::Pairs { first, .. } => Some(&first.base).filter(|base| !base.processes.is_empty()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
