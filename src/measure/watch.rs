//! Reads the GPU's state before and after the pass by the host's clock, and the energy of its requests.

use crate::backend::{Opened, Stream};
use crate::device::GpuConditions;
use crate::error::{Failure, FailureKind, Result};
use crate::measured::{Energy, MeasuredGpu};
use crate::units::nanos;
use std::time::Instant;

/// Offers `requests`, and looks at the GPU around them, never meanwhile; profilers are told where they are. Of the GPU
/// there is nothing to tell where there is none.
pub(super) fn watched<T>(
    opened: &mut Opened,
    requests: impl FnOnce(&mut [Box<dyn Stream>]) -> Result<T>,
) -> Result<(T, Option<MeasuredGpu>)> {
    let watch = Watch::begin(opened)?;
    let answered = requests(&mut opened.streams);
    // Profilers learn that it is over even where it failed.
    let gpu = watch.map(|w| w.end(opened)).transpose()?;
    Ok((answered?, gpu))
}

struct Watch {
    before: GpuConditions,
    /// The counter of energy in joules, and when it was read.
    start: Option<(f64, Instant)>,
}

impl Watch {
    /// `None` where there is no GPU.
    fn begin(opened: &mut Opened) -> Result<Option<Self>> {
        let Some(gpu) = &mut opened.gpu else { return Ok(None) };
        let before = gpu.conditions()?;
        gpu.start_profilers()?;
        // A profiler may take seconds to start: the energy of the requests begins behind that.
        let start = gpu.energy_j().map(|joules| (joules, Instant::now()));
        Ok(Some(Self { before, start }))
    }

    /// Reads the energy and the state again.
    fn end(self, opened: &mut Opened) -> Result<MeasuredGpu> {
        let now = Instant::now();
        let gone = || Failure::new(FailureKind::Measure, "the GPU is gone");
        let gpu = opened.gpu.as_mut().ok_or_else(gone)?;
        // Before profilers stop, which may take them seconds.
        let energy = self
            .start
            .zip(gpu.energy_j())
            .and_then(|((start_j, start), end_j)| Energy::between(start_j, end_j, nanos(now - start)));
        gpu.stop_profilers()?;
        Ok(MeasuredGpu { times: None, before: self.before, after: gpu.conditions()?, energy })
    }
}
