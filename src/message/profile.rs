//! The message of `profile`: where the report is, and which kernels ran.

use crate::profile::KernelTable;
use schemars::JsonSchema;
use serde::Serialize;

/// What was profiled, or a report that was there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CaseProfiled {
    /// The case's id; null where a report was named.
    pub case: Option<String>,
    /// The command, as a shell takes it; null where a report was named.
    pub command: Option<String>,
    /// What the profiler says of its version; null where a report was named.
    pub version: Option<String>,
    /// The path of the profiler's report; null where the command is only printed.
    pub report: Option<String>,
    /// The path of the report as a SQLite file; null where there is none.
    pub database: Option<String>,
    /// What the report says of kernels; null where nothing reads it.
    pub kernels: Option<ProfiledKernels>,
}

/// What a report says of kernels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProfiledKernels {
    /// Those that took longest first.
    pub kernels: Vec<ProfiledKernel>,
    /// How many kernels ran.
    pub runs: u64,
    /// The sum of their times.
    pub total_ns: u64,
    /// How many of them lie in no layer's range.
    pub without_layer: u64,
    /// How many of them a CUDA graph launched.
    pub in_graph: u64,
    /// Requests in the report; 0 where it tells none.
    pub requests: u64,
    /// Copies, by direction.
    pub copies: Vec<ProfiledCopies>,
}

/// The runs of one kernel for one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProfiledKernel {
    /// The layer; null where its launch lies in the range of none.
    pub layer: Option<String>,
    /// The kernel's name.
    pub kernel: String,
    /// How often it ran.
    pub runs: u64,
    /// The sum of its times.
    pub total_ns: u64,
    /// The median of its times.
    pub median_ns: u64,
}

/// The copies in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProfiledCopies {
    /// From where to where, in words.
    pub direction: String,
    /// How many.
    pub runs: u64,
    /// Their bytes in all.
    pub bytes: u64,
    /// The sum of their times.
    pub total_ns: u64,
}

impl From<&KernelTable> for ProfiledKernels {
    fn from(table: &KernelTable) -> Self {
        let kernels = table.rows.iter().map(|row| ProfiledKernel {
            layer: row.layer.clone(),
            kernel: row.kernel.clone(),
            runs: row.runs,
            total_ns: row.total_ns,
            median_ns: row.median_ns,
        });
        let copies = table.copies.iter().map(|copy| ProfiledCopies {
            direction: copy.direction.word().to_owned(),
            runs: copy.runs,
            bytes: copy.bytes,
            total_ns: copy.total_ns,
        });
        Self {
            kernels: kernels.collect(),
            runs: table.runs,
            total_ns: table.total_ns,
            without_layer: table.without_layer,
            in_graph: table.in_graph,
            requests: table.requests,
            copies: copies.collect(),
        }
    }
}
