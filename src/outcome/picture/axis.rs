//! Finds the axis that all samples of a case are shown on.

use crate::summarize::Summary;

/// Latencies from `lo_ns` to `hi_ns`; longer ones are beyond it and are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyAxis {
    /// Where it begins; above 0.
    pub lo_ns: f64,
    /// Where it ends; above `lo_ns`.
    pub hi_ns: f64,
    /// Equal steps are equal factors.
    pub log: bool,
    /// The longest request of all.
    pub longest_ns: f64,
}

/// From this ratio of p99 to the fastest request on, only a logarithmic axis shows both.
const LOG_FROM: f64 = 3.0;
/// How far the axis goes on beyond p99: in distances from the fastest request to p99, of logarithms on a logarithmic axis.
const BEYOND_P99: f64 = 0.5;

impl LatencyAxis {
    /// Bins of a histogram on it.
    pub const BINS: usize = 64;

    /// An axis for the requests of these processes: one stall must not press all others together. `None` without a
    /// process.
    pub fn of<'a>(processes: impl Iterator<Item = &'a Summary> + Clone) -> Option<Self> {
        let of = |value: fn(&Summary) -> f64| processes.clone().map(value);
        let lo_ns = of(|s| s.min_ns as f64).reduce(f64::min)?.max(1.0);
        let longest_ns = of(|s| s.max_ns as f64).fold(lo_ns, f64::max);
        let p99_ns = of(|s| s.quantile_ns(0.99).unwrap_or(s.mean_ns)).fold(lo_ns, f64::max);
        let log = p99_ns >= LOG_FROM * lo_ns;
        let end_ns = match log {
            true => p99_ns * (p99_ns / lo_ns).powf(BEYOND_P99),
            false => p99_ns + BEYOND_P99 * (p99_ns - lo_ns),
        };
        let hi_ns = longest_ns.min(end_ns);
        // Where all took the same, there still is something to the left and to the right.
        Some(Self { lo_ns: lo_ns * 0.995, hi_ns: hi_ns.max(lo_ns) * 1.005, log, longest_ns })
    }

    /// The bin of a request; `None` beyond the axis.
    pub fn bin(&self, ns: u64) -> Option<usize> {
        let ns = (ns as f64).max(self.lo_ns);
        let frac = if self.log {
            (ns / self.lo_ns).ln() / (self.hi_ns / self.lo_ns).ln()
        } else {
            (ns - self.lo_ns) / (self.hi_ns - self.lo_ns)
        };
        (frac <= 1.0).then(|| ((frac * Self::BINS as f64) as usize).min(Self::BINS - 1))
    }
}
