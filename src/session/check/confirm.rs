//! Prevents false alarms of a check: measures a second set of pairs for every change. What it takes to confirm one is
//! decided by [`crate::compare::confirm`].

use super::Check;
use super::measure::Engined;
use crate::compare::confirm::second_pairs;
use crate::error::Result;
use crate::evidence::{Found, PairSet};
use crate::outcome::{Row, RowOrigin};
use crate::session::looks::Looks;
use crate::session::pairs::PairFailure;
use crate::session::stages::build_case;

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
        let changed = if self.evidence.interrupted { Vec::new() } else { self.changed() };
        // Before any of them is measured, as ever.
        let engines: Vec<_> = changed.iter().map(|case| self.engines(case)).collect();
        let all: Vec<_> = changed.into_iter().zip(engines).collect();
        let second = |(case, engines): &(ToConfirm, Result<Option<Engined>>)| match engines {
            Ok(Some(engined)) => self.again(case, engined).map(Some),
            Ok(None) => Ok(None),
            Err(failure) => Err(failure.clone()),
        };
        for ((case, _), found) in self.session.in_lanes(&all, |(case, _)| &case.id, second) {
            match found {
                Ok(set) => self.keep_second(&case.id, set),
                Err(failure) => self.failed(&case.id, failure),
            }
        }
    }

    fn keep_second(&mut self, id: &str, set: Option<PairSet>) {
        let found = self.evidence.cases.get_mut(id).map(|case| &mut case.found);
        if let Some(Found::Pairs { second, .. }) = found {
            *second = set.map(Box::new);
        }
    }

    /// The cases that changed.
    fn changed(&self) -> Vec<ToConfirm> {
        let case = |(id, row): (String, Row)| match row.origin {
            RowOrigin::Pairs { pairs, discarded, .. } if row.comparison.is_claim() => {
                let verdict = row.comparison.verdict.word();
                Some(ToConfirm { id, verdict, pairs, tried: pairs + discarded })
            }
            _ => None,
        };
        self.evidence.first_rows().into_iter().filter_map(case).collect()
    }

    /// Both arms; where the case has several builds, other builds.
    fn engines(&self, case: &ToConfirm) -> Result<Option<Engined<'a>>> {
        let Some(both) = self.of_both(&case.id) else { return Ok(None) };
        let built = |case| build_case(self.session, case);
        Ok(Some(Engined { both, base: built(&both.base)?, head: built(&both.head)? }))
    }

    /// A second set of pairs.
    fn again(&self, case: &ToConfirm, engined: &Engined) -> Result<PairSet> {
        let ToConfirm { id, verdict, pairs, .. } = case;
        let more = second_pairs(*pairs);
        self.session.note(&format!("{id}: {verdict}; measuring {more} other pairs to confirm it"));
        let first = self.plan.looks;
        let looks =
            Looks { pairs: Some(more), seed: first.seed.wrapping_add(1), after: case.tried as u64, ..first };
        self.pairs(engined, looks, "confirm").map_err(PairFailure::any)
    }
}
