//! Measures the commits of a range, newest first, and keeps a record of each.
//!
//! What is complete stays when it is stopped, and what has a record is not measured again: the same command goes on where
//! it was.

use super::{CommitTree, PastAsked, Trees, reason, shown};
use crate::baseline::{self, Store, stores};
use crate::case::Case;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, Repo};
use crate::outcome::{Backfilled, CommitDone};
use crate::record::{CaseRecord, Record, short};
use crate::session::Setup;
use crate::session::context::Session;
use crate::session::expected::{ExpectedTime, whole_time};
use crate::session::pin::Pins;
use crate::session::stages::{build_all, case_record, measure_case, new_record};
use crate::worker::{check_interrupt, interrupted};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Which commits, and what to keep.
pub struct BackfillPlan<'a> {
    /// `REV..REV`, as `git log` takes it; nothing behind the dots is HEAD.
    pub range: &'a str,
    /// Every so many commits only, from the newest on.
    pub every: usize,
    /// Also store the records as baselines.
    pub save_baseline: bool,
}

/// Measures the commits of the range along first parents.
pub fn backfill(setup: &Setup, asked: &PastAsked, plan: &BackfillPlan) -> Result<Backfilled> {
    let trees = Trees::open(setup, asked)?;
    let commits: Vec<Commit> =
        range(&trees.repo, plan.range)?.into_iter().step_by(plan.every.max(1)).collect();
    let processes: u64 = asked.cases.iter().map(|c| c.effort.processes).sum();
    let session = Session::open(setup, asked.cases, Some(processes * commits.len() as u64))?
        .with_engines(trees.private.engines(), trees.private.cache());
    let (cases, pins) = session.pinned(asked.cases);
    let mut run = Backfill {
        recorded: recorded(&session)?,
        session: &session,
        trees: &trees,
        cases,
        pins,
        wanted: BTreeMap::new(),
        begin: Instant::now(),
    };
    let each = ExpectedTime::of_run(&run.cases).of_parts(|_| true);
    session.note(&format!(
        "{} commits, newest first; measuring takes about {}, and building and loading on top",
        commits.len(),
        whole_time(each * commits.len() as u32)
    ));
    let mut outcome =
        Backfilled { commits: Vec::new(), asked: commits.len(), baselines: Vec::new(), interrupted: false };
    let (mut measured, mut measuring) = (0, Duration::ZERO);
    for (at, commit) in commits.iter().enumerate() {
        let begin = Instant::now();
        let Some(done) = run.commit(commit, &mut outcome.interrupted)? else { break };
        trees.private.remove_engines();
        if matches!(done, CommitDone::Measured { .. }) {
            (measured, measuring) = (measured + 1, measuring + begin.elapsed());
            let left = (measuring / measured) * (commits.len() - at - 1) as u32;
            session.note(&format!(
                "{} of {} commits done; about {} left",
                at + 1,
                commits.len(),
                whole_time(left)
            ));
        }
        if plan.save_baseline && !matches!(done, CommitDone::Skipped(_)) && !outcome.interrupted {
            outcome.baselines.extend(run.save_baselines(commit)?);
        }
        outcome.commits.push((shown(commit), done));
        if outcome.interrupted {
            break;
        }
    }
    Ok(outcome)
}

/// The commits that a text means, newest first.
fn range(repo: &Repo, text: &str) -> Result<Vec<Commit>> {
    let ends = text.split_once("..").filter(|(from, to)| !from.is_empty() && !to.starts_with('.'));
    let (from, to) = ends.ok_or_else(|| {
        Failure::usage(format!("`{text}` is no range of commits"))
            .next("name the commit before the oldest one and the newest one: v1.0..HEAD")
    })?;
    let to = if to.is_empty() { "HEAD" } else { to };
    let commits = repo.first_parents(from, to)?;
    if commits.is_empty() {
        let what = format!("there is no commit in {text}");
        return Err(Failure::new(FailureKind::Nothing, what)
            .next(format!("the older end stands first; `git log {text}` shows what is in it")));
    }
    Ok(commits)
}

/// The records of this device, by commit, that are of the commit alone.
fn recorded(session: &Session) -> Result<BTreeMap<String, Vec<Record>>> {
    let mut notes = Vec::new();
    let mut found: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in baseline::all(&stores(session.project), &mut notes)? {
        let Some(source) = record.source.as_ref().filter(|_| record.device.key == session.device.key) else {
            continue;
        };
        if !record.source.as_ref().is_some_and(|s| s.dirty) {
            found.entry(source.commit.clone()).or_default().push(record);
        }
    }
    notes.iter().for_each(|text| session.note(text));
    Ok(found)
}

struct Backfill<'a> {
    session: &'a Session<'a>,
    trees: &'a Trees<'a>,
    cases: Vec<Case>,
    pins: Pins,
    recorded: BTreeMap<String, Vec<Record>>,
    /// The hash of each case's definition, once a commit answered it.
    wanted: BTreeMap<String, String>,
    begin: Instant,
}

