//! Counts how many cases ended in which way. These numbers decide the exit code.

use super::{Checked, RunOutcome, verdict};
use crate::compare::Verdict;

/// What the cases came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that were measured.
    pub measured: usize,
    /// Cases that could not be built or measured.
    pub failed: usize,
    /// Cases that became worse.
    pub regressed: usize,
    /// Cases whose numbers do not decide.
    pub inconclusive: usize,
    /// Cases whose numbers cannot be trusted.
    pub invalid: usize,
    /// Cases of a check that miss something to compare with, of those that fail it.
    pub gaps: usize,
    /// Whether Ctrl-C ended the session early.
    pub interrupted: bool,
}

impl Tally {
    /// Counts verdicts.
    pub fn of_verdicts<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            match verdict {
                Verdict::Regressed => tally.regressed += 1,
                Verdict::Inconclusive(_) => tally.inconclusive += 1,
                Verdict::Invalid(_) => tally.invalid += 1,
                Verdict::Improved
                | Verdict::Unchanged
                | Verdict::ChangedWithinMargin
                | Verdict::NotComparable(_) => {}
            }
        }
        tally
    }

    /// Counts the cases of a run.
    pub fn of_run(run: &RunOutcome) -> Self {
        let cases = run.record.cases.iter();
        let verdicts: Vec<Verdict> =
            cases.filter_map(|(id, case)| verdict(case, run.compared.get(id))).collect();
        Self {
            measured: run.record.cases.len(),
            failed: run.record.failed.len(),
            interrupted: run.interrupted,
            ..Self::of_verdicts(&verdicts)
        }
    }

    /// Of the cases whose verdict may fail the check.
    pub fn of_check(checked: &Checked) -> Self {
        let gating = checked.rows.values().filter(|r| r.gates());
        Self {
            failed: checked.failed.len(),
            gaps: checked.rows.values().filter(|r| checked.fails_for_gap(r)).count(),
            interrupted: checked.interrupted,
            ..Self::of_verdicts(gating.map(|r| &r.comparison.verdict))
        }
    }
}
