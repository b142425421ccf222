//! The last step of the build phase: what a library compiles while it loads an engine is compiled once, and kept.
//!
//! TensorRT-RTX spends two to five seconds a process on it (ResNet-50 on an H100), for less than a second of measuring.

use super::context::Session;
use super::stages::{load_job, stage};
use crate::cache::{Cache, touch};
use crate::case::Case;
use crate::config::BackendKind;
use crate::engine::{Built, KernelFile};
use crate::error::{Failure, FailureKind, Result};
use crate::measure::WarmJob;
use crate::worker::protocol::{Job, WorkerMessage};
use crate::worker::run as run_worker;

/// The kernels of a built engine: those that are there, or new ones. `None` where the library compiles none, they are not
/// to be kept, or it did not work out, which is said: then every process compiles its own.
pub(super) fn kept(session: &Session, case: &Case, built: &Built) -> Result<Option<KernelFile>> {
    let library = &built.header.made_from.library;
    let compiles = case.target.kind == BackendKind::Tensorrt && library.contains("TensorRT-RTX");
    let wanted = case.build.tensorrt.runtime_cache != Some(false);
    let Some(gpu) = session.device.measured_gpu.as_ref().filter(|_| compiles && wanted) else {
        return Ok(None);
    };
    let shapes: Vec<String> = built.header.made_from.inputs.iter().map(|i| i.shape.to_string()).collect();
    let compiled_on = [session.device.key.as_str(), &gpu.driver, library, &shapes.join(" ")];
    let place = KernelFile::place(&built.engine, &built.header.payload_sha256, &compiled_on);
    let said = |why: &str| session.note(&format!("{}: {why}", case.id));
    let cache = session.cache.as_deref().and_then(|dir| Cache::open(dir).ok());
    if let Some(Err(why)) = cache.as_ref().filter(|_| !place.exists()).map(|c| c.take_kernels(&place)) {
        said(&why);
    }
    if let Some(found) = KernelFile::find(&place) {
        touch(&place);
        return Ok(Some(found));
    }
    let job = Job::Warm(WarmJob { load: load_job(session, case, built), kernels: place });
    match run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(session, case, 0, m)) {
        Ok(WorkerMessage::Warmed(kernels)) => {
            if let (Some(cache), Some(file)) = (cache, &kernels) {
                cache.keep_kernels(&file.path).unwrap_or_else(|f| said(&f.message));
            }
            Ok(kernels)
        }
        Ok(other) => {
            Err(Failure::new(FailureKind::Crash, format!("the worker that warms up answered {other:?}")))
        }
        Err(f) if f.kind == FailureKind::Interrupted => Err(f),
        Err(f) => {
            let why = f.message;
            said(&format!("each process compiles its kernels anew, as none were kept ({why})"));
            Ok(None)
        }
    }
}
