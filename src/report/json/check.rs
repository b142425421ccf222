//! A check as messages: its rows, what head adds to the baselines, what drifted, and its end.

use super::{compared_case, layer_changes, path};
use crate::acceptance::AcceptanceStatus;
use crate::message::{
    AcceptanceSaid, AddedAcceptance, AddedBaseline, AddedByCommit, CaseFailed, ChangedSetting,
    ChangedSettingOfCases, CheckFinished, CheckedCase, Drift, Message,
};
use crate::outcome::{Added, AddedBy, AddedWhat, Checked, Row, RowOrigin, Tally};
use crate::pairing::Changed;
use crate::record::{Acceptance, Record};
use crate::report::CheckReport;
use std::path::Path;

/// What a check came to, but for its last message: its rows, what head adds to the baselines, what drifted.
pub fn checked(checked: &Checked) -> Vec<Message> {
    let rows = checked.rows.values().map(|row| Message::Checked(Box::new(checked_case(row, checked))));
    let explained = checked
        .rows
        .values()
        .filter_map(|row| row.explained.as_ref().map(|found| layer_changes(Some(&row.comparison.id), found)));
    let added = checked.added.iter().map(|file| Message::AddedBaseline(added_baseline(file)));
    let drifted = checked.drifted.iter().map(|(id, (comparison, base))| {
        Message::Drift(Drift {
            case: id.clone(),
            base: base.clone(),
            comparison: compared_case(comparison, None),
        })
    });
    rows.chain(explained).chain(added).chain(drifted).collect()
}

/// The cases of head that could not be built or measured. A stream has said so already.
pub fn failed(checked: &Checked) -> Vec<Message> {
    let said = checked.failed.iter();
    said.map(|(id, failure)| Message::CaseFailed(CaseFailed { case: id.clone(), failure: failure.into() }))
        .collect()
}

/// Its last message.
pub fn check_finished(
    report: &CheckReport,
    result: Option<&Path>,
    tally: Tally,
    exit_code: u8,
) -> CheckFinished {
    let checked = report.checked;
    let counts = checked.counts();
    let settings = checked.settings_changed().into_iter().map(|found| ChangedSettingOfCases {
        changed: changed(found.changed),
        cases: found.cases.into_iter().map(str::to_owned).collect(),
    });
    CheckFinished {
        base: report.base.to_owned(),
        head: report.head.to_owned(),
        device: report.device.to_owned(),
        records: checked.written.iter().map(|p| path(p)).collect(),
        result: result.map(path),
        failed: tally.failed,
        regressed: tally.regressed,
        accepted: counts.accepted,
        inconclusive: tally.inconclusive,
        invalid: tally.invalid,
        removed: counts.removed,
        redefined: counts.redefined,
        not_compared: counts.not_compared,
        gaps_accepted: counts.gaps_accepted,
        new: counts.new,
        settings_changed: settings.collect(),
        prepare_differs: checked.prepare_differs.clone(),
        interrupted: tally.interrupted,
        exit_code,
    }
}

fn checked_case(row: &Row, of: &Checked) -> CheckedCase {
    let (pairs, discarded, confirmed) = match &row.origin {
        RowOrigin::Pairs { pairs, discarded, confirmed } => (Some(*pairs), Some(*discarded), *confirmed),
        _ => (None, None, None),
    };
    CheckedCase {
        case: row.comparison.id.clone(),
        gates: row.gates(),
        origin: row.origin.word().to_owned(),
        gap: row.gap().map(|gap| gap.word().to_owned()),
        gap_fails: of.fails_for_gap(row),
        gap_acceptance: row.gap_accepted.as_ref().map(acceptance_said),
        redefined: row.redefined.iter().map(changed).collect(),
        settings_changed: row.settings.iter().map(changed).collect(),
        how: crate::report::how(&row.origin),
        pairs,
        discarded,
        confirmed,
        acceptance: row.accepted.as_ref().map(acceptance_said),
        comparison: compared_case(&row.comparison, None),
    }
}

fn changed(c: &Changed) -> ChangedSetting {
    ChangedSetting { setting: c.what.clone(), base: c.base.clone(), head: c.head.clone() }
}

fn acceptance_said(status: &AcceptanceStatus) -> AcceptanceSaid {
    let (reason, by, why) = match status {
        AcceptanceStatus::Honoured { reason, by } => (Some(reason), Some(by), None),
        AcceptanceStatus::Stale { why } => (None, None, Some(why)),
    };
    AcceptanceSaid { honoured: why.is_none(), reason: reason.cloned(), by: by.cloned(), why: why.cloned() }
}

fn added_baseline(added: &Added) -> AddedBaseline {
    let (kind, device, record, problem) = match &added.what {
        AddedWhat::Calibration { device_key } => ("calibration", Some(device_key), None, None),
        AddedWhat::Record(record) => match &**record {
            Ok(record) => ("record", Some(&record.device.key), Some(record), None),
            Err(f) => ("record", None, None, Some(f.message.clone())),
        },
    };
    let (added_by, committed) = match &added.by {
        AddedBy::Commit { author, date, commit } => (
            Some(AddedByCommit { author: author.clone(), date: date.clone(), commit: commit.clone() }),
            Some(true),
        ),
        AddedBy::NotCommitted => (None, Some(false)),
        AddedBy::Unknown => (None, None),
    };
    AddedBaseline {
        path: path(&added.path),
        kind: kind.to_owned(),
        added_by,
        committed,
        record: record.map(|r: &Record| r.id.clone()),
        device: device.cloned(),
        cases: record.map(|r| r.cases.keys().cloned().collect()),
        acceptance: added.acceptance().map(|(_, a)| added_acceptance(a)),
        problem,
    }
}

fn added_acceptance(a: &Acceptance) -> AddedAcceptance {
    AddedAcceptance {
        case: a.case.clone(),
        kind: a.kind,
        reason: a.reason.clone(),
        by: a.by.clone(),
        base_commit: a.base_commit.clone(),
        redefined: a.redefined.clone(),
        changes: a.changes.iter().map(|(name, i)| (name.clone(), (*i).into())).collect(),
    }
}
