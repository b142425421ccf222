//! Tests log ratios without assuming a normal distribution: sign flips, signed ranks, and the Hodges–Lehmann estimate.
//!
//! The input is one oriented log ratio per pair; the results are [`CrossCheck`]s for [`mod@super::decide`]. An exact
//! test does not overrule the t interval: it can only withhold a decision that the interval would make alone.

use super::decide::CrossCheck;
use super::interval::Interval;
use super::{StatError, dist, sample};
use crate::rng::Rng;

/// Up to this many pairs every one of the 2^R sign patterns is counted; beyond it a random sample of
/// patterns.
pub const MAX_EXACT_FLIPS: usize = 32;

/// Patterns drawn beyond [`MAX_EXACT_FLIPS`]: a p of 0.01 is then known to ±0.0002.
const RANDOM_FLIPS: u32 = 100_000;

/// Up to this many pairs the distribution of the signed-rank sum is exact, beyond it normal (error below 10⁻⁴
/// there).
const MAX_EXACT_RANKS: usize = 200;

/// Sums that differ by less than this share of their size are the same sum in another order.
const ROUNDING: f64 = 1e-12;

/// The sign-flip (Fisher–Pitman) permutation test at the three places a decision looks: under H0 "D = b" the
/// sign of each d_p − b is a fair coin, because which arm got which process of a pair was drawn by lot.
///
/// `seed` is used beyond [`MAX_EXACT_FLIPS`] pairs only. Fails without pairs, on values that are not finite
/// and on a margin that is negative or not finite.
pub fn sign_flip(log_ratios: &[f64], margin: f64, seed: u64) -> Result<CrossCheck, StatError> {
    cross_check("sign flip", log_ratios, margin, |x| p_flip_above_zero(x, seed))
}

/// Wilcoxon's signed-rank test at the three places a decision looks; mid-ranks for ties, and zeros ranked and
/// then set aside (J. W. Pratt, JASA 54, 1959). The distribution is that of the ranks as they are, so ties do
/// not spoil the level.
///
/// Fails like [`sign_flip`].
pub fn signed_rank(log_ratios: &[f64], margin: f64) -> Result<CrossCheck, StatError> {
    cross_check("signed rank", log_ratios, margin, p_rank_above_zero)
}

/// `p(x)`: one-sided p of H0 "the centre of x is ≤ 0". The other direction is the same test of −x, so that
/// swapping the arms mirrors every p exactly.
fn cross_check(
    name: &'static str,
    log_ratios: &[f64],
    margin: f64,
    p: impl Fn(&[f64]) -> f64,
) -> Result<CrossCheck, StatError> {
    sample::check_not_negative("margin", margin)?;
    sample::check_count(name, 1, log_ratios.len())?;
    sample::check_finite(log_ratios)?;
    let above = |bound: f64| p(&log_ratios.iter().map(|d| d - bound).collect::<Vec<_>>());
    let below = |bound: f64| p(&log_ratios.iter().map(|d| bound - d).collect::<Vec<_>>());
    Ok(CrossCheck {
        name,
        p_zero: (2.0 * above(0.0).min(below(0.0))).min(1.0),
        p_above_margin: above(margin),
        p_below_minus_margin: below(-margin),
        p_above_minus_margin: above(-margin),
        p_below_margin: below(margin),
        p_floor: smallest_p(log_ratios.len()),
    })
}

/// 2^(1−R), the smallest two-sided p that R signs can give.
fn smallest_p(pairs: usize) -> f64 {
    0.5_f64.powi(pairs.saturating_sub(1).min(1000) as i32)
}

/// Share of sign patterns with a sum of at least the observed one.
fn p_flip_above_zero(x: &[f64], seed: u64) -> f64 {
    let sizes: Vec<f64> = x.iter().map(|v| v.abs()).collect();
    let slack = ROUNDING * sizes.iter().sum::<f64>();
    let threshold = x.iter().sum::<f64>() - slack;
    if x.len() > MAX_EXACT_FLIPS {
        return p_random_flips(&sizes, threshold, seed);
    }
    // Meet in the middle: the sums of each half, sorted; for every left sum the right sums that complete it
    // are a suffix.
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, right) = (sorted_signed_sums(left), sorted_signed_sums(right));
    let mut first = right.len();
    let mut count = 0_u64;
    for sum in &left {
        while first > 0 && sum + right[first - 1] >= threshold {
            first -= 1;
        }
        count += (right.len() - first) as u64;
    }
    count as f64 / (left.len() as f64 * right.len() as f64)
}

