//! The part of a record file that says which change was accepted.

use crate::record::{Acceptance, BudgetKind, ChangeKind};
use crate::stats::Interval;
use crate::units::round5;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a change was accepted, and how large it was. Shares are fractions of one.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct AcceptanceV1 {
    case: String,
    kind: ChangeKind,
    reason: String,
    /// Of a redefinition: what is asked otherwise, or why it does not compare, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redefined: Vec<String>,
    /// By metric: relative change of the value, with its interval at 95 %.
    changes: BTreeMap<String, IntervalV1>,
    /// The budget that was broken and accepted, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken_budget: Option<BudgetKind>,
    /// Name of who accepted, or `unknown`.
    by: String,
    /// The commit that the change was measured against.
    base_commit: String,
}

/// A relative change and its interval: -1 or more, `lo` ≤ `est` ≤ `hi`.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct IntervalV1 {
    lo: f64,
    est: f64,
    hi: f64,
}

impl From<Interval> for IntervalV1 {
    fn from(i: Interval) -> Self {
        Self { lo: round5(i.lo), est: round5(i.est), hi: round5(i.hi) }
    }
}

impl TryFrom<IntervalV1> for Interval {
    type Error = String;

    fn try_from(i: IntervalV1) -> Result<Self, String> {
        let ordered = -1.0 <= i.lo && i.lo <= i.est && i.est <= i.hi;
        ordered
            .then_some(Self { lo: i.lo, est: i.est, hi: i.hi })
            .ok_or_else(|| format!("[{} {} {}] is no interval of a relative change", i.lo, i.est, i.hi))
    }
}

/// Changes as files hold them. One without a finite interval cannot be written as JSON and says nothing: left out.
pub fn changes_to_wire(changes: &BTreeMap<String, Interval>) -> BTreeMap<String, IntervalV1> {
    let finite = |i: &Interval| [i.lo, i.est, i.hi].iter().all(|x| x.is_finite());
    changes.iter().filter(|(_, i)| finite(i)).map(|(m, i)| (m.clone(), (*i).into())).collect()
}

/// Reads the accepted changes, by metric. Fails on a metric or a number that makes no sense.
pub fn changes_from_wire(
    changes: BTreeMap<String, IntervalV1>,
) -> Result<BTreeMap<String, Interval>, String> {
    changes
        .into_iter()
        .map(|(metric, i)| match Interval::try_from(i) {
            Ok(i) => Ok((metric, i)),
            Err(why) => Err(format!("change of {metric}: {why}")),
        })
        .collect()
}

pub(super) fn to_wire(a: &Acceptance) -> AcceptanceV1 {
    AcceptanceV1 {
        case: a.case.clone(),
        kind: a.kind,
        reason: a.reason.clone(),
        redefined: a.redefined.clone(),
        changes: changes_to_wire(&a.changes),
        broken_budget: a.broken_budget,
        by: a.by.clone(),
        base_commit: a.base_commit.clone(),
    }
}

pub(super) fn from_wire(w: AcceptanceV1) -> Result<Acceptance, String> {
    Ok(Acceptance {
        changes: changes_from_wire(w.changes).map_err(|e| format!("acceptance: {e}"))?,
        case: w.case,
        kind: w.kind,
        reason: w.reason,
        redefined: w.redefined,
        broken_budget: w.broken_budget,
        by: w.by,
        base_commit: w.base_commit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, RecordDevice, wire};

    /// As the version before acceptances wrote it.
    const OLD: &str = "{\n \"cases\": {},\n \"created\": \"2026-11-22T00:00:00Z\",\n \"device\": {\"key\":\"cpu-x\",\"name\":\"x\",\"soft\":{}},\n \"id\": \"ID\",\n \"schema\": \"trt-perf/record@1\",\n \"tool\": \"0.1.0\"\n}\n";

    fn record() -> Record {
        Record {
            id: String::new(),
            created_s: 1_795_305_600,
            tool: "0.1.0".into(),
            source: None,
            device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
            supersedes: Vec::new(),
            acceptance: None,
            cases: BTreeMap::new(),
            failed: BTreeMap::new(),
            part: None,
            experiment: false,
            unknown: Vec::new(),
            crlf: false,
        }
    }

    fn accepted() -> Record {
        let change = Interval { lo: 0.041, est: 0.05, hi: 0.0591 };
        let acceptance = Acceptance {
            case: "p/m/default/latency".into(),
            kind: ChangeKind::Regression,
            reason: "more accurate; \"id\": \"0000000000000000\"".into(),
            redefined: Vec::new(),
            changes: BTreeMap::from([("mean".into(), change)]),
            broken_budget: Some(BudgetKind::Memory),
            by: "Ada".into(),
            base_commit: "41ab".into(),
        };
        Record { supersedes: vec!["0123456789abcdef".into()], acceptance: Some(acceptance), ..record() }
    }

    #[test]
    fn older_files_read_and_are_written_byte_for_byte_as_before() {
        let mut plain = record();
        let text = wire::write(&mut plain);
        assert_eq!(text, OLD.replace("ID", &plain.id));
        assert_eq!(wire::read(&text).expect("an older file"), plain);
        let tampered = text.replace("0.1.0", "0.1.1");
        assert!(wire::read(&tampered).expect_err("changed").message.contains("does not match its id"));
    }

    #[test]
    fn an_acceptance_survives_its_file_and_is_covered_by_the_id() {
        let mut record = accepted();
        let text = wire::write(&mut record);
        assert_eq!(wire::read(&text).expect("readable"), record);
        for (from, to) in [
            ("Ada", "Bob"),
            ("memory", "latency"),
            ("0.041", "0.031"),
            ("0123456789abcdef", "fedcba9876543210"),
        ] {
            assert!(text.contains(from) && wire::read(&text.replace(from, to)).is_err(), "{from}");
        }
    }

    #[test]
    fn what_was_redefined_survives_its_file_and_a_removal_holds_no_case() {
        let mut record = accepted();
        let acceptance = record.acceptance.as_mut().expect("there");
        (acceptance.kind, acceptance.redefined) = (ChangeKind::Redefinition, vec!["seed 1 → 2".into()]);
        let text = wire::write(&mut record);
        assert_eq!(wire::read(&text).expect("readable"), record);
        let acceptance = record.acceptance.as_mut().expect("there");
        acceptance.changes.clear();
        (acceptance.kind, acceptance.redefined) = (ChangeKind::Removal, Vec::new());
        let text = wire::write(&mut record);
        assert_eq!(wire::read(&text).expect("readable"), record);
    }

    #[test]
    fn an_interval_that_is_none_is_refused_though_its_id_fits() {
        for change in [(0.2, 0.1, 0.3), (-1.5, 0.0, 0.1)] {
            let mut record = accepted();
            let change = Interval { lo: change.0, est: change.1, hi: change.2 };
            record.acceptance.as_mut().expect("there").changes.insert("mean".into(), change);
            let text = wire::write(&mut record);
            assert!(wire::read(&text).expect_err("damaged").message.contains("change of mean"), "{text}");
        }
    }

    #[test]
    fn a_change_without_a_finite_interval_is_left_out() {
        let endless = Interval { lo: 0.1, est: 0.2, hi: f64::INFINITY };
        assert!(changes_to_wire(&BTreeMap::from([("mean".into(), endless)])).is_empty());
    }
}
