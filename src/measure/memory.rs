//! A memory run: loads an engine, answers some requests, destroys everything, and tells what memory that took, phase by
//! phase. Nothing is timed, and timed runs trace nothing.

use super::host::first;
use super::load::LoadJob;
use crate::backend::trace::{MemoryTrace, keep_events};
use crate::backend::{LoadSetup, Loaded, Opened, backend, infer};
use crate::case::BackendKind;
use crate::engine::EngineHeader;
use crate::error::{Failure, Result};
use crate::memory::{EngineMemory, MemoryPhase, ProcessMemory};
use crate::progress::{Stage, Tell};
use crate::units::bytes;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Load an engine and tell what memory it takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryJob {
    /// The engine.
    pub load: LoadJob,
    /// Requests of each stream.
    pub requests: u64,
    /// Where the events of the allocator go.
    pub events: PathBuf,
}

/// What a memory run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryFound {
    /// What the engine says of itself.
    pub engine: EngineMemory,
    /// What the process had.
    pub process: ProcessMemory,
}

/// Everything, from reading the engine to destroying it.
pub fn run(job: &MemoryJob, tell: &mut dyn Tell) -> Result<MemoryFound> {
    // Before anything is counted: how long the header is, is no matter of the model.
    let (header, parts) = job.load.read()?;
    let plan_bytes = parts.iter().map(|part| part.len() as u64).sum();
    let first = if job.load.target.kind.on_gpu() { MemoryPhase::Driver } else { MemoryPhase::Load };
    let trace = MemoryTrace::of(&job.load.target, first, plan_bytes);
    let done = answer(job, (&header, parts), &trace, tell);
    let refusal = trace.refusal();
    let (engine, process, events) = trace.end();
    done.map_err(|failure| ran_out(failure, refusal))?;
    keep_events(&job.events, &events)?;
    Ok(MemoryFound { engine: EngineMemory { plan_bytes, ..engine }, process })
}

/// Loads the engine, sends the requests, and destroys everything that was made.
fn answer(
    job: &MemoryJob,
    (header, parts): (&EngineHeader, Vec<Vec<u8>>),
    trace: &Arc<MemoryTrace>,
    tell: &mut dyn Tell,
) -> Result<()> {
    let feeds = job.load.feeds(header)?;
    let setup = LoadSetup { memory: Some(Arc::clone(trace)), ..job.load.setup()? };
    tell.stage(Stage::Load, 0);
    match backend(&job.load.target)?.load(header, parts, &setup, &feeds)? {
        Loaded::Program(_) => Err(own_process(job.load.target.kind)),
        Loaded::Streams(mut opened) => {
            tell.stage(Stage::Measure, 0);
            trace.begin(MemoryPhase::Inference);
            requests(&mut opened, job.requests)?;
            // Whatever destroying it allocates is of the end.
            trace.begin(MemoryPhase::End);
            Ok(())
        }
    }
}

fn requests(opened: &mut Opened, requests: u64) -> Result<()> {
    first(&mut opened.streams)?;
    for stream in &mut opened.streams {
        for _ in 0..requests {
            infer(stream.as_mut())?;
        }
    }
    Ok(())
}

fn own_process(kind: BackendKind) -> Failure {
    let (what, next) = match kind {
        BackendKind::Trtexec => ("trtexec", "use --backend tensorrt for this case"),
        _ => ("the program", "leave this case out, and max-memory out of its settings"),
    };
    let what = format!("{what} runs its requests in a process of its own, whose allocator nobody can trace");
    Failure::usage(what).next(next)
}

/// A failure for lack of memory says how much was asked for.
fn ran_out(failure: Failure, refusal: Option<(u64, MemoryPhase, u64)>) -> Failure {
    let Some((asked, phase, held)) = refusal else { return failure };
    Failure::gpu_out_of_memory(format!(
        "the GPU had no {} more in the phase {}, with {} allocated: {}",
        bytes(asked),
        phase.word(),
        bytes(held),
        failure.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FailureKind;

    #[test]
    fn a_failure_for_lack_of_memory_says_how_much_was_asked_for() {
        let failure = || Failure::new(FailureKind::Measure, "the plan does not load");
        assert_eq!(ran_out(failure(), None), failure());
        let told = ran_out(failure(), Some((3 << 30, MemoryPhase::Load, 5 << 20)));
        assert_eq!(told.kind, FailureKind::OutOfMemory);
        let says =
            "the GPU had no 3.00 GiB more in the phase load, with 5.0 MiB allocated: the plan does not load";
        assert_eq!(told.message, says);
    }
}