/// All 2^k sums ±x_1 ± … ± x_k in ascending order: each value merges two shifted copies of the list so far.
fn sorted_signed_sums(sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for &size in sizes {
        let mut merged = Vec::with_capacity(2 * sums.len());
        let mut raised = sums.iter().map(|s| s + size).peekable();
        for lowered in sums.iter().map(|s| s - size) {
            while let Some(next) = raised.next_if(|&r| r < lowered) {
                merged.push(next);
            }
            merged.push(lowered);
        }
        merged.extend(raised);
        sums = merged;
    }
    sums
}

/// (1 + hits)/(1 + draws), which never claims a p of 0 (Phipson & Smyth 2010).
fn p_random_flips(sizes: &[f64], threshold: f64, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let mut hits = 0_u32;
    for _ in 0..RANDOM_FLIPS {
        let mut sum = 0.0;
        for chunk in sizes.chunks(64) {
            let mut bits = rng.next_u64();
            for size in chunk {
                sum += if bits & 1 == 1 { *size } else { -size };
                bits >>= 1;
            }
        }
        hits += u32::from(sum >= threshold);
    }
    f64::from(hits + 1) / f64::from(RANDOM_FLIPS + 1)
}

/// P(sum of positive ranks ≥ observed) under random signs.
fn p_rank_above_zero(x: &[f64]) -> f64 {
    // Twice the mid-rank is an integer.
    let doubled = doubled_midranks(x);
    let observed: usize = x.iter().zip(&doubled).filter(|(v, _)| **v > 0.0).map(|(_, r)| r).sum();
    let ranks: Vec<usize> = x.iter().zip(&doubled).filter(|(v, _)| **v != 0.0).map(|(_, r)| *r).collect();
    if ranks.is_empty() {
        return 1.0;
    }
    if ranks.len() > MAX_EXACT_RANKS {
        let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
        let variance = ranks.iter().map(|&r| (r as f64 / 2.0).powi(2)).sum::<f64>();
        // Half a step of the doubled sum, which moves by 2 without ties.
        return dist::normal_cdf((mean + 1.0 - observed as f64) / variance.sqrt());
    }
    rank_sum_distribution(&ranks)[observed..].iter().sum::<f64>().min(1.0)
}

/// Twice the rank of each |x|, ties sharing the middle of their ranks.
fn doubled_midranks(x: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs()));
    let mut doubled = vec![0; x.len()];
    let mut start = 0;
    while start < order.len() {
        let size = x[order[start]].abs();
        let tied = order[start..].iter().take_while(|&&i| x[i].abs() - size <= ROUNDING * size).count();
        for &i in &order[start..start + tied] {
            doubled[i] = 2 * start + tied + 1;
        }
        start += tied;
    }
    doubled
}

/// Probability of each value of a sum that takes each of `ranks` or 0 with equal chance.
fn rank_sum_distribution(ranks: &[usize]) -> Vec<f64> {
    let mut probability = vec![0.0; ranks.iter().sum::<usize>() + 1];
    probability[0] = 1.0;
    let mut top = 0;
    for &rank in ranks {
        top += rank;
        for sum in (0..=top).rev() {
            let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = 0.5 * (probability[sum] + with);
        }
    }
    probability
}

/// The Hodges–Lehmann estimate and its signed-rank interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HodgesLehmann {
    /// Median of all averages of two log ratios (each with itself too).
    pub estimate: f64,
    /// Interval of at least the asked confidence; `None` where that many pairs cannot give one.
    pub interval: Option<Interval>,
}

