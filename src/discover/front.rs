//! Finds who is best at what: the Pareto front of latency against throughput.

/// Whether each of `points` (latency, throughput) is on the front: no other has at most the latency and at least the
/// throughput, one of them strictly. Equal points are on it together. What is not finite is on no front.
pub fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
    points
        .iter()
        .map(|p| finite(p) && !points.iter().any(|other| finite(other) && dominates(*other, *p)))
        .collect()
}

fn dominates(a: (f64, f64), b: (f64, f64)) -> bool {
    a.0 <= b.0 && a.1 >= b.1 && a != b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_front_is_who_is_best_at_something() {
        let points = [(1.0, 10.0), (2.0, 30.0), (2.0, 20.0), (3.0, 30.0), (4.0, 40.0), (f64::NAN, 99.0)];
        assert_eq!(front(&points), [true, true, false, false, true, false]);
        assert_eq!(front(&[(1.0, 1.0), (1.0, 1.0)]), [true, true]);
        assert!(front(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nobody_on_it_is_dominated_and_everyone_off_it_is(points in vec((0_u8..20, 0_u8..20), 0..40)) {
            let points: Vec<(f64, f64)> = points.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).collect();
            let on = front(&points);
            let beaten_by_the_front = |p: (f64, f64)| {
                points.iter().zip(&on).any(|(other, on)| *on && dominates(*other, p))
            };
            for (p, on) in points.iter().zip(&on) {
                prop_assert_eq!(*on, !beaten_by_the_front(*p), "{:?}", p);
            }
            let mut reversed = points.clone();
            reversed.reverse();
            let mut again = front(&reversed);
            again.reverse();
            prop_assert_eq!(again, on);
        }
    }
}
