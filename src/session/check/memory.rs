//! Holds the budget of memory in a check: both engines are loaded once more, with nothing timed. Head has regressed
//! where it breaks a budget that the base kept; memory needs no statistics.

use super::Check;
use crate::error::{FailureKind, Result};
use crate::evidence::{Found, MemoryEvidence};
use crate::memory::CaseMemory;
use crate::outcome::MemoryRow;
use crate::pairing::Both;
use crate::session::memory::{MemoryPlan, REQUESTS, of_case};

impl Check<'_> {
    /// Looks at every case that has a budget of memory and was compared.
    pub(super) fn hold_memory(&mut self) {
        for both in self.in_both() {
            let case = self.evidence.cases.get(&both.head.id);
            // The same engine takes the same memory.
            let compared = case.is_some_and(|case| matches!(case.found, Found::Pairs { .. }));
            let go_on = compared && !self.evidence.interrupted;
            let Some(budget) = both.head.max_memory.filter(|_| go_on) else {
                continue;
            };
            match self.memory_of_both(both) {
                Ok(arms) => {
                    self.judge_memory(&both.head.id, budget, arms.as_ref());
                    if let Some([base, head]) = arms {
                        let row = MemoryRow::new(&both.head.id, head, Some(budget), Some(&base));
                        self.memory.insert(both.head.id.clone(), Box::new(row));
                    }
                }
                Err(f) if f.kind == FailureKind::Interrupted => self.evidence.interrupted = true,
                Err(f) => self.fail(&both.head.id, f),
            }
        }
    }

    /// Base and head; `None` where the base cannot be measured, which is said.
    fn memory_of_both(&self, both: &Both) -> Result<Option<[CaseMemory; 2]>> {
        let plan = MemoryPlan { requests: REQUESTS, trace_build: false };
        let folder = self.session.folders.memory_since(self.session.now_s);
        let head = of_case(self.session, &both.head, plan, &folder.join("head"))?;
        match of_case(self.session, &both.base, plan, &folder.join("base")) {
            Ok(base) => Ok(Some([base, head])),
            Err(f) if f.kind == FailureKind::Interrupted => Err(f),
            Err(f) => {
                let id = &both.head.id;
                self.session.note(&format!("{id}: max-memory is not held: the base: {}", f.message));
                Ok(None)
            }
        }
    }

    fn judge_memory(&mut self, id: &str, budget: u64, arms: Option<&[CaseMemory; 2]>) {
        let Some([base, head]) = arms else { return };
        let (Some(base_bytes), Some(head_bytes)) = (base.judged_bytes(), head.judged_bytes()) else {
            self.session.note(&format!("{id}: max-memory is not held: nothing tells what memory it takes"));
            return;
        };
        if head_bytes > budget && base_bytes > budget {
            self.session.note(&format!("{id}: max-memory is broken, and the base does not keep it either"));
        }
        if let Some(case) = self.evidence.cases.get_mut(id) {
            case.memory = Some(MemoryEvidence { base_bytes, head_bytes, max_bytes: budget });
        }
    }
}
