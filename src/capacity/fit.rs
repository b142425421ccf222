//! Fits the line through the probes near a crossing.
//!
//! All probes count, also those that looked saturated: without them the answer is up to 1 % too high.

use super::{Probe, STRIDE, step_of};
use crate::stats::{Batch, Crossing, NoCrossing, crossing};
use std::collections::BTreeMap;

/// ln rate per lattice step.
pub(super) fn ln_step() -> f64 {
    1.25_f64.ln() / f64::from(STRIDE)
}

/// The longest probe of every step, without those that confirm: all at one step start with the same arrivals, so the
/// shorter ones tell nothing more.
pub(super) fn longest(probes: &[Probe]) -> BTreeMap<i32, &Probe> {
    let mut longest: BTreeMap<i32, &Probe> = BTreeMap::new();
    for probe in probes.iter().filter(|p| !p.ask.confirming) {
        let held = longest.entry(probe.ask.step).or_insert(probe);
        if probe.requests >= held.requests {
            *held = probe;
        }
    }
    longest
}

/// Where the share over budget `index` reaches `allowed_frac`, from the probes at steps `from..=to`; x is the
/// logarithm of the rate.
pub(super) fn fit(
    probes: &[Probe],
    index: usize,
    allowed_frac: f64,
    (from, to): (i32, i32),
) -> Result<Crossing, NoCrossing> {
    let mut batches = vec![];
    for (&step, probe) in longest(probes).range(from.min(to)..=to) {
        let x = f64::from(step) * ln_step();
        let Some(over) = probe.over.get(index) else { continue };
        let mut push = |trials: f64, over: f64| batches.push(Batch { x, trials, over });
        match &over.bound {
            Some(bound) => bound.over.iter().for_each(|&n| push(bound.batch as f64, f64::from(n))),
            None => push(probe.requests as f64, over.frac * probe.requests as f64),
        }
    }
    crossing(&batches, allowed_frac)
}

/// The lattice step of a crossing, with its fraction.
pub(super) fn crossing_step(crossing: &Crossing) -> f64 {
    step_of(crossing.x.exp())
}
