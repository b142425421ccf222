//! Gives mean, variance and logarithms of a handful of numbers, and the checks that every estimator needs first.

use super::StatError;

/// Fails on the first value that is not finite.
pub(super) fn check_finite(values: &[f64]) -> Result<(), StatError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(StatError::NotFinite { index }),
        None => Ok(()),
    }
}

/// Fails unless there are at least `needed` values.
pub(super) fn check_count(what: &'static str, needed: usize, got: usize) -> Result<(), StatError> {
    if got < needed {
        return Err(StatError::TooFew { what, needed, got });
    }
    Ok(())
}

/// Fails unless `value` is in the open interval (lo, hi); NaN fails.
pub(super) fn check_open(
    name: &'static str,
    value: f64,
    (lo, hi): (f64, f64),
    range: &'static str,
) -> Result<(), StatError> {
    if value > lo && value < hi {
        return Ok(());
    }
    Err(StatError::OutOfRange { name, value, range })
}

/// Fails unless `value` is finite and not negative.
pub(super) fn check_not_negative(name: &'static str, value: f64) -> Result<(), StatError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(StatError::OutOfRange { name, value, range: "0 and above" })
}

/// Natural logarithms of positive finite values.
pub(super) fn logs(values: &[f64]) -> Result<Vec<f64>, StatError> {
    check_finite(values)?;
    match values.iter().position(|&v| v <= 0.0) {
        Some(index) => Err(StatError::NotPositive { index, value: values[index] }),
        None => Ok(values.iter().map(|v| v.ln()).collect()),
    }
}

/// Arithmetic mean; 0 for no values. Negating every value negates the mean exactly.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squared deviations from `mean`.
pub(super) fn squares_about(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|v| (v - mean) * (v - mean)).sum()
}

/// Mean and sample variance (n − 1); variance 0 below two values.
pub(super) fn mean_variance(values: &[f64]) -> (f64, f64) {
    let mean = mean(values);
    let df = values.len().saturating_sub(1);
    if df == 0 {
        return (mean, 0.0);
    }
    (mean, squares_about(values, mean) / df as f64)
}
