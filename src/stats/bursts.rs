//! Tells how sure a share over a limit is where the values over it come in bursts.
//!
//! A queue that is behind stays behind, so one bad moment makes many late requests. A binomial bound would treat
//! requests as independent, and would pass a queue exactly at its limit 10–70 % of the time instead of 5 %.
//!
//! Invariant: a queue at its limit rarely passes (`tests/it/capacity.rs`).

use super::autocorrelation::autocorrelation;
use super::{StatError, dist, sample};

/// The fewest batches of which a spread is worth knowing, and as many as are made: longer batches instead of
/// more of them, because a batch must be long against a burst.
pub const BATCHES: usize = 20;

/// A shorter batch is no longer than the bursts of a busy queue.
pub const MIN_BATCH: usize = 50;

/// The bounds hold with this probability, each.
const BOUND_LEVEL: f64 = 0.95;

/// Dispersion is estimated low where bursts reach from one batch into the next, and lowest where the share is
/// low by chance too. Chosen by simulation. With it, on other seeds of the same queues (M/D/1 and M/M/1, budgets of 3
/// to 20 services, quantiles of 95 and 99 %, 2,000 to 20,000 requests), one at its limit passes 0 to 5.7 % of the
/// time, above 5.2 % in one of 42 cells. Where 2,000 requests hold no more than a burst or two none passes at all.
const DISPERSION_MARGIN: f64 = 1.2;

/// The autocorrelation of the slowest tenth is summed over about this many blocks: 1/16 of the work per lag.
const BLOCKS: usize = 400;

/// A share with bounds that allow for bursts.
#[derive(Debug, Clone, PartialEq)]
pub struct BurstyShare {
    /// Share of values over the limit, in [0, 1].
    pub frac: f64,
    /// Lower bound of the share, in [0, 1]. Each bound alone holds with 95 % probability.
    pub lower_frac: f64,
    /// Upper bound of the share, in [0, 1].
    pub upper_frac: f64,
    /// Variance of the number over the limit against that of independent values, at least 1.
    pub dispersion: f64,
    /// Number of independent values that would tell as much: n / dispersion.
    pub n_eff: f64,
    /// Values in each batch.
    pub batch: usize,
    /// How many of each batch are over the limit, in order of arrival.
    pub over: [u32; BATCHES],
}

/// The share of `values` (in order of arrival) over `limit`. What does not fill [`BATCHES`] equal batches is
/// left out at the start. Fails below `BATCHES · MIN_BATCH` values.
///
/// The bounds solve (p − p̂)² = t²·φ·p(1 − p)/n for p: the score interval of E. B. Wilson (JASA 22, 1927) with
/// the dispersion φ of quasi-likelihood (P. McCullagh & J. A. Nelder, *Generalized linear models*, 1989, §4.5).
/// Unlike p̂ ± t·s they do not shrink where p̂ is low by chance, and no value over the limit leaves more than
/// 3/n. φ is the larger of
/// - the variance of the batch counts against the binomial one, and
/// - the same for the slowest tenth of the values, by autocorrelation: high levels of a queue are passed in
///   bursts of about the same length (M. R. Leadbetter, *Extremes and local dependence in stationary
///   sequences*, 1983), and this level is passed often enough to know it even where the limit was not.
///
/// t has as many degrees of freedom as there were bursts to learn from, at most `BATCHES` − 1.
pub fn bursty_share(values: &[u64], limit: u64) -> Result<BurstyShare, StatError> {
    sample::check_count("a share with bounds", BATCHES * MIN_BATCH, values.len())?;
    let batch = values.len() / BATCHES;
    let used = &values[values.len() - batch * BATCHES..];
    let n = used.len() as f64;
    let mut over = [0_u32; BATCHES];
    for (count, values) in over.iter_mut().zip(used.chunks_exact(batch)) {
        *count = values.iter().filter(|&&v| v > limit).count() as u32;
    }
    let frac = over.iter().map(|&c| f64::from(c)).sum::<f64>() / n;
    let dispersion = DISPERSION_MARGIN * of_batches(&over, batch).max(of_slowest_tenth(used));
    let at = |t: f64| score_bounds(frac, t * t * dispersion / n);
    let df_max = (BATCHES - 1) as f64;
    let bursts = n * at(dist::t_quantile(BOUND_LEVEL, df_max)).1 / dispersion;
    let (lower_frac, upper_frac) = at(dist::t_quantile(BOUND_LEVEL, bursts.clamp(2.0, df_max)));
    Ok(BurstyShare { frac, lower_frac, upper_frac, dispersion, n_eff: n / dispersion, batch, over })
}

