//! Measures the cases of a check: as pairs where both arms have an engine, otherwise against stored numbers, if any.

use super::Check;
use super::settle::unmeasured;
use crate::case::Case;
use crate::compare::{self, NotComparable, Verdict};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::outcome::{BuildSpread, OnMissing, Row, RowOrigin};
use crate::pairing::{Both, Pairing};
use crate::record::CaseRecord;
use crate::session::looks::Looks;
use crate::session::pairs::{Arm, PairFailure, Paired, compare_pairs};
use crate::session::stages::{Engines, build_all, measure_case, new_record};
use crate::worker::interrupted;

/// Both arms of one case, built.
pub(super) struct Engined<'a> {
    pub(super) both: &'a Both,
    pub(super) base: Built,
    pub(super) head: Built,
}

impl Check<'_> {
    /// Builds both arms, then measures every case that has something to measure.
    pub(super) fn measure(&mut self) {
        let settled = |id: &String| self.rows.contains_key(id);
        let open: Vec<&Both> = self.in_both().filter(|both| !settled(&both.head.id)).collect();
        let base_cases: Vec<Case> = open.iter().map(|both| both.base.clone()).collect();
        let head_cases: Vec<Case> =
            self.pairings.iter().filter_map(of_head).filter(|c| !settled(&c.id)).cloned().collect();
        let mut base_built = build_all(self.session, &base_cases);
        let mut head_built = build_all(self.session, &head_cases);
        for case in &head_cases {
            match self.one(case, &mut base_built, &mut head_built) {
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
    fn one(&mut self, case: &Case, base_built: &mut Engines, head_built: &mut Engines) -> Result<()> {
        let both = self.of_both(&case.id);
        let head = match head_built.remove(&case.id).unwrap_or_else(|| Err(interrupted())) {
            Ok(head) => head,
            Err(f) => return self.head_not_built(both, f),
        };
        let Some(both) = both else { return self.without_base(case, None, &head) };
        match base_built.remove(&case.id).unwrap_or_else(|| Err(interrupted())) {
            Ok(base) => self.both(&Engined { both, base, head }),
            Err(f) if f.kind == FailureKind::Interrupted => Err(f),
            Err(f) => self.without_base(case, Some((both, f.message)), &head),
        }
    }

    /// Where head has other shapes its model may not take the base's: that is no failure of head.
    fn head_not_built(&mut self, both: Option<&Both>, failure: Failure) -> Result<()> {
        match both.filter(|both| failure.kind == FailureKind::Usage && !both.redefined.is_empty()) {
            Some(both) => {
                let why = NotComparable::Unaskable(failure.message);
                self.not_measured(both, Verdict::NotComparable(why));
                Ok(())
            }
            None => Err(failure),
        }
    }

    /// A case both arms have: nothing to do, or pairs.
    fn both(&mut self, engined: &Engined) -> Result<()> {
        let Engined { both, base, head } = engined;
        let id = &both.head.id;
        if let Some(why) = other_inputs(base, head) {
            self.not_measured(both, Verdict::NotComparable(why));
            return Ok(());
        }
        if same_engine(base, head) {
            let comparison = unmeasured(&both.head, Verdict::Unchanged);
            self.session.note(&format!("{id}: same engine in both arms, nothing to measure"));
            self.add(both, Row::new(comparison, RowOrigin::SameEngine));
            return Ok(());
        }
        let paired = match self.pairs(engined, self.plan.looks, "") {
            Ok(paired) => paired,
            Err(PairFailure::Base(f)) if f.kind != FailureKind::Interrupted => {
                return self.without_base(&both.head, Some((both, f.message)), head);
            }
            Err(PairFailure::Base(f) | PairFailure::Head(f)) => return Err(f),
        };
        let Paired { comparison, base, head, pairs, discarded } = paired;
        for (arm, measured) in [("base", &base), ("head", &head)] {
            let spread = BuildSpread::of(measured);
            spread.iter().for_each(|spread| self.session.note(&format!("{id}: {arm}: {spread}")));
        }
        let origin = RowOrigin::Pairs { pairs, discarded, confirmed: None };
        self.add(both, Row::new(comparison, origin));
        self.keep_head(id, head);
        if pairs > 0 {
            let discovery = self.pins[0].get(id).cloned();
            self.base.cases.insert(id.clone(), CaseRecord { discovery, ..base });
        }
        Ok(())
    }

    /// Pairs of both arms; their raw samples go to `folder` below the session's.
    pub(super) fn pairs(&self, engined: &Engined, looks: Looks, folder: &str) -> Result<Paired, PairFailure> {
        let Both { base, head: case, .. } = engined.both;
        let base = Arm { name: "base", case: base, built: &engined.base };
        let head = Arm { name: "head", case, built: &engined.head };
        let calibration = self.session.history.calibration.as_ref();
        let expect = |record: &CaseRecord, metric| {
            let measure = self.session.chosen_time(&case.id).unwrap_or(case.effort.measure);
            calibration?.prior(&case.id, record, measure, metric)
        };
        compare_pairs(self.session, &base, &head, looks, &expect, &self.session.samples().join(folder))
    }

    /// Stored numbers are better than nothing, and never more than advice. `both`: the case as both arms have it, and why
    /// the base cannot be measured.
    fn without_base(&mut self, case: &Case, both: Option<(&Both, String)>, head: &Built) -> Result<()> {
        let id = &case.id;
        let new = both.is_none() && self.arms.base.cases.is_ok();
        let why = both.as_ref().map_or_else(|| self.arms.base.why_not(), |(_, why)| why).to_owned();
        let verdict = Verdict::NotComparable(NotComparable::NoBase(why.clone()));
        let origin = if new { RowOrigin::New } else { RowOrigin::NoBase { why: why.clone() } };
        let stored = !new && self.session.history.holds(id);
        let row = if stored || self.plan.on_missing == OnMissing::Measure {
            let record = measure_case(self.session, case, head, &self.session.samples())?;
            let mut measured = new_record(self.session, self.arms.head.source.clone());
            measured.cases.insert(id.clone(), record.clone());
            let compared = self.session.history.compare(id, &measured, case.margins).filter(|_| stored);
            let row = match compared {
                Some(found) => Row::new(found.comparison, RowOrigin::Stored { why, base: found.base.label }),
                None => Row::new(compare::without_numbers(id, &record, case.margins, verdict), origin),
            };
            self.keep_head(id, record);
            row
        } else {
            Row::new(unmeasured(case, verdict), origin)
        };
        match both {
            Some((both, _)) => self.add(both, row),
            None => drop(self.rows.insert(id.clone(), row)),
        }
        Ok(())
    }

    fn keep_head(&mut self, id: &str, measured: CaseRecord) {
        let discovery = self.pins[1].get(id).cloned();
        self.head.cases.insert(id.to_owned(), CaseRecord { discovery, ..measured });
    }
}

/// The case as head is asked it.
fn of_head(pairing: &Pairing) -> Option<&Case> {
    match pairing {
        Pairing::Both(both) => Some(&both.head),
        Pairing::New(case) => Some(case),
        Pairing::Removed { .. } => None,
    }
}

/// Several builds of one thing differ by the builder's choices alone, which is nothing that head changed.
pub(in crate::session) fn same_engine(base: &Built, head: &Built) -> bool {
    base.header.inputs_hash == head.header.inputs_hash
        && (base.header.payload_sha256 == head.header.payload_sha256 || base.builds().count() > 1)
}

/// Whether the two models take different inputs: then no one question can be put to both.
pub(in crate::session) fn other_inputs(base: &Built, head: &Built) -> Option<NotComparable> {
    let words = |built: &Built| -> Vec<String> {
        let inputs = built.header.made_from.inputs.iter();
        inputs.map(|i| format!("{} {} {}", i.name, i.shape, i.dtype)).collect()
    };
    let (base, head) = (words(base), words(head));
    (base != head).then(|| NotComparable::Inputs { base: base.join(", "), head: head.join(", ") })
}
