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
pub(super) use trees::write_sources;

pub use arms::{Arms, Asked, Between, Named, find_arms};
pub use layers::layers;

use super::context::{Session, Setup};
use super::looks::Looks;
use super::pin;
use super::pin::Pins;
use super::stages::new_record;
use crate::case;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::outcome::{Checked, OnMissing, Row};
use crate::pairing::{Both, Pairing, pair};
use crate::record::Record;
use std::collections::BTreeMap;
use std::path::Path;

/// How a check measures.
#[derive(Clone, Copy, Debug)]
pub struct CheckPlan {
    /// How many pairs, and when to look at them.
    pub looks: Looks,
    /// What to do with a case that the base does not have.
    pub on_missing: OnMissing,
    /// Measure the layers of every case that was measured as pairs; otherwise of those that regressed.
    pub explain: bool,
}

/// Runs a check of `arms`.
pub fn check(setup: &Setup, arms: &Arms, plan: CheckPlan) -> Result<Checked> {
    plan.looks.check()?;
    let cases = &arms.head.cases;
    case::check(cases)?;
    let processes = plan.looks.pairs.map(|n| 2 * (n * cases.len()) as u64);
    let session = Session::begin(setup, cases, processes)?;
    let session = session
        .with_engines(arms.private.engines(), arms.private.cache())
        .knowing(arms.head.source.clone(), &arms.base.stored);
    session.say_disturbed();
    let (pairings, pins) = paired(&session, arms);
    let mut check = Check {
        session: &session,
        arms,
        pairings: &pairings,
        plan,
        pins,
        rows: BTreeMap::new(),
        failed: BTreeMap::new(),
        base: new_record(&session, arms.base.source.clone()),
        head: new_record(&session, arms.head.source.clone()),
        interrupted: false,
    };
    check.settle();
    check.measure()?;
    check.confirm();
    check.hold_memory();
    check.explain();
    check.finish()
}

/// The cases of both arms, paired up at the points that the base's records pin. Without a base all are head's alone.
fn paired(session: &Session, arms: &Arms) -> (Vec<Pairing>, [Pins; 2]) {
    let (head, head_pins) = session.pinned(&arms.head.cases);
    // The same points as head's: said once.
    let base = arms.base.cases.as_deref().unwrap_or_default();
    let (base, base_pins) = pin::pinned(base, &session.history, &|_| {});
    let contents = |path: &Path| file::read(path, &file::NPY).ok().map(|bytes| case::sha256_hex(&bytes));
    (pair(&base, &head, &contents), [base_pins, head_pins])
}

/// A check that runs.
struct Check<'a> {
    session: &'a Session<'a>,
    arms: &'a Arms,
    pairings: &'a [Pairing],
    plan: CheckPlan,
    /// Of base and head.
    pins: [Pins; 2],
    rows: BTreeMap<String, Row>,
    failed: BTreeMap<String, Failure>,
    /// What was measured of each arm.
    base: Record,
    head: Record,
    interrupted: bool,
}

impl<'a> Check<'a> {
    fn fail(&mut self, id: &str, failure: Failure) {
        self.session.failed(id, &failure);
        self.failed(id, failure);
    }

    /// A failure that was told.
    fn failed(&mut self, id: &str, failure: Failure) {
        match failure.kind {
            FailureKind::Interrupted => self.interrupted = true,
            _ => drop(self.failed.insert(id.to_owned(), failure)),
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
