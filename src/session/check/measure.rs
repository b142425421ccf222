//! Measures the cases of a check: as pairs where both arms have an engine, otherwise against stored numbers, if any.

use super::{Check, OnMissing};
use crate::case::Case;
use crate::compare::{self, CaseComparison, NotComparable, Verdict};
use crate::engine::Built;
use crate::error::{FailureKind, Result};
use crate::file;
use crate::outcome::{Row, RowOrigin};
use crate::record::{CaseRecord, Unreal};
use crate::session::pairs::{Arm, Looks, Paired, compare_pairs};
use crate::session::stages::{build_all, measure_case, new_record};
use crate::worker::interrupted;

/// Both arms of one case, built.
pub(super) struct Both<'a> {
    pub(super) base: (&'a Case, Built),
    pub(super) head: (&'a Case, Built),
}

impl Check<'_> {
    /// Builds both arms, then measures every case that has something to measure.
    pub(super) fn measure(&mut self) {
        let arms = self.arms;
        let of_both = |c: &&Case| arms.head.cases.iter().any(|head| head.id == c.id);
        let base_cases: Vec<Case> = arms.base.cases.iter().flatten().filter(of_both).cloned().collect();
        let mut base_built = build_all(self.session, &base_cases);
        let mut head_built = build_all(self.session, &arms.head.cases);
        for case in &arms.head.cases {
            let done = match head_built.remove(&case.id) {
                Some(Ok(head)) => self.one(case, head, base_built.remove(&case.id)),
                Some(Err(failure)) => Err(failure),
                None => Err(interrupted()),
            };
            match done {
                Ok(()) => {}
                Err(f) if f.kind == FailureKind::Interrupted => {
                    self.interrupted = true;
                    break;
                }
                Err(f) => self.fail(&case.id, f),
            }
        }
    }

    /// A case of head: pairs if the base has an engine of it, too.
    fn one(&mut self, case: &Case, head: Built, base: Option<Result<Built>>) -> Result<()> {
        let why = match (self.arms.base.case(&case.id), base) {
            (Some(base_case), Some(Ok(base))) => {
                return self.both(&Both { base: (base_case, base), head: (case, head) });
            }
            (_, Some(Err(failure))) => failure.message,
            _ => self.arms.base.why_not().to_owned(),
        };
        self.without_base(case, &head, why)
    }

    /// A case both arms have: nothing to do, or pairs.
    fn both(&mut self, both: &Both) -> Result<()> {
        let id = &both.head.0.id;
        if same_engine(&both.base.1, &both.head.1) && same_question(both.base.0, both.head.0) {
            let comparison = unmeasured(both.head.0, Verdict::Unchanged);
            self.session.note(&format!("{id}: same engine in both arms, nothing to measure"));
            self.rows.insert(id.clone(), Row { comparison, origin: RowOrigin::SameEngine, accepted: None });
            return Ok(());
        }
        let Paired { comparison, base, head, pairs, discarded } = self.pairs(both, self.plan.looks, "")?;
        let origin = RowOrigin::Pairs { pairs, discarded, confirmed: None };
        self.rows.insert(id.clone(), Row { comparison, origin, accepted: None });
        self.keep_head(id, head);
        if pairs > 0 {
            let discovery = self.pins[0].get(id).cloned();
            self.base.cases.insert(id.clone(), CaseRecord { discovery, ..base });
        }
        Ok(())
    }

    /// Pairs of both arms; their raw samples go to `folder` below the session's.
    pub(super) fn pairs(&self, both: &Both, looks: Looks, folder: &str) -> Result<Paired> {
        let base = Arm { name: "base", case: both.base.0, built: &both.base.1 };
        let head = Arm { name: "head", case: both.head.0, built: &both.head.1 };
        let case = both.head.0;
        let calibration = self.session.history.calibration.as_ref();
        let expect =
            |record: &CaseRecord, metric| calibration?.prior(&case.id, record, case.effort.measure, metric);
        compare_pairs(self.session, &base, &head, looks, &expect, &self.session.samples().join(folder))
    }

    /// Stored numbers are better than nothing, and never more than advice.
    fn without_base(&mut self, case: &Case, head: &Built, why: String) -> Result<()> {
        let id = &case.id;
        let new = self.arms.base.cases.is_ok() && self.arms.base.case(id).is_none();
        let row = if self.session.history.holds(id) || self.plan.on_missing == OnMissing::Measure {
            let record = measure_case(self.session, case, head, &self.session.samples())?;
            let mut measured = new_record(self.session, self.arms.head.source.clone());
            measured.cases.insert(id.clone(), record.clone());
            let (comparison, origin) = match self.session.history.compare(id, &measured, case.margins) {
                Some(stored) => (stored.comparison, RowOrigin::Stored { why, base: stored.base.label }),
                None => {
                    let verdict = no_base(&why);
                    (
                        compare::without_numbers(id, &record, case.margins, verdict),
                        RowOrigin::NoBase { why, new },
                    )
                }
            };
            self.keep_head(id, record);
            Row { comparison, origin, accepted: None }
        } else {
            let comparison = unmeasured(case, no_base(&why));
            Row { comparison, origin: RowOrigin::NoBase { why, new }, accepted: None }
        };
        self.rows.insert(id.clone(), row);
        Ok(())
    }

    fn keep_head(&mut self, id: &str, measured: CaseRecord) {
        let discovery = self.pins[1].get(id).cloned();
        self.head.cases.insert(id.to_owned(), CaseRecord { discovery, ..measured });
    }
}

fn same_engine(base: &Built, head: &Built) -> bool {
    base.header.payload_sha256 == head.header.payload_sha256
        && base.header.inputs_hash == head.header.inputs_hash
}

/// Whether two cases ask the same; their inputs' files are compared by content when they are measured.
fn same_question(base: &Case, head: &Case) -> bool {
    let bytes = |c: &Case| -> Vec<(String, Option<Vec<u8>>)> {
        c.inputs.iter().map(|(n, p)| (n.clone(), file::read(p, &file::NPY).ok())).collect()
    };
    base.point == head.point
        && base.mode == head.mode
        && base.budget == head.budget
        && base.open.as_ref().map(|o| o.identity().ok()) == head.open.as_ref().map(|o| o.identity().ok())
        && base.seed == head.seed
        && bytes(base) == bytes(head)
}

/// A verdict on a case that was not measured.
fn unmeasured(case: &Case, verdict: Verdict) -> CaseComparison {
    let unreal = case.build.debug_extra_work_frac.map(|_| Unreal::ExtraWork);
    CaseComparison::bare(&case.id, case.budget, case.margins, unreal, verdict)
}

fn no_base(why: &str) -> Verdict {
    Verdict::NotComparable(NotComparable::NoBase(why.to_owned()))
}
