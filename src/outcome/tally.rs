//! Counts how many cases ended in which way. These numbers decide the exit code.

use super::{Checked, RunOutcome, verdict};
use crate::compare::{CaseComparison, Verdict};

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
    /// Counts comparisons. A regression that is only advice is none of those that may fail anything.
    pub fn of_comparisons<'a>(comparisons: impl IntoIterator<Item = &'a CaseComparison>) -> Self {
        comparisons.into_iter().fold(Self::default(), |tally, c| tally.and(&c.verdict, c.is_advisory()))
    }

    fn and(mut self, verdict: &Verdict, advisory: bool) -> Self {
        match verdict {
            Verdict::Regressed => self.regressed += usize::from(!advisory),
            Verdict::Inconclusive(_) => self.inconclusive += 1,
            Verdict::Invalid(_) => self.invalid += 1,
            Verdict::Improved
            | Verdict::Unchanged
            | Verdict::ChangedWithinMargin
            | Verdict::NotComparable(_) => {}
        }
        self
    }

    /// Counts the cases of a run.
    pub fn of_run(run: &RunOutcome) -> Self {
        let start = Self {
            measured: run.record.cases.len(),
            failed: run.record.failed.len(),
            interrupted: run.interrupted,
            ..Self::default()
        };
        run.record.cases.iter().fold(start, |tally, (id, case)| {
            let compared = run.compared.get(id);
            let advisory = compared.is_some_and(|c| c.comparison.is_advisory());
            verdict(case, compared).map_or(tally, |v| tally.and(&v, advisory))
        })
    }

    /// Of the cases whose verdict may fail the check.
    pub fn of_check(checked: &Checked) -> Self {
        let gating = checked.rows.values().filter(|r| r.gates());
        Self {
            failed: checked.failed.len(),
            gaps: checked.rows.values().filter(|r| checked.fails_for_gap(r)).count(),
            interrupted: checked.interrupted,
            ..Self::of_comparisons(gating.map(|r| &r.comparison))
        }
    }
}
