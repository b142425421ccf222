//! Measures the cases of a check: as pairs where both arms have an engine, otherwise against stored numbers, if any.

use super::Check;
use super::settle::{of_both, unmeasured};
use crate::case::Case;
use crate::compare::{self, NotComparable, Verdict};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::outcome::{BuildSpread, Event, OnMissing, Row, RowOrigin};
use crate::pairing::{Both, Pairing};
use crate::record::CaseRecord;
use crate::session::ensure_some_make_sense;
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

/// A case that is done: its row, and what was measured of either arm.
struct Done {
    row: Row,
    base: Option<CaseRecord>,
    head: Option<CaseRecord>,
}

impl From<Row> for Done {
    fn from(row: Row) -> Self {
        Self { row, base: None, head: None }
    }
}

impl Check<'_> {
    /// Builds both arms, then measures every case that has something to measure. Fails where there is nothing but mistakes
    /// in what is asked of the models.
    pub(super) fn measure(&mut self) -> Result<()> {
        let settled = |id: &String| self.rows.contains_key(id);
        let open: Vec<&Both> = self.in_both().filter(|both| !settled(&both.head.id)).collect();
        let base_cases: Vec<Case> = open.iter().map(|both| both.base.clone()).collect();
        let head_cases: Vec<Case> =
            self.pairings.iter().filter_map(of_head).filter(|c| !settled(&c.id)).cloned().collect();
        let base_built = build_all(self.session, &base_cases);
        let head_built = build_all(self.session, &head_cases);
        let asked_otherwise = |id: &str| self.of_both(id).is_some_and(|both| !both.redefined.is_empty());
        if !head_cases.iter().any(|case| asked_otherwise(&case.id)) {
            ensure_some_make_sense(&head_built)?;
        }
        let one = |case: &Case| {
            let done = self.one(case, &base_built, &head_built)?;
            self.session.tell(Event::Done { id: &case.id });
            Ok(done)
        };
        let done = self.session.in_lanes(&head_cases, |case| &case.id, one);
        for (case, found) in done {
            match found {
                Ok(done) => self.keep(case.id.clone(), done),
                Err(failure) => self.failed(&case.id, failure),
            }
        }
        Ok(())
    }

    fn keep(&mut self, id: String, Done { row, base, head }: Done) {
        for (arm, measured, pins) in
            [(&mut self.base, base, &self.pins[0]), (&mut self.head, head, &self.pins[1])]
        {
            let discovery = pins.get(&id).cloned();
            arm.cases.extend(measured.map(|case| (id.clone(), CaseRecord { discovery, ..case })));
        }
        self.rows.insert(id, row);
    }

    /// A case of head: pairs if the base has an engine of it, too.
    fn one(&self, case: &Case, base_built: &Engines, head_built: &Engines) -> Result<Done> {
        let both = self.of_both(&case.id);
        let of = |built: &Engines| built.get(&case.id).cloned().unwrap_or_else(|| Err(interrupted()));
        let head = match of(head_built) {
            Ok(head) => head,
            Err(f) => return self.head_not_built(both, f),
        };
        let Some(both) = both else { return self.without_base(case, None, &head) };
        match of(base_built) {
            Ok(base) => self.both(&Engined { both, base, head }),
            Err(f) if f.kind == FailureKind::Interrupted => Err(f),
            Err(f) => self.without_base(case, Some((both, f.message)), &head),
        }
    }

    /// Where head has other shapes its model may not take the base's: that is no failure of head.
    fn head_not_built(&self, both: Option<&Both>, failure: Failure) -> Result<Done> {
        match both.filter(|both| failure.kind == FailureKind::Usage && !both.redefined.is_empty()) {
            Some(both) => {
                let why = NotComparable::Unaskable(failure.message);
                Ok(self.not_measured(both, Verdict::NotComparable(why)).into())
            }
            None => Err(failure),
        }
    }

    /// A case both arms have: nothing to do, or pairs.
    fn both(&self, engined: &Engined) -> Result<Done> {
        let Engined { both, base, head } = engined;
        let id = &both.head.id;
        if let Some(why) = other_inputs(base, head) {
            return Ok(self.not_measured(both, Verdict::NotComparable(why)).into());
        }
        if same_engine(base, head) {
            let comparison = unmeasured(&both.head, Verdict::Unchanged);
            self.session.note(&format!("{id}: same engine in both arms, nothing to measure"));
            return Ok(of_both(both, Row::new(comparison, RowOrigin::SameEngine)).into());
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
        let row = of_both(both, Row::new(comparison, origin));
        Ok(Done { row, base: (pairs > 0).then_some(base), head: Some(head) })
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
    fn without_base(&self, case: &Case, both: Option<(&Both, String)>, head: &Built) -> Result<Done> {
        let id = &case.id;
        let new = both.is_none() && self.arms.base.cases.is_ok();
        let why = both.as_ref().map_or_else(|| self.arms.base.why_not(), |(_, why)| why).to_owned();
        let verdict = Verdict::NotComparable(NotComparable::NoBase(why.clone()));
        let origin = if new { RowOrigin::New } else { RowOrigin::NoBase { why: why.clone() } };
        let stored = !new && self.session.history.holds(id);
        let (row, measured) = if stored || self.plan.on_missing == OnMissing::Measure {
            let record = measure_case(self.session, case, head, &self.session.samples())?;
            let mut measured = new_record(self.session, self.arms.head.source.clone());
            measured.cases.insert(id.clone(), record.clone());
            let compared = self.session.history.compare(id, &measured, case.margins).filter(|_| stored);
            let row = match compared {
                Some(found) => Row::new(found.comparison, RowOrigin::Stored { why, base: found.base.label }),
                None => Row::new(compare::without_numbers(id, &record, case.margins, verdict), origin),
            };
            (row, Some(record))
        } else {
            (Row::new(unmeasured(case, verdict), origin), None)
        };
        let row = match both {
            Some((both, _)) => of_both(both, row),
            None => row,
        };
        Ok(Done { row, base: None, head: measured })
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
