//! Finds the commit of a change by a noisy binary search: which commit to measure next, to which end it belongs, and when
//! more measuring would not tell. Pure: whoever calls measures ([`Bench`]).
//!
//! Both ends have been compared by pairs, so the size of the change and the noise of a pair are known when the search
//! begins. A commit in the middle is measured as pairs with either end. A pair with one end is a *vote*: −1 where the
//! commit is as the good end, +1 where it is as the bad one, in units of half the change. Two points are told apart much
//! sooner than a point from zero, which is what a check of every commit would have to do: votes are taken until one end is
//! [`ODDS`] times as likely as the other.
//!
//! Simulated (`bisect::tests`; 5 % planted in 16 commits, processes that vary by 0.5, 1 and 2 %): the right commit in 100, 100
//! and 99 % of searches, where the ends are told apart.

mod found;
mod side;
#[cfg(test)]
mod tests;

pub use found::{FoundChange, read, write};
pub use side::{Ends, MOST_VOTES, Noise, ODDS, Side};

use crate::error::Result;
use std::collections::BTreeSet;

/// Pairs with either end before the votes are looked at again: two, one in either order.
const ROUND: usize = 2;

/// Whoever measures commits, which are numbered from the good end, 0.
pub trait Bench {
    /// Makes a commit ready to be measured, beside the ends of the search. Equal texts are one engine. `None`: it cannot
    /// be measured, and is stepped over.
    fn engine(&mut self, at: usize, ends: [usize; 2]) -> Result<Option<String>>;

    /// ln(head) − ln(base) of so many more pairs of two commits that are ready; fewer where some had to be discarded.
    /// `None`: the one that is no end cannot be measured.
    fn pairs(&mut self, base: usize, head: usize, pairs: usize) -> Result<Option<Vec<f64>>>;

    /// Is told how far the search came; the last step is what a commit was found to be just now.
    fn placed(&mut self, known: &Narrowed);
}

/// A commit that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which commit.
    pub at: usize,
    /// What it was found to be.
    pub side: Side,
    /// Pairs that it took.
    pub pairs: usize,
}

/// Where a search ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowed {
    /// The last commit that is as the good end.
    pub good: usize,
    /// The first one that is known to be as the bad end.
    pub bad: usize,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
}

impl Narrowed {
    /// What is known before a search between commit 0 and commit `last`.
    pub fn between_ends(last: usize) -> Self {
        Self { good: 0, bad: last, steps: Vec::new() }
    }

    /// The commit that made the change; `None` where those between could not be measured, or not be told apart.
    pub fn commit(&self) -> Option<usize> {
        (self.bad == self.good + 1).then_some(self.bad)
    }

    /// Whether a commit was like neither end: then there is more than one change.
    pub fn saw_several(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.side, Side::Between { .. }))
    }
}

/// Searches between commit 0 and commit `last`, whose change is known. Fails only where `bench` does.
pub fn search(last: usize, ends: &Ends, bench: &mut dyn Bench) -> Result<Narrowed> {
    let mut known = Narrowed::between_ends(last);
    let (mut ends, mut noise) = (*ends, Noise::of(ends.ratios));
    let mut engines = [bench.engine(0, [0, last])?, bench.engine(last, [0, last])?];
    let mut over = BTreeSet::new();
    while let Some(at) = middle(&known, &over) {
        let engine = bench.engine(at, [known.good, known.bad])?;
        let mut pairs = 0;
        let side = match &engine {
            None => Side::Unmeasurable,
            Some(_) if engine == engines[0] => Side::Good { measured: false },
            Some(_) if engine == engines[1] => Side::Bad { measured: false },
            Some(_) => measure(at, [known.good, known.bad], (&ends, &mut noise), &mut pairs, bench)?,
        };
        match side.is_bad() {
            Some(true) => (known.bad, engines[1]) = (at, engine),
            Some(false) => (known.good, engines[0]) = (at, engine),
            None => drop(over.insert(at)),
        }
        ends = ends.narrowed(&side);
        known.steps.push(Step { at, side, pairs });
        bench.placed(&known);
    }
    Ok(known)
}

/// The commit nearest to the middle that may still be measured: neighbours of one that cannot are as good.
fn middle(known: &Narrowed, over: &BTreeSet<usize>) -> Option<usize> {
    let twice = known.good + known.bad;
    (known.good + 1..known.bad).filter(|at| !over.contains(at)).min_by_key(|at| (2 * at).abs_diff(twice))
}

/// Takes votes until they tell, or are so many that more would not.
fn measure(
    at: usize,
    [good, bad]: [usize; 2],
    (ends, noise): (&Ends, &mut Noise),
    pairs: &mut usize,
    bench: &mut dyn Bench,
) -> Result<Side> {
    let mut ratios = [Vec::new(), Vec::new()];
    let side = loop {
        let Some(with_good) = bench.pairs(good, at, ROUND)? else { return Ok(Side::Unmeasurable) };
        let Some(with_bad) = bench.pairs(at, bad, ROUND)? else { return Ok(Side::Unmeasurable) };
        ratios[0].extend(with_good);
        ratios[1].extend(with_bad);
        *pairs += 2 * ROUND;
        if let Some(side) = side::judge(&ratios, ends, noise) {
            break side;
        }
        if *pairs >= MOST_VOTES {
            break Side::Open;
        }
    };
    ratios.iter().for_each(|with_one_end| noise.add(with_one_end));
    Ok(side)
}
