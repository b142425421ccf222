//! Reads the GPU's state before and after the pass by the host's clock, and the energy used in between.

use crate::backend::Opened;
use crate::device::GpuConditions;
use crate::error::{Failure, FailureKind, Result};
use crate::measured::MeasuredGpu;

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

    /// Reads the state again, and the energy used since the beginning.
    pub fn end(self, opened: &mut Opened) -> Result<MeasuredGpu> {
        let gone = || Failure::new(FailureKind::Measure, "the GPU is gone");
        let gpu = opened.gpu.as_mut().ok_or_else(gone)?;
        gpu.stop_profilers()?;
        // The counter moves every tenth of a second or so: no difference is no measurement.
        let energy_j = gpu.energy_j().zip(self.energy_j).map(|(end, start)| end - start).filter(|j| *j > 0.0);
        Ok(MeasuredGpu { times: None, before: self.before, after: gpu.conditions()?, energy_j })
    }
}
