//! Says when a running comparison may be looked at, and with which threshold.
//!
//! All looks share one threshold. There are no looks in between: every further look is another chance to be wrong.

use super::StatError;

/// Pairs at which a decision may be taken.
pub const LOOKS: [usize; 4] = [5, 8, 12, 20];

/// Overall two-sided error rates and the α of every single look that gives them, one threshold for all looks
/// as in S. J. Pocock, *Group sequential methods in the design and analysis of clinical trials*, Biometrika
/// 64, 1977. His table is for known variances and equal steps; these are for the tests that decide at [`LOOKS`], by
/// simulation: 5.0 and 0.9 % overall (`benches/verdicts.rs`).
const THRESHOLDS: [(f64, f64); 2] = [(0.05, 0.0163), (0.01, 0.0029)];

/// α of each look for an overall two-sided error rate of 5 % or 1 %. Fails for any other rate: its threshold
/// would have to be simulated first.
pub fn look_alpha(overall: f64) -> Result<f64, StatError> {
    THRESHOLDS.iter().find(|(rate, _)| (rate - overall).abs() < 1e-9).map(|&(_, alpha)| alpha).ok_or(
        StatError::OutOfRange {
            name: "overall error rate of sequential looks",
            value: overall,
            range: "0.05 or 0.01",
        },
    )
}

/// The first look with more than `pairs` pairs; `None` after the last.
pub fn next_look(pairs: usize) -> Option<usize> {
    LOOKS.into_iter().find(|&look| look > pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_in_order_and_end() {
        let mut pairs = 0;
        let mut seen = vec![];
        while let Some(look) = next_look(pairs) {
            seen.push(look);
            pairs = look;
        }
        assert_eq!(seen, LOOKS);
        assert_eq!((next_look(6), next_look(100)), (Some(8), None));
    }

    #[test]
    fn only_simulated_rates_have_a_threshold() {
        assert_eq!(look_alpha(0.05), Ok(0.0163));
        assert_eq!(look_alpha(0.01), Ok(0.0029));
        assert!(look_alpha(0.02).is_err() && look_alpha(f64::NAN).is_err());
    }
}
