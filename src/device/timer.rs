//! Measures what reading the clock costs and how fine it is, by reading it many times in a row.
//!
//! It is done while no worker runs; otherwise it would measure the scheduler.

use crate::stats::median_by;
use crate::units::Nanos;
use serde::Serialize;
use std::time::Instant;

/// How often the clock is read to learn what reading it costs.
const CLOCK_READS: usize = 10_000;

/// What reading the clock costs and resolves; latencies near these are not worth comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timer {
    /// The smallest step seen between two reads, which is at least the clock's tick and, where no two reads saw the same
    /// time, the cost of a read; `None` where all saw the same.
    #[serde(rename = "resolution_ns")]
    pub resolution: Option<Nanos>,
    /// The shortest time between two reads.
    #[serde(rename = "read_min_ns")]
    pub min: Nanos,
    /// The median time between two reads.
    #[serde(rename = "read_median_ns")]
    pub median: Nanos,
}

/// Reads the clock 10,000 times in a row, which takes well under a millisecond.
pub fn measure_timer() -> Timer {
    let mut steps = Vec::with_capacity(CLOCK_READS);
    let mut last = Instant::now();
    for _ in 0..CLOCK_READS {
        let now = Instant::now();
        steps.push(Nanos::from(now.duration_since(last)));
        last = now;
    }
    timer_of(&steps)
}

/// The timer that these steps between reads show; without steps, zeros.
fn timer_of(steps: &[Nanos]) -> Timer {
    let all = || steps.iter().copied();
    Timer {
        resolution: all().filter(|step| step.0 > 0).min(),
        min: all().min().unwrap_or_default(),
        median: median_by(all(), Nanos::cmp).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_has_no_resolution_but_no_panic() {
        let steps = |list: &[u64]| timer_of(&list.iter().map(|ns| Nanos(*ns)).collect::<Vec<_>>());
        assert_eq!(steps(&[]), Timer { resolution: None, min: Nanos(0), median: Nanos(0) });
        assert_eq!(steps(&[0, 0, 0]).resolution, None);
        let timer = Timer { resolution: Some(Nanos(20)), min: Nanos(0), median: Nanos(20) };
        assert_eq!(steps(&[40, 0, 20]), timer);
        let here = measure_timer();
        assert!(here.min <= here.median, "{here:?}");
    }
}
