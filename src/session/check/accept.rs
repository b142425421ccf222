//! Keeps what a check found for its source tree, and accepts a change: makes a baseline that says why.

use crate::acceptance::measured::{self, MeasuredCase, Numbers};
use crate::baseline::{Store, file};
use crate::config::{Folders, Project};
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::evidence::gap_kind;
use crate::git::Repo;
use crate::outcome::{Row, RowOrigin};
use crate::record::wire::document::CHECK;
use crate::record::{Acceptance, Record, Source, UNKNOWN, short, superseded};
use crate::session::keep::clean_head;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is to be accepted.
pub struct AcceptRequest<'a> {
    /// The case's id.
    pub case: &'a str,
    /// Why the change is accepted.
    pub reason: &'a str,
    /// The revision it must have been measured against; any, if `None`.
    pub base: Option<&'a str>,
    /// Seconds since 1970.
    pub now_s: i64,
}

/// Keeps what was measured as pairs of two commits, and what is missing, so that it can be accepted. Cases that an
/// earlier check of these sources found stay, because a check may be of some cases only; an unreadable file is replaced.
pub(in crate::session) fn keep(
    folders: &Folders,
    rows: &BTreeMap<String, Row>,
    base: &Record,
    head: &Record,
) -> Result<()> {
    let Some((base, tree)) = base.source.as_ref().zip(head.source.as_ref()) else {
        return Ok(());
    };
    let cases: BTreeMap<String, MeasuredCase> =
        rows.iter().filter_map(|(id, row)| Some((id.clone(), found(row, &base.commit, head)?))).collect();
    // A tree with changes has no name, and two settings of one tree are no change of it.
    if cases.is_empty() || tree.dirty || base.src_tree == tree.src_tree {
        return Ok(());
    }
    let path = folders.check_of(&tree.src_tree);
    let mut all = file::open(&path, &CHECK, measured::read).unwrap_or_default();
    all.extend(cases);
    file::write(&path, &CHECK, &measured::write(&all), true)
}

/// What there is to accept of a row.
fn found(row: &Row, base_commit: &str, head: &Record) -> Option<MeasuredCase> {
    let numbers = match row.origin {
        RowOrigin::Pairs { .. } => MeasuredCase::of(&row.comparison, base_commit, &head.id),
        _ => None,
    };
    let Some(kind) = gap_kind(row) else { return numbers };
    let without_numbers = || MeasuredCase {
        base_commit: base_commit.to_owned(),
        numbers: Numbers::None(head.device.clone()),
        kind,
        redefined: Vec::new(),
        changes: BTreeMap::new(),
        broken_budget: None,
    };
    Some(MeasuredCase { kind, redefined: row.gap_words(), ..numbers.unwrap_or_else(without_numbers) })
}

/// Writes a baseline of HEAD with the case's numbers, if it has any, and the acceptance. Returns its path and the record.
pub fn accept(project: &Project, request: &AcceptRequest) -> Result<(PathBuf, Record)> {
    let reason = request.reason.trim();
    if reason.is_empty() {
        return Err(Failure::usage("an acceptance without a reason tells nobody anything")
            .next("say why the change is worth it: --reason \"…\""));
    }
    let (repo, head) = clean_head(project)?;
    let (id, case) = measured_case(project, &repo, &head, request)?;
    let store = Store::new(project.baselines());
    let mut record = match &case.numbers {
        Numbers::In(record) => {
            let record = with_numbers(project, record, &id)?;
            Record { supersedes: replaced(&store, &record.device.key, &id)?, ..record }
        }
        Numbers::None(device) => Record::empty(request.now_s, device.clone()),
    };
    // The same source tree, though perhaps amended since it was measured.
    record.source = Some(head);
    record.acceptance = Some(Acceptance {
        case: id,
        kind: case.kind,
        reason: reason.to_owned(),
        redefined: case.redefined,
        changes: case.changes,
        broken_budget: case.broken_budget,
        by: repo.user_name().unwrap_or_else(|| UNKNOWN.to_owned()),
        base_commit: case.base_commit,
    });
    let path = store.save_baseline(&mut record)?;
    Ok((path, record))
}

fn no_result(what: &str) -> Failure {
    Failure::new(FailureKind::Nothing, what)
        .next("measure first: `cargo trt-perf check`; then accept what it measured")
}

/// What the last check of HEAD's source tree measured of the case.
fn measured_case(
    project: &Project,
    repo: &Repo,
    head: &Source,
    request: &AcceptRequest,
) -> Result<(String, MeasuredCase)> {
    let path = project.folders.check_of(&head.src_tree);
    let found = file::open_if_there(&path, &CHECK, measured::read)?;
    let mut cases = found.ok_or_else(|| {
        no_result(&format!(
            "there is no result of a check of these sources (HEAD, {}) yet",
            short(&head.commit)
        ))
    })?;
    let Some(case) = cases.remove(request.case) else {
        let near = did_you_mean(request.case, cases.keys().map(String::as_str));
        let known: Vec<&str> = cases.keys().map(String::as_str).collect();
        let message = format!("no check of these sources measured a case `{}` or missed it", request.case);
        return Err(Failure::usage(message).next(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("measured were: {}; `cargo trt-perf check` measures the others", known.join(", "))
            }
        }));
    };
    if let Some(base) = request.base {
        let wanted = repo.resolve(base)?;
        if wanted.id != case.base_commit {
            return Err(no_result(&format!(
                "the last check compared with {}, not with {base} ({})",
                short(&case.base_commit),
                short(&wanted.id)
            ))
            .next(format!("measure against it: `cargo trt-perf check --base {base}`")));
        }
    }
    Ok((request.case.to_owned(), case))
}

/// The record of the head arm, with this case alone.
fn with_numbers(project: &Project, record: &str, id: &str) -> Result<Record> {
    let mut record = head_record(project, record)?;
    record.cases.retain(|found, _| *found == *id);
    if record.cases.is_empty() {
        return Err(no_result(&format!("the record of {id} does not hold it any more")));
    }
    record.failed.clear();
    Ok(record)
}

/// The record of the head arm, as the check wrote it.
fn head_record(project: &Project, id: &str) -> Result<Record> {
    let results = Store::results(project.folders.results());
    let gone = || no_result(&format!("the record {id}, which the check wrote, is gone"));
    let entry = results.list()?.into_iter().find(|e| id.starts_with(&e.record8)).ok_or_else(gone)?;
    entry.load().and_then(|r| if r.id == id { Ok(r) } else { Err(gone()) })
}

/// The stored records that are the case's reference so far. Those that an earlier acceptance replaced need no second
/// mention: the chain holds. Unreadable ones are no reference.
fn replaced(store: &Store, device_key: &str, case: &str) -> Result<Vec<String>> {
    let entries = store.list()?.into_iter().filter(|e| e.device_key == device_key);
    let records: Vec<Record> =
        entries.filter_map(|e| e.load().ok()).filter(|r| r.cases.contains_key(case)).collect();
    let before = superseded(&records, case);
    let ids: BTreeSet<&str> =
        records.iter().map(|r| r.id.as_str()).filter(|id| !before.contains(id)).collect();
    Ok(ids.into_iter().map(str::to_owned).collect())
}
