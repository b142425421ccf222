//! Tests an effect by ranks: no process, however slow, counts for more than its rank.
//!
//! One outlying process in twenty makes any t interval too wide to decide; a rank test hardly notices it. It is exact
//! for every distribution that is the same in both arms when nothing changed.
//!
//! Every rank test here is a sorted list of estimates of D, and the distribution of how many of them chance puts on
//! one side of the true D. So its p values, its interval and its estimate always agree with each other.

use super::interval::Interval;
use super::{StatError, dist, sample};

/// Up to this many units the distribution is counted, beyond it normal: at 61 units that moves a tail of 0.8 % by 0.04
/// points at most.
const MAX_COUNTED: usize = 60;

/// A rank test of the centre D of some numbers, and the Hodges–Lehmann estimate and interval that belong to it (M.
/// Hollander, D. A. Wolfe & E. Chicken, *Nonparametric statistical methods*, 2014, chapters 3 and 4).
#[derive(Debug, Clone, PartialEq)]
pub struct RankTest {
    /// Estimates of D, ascending.
    centres: Vec<f64>,
    /// P(at most i of the centres are on one side of D), for i from 0 to their number.
    tail: Vec<f64>,
    /// Rounding can have moved every centre by so much.
    rounding: f64,
}

/// Wilcoxon's signed-rank test of numbers that are symmetric about D. Its centres are the averages of any two of them,
/// each with itself too.
///
/// `rounding`: the largest error that reading a clock gives a number. Quadratic in their count. Fails without numbers,
/// on those that are not finite, and on a bad `rounding`.
pub fn signed_rank(values: &[f64], rounding: f64) -> Result<RankTest, StatError> {
    sample::check_count("a signed-rank test", 1, values.len())?;
    sample::check_finite(values)?;
    let n = values.len();
    let from_each = values.iter().enumerate();
    let centres = from_each.flat_map(|(i, a)| values[i..].iter().map(move |b| average(*a, *b))).collect();
    let variance = (n * (n + 1) * (2 * n + 1)) as f64 / 24.0;
    RankTest::new(centres, rounding, n, variance, || signed_rank_ways(n))
}

/// The rank-sum test of Wilcoxon and of Mann and Whitney, of two samples that are alike but for a shift by D: its
/// centres are all differences `head` − `base`. Arguments and failures as in [`signed_rank`].
pub fn rank_sum(base: &[f64], head: &[f64], rounding: f64) -> Result<RankTest, StatError> {
    two_samples(base, head, rounding, |b, h| h - b)
}

/// The rank-sum test of a two-period crossover (G. G. Koch, *The use of non-parametric methods in the statistical
/// analysis of the two-period change-over design*, Biometrics 28, 1972): one sample has D + o, the other D − o, with o
/// unknown. The average of one number of each is a centre of D, whatever o is.
///
/// Exact where the noise of the numbers is symmetric, as that of a difference of two processes that are alike is.
/// Failures as in [`signed_rank`].
pub fn crossover(one: &[f64], other: &[f64], rounding: f64) -> Result<RankTest, StatError> {
    two_samples(one, other, rounding, average)
}

fn two_samples(
    a: &[f64],
    b: &[f64],
    rounding: f64,
    centre: impl Fn(f64, f64) -> f64,
) -> Result<RankTest, StatError> {
    sample::check_count("a rank-sum test", 1, a.len().min(b.len()))?;
    sample::check_finite(a)?;
    sample::check_finite(b)?;
    let (n, m) = (a.len(), b.len());
    let centres = a.iter().flat_map(|x| b.iter().map(|y| centre(*x, *y))).collect();
    let variance = (n * m * (n + m + 1)) as f64 / 12.0;
    RankTest::new(centres, rounding, n + m, variance, || rank_sum_ways(n, m))
}

fn average(a: f64, b: f64) -> f64 {
    0.5 * a + 0.5 * b
}

impl RankTest {
    fn new(
        mut centres: Vec<f64>,
        rounding: f64,
        units: usize,
        variance: f64,
        ways: impl Fn() -> Vec<f64>,
    ) -> Result<Self, StatError> {
        sample::check_not_negative("rounding", rounding)?;
        sample::check_finite(&centres)?;
        centres.sort_by(f64::total_cmp);
        let tail = if units <= MAX_COUNTED {
            let ways = ways();
            let all: f64 = ways.iter().sum();
            ways.iter()
                .scan(0.0, |sum, w| {
                    *sum += w;
                    Some((*sum / all).min(1.0))
                })
                .collect()
        } else {
            let (mean, sd) = (centres.len() as f64 / 2.0, variance.sqrt());
            (0..=centres.len()).map(|i| dist::normal_cdf((i as f64 + 0.5 - mean) / sd)).collect()
        };
        Ok(Self { centres, tail, rounding })
    }

