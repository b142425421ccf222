//! Finds where a long series, one value per session, changed its level or its shape for good.
//!
//! A change point is no verdict on a commit: the sessions were not paired, and whether a change matters is decided by a
//! comparison (`compare`).
//!
//! The method is E-divisive (D. S. Matteson and N. A. James, *A nonparametric approach for multiple change point
//! analysis of multivariate data*, JASA 109:334–345, 2014; N. A. James and D. S. Matteson, *ecp: an R package for
//! nonparametric multiple change point analysis of multivariate data*, JSS 62(7), 2015) with exponent 1. It was chosen
//! for benchmark histories before: D. Daly et al., *The use of change point detection to identify software performance
//! regressions in a continuous integration system*, ICPE 2020.

use super::{StatError, sample};
use crate::rng::Rng;

/// Fewer sessions than this between two changes are not told from an outlier.
const MIN_SEGMENT: usize = 3;

/// The shortest series: with 7 values even a perfect step (3 and 4) is matched by 2 of the 35 ways to deal them out,
/// so that p cannot reach [`ALPHA`].
const MIN_SERIES: usize = 8;

/// The longest series. The search takes n² steps per permutation: a second or so at this length.
pub const MAX_SERIES: usize = 1000;

/// Permutations per test, as many as the ecp package does; p is a multiple of 1/([`PERMUTATIONS`] + 1).
pub const PERMUTATIONS: usize = 199;

/// A change with a larger p is not reported: the chance that a series without any change gets one.
pub const ALPHA: f64 = 0.05;

/// One change of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value after the change, in [`MIN_SEGMENT`]..=n − [`MIN_SEGMENT`].
    pub at: usize,
    /// Mean of the values from the change before this one (or the start) to this one.
    pub before: f64,
    /// Mean of the values from this change to the next one (or the end).
    pub after: f64,
    /// Share of permutations that show as strong a change, in (0, [`ALPHA`]].
    pub p: f64,
}

/// The changes of `values` in order. With X = the m values before a split of a segment and Y = the n values from there
/// to a second split κ (or the segment's end), the strength of the split is
///
/// Q = mn/(m+n) · [ 2/(mn) ΣΣ|Xᵢ−Yⱼ| − (m choose 2)⁻¹ Σ|Xᵢ−Xₖ| − (n choose 2)⁻¹ Σ|Yⱼ−Yₖ| ]
///
/// (their equations 5 to 7 with exponent 1). The strongest split of all segments is tested by shuffling the values
/// within the segments found so far, [`PERMUTATIONS`] times: p = (1 + number of shuffles with a Q as large)/(1 +
/// number of shuffles). If p ≤ [`ALPHA`] the segment is split there and the search begins again, otherwise it ends.
/// So a series of independent, equally distributed values gets a change with probability ≤ [`ALPHA`]. Values that
/// depend on their predecessors (a machine that drifts) are called changed more often.
///
/// Shifting or scaling all values moves no change and no p. The same `seed` gives the same answer. Pass logarithms, so
/// that a change by a factor is the same at every level.
///
/// Fails with fewer than [`MIN_SERIES`] or more than [`MAX_SERIES`] values, and on values that are not finite.
pub fn change_points(values: &[f64], seed: u64) -> Result<Vec<ChangePoint>, StatError> {
    sample::check_count("a search for change points", MIN_SERIES, values.len())?;
    if values.len() > MAX_SERIES {
        return Err(StatError::OutOfRange {
            name: "number of sessions",
            value: values.len() as f64,
            range: "8 to 1000",
        });
    }
    sample::check_finite(values)?;
    let Some(scale) = Scale::of(values) else { return Ok(Vec::new()) };
    let shares: Vec<f64> = values.iter().map(|v| scale.share(*v)).collect();
    // Starts of segments, with the p of the change that made them; the first is no change.
    let mut starts: Vec<(usize, f64)> = vec![(0, 1.0)];
    while let Some((at, strength)) = strongest(&shares, &starts) {
        // Every test has a stream of its own, so that one that ends early shifts no other.
        let mut rng = Rng::stream(seed, starts.len() as u64);
        let Some(p) = significance(&shares, &starts, strength, &mut rng) else { break };
        starts.push((at, p));
        starts.sort_unstable_by_key(|(start, _)| *start);
    }
    let level = |i: usize| {
        let end = starts.get(i + 1).map_or(shares.len(), |s| s.0);
        scale.value(sample::mean(&shares[starts[i].0..end]))
    };
    Ok((1..starts.len())
        .map(|i| ChangePoint { at: starts[i].0, before: level(i - 1), after: level(i), p: starts[i].1 })
        .collect())
}

/// Maps values to their share of the range, so that no sum overflows and units do not matter.
struct Scale {
    low: f64,
    /// Half of the range: the whole may be more than the largest number.
    half: f64,
}

