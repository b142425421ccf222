//! The exit code; a worker's arguments go straight to the worker.

use std::process::ExitCode;
use trt_perf::backend::counting::Counting;

/// The system's allocator; it counts in memory workers only.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|a| a == trt_perf::worker::WORKER_ARG) {
        return trt_perf::cli::worker(&args[2..]);
    }
    trt_perf::cli::main(args)
}
