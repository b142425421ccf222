//! What `memory` says of a case, and its end.

use crate::memory::{
    EngineMemory, Leak, MemoryDifference, MemoryPhase, PhaseMemory, ProcessMemory, ProcessSource, WrongFrees,
};
use schemars::JsonSchema;
use serde::Serialize;

/// What a case takes of memory. Three numbers are kept apart: traced, process, unexplained.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryOfCase {
    /// The case's id.
    pub case: String,
    /// The library and its version.
    pub library: String,
    /// The engine is of the library of this tool's own tests.
    pub test_library: bool,
    /// What the engine says of itself.
    pub engine: EngineMemory,
    /// The process that built it; null where that was not traced.
    pub build: Option<MemoryOfProcess>,
    /// The process that loaded it and answered requests.
    pub run: MemoryOfProcess,
    /// What the budget is held against: GPU memory of the process; on a CPU, and where nobody tells that, the traced
    /// peak.
    pub judged_bytes: Option<u64>,
    /// The budget (`max-memory`).
    pub budget_bytes: Option<u64>,
    /// How it is broken, in words.
    pub over_budget: Option<String>,
    /// Figures that are not the base's; null where there is no base to compare with.
    pub differences: Option<Vec<MemoryDifference>>,
}

/// What a process had of memory.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryOfProcess {
    /// In order.
    pub phases: Vec<MemoryOfPhase>,
    /// Who says what the process has; null where nobody does.
    pub source: Option<ProcessSource>,
    /// The most that was allocated at once; null where nothing allocates through us.
    pub traced_peak_bytes: Option<u64>,
    /// The most that the process had at the end of a phase.
    pub process_peak_bytes: Option<u64>,
    /// The most memory of the host that was resident.
    pub peak_host_bytes: Option<u64>,
    /// What was never given back.
    pub leaks: Vec<Leak>,
    /// What the library gave back and did not have.
    pub wrong_frees: WrongFrees,
    /// Allocations that failed.
    pub refused: u64,
    /// Events in the file of events, beside the record.
    pub events: u64,
    /// Events that are not in it, because there were too many.
    pub events_left_out: u64,
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryOfPhase {
    /// The phase.
    pub phase: MemoryPhase,
    /// The most that was allocated at once.
    pub traced_peak_bytes: Option<u64>,
    /// What was allocated at the end.
    pub traced_end_bytes: Option<u64>,
    /// How often memory was given.
    pub allocations: Option<u64>,
    /// What the process had at the end.
    pub process_bytes: Option<u64>,
    /// What of that no traced allocation explains.
    pub unexplained_bytes: Option<u64>,
}

impl From<&PhaseMemory> for MemoryOfPhase {
    fn from(p: &PhaseMemory) -> Self {
        Self {
            phase: p.phase,
            traced_peak_bytes: p.traced.map(|t| t.peak_bytes),
            traced_end_bytes: p.traced.map(|t| t.end_bytes),
            allocations: p.traced.map(|t| t.allocations),
            process_bytes: p.process_bytes,
            unexplained_bytes: p.unexplained_bytes(),
        }
    }
}

impl From<&ProcessMemory> for MemoryOfProcess {
    fn from(p: &ProcessMemory) -> Self {
        Self {
            phases: p.phases.iter().map(Into::into).collect(),
            source: p.source,
            traced_peak_bytes: p.traced_peak(),
            process_peak_bytes: p.process_peak(),
            peak_host_bytes: p.peak_host_bytes,
            leaks: p.leaks.clone(),
            wrong_frees: p.wrong_frees,
            refused: p.refused,
            events: p.events,
            events_left_out: p.events_left_out,
        }
    }
}

/// The end of `memory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryFinished {
    /// The path of the record, beside which the events are; null if none was written.
    pub record: Option<String>,
    /// What the base is called; null without one.
    pub base: Option<String>,
    /// Cases.
    pub measured: usize,
    /// Cases that could not be built or measured.
    pub failed: usize,
    /// Cases that break their budget.
    pub over_budget: usize,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}
