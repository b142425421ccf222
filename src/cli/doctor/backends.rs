//! Lists which backends this machine has, for `doctor`.
//!
//! Native libraries are opened in a worker, not here.

use crate::backend::Looked;
use crate::case::{BackendKind, Target};
use crate::device::Gpu;
use crate::error::Result;
use crate::units::plural;
use crate::worker;
use crate::worker::protocol::{Job, Probed, WorkerMessage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long opening a library may take.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// A backend: what it is where it can be used, or why it cannot, and the places where its library was looked for.
#[derive(Clone, Debug)]
pub struct KnownBackend {
    /// Its name.
    pub name: String,
    /// What it is, such as library and version; or why it does not work.
    pub state: Result<String, String>,
    /// The places where its library was looked for.
    pub looked: Vec<Looked>,
}

/// Every backend; TensorRT's library is looked for in `folder`, or everywhere. `gpus` are those of CUDA.
pub fn known(
    folder: Option<PathBuf>,
    gpus: &Result<Vec<Gpu>, String>,
    no_gpu: Option<&String>,
) -> Vec<KnownBackend> {
    vec![cpu(), tensorrt(folder.clone(), no_gpu), trtexec(folder.as_deref()), cuda(gpus)]
}

fn cpu() -> KnownBackend {
    let state = crate::backend::embedded();
    KnownBackend { name: BackendKind::Cpu.word().to_owned(), state, looked: Vec::new() }
}

/// Only whether its file is there: what version it is costs a start of it.
fn trtexec(folder: Option<&Path>) -> KnownBackend {
    let state = crate::backend::trtexec_found(folder);
    KnownBackend { name: BackendKind::Trtexec.word().to_owned(), state, looked: Vec::new() }
}

/// The GPUs of CUDA, or why there are none.
pub fn gpus_of_cuda() -> Result<Vec<Gpu>, String> {
    let target = Target { kind: BackendKind::Cuda, tensorrt: None, gpu: 0, lane: false };
    match worker::run(&Job::Gpus(target), PROBE_LIMIT, &mut |_| {}) {
        Ok(WorkerMessage::Gpus(gpus)) => Ok(gpus),
        Ok(other) => Err(format!("the worker answered {other:?}")),
        Err(failure) => Err(failure.message),
    }
}

fn cuda(gpus: &Result<Vec<Gpu>, String>) -> KnownBackend {
    let what = |gpus: &Vec<Gpu>| {
        let count = plural(gpus.len(), "GPU");
        format!("a calibration workload of kernels with a set duration, on {count}; no models")
    };
    let state = gpus.as_ref().map(what).map_err(Clone::clone);
    KnownBackend { name: BackendKind::Cuda.word().to_owned(), state, looked: Vec::new() }
}

/// Asks a worker, because a library that crashes when it is opened must only be an answer.
fn tensorrt(folder: Option<PathBuf>, no_gpu: Option<&String>) -> KnownBackend {
    let name = BackendKind::Tensorrt.word().to_owned();
    let folder = folder.map(|f| std::path::absolute(&f).unwrap_or(f));
    match worker::run(&Job::Probe(folder), PROBE_LIMIT, &mut |_| {}) {
        Ok(WorkerMessage::Probed(Probed { looked, library })) => {
            let state = match (library, no_gpu) {
                (Ok(library), None) => Ok(library),
                (Ok(library), Some(_)) => Ok(format!("{library}; no GPU to run them on")),
                (Err(failure), _) => Err(failure.to_string().replace("\n  next: ", "; ")),
            };
            KnownBackend { name, state, looked }
        }
        Ok(other) => {
            KnownBackend { name, state: Err(format!("the worker answered {other:?}")), looked: Vec::new() }
        }
        Err(failure) => KnownBackend { name, state: Err(failure.message), looked: Vec::new() },
    }
}
