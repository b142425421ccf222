//! Compares two arms exactly: figures that are the same every time the same engine is loaded need no statistics. Pure.

use super::{CaseMemory, ProcessSource};
use crate::units::bytes;
use schemars::JsonSchema;
use serde::Serialize;

/// A figure that is the same every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryFigure {
    /// Size of the plan.
    Plan,
    /// What each execution context needs.
    Context,
    /// Weights that may stay on the host.
    StreamableWeights,
    /// Weights that do.
    StreamedWeights,
    /// The most that was allocated at once while building.
    BuildPeak,
    /// The most that was allocated at once while loading and answering.
    RunPeak,
    /// What was never given back.
    Leaked,
}

impl MemoryFigure {
    /// Every figure, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Plan,
        Self::Context,
        Self::StreamableWeights,
        Self::StreamedWeights,
        Self::BuildPeak,
        Self::RunPeak,
        Self::Leaked,
    ];

    /// As in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Context => "a context",
            Self::StreamableWeights => "streamable weights",
            Self::StreamedWeights => "streamed weights",
            Self::BuildPeak => "traced peak of the build",
            Self::RunPeak => "traced peak",
            Self::Leaked => "leaked",
        }
    }

    /// In bytes; `None` where the case has no such figure.
    pub fn of(self, case: &CaseMemory) -> Option<u64> {
        match self {
            Self::Plan => Some(case.engine.plan_bytes),
            Self::Context => case.engine.context_bytes,
            Self::StreamableWeights => case.engine.streamable_weight_bytes,
            Self::StreamedWeights => case.engine.streamed_weight_bytes,
            Self::BuildPeak => case.build.as_ref()?.traced_peak(),
            Self::RunPeak => case.run.traced_peak(),
            Self::Leaked => case.run.traced_peak().map(|_| case.run.leaked_bytes()),
        }
    }
}

/// A figure that is not the same in both arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryDifference {
    /// Which figure.
    pub figure: MemoryFigure,
    /// Of the base, in bytes.
    pub base_bytes: u64,
    /// Of head, in bytes.
    pub head_bytes: u64,
}

/// The figures that both have and that differ.
pub fn differences(base: &CaseMemory, head: &CaseMemory) -> Vec<MemoryDifference> {
    let differs = |figure: MemoryFigure| {
        let (base_bytes, head_bytes) = (figure.of(base)?, figure.of(head)?);
        (base_bytes != head_bytes).then_some(MemoryDifference { figure, base_bytes, head_bytes })
    };
    MemoryFigure::ALL.into_iter().filter_map(differs).collect()
}

impl CaseMemory {
    /// What a budget of memory is held against: GPU memory of the process that answers, with everything in it. Where
    /// nobody tells that, and on a CPU, the most that was allocated at once.
    pub fn judged_bytes(&self) -> Option<u64> {
        let traced = self.run.traced_peak();
        match self.run.source {
            Some(ProcessSource::Nvml | ProcessSource::WholeGpu) => self.run.process_peak().max(traced),
            Some(ProcessSource::Resident) | None => traced,
        }
    }

    /// Why the budget is broken, in words; `None` where it is kept, or nothing tells.
    pub fn over(&self, budget: u64) -> Option<String> {
        let has = self.judged_bytes().filter(|has| *has > budget)?;
        // Near the budget both may round to the same.
        let exactly =
            if bytes(has) == bytes(budget) { format!(" ({has} of {budget} bytes)") } else { String::new() };
        Some(format!("it takes {} of memory, over the budget of {}{exactly}", bytes(has), bytes(budget)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EngineMemory, MemoryPhase, PhaseMemory, ProcessMemory, TracedMemory};
    use super::*;

    fn case(peak: u64, process: Option<u64>, source: Option<ProcessSource>) -> CaseMemory {
        let traced = TracedMemory { peak_bytes: peak, end_bytes: peak, allocations: 1 };
        let phase = PhaseMemory { phase: MemoryPhase::Load, traced: Some(traced), process_bytes: process };
        CaseMemory {
            library: "rten 1".into(),
            engine: EngineMemory { plan_bytes: 10, ..EngineMemory::default() },
            build: None,
            run: ProcessMemory { phases: vec![phase], source, ..ProcessMemory::default() },
        }
    }

    #[test]
    fn one_byte_is_a_difference_and_what_one_arm_lacks_is_none() {
        let (base, head) = (case(100, Some(7), None), case(101, Some(900), None));
        assert_eq!(differences(&base, &base), []);
        let found = MemoryDifference { figure: MemoryFigure::RunPeak, base_bytes: 100, head_bytes: 101 };
        assert_eq!(differences(&base, &head), [found], "what NVML says is not the same every time");
        let context =
            CaseMemory { engine: EngineMemory { context_bytes: Some(5), ..base.engine }, ..base.clone() };
        assert_eq!(differences(&base, &context), []);
    }

    #[test]
    fn a_budget_counts_all_gpu_memory_and_on_a_cpu_what_is_allocated() {
        assert_eq!(case(98, Some(498), Some(ProcessSource::Nvml)).judged_bytes(), Some(498));
        assert_eq!(case(600, Some(498), Some(ProcessSource::WholeGpu)).judged_bytes(), Some(600));
        assert_eq!(case(98, Some(498), Some(ProcessSource::Resident)).judged_bytes(), Some(98));
        let over = case(98, Some(498), Some(ProcessSource::Nvml));
        assert_eq!(over.over(498), None);
        assert_eq!(over.over(497).as_deref(), Some("it takes 498 B of memory, over the budget of 497 B"));
        let near = case((1 << 30) + 1, None, None).over(1 << 30).unwrap_or_default();
        assert!(near.ends_with("(1073741825 of 1073741824 bytes)"), "{near}");
    }
}
