//! What was measured before: baselines to compare with, and sessions that tell how much sessions differ.

use super::{Event, Outcome};
use crate::baseline::{self, Candidate, Store};
use crate::case::Margins;
use crate::compare::{self, CaseComparison, Design, Metric, Sessions};
use crate::config::Project;
use crate::device::Device;
use crate::git::Repo;
use crate::record::{CaseRecord, Record, Source};
use std::path::PathBuf;

/// A comparison and what it was made against.
#[derive(Clone, Debug)]
pub struct Compared {
    pub comparison: CaseComparison,
    pub base: Base,
}

/// A stored record as the base of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub label: String,
    pub path: PathBuf,
    /// Commits between it and HEAD.
    pub steps: usize,
    /// Kernel, governor, driver… that changed since.
    pub soft_differences: Vec<String>,
}

/// What was measured before: baselines to compare with, and sessions that tell how much sessions differ.
pub(super) struct History {
    candidates: Vec<Candidate>,
    sessions: Vec<Record>,
    has_commit: bool,
}

impl History {
    pub(super) fn open(
        project: &Project,
        repo: Option<&Repo>,
        source: Option<&Source>,
        device: &Device,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let store = Store::new(project.baselines());
        let mut notes = Vec::new();
        let candidates = match repo.zip(source) {
            Some((repo, source)) => {
                baseline::candidates(&store, repo, &source.commit, &device.key, &mut notes).unwrap_or_else(
                    |e| {
                        notes.push(e.to_string());
                        Vec::new()
                    },
                )
            }
            None => Vec::new(),
        };
        notes.iter().for_each(|n| on_event(Event::Note { text: n }));
        let results = Store::new(project.target.join("results"));
        let sessions = if candidates.is_empty() {
            Vec::new()
        } else {
            baseline::recent(&[&store, &results], &device.key)
        };
        Self { candidates, sessions, has_commit: source.is_some() }
    }

    /// The nearest record that holds the case with the same definition; failing that, the nearest that holds it.
    pub(super) fn compare(&self, id: &str, head: &Record, margins: Margins) -> Option<Compared> {
        let case = head.cases.get(id)?;
        let holding = || self.candidates.iter().filter_map(|c| c.record.cases.get(id).map(|b| (c, b)));
        let (candidate, base) = holding()
            .find(|(_, b)| b.definition_hash == case.definition_hash)
            .or_else(|| holding().next())?;
        let comparison = compare::compare_case(
            id,
            base,
            case,
            margins,
            &Design::Stored(&|metric| sessions_for(&self.sessions, id, [base, case], metric)),
        );
        Some(Compared { comparison, base: base_of(candidate, head) })
    }

    pub(super) fn why_none(&self, outcome: &Outcome) -> Option<String> {
        if !outcome.compared.is_empty() || outcome.record.cases.is_empty() {
            return None;
        }
        Some(if !self.has_commit {
            "there is no commit to keep baselines for; comparing needs a git repository with one".into()
        } else if self.candidates.is_empty() {
            "no baseline of this commit or its ancestors on this device yet; make one with `cargo trt-perf run --save-baseline`, and commit it".into()
        } else {
            "no baseline holds one of these cases yet; add them with `cargo trt-perf run --save-baseline`"
                .into()
        })
    }
}

fn base_of(candidate: &Candidate, head: &Record) -> Base {
    Base {
        label: candidate.record.label(),
        path: candidate.path.clone(),
        steps: candidate.steps,
        soft_differences: compare::soft_differences(&candidate.record, head),
    }
}

/// How much sessions differ, from stored sessions of either arm's engine.
pub fn sessions_for(stored: &[Record], id: &str, arms: [&CaseRecord; 2], metric: Metric) -> Sessions {
    arms.into_iter()
        .find_map(|c| baseline::stored_spread(stored, id, &c.engine.inputs_hash, &c.definition_hash, metric))
        .map_or(Sessions::Assumed, Sessions::Known)
}