impl Scale {
    /// `None` where nothing varies.
    fn of(values: &[f64]) -> Option<Self> {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let half = high / 2.0 - low / 2.0;
        (half > 0.0).then_some(Self { low, half })
    }

    fn share(&self, value: f64) -> f64 {
        (value / 2.0 - self.low / 2.0) / self.half
    }

    fn value(&self, share: f64) -> f64 {
        self.low + self.half * share + self.half * share
    }
}

/// The strongest split of any segment; `None` where all are too short.
fn strongest(values: &[f64], starts: &[(usize, f64)]) -> Option<(usize, f64)> {
    segments(values.len(), starts)
        .filter_map(|(from, to)| best_split(&values[from..to]).map(|(at, q)| (from + at, q)))
        .reduce(|best, other| if other.1 > best.1 { other } else { best })
}

fn segments(len: usize, starts: &[(usize, f64)]) -> impl Iterator<Item = (usize, usize)> {
    let ends = starts.iter().skip(1).map(|s| s.0).chain([len]);
    starts.iter().map(|s| s.0).zip(ends)
}

/// The split of one segment with the largest Q, over both its place and the end of what follows it. Quadratic in time,
/// linear in memory: sums of distances are built up value by value.
fn best_split(x: &[f64]) -> Option<(usize, f64)> {
    let len = x.len();
    if len < 2 * MIN_SEGMENT {
        return None;
    }
    // within_head[k]: distances among the first k values.
    let mut within_head = vec![0.0; len + 1];
    for k in 0..len {
        within_head[k + 1] = within_head[k] + x[..k].iter().map(|v| (v - x[k]).abs()).sum::<f64>();
    }
    // within_tail[k]: distances among the values from the split to before k.
    let mut within_tail = vec![0.0; len + 1];
    let inverse: Vec<f64> = (0..=len).map(|k| 1.0 / k as f64).collect();
    let mut best: Option<(usize, f64)> = None;
    for split in (MIN_SEGMENT..len).rev() {
        let (m, head) = (split as f64, within_head[split]);
        let per_tail_value = head * inverse[split - 1];
        let mut row = 0.0;
        let ends = x[split..].iter().zip(&mut within_tail[split + 1..]).zip(&within_head[split + 1..]);
        for (i, ((value, tail), all)) in ends.enumerate() {
            row += (x[split] - value).abs();
            *tail += row;
            let n = i + 1;
            if n < MIN_SEGMENT {
                continue;
            }
            let between = all - head - *tail;
            let within = n as f64 * per_tail_value + m * *tail * inverse[n - 1];
            let q = 2.0 * (between - within) * inverse[split + n];
            if best.is_none_or(|(_, strongest)| q > strongest) {
                best = Some((split, q));
            }
        }
    }
    best
}

