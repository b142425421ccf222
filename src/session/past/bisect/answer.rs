//! Ends a search: measures the change that was found once more, and keeps what was found.

use super::super::reason;
use super::bench::{Commits, Paired};
use crate::baseline::keep_found;
use crate::bisect::FoundChange;
use crate::compare::confirm::{Claimant, confirm, second_pairs};
use crate::compare::{CaseComparison, MetricComparison};
use crate::error::FailureKind;
use crate::outcome::{BisectAnswer, Bisected};
use crate::record::short;
use crate::session::looks::Looks;

impl Commits<'_> {
    /// The outcome of a search that came to its end, at this commit if at one; `size` is the change that was looked for.
    /// What the search found is an answer even where the last step of all fails.
    pub fn answer(&mut self, ends: Paired, found: Option<usize>, size: f64) -> Bisected {
        let Some(at) = found else { return self.finish(ends, BisectAnswer::Range) };
        let pairs = second_pairs(ends.pairs);
        self.session
            .note(&format!("measuring {pairs} other pairs of {} and the commit before it", self.label(at)));
        let looks = Looks { pairs: Some(pairs), max_time: None, ..self.looks };
        let second = match self.paired(at - 1, at, looks, "confirm") {
            Ok(second) => second,
            Err(f) if f.kind == FailureKind::Interrupted => {
                return self.finish(ends, BisectAnswer::Interrupted);
            }
            Err(f) => {
                self.session.note(&format!("{} cannot be confirmed: {}", self.label(at), reason(&f)));
                return self.finish(ends, BisectAnswer::Range);
            }
        };
        let mut first = ends.comparison.clone();
        let mut claimants = [Claimant { first: &mut first, second: &second.comparison }];
        let confirmed = confirm(&mut claimants, self.looks.alpha).is_ok_and(|held| held == [Some(true)]);
        self.keep([at - 1, at], &second);
        let answer = BisectAnswer::Found {
            partial: confirmed && self.is_partial(&ends.comparison, &second.comparison, size),
            comparison: Box::new(second.comparison.clone()),
            pairs: second.pairs,
            confirmed,
        };
        let mut outcome = self.finish(ends, answer);
        if confirmed && let Some(found) = self.found(at, &second.comparison) {
            if let Err(f) = keep_found(&self.session.folders.bisects(), &found) {
                self.session.note(&reason(&f));
            }
            outcome.found = Some(found);
        }
        outcome
    }

    fn label(&self, at: usize) -> &str {
        short(&self.commits[at].id)
    }

    /// The number that changed, in another comparison.
    fn changed<'c>(&self, comparison: &'c CaseComparison) -> Option<&'c MetricComparison> {
        comparison.metrics.iter().find(|m| Some(m.metric) == self.metric)
    }

    /// Whether the commit made clearly less of the change than there is: neither interval holds the other's estimate, and
    /// what is missing is more than the margin.
    fn is_partial(&self, ends: &CaseComparison, second: &CaseComparison, size: f64) -> bool {
        let change = |c| self.changed(c).and_then(|m| m.change);
        let (Some(whole), Some(part), Some(metric)) = (change(ends), change(second), self.metric) else {
            return false;
        };
        let missing = (size - part.est.ln_1p()) * size.signum();
        !whole.contains(part.est)
            && !part.contains(whole.est)
            && missing > metric.rule(self.case.margins).margin
    }

    fn found(&self, at: usize, comparison: &CaseComparison) -> Option<FoundChange> {
        let metric = self.changed(comparison)?;
        let (commit, change) = (&self.commits[at], metric.change?);
        Some(FoundChange {
            case: self.case.id.clone(),
            device: self.session.device.key.clone(),
            metric: metric.metric.name(self.case.budget),
            change,
            worse: metric.metric.is_worse(change.est),
            commit: commit.id.clone(),
            before: self.commits[at - 1].id.clone(),
            authored_s: commit.authored,
            subject: commit.summary.clone(),
            found_s: self.session.now_s,
        })
    }
}
