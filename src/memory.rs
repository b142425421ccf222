//! What the processes of a model have of memory, phase by phase. Three numbers are kept apart: what the library
//! allocated through us (**traced**), what the **process** has as the system sees it, and what no allocation of ours
//! explains (**unexplained**): the driver's context, loaded kernels, our own buffers.
//!
//! | file | what it makes | from what |
//! |---|---|---|
//! | `ledger` | current, peak, leaks, wrong frees | events of an allocator |
//! | `exact` | what differs between two arms; whether a budget is kept | figures of a case |
//! | `wire` | the text of both kinds of file | figures, events |

mod exact;
mod ledger;
pub mod wire;

pub use exact::{MemoryDifference, MemoryFigure, differences};
pub use ledger::{Leak, Ledger, WrongFrees};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a process does while memory is looked at, in the order in which it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryPhase {
    /// The library makes an engine, in a process of its own.
    Build,
    /// The library is opened, and the driver makes its context on the GPU.
    Driver,
    /// The engine is deserialised.
    Load,
    /// Execution contexts are made.
    Context,
    /// Buffers of inputs and outputs, and requests.
    Inference,
    /// Everything is destroyed: what is left has leaked.
    End,
}

impl MemoryPhase {
    /// As in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Driver => "driver",
            Self::Load => "load",
            Self::Context => "context",
            Self::Inference => "inference",
            Self::End => "end",
        }
    }
}

/// One call of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEvent {
    /// Nanoseconds since the worker began.
    pub at_ns: u64,
    /// What the process did then.
    pub phase: MemoryPhase,
    /// What was asked, and what came of it.
    #[serde(flatten)]
    pub action: MemoryAction,
}

/// What was asked of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum MemoryAction {
    /// Memory was given.
    Allocated {
        /// Where it is.
        address: u64,
        /// How much it is.
        bytes: u64,
    },
    /// There was not so much memory.
    Refused {
        /// How much was asked for.
        bytes: u64,
    },
    /// Memory was given back, or what the library took for memory.
    Freed {
        /// Where it was.
        address: u64,
    },
}

/// What was traced while a process was in one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TracedMemory {
    /// The most that was allocated at once, with what earlier phases left.
    pub peak_bytes: u64,
    /// What was allocated at the end.
    pub end_bytes: u64,
    /// How often memory was given.
    pub allocations: u64,
}

/// What a process had in one phase; of a phase that comes more than once (a context per stream), all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseMemory {
    /// The phase.
    pub phase: MemoryPhase,
    /// What was traced; null where nothing allocates through us.
    pub traced: Option<TracedMemory>,
    /// What the process had at the end of the phase; null where nobody tells.
    pub process_bytes: Option<u64>,
}

impl PhaseMemory {
    /// What the process had at the end and no traced allocation explains.
    pub fn unexplained_bytes(&self) -> Option<u64> {
        Some(self.process_bytes?.saturating_sub(self.traced?.end_bytes))
    }

    /// This and a later time in the same phase.
    #[must_use]
    pub fn and_later(self, later: Self) -> Self {
        let traced = self.traced.zip(later.traced).map(|(first, then)| TracedMemory {
            peak_bytes: first.peak_bytes.max(then.peak_bytes),
            end_bytes: then.end_bytes,
            allocations: first.allocations + then.allocations,
        });
        Self { phase: self.phase, traced: traced.or(later.traced), process_bytes: later.process_bytes }
    }
}

/// Who says what a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessSource {
    /// NVML, of this process: GPU memory.
    Nvml,
    /// NVML, of the whole GPU: by how much its used memory grew, where it does not say what one process has.
    WholeGpu,
    /// The kernel: memory of the host that is resident.
    Resident,
}

impl ProcessSource {
    /// Under a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Nvml => "process: GPU memory of the process by NVML, at the end of each phase",
            Self::WholeGpu => {
                "process: growth of the whole GPU's used memory by NVML, which does not tell of one process here"
            }
            Self::Resident => "process: resident memory of the process, at the end of each phase",
        }
    }
}

/// What one process had of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessMemory {
    /// The phases, in order.
    pub phases: Vec<PhaseMemory>,
    /// Who says what the process has; null where nobody does.
    pub source: Option<ProcessSource>,
    /// What was never given back, by the phase that allocated it.
    pub leaks: Vec<Leak>,
    /// What the library gave back and did not have.
    pub wrong_frees: WrongFrees,
    /// Allocations that failed.
    pub refused: u64,
    /// Events that are in the file of events.
    pub events: u64,
    /// Events that are not, because there were too many; every number counts them.
    pub events_left_out: u64,
    /// The most memory of the host that was resident; null where the kernel does not say.
    pub peak_host_bytes: Option<u64>,
}

impl ProcessMemory {
    /// The most that was allocated at once in any phase.
    pub fn traced_peak(&self) -> Option<u64> {
        self.phases.iter().filter_map(|p| Some(p.traced?.peak_bytes)).max()
    }

    /// The most that the process had at the end of a phase.
    pub fn process_peak(&self) -> Option<u64> {
        self.phases.iter().filter_map(|p| p.process_bytes).max()
    }

    /// What was never given back.
    pub fn leaked_bytes(&self) -> u64 {
        self.leaks.iter().fold(0, |sum, leak| sum.saturating_add(leak.bytes))
    }
}

/// What an engine says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineMemory {
    /// Size of the plan, or of what the backend has in its place.
    pub plan_bytes: u64,
    /// What each execution context needs (`getDeviceMemorySizeV2`); null where the engine does not say.
    pub context_bytes: Option<u64>,
    /// Weights that may stay on the host (`getStreamableWeightsSize`), where the engine was built to stream weights.
    pub streamable_weight_bytes: Option<u64>,
    /// Those of them that do: what is beyond the budget on the GPU (`getWeightStreamingBudgetV2`).
    pub streamed_weight_bytes: Option<u64>,
}

/// The memory of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseMemory {
    /// The library and its version.
    pub library: String,
    /// What the engine says.
    pub engine: EngineMemory,
    /// The process that built it; null where that was not traced.
    pub build: Option<ProcessMemory>,
    /// The process that loaded it and answered requests.
    pub run: ProcessMemory,
}