/// Variance of the counts against the binomial one; 1 where nothing or everything is over the limit.
fn of_batches(over: &[u32; BATCHES], batch: usize) -> f64 {
    let counts = over.map(f64::from);
    let (mean, variance) = sample::mean_variance(&counts);
    let binomial = mean * (1.0 - mean / batch as f64);
    if binomial > 0.0 { (variance / binomial).max(1.0) } else { 1.0 }
}

/// The same for the slowest tenth of `values`: block means, their variance, and the effective number of blocks.
fn of_slowest_tenth(values: &[u64]) -> f64 {
    // Every so many values tell the level as well.
    let mut some: Vec<u64> = values.iter().copied().step_by((values.len() / BLOCKS).max(1)).collect();
    let at = some.len() * 9 / 10;
    let (_, &mut level, _) = some.select_nth_unstable(at);
    let block = (values.len() / BLOCKS).max(1);
    let share = |block: &[u64]| block.iter().filter(|&&v| v > level).count() as f64 / block.len() as f64;
    let means: Vec<f64> = values.chunks_exact(block).map(share).collect();
    let mean = sample::mean(&means);
    let binomial = mean * (1.0 - mean) / block as f64;
    if binomial <= 0.0 {
        return 1.0;
    }
    let variance = sample::squares_about(&means, mean) / means.len() as f64;
    variance / binomial * means.len() as f64 / autocorrelation(&means).n_eff
}

/// Both solutions p of (p − `frac`)² = `width`·p(1 − p), within 0 and 1.
fn score_bounds(frac: f64, width: f64) -> (f64, f64) {
    let centre = (frac + width / 2.0) / (1.0 + width);
    let half = (width * frac * (1.0 - frac) + width * width / 4.0).max(0.0).sqrt() / (1.0 + width);
    ((centre - half).clamp(0.0, frac), (centre + half).clamp(frac, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn score_bounds_solve_their_equation() {
        for (frac, width) in [(0.01, 0.001), (0.0, 0.01), (0.5, 0.2), (1.0, 0.01)] {
            let (lo, hi) = score_bounds(frac, width);
            assert!(0.0 <= lo && lo <= frac && frac <= hi && hi <= 1.0);
            for p in [lo, hi] {
                let gap = (p - frac).powi(2) - width * p * (1.0 - p);
                assert!(gap.abs() < 1e-12, "{frac} {width}: {p}");
            }
        }
    }

    #[test]
    fn independent_values_are_worth_about_their_number() {
        let mut rng = Rng::new(4);
        let values: Vec<u64> = (0..20_000).map(|_| rng.below(1000)).collect();
        let got = bursty_share(&values, 979).expect("enough values");
        assert!((got.frac - 0.02).abs() < 0.003 && got.dispersion < 2.0 * DISPERSION_MARGIN, "{got:?}");
        assert!(got.lower_frac > 0.014 && got.upper_frac < 0.027, "{got:?}");
        assert_eq!((got.batch, got.over.iter().sum::<u32>()), (1000, (got.frac * 20_000.0).round() as u32));
    }

    #[test]
    fn bursts_are_worth_less_even_where_none_was_seen_over_the_limit() {
        let mut rng = Rng::new(5);
        let bursts: Vec<u64> = (0..200).flat_map(|_| [rng.below(1000); 50]).collect();
        let got = bursty_share(&bursts, 900).expect("enough values");
        assert!(got.dispersion > 25.0 && got.n_eff < 400.0, "{got:?}");
        let none = bursty_share(&bursts, 1000).expect("enough values");
        assert_eq!((none.frac, none.lower_frac), (0.0, 0.0));
        assert!(none.upper_frac > 50.0 * 3.0 / 10_000.0 / 2.0, "{none:?}");
    }

    #[test]
    fn none_over_leaves_three_in_n_and_all_over_leaves_one() {
        let same = [7_u64; 2000];
        let none = bursty_share(&same, 7).expect("enough values");
        assert!(none.upper_frac >= 3.0 / 2000.0 && none.upper_frac < 7.0 / 2000.0, "{none:?}");
        let all = bursty_share(&same, 6).expect("enough values");
        assert_eq!((all.frac, all.upper_frac), (1.0, 1.0));
        assert!(all.lower_frac > 0.99);
        assert!(matches!(bursty_share(&same[..999], 7), Err(StatError::TooFew { needed: 1000, .. })));
    }
}
