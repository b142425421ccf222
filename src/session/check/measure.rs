//! Measures the cases of a check: as pairs where both arms have an engine, otherwise against stored numbers, if any.

use super::Check;
use super::settle::{alone, of_both};
use crate::case::Case;
use crate::compare::NotComparable;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::evidence::{CaseEvidence, Found, PairSet};
use crate::outcome::{BuildSpread, Event, OnMissing};
use crate::pairing::{Both, Pairing};
use crate::record::CaseRecord;
use crate::session::ensure_some_make_sense;
use crate::session::looks::Looks;
use crate::session::pairs::{Arm, PairFailure, compare_pairs};
use crate::session::stages::{Engines, build_all, measure_case};
use crate::worker::interrupted;
use std::path::Path;

/// Both arms of one case, built.
pub(super) struct Engined<'a> {
    pub(super) both: &'a Both,
    pub(super) base: Built,
    pub(super) head: Built,
}

impl Check<'_> {
    /// Builds both arms, then measures every case that has something to measure. Fails where there is nothing but mistakes
    /// in what is asked of the models.
    pub(super) fn measure(&mut self) -> Result<()> {
        let settled = |id: &String| self.evidence.cases.contains_key(id);
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
            let found = self.one(case, &base_built, &head_built)?;
            self.session.tell(Event::Done { id: &case.id });
            Ok(found)
        };
        for (case, found) in self.session.in_lanes(&head_cases, |case| &case.id, one) {
            match found {
                Ok(found) => drop(self.evidence.cases.insert(case.id.clone(), found)),
                Err(failure) => self.failed(&case.id, failure),
            }
        }
        Ok(())
    }

    /// A case of head: pairs if the base has an engine of it, too.
    fn one(&self, case: &Case, base_built: &Engines, head_built: &Engines) -> Result<CaseEvidence> {
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
    fn head_not_built(&self, both: Option<&Both>, failure: Failure) -> Result<CaseEvidence> {
        match both.filter(|both| failure.kind == FailureKind::Usage && !both.redefined.is_empty()) {
            Some(both) => {
                let message = in_tree(&failure.message, &self.session.project.root, "");
                let why = NotComparable::Unaskable(message);
                Ok(self.not_measured(both, Found::Apart(why)))
            }
            None => Err(failure),
        }
    }

    /// A case both arms have: nothing to do, or pairs.
    fn both(&self, engined: &Engined) -> Result<CaseEvidence> {
        let Engined { both, base, head } = engined;
        let id = &both.head.id;
        if let Some(why) = other_inputs(base, head) {
            return Ok(self.not_measured(both, Found::Apart(why)));
        }
        if same_engine(base, head) {
            self.session.note(&format!("{id}: same engine in both arms, nothing to measure"));
            return Ok(of_both(both, Found::SameEngine));
        }
        let mut first = match self.pairs(engined, self.plan.looks, "") {
            Ok(first) => first,
            Err(PairFailure::Base(f)) if f.kind != FailureKind::Interrupted => {
                return self.without_base(&both.head, Some((both, f.message)), head);
            }
            Err(PairFailure::Base(f) | PairFailure::Head(f)) => return Err(f),
        };
        for (arm, measured) in [("base", &first.base), ("head", &first.head)] {
            let spread = BuildSpread::of(measured);
            spread.iter().for_each(|spread| self.session.note(&format!("{id}: {arm}: {spread}")));
        }
        let [of_base, of_head] = &self.pins;
        (first.base.discovery, first.head.discovery) = (of_base.get(id).cloned(), of_head.get(id).cloned());
        Ok(of_both(both, Found::Pairs { first: Box::new(first), second: None }))
    }

    /// Pairs of both arms; their raw samples go to `folder` below the session's.
    pub(super) fn pairs(
        &self,
        engined: &Engined,
        looks: Looks,
        folder: &str,
    ) -> Result<PairSet, PairFailure> {
        let Both { base, head: case, .. } = engined.both;
        let base = Arm { name: "base", case: base, built: &engined.base };
        let head = Arm { name: "head", case, built: &engined.head };
        let expect = self.session.expectation(case);
        compare_pairs(self.session, &base, &head, looks, &expect, &self.session.samples().join(folder))
    }

    /// Stored numbers are better than nothing, and never more than advice. `both`: the case as both arms have it, and why
    /// the base cannot be measured.
    fn without_base(&self, case: &Case, both: Option<(&Both, String)>, head: &Built) -> Result<CaseEvidence> {
        let id = &case.id;
        let new = both.is_none() && self.arms.base.cases.is_ok();
        let why = both.as_ref().map_or_else(|| self.arms.base.why_not(), |(_, why)| why);
        let why = in_tree(why, &self.arms.private.base(), "the base's ");
        let stored = !new && self.session.history.holds(id);
        let found = if stored || self.plan.on_missing == OnMissing::Measure {
            let record = measure_case(self.session, case, head, &self.session.samples())?;
            let base = self.session.history.nearest(id, &record).filter(|_| stored);
            let head = Box::new(CaseRecord { discovery: self.pins[1].get(id).cloned(), ..record });
            match base {
                Some(base) => Found::Stored { why, base: Box::new(base), head },
                None => Found::NoBase { why, new, head: Some(head) },
            }
        } else {
            Found::NoBase { why, new, head: None }
        };
        Ok(match both {
            Some((both, _)) => of_both(both, found),
            None => alone(case, found),
        })
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

/// A message with the files of a tree as they are named in it, wherever it lies: what is accepted in these words on one
/// machine is found in the same on another, and the base's tree is gone when somebody reads of it.
fn in_tree(message: &str, root: &Path, whose: &str) -> String {
    message.replace(&format!("{}/", root.display()), whose)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_head_cannot_be_asked_reads_the_same_in_every_checkout() {
        let said = |root: &str| {
            let message = format!(
                "package `p`, {root}/Cargo.toml, [x]: {root}/m/a.onnx: the shape 1x3 does not fit /data/b.onnx"
            );
            in_tree(&message, Path::new(root), "")
        };
        assert_eq!(
            said("/home/ada/shop"),
            "package `p`, Cargo.toml, [x]: m/a.onnx: the shape 1x3 does not fit /data/b.onnx"
        );
        assert_eq!(said("/home/ada/shop"), said("/runner/_work/shop"));
    }
}
