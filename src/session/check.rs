//! Runs a check: pair up the cases, say which are gone or redefined, build both arms, skip cases with the same engine,
//! measure pairs, confirm what changed with other pairs, use stored numbers where the base cannot be measured, and explain
//! regressions by their layers.

pub mod accept;
mod added;
mod arms;
mod confirm;
mod explain;
mod finish;
mod layers;
mod measure;
mod memory;
mod prepare;
mod private;
mod settle;
mod trees;

pub(super) use measure::{other_inputs, same_engine};
pub(super) use prepare::prepare;
pub(super) use private::Private;
pub(super) use trees::{Withheld, write_sources};

pub use arms::{Arms, Asked, Between, Named, find_arms};
pub use layers::layers;

use super::context::{Session, Setup};
use super::kept::KeptCheck;
use super::looks::Looks;
use super::pin;
use super::pin::Pins;
use super::stages::record_device;
use super::tensor_sha256;
use crate::case::{self, Case, CasePart, Partition};
use crate::error::{Failure, FailureKind, Result};
use crate::evidence::{Evidence, EvidenceArm, EvidencePlan};
use crate::git::Repo;
use crate::outcome::{MemoryRow, OnMissing};
use crate::pairing::{Both, Pairing, pair};
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a check measures.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// How many pairs, and when to look at them.
    pub looks: Looks,
    /// What to do with a case that the base does not have.
    pub on_missing: OnMissing,
    /// Measure the layers of every case that was measured as pairs; otherwise of those that regressed.
    pub explain: bool,
    /// Which part of the cases of both arms is this machine's; `None`: all.
    pub partition: Option<Partition>,
    /// The settings of the command line, as JSON: results are joined where they are the same.
    pub settings: String,
}

/// Runs a check of `arms`, and gives what it found.
pub fn check(setup: &Setup, arms: &Arms, plan: CheckPlan) -> Result<KeptCheck> {
    plan.looks.check()?;
    case::check(&arms.head.cases)?;
    let mine = arms.ids_of(plan.partition);
    let cases = arms.head_of(plan.partition);
    let processes = plan.looks.pairs.map(|n| 2 * (n * cases.len()) as u64);
    let session = Session::begin(setup, &cases, processes)?;
    let session = session
        .with_engines(arms.private.engines(), arms.private.cache())
        .knowing(arms.head.source.clone(), &arms.base.stored);
    session.say_disturbed();
    let part = plan.partition.map(|partition| CasePart::of(partition, &arms.ids()));
    if let Some(part) = &part {
        session.note(&format!("part {}: {} of {} cases", part.partition, mine.len(), part.cases));
    }
    // As pairs of the whole, so that what a case may have become is found in every part.
    let (mut pairings, pins) = paired(&session, arms);
    pairings.retain(|pairing| mine.contains(pairing.id()));
    let evidence = nothing_yet(&session, arms, &plan, part);
    let memory = BTreeMap::new();
    let mut check = Check { session: &session, arms, pairings: &pairings, plan, pins, evidence, memory };
    check.settle();
    check.measure()?;
    check.confirm();
    check.hold_memory();
    check.explain();
    check.finish()
}

/// What is known before anything is measured.
fn nothing_yet(session: &Session, arms: &Arms, plan: &CheckPlan, part: Option<CasePart>) -> Evidence {
    let arm = |name: &str, source: &Option<_>| EvidenceArm { name: name.to_owned(), source: source.clone() };
    let looks = &plan.looks;
    Evidence {
        created_s: session.now_s,
        tool: env!("CARGO_PKG_VERSION").into(),
        base: arm(&arms.base.name, &arms.base.source),
        head: arm(&arms.head.name, &arms.head.source),
        device: record_device(session.device),
        of_commits: arms.of_commits,
        part,
        plan: EvidencePlan {
            pairs: looks.pairs,
            max_time_ns: looks.max_time.map(|time| Nanos::from(time).0),
            alpha: looks.alpha,
            on_missing: plan.on_missing,
            settings: plan.settings.clone(),
        },
        order_seeds: vec![looks.seed],
        prepare_differs: arms.prepare_differs.clone(),
        interrupted: false,
        manifests: manifests(&arms.head.cases, &session.project.root),
        cases: BTreeMap::new(),
        failed: BTreeMap::new(),
        added: Vec::new(),
    }
}

/// Where each case of the project at `root` is configured, as far as it is configured anywhere: relative to the work tree of
/// git, as GitHub wants it.
fn manifests(cases: &[Case], root: &Path) -> BTreeMap<String, PathBuf> {
    let repo = Repo::discover(root).ok().flatten();
    let project = repo.and_then(|repo| repo.relative(root).ok()).unwrap_or_default();
    let manifest = |case: &Case| {
        let path = case.place.manifest.as_path();
        let path = path.strip_prefix(root).map_or_else(|_| path.to_owned(), |below| project.join(below));
        (!path.as_os_str().is_empty()).then(|| (case.id.clone(), path))
    };
    cases.iter().filter_map(manifest).collect()
}

/// The cases of both arms, paired up at the points that the base's records pin. Without a base all are head's alone.
fn paired(session: &Session, arms: &Arms) -> (Vec<Pairing>, [Pins; 2]) {
    let (head, head_pins) = session.pinned(&arms.head.cases);
    // The same points as head's: said once.
    let base = arms.base.cases.as_deref().unwrap_or_default();
    let (base, base_pins) = pin::pinned(base, &session.history, &|_| {});
    (pair(&base, &head, &tensor_sha256), [base_pins, head_pins])
}

/// A check that runs.
struct Check<'a> {
    session: &'a Session<'a>,
    arms: &'a Arms,
    pairings: &'a [Pairing],
    plan: CheckPlan,
    /// Of base and head.
    pins: [Pins; 2],
    evidence: Evidence,
    /// What cases with a budget of memory take, for pictures: only the judged numbers are evidence.
    memory: BTreeMap<String, Box<MemoryRow>>,
}

impl<'a> Check<'a> {
    fn fail(&mut self, id: &str, failure: Failure) {
        self.session.failed(id, &failure);
        self.failed(id, failure);
    }

    /// A failure that was told.
    fn failed(&mut self, id: &str, failure: Failure) {
        match failure.kind {
            FailureKind::Interrupted => self.evidence.interrupted = true,
            _ => drop(self.evidence.failed.insert(id.to_owned(), failure)),
        }
    }

    /// The cases that both arms have.
    fn in_both(&self) -> impl Iterator<Item = &'a Both> + use<'a> {
        self.pairings.iter().filter_map(|p| match p {
            Pairing::Both(both) => Some(&**both),
            Pairing::Removed { .. } | Pairing::New(_) => None,
        })
    }

    fn of_both(&self, id: &str) -> Option<&'a Both> {
        self.in_both().find(|both| both.head.id == id)
    }
}
