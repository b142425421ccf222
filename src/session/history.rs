//! Finds what was measured before: baselines to compare with, and sessions that tell how much sessions differ.

use super::{Event, Events};
use crate::baseline::{self, Candidate, Candidates, Store};
use crate::calibration::Calibration;
use crate::case::Margins;
use crate::compare::{self, Design, Metric, Sessions};
use crate::config::Project;
use crate::device::Device;
use crate::evidence::StoredEvidence;
use crate::git::Repo;
use crate::outcome::{Base, Compared, RunOutcome};
use crate::record::{CaseRecord, Record, Source, superseded};
use std::path::{Path, PathBuf};

/// What was measured before; empty where nobody looked.
#[derive(Default)]
pub(super) struct History {
    pub(super) candidates: Candidates,
    sessions: Vec<Record>,
    /// Of this device, where there is one.
    pub(super) calibration: Option<Calibration>,
    /// The record that somebody named, with its file: then it alone is compared with.
    chosen: Option<(PathBuf, Record)>,
    /// How much sessions differ by somebody's word, which is taken.
    pub(super) given: Option<Sessions>,
    has_commit: bool,
}

impl History {
    /// `stored` is the folder of baselines to trust: the work tree's own, or the base commit's in a check.
    /// A repository that cannot be read is said and treated as none: measuring needs no git.
    pub(super) fn open(
        project: &Project,
        stored: &Path,
        source: Option<&Source>,
        device: &Device,
        events: Events,
    ) -> Self {
        let repo = Repo::discover(&project.root).ok().flatten();
        let store = Store::new(stored.to_owned());
        let mut notes = Vec::new();
        let candidates = match repo.as_ref().zip(source) {
            Some((repo, source)) => baseline::candidates(
                &store,
                repo,
                &source.commit,
                &device.key,
                &project.baselines(),
                &mut notes,
            )
            .unwrap_or_else(|e| {
                notes.push(e.to_string());
                Candidates::default()
            }),
            None => Candidates::default(),
        };
        let calibration = baseline::load_calibration(stored, &device.key).unwrap_or_else(|e| {
            notes.push(format!("the calibration is not used: {e}"));
            None
        });
        notes.iter().for_each(|n| events(Event::Note { text: n }));
        let results = Store::results(project.folders.results());
        let sessions = if candidates.is_empty() {
            Vec::new()
        } else {
            baseline::recent(&[&store, &results], &device.key)
        };
        Self { candidates, sessions, calibration, chosen: None, given: None, has_commit: source.is_some() }
    }

    /// Compares with this record, whatever else is stored.
    pub(super) fn choose(&mut self, project: &Project, (path, record): (PathBuf, Record)) {
        if self.sessions.is_empty() {
            let stores = baseline::stores(project);
            self.sessions = baseline::recent(&[&stores[0], &stores[1]], &record.device.key);
        }
        self.chosen = Some((path, record));
    }

    /// With the record that somebody chose, or the nearest one.
    pub(super) fn compare(&self, id: &str, head: &Record, margins: Margins) -> Option<Compared> {
        let case = head.cases.get(id)?;
        if let Some((path, record)) = &self.chosen {
            record.reference(id)?;
            return self.against(id, Candidate { record, path, steps: None }, case, head, margins);
        }
        self.against(id, self.candidate(id, case)?, case, head, margins)
    }

    fn against(
        &self,
        id: &str,
        candidate: Candidate,
        case: &CaseRecord,
        head: &Record,
        margins: Margins,
    ) -> Option<Compared> {
        let base = candidate.record.cases.get(id)?;
        let sessions = |metric| self.sessions_of(id, [base, case], metric);
        let comparison = compare::compare_case(id, base, case, margins, &Design::Stored(&sessions));
        Some(Compared { comparison, base: base_of(candidate, head) })
    }

    fn sessions_of(&self, id: &str, arms: [&CaseRecord; 2], metric: Metric) -> Sessions {
        let known = || sessions_for(self.calibration.as_ref(), &self.sessions, id, arms, metric);
        self.given.unwrap_or_else(known)
    }

    /// The record to compare `head` with, as [`Self::compare`] has it.
    pub(super) fn nearest(&self, id: &str, head: &CaseRecord) -> Option<StoredEvidence> {
        self.stored(id, self.candidate(id, head)?, head)
    }

    /// The oldest record that holds the case with the same definition and that no acceptance replaced.
    pub(super) fn oldest(&self, id: &str, head: &CaseRecord) -> Option<StoredEvidence> {
        let stored: Vec<Candidate> = self.candidates.iter().collect();
        self.stored(id, oldest(&stored, id, &head.definition_hash)?, head)
    }

    /// What the candidate holds of the case, with all that a comparison needs beside.
    fn stored(&self, id: &str, candidate: Candidate, head: &CaseRecord) -> Option<StoredEvidence> {
        let base = candidate.record.cases.get(id)?;
        let metrics = compare::case_metrics(head).into_iter();
        Some(StoredEvidence {
            label: candidate.record.label(),
            sessions: metrics.map(|metric| (metric, self.sessions_of(id, [base, head], metric))).collect(),
            base: base.clone(),
        })
    }

