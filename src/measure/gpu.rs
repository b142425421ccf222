//! What is asked of a GPU beside the host's clock: its state around the measured phase, and a pass in which it times
//! requests by itself.

use super::{MIN_REQUESTS, first};
use crate::backend::{GpuTimes, Opened, Session};
use crate::device::GpuConditions;
use crate::error::{Failure, FailureKind, Result};
use crate::stats::median_by;
use crate::tensor::write_samples;
use crate::worker::protocol::{MeasureJob, MeasuredGpu};
use std::time::{Duration, Instant};

/// Looks at the GPU around the measured phase, never during it, and tells profilers where the phase is.
pub(super) struct Watch {
    before: GpuConditions,
    energy_j: Option<f64>,
}

impl Watch {
    /// `None` where there is no GPU.
    pub fn begin(opened: &mut Opened) -> Result<Option<Self>> {
        let Some(gpu) = &mut opened.gpu else { return Ok(None) };
        let before = gpu.conditions()?;
        let energy_j = gpu.energy_j();
        gpu.start_profilers()?;
        Ok(Some(Self { before, energy_j }))
    }

    pub fn end(self, opened: &mut Opened) -> Result<MeasuredGpu> {
        let gone = || Failure::new(FailureKind::Measure, "the GPU is gone");
        let gpu = opened.gpu.as_mut().ok_or_else(gone)?;
        gpu.stop_profilers()?;
        // The counter moves every tenth of a second or so: no difference is no measurement.
        let energy_j = gpu.energy_j().zip(self.energy_j).map(|(end, start)| end - start).filter(|j| *j > 0.0);
        Ok(MeasuredGpu { times: None, before: self.before, after: gpu.conditions()?, energy_j })
    }
}

/// Requests one by one, each timed by the GPU: a quarter of the time that the host's clock got.
pub(super) fn timed_pass(sessions: &mut [Box<dyn Session>], measure_ns: u64) -> Result<Vec<GpuTimes>> {
    let session = first(sessions)?;
    let (start, duration) = (Instant::now(), Duration::from_nanos(measure_ns / 4));
    let mut times = Vec::new();
    while start.elapsed() < duration || times.len() < MIN_REQUESTS {
        match session.timed()? {
            Some(t) => times.push(t),
            None => break,
        }
    }
    Ok(times)
}

/// The medians of each part; `None` where nothing was timed.
pub(super) fn median_times(times: &[GpuTimes]) -> Option<GpuTimes> {
    let median = |part: fn(&GpuTimes) -> u64| median_by(times.iter().map(part), u64::cmp);
    Some(GpuTimes {
        enqueue_ns: median(|t| t.enqueue_ns)?,
        h2d_ns: median(|t| t.h2d_ns)?,
        compute_ns: median(|t| t.compute_ns)?,
        d2h_ns: median(|t| t.d2h_ns)?,
        isolated: times.iter().all(|t| t.isolated),
    })
}

pub(super) fn write_gpu_samples(job: &MeasureJob, compute: &[u64]) -> Result<()> {
    if let Some(folder) = job.gpu_samples.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    }
    write_samples(&job.gpu_samples, compute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    /// The third of its requests is too long to be submitted at once.
    #[derive(Default)]
    struct Gpu(u64);

    impl Session for Gpu {
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
        let mut sessions: Vec<Box<dyn Session>> = vec![Box::new(Gpu::default())];
        let times = timed_pass(&mut sessions, 0).unwrap();
        assert_eq!(times.len(), MIN_REQUESTS);
        let median = median_times(&times).unwrap();
        assert_eq!((median.h2d_ns, median.compute_ns, median.isolated), (2, 6, false));
        assert_eq!(median_times(&[]), None);
    }
}
