//! Finds the middle of a handful of numbers: [`median_by`] and [`geometric_mean`].

use std::cmp::Ordering;

/// The median in the order `order`, such as `u64::cmp` or `f64::total_cmp`; `None` without values. Of an even number
/// it is the upper of the two in the middle: a value that was there, in whole nanoseconds where those are counted.
pub fn median_by<T: Copy>(
    values: impl IntoIterator<Item = T>,
    order: impl FnMut(&T, &T) -> Ordering,
) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    let middle = values.len() / 2;
    // Selecting from nothing would panic.
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, order).1)
}

/// The exponential of the mean logarithm, because effects between processes multiply. `None` without values and where
/// one is negative or not finite; 0 where one is 0.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logs: f64 = values.iter().map(|v| v.ln()).sum();
    let mean = (logs / values.len() as f64).exp();
    mean.is_finite().then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_value_that_was_there() {
        assert_eq!(median_by([3_u64, 1, 2], u64::cmp), Some(2));
        assert_eq!(median_by([4_u64, 1, 3, 2], u64::cmp), Some(3), "the upper one of two");
        assert_eq!(median_by([f64::NAN, 0.5, 0.25], f64::total_cmp), Some(0.5));
        assert_eq!(median_by([], u64::cmp), None);
    }

    #[test]
    fn a_geometric_mean_is_a_number_or_nothing() {
        assert!((geometric_mean(&[1.0, 4.0]).expect("two values") - 2.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[0.0, 4.0]), Some(0.0));
        for odd in [&[][..], &[f64::NAN], &[-1.0], &[f64::INFINITY, 1.0]] {
            assert_eq!(geometric_mean(odd), None, "{odd:?}");
        }
    }
}
