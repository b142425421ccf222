//! The result of a run: its record, and each case compared with what was stored.

use super::{BudgetAnswer, Figures};
use crate::compare::{CaseComparison, Invalid, Verdict};
use crate::error::Result;
use crate::record::{CaseRecord, Record};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a run leaves.
pub struct RunOutcome {
    /// What was measured.
    pub record: Record,
    /// Where the record was written, or why it could not be; `None` if nothing was measured.
    pub written: Option<Result<PathBuf>>,
    /// Comparisons with stored records, by case.
    pub compared: BTreeMap<String, Compared>,
    /// Ctrl-C: the record holds what was complete by then.
    pub interrupted: bool,
    /// Why there is nothing to compare with, where that is so.
    pub no_base: Option<String>,
}

/// A comparison and what it was made against.
#[derive(Clone, Debug)]
pub struct Compared {
    /// This run against the stored record.
    pub comparison: CaseComparison,
    /// The stored record.
    pub base: Base,
}

/// What is said of a case; numbers that must not be believed are invalid also where there is nothing to compare them
/// with.
pub fn verdict(case: &CaseRecord, compared: Option<&Compared>) -> Option<Verdict> {
    let alone = || Some(Verdict::Invalid(Invalid::Alone(case.invalid_reason()?.0)));
    compared.map(|c| c.comparison.verdict.clone()).or_else(alone)
}

/// A stored record as the base of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// What reports call it.
    pub label: String,
    /// Its file.
    pub path: PathBuf,
    /// Commits between it and HEAD; `None` where somebody named it.
    pub steps: Option<usize>,
    /// Kernel, governor, driver… that changed since.
    pub soft_differences: Vec<String>,
}

/// A row of the table of a run: one measured case, its figures and what is said of it.
pub struct RunRow<'a> {
    /// The case's id.
    pub id: &'a str,
    /// What was measured of it.
    pub case: &'a CaseRecord,
    /// Its numbers.
    pub figures: Figures,
    /// The comparison with a stored record; `None` without one.
    pub compared: Option<&'a Compared>,
    /// The verdict of that comparison.
    pub verdict: Option<Verdict>,
}

/// The measured cases, the worst verdict first, among equals those that miss their budget, then by id.
pub fn worst_first<'a>(record: &'a Record, compared: &'a BTreeMap<String, Compared>) -> Vec<RunRow<'a>> {
    let row = |(id, case): (&'a String, &'a CaseRecord)| {
        let compared = compared.get(id);
        RunRow { id, case, figures: Figures::of(case), compared, verdict: verdict(case, compared) }
    };
    let mut rows: Vec<RunRow> = record.cases.iter().map(row).collect();
    rows.sort_by_key(|r| {
        let missed = r.figures.budget.is_some_and(|b| b.answer == BudgetAnswer::Missed);
        (r.verdict.as_ref().map_or(u8::MAX, Verdict::rank), !missed, r.id)
    });
    rows
}
