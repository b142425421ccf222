//! A change that somebody accepted, as part of a record. Pure.

use super::Record;
use crate::stats::Interval;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A change of one case that somebody accepted, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Acceptance {
    /// The case's id; its numbers stand in the record, if there are any: a case that is gone has none.
    pub case: String,
    /// Whether the change is for the worse or for the better.
    pub kind: ChangeKind,
    /// Why it was accepted, in the words of the person who did.
    pub reason: String,
    /// Of a redefinition: what is asked otherwise, or why it does not compare, in words.
    pub redefined: Vec<String>,
    /// By metric name (`mean`, `p50`, `p99`, `throughput`): relative change of the value itself, with its interval
    /// at 95 %. +0.05 is 5 % more.
    pub changes: BTreeMap<String, Interval>,
    /// The budget that head broke, and that was accepted with the changes.
    pub broken_budget: Option<BudgetKind>,
    /// Who, as git knows them, or [`UNKNOWN`].
    pub by: String,
    /// The commit that the change was measured against.
    pub base_commit: String,
}

/// Who accepted, where git knows no name.
pub const UNKNOWN: &str = "unknown";

/// What a budget limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetKind {
    /// The tail of the latency, at a given rate or at any.
    Latency,
    /// Bytes of memory.
    Memory,
}

impl BudgetKind {
    /// As in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Memory => "memory",
        }
    }
}

/// What was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It became worse.
    Regression,
    /// It became better.
    Improvement,
    /// The measurement decided neither.
    Change,
    /// The case is gone.
    Removal,
    /// The case asks something else, or cannot be compared, under the same name; it may have been measured besides.
    Redefinition,
}

impl ChangeKind {
    /// As in files and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Improvement => "improvement",
            Self::Change => "change",
            Self::Removal => "removal",
            Self::Redefinition => "redefinition",
        }
    }
}

/// Ids of the records that another of `records` replaced as the reference of `case`. A record that was itself
/// replaced still counts, so that the chain holds however long it is.
pub fn superseded<'a>(records: impl IntoIterator<Item = &'a Record>, case: &str) -> BTreeSet<&'a str> {
    records
        .into_iter()
        .filter(|r| r.cases.contains_key(case))
        .flat_map(|r| r.supersedes.iter().map(String::as_str))
        .collect()
}
