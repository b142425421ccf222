//! Measures the commits that a search asks for.

use super::super::{CommitTree, Trees, reason, shown};
use crate::baseline::Store;
use crate::bisect::{Bench, Narrowed};
use crate::case::Case;
use crate::compare::{CaseComparison, Metric};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::git::Commit;
use crate::outcome::{BisectAnswer, Bisected};
use crate::record::{CaseRecord, short};
use crate::session::check::other_inputs;
use crate::session::context::Session;
use crate::session::looks::Looks;
use crate::session::pairs::{Arm, PairFailure, compare_pairs};
use crate::session::stages::{build_all, new_record};
use crate::worker::interrupted;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A commit that can be measured.
struct ReadyCommit {
    /// Programs run in it.
    tree: CommitTree,
    case: Case,
    built: Built,
}

/// Pairs of two commits, and what they say.
pub struct Paired {
    pub comparison: CaseComparison,
    pub base: CaseRecord,
    pub head: CaseRecord,
    /// Pairs that were kept.
    pub pairs: usize,
}

/// The commits between two ends, of which few are at hand at a time.
pub(super) struct Commits<'a> {
    pub session: &'a Session<'a>,
    trees: &'a Trees<'a>,
    /// As the work tree asks it.
    pub case: Case,
    /// From the good end.
    pub commits: &'a [Commit],
    pub looks: Looks,
    /// The number that changed.
    pub metric: Option<Metric>,
    ready: BTreeMap<usize, ReadyCommit>,
    pub unmeasurable: BTreeMap<usize, String>,
    /// How far the search came.
    pub known: Narrowed,
    /// Pairs that were tried; also what the numbers of processes go on from.
    pub tried: u64,
    /// Files of records.
    written: Vec<PathBuf>,
}

impl<'a> Commits<'a> {
    pub fn new(
        session: &'a Session<'a>,
        trees: &'a Trees<'a>,
        case: Case,
        commits: &'a [Commit],
        looks: Looks,
    ) -> Self {
        let (ready, unmeasurable) = (BTreeMap::new(), BTreeMap::new());
        Self {
            session,
            trees,
            case,
            commits,
            looks,
            metric: None,
            ready,
            unmeasurable,
            known: Narrowed::between_ends(commits.len() - 1),
            tried: 0,
            written: Vec::new(),
        }
    }

    /// The engine of an end. A search without ends is none.
    pub fn end(&mut self, at: usize) -> Result<Built> {
        let name = short(&self.commits[at].id);
        let which = if at == 0 { "good" } else { "bad" };
        self.make_ready(at).map(|ready| ready.built.clone()).map_err(|f| match f.kind {
            FailureKind::Interrupted => f,
            _ => f
                .context(format!("the {which} end, {name}, cannot be measured"))
                .next("name another commit: cargo trt-perf bisect CASE GOOD BAD"),
        })
    }

    fn make_ready(&mut self, at: usize) -> Result<&ReadyCommit> {
        if !self.ready.contains_key(&at) {
            let tree = self.trees.tree(&self.commits[at])?;
            let case = self.trees.case_in(&tree, &self.case)?;
            let case = Case { effort: self.case.effort, ..case };
            let mut built = build_all(self.session, std::slice::from_ref(&case));
            let built = built.remove(&case.id).unwrap_or_else(|| Err(interrupted()))?;
            self.ready.insert(at, ReadyCommit { tree, case, built });
        }
        self.ready.get(&at).ok_or_else(interrupted)
    }

    /// Pairs of two commits that are ready.
    pub fn paired(&mut self, base: usize, head: usize, looks: Looks, folder: &str) -> Result<Paired> {
        self.try_pairs([base, head], looks, folder).map_err(PairFailure::any)
    }

    fn try_pairs(
        &mut self,
        [base, head]: [usize; 2],
        looks: Looks,
        folder: &str,
    ) -> Result<Paired, PairFailure> {
        let at = |at: usize| self.ready.get(&at).ok_or_else(|| PairFailure::Base(interrupted()));
        let (b, h) = (at(base)?, at(head)?);
        let expect = self.session.expectation(&self.case);
        let looks = Looks { after: self.tried, seed: looks.seed.wrapping_add(self.tried), ..looks };
        let set = compare_pairs(
            self.session,
            &Arm { name: "base", case: &b.case, built: &b.built },
            &Arm { name: "head", case: &h.case, built: &h.built },
            looks,
            &expect,
            &self.session.samples().join(folder),
        )?;
        self.tried += set.tried() as u64;
        let comparison = set.compare(&self.case.id, self.case.margins);
        Ok(Paired { comparison, pairs: set.pairs(), base: set.base, head: set.head })
    }

