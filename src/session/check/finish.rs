//! Ends a check: adds what head brings into the baselines and the oldest stored records, and keeps what was found.

use super::{Check, added};
use crate::error::Result;
use crate::session::kept::{KeptCheck, keep};

impl Check<'_> {
    pub(super) fn finish(mut self) -> Result<KeptCheck> {
        self.evidence.added = added::added(self.session.project, &self.arms.base.stored)?;
        self.find_oldest();
        let mut kept = keep(self.session.folders, self.evidence);
        for (id, row) in &mut kept.checked.rows {
            row.memory = self.memory.remove(id);
        }
        self.session.say_unreadable();
        Ok(kept)
    }

    /// The oldest stored records: drift shows against them. An experiment with settings does not drift.
    fn find_oldest(&mut self) {
        for both in self.in_both().filter(|_| self.arms.of_commits) {
            let Some(case) = self.evidence.cases.get_mut(&both.head.id) else { continue };
            let head = case.found.head();
            case.oldest = head.and_then(|head| self.session.history.oldest(&both.head.id, head));
        }
    }
}
