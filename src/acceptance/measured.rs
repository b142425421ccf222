//! Keeps what the last check of each source tree found, case by case, so that `baseline accept` can accept it. Pure:
//! from data to text and back.
//!
//! The text goes to `checks/<source tree>.json` in the target folder, as `trt-perf/check@1` in the form of
//! [`document`]. It is not committed, so fields that this version does not know are ignored without a message.

use crate::compare::{BrokenBudget, CaseComparison, Verdict};
use crate::error::Result;
use crate::record::wire::acceptance::{IntervalV1, changes_from_wire, changes_to_wire};
use crate::record::wire::{self, DeviceV1, document};
use crate::record::{BudgetKind, ChangeKind, RecordDevice};
use crate::stats::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One case, as the last check of it saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredCase {
    /// Full id of the commit that it was compared with.
    pub base_commit: String,
    /// Where the numbers of the head arm are.
    pub numbers: Numbers,
    /// What there is to accept.
    pub kind: ChangeKind,
    /// As in [`crate::record::Acceptance`].
    pub redefined: Vec<String>,
    /// As in [`crate::record::Acceptance`].
    pub changes: BTreeMap<String, Interval>,
    /// As in [`crate::record::Acceptance`].
    pub broken_budget: Option<BudgetKind>,
}

/// Where the numbers of the head arm are.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Id of the record, in the folder of results.
    In(String),
    /// There are none: the case is gone, or was not measured. The device of the check.
    None(RecordDevice),
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
            numbers: Numbers::In(record.to_owned()),
            kind,
            redefined: Vec::new(),
            changes,
            broken_budget: comparison.broken_budget.as_ref().map(BrokenBudget::kind),
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    /// Where there is no record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceV1>,
    kind: ChangeKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redefined: Vec<String>,
    changes: BTreeMap<String, IntervalV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken_budget: Option<BudgetKind>,
}

/// The text of the file; cases by id.
pub fn write(cases: &BTreeMap<String, MeasuredCase>) -> String {
    let cases = cases.iter().map(|(id, c)| (id.clone(), case_to_wire(c))).collect();
    document::write(&document::CHECK, &MeasuredV1 { cases }).0
}

/// The cases in the text of such a file.
pub fn read(text: &str) -> Result<BTreeMap<String, MeasuredCase>> {
    Ok(document::read(text, &document::CHECK, from_wire)?.body)
}

fn case_to_wire(c: &MeasuredCase) -> MeasuredCaseV1 {
    let (record, device) = match &c.numbers {
        Numbers::In(record) => (Some(record.clone()), None),
        Numbers::None(device) => (None, Some(wire::device_to_wire(device))),
    };
    MeasuredCaseV1 {
        base_commit: c.base_commit.clone(),
        record,
        device,
        kind: c.kind,
        redefined: c.redefined.clone(),
        changes: changes_to_wire(&c.changes),
        broken_budget: c.broken_budget,
    }
}

fn from_wire(wire: MeasuredV1) -> Result<BTreeMap<String, MeasuredCase>, String> {
    wire.cases
        .into_iter()
        .map(|(id, c)| {
            let case = case_from_wire(c).map_err(|e| format!("{id}: {e}"))?;
            Ok((id, case))
        })
        .collect()
}

fn case_from_wire(c: MeasuredCaseV1) -> Result<MeasuredCase, String> {
    let numbers = match (c.record, c.device) {
        (Some(record), _) => Numbers::In(record),
        (None, Some(device)) => Numbers::None(wire::device_from_wire(device)?),
        (None, None) => return Err("neither a record nor a device".into()),
    };
    Ok(MeasuredCase {
        base_commit: c.base_commit,
        numbers,
        kind: c.kind,
        redefined: c.redefined,
        changes: changes_from_wire(c.changes)?,
        broken_budget: c.broken_budget,
    })
}