impl Backfill<'_> {
    /// Whether a record of the commit holds the case, asked the same.
    fn has(&self, commit: &str, id: &str, definition: &str) -> bool {
        let holds = |r: &Record| r.cases.get(id).is_some_and(|c| c.definition_hash == definition);
        self.recorded.get(commit).is_some_and(|records| records.iter().any(holds))
    }

    /// Measures a commit; `None` where Ctrl-C left nothing of it.
    fn commit(&mut self, commit: &Commit, stopped: &mut bool) -> Result<Option<CommitDone>> {
        let known = |c: &Case| self.wanted.get(&c.id).is_some_and(|hash| self.has(&commit.id, &c.id, hash));
        if self.cases.iter().all(known) {
            self.session.note(&format!("{}: recorded before", short(&commit.id)));
            return Ok(Some(CommitDone::Recorded));
        }
        let tree = match check_interrupt().and_then(|()| self.trees.tree(commit)) {
            Ok(tree) => tree,
            Err(f) if f.kind == FailureKind::Interrupted => {
                *stopped = true;
                return Ok(None);
            }
            Err(f) => return Ok(Some(self.skipped(commit, reason(&f)))),
        };
        let (mut record, failed, known) = self.measure(&tree);
        *stopped = failed.values().any(|f| f.kind == FailureKind::Interrupted);
        let failed: BTreeMap<String, Failure> =
            failed.into_iter().filter(|(_, f)| f.kind != FailureKind::Interrupted).collect();
        if !record.cases.is_empty() {
            let reasons = failed.iter().map(|(id, f)| (id.clone(), reason(f))).collect();
            record.failed = failed;
            let path = Store::results(self.session.folders.results()).save(&mut record)?;
            let cases = record.cases.len();
            self.recorded.entry(commit.id.clone()).or_default().push(record);
            return Ok(Some(CommitDone::Measured { record: path, cases, failed: reasons }));
        }
        if *stopped {
            return Ok(None);
        }
        if known == 0 {
            let all: Vec<String> = failed.values().map(reason).collect();
            return Ok(Some(self.skipped(commit, all.join("; "))));
        }
        for (id, failure) in &failed {
            self.session.note(&format!("{id} of {}: {}", short(&commit.id), reason(failure)));
        }
        Ok(Some(CommitDone::Recorded))
    }

    fn skipped(&self, commit: &Commit, why: String) -> CommitDone {
        self.session.note(&format!("{} is skipped: {why}", short(&commit.id)));
        CommitDone::Skipped(why)
    }

    /// Builds a commit's cases, and measures those that it has no record of; last, how many have one.
    fn measure(&mut self, tree: &CommitTree) -> (Record, BTreeMap<String, Failure>, usize) {
        let (mut failed, mut known) = (BTreeMap::new(), 0);
        let mut cases = Vec::new();
        for asked in &self.cases {
            match self.trees.case_in(tree, asked) {
                Ok(case) => cases.push(case),
                Err(f) => drop(failed.insert(asked.id.clone(), f)),
            }
        }
        let mut built = build_all(self.session, &cases);
        let now_s = self.session.now_s + self.begin.elapsed().as_secs() as i64;
        let mut record = Record { created_s: now_s, ..new_record(self.session, Some(tree.source.clone())) };
        for case in &cases {
            let built = built.remove(&case.id).unwrap_or_else(|| Err(interrupted()));
            match built.and_then(|built| self.case(case, &built, &tree.source.commit)) {
                Ok(None) => known += 1,
                Ok(Some(found)) => drop(record.cases.insert(case.id.clone(), found)),
                Err(f) => {
                    let stop = f.kind == FailureKind::Interrupted;
                    failed.insert(case.id.clone(), f);
                    if stop {
                        break;
                    }
                }
            }
        }
        (record, failed, known)
    }

    /// Measures a case of a commit; `None` where that was done before.
    fn case(&mut self, case: &Case, built: &Built, commit: &str) -> Result<Option<CaseRecord>> {
        let definition = case_record(case, built, BTreeMap::new(), Vec::new())?.definition_hash;
        let wanted = self.wanted.entry(case.id.clone()).or_insert_with(|| definition.clone());
        if *wanted != definition {
            self.session.note(&format!(
                "{} of {}: its model takes other inputs than that of newer commits, so the numbers do not compare",
                case.id,
                short(commit)
            ));
        }
        if self.has(commit, &case.id, &definition) {
            return Ok(None);
        }
        let samples = self.session.samples().join(short(commit));
        let measured = measure_case(self.session, case, built, &samples)?;
        Ok(Some(CaseRecord { discovery: self.pins.get(&case.id).cloned(), ..measured }))
    }

    /// Stores the records of a commit that hold what is asked as baselines.
    fn save_baselines(&mut self, commit: &Commit) -> Result<Vec<PathBuf>> {
        let store = Store::new(self.session.project.baselines());
        let wanted = &self.wanted;
        let holds = |r: &Record| {
            r.cases.iter().any(|(id, case)| wanted.get(id).is_some_and(|hash| *hash == case.definition_hash))
        };
        let records = self.recorded.get_mut(&commit.id).into_iter().flatten();
        records.filter(|r| holds(r)).map(|record| store.save_baseline(record)).collect()
    }
}
