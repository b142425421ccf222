//! What needs no measuring: cases that are gone or cannot be compared. Found, and said, before anything is built.

use super::Check;
use crate::case::Case;
use crate::compare::{CaseComparison, Invalid, NotComparable, Verdict};
use crate::outcome::{Row, RowOrigin};
use crate::pairing::{Both, Changed, Pairing};
use crate::record::Unreal;

impl Check<'_> {
    /// Makes the rows of the cases that are not to be measured, and says what differs between the arms' questions.
    pub(super) fn settle(&mut self) {
        for pairing in self.pairings {
            match pairing {
                Pairing::Both(both) => self.settle_both(both),
                Pairing::Removed { base, likely } => {
                    let why = NotComparable::Removed { likely: likely.clone() };
                    self.session.note(&format!("{}: {why}", base.id));
                    let comparison = unmeasured(base, Verdict::NotComparable(why));
                    self.rows.insert(base.id.clone(), Row::new(comparison, RowOrigin::Removed));
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
        let verdict = if self.arms.of_commits && both.base.build.debug_extra_work_frac.is_some() {
            Some(Verdict::Invalid(Invalid::BaseDidExtraWork))
        } else {
            both.apart.clone().map(Verdict::NotComparable)
        };
        if let Some(verdict) = verdict {
            let row = self.not_measured(both, verdict);
            self.rows.insert(id.clone(), row);
        }
    }

    /// A row of a case that both arms have and that is not measured.
    pub(super) fn not_measured(&self, both: &Both, verdict: Verdict) -> Row {
        let reason = verdict.reason().unwrap_or_default();
        self.session.note(&format!("{}: {reason}; it is not measured", both.head.id));
        of_both(both, Row::new(unmeasured(&both.head, verdict), RowOrigin::NotMeasured))
    }
}

/// A row of a case that both arms have.
pub(super) fn of_both(both: &Both, row: Row) -> Row {
    Row { redefined: both.redefined.clone(), settings: both.settings.clone(), ..row }
}

/// A verdict on a case that was not measured.
pub(super) fn unmeasured(case: &Case, verdict: Verdict) -> CaseComparison {
    let unreal = case.build.debug_extra_work_frac.map(|_| Unreal::ExtraWork);
    CaseComparison::bare(&case.id, case.budget, case.margins, unreal, verdict)
}
