//! A change whose commit a bisection found, as `history` shows it and as its file holds it: `trt-perf/bisect@1`. Pure.

use crate::error::Result;
use crate::record::wire::acceptance::IntervalV1;
use crate::record::wire::document::{self, BISECT};
use crate::stats::Interval;
use serde::{Deserialize, Serialize};

/// A change, and the commit that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundChange {
    /// The case's id.
    pub case: String,
    /// The key of the device that it was measured on.
    pub device: String,
    /// The metric that changed, by its name in reports.
    pub metric: String,
    /// Relative change of the metric from the commit before; +0.05 is 5 % more.
    pub change: Interval,
    /// Whether the change is for the worse.
    pub worse: bool,
    /// The full id of the commit.
    pub commit: String,
    /// The full id of the commit that it was compared with: the one before it, along first parents.
    pub before: String,
    /// When its author wrote it, seconds since 1970.
    pub authored_s: i64,
    /// The first line of its message.
    pub subject: String,
    /// When it was found, seconds since 1970.
    pub found_s: i64,
}

#[derive(Serialize, Deserialize)]
struct FoundV1 {
    case: String,
    device: String,
    metric: String,
    change: IntervalV1,
    worse: bool,
    commit: String,
    before: String,
    authored_s: i64,
    subject: String,
    found_s: i64,
}

/// The text of its file.
pub fn write(found: &FoundChange) -> String {
    let FoundChange { case, device, metric, change, worse, commit, before, authored_s, subject, found_s } =
        found.clone();
    let change = change.into();
    let wire = FoundV1 { case, device, metric, change, worse, commit, before, authored_s, subject, found_s };
    document::write(&BISECT, &wire).0
}

/// Reads the text of such a file; failures continue its name.
pub fn read(text: &str) -> Result<FoundChange> {
    let contents = document::read(text, &BISECT, |wire: FoundV1| {
        let FoundV1 { case, device, metric, change, worse, commit, before, authored_s, subject, found_s } =
            wire;
        let change = Interval::try_from(change)?;
        Ok(FoundChange { case, device, metric, change, worse, commit, before, authored_s, subject, found_s })
    })?;
    Ok(contents.body)
}
