//! What keeps a check from crying wolf: the correction for many cases, and a second set of pairs for every change.

use super::{Both, Check};
use crate::case::Case;
use crate::compare::{self, Inconclusive, Verdict};
use crate::error::FailureKind;
use crate::outcome::{Event, RowOrigin};
use crate::session::pairs::{Looks, Paired};
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
            if !matches!(row.comparison.verdict, Verdict::Invalid(_) | Verdict::NotComparable(_)) {
                let c = &mut row.comparison;
                c.verdict = compare::verdict_of(&c.metrics, c.budget, c.broken_budget.as_ref());
            }
        }
    }

    /// A change is measured a second time, with pairs of its own, before it may fail or please anyone.
    pub(super) fn confirm(&mut self, head_cases: &[Case], on_event: &mut dyn FnMut(Event)) {
        let doubted: Vec<(String, &str, usize)> = self
            .rows
            .iter()
            .filter(|(_, r)| matches!(r.comparison.verdict, Verdict::Regressed | Verdict::Improved))
            .filter_map(|(id, r)| match r.origin {
                RowOrigin::Pairs { pairs, discarded, .. } => {
                    Some((id.clone(), r.comparison.verdict.word(), pairs + discarded))
                }
                _ => None,
            })
            .collect();
        let engines = self.plan.project.target.join("engines");
        for (id, verdict, measured) in doubted {
            if self.interrupted {
                return;
            }
            on_event(Event::Note {
                text: &format!("{id}: {verdict}; measuring a second set of pairs to confirm it"),
            });
            let find = |cases: &'_ [Case]| cases.iter().find(|c| c.id == id).cloned();
            let Some((base, head)) =
                self.plan.base.cases.as_deref().ok().and_then(find).zip(find(head_cases))
            else {
                continue;
            };
            let again = (|| {
                let base_built = build_case(&engines, &base, on_event)?;
                let head_built = build_case(&engines, &head, on_event)?;
                let both = Both { base: (&base, base_built), head: (&head, head_built) };
                let seed = self.plan.looks.seed.wrapping_add(1);
                let looks = Looks { seed, after: measured as u64, ..self.plan.looks };
                self.pairs(&both, looks, "confirm", on_event)
            })();
            match again {
                Ok(second) => self.confirmed(&id, &second),
                Err(f) if f.kind == FailureKind::Interrupted => self.interrupted = true,
                Err(f) => self.fail(&id, f, on_event),
            }
        }
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
