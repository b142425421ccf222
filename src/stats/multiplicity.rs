//! Adjusts the p values of a run for their number: among many cases, chance alone makes some look changed.

use super::{StatError, sample};

/// Expected share of false ones among the regressions (and, separately, improvements) of a run.
pub const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// Adjusted p values of the step-up procedure of Y. Benjamini and Y. Hochberg (J. R. Stat. Soc. B 57, 1995):
/// a hypothesis is rejected at false discovery rate q exactly if its adjusted value is ≤ q. In the order
/// given, each in [0, 1].
///
/// Valid for independent and for positively dependent p values, as those of metrics of one case are. Fails on
/// a value that is not finite or lies outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, StatError> {
    sample::check_finite(p_values)?;
    if let Some(&value) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(StatError::OutOfRange { name: "a p value", value, range: "0 to 1" });
    }
    let m = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[b].total_cmp(&p_values[a]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (above, &index) in order.iter().enumerate() {
        let rank = m - above as f64;
        // m/rank first: it is at least 1, so rounding cannot make an adjusted value smaller than its p.
        least = least.min(p_values[index] * (m / rank));
        adjusted[index] = least;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_values_by_hand() {
        let got = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]).expect("p values");
        let expected = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
        assert_eq!(benjamini_hochberg(&[]), Ok(vec![]));
        assert_eq!(benjamini_hochberg(&[0.2]), Ok(vec![0.2]));
        assert!(benjamini_hochberg(&[f64::NAN]).is_err());
        assert!(benjamini_hochberg(&[1.1]).is_err());
    }
}
