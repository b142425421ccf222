//! Keeps what the last check of each source tree measured, case by case, so that `baseline accept` can accept it. Pure:
//! from data to text and back.
//!
//! The text goes to `checks/<source tree>.json` in the target folder, as `trt-perf/check@1` in the form of
//! [`document`]. It is not committed, so fields that this version does not know are ignored without a message.

use crate::compare::{CaseComparison, Verdict};
use crate::error::Result;
use crate::record::ChangeKind;
use crate::record::wire::acceptance::{IntervalV1, changes_from_wire, changes_to_wire};
use crate::record::wire::document;
use crate::stats::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One case, as the last check that measured it saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredCase {
    /// Full id of the commit that it was measured against.
    pub base_commit: String,
    /// Id of the record, in the folder of results, that holds the numbers of the head arm.
    pub record: String,
    /// Whether it became worse or better.
    pub kind: ChangeKind,
    /// As in [`crate::record::Acceptance`].
    pub changes: BTreeMap<String, Interval>,
}

impl MeasuredCase {
    /// `None` where no metric could be judged, or the numbers cannot be trusted: there is nothing to accept.
    pub fn of(comparison: &CaseComparison, base_commit: &str, record: &str) -> Option<Self> {
        let kind = match comparison.verdict {
            Verdict::Regressed => ChangeKind::Regression,
            Verdict::Improved => ChangeKind::Improvement,
            Verdict::Unchanged | Verdict::ChangedWithinMargin | Verdict::Inconclusive(_) => {
                ChangeKind::Change
            }
            Verdict::NotComparable(_) | Verdict::Invalid(_) => return None,
        };
        let name = |m: &crate::compare::MetricComparison| m.metric.name(comparison.budget);
        let changes: BTreeMap<String, Interval> =
            comparison.metrics.iter().filter_map(|m| Some((name(m), m.change?))).collect();
        (!changes.is_empty()).then(|| Self {
            base_commit: base_commit.to_owned(),
            record: record.to_owned(),
            kind,
            changes,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct MeasuredV1 {
    cases: BTreeMap<String, MeasuredCaseV1>,
}

#[derive(Serialize, Deserialize)]
struct MeasuredCaseV1 {
    base_commit: String,
    record: String,
    kind: ChangeKind,
    changes: BTreeMap<String, IntervalV1>,
}

/// The text of the file; cases by id.
pub fn write(cases: &BTreeMap<String, MeasuredCase>) -> String {
    let case = |c: &MeasuredCase| MeasuredCaseV1 {
        base_commit: c.base_commit.clone(),
        record: c.record.clone(),
        kind: c.kind,
        changes: changes_to_wire(&c.changes),
    };
    let cases = cases.iter().map(|(id, c)| (id.clone(), case(c))).collect();
    document::write(&document::CHECK, &MeasuredV1 { cases }).0
}

/// The cases in the text of such a file.
pub fn read(text: &str) -> Result<BTreeMap<String, MeasuredCase>> {
    Ok(document::read(text, &document::CHECK, from_wire)?.body)
}

fn from_wire(wire: MeasuredV1) -> Result<BTreeMap<String, MeasuredCase>, String> {
    wire.cases
        .into_iter()
        .map(|(id, c)| {
            let changes = changes_from_wire(c.changes).map_err(|e| format!("{id}: {e}"))?;
            Ok((id, MeasuredCase { base_commit: c.base_commit, record: c.record, kind: c.kind, changes }))
        })
        .collect()
}
