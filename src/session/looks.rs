//! When to look at the pairs so far, at which error rate, and whether there is time for more. Pure.

use crate::error::{Failure, Result};
use crate::stats::{LOOKS, look_alpha, next_look};
use std::time::Duration;

/// Fewer pairs decide nothing.
const MIN_PAIRS: usize = 3;
/// More are a slip of the finger: nobody waits for them.
pub(super) const MOST_PAIRS: usize = 10_000;

/// How many pairs, and how sure.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// A fixed number of pairs instead of sequential looks.
    pub pairs: Option<usize>,
    /// No look is begun that would end after this, judged by the pairs so far; the first one by its first pair.
    pub max_time: Option<Duration>,
    /// Overall two-sided error rate.
    pub alpha: f64,
    /// The seed of the order of the arms.
    pub seed: u64,
    /// Pairs of the case that were measured before: numbers, and with them the arrivals of an open loop, go on from
    /// there.
    pub after: u64,
}

impl Looks {
    /// Sequential looks exist for the error rates whose thresholds were simulated.
    pub fn check(&self) -> Result<()> {
        match (self.pairs, look_alpha(self.alpha)) {
            (None, Err(e)) => {
                Err(Failure::usage(e.to_string())
                    .next("use --alpha 0.05 or 0.01, or a fixed number of --pairs"))
            }
            (Some(n), _) if n < MIN_PAIRS => Err(Failure::usage(format!("{n} pairs decide nothing"))
                .next("measure at least 3 --pairs, better 5")),
            (Some(n), _) if n > MOST_PAIRS => {
                Err(Failure::usage(format!("{n} pairs have no end; {MOST_PAIRS} are the most")))
            }
            _ if !(self.alpha > 0.0 && self.alpha < 0.5) => {
                Err(Failure::usage("--alpha is an error rate, such as 0.05"))
            }
            _ => Ok(()),
        }
    }

    /// Pairs at the next look, and its error rate.
    pub(super) fn next(&self, pairs: usize) -> Option<(usize, f64)> {
        match self.pairs {
            Some(fixed) => (pairs < fixed).then_some((fixed, self.alpha)),
            None => next_look(pairs).zip(look_alpha(self.alpha).ok()),
        }
    }

    /// How many pairs of a look of `until` there is time for, where `tried` pairs took `elapsed` and `kept` of them
    /// count; `None`: not enough to be worth beginning. Only the first look is made smaller.
    pub(super) fn in_time(
        &self,
        until: usize,
        tried: usize,
        kept: usize,
        elapsed: Duration,
    ) -> Option<usize> {
        let Some(limit) = self.max_time.filter(|_| tried > 0) else { return Some(until) };
        let a_pair = elapsed.div_f64(tried as f64);
        let left = limit.saturating_sub(elapsed);
        if a_pair.mul_f64((until - kept.min(until)) as f64) <= left {
            return Some(until);
        }
        let fitting = kept + (left.as_secs_f64() / a_pair.as_secs_f64().max(1e-9)) as usize;
        (tried == 1 && fitting >= MIN_PAIRS).then_some(fitting.min(until))
    }

    /// Pairs at the last look.
    pub(super) fn most(&self) -> usize {
        self.pairs.unwrap_or(LOOKS[LOOKS.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_begun_only_if_it_can_end_in_time_and_the_first_may_be_smaller() {
        let limit = |seconds| Looks {
            pairs: None,
            max_time: Some(Duration::from_secs(seconds)),
            alpha: 0.05,
            seed: 1,
            after: 0,
        };
        let second = Duration::from_secs(1);
        assert_eq!(limit(10).in_time(5, 1, 1, second), Some(5));
        assert_eq!(limit(4).in_time(5, 1, 1, second), Some(4));
        assert_eq!(limit(3).in_time(5, 1, 1, second), Some(3));
        assert_eq!(limit(2).in_time(5, 1, 1, second), None);
        assert_eq!(limit(2).in_time(5, 1, 1, 3 * second), None, "the first pair took it all");
        assert_eq!(limit(7).in_time(8, 5, 5, 5 * second), None, "a later look is whole or not begun");
        assert_eq!(limit(8).in_time(8, 5, 5, 5 * second), Some(8));
        let unlimited = Looks { max_time: None, ..limit(0) };
        assert_eq!(unlimited.in_time(5, 1, 1, second), Some(5));
    }

    #[test]
    fn looks_are_the_planned_ones_or_the_fixed_number() {
        let looks = Looks { pairs: None, max_time: None, alpha: 0.05, seed: 1, after: 0 };
        let steps: Vec<usize> =
            [0, 5, 8, 12, 20].iter().filter_map(|n| looks.next(*n).map(|(until, _)| until)).collect();
        assert_eq!(steps, LOOKS);
        assert_eq!(looks.most(), 20);
        let fixed = Looks { pairs: Some(3), ..looks };
        assert_eq!(fixed.most(), 3);
        assert_eq!((fixed.next(0), fixed.next(3)), (Some((3, 0.05)), None));
        let check = |pairs| Looks { pairs: Some(pairs), ..looks }.check().is_ok();
        assert_eq!([2, 3, MOST_PAIRS, MOST_PAIRS + 1].map(check), [false, true, true, false]);
    }
}
