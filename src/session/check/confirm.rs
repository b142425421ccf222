//! Prevents false alarms of a check: measures a second set of pairs for every change. What it takes to confirm one is
//! decided by [`crate::compare::confirm`].

use super::Check;
use super::measure::Engined;
use crate::compare::confirm::{Claimant, confirm, second_pairs};
use crate::compare::{CaseComparison, Verdict};
use crate::error::{FailureKind, Result};
use crate::outcome::{Row, RowOrigin};
use crate::session::looks::Looks;
use crate::session::pairs::{PairFailure, Paired};
use crate::session::stages::build_case;
use std::collections::BTreeMap;

/// A case that changed.
struct ToConfirm {
    id: String,
    verdict: &'static str,
    /// Pairs that were kept.
    pairs: usize,
    /// And those that were thrown away, too.
    tried: usize,
}

impl Check<'_> {
    /// A change is measured a second time, with pairs of its own, before it may fail or please anyone. All changes of
    /// the run are judged together.
    pub(super) fn confirm(&mut self) {
        let mut second = BTreeMap::new();
        for case in self.changed() {
            if self.interrupted {
                return;
            }
            let ToConfirm { id, verdict, pairs, .. } = &case;
            let pairs = second_pairs(*pairs);
            self.session.note(&format!("{id}: {verdict}; measuring {pairs} other pairs to confirm it"));
            match self.again(&case) {
                Ok(Some(paired)) => drop(second.insert(case.id, paired.comparison)),
                Ok(None) => {}
                Err(f) if f.kind == FailureKind::Interrupted => self.interrupted = true,
                Err(f) => self.fail(&case.id, f),
            }
        }
        self.compare_with(&second);
    }

    /// The cases that changed.
    fn changed(&self) -> Vec<ToConfirm> {
        let changed = |row: &Row| matches!(row.comparison.verdict, Verdict::Regressed | Verdict::Improved);
        let case = |(id, row): (&String, &Row)| match row.origin {
            RowOrigin::Pairs { pairs, discarded, .. } if changed(row) => {
                let verdict = row.comparison.verdict.word();
                Some(ToConfirm { id: id.clone(), verdict, pairs, tried: pairs + discarded })
            }
            _ => None,
        };
        self.rows.iter().filter_map(case).collect()
    }

    /// A second set of pairs; where the case has several builds, of other builds.
    fn again(&self, case: &ToConfirm) -> Result<Option<Paired>> {
        let Some(both) = self.of_both(&case.id) else { return Ok(None) };
        let engined = Engined {
            both,
            base: build_case(self.session, &both.base)?,
            head: build_case(self.session, &both.head)?,
        };
        let first = self.plan.looks;
        let looks = Looks {
            pairs: Some(second_pairs(case.pairs)),
            seed: first.seed.wrapping_add(1),
            after: case.tried as u64,
            ..first
        };
        self.pairs(&engined, looks, "confirm").map(Some).map_err(PairFailure::any)
    }

    /// Withdraws what the second sets do not show.
    fn compare_with(&mut self, second: &BTreeMap<String, CaseComparison>) {
        let mut rows: Vec<(&mut Row, &CaseComparison)> =
            self.rows.iter_mut().filter_map(|(id, row)| Some((row, second.get(id)?))).collect();
        let mut claimants: Vec<Claimant> =
            rows.iter_mut().map(|(row, second)| Claimant { first: &mut row.comparison, second }).collect();
        let Ok(all) = confirm(&mut claimants, self.plan.looks.alpha) else { return };
        for ((row, _), held) in rows.iter_mut().zip(all) {
            if let RowOrigin::Pairs { confirmed, .. } = &mut row.origin {
                *confirmed = held;
            }
        }
    }
}