/// Hodges–Lehmann estimate of the centre of `log_ratios` with the interval at confidence 1 − α that inverts
/// Wilcoxon's test: between the k-th smallest and k-th largest Walsh average, k the largest with P(W < k) ≤
/// α/2 (Hollander, Wolfe & Chicken, *Nonparametric statistical methods*, 2014, ch. 3).
///
/// Quadratic in the number of pairs. Fails without pairs, on values that are not finite and on α outside (0,
/// 1).
pub fn hodges_lehmann(log_ratios: &[f64], alpha: f64) -> Result<HodgesLehmann, StatError> {
    sample::check_open("alpha", alpha, (0.0, 1.0), "0 to 1")?;
    sample::check_count("a Hodges–Lehmann estimate", 1, log_ratios.len())?;
    sample::check_finite(log_ratios)?;
    let n = log_ratios.len();
    let mut walsh = Vec::with_capacity(n * (n + 1) / 2);
    for (i, a) in log_ratios.iter().enumerate() {
        walsh.extend(log_ratios[i..].iter().map(|b| 0.5 * a + 0.5 * b));
    }
    walsh.sort_by(f64::total_cmp);
    let m = walsh.len();
    let estimate = 0.5 * walsh[(m - 1) / 2] + 0.5 * walsh[m / 2];
    let k = walsh_rank(n, alpha);
    let interval = (k > 0).then(|| Interval { lo: walsh[k - 1], est: estimate, hi: walsh[m - k] });
    Ok(HodgesLehmann { estimate, interval })
}