    /// Whether the test can reject at the two-sided rate `alpha` at all: few units have few ranks.
    pub fn reaches(&self, alpha: f64) -> bool {
        self.tail[0] <= alpha / 2.0
    }

    /// The Hodges–Lehmann estimate of D: the median of the centres.
    pub fn estimate(&self) -> f64 {
        let n = self.centres.len();
        average(self.centres[(n - 1) / 2], self.centres[n / 2])
    }

    /// The bounds of D that the test does not reject at the two-sided rate `alpha`; all centres lie within where it
    /// cannot reject anything ([`RankTest::reaches`]).
    pub fn interval(&self, alpha: f64) -> Interval {
        let n = self.centres.len();
        let k = self.outside(alpha);
        Interval {
            lo: self.centres[k - 1] - self.rounding,
            est: self.estimate(),
            hi: self.centres[n - k] + self.rounding,
        }
    }

    /// The two-sided rate at which it rejects when asked for `alpha`, which is less: ranks have few p values.
    pub fn level(&self, alpha: f64) -> f64 {
        2.0 * self.tail[self.outside(alpha) - 1]
    }

    /// Which centre from either end is the first within the interval, counted from 1.
    fn outside(&self, alpha: f64) -> usize {
        let rejected = self.tail.partition_point(|p| *p <= alpha / 2.0);
        rejected.clamp(1, self.centres.len().div_ceil(2))
    }

    /// Two-sided p of H0 "D = 0".
    pub fn p_zero(&self) -> f64 {
        (2.0 * self.p_above(0.0).min(self.p_below(0.0))).min(1.0)
    }

    /// One-sided p of H0 "D ≤ bound"; at most `alpha`/2 exactly if the interval at `alpha` is above the bound.
    pub fn p_above(&self, bound: f64) -> f64 {
        self.tail[self.centres.partition_point(|c| c - self.rounding <= bound)]
    }

    /// One-sided p of H0 "D ≥ bound".
    pub fn p_below(&self, bound: f64) -> f64 {
        self.tail[self.centres.len() - self.centres.partition_point(|c| c + self.rounding < bound)]
    }
}

