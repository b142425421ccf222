//! The pass by the GPU's clock: requests that run alone, each timed by events on the GPU.

use super::host::{MIN_REQUESTS, first};
use super::job::MeasureJob;
use crate::backend::Stream;
use crate::error::{Failure, Result};
use crate::measured::GpuTimes;
use crate::stats::median_by;
use crate::tensor::write_samples;
use std::path::Path;
use std::time::{Duration, Instant};

/// The whole pass. Returns the medians of each part, and leaves the compute times in a file; `None` where there is no
/// GPU.
pub(super) fn measure(streams: &mut [Box<dyn Stream>], job: &MeasureJob) -> Result<Option<GpuTimes>> {
    let times = one_by_one(streams, job.measure_ns)?;
    if !times.is_empty() {
        // Shorter than the events resolve is not nothing: a zero would have no logarithm.
        write_beside(&job.gpu_samples, &times.iter().map(|t| t.compute_ns.max(1)).collect::<Vec<_>>())?;
    }
    Ok(median_times(&times))
}

/// The pass takes this part of the time that the host's clock got: a quarter.
pub const GPU_CLOCK_PART: u32 = 4;

/// Requests one by one, each timed by the GPU.
fn one_by_one(streams: &mut [Box<dyn Stream>], measure_ns: u64) -> Result<Vec<GpuTimes>> {
    let stream = first(streams)?;
    let (start, duration) = (Instant::now(), Duration::from_nanos(measure_ns) / GPU_CLOCK_PART);
    let mut times = Vec::new();
    while start.elapsed() < duration || times.len() < MIN_REQUESTS {
        match stream.timed()? {
            Some(t) => times.push(t),
            None => break,
        }
    }
    Ok(times)
}

/// The medians of each part; `None` where nothing was timed.
fn median_times(times: &[GpuTimes]) -> Option<GpuTimes> {
    let median = |part: fn(&GpuTimes) -> u64| median_by(times.iter().map(part), u64::cmp);
    Some(GpuTimes {
        enqueue_ns: median(|t| t.enqueue_ns)?,
        h2d_ns: median(|t| t.h2d_ns)?,
        compute_ns: median(|t| t.compute_ns)?,
        d2h_ns: median(|t| t.d2h_ns)?,
        isolated: times.iter().all(|t| t.isolated),
    })
}

/// Writes latencies that are not those of the pass by the host's clock; nothing where there are none.
pub(super) fn write_beside(path: &Path, latencies: &[u64]) -> Result<()> {
    if latencies.is_empty() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    }
    write_samples(path, latencies)
}

/// The same of the warm-up. Only pictures show it: where it cannot be written nothing else is lost.
pub(super) fn keep_warm_up(path: &Path, latencies: &[u64]) {
    if write_beside(path, latencies).is_err() {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    /// The third of its requests is too long to be submitted at once.
    #[derive(Default)]
    struct GpuStub(u64);

    impl Stream for GpuStub {
        fn submit(&mut self) -> Result<()> {
            Ok(())
        }
        fn complete(&mut self) -> Result<()> {
            Ok(())
        }
        fn timed(&mut self) -> Result<Option<GpuTimes>> {
            self.0 += 1;
            Ok(Some(GpuTimes {
                enqueue_ns: 1,
                h2d_ns: 2,
                compute_ns: self.0,
                d2h_ns: 3,
                isolated: self.0 != 3,
            }))
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
    }

    #[test]
    fn a_timed_pass_takes_medians_and_one_request_that_was_not_isolated_spoils_that() {
        let mut streams: Vec<Box<dyn Stream>> = vec![Box::new(GpuStub::default())];
        let times = one_by_one(&mut streams, 0).unwrap();
        assert_eq!(times.len(), MIN_REQUESTS);
        let median = median_times(&times).unwrap();
        assert_eq!((median.h2d_ns, median.compute_ns, median.isolated), (2, 6, false));
        assert_eq!(median_times(&[]), None);
    }
}
