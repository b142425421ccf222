//! What NVIDIA's profilers are asked, and what their reports say: the command line by version, the tables of a report, the
//! kernels of each layer, and a timeline. Pure: others start the tools, and read and write the files.

mod command;
mod kernels;
mod sqlite;
mod timeline;
mod trace;

pub use command::{
    Nsys, NvtxDetail, Profiled, ProfilerTool, environment, gpu_metrics_allowed, ncu_command, quoted,
};
pub use kernels::{CopySum, DOMAIN, KernelOfLayer, KernelTable, REQUEST, REQUESTS};
pub use timeline::tracks;
pub use trace::{CopyDirection, NsysTrace};
