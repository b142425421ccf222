//! Ends a check: writes its records, looks for acceptances and drift, and puts the result together.

use super::{Check, Checked, accept, added};
use crate::baseline::Store;
use crate::compare::{CaseComparison, Verdict};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Check<'_> {
    pub(super) fn finish(mut self) -> Result<Checked> {
        self.head.failed.clone_from(&self.failed);
        let written = self.write()?;
        accept::keep(self.session, &self.rows, &self.base, &self.head)?;
        let added = added::added(self.session.project, &self.arms.base.stored)?;
        added::judge(&mut self.rows, &added, &self.head);
        let drifted = self.drift();
        self.session.say_unreadable();
        Ok(Checked {
            rows: self.rows,
            failed: self.failed,
            drifted,
            added,
            prepare_differs: self.arms.prepare_differs.clone(),
            on_missing: self.plan.on_missing,
            interrupted: self.interrupted,
            records: [self.base, self.head],
            written,
        })
    }

    /// Writes the records of the arms that were measured; they get their ids.
    fn write(&mut self) -> Result<Vec<PathBuf>> {
        let store = Store::new(self.session.folders.results());
        let measured = [&mut self.base, &mut self.head].into_iter().filter(|record| !record.cases.is_empty());
        measured.map(|record| store.save(record)).collect()
    }

    /// Many small steps that each stay within the margin add up; the oldest stored record shows the sum. An experiment
    /// with settings is no step.
    fn drift(&self) -> BTreeMap<String, (CaseComparison, String)> {
        let mut drifted = BTreeMap::new();
        for both in self.in_both().filter(|_| self.arms.of_commits) {
            let case = &both.head;
            let regressed =
                self.rows.get(&case.id).is_some_and(|r| r.comparison.verdict == Verdict::Regressed);
            if let Some(compared) = self.session.history.compare_oldest(&case.id, &self.head, case.margins)
                && compared.comparison.verdict == Verdict::Regressed
                && !regressed
            {
                drifted.insert(case.id.clone(), (compared.comparison, compared.base.label));
            }
        }
        drifted
    }
}
