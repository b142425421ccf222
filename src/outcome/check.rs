//! The result of a check: a row per case, and notes beside the rows.

use crate::acceptance::AcceptanceStatus;
use crate::compare::{CaseComparison, Verdict};
use crate::error::{Failure, Result};
use crate::record::{Acceptance, Record};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a row came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOrigin {
    /// Both arms have the same engine: nothing was measured.
    SameEngine,
    /// Measured as pairs; `confirmed` is what a second, independent set of pairs said of a change.
    Pairs {
        /// Pairs that were kept.
        pairs: usize,
        /// Pairs that were thrown away.
        discarded: usize,
        /// `None` where no second set was measured.
        confirmed: Option<bool>,
    },
    /// Head against stored numbers, because the base could not be measured: advisory.
    Stored {
        /// Why the base could not be measured.
        why: String,
        /// The stored record, in words.
        base: String,
    },
    /// There is no base of any kind. `new`: only head has the case, which is no fault.
    NoBase {
        /// Why there is none.
        why: String,
        /// Whether only head has the case.
        new: bool,
    },
}

/// One case of a check.
#[derive(Clone, Debug)]
pub struct Row {
    /// Head against base.
    pub comparison: CaseComparison,
    /// Where its numbers come from.
    pub origin: RowOrigin,
    /// Whether a regression that head's baselines accept is covered.
    pub accepted: Option<AcceptanceStatus>,
}

impl Row {
    /// Whether its verdict may fail the check. Stored numbers alone never do, nor what was accepted.
    pub fn gates(&self) -> bool {
        !matches!(self.origin, RowOrigin::Stored { .. } | RowOrigin::NoBase { .. }) && !self.is_accepted()
    }

    /// Whether an acceptance covers its regression.
    pub fn is_accepted(&self) -> bool {
        matches!(self.accepted, Some(AcceptanceStatus::Honoured { .. }))
    }
}

/// What a check leaves.
pub struct Checked {
    /// By case id.
    pub rows: BTreeMap<String, Row>,
    /// Cases of head that could not be built or measured.
    pub failed: BTreeMap<String, Failure>,
    /// Cases that only the base has.
    pub removed: Vec<String>,
    /// Cases that regressed against the oldest stored record, though not against the base: by id.
    pub drifted: BTreeMap<String, (CaseComparison, String)>,
    /// What head adds to the baselines of the base.
    pub added: Vec<Added>,
    /// How the commands that prepare the arms differ, in words.
    pub prepare_differs: Option<String>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The records of the arms that were measured.
    pub written: Vec<PathBuf>,
}

/// How many cases of a check came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regressions that fail the check.
    pub regressed: usize,
    /// Regressed, and an acceptance covers it.
    pub accepted: usize,
    /// Could not be built or measured.
    pub failed: usize,
    /// Cases whose numbers cannot be trusted.
    pub invalid: usize,
    /// Cases whose numbers do not decide.
    pub inconclusive: usize,
    /// Cases without anything to compare with.
    pub not_compared: usize,
    /// Cases that became better.
    pub improved: usize,
    /// Those that changed within the margin too.
    pub unchanged: usize,
}

impl Checked {
    /// The rows, the worst verdict first, among equals those that may fail the check, then by id.
    pub fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|r| (r.comparison.verdict.rank(), !r.gates(), r.comparison.id.as_str()));
        rows
    }

    /// Counts the rows by verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { failed: self.failed.len(), ..Counts::default() };
        for row in self.rows.values() {
            counts.accepted += usize::from(row.is_accepted());
            match row.comparison.verdict {
                Verdict::Regressed => counts.regressed += usize::from(row.gates()),
                Verdict::Invalid(_) => counts.invalid += 1,
                Verdict::Inconclusive(_) => counts.inconclusive += 1,
                Verdict::NotComparable(_) => counts.not_compared += 1,
                Verdict::Improved => counts.improved += 1,
                Verdict::Unchanged | Verdict::ChangedWithinMargin => counts.unchanged += 1,
            }
        }
        counts
    }

    /// Whether a case has no base of any kind, though base has the case too.
    pub fn misses_base(&self) -> bool {
        self.rows.values().any(|r| matches!(r.origin, RowOrigin::NoBase { new: false, .. }))
    }
}

/// A record file that head's baselines have and the base's have not.
pub struct Added {
    /// Its file.
    pub path: PathBuf,
    /// `Err`: why it cannot be read.
    pub record: Result<Record>,
}

impl Added {
    /// The change that it accepts, with the record that says so.
    pub fn acceptance(&self) -> Option<(&Record, &Acceptance)> {
        let record = self.record.as_ref().ok()?;
        Some((record, record.acceptance.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Margins;
    use crate::outcome::Tally;

    /// A check with a row per verdict, in any order of ids.
    fn checked(rows: Vec<(&str, Verdict, RowOrigin, Option<AcceptanceStatus>)>) -> Checked {
        let row = |(id, verdict, origin, accepted)| {
            let comparison = CaseComparison::bare(id, None, Margins::default(), None, verdict);
            (id.to_owned(), Row { comparison, origin, accepted })
        };
        Checked {
            rows: rows.into_iter().map(row).collect(),
            failed: BTreeMap::new(),
            removed: Vec::new(),
            drifted: BTreeMap::new(),
            added: Vec::new(),
            prepare_differs: None,
            interrupted: false,
            written: Vec::new(),
        }
    }

    #[test]
    fn only_what_gates_is_a_regression_of_the_check() {
        let pairs = || RowOrigin::Pairs { pairs: 5, discarded: 0, confirmed: Some(true) };
        let stored = RowOrigin::Stored { why: "x".into(), base: "y".into() };
        let honoured = AcceptanceStatus::Honoured { reason: "r".into(), by: "b".into() };
        let found = checked(vec![
            ("a/unchanged", Verdict::Unchanged, RowOrigin::SameEngine, None),
            ("b/advice", Verdict::Regressed, stored, None),
            ("c/accepted", Verdict::Regressed, pairs(), Some(honoured)),
            ("d/regressed", Verdict::Regressed, pairs(), None),
            ("e/improved", Verdict::Improved, pairs(), None),
        ]);
        let expected = Counts { regressed: 1, accepted: 1, improved: 1, unchanged: 1, ..Counts::default() };
        assert_eq!(found.counts(), expected);
        assert_eq!(Tally::of_check(&found), Tally { regressed: 1, ..Tally::default() });
        let order: Vec<&str> = found.worst_first().iter().map(|r| r.comparison.id.as_str()).collect();
        assert_eq!(order, ["d/regressed", "b/advice", "c/accepted", "e/improved", "a/unchanged"]);
        assert!(!found.misses_base());
    }

    #[test]
    fn a_new_case_misses_no_base() {
        let none = |new| RowOrigin::NoBase { why: "x".into(), new };
        assert!(!checked(vec![("a", Verdict::Unchanged, none(true), None)]).misses_base());
        assert!(checked(vec![("a", Verdict::Unchanged, none(false), None)]).misses_base());
    }
}
