//! Warms up: sends requests that are not counted, until their latencies are steady.

use super::host::{in_time_order, phase};
use crate::backend::Stream;
use crate::error::Result;
use crate::steady;
use crate::units::nanos;
use std::time::{Duration, Instant};

/// Warming up ends at this many times its configured length even where latencies still move.
const WARM_UP_LIMIT: u32 = 5;

pub(super) struct WarmUp {
    /// Its requests in the order in which they ended, in nanoseconds.
    pub latencies: Vec<u64>,
    /// How long it took, in nanoseconds.
    pub ns: u64,
    /// Whether latencies became steady before the time limit.
    pub steady: bool,
}

/// Runs at least `least` and until latencies are steady, at most [`WARM_UP_LIMIT`] times as long.
pub(super) fn warm_up(streams: &mut [Box<dyn Stream>], depth: u64, least: Duration) -> Result<WarmUp> {
    let mut warm = WarmUp { latencies: Vec::new(), ns: 0, steady: least.is_zero() };
    let start = Instant::now();
    for _ in 0..WARM_UP_LIMIT {
        if warm.steady {
            break;
        }
        warm.latencies.extend(in_time_order(phase(streams, depth, least)?));
        warm.steady = steady::is_steady(&warm.latencies);
    }
    warm.ns = nanos(start.elapsed());
    Ok(warm)
}