/// p of the strongest split, or `None` as soon as it is sure to be above [`ALPHA`].
fn significance(values: &[f64], starts: &[(usize, f64)], strength: f64, rng: &mut Rng) -> Option<f64> {
    let limit = ALPHA * (PERMUTATIONS + 1) as f64;
    // Shuffles sum in another order: what differs by rounding alone is as strong.
    let strength = strength - 1e-9 * strength.abs();
    let mut shuffled = values.to_vec();
    let mut as_strong = 1_usize;
    for _ in 0..PERMUTATIONS {
        for (from, to) in segments(values.len(), starts) {
            rng.shuffle(&mut shuffled[from..to]);
        }
        as_strong += usize::from(strongest(&shuffled, starts).is_some_and(|(_, q)| q >= strength));
        if as_strong as f64 > limit {
            return None;
        }
    }
    Some(as_strong as f64 / (PERMUTATIONS + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Normal noise of `sd` around the level that `levels` (length, level) give.
    fn series(levels: &[(usize, f64)], sd: f64, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let mut values = Vec::new();
        for &(n, level) in levels {
            values.extend((0..n).map(|_| level + sd * rng.normal()));
        }
        values
    }

    fn places(values: &[f64]) -> Vec<usize> {
        change_points(values, 1).expect("usable").iter().map(|c| c.at).collect()
    }

    /// Q from its definition, for every pair of splits.
    fn slow_best(x: &[f64]) -> (usize, f64) {
        let mean = |a: &[f64], b: &[f64]| {
            let sum: f64 = a.iter().flat_map(|u| b.iter().map(move |v| (u - v).abs())).sum();
            sum / (a.len() * b.len()) as f64
        };
        let among = |a: &[f64]| mean(a, a) * a.len() as f64 / (a.len() - 1) as f64;
        let mut best = (0, f64::NEG_INFINITY);
        for split in MIN_SEGMENT..=x.len() - MIN_SEGMENT {
            for end in split + MIN_SEGMENT..=x.len() {
                let (a, b) = (&x[..split], &x[split..end]);
                let (m, n) = (a.len() as f64, b.len() as f64);
                let q = m * n / (m + n) * (2.0 * mean(a, b) - among(a) - among(b));
                if q > best.1 {
                    best = (split, q);
                }
            }
        }
        best
    }

    #[test]
    fn the_quick_sums_are_the_definition() {
        for seed in 0..20 {
            let x = series(&[(5, 0.0), (6 + seed as usize % 3, 1.0)], 0.5, seed);
            let (quick, slow) = (best_split(&x).expect("long enough"), slow_best(&x));
            assert_eq!(quick.0, slow.0);
            assert!((quick.1 - slow.1).abs() < 1e-9, "{quick:?} {slow:?}");
        }
        assert_eq!(best_split(&[1.0; 5]), None);
    }

    #[test]
    fn noise_alone_is_rarely_called_a_change() {
        for (n, runs) in [(8, 400), (25, 400), (60, 200)] {
            let called = (0..runs)
                .filter(|seed| {
                    let x = series(&[(n, 0.0)], 1.0, 1000 + seed);
                    !change_points(&x, *seed).expect("usable").is_empty()
                })
                .count();
            // 5 % and twice the standard error of that many runs.
            let limit = runs as f64 * (0.05 + 2.0 * (0.05 * 0.95 / runs as f64).sqrt());
            assert!(called as f64 <= limit, "{n}: {called} of {runs}");
        }
    }

    #[test]
    fn clear_steps_are_found_where_they_are() {
        for seed in 0..10 {
            assert_eq!(places(&series(&[(12, 0.0), (15, 1.0)], 0.05, seed))[..1], [12], "{seed}");
            let three = places(&series(&[(10, 0.0), (10, 1.0), (10, 0.4)], 0.03, seed));
            assert!(three.contains(&10) && three.contains(&20), "{seed}: {three:?}");
            // A regression that was mended soon: the whole of the rest looks like the start.
            let mended = places(&series(&[(15, 0.0), (4, 1.0), (15, 0.0)], 0.05, seed));
            assert!(mended.contains(&15) && mended.contains(&19), "{seed}: {mended:?}");
        }
    }

    #[test]
    fn a_change_tells_both_levels_and_its_p() {
        let x = [1.0, 1.1, 0.9, 1.0, 3.0, 3.1, 2.9, 3.0];
        let found = change_points(&x, 7).expect("usable");
        assert_eq!(found.len(), 1);
        let c = found[0];
        assert_eq!(c.at, 4);
        assert!((c.before - 1.0).abs() < 1e-12 && (c.after - 3.0).abs() < 1e-12, "{c:?}");
        // 2 of the 70 ways to deal out eight values.
        assert!((c.p - 2.0 / 70.0).abs() < 0.02, "{c:?}");
        assert_eq!(found, change_points(&x, 7).expect("usable"));
    }

    #[test]
    fn what_cannot_be_searched_is_said() {
        assert!(matches!(change_points(&[1.0; 7], 1), Err(StatError::TooFew { needed: 8, got: 7, .. })));
        let mut x = vec![1.0; 12];
        assert_eq!(change_points(&x, 1), Ok(vec![]), "nothing varies");
        x[3] = f64::NAN;
        assert_eq!(change_points(&x, 1), Err(StatError::NotFinite { index: 3 }));
        assert!(change_points(&vec![0.0; MAX_SERIES + 1], 1).is_err());
    }

    #[test]
    fn the_longest_series_is_searched() {
        let x = series(&[(600, 0.0), (400, 3.0)], 1.0, 3);
        let cut = best_split(&x).expect("long enough");
        assert!((595..=605).contains(&cut.0), "{cut:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn shift_and_scale_change_nothing(
            x in vec(0.0..1.0_f64, 8..24), step in 0.0..3.0_f64, shift in -50.0..50.0_f64, scale in 0.01..100.0_f64,
        ) {
            let half = x.len() / 2;
            let x: Vec<f64> = x.iter().enumerate().map(|(i, v)| v + if i < half { 0.0 } else { step }).collect();
            let moved: Vec<f64> = x.iter().map(|v| shift + scale * v).collect();
            let (a, b) = (change_points(&x, 3).expect("usable"), change_points(&moved, 3).expect("usable"));
            prop_assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(&b) {
                prop_assert_eq!((a.at, a.p), (b.at, b.p));
                prop_assert!((shift + scale * a.after - b.after).abs() < 1e-6 * scale);
            }
        }

        #[test]
        fn any_numbers_give_an_error_or_sound_changes(x in vec(any::<f64>(), 0..30), seed: u64) {
            if let Ok(found) = change_points(&x, seed) {
                let mut last = 0;
                for c in found {
                    prop_assert!(c.at >= last + MIN_SEGMENT && c.at + MIN_SEGMENT <= x.len());
                    prop_assert!(c.p > 0.0 && c.p <= ALPHA && c.before.is_finite() && c.after.is_finite());
                    last = c.at;
                }
            }
        }
    }
}
