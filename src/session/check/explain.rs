//! Explains what a check found: measures the layers of both arms, after every verdict is in, so that no verdict hangs on
//! it.

use super::Check;
use crate::case::{Case, Effort, TimeFrom};
use crate::compare::Verdict;
use crate::error::{FailureKind, Result};
use crate::evidence::Found;
use crate::layers::{Attribution, attribute};
use crate::outcome::{Row, RowOrigin};
use crate::session::layers::{Looking, alternate, can_look_into};
use crate::session::stages::build_case;

/// Processes of each arm: enough for an interval, and an explanation decides nothing.
const PROCESSES: u64 = 3;

impl Check<'_> {
    /// The layers of every regression; of every case that was measured as pairs, where that was asked for.
    pub(super) fn explain(&mut self) {
        for id in self.to_explain() {
            if self.evidence.interrupted {
                return;
            }
            match self.explained(&id) {
                Ok(found) => {
                    if let Some(case) = self.evidence.cases.get_mut(&id) {
                        case.explained = found;
                    }
                }
                Err(f) if f.kind == FailureKind::Interrupted => self.evidence.interrupted = true,
                // The verdict stands all the same.
                Err(f) => self.session.note(&format!("{id}: no layers explain it: {}", f.message)),
            }
        }
    }

    fn to_explain(&self) -> Vec<String> {
        let asked = self.plan.explain;
        let wanted = |row: &Row| {
            matches!(row.origin, RowOrigin::Pairs { .. })
                && (asked || row.comparison.verdict == Verdict::Regressed)
        };
        self.evidence.rows().into_iter().filter(|(_, row)| wanted(row)).map(|(id, _)| id).collect()
    }

    /// `None` where the backend times no layers, and nobody asked for them.
    fn explained(&mut self, id: &str) -> Result<Option<Attribution>> {
        let Some(both) = self.of_both(id) else { return Ok(None) };
        match can_look_into(&both.base).and_then(|()| can_look_into(&both.head)) {
            Ok(()) => {}
            Err(_) if !self.plan.explain => return Ok(None),
            Err(why) => return Err(why),
        }
        self.session.note(&format!("{id}: measuring the layers of both arms"));
        // Its tail is judged already: no request more than the time holds.
        let short = |case: &Case| {
            let effort = Effort { processes: PROCESSES, measure_from: TimeFrom::Asked, ..case.effort };
            Case { effort, ..case.clone() }
        };
        let (base, head) = (short(&both.base), short(&both.head));
        let samples = self.session.samples();
        let looking = |case, name| Looking::into(case, build_case(self.session, case)?, &samples.join(name));
        let mut arms = [looking(&base, "base"), looking(&head, "head")];
        alternate(self.session, &mut arms);
        let [base, head] = arms.map(|arm| arm?.finish(self.session));
        let ((base_record, base), (head_record, head)) = (base?, head?);
        let found = self.evidence.cases.get_mut(id).map(|case| &mut case.found);
        if let Some(Found::Pairs { first, .. }) = found {
            first.base.layers_sha256 = base_record.layers_sha256;
            first.head.layers_sha256 = head_record.layers_sha256;
        }
        Ok(Some(attribute(&base, &head)))
    }
}
