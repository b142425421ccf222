//! What needs no measuring: cases that are gone or cannot be compared. Found, and said, before anything is built.

use super::Check;
use crate::case::Case;
use crate::evidence::{CaseEvidence, Found};
use crate::pairing::{Both, Changed, Pairing};
use crate::record::Unreal;

impl Check<'_> {
    /// Settles the cases that are not to be measured, and says what differs between the arms' questions.
    pub(super) fn settle(&mut self) {
        for pairing in self.pairings {
            match pairing {
                Pairing::Both(both) => self.settle_both(both),
                Pairing::Removed { base, likely } => {
                    let found = Found::Removed { likely: likely.clone() };
                    let case = alone(base, found);
                    self.say_why(&base.id, &case, "");
                    self.evidence.cases.insert(base.id.clone(), case);
                }
                Pairing::New(_) => {}
            }
        }
    }

    fn settle_both(&mut self, both: &Both) {
        let id = &both.head.id;
        let list = |all: &[Changed]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !both.redefined.is_empty() {
            let what = list(&both.redefined);
            self.session.note(&format!("{id} is redefined ({what}); both arms are asked what the base asks"));
        }
        if !both.settings.is_empty() {
            self.session.note(&format!("{id}: settings changed: {}; the base's judge", list(&both.settings)));
        }
        // An experiment on one work tree may give either arm more work.
        let found = if self.arms.of_commits && both.base.build.debug_extra_work_frac.is_some() {
            Some(Found::BaseDidExtraWork)
        } else {
            both.apart.clone().map(Found::Apart)
        };
        if let Some(found) = found {
            let case = self.not_measured(both, found);
            self.evidence.cases.insert(id.clone(), case);
        }
    }

    /// A case that both arms have and that is not measured.
    pub(super) fn not_measured(&self, both: &Both, found: Found) -> CaseEvidence {
        let case = of_both(both, found);
        self.say_why(&both.head.id, &case, "; it is not measured");
        case
    }

    /// Says why a case has no verdict.
    fn say_why(&self, id: &str, case: &CaseEvidence, more: &str) {
        let row = case.first_row(id);
        let reason = row.comparison.verdict.reason().unwrap_or_default();
        self.session.note(&format!("{id}: {reason}{more}"));
    }
}

/// What was found of a case that both arms have.
pub(super) fn of_both(both: &Both, found: Found) -> CaseEvidence {
    let (redefined, settings) = (both.redefined.clone(), both.settings.clone());
    CaseEvidence { redefined, settings, ..alone(&both.head, found) }
}

/// What was found of a case that one arm has.
pub(super) fn alone(case: &Case, found: Found) -> CaseEvidence {
    CaseEvidence {
        margins: case.margins,
        budget: case.budget,
        unreal: case.build.debug_extra_work_frac.map(|_| Unreal::ExtraWork),
        redefined: Vec::new(),
        settings: Vec::new(),
        found,
        memory: None,
        oldest: None,
        explained: None,
    }
}
