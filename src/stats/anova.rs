//! One-way analysis of variance with random effects: how much groups differ, and how much the values of a group
//! (Searle, Casella & McCulloch, *Variance components*, 1992, ch. 3).

use super::{StatError, sample};

/// The mean squares of values in groups.
pub(super) struct OneWay {
    /// Between groups.
    pub msb: f64,
    /// Within groups.
    pub msw: f64,
    /// What a group counts for: (N − Σn_i²/N)/(k − 1).
    pub n0: f64,
    /// k − 1.
    pub df_between: f64,
    /// N − k.
    pub df_within: f64,
}

impl OneWay {
    /// Of groups that are not all empty. Empty ones count for nothing.
    pub fn of(groups: &[&[f64]]) -> Self {
        let all = groups.concat();
        let (total, grand) = (all.len(), sample::mean(&all));
        let k = groups.iter().filter(|group| !group.is_empty()).count();
        let (mut between, mut within, mut squares) = (0.0, 0.0, 0.0);
        for group in groups {
            let (mean, n) = (sample::mean(group), group.len() as f64);
            between += n * (mean - grand) * (mean - grand);
            within += sample::squares_about(group, mean);
            squares += n * n;
        }
        let (df_between, df_within) = ((k - 1) as f64, (total - k) as f64);
        Self {
            msb: between / df_between,
            msw: within / df_within,
            n0: (total as f64 - squares / total as f64) / df_between,
            df_between,
            df_within,
        }
    }
}

/// Standard deviations of log summaries: 0.005 is about 0.5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceComponents {
    /// Between groups, beyond what their values explain.
    pub between_sd: f64,
    /// Between the values of a group.
    pub within_sd: f64,
}

/// Splits the spread of positive values in groups: σ²_within = MSW and σ²_between = (MSB − MSW)/n₀, the ANOVA estimates,
/// which are unbiased where values are independent within their groups. Where groups differ by less than their values
/// explain, σ²_between is taken to be 0.
///
/// Fails below two groups, where no group has two values, and on values that are not finite and positive (the index
/// counts over all groups).
pub fn variance_components(groups: &[Vec<f64>]) -> Result<VarianceComponents, StatError> {
    let k = groups.iter().filter(|group| !group.is_empty()).count();
    sample::check_count("the spread between groups", 2, k)?;
    let all = sample::logs(&groups.concat())?;
    sample::check_count("the spread within groups", k + 1, all.len())?;
    let logs: Vec<Vec<f64>> =
        groups.iter().map(|group| group.iter().map(|value| value.ln()).collect()).collect();
    let OneWay { msb, msw, n0, .. } = OneWay::of(&logs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    Ok(VarianceComponents { between_sd: ((msb - msw) / n0).max(0.0).sqrt(), within_sd: msw.sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_hand_calculation_of_unequal_groups() {
        // Logarithms 1 3, 5 5 8: means 2 and 6, grand mean 4.4; squares between 2·5.76 + 3·2.56 = 19.2, within 2 + 6.
        let groups = [vec![1.0_f64, 3.0], vec![5.0, 5.0, 8.0]].map(|g| g.into_iter().map(f64::exp).collect());
        let found = variance_components(&groups).expect("two groups");
        let n0 = 5.0 - 13.0 / 5.0;
        assert!((found.within_sd - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{found:?}");
        assert!((found.between_sd - ((19.2_f64 - 8.0 / 3.0) / n0).sqrt()).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn both_components_are_found_again() {
        let mut rng = Rng::new(7);
        let mut square = [0.0; 2];
        for _ in 0..400 {
            let mut group = || {
                let level = 0.02 * rng.normal();
                (0..4).map(|_| (level + 0.005 * rng.normal()).exp()).collect::<Vec<f64>>()
            };
            let groups: Vec<Vec<f64>> = (0..5).map(|_| group()).collect();
            let found = variance_components(&groups).expect("five groups");
            square[0] += found.between_sd.powi(2) / 400.0;
            square[1] += found.within_sd.powi(2) / 400.0;
        }
        let [between, within] = square.map(f64::sqrt);
        assert!((between / 0.02 - 1.0).abs() < 0.08 && (within / 0.005 - 1.0).abs() < 0.08, "{square:?}");
    }

    #[test]
    fn groups_that_differ_by_less_than_their_values_explain_do_not_differ() {
        let found = variance_components(&[vec![1.0, 1.2], vec![1.2, 1.0]]).expect("two groups");
        assert_eq!(found.between_sd, 0.0);
        assert!(found.within_sd > 0.1);
        for unusable in [vec![vec![1.0, 2.0]], vec![vec![1.0], vec![2.0]], vec![vec![1.0, 0.0], vec![2.0]]] {
            assert!(variance_components(&unusable).is_err(), "{unusable:?}");
        }
    }
}
