//! The order of the two arms of a pair (Kalibera & Jones 2013; Bulej et al. 2020): drawn for one pair and reversed in the
//! next, so that slow drift cancels.

use crate::rng::Rng;

/// Which arm goes first: drawn, then reversed, then drawn anew.
pub(super) struct Alternation {
    rng: Rng,
    reversed: Option<usize>,
}

impl Alternation {
    /// The order of this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), reversed: None }
    }

    /// The arm that goes first in the next pair: 0 or 1.
    pub fn next(&mut self) -> usize {
        if let Some(arm) = self.reversed.take() {
            return arm;
        }
        let first = usize::from(self.rng.coin());
        self.reversed = Some(1 - first);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_balanced_every_two_pairs_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut order = Alternation::new(seed);
            (0..40).map(|_| order.next()).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert!(drawn.chunks(2).all(|p| p[0] + p[1] == 1), "ABBA or BAAB");
        assert_eq!(drawn, draw(7));
        assert!(drawn.chunks(2).any(|p| p[0] == 0) && drawn.chunks(2).any(|p| p[0] == 1));
    }
}
