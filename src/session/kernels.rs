//! The last step of the build phase: what a library compiles while it loads an engine is compiled once, and kept.
//!
//! TensorRT-RTX spends two to five seconds a process on it (ResNet-50 on an H100), for less than a second of measuring. It
//! takes kernels back on the GPU that they were compiled on, under the number that it had: 1.6.1 refuses them on another H200
//! of the same host, and on the same one where CUDA counts it otherwise (`tests/gpu/kept_kernels.py`). So each lane has its own.

use super::context::Session;
use super::lanes::at_once;
use super::stages::{load_job, stage};
use crate::cache::{Cache, touch};
use crate::case::Case;
use crate::config::BackendKind;
use crate::device::Gpu;
use crate::engine::{Built, EngineInputs, KernelFile};
use crate::error::{Failure, FailureKind, Result};
use crate::measure::WarmJob;
use crate::worker::protocol::{Job, WorkerMessage};
use crate::worker::run as run_worker;
use std::path::PathBuf;

/// A built engine with its kernels, which are compiled for every lane that may measure the case.
pub(super) fn for_all_lanes(session: &Session, case: &Case, built: Built) -> Result<Built> {
    let lanes = session.lanes.that_may_measure(&case.id);
    if lanes.len() < 2 {
        return Ok(Built { kernels: compiled(session, case, &built)?, ..built });
    }
    at_once(lanes, |_, lane| compiled(session, &lane.given(case), &built))?;
    Ok(on_its_lane(session, case, &built))
}

/// A built engine, and its other builds, with the kernels that were compiled for the device that measures the case.
pub(super) fn on_its_lane(session: &Session, case: &Case, built: &Built) -> Built {
    let mut here = built.clone();
    if session.lanes.all.len() > 1 {
        let kernels = |built: &Built| KernelFile::find(&place(session, case, built)?);
        here.kernels = kernels(built);
        here.others.iter_mut().for_each(|other| other.kernels = kernels(other));
    }
    here
}

/// What the kernels of an engine depend on beside its payload. `number`: the GPU's, as CUDA counts.
fn compiled_on(gpu: &Gpu, number: u32, made: &EngineInputs) -> [String; 6] {
    let shapes: Vec<String> = made.inputs.iter().map(|i| i.shape.to_string()).collect();
    let [key, driver, library] = [&gpu.key, &gpu.driver, &made.library].map(String::clone);
    [key, gpu.uuid.clone().unwrap_or_default(), number.to_string(), driver, library, shapes.join(" ")]
}

/// Where the kernels of a built engine are for the device that measures the case. `None` where the library compiles none, or
/// they are not to be kept.
fn place(session: &Session, case: &Case, built: &Built) -> Option<PathBuf> {
    let made = &built.header.made_from;
    let compiles = case.target.kind == BackendKind::Tensorrt && made.library.contains("TensorRT-RTX");
    let wanted = case.build.tensorrt.runtime_cache != Some(false);
    let number = session.target(case).gpu;
    let gpu = session.gpu(number).filter(|_| compiles && wanted)?;
    Some(KernelFile::place(&built.engine, &built.header.payload_sha256, &compiled_on(gpu, number, made)))
}

/// The kernels of a built engine: those that are there, or new ones. `None` also where compiling them did not work out, which
/// is said: then every process compiles its own.
fn compiled(session: &Session, case: &Case, built: &Built) -> Result<Option<KernelFile>> {
    let Some(place) = place(session, case, built) else { return Ok(None) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BuildOptions;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn two_gpus_of_one_kind_have_kernels_of_their_own() {
        let made = EngineInputs {
            format: 1,
            backend: "tensorrt".into(),
            library: "TensorRT-RTX 1.6.1".into(),
            model_sha256: "m".into(),
            external_sha256: BTreeMap::new(),
            build: BuildOptions::default(),
            threads: 1,
            inputs: vec![],
            hardware: None,
        };
        let gpu = |uuid: Option<&str>| Gpu {
            uuid: uuid.map(str::to_owned),
            ..Gpu::without_nvml(0, "NVIDIA H200", 141 << 30, "9.0".into())
        };
        let on = |gpu: &Gpu, number| compiled_on(gpu, number, &made);
        let all = [
            on(&gpu(Some("GPU-a")), 0),
            on(&gpu(Some("GPU-b")), 0),
            on(&gpu(Some("GPU-a")), 1),
            on(&gpu(None), 0),
        ];
        assert_eq!(on(&gpu(Some("GPU-a")), 0), all[0]);
        assert_eq!(BTreeSet::from(all).len(), 4);
    }
}