/// Largest k with P(W < k) ≤ α/2 for the signed-rank sum W of n untied values; 0 if there is none.
fn walsh_rank(n: usize, alpha: f64) -> usize {
    let largest = (n * (n + 1) / 2).div_ceil(2);
    if n > MAX_EXACT_RANKS {
        let n = n as f64;
        let (mean, variance) = (n * (n + 1.0) / 4.0, n * (n + 1.0) * (2.0 * n + 1.0) / 24.0);
        let k = mean - dist::normal_quantile(1.0 - alpha / 2.0) * variance.sqrt();
        return (k.max(0.0) as usize).min(largest);
    }
    let ranks: Vec<usize> = (1..=n).collect();
    let mut tail = 0.0;
    rank_sum_distribution(&ranks)
        .iter()
        .take(largest)
        .take_while(|&&p| {
            tail += p;
            tail <= alpha / 2.0
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: [f64; 8] = [0.021, 0.035, -0.004, 0.018, 0.027, 0.009, 0.040, 0.013];

    /// Brute force over every pattern.
    fn p_by_enumeration(x: &[f64]) -> f64 {
        let observed: f64 = x.iter().sum();
        let hits = (0_u32..1 << x.len())
            .filter(|bits| {
                let sum: f64 = x
                    .iter()
                    .enumerate()
                    .map(|(i, v)| if bits >> i & 1 == 1 { v.abs() } else { -v.abs() })
                    .sum();
                sum >= observed - 1e-12
            })
            .count();
        hits as f64 / f64::from(1_u32 << x.len())
    }

    #[test]
    fn flips_are_counted_exactly() {
        let mut rng = Rng::new(1);
        for n in 1..=13 {
            let x: Vec<f64> = (0..n).map(|_| 0.4 + rng.normal()).collect();
            assert_eq!(p_flip_above_zero(&x, 0), p_by_enumeration(&x), "{x:?}");
        }
        assert_eq!(p_flip_above_zero(&D, 0), 2.0 / 256.0);
        assert_eq!(p_flip_above_zero(&[0.0; 6], 0), 1.0);
        // Ties: every sum with equal sizes is one of nine values.
        assert_eq!(p_flip_above_zero(&[0.1; 8], 0), 1.0 / 256.0);
        assert_eq!(p_flip_above_zero(&[0.1, 0.1, 0.1, -0.1], 0), 5.0 / 16.0);
    }

    #[test]
    fn random_flips_agree_with_counting() {
        let mut rng = Rng::new(2);
        let x: Vec<f64> = (0..30).map(|_| 0.3 + rng.normal()).collect();
        let sizes: Vec<f64> = x.iter().map(|v| v.abs()).collect();
        let (exact, random) = (p_flip_above_zero(&x, 0), p_random_flips(&sizes, x.iter().sum(), 9));
        assert!((exact - random).abs() < 0.003, "{exact} {random}");
        let long: Vec<f64> = (0..100).map(|_| 1.0 + rng.normal()).collect();
        let p = p_flip_above_zero(&long, 9);
        assert_eq!(p, 1.0 / f64::from(RANDOM_FLIPS + 1));
    }

    #[test]
    fn rank_tails_are_the_tabulated_ones() {
        // The only rank against is the smallest, so W = 35 of 36: P(W ≥ 35) = 2/256.
        assert_eq!(p_rank_above_zero(&D), 2.0 / 256.0);
        assert_eq!(p_rank_above_zero(&[1.0, 2.0, 3.0, 4.0, 5.0]), 1.0 / 32.0);
        assert_eq!(p_rank_above_zero(&[-1.0, -2.0]), 1.0);
        assert_eq!(p_rank_above_zero(&[0.0, 0.0]), 1.0);
        // Table: for n = 10, P(W ≤ 8) = .0244 and P(W ≤ 10) = .0420.
        let ten: Vec<usize> = (1..=10).collect();
        let lower = |w: usize| rank_sum_distribution(&ten)[..=w].iter().sum::<f64>();
        assert!((lower(8) - 0.0244).abs() < 5e-5 && (lower(10) - 0.0420).abs() < 5e-5);
        assert_eq!(doubled_midranks(&[3.0, -1.0, 1.0, 0.0]), [8, 5, 5, 2]);
    }

    #[test]
    fn the_normal_approximation_joins_on() {
        let mut rng = Rng::new(3);
        let x: Vec<f64> = (0..MAX_EXACT_RANKS).map(|_| 0.1 + rng.normal()).collect();
        let exact = p_rank_above_zero(&x);
        let more: Vec<f64> = x.iter().copied().chain([1e-9]).collect();
        assert!((exact - p_rank_above_zero(&more)).abs() < 0.003);
    }

    #[test]
    fn hodges_lehmann_by_hand() {
        let got = hodges_lehmann(&[1.0, 2.0, 6.0], 0.05).expect("three values");
        // Averages 1, 1.5, 2, 3.5, 4, 6.
        assert_eq!((got.estimate, got.interval), (2.75, None));
        let got = hodges_lehmann(&D, 0.05).expect("eight values");
        let interval = got.interval.expect("eight values give 95 %");
        // k = 4 for n = 8 (P(W ≤ 3) = 5/256 = .0195): the 4th smallest and largest of 36 averages.
        assert_eq!(walsh_rank(8, 0.05), 4);
        assert!(interval.lo > 0.0 && interval.lo < got.estimate && got.estimate < interval.hi);
    }

    #[test]
    fn swapping_the_arms_mirrors_every_p() {
        let swapped = D.map(|d| -d);
        for (ours, theirs) in [
            (sign_flip(&D, 0.01, 1), sign_flip(&swapped, 0.01, 1)),
            (signed_rank(&D, 0.01), signed_rank(&swapped, 0.01)),
        ] {
            let (a, b) = (ours.expect("usable"), theirs.expect("usable"));
            assert_eq!(a.p_zero, b.p_zero);
            assert_eq!(a.p_above_margin, b.p_below_minus_margin);
            assert_eq!(a.p_above_minus_margin, b.p_below_margin);
            assert_eq!(a.p_floor, 2.0_f64.powi(-7));
        }
    }

    #[test]
    fn unusable_values_are_errors() {
        assert!(sign_flip(&[], 0.01, 0).is_err());
        assert!(sign_flip(&[f64::NAN], 0.01, 0).is_err());
        assert!(signed_rank(&[0.1], f64::NAN).is_err());
        assert!(hodges_lehmann(&[], 0.05).is_err());
        assert!(hodges_lehmann(&[f64::INFINITY], 0.05).is_err());
        assert!(hodges_lehmann(&[1.0], 0.0).is_err());
    }
}
