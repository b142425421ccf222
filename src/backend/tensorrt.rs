//! The TensorRT backend. It opens NVIDIA TensorRT or TensorRT-RTX at run time, so one binary works with every installed
//! version.
//!
//! | file | what it makes | from what |
//! |---|---|---|
//! | `sys` | calls into an opened library | places on this machine, NVIDIA's tables |
//! | `network`, `options`, `build` | a plan | a model, build options |
//! | `runtime` | engines | a plan |
//! | `context` | contexts | an engine |
//! | `foreign` | a model | a plan that somebody else made |
//! | `inspector` | what an engine says about its layers | an engine, a context |
//! | `host_tensor` | the memory of an input that decides shapes | bytes |
//! | `run` | streams of requests | an engine, contexts, CUDA |
//!
//! Only workers use it: a native library that crashes takes its process with it.

mod build;
pub mod context;
mod foreign;
mod gpu;
mod host_tensor;
mod inference;
mod inspector;
mod network;
mod options;
mod run;
pub mod runtime;
pub mod sys;
#[cfg(test)]
mod tests;

use super::cuda::{GpuContext, driver_present};
use super::{Backend, BuildRequest, LoadSetup, Loaded, Looked, Payload};
use crate::case::Target;
use crate::config::{BuildOptions, Wait, is_plan};
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::onnx::{self, ModelFile};
use crate::tensor::Tensor;
use crate::units::nanos;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use sys::abi::Family;
use sys::library::{self, Api, Need};
use sys::search::{Surroundings, search};

/// The backend: a folder to look in, and the library once it is opened.
pub struct Tensorrt {
    folder: Option<PathBuf>,
    device: u32,
    api: OnceLock<Arc<Api>>,
}

impl Tensorrt {
    /// The backend of a target; opens nothing yet.
    pub fn new(target: &Target) -> Self {
        Self { folder: target.tensorrt.clone(), device: target.gpu, api: OnceLock::new() }
    }

    /// The opened library. One that can build will do for both phases; a lean runtime only runs.
    fn api(&self, need: Need) -> Result<&Arc<Api>> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let api = library::open(self.folder.as_deref(), need)?;
        Ok(self.api.get_or_init(|| api))
    }
}

impl Backend for Tensorrt {
    fn library(&self) -> Result<String> {
        Ok(self.api(Need::Build)?.release.to_string())
    }

    /// An engine works on the kind of GPU it was built on, but for one whose GPUs were named.
    fn hardware(&self, options: &BuildOptions) -> Result<Option<String>> {
        let named = options.tensorrt.compute_capabilities.as_ref();
        if named.is_some_and(|all| all.iter().all(|cc| cc != "current")) {
            return Ok(None);
        }
        match gpu::identity(self.device) {
            Ok(gpu) => Ok(Some(gpu)),
            Err(why) => {
                let release = &self.api(Need::Build)?.release;
                // TensorRT-RTX builds where there is no GPU: for all that it knows. So does the library of our tests.
                let anywhere = release.family == Family::Rtx1 || release.is_test_library();
                if anywhere { Ok(None) } else { Err(why) }
            }
        }
    }

    fn read(&self, path: &Path, options: &BuildOptions) -> Result<ModelFile> {
        match is_plan(path) {
            true => foreign::read(self.api(Need::Run)?, self.device, path, options),
            false => onnx::read(path),
        }
    }

    fn build(&self, mut request: BuildRequest) -> Result<Payload> {
        // The parser reads external weights itself: a second copy of them would be there for the whole build.
        request.model.external.clear();
        let options = &request.options.tensorrt;
        if is_plan(request.path) {
            let payload = foreign::payload(request)?;
            return Ok(inspector::with_tactics(self.api(Need::Run)?, self.device, options, payload));
        }
        let api = self.api(Need::Build)?;
        let payload = build::build(api, self.device, &request)?;
        // Others have nothing to tell, and loading them would take its time for nothing.
        match options.profiling_verbosity.as_deref() {
            Some("detailed") => Ok(inspector::with_tactics(api, self.device, options, payload)),
            _ => Ok(payload),
        }
    }

    fn load(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &LoadSetup,
        inputs: &[(String, Tensor)],
    ) -> Result<Loaded> {
        if !driver_present() {
            return Err(no_driver());
        }
        let start = Instant::now();
        let api = self.api(Need::Run)?;
        let library_ns = nanos(start.elapsed());
        let plan = parts.first().map_or(&b""[..], |p| p.as_slice());
        let mut opened = run::open(api, self.device, engine, plan, setup, inputs)?;
        opened.steps.insert(0, ("library".into(), library_ns));
        opened.load_ns += library_ns;
        Ok(Loaded::Streams(Box::new(opened)))
    }
}

/// What an engine needs to be loaded, though not to run. The library of our own tests may do without a GPU.
fn gpu_to_load(api: &Api, device: u32) -> Result<Option<GpuContext>> {
    match driver_present() {
        true => GpuContext::open(device, Wait::Block).map(Some),
        false if api.release.is_test_library() => Ok(None),
        false => Err(no_driver()),
    }
}

fn no_driver() -> Failure {
    Failure::new(FailureKind::Measure, "a TensorRT engine needs a CUDA driver, and there is none here (no libcuda)")
        .next("run it on a machine with an NVIDIA GPU and its driver; `cargo trt-perf build` needs neither with TensorRT-RTX")
}

/// For `doctor`: every place that is looked at, and the library that would be used.
pub fn probe(folder: Option<&Path>) -> (Vec<Looked>, Result<String>) {
    let search = library::look(folder);
    let library =
        search.first(folder).and_then(|c| library::open_candidate(c, folder.is_some())).map(|api| {
            let does = match (api.release.lean, api.can_parse()) {
                (true, _) => "loads version-compatible plans, builds none",
                (false, true) => "builds engines",
                (false, false) => "builds no engines: there is no ONNX parser beside it",
            };
            format!("{} ({}); {does}", api.release, api.path.display())
        });
    (search.looked, library)
}

/// Whether a library is in one of the usual places, for `auto`. Only files are looked at: nothing is opened.
pub fn is_here() -> bool {
    search(None, &Surroundings::here(beside_loader)).first(None).is_ok()
}

/// Where the loader would find a library that the environment points at, without opening it.
fn beside_loader(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("LD_LIBRARY_PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
