//! Runs a check: pair up the cases, build both arms, skip cases with the same engine, measure pairs, correct for many
//! cases, confirm what changed, and use stored numbers where an arm cannot be measured.

pub mod accept;
mod added;
mod arms;
mod confirm;
mod finish;
mod measure;
mod prepare;
mod private;
mod trees;

pub use arms::{Arms, Asked, Between, Named, find_arms};

use super::context::{Session, Setup};
use super::pairs::Looks;
use super::pin;
use super::pin::Pins;
use super::stages::new_record;
use crate::case;
use crate::error::{Failure, Result};
use crate::outcome::{Checked, Row};
use crate::record::Record;
use std::collections::BTreeMap;

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

/// How a check measures.
#[derive(Clone, Copy, Debug)]
pub struct CheckPlan {
    /// How many pairs, and when to look at them.
    pub looks: Looks,
    /// What to do with a case that the base does not have.
    pub on_missing: OnMissing,
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
    let (arms, pins) = pinned(&session, arms);
    let mut check = Check {
        session: &session,
        arms: &arms,
        plan,
        pins,
        rows: BTreeMap::new(),
        failed: BTreeMap::new(),
        base: new_record(&session, arms.base.source.clone()),
        head: new_record(&session, arms.head.source.clone()),
        interrupted: false,
    };
    check.measure();
    check.correct();
    check.confirm();
    check.finish()
}

/// Both arms at the points that the stored records pin.
fn pinned(session: &Session, arms: &Arms) -> (Arms, [Pins; 2]) {
    let mut arms = arms.clone();
    let mut pins = [Pins::new(), Pins::new()];
    (arms.head.cases, pins[1]) = session.pinned(&arms.head.cases);
    if let Ok(cases) = &mut arms.base.cases {
        // The same points as head's: said once.
        (*cases, pins[0]) = pin::pinned(cases, &session.history, &|_| {});
    }
    (arms, pins)
}

/// A check that runs.
struct Check<'a> {
    session: &'a Session<'a>,
    arms: &'a Arms,
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

impl Check<'_> {
    fn fail(&mut self, id: &str, failure: Failure) {
        self.session.failed(id, &failure);
        self.failed.insert(id.to_owned(), failure);
    }
}
