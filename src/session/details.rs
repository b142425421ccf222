//! Puts together what a page shows of a case beside its verdict: its samples, layers and events of allocators that are
//! still there.

use super::memory::events_file;
use super::samples::samples;
use super::stages::warm_up_file;
use crate::baseline::{self, load_layers};
use crate::compare::CaseComparison;
use crate::config::Folders;
use crate::file;
use crate::layers::attribute;
use crate::memory::wire::MemoryEvents;
use crate::outcome::{
    CaseDetail, CasePicture, Checked, Compared, LayerDetail, MemoryDetail, MemoryOutcome, MemoryPicture,
    MemoryRow, Row, RunOutcome, SampledProcess,
};
use crate::record::{CaseRecord, Record};
use crate::tensor::read_samples;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The case `id` in the records of base and head, with the pictures of its processes.
fn detail(
    folders: &Folders,
    id: &str,
    records: [Option<&Record>; 2],
    comparison: Option<&CaseComparison>,
) -> CaseDetail {
    let arms = records.map(|record| record?.cases.get(id));
    let picture = CasePicture::of(arms, comparison, |arm, case, axis| {
        let all = case.processes.len();
        samples(folders, records[arm]?.created_s, (id, case), |index, file, samples| {
            let warm_up = read_samples(&warm_up_file(file)).unwrap_or_default();
            SampledProcess::of((&warm_up, &samples), &case.processes[index], axis, (index, all))
        })
    });
    let layers = layers(folders, arms);
    CaseDetail { arms: arms.map(Option::<&CaseRecord>::cloned), picture, layers, ..CaseDetail::default() }
}

/// The layers that were measured with these cases. Without those of the base head's are shown alone.
fn layers(folders: &Folders, arms: [Option<&CaseRecord>; 2]) -> Option<LayerDetail> {
    let found = arms.map(|arm| load_layers(folders, arm?.layers_sha256.as_deref()?).ok());
    match found {
        [Some(base), Some(head)] => Some(LayerDetail::Compared(attribute(&base, &head))),
        [_, head] => head.map(LayerDetail::Alone),
    }
}

/// The memory of a case, with the events that are in this folder.
fn memory(folder: &Path, row: &MemoryRow) -> MemoryDetail {
    MemoryDetail::of(row, |arm| {
        let path = events_file(&folder.join(["base", "head"][arm]), &row.id, "run");
        MemoryPicture::of(&MemoryEvents::read(&file::text(&path, &file::MEMORY).ok()?).ok()?)
    })
}

/// Every case of a memory session.
pub fn of_memory(folders: &Folders, now_s: i64, outcome: &MemoryOutcome) -> BTreeMap<String, CaseDetail> {
    let folder = folders.memory_since(now_s);
    let of = |row: &MemoryRow| {
        let memory = Some(memory(&folder, row));
        (row.id.clone(), CaseDetail { memory, ..CaseDetail::default() })
    };
    outcome.rows.iter().map(of).collect()
}

/// Every case of `record`; `base` is the record that a case was compared with.
pub fn of_record<'a>(
    folders: &Folders,
    record: &Record,
    compared: &BTreeMap<String, Compared>,
    base: &dyn Fn(&str) -> Option<&'a Record>,
) -> BTreeMap<String, CaseDetail> {
    let of = |id: &String| {
        let comparison = compared.get(id).map(|c| &c.comparison);
        (id.clone(), detail(folders, id, [base(id), Some(record)], comparison))
    };
    record.cases.keys().map(of).collect()
}

/// Every case of a run, each with the stored record that it was compared with.
pub fn of_run(folders: &Folders, outcome: &RunOutcome) -> BTreeMap<String, CaseDetail> {
    let paths: BTreeSet<&Path> = outcome.compared.values().map(|c| c.base.path.as_path()).collect();
    // It was read a moment ago; a page without it still has all that was compared.
    let bases: BTreeMap<&Path, Record> =
        paths.into_iter().filter_map(|path| Some((path, baseline::load(path).ok()?))).collect();
    let base = |id: &str| bases.get(outcome.compared.get(id)?.base.path.as_path());
    of_record(folders, &outcome.record, &outcome.compared, &base)
}

/// Every case of a check that was measured.
pub fn of_check(folders: &Folders, checked: &Checked) -> BTreeMap<String, CaseDetail> {
    let [base, head] = &checked.records;
    let events = folders.memory_since(head.created_s);
    let of = |(id, row): (&String, &Row)| {
        let found = detail(folders, id, [Some(base), Some(head)], Some(&row.comparison));
        let memory = row.memory.as_deref().map(|row| memory(&events, row));
        (id.clone(), CaseDetail { memory, ..found })
    };
    checked.rows.iter().map(of).collect()
}