/// In how many of the 2^n patterns of signs the positive ranks have each sum.
fn signed_rank_ways(n: usize) -> Vec<f64> {
    let mut ways = vec![0.0; n * (n + 1) / 2 + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways
}

/// In how many orders of n and m values each number of pairs (one of either) is inverted.
fn rank_sum_ways(n: usize, m: usize) -> Vec<f64> {
    // ways[k][u]: k of the n are among the values so far, with u inversions.
    let mut ways = vec![vec![0.0; n * m + 1]; n + 1];
    ways[0][0] = 1.0;
    for place in 0..n + m {
        for k in (place.saturating_sub(m)..n.min(place + 1)).rev() {
            let inverted = place - k;
            let (from, to) = ways.split_at_mut(k + 1);
            for (to, from) in to[0][inverted..].iter_mut().zip(&from[k]) {
                *to += from;
            }
        }
    }
    ways.swap_remove(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const D: [f64; 8] = [0.021, 0.035, -0.004, 0.018, 0.027, 0.009, 0.040, 0.013];

    fn tail(ways: &[f64], upto: usize) -> f64 {
        ways[..=upto].iter().sum::<f64>() / ways.iter().sum::<f64>()
    }

    #[test]
    fn tails_are_the_tabulated_ones() {
        // For n = 10, P(W ≤ 8) = .0244 and P(W ≤ 10) = .0420.
        let ten = signed_rank_ways(10);
        assert!((tail(&ten, 8) - 0.0244).abs() < 5e-5 && (tail(&ten, 10) - 0.0420).abs() < 5e-5);
        // For 4 and 4, P(U = 0) = 1/70; for 6 and 6, P(U ≤ 5) = 19/924.
        assert_eq!(rank_sum_ways(4, 4)[0], 1.0);
        assert_eq!(rank_sum_ways(4, 4).iter().sum::<f64>(), 70.0);
        assert!((tail(&rank_sum_ways(6, 6), 5) - 19.0 / 924.0).abs() < 1e-12);
        assert_eq!(rank_sum_ways(3, 5), rank_sum_ways(5, 3));
    }

    #[test]
    fn the_signed_rank_test_by_hand() {
        let test = signed_rank(&[1.0, 2.0, 6.0], 0.0).expect("three values");
        // Averages 1, 1.5, 2, 3.5, 4, 6.
        assert_eq!((test.estimate(), test.p_above(0.0), test.p_below(0.0)), (2.75, 0.125, 1.0));
        assert!(!test.reaches(0.2) && test.reaches(0.25));
        // The only rank against is the smallest, so W = 1 of 36.
        let test = signed_rank(&D, 0.0).expect("eight values");
        assert_eq!((test.p_above(0.0), test.p_zero()), (2.0 / 256.0, 4.0 / 256.0));
        // P(W ≤ 3) = 5/256 = .0195.
        assert_eq!((test.level(0.05), test.interval(0.05).lo), (10.0 / 256.0, test.centres[3]));
        assert_eq!(signed_rank(&[0.0; 6], 0.0).expect("zeros").p_zero(), 1.0, "ties speak against a change");
    }

    #[test]
    fn rank_sums_by_hand() {
        let test = rank_sum(&[1.0, 2.0, 3.0], &[4.0, 5.0, 7.0], 0.0).expect("two samples");
        assert_eq!((test.estimate(), test.p_above(0.0), test.p_above(1.0)), (3.0, 1.0 / 20.0, 2.0 / 20.0));
        // D = 2, and an order that adds 10 to one sample and takes it from the other.
        let test = crossover(&[11.0, 12.0, 13.0], &[-9.0, -8.0, -7.0], 0.0).expect("two samples");
        assert_eq!((test.estimate(), test.p_above(0.0)), (2.0, 1.0 / 20.0));
    }

    #[test]
    fn the_interval_and_the_p_values_say_the_same() {
        let mut rng = Rng::new(3);
        for round in 0..200_usize {
            let n = 5 + round % 20;
            let x: Vec<f64> = (0..n).map(|_| 0.4 + rng.normal()).collect();
            let (one, other) = x.split_at(n / 2);
            for test in [signed_rank(&x, 0.01), rank_sum(one, other, 0.0), crossover(one, other, 0.0)] {
                let test = test.expect("usable");
                for alpha in [0.3, 0.05, 0.0163] {
                    let interval = test.interval(alpha);
                    assert!(interval.lo <= interval.est && interval.est <= interval.hi);
                    for bound in [-0.5, 0.0, 0.2] {
                        let can = test.reaches(alpha);
                        assert_eq!(can && interval.lo > bound, test.p_above(bound) <= alpha / 2.0);
                        assert_eq!(can && interval.hi < bound, test.p_below(bound) <= alpha / 2.0);
                    }
                }
            }
        }
    }

    #[test]
    fn the_normal_approximation_joins_on() {
        let n = MAX_COUNTED + 1;
        let (half, values) = (n / 2, vec![0.0; n]);
        let near = |test: RankTest, ways: &[f64]| {
            for (i, approximate) in test.tail.iter().enumerate() {
                let exact = tail(ways, i);
                let allowed = if exact < 0.0082 { 4e-4 } else { 2e-3 };
                assert!((exact - approximate).abs() < allowed, "{i}: {exact} {approximate}");
            }
        };
        near(signed_rank(&values, 0.0).expect("many"), &signed_rank_ways(n));
        let ways = rank_sum_ways(half, n - half);
        near(rank_sum(&values[..half], &values[half..], 0.0).expect("many"), &ways);
    }

    #[test]
    fn rounding_widens_the_interval() {
        let (exact, coarse) = (signed_rank(&D, 0.0).expect("usable"), signed_rank(&D, 0.02).expect("usable"));
        assert_eq!(coarse.interval(0.05).lo, exact.interval(0.05).lo - 0.02);
        assert!(coarse.p_above(0.0) > exact.p_above(0.0));
    }

    #[test]
    fn unusable_values_are_errors() {
        assert!(signed_rank(&[], 0.0).is_err() && signed_rank(&[f64::NAN], 0.0).is_err());
        assert!(signed_rank(&[0.1], f64::NAN).is_err() && signed_rank(&[0.1], -1.0).is_err());
        assert!(rank_sum(&[], &[1.0], 0.0).is_err() && rank_sum(&[1.0], &[f64::INFINITY], 0.0).is_err());
        assert!(rank_sum(&[f64::MIN], &[f64::MAX], 0.0).is_err(), "their difference is not finite");
    }
}
