//! What head adds to the baselines of the base, and who added it.

use crate::error::Result;
use crate::record::{Acceptance, Record};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A file that head's baselines have and the base's have not, or not the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Added {
    /// Its file.
    pub path: PathBuf,
    /// Who added it.
    pub by: AddedBy,
    /// What it is.
    pub what: AddedWhat,
}

/// What an added file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddedWhat {
    /// `Err`: why it cannot be read.
    Record(Box<Result<Record>>),
    /// It is not used: the base's is.
    Calibration {
        /// Of the calibrated device.
        device_key: String,
    },
}

/// Who added a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddedBy {
    /// The author of the commit that added it, as git has it; the date is `2026-11-22`.
    Commit {
        /// As git knows them.
        author: String,
        /// When the commit was written, as `2026-11-22`.
        date: String,
        /// Full id.
        commit: String,
    },
    /// It is in the work tree and in no commit.
    NotCommitted,
    /// Git cannot tell.
    Unknown,
}

impl Added {
    /// The change that it accepts, with the record that says so.
    pub fn acceptance(&self) -> Option<(&Record, &Acceptance)> {
        let AddedWhat::Record(record) = &self.what else { return None };
        let record = record.as_ref().as_ref().ok()?;
        Some((record, record.acceptance.as_ref()?))
    }
}
