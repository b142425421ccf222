//! Reads what trtexec exported of layers: a folder for each process.

use crate::cli::import::files::{FoundExports, all_in, other};
use crate::error::Result;
use crate::layers::{Breakdown, EngineLayers, GpuLimits, LayerRun};
use crate::stats::median_by;
use crate::trtexec;
use std::path::{Path, PathBuf};

/// What trtexec does unless it is told otherwise. Where it was, some of the warm-up is among the requests: a median does
/// not mind.
const WARM_UP_MS: f64 = 200.0;

/// The engine that these exports are of. Folders are a process each; files belong to one.
pub fn read(paths: &[PathBuf]) -> Result<Breakdown> {
    let mut engine: Option<EngineLayers> = None;
    let mut limits: Option<GpuLimits> = None;
    let mut runs = Vec::new();
    let mut loose = FoundExports::default();
    for path in paths {
        let found = all_in(path)?;
        engine = engine.or_else(|| found.engine.clone());
        limits = limits.or_else(|| found.limits.clone());
        if path.is_dir() {
            runs.push(run(&path.display().to_string(), found)?);
        } else {
            loose.profile = loose.profile.or(found.profile);
            loose.times.extend(found.times);
        }
    }
    let named = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    if paths.iter().any(|path| path.is_file()) && (loose.profile.is_some() || runs.is_empty()) {
        runs.push(run(&named, loose)?);
    }
    let joined = Breakdown::of(engine.as_ref(), &runs).map_err(|why| help(&named, &why))?;
    Ok(Breakdown { limits, ..joined })
}

fn run(name: &str, found: FoundExports) -> Result<LayerRun> {
    let gpu_ns = gpu_ns(&found)?;
    let times = found.profile.ok_or_else(|| {
        help(name, "holds no layer profile (trtexec --exportProfile), so nothing says how long layers take")
    })?;
    Ok(LayerRun { times, gpu_ns })
}

/// Median of computing on the GPU over the requests that were timed as a whole; `None` without their export.
fn gpu_ns(found: &FoundExports) -> Result<Option<f64>> {
    let mut all = Vec::new();
    for (name, text) in &found.times {
        let times = trtexec::times(text, WARM_UP_MS).map_err(|why| help(name, &why))?;
        all.extend(trtexec::compute_ns(&times.requests));
    }
    Ok(median_by(all, u64::cmp).map(|ns| ns as f64))
}

fn help(name: &str, why: &str) -> crate::error::Failure {
    other(name, why).next("name folders with what trtexec wrote: profile.json (--exportProfile), graph.json or layers.json (--exportLayerInfo, --profilingVerbosity=detailed), times.json (--exportTimes)")
}

/// Whether a text names exports, and no case.
pub fn is_export(text: &str) -> bool {
    let path = Path::new(text);
    path.is_dir() || path.is_file() && path.extension().is_some_and(|e| e == "json")
}
