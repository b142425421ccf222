//! The order of a check: pair up the cases, build both arms, skip what has the same engine, measure pairs, correct
//! for many cases, confirm what changed, fall back to stored numbers where an arm cannot be measured.

mod confirm;

use super::lock::lock;
use super::machine::say_confidential;
use super::pairs::{Arm, Looks, Paired, compare_pairs};
use super::pin::{Pins, pinned};
use super::stages::{build_all, new_record};
use super::{Event, History, accept, added};
use crate::baseline::Store;
use crate::build::Built;
use crate::case::{self, Case};
use crate::compare::{self, CaseComparison, NotComparable, Verdict};
use crate::config::Project;
use crate::device::Device;
use crate::error::{Failure, FailureKind, Result};
use crate::outcome::{Checked, Row, RowOrigin};
use crate::record::{CaseRecord, Source, Unreal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What to do with a case whose base cannot be measured and has no stored numbers either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// The check fails.
    Fail,
    /// It is said, and the check goes on.
    Warn,
    /// Head is measured alone and recorded, so that there is something to compare with next time.
    Measure,
}

/// One side: its sources and cases, or why there are none.
pub struct Side {
    pub source: Option<Source>,
    pub cases: Result<Vec<Case>>,
}

/// Everything a check needs to know.
pub struct Plan<'a> {
    /// The project of the head arm; engines, samples and results go to its target folder.
    pub project: &'a Project,
    pub base: Side,
    pub head: Side,
    /// The baselines of the base commit: what a pull request adds to its own must not judge it.
    pub stored: PathBuf,
    pub device: &'a Device,
    pub looks: Looks,
    pub on_missing: OnMissing,
    pub now_s: i64,
}

/// Runs a check.
pub fn check(plan: &Plan, on_event: &mut dyn FnMut(Event)) -> Result<Checked> {
    plan.looks.check()?;
    let _lock = lock(&plan.project.target, plan.device, on_event)?;
    let head_cases = plan.head.cases.as_ref().map_err(Clone::clone)?;
    case::check(head_cases)?;
    on_event(Event::Started {
        cases: head_cases,
        device: plan.device,
        backend: "check",
        why: "pairs of fresh processes",
        processes: plan.looks.pairs.map(|n| 2 * (n * head_cases.len()) as u64),
    });
    say_confidential(plan.device, on_event);
    let history = History::open(plan.project, &plan.stored, plan.head.source.as_ref(), plan.device, on_event);
    let (head_cases, head_pins) = pinned(head_cases, &history, on_event);
    // The same points as head's: said once.
    let (base_cases, base_pins) =
        plan.base.cases.as_ref().map(|cases| pinned(cases, &history, &mut |_| {})).unwrap_or_default();
    let base_cases = plan.base.cases.as_ref().map(|_| base_cases).map_err(Clone::clone);
    let side = |side: &Side, cases| Side { source: side.source.clone(), cases };
    let plan = &Plan {
        base: side(&plan.base, base_cases),
        head: side(&plan.head, Ok(head_cases.clone())),
        stored: plan.stored.clone(),
        ..*plan
    };
    let mut check = Check {
        plan,
        pins: [base_pins, head_pins],
        samples: plan.project.target.join("samples").join(format!("{}-{}", plan.now_s, std::process::id())),
        history,
        rows: BTreeMap::new(),
        failed: BTreeMap::new(),
        measured: BTreeMap::new(),
        interrupted: false,
    };
    check.measure(&head_cases, on_event);
    check.correct();
    check.confirm(&head_cases, on_event);
    check.finish(&head_cases, on_event)
}

struct Check<'a> {
    plan: &'a Plan<'a>,
    samples: PathBuf,
    /// Of base and head.
    pins: [Pins; 2],
    history: History,
    rows: BTreeMap<String, Row>,
    failed: BTreeMap<String, Failure>,
    /// What was measured of each case.
    measured: BTreeMap<String, Arms>,
    interrupted: bool,
}

/// What was measured of one case.
struct Arms {
    /// `None`: head was measured alone.
    base: Option<CaseRecord>,
    head: CaseRecord,
}

