//! Looks into both arms of a comparison of commits, and judges nothing.

use super::Arms;
use crate::error::Result;
use crate::session::context::{Session, Setup};
use crate::session::layers::{LayerArm, LayersOutcome, look_into};

/// What the layers of the base and those of head take.
pub fn layers(setup: &Setup, arms: &Arms) -> Result<[LayersOutcome; 2]> {
    let base = arms.base.cases.clone()?;
    let all = base.iter().chain(&arms.head.cases);
    let processes = all.map(|case| case.effort.processes).sum();
    let session = Session::begin(setup, arms.cases(), Some(processes))?
        .with_engines(arms.private.engines(), arms.private.cache())
        .knowing(arms.head.source.clone(), &arms.base.stored);
    let base = LayerArm::of(&session, "base", &base, arms.base.source.clone());
    let head = LayerArm::of(&session, "head", &arms.head.cases, arms.head.source.clone());
    look_into(&session, &[base, head])
}
