//! Explains what a check found: measures the layers of both arms, after every verdict is in, so that no verdict hangs on
//! it.

use super::Check;
use crate::case::{Case, Effort, TimeFrom};
use crate::compare::Verdict;
use crate::error::{FailureKind, Result};
use crate::layers::{Attribution, attribute};
use crate::outcome::{Row, RowOrigin};
use crate::pairing::Both;
use crate::session::layers::{can_look_into, of_case};
use crate::session::stages::build_case;

/// Processes of each arm: enough for an interval, and an explanation decides nothing.
const PROCESSES: u64 = 3;

impl Check<'_> {
    /// The layers of every regression; of every case that was measured as pairs, where that was asked for.
    pub(super) fn explain(&mut self) {
        for id in self.to_explain() {
            if self.interrupted {
                return;
            }
            match self.explained(&id) {
                Ok(found) => {
                    if let Some(row) = self.rows.get_mut(&id) {
                        row.explained = found;
                    }
                }
                Err(f) if f.kind == FailureKind::Interrupted => self.interrupted = true,
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
        self.rows.iter().filter(|(_, row)| wanted(row)).map(|(id, _)| id.clone()).collect()
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
        let Both { base, head, .. } = both;
        let mut found = Vec::new();
        for (name, case) in [("base", base), ("head", head)] {
            // Its tail is judged already: no request more than the time holds.
            let effort = Effort { processes: PROCESSES, measure_from: TimeFrom::Asked, ..case.effort };
            let case = Case { effort, ..case.clone() };
            let built = build_case(self.session, &case)?;
            let (record, layers) = of_case(self.session, &case, &built, &self.session.samples().join(name))?;
            let kept = if name == "base" { &mut self.base } else { &mut self.head };
            if let Some(measured) = kept.cases.get_mut(id) {
                measured.layers_sha256 = record.layers_sha256;
            }
            found.push(layers);
        }
        let [base, head] = &found[..] else { return Ok(None) };
        Ok(Some(attribute(base, head)))
    }
}
