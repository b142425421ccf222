//! Reduces the samples of one process as soon as they are read, so that those of no two are in memory.

use super::LatencyAxis;
use crate::stats::describe::quantile_sorted;
use crate::summarize::Summary;

/// So many processes of an arm are drawn over time; a screen has no room for more.
pub const MOST_PROCESSES: usize = 60;
/// Buckets over time that all processes of an arm share.
const BUCKETS: usize = 80;
/// What each gets at least, where there are many.
const LEAST_BUCKETS: usize = 4;

/// The samples of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledProcess {
    /// Requests without a cold start.
    pub requests: u64,
    /// How many of them are in each bin of the axis.
    pub bins: Vec<u64>,
    /// How many took longer than the axis shows.
    pub beyond: u64,
    /// All requests in order, also those of the warm-up and of a cold start; empty beyond [`MOST_PROCESSES`].
    pub envelope: Vec<Envelope>,
    /// How much of the envelope, from its start, is the warm-up; 0 where its requests are not kept. In [0, 1].
    pub warm_frac: f64,
    /// How much of it, behind that, is the cold start that no number counts; in [0, 1].
    pub cold_frac: f64,
}

/// Some requests that followed each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    /// The fastest.
    pub min_ns: u64,
    /// The median.
    pub median_ns: f64,
    /// The slowest.
    pub max_ns: u64,
}

impl SampledProcess {
    /// The samples that `summary` is of, which is the one at `index` of `processes`, and those of the warm-up before
    /// them; empty where they are not kept.
    pub fn of(
        (warm_up, samples): (&[u64], &[u64]),
        summary: &Summary,
        axis: &LatencyAxis,
        (index, processes): (usize, usize),
    ) -> Self {
        let kept = summary.kept(samples);
        let mut bins = vec![0; LatencyAxis::BINS];
        let mut beyond = 0;
        for ns in kept {
            match axis.bin(*ns) {
                Some(bin) => bins[bin] += 1,
                None => beyond += 1,
            }
        }
        let buckets = if index < MOST_PROCESSES { (BUCKETS / processes).max(LEAST_BUCKETS) } else { 0 };
        let all = [warm_up, samples].concat();
        let frac = |requests: usize| requests as f64 / all.len() as f64;
        Self {
            requests: kept.len() as u64,
            bins,
            beyond,
            envelope: envelope(&all, buckets),
            warm_frac: frac(warm_up.len()),
            cold_frac: frac(samples.len() - kept.len()),
        }
    }
}

/// The samples in so many parts of the same size, as far as there are so many.
fn envelope(samples: &[u64], buckets: usize) -> Vec<Envelope> {
    let buckets = buckets.min(samples.len());
    let part = |i: usize| {
        let mut part = samples[i * samples.len() / buckets..(i + 1) * samples.len() / buckets].to_vec();
        part.sort_unstable();
        let (min_ns, max_ns) = (part[0], part[part.len() - 1]);
        Envelope { min_ns, median_ns: quantile_sorted(&part, 0.5), max_ns }
    };
    (0..buckets).map(part).collect()
}