/// Both arms of one case, built.
struct Both<'a> {
    base: (&'a Case, Built),
    head: (&'a Case, Built),
}

impl Check<'_> {
    /// Builds both arms, then measures every case that has something to measure.
    fn measure(&mut self, head_cases: &[Case], on_event: &mut dyn FnMut(Event)) {
        let engines = self.plan.project.target.join("engines");
        let wanted = |c: &&Case| head_cases.iter().any(|h| h.id == c.id);
        let base_cases: Vec<Case> =
            self.plan.base.cases.as_deref().unwrap_or_default().iter().filter(wanted).cloned().collect();
        let mut base_built = build_all(&engines, &base_cases, on_event);
        let mut head_built = build_all(&engines, head_cases, on_event);
        for case in head_cases {
            let head = match head_built.remove(&case.id) {
                Some(Ok(built)) => built,
                Some(Err(f)) if f.kind != FailureKind::Interrupted => {
                    self.fail(&case.id, f, on_event);
                    continue;
                }
                _ => {
                    self.interrupted = true;
                    break;
                }
            };
            let base = base_cases.iter().find(|b| b.id == case.id).zip(base_built.remove(&case.id));
            let outcome = match base {
                Some((base_case, Ok(built))) => {
                    let both = Both { base: (base_case, built), head: (case, head) };
                    self.both(&both, on_event)
                }
                Some((_, Err(why))) => self.without_base(case, &head, &why.message, on_event),
                None => {
                    let why = self
                        .plan
                        .base
                        .cases
                        .as_ref()
                        .err()
                        .map_or("the base has no such case", |f| f.message.as_str())
                        .to_owned();
                    self.without_base(case, &head, &why, on_event)
                }
            };
            match outcome {
                Err(f) if f.kind == FailureKind::Interrupted => {
                    self.interrupted = true;
                    break;
                }
                Err(f) => self.fail(&case.id, f, on_event),
                Ok(()) => {}
            }
        }
    }

    fn fail(&mut self, id: &str, failure: Failure, on_event: &mut dyn FnMut(Event)) {
        on_event(Event::Failed { id, failure: &failure });
        self.failed.insert(id.to_owned(), failure);
    }

    /// A case both arms have: nothing to do, or pairs.
    fn both(&mut self, both: &Both, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        let (base, head) = (&both.base.1, &both.head.1);
        let id = &both.head.0.id;
        if base.header.payload_sha256 == head.header.payload_sha256
            && base.header.inputs_hash == head.header.inputs_hash
            && same_question(both.base.0, both.head.0)
        {
            let comparison = unmeasured(both.head.0, Verdict::Unchanged);
            on_event(Event::Note { text: &format!("{id}: same engine in both arms, nothing to measure") });
            self.rows.insert(id.clone(), Row { comparison, origin: RowOrigin::SameEngine, accepted: None });
            return Ok(());
        }
        let paired = self.pairs(both, self.plan.looks, "", on_event)?;
        let origin = RowOrigin::Pairs { pairs: paired.pairs, discarded: paired.discarded, confirmed: None };
        self.rows.insert(id.clone(), Row { comparison: paired.comparison, origin, accepted: None });
        self.measured.insert(id.clone(), Arms { base: Some(paired.base), head: paired.head });
        Ok(())
    }

    fn pairs(
        &self,
        both: &Both,
        looks: Looks,
        folder: &str,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Paired> {
        let base = Arm { name: "base", case: both.base.0, built: &both.base.1 };
        let head = Arm { name: "head", case: both.head.0, built: &both.head.1 };
        let case = both.head.0;
        let expect = |record: &CaseRecord, metric| {
            self.history.calibration.as_ref()?.prior(&case.id, record, case.effort.measure, metric)
        };
        compare_pairs(&base, &head, looks, &expect, &self.samples.join(folder), on_event)
    }

    /// Stored numbers are better than nothing, and never more than advice.
    fn without_base(
        &mut self,
        case: &Case,
        head: &Built,
        why: &str,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let stored = self.history.holds(&case.id);
        let row = if stored || self.plan.on_missing == OnMissing::Measure {
            let record = super::stages::measure_case(case, head, &self.samples, on_event)?;
            let mut measured = new_record(self.plan.head.source.clone(), self.plan.device, self.plan.now_s);
            measured.cases.insert(case.id.clone(), record.clone());
            let row = match self.history.compare(&case.id, &measured, case.margins) {
                Some(compared) => Row {
                    comparison: compared.comparison,
                    origin: RowOrigin::Stored { why: why.to_owned(), base: compared.base.label },
                    accepted: None,
                },
                None => Row {
                    comparison: compare::without_numbers(&case.id, &record, case.margins, no_base(why)),
                    origin: RowOrigin::NoBase { why: why.to_owned(), new: self.is_new(&case.id) },
                    accepted: None,
                },
            };
            self.measured.insert(case.id.clone(), Arms { base: None, head: record });
            row
        } else {
            let comparison = unmeasured(case, no_base(why));
            let origin = RowOrigin::NoBase { why: why.to_owned(), new: self.is_new(&case.id) };
            Row { comparison, origin, accepted: None }
        };
        self.rows.insert(case.id.clone(), row);
        Ok(())
    }

    fn is_new(&self, id: &str) -> bool {
        self.plan.base.cases.as_ref().is_ok_and(|cases| cases.iter().all(|c| c.id != id))
    }

    /// Writes the records, looks for acceptances and drift, and puts everything together.
    fn finish(mut self, head_cases: &[Case], on_event: &mut dyn FnMut(Event)) -> Result<Checked> {
        let store = Store::new(self.plan.project.target.join("results"));
        let mut written = Vec::new();
        let (mut base, mut head) = (self.record(&self.plan.base), self.record(&self.plan.head));
        let pinned = |id: &str, record: &CaseRecord, pins: &Pins| CaseRecord {
            discovery: pins.get(id).cloned(),
            ..record.clone()
        };
        for (id, arms) in &self.measured {
            head.cases.insert(id.clone(), pinned(id, &arms.head, &self.pins[1]));
            base.cases.extend(arms.base.iter().map(|record| (id.clone(), pinned(id, record, &self.pins[0]))));
        }
        head.failed.clone_from(&self.failed);
        for record in [&mut base, &mut head] {
            if !record.cases.is_empty() {
                written.push(store.save(record)?);
            }
        }
        accept::keep(self.plan, &self.rows, &head)?;
        let added = added::added(&self.plan.project.baselines(), &self.plan.stored)?;
        added::judge(&mut self.rows, &added, &head);
        let ids: BTreeSet<&str> = head_cases.iter().map(|c| c.id.as_str()).collect();
        let removed = self
            .plan
            .base
            .cases
            .as_deref()
            .unwrap_or_default()
            .iter()
            .filter(|c| !ids.contains(c.id.as_str()))
            .map(|c| c.id.clone())
            .collect();
        let drifted = self.drift(&head, head_cases);
        self.history.say_unreadable(on_event);
        Ok(Checked {
            rows: self.rows,
            failed: self.failed,
            removed,
            drifted,
            added,
            interrupted: self.interrupted,
            written,
        })
    }

    fn record(&self, side: &Side) -> crate::record::Record {
        new_record(side.source.clone(), self.plan.device, self.plan.now_s)
    }

    /// Many small steps that each stay within the margin add up; the oldest stored record shows the sum.
    fn drift(
        &self,
        head: &crate::record::Record,
        head_cases: &[Case],
    ) -> BTreeMap<String, (CaseComparison, String)> {
        let mut drifted = BTreeMap::new();
        for case in head_cases {
            let regressed =
                self.rows.get(&case.id).is_some_and(|r| r.comparison.verdict == Verdict::Regressed);
            if let Some(compared) = self.history.compare_oldest(&case.id, head, case.margins)
                && compared.comparison.verdict == Verdict::Regressed
                && !regressed
            {
                drifted.insert(case.id.clone(), (compared.comparison, compared.base.label));
            }
        }
        drifted
    }
}

/// Whether two cases ask the same; their inputs' files are compared by content when they are measured.
fn same_question(base: &Case, head: &Case) -> bool {
    let bytes = |c: &Case| -> Vec<(String, Option<Vec<u8>>)> {
        c.inputs.iter().map(|(n, p)| (n.clone(), std::fs::read(p).ok())).collect()
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
