//! Prevents false alarms of a check: corrects for many cases, and measures a second set of pairs for every change.

use super::Check;
use super::measure::Engined;
use crate::compare::{self, Inconclusive, Verdict};
use crate::error::{FailureKind, Result};
use crate::outcome::{Row, RowOrigin};
use crate::session::pairs::{Looks, PairFailure, Paired};
use crate::session::stages::build_case;
use crate::stats::{correct_after_looks, multiplicity::FALSE_DISCOVERY_RATE};

impl Check<'_> {
    /// Withholds what chance alone would produce among so many cases, then derives the verdicts anew.
    pub(super) fn correct(&mut self) {
        let looks = self.plan.looks.count();
        let gated = self.rows.values_mut().filter(|r| matches!(r.origin, RowOrigin::Pairs { .. }));
        let mut rulings: Vec<_> = gated
            .flat_map(|r| r.comparison.metrics.iter_mut().filter_map(|m| m.ruling.as_mut().ok()))
            .collect();
        let mut values: Vec<_> = rulings.iter().map(|r| (*r).clone()).collect();
        if correct_after_looks(&mut values, FALSE_DISCOVERY_RATE, looks).is_err() {
            return;
        }
        rulings.iter_mut().zip(values).for_each(|(r, v)| **r = v);
        for row in self.rows.values_mut().filter(|r| matches!(r.origin, RowOrigin::Pairs { .. })) {
            let stays = matches!(
                row.comparison.verdict,
                Verdict::Invalid(_)
                    | Verdict::NotComparable(_)
                    | Verdict::Inconclusive(Inconclusive::TimeRanOut { .. })
            );
            if !stays {
                let c = &mut row.comparison;
                c.verdict = compare::verdict_of(&c.metrics, c.budget, c.broken_budget.as_ref());
            }
        }
    }

    /// A change is measured a second time, with pairs of its own, before it may fail or please anyone.
    pub(super) fn confirm(&mut self) {
        for (id, verdict, measured) in self.doubted() {
            if self.interrupted {
                return;
            }
            self.session.note(&format!("{id}: {verdict}; measuring a second set of pairs to confirm it"));
            match self.again(&id, measured) {
                Ok(Some(second)) => self.confirmed(&id, &second),
                Ok(None) => {}
                Err(f) if f.kind == FailureKind::Interrupted => self.interrupted = true,
                Err(f) => self.fail(&id, f),
            }
        }
    }

    /// The cases that changed: id, verdict, and how many pairs were measured.
    fn doubted(&self) -> Vec<(String, &'static str, usize)> {
        let changed = |row: &&Row| matches!(row.comparison.verdict, Verdict::Regressed | Verdict::Improved);
        let pairs = |row: &Row| match row.origin {
            RowOrigin::Pairs { pairs, discarded, .. } => Some(pairs + discarded),
            _ => None,
        };
        self.rows
            .iter()
            .filter(|(_, row)| changed(row))
            .filter_map(|(id, row)| Some((id.clone(), row.comparison.verdict.word(), pairs(row)?)))
            .collect()
    }

    /// A second set of pairs; `measured` pairs are behind it.
    fn again(&self, id: &str, measured: usize) -> Result<Option<Paired>> {
        let Some(both) = self.of_both(id) else { return Ok(None) };
        let engined = Engined {
            both,
            base: build_case(self.session, &both.base)?,
            head: build_case(self.session, &both.head)?,
        };
        let first = self.plan.looks;
        let looks = Looks { seed: first.seed.wrapping_add(1), after: measured as u64, ..first };
        self.pairs(&engined, looks, "confirm").map(Some).map_err(PairFailure::any)
    }

    fn confirmed(&mut self, id: &str, second: &Paired) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let agrees = second.comparison.verdict == row.comparison.verdict;
        if let RowOrigin::Pairs { confirmed, .. } = &mut row.origin {
            *confirmed = Some(agrees);
        }
        if !agrees {
            row.comparison.verdict = Verdict::Inconclusive(Inconclusive::NotConfirmed);
        }
    }
}