    /// The nearest record that holds the case with the same definition; failing that, the nearest that holds it.
    fn candidate(&self, id: &str, case: &CaseRecord) -> Option<Candidate<'_>> {
        let holding = || self.candidates.iter().filter_map(|c| Some((c, c.record.reference(id)?)));
        let found = holding().find(|(_, b)| b.definition_hash == case.definition_hash);
        found.or_else(|| holding().next()).map(|(candidate, _)| candidate)
    }

    /// Whether any stored record holds the case and can be compared with.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.candidates.iter().any(|c| c.record.reference(id).is_some())
    }

    pub(super) fn why_none(&self, outcome: &RunOutcome) -> Option<String> {
        if !outcome.compared.is_empty() || outcome.record.cases.is_empty() {
            return None;
        }
        Some(if let Some((_, record)) = &self.chosen {
            format!(
                "record {} holds none of these cases; see what it holds with `cargo trt-perf baseline show`",
                record.id
            )
        } else if !self.has_commit {
            "there is no commit to keep baselines for; comparing needs a git repository with one".into()
        } else if self.candidates.iter().next().is_none() {
            "no baseline of this commit or its ancestors on this device yet; make one with `cargo trt-perf run --save-baseline`, and commit it".into()
        } else {
            "no baseline holds one of these cases yet; add them with `cargo trt-perf run --save-baseline`"
                .into()
        })
    }
}

/// The oldest record of the case's present epoch: an acceptance begins a new one, whatever it is worth today.
fn oldest<'a>(candidates: &[Candidate<'a>], id: &str, definition: &str) -> Option<Candidate<'a>> {
    let replaced = superseded(candidates.iter().map(|c| c.record), id);
    let of_case = |c: &&Candidate| c.record.reference(id).is_some_and(|b| b.definition_hash == definition);
    let present = candidates.iter().filter(of_case).filter(|c| !replaced.contains(c.record.id.as_str()));
    present.min_by_key(|c| c.record.created_s).copied()
}

fn base_of(candidate: Candidate, head: &Record) -> Base {
    Base {
        label: candidate.record.label(),
        path: candidate.path.to_owned(),
        steps: candidate.steps,
        soft_differences: compare::soft_differences(candidate.record, head),
    }
}

/// How much sessions differ: from the calibration of the case, else from stored sessions of either arm's engine.
pub fn sessions_for(
    calibration: Option<&Calibration>,
    stored: &[Record],
    id: &str,
    arms: [&CaseRecord; 2],
    metric: Metric,
) -> Sessions {
    if let Some(calibration) = calibration
        && let Some(known) = calibration.sessions(id, arms[1], metric)
    {
        return known;
    }
    arms.into_iter()
        .find_map(|c| baseline::stored_spread(stored, id, &c.engine.inputs_hash, &c.definition_hash, metric))
        .map_or(Sessions::Assumed, Sessions::Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RecordDevice, sample};
    use std::collections::BTreeMap;

    const CASE: &str = "p/m/default/latency";

    fn case(definition: &str) -> CaseRecord {
        CaseRecord { definition_hash: definition.into(), ..sample::case() }
    }

    /// A record named by its id, so old, that replaces `supersedes` and holds the case with this definition.
    fn stored(id: &str, created_s: i64, supersedes: &[&str], holds: &[(&str, &str)]) -> Record {
        Record {
            id: id.into(),
            created_s,
            tool: String::new(),
            source: None,
            device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
            supersedes: supersedes.iter().map(|s| (*s).to_owned()).collect(),
            acceptance: None,
            cases: holds.iter().map(|(case_id, d)| ((*case_id).to_owned(), case(d))).collect(),
            failed: BTreeMap::new(),
            part: None,
            experiment: false,
            unknown: Vec::new(),
            crlf: false,
        }
    }

    fn reference(records: &[Record]) -> Option<&str> {
        let place = |record| Candidate { record, path: Path::new(""), steps: Some(0) };
        let candidates: Vec<Candidate> = records.iter().map(place).collect();
        oldest(&candidates, CASE, "d").map(|c| c.record.id.as_str())
    }

    #[test]
    fn drift_is_measured_from_the_oldest_record_of_the_epoch() {
        let holds = [(CASE, "d")];
        let mut records = vec![stored("b", 2, &[], &holds), stored("a", 1, &[], &holds)];
        assert_eq!(reference(&records), Some("a"));
        records.push(stored("accepted", 3, &["a", "b"], &holds));
        assert_eq!(reference(&records), Some("accepted"));
        records.push(stored("d", 4, &[], &holds));
        assert_eq!(reference(&records), Some("accepted"), "later records do not move the reference");
        records.push(stored("again", 5, &["accepted", "d"], &holds));
        assert_eq!(reference(&records), Some("again"), "the whole chain stays replaced");
    }

    #[test]
    fn an_epoch_is_of_one_case_and_one_definition() {
        let holds = [(CASE, "d")];
        let other = stored("other", 2, &["a"], &[("p/other/default/latency", "d")]);
        assert_eq!(reference(&[stored("a", 1, &[], &holds), other]), Some("a"));
        let redefined = stored("redefined", 2, &["a"], &[(CASE, "e")]);
        assert_eq!(reference(&[stored("a", 1, &[], &holds), redefined]), None);
        assert_eq!(reference(&[]), None);
    }
}