    /// ln(head) − ln(base) of each pair, of the number that changed.
    pub fn ratios(&self, paired: &Paired) -> Vec<f64> {
        let Some(metric) = self.metric else { return Vec::new() };
        let value = |s| metric.value(s, self.case.budget).filter(|v| *v > 0.0);
        let pairs = paired.base.processes.iter().zip(&paired.head.processes);
        pairs.filter_map(|(b, h)| Some((value(h)? / value(b)?).ln())).collect()
    }

    /// Writes the records of two commits that are ready and were measured as pairs: `history` shows them. The answer does not
    /// depend on them, so that one that cannot be written is only said.
    pub fn keep(&mut self, commits: [usize; 2], paired: &Paired) {
        let store = Store::results(self.session.folders.results());
        for (at, case) in commits.into_iter().zip([&paired.base, &paired.head]) {
            let Some(ready) = self.ready.get(&at).filter(|_| !case.processes.is_empty()) else { continue };
            let mut record = new_record(self.session, Some(ready.tree.source.clone()));
            record.cases.insert(self.case.id.clone(), case.clone());
            match store.save(&mut record) {
                Ok(path) => self.written.push(path),
                Err(f) => self.session.note(&reason(&f)),
            }
        }
    }

    /// The outcome, but for what only a found change has.
    pub fn finish(&self, ends: Paired, answer: BisectAnswer) -> Bisected {
        Bisected {
            case: self.case.id.clone(),
            commits: self.commits.iter().map(shown).collect(),
            ends: ends.comparison,
            end_pairs: ends.pairs,
            narrowed: self.known.clone(),
            unmeasurable: self.unmeasurable.clone(),
            answer,
            processes: 2 * self.tried as usize,
            found: None,
            written: self.written.clone(),
        }
    }

    fn step_over(&mut self, at: usize, failure: &Failure) {
        self.unmeasurable.insert(at, reason(failure));
    }
}

impl Bench for Commits<'_> {
    fn engine(&mut self, at: usize, ends: [usize; 2]) -> Result<Option<String>> {
        self.ready.retain(|ready, _| ends.contains(ready) || *ready == at);
        let good = self.ready.get(&ends[0]).map(|ready| ready.built.clone());
        let built = match self.make_ready(at) {
            Ok(ready) => &ready.built,
            Err(f) if f.kind == FailureKind::Interrupted => return Err(f),
            Err(f) => {
                self.step_over(at, &f);
                return Ok(None);
            }
        };
        if let Some(why) = good.and_then(|good| other_inputs(&good, built)) {
            self.step_over(at, &Failure::new(FailureKind::Nothing, why.to_string()));
            return Ok(None);
        }
        let header = &built.header;
        Ok(Some(format!("{} {}", header.inputs_hash, header.payload_sha256)))
    }

    fn pairs(&mut self, base: usize, head: usize, pairs: usize) -> Result<Option<Vec<f64>>> {
        let looks = Looks { pairs: Some(pairs), max_time: None, ..self.looks };
        match self.try_pairs([base, head], looks, &format!("{base}-{head}")) {
            Ok(paired) => Ok(Some(self.ratios(&paired))),
            Err(failure) => {
                // The ends have been measured before: what fails now is the commit between them.
                let between = if base == self.known.good { head } else { base };
                let failure = failure.any();
                if failure.kind == FailureKind::Interrupted {
                    return Err(failure);
                }
                self.step_over(between, &failure);
                Ok(None)
            }
        }
    }

    fn placed(&mut self, known: &Narrowed) {
        self.known.clone_from(known);
        let Some(step) = known.steps.last() else { return };
        let commit = &self.commits[step.at];
        let outcome = Bisected::words(step, &self.unmeasurable);
        self.session.note(&format!(
            "{} {}: {outcome}; {} commits left",
            short(&commit.id),
            commit.summary,
            known.bad - known.good
        ));
    }
}
