//! Reads a plan that somebody else made: what it was made by, and the inputs and outputs that it has.
//!
//! A plan is executable content. Whoever names one says that it is trusted, before this is called.

use super::run::load_engine;
use super::runtime::{Engine, IoTensor};
use super::sys::abi::{Family, LibraryVersion, Release};
use super::sys::library::Api;
use super::{build::PLAN, gpu_to_load};
use crate::backend::{BuildRequest, Payload};
use crate::case::sha256_hex;
use crate::config::BuildOptions;
use crate::engine::{PlanHeader, set_plugins};
use crate::error::{Failure, FailureKind, Result};
use crate::onnx::{ModelDim, ModelFile, ModelInput};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Build options that say how a plan is loaded; all others are for making one.
const WHEN_LOADED: [&str; 4] = ["dla-core", "plugins", "runtime-cache", "version-compatible"];

/// The plan as a model. It is loaded for that, because no other way leads to its inputs.
pub fn read(api: &Arc<Api>, device: u32, path: &Path, options: &BuildOptions) -> Result<ModelFile> {
    let (header, bytes) = PlanHeader::read(path)?;
    fits(header, &api.release).map_err(|why| {
        Failure::new(FailureKind::Format, format!("{} {why}", path.display())).next(OTHER_VERSION)
    })?;
    let _gpu = gpu_to_load(api, device)?;
    let plugins = options.tensorrt.plugins.as_deref().unwrap_or_default();
    let engine = load_engine(api, &options.tensorrt, plugins, &bytes, None).map_err(|failure| {
        match same_version(header, &api.release) {
            true => failure,
            false => failure.context(differ(header, &api.release)).next(OTHER_VERSION),
        }
    })?;
    let io = engine.io_tensors()?;
    let inputs = io.iter().filter(|t| t.input).map(|t| input(&engine, t)).collect::<Result<Vec<_>>>()?;
    let outputs = io.iter().filter(|t| !t.input).map(name).collect();
    let operators = BTreeMap::new();
    Ok(ModelFile { sha256: sha256_hex(&bytes), bytes, external: BTreeMap::new(), inputs, outputs, operators })
}

const OTHER_VERSION: &str = "build the plan with the TensorRT that is here, or name the folder of its own with --tensorrt; a plan that was made version-compatible loads with --build version-compatible=true";

/// The plan is the payload: there is nothing to build.
pub fn payload(request: BuildRequest) -> Result<Payload> {
    let options = &request.options.tensorrt;
    if let Some(key) = options.keys().into_iter().find(|key| !WHEN_LOADED.contains(key)) {
        return Err(Failure::usage(format!(
            "the build option `{key}` does nothing to a plan, which is built already"
        ))
        .next("take it out, or name the model that the plan was built from"));
    }
    let mut facts = BTreeMap::from([(
        "made elsewhere".to_owned(),
        PlanHeader::of(&request.model.bytes).map_or_else(|why| why, |header| format!("by {header}")),
    )]);
    set_plugins(&mut facts, options.plugins.as_deref().unwrap_or_default());
    Ok(Payload { parts: vec![(PLAN.to_owned(), request.model.bytes)], facts })
}

/// Refuses what cannot load, whatever the plan holds: plans do not load in another product or in an earlier release.
/// The error continues the plan's name.
fn fits(header: PlanHeader, release: &Release) -> std::result::Result<(), String> {
    let rtx = release.family == Family::Rtx1;
    let LibraryVersion { major, minor, patch, .. } = release.version;
    let here = [major, minor, patch];
    let made: Vec<u32> = header.version[..3].iter().map(|n| u32::from(*n)).collect();
    if header.rtx == rtx && made[..] <= here[..] { Ok(()) } else { Err(differ(header, release)) }
}

fn differ(header: PlanHeader, release: &Release) -> String {
    format!("was built by {header}, and you have {release}")
}

fn same_version(header: PlanHeader, release: &Release) -> bool {
    let LibraryVersion { major, minor, patch, .. } = release.version;
    header.version[..3].iter().map(|n| u32::from(*n)).eq([major, minor, patch])
}

fn name(tensor: &IoTensor) -> String {
    tensor.name.to_string_lossy().into_owned()
}

/// An input as a model declares it. Dimensions and values that vary are called by the range that the first profile serves: the one
/// that contexts have where nobody chooses another.
fn input(engine: &Engine, tensor: &IoTensor) -> Result<ModelInput> {
    let name = name(tensor);
    let dtype = tensor.dtype.ok_or_else(|| {
        let what = format!(
            "input `{name}` of the plan is {}, which inputs of this tool cannot be",
            tensor.type_name
        );
        Failure::new(FailureKind::Build, what).next("build the plan with inputs of another type")
    })?;
    let dynamic = tensor.host || tensor.dims.iter().any(|d| *d < 0);
    let mut served = dynamic.then(|| engine.profile_shape(&tensor.name, 0)).transpose()?;
    if let Some(served) = served.as_mut().filter(|_| tensor.host) {
        served.values = engine.profile_values(&tensor.name, 0, served.opt.iter().product())?;
    }
    let range = |at: usize| {
        let shape = served.as_ref()?;
        Some(format!("{}–{}", shape.min.get(at)?, shape.max.get(at)?))
    };
    let dims = tensor.dims.iter().enumerate().map(|(at, d)| match u64::try_from(*d) {
        Ok(n) => ModelDim::Fixed(n),
        Err(_) => ModelDim::Dynamic(range(at).unwrap_or_default()),
    });
    let dims = Some(dims.collect());
    Ok(ModelInput { name, dtype, dims, index_bound: None, served })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(family: Family, major: u32, minor: u32, patch: u32) -> Release {
        Release { family, version: LibraryVersion { major, minor, patch, build: 1 }, lean: false }
    }

    #[test]
    fn plans_of_another_product_or_a_later_release_are_refused_with_both_versions() {
        let made = |rtx, version| PlanHeader { rtx, version };
        let here = release(Family::Trt11, 11, 4, 0);
        for (plan, library, fit) in [
            (made(false, [11, 4, 0, 9]), here, true),
            (made(false, [10, 9, 0, 34]), here, true),
            (made(false, [11, 4, 1, 2]), here, false),
            (made(false, [10, 9, 0, 34]), release(Family::Trt10, 10, 3, 0), false),
            (made(true, [1, 6, 1, 120]), here, false),
            (made(false, [10, 9, 0, 34]), release(Family::Rtx1, 1, 6, 1), false),
            (made(true, [1, 6, 1, 120]), release(Family::Rtx1, 1, 7, 1), true),
        ] {
            assert_eq!(fits(plan, &library).is_ok(), fit, "{plan} in {library}");
        }
        assert_eq!(
            fits(made(false, [11, 4, 1, 2]), &here).unwrap_err(),
            "was built by TensorRT 11.4.1.2, and you have TensorRT 11.4.0.1"
        );
        assert!(
            same_version(made(false, [11, 4, 0, 9]), &here)
                && !same_version(made(false, [10, 4, 0, 9]), &here)
        );
    }
}
