//! Prevents false alarms of a check: measures a second set of pairs for every change. What it takes to confirm one is
//! decided by [`crate::compare::confirm`].

use super::Check;
use super::measure::Engined;
use crate::compare::confirm::{Claimant, confirm, second_pairs};
use crate::compare::{CaseComparison, Verdict};
use crate::error::Result;
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

impl<'a> Check<'a> {
    /// A change is measured a second time, with pairs of its own, before it may fail or please anyone. All changes of
    /// the run are judged together.
    pub(super) fn confirm(&mut self) {
        let changed = if self.interrupted { Vec::new() } else { self.changed() };
        // Before any of them is measured, as ever.
        let engines: Vec<_> = changed.iter().map(|case| self.engines(case)).collect();
        let all: Vec<_> = changed.into_iter().zip(engines).collect();
        let second = |(case, engines): &(ToConfirm, Result<Option<Engined>>)| match engines {
            Ok(Some(engined)) => self.again(case, engined).map(Some),
            Ok(None) => Ok(None),
            Err(failure) => Err(failure.clone()),
        };
        let mut compared = BTreeMap::new();
        for ((case, _), found) in self.session.in_lanes(&all, |(case, _)| &case.id, second) {
            match found {
                Ok(Some(paired)) => drop(compared.insert(case.id.clone(), paired.comparison)),
                Ok(None) => {}
                Err(failure) => self.failed(&case.id, failure),
            }
        }
        self.compare_with(&compared);
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

    /// Both arms; where the case has several builds, other builds.
    fn engines(&self, case: &ToConfirm) -> Result<Option<Engined<'a>>> {
        let Some(both) = self.of_both(&case.id) else { return Ok(None) };
        let built = |case| build_case(self.session, case);
        Ok(Some(Engined { both, base: built(&both.base)?, head: built(&both.head)? }))
    }

    /// A second set of pairs.
    fn again(&self, case: &ToConfirm, engined: &Engined) -> Result<Paired> {
        let ToConfirm { id, verdict, pairs, .. } = case;
        let more = second_pairs(*pairs);
        self.session.note(&format!("{id}: {verdict}; measuring {more} other pairs to confirm it"));
        let first = self.plan.looks;
        let looks =
            Looks { pairs: Some(more), seed: first.seed.wrapping_add(1), after: case.tried as u64, ..first };
        self.pairs(engined, looks, "confirm").map_err(PairFailure::any)
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
