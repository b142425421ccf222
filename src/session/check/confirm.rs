//! Prevents false alarms of a check: measures a second set of pairs for every change. What it takes to confirm one is
//! decided by [`crate::compare::confirm`].

use super::Check;
use super::measure::Engined;
use crate::compare::confirm::second_pairs;
use crate::error::{FailureKind, Result};
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

impl Check<'_> {
    /// A change is measured a second time, with pairs of its own, before it may fail or please anyone. All changes of
    /// the run are judged together.
    pub(super) fn confirm(&mut self) {
        for case in self.changed() {
            if self.evidence.interrupted {
                return;
            }
            let ToConfirm { id, verdict, pairs, .. } = &case;
            let pairs = second_pairs(*pairs);
            self.session.note(&format!("{id}: {verdict}; measuring {pairs} other pairs to confirm it"));
            match self.again(&case) {
                Ok(set) => self.keep_second(&case.id, set),
                Err(f) if f.kind == FailureKind::Interrupted => self.evidence.interrupted = true,
                Err(f) => self.fail(&case.id, f),
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

    /// A second set of pairs; where the case has several builds, of other builds.
    fn again(&self, case: &ToConfirm) -> Result<Option<PairSet>> {
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
}
