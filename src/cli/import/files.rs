//! Finds the files of a trtexec session by what they contain. It only reads.

use super::TrtexecArgs;
use crate::case::sha256_hex;
use crate::cli::compare::natural;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::layers::{self, EngineLayers, GpuLimits, LayerTimes};
use crate::trtexec::{self, TrtexecFile, TrtexecOutput};
use std::path::{Path, PathBuf};

/// Everything that was found.
#[derive(Default)]
pub struct FoundExports {
    /// Name and text, in natural order of the names.
    pub times: Vec<(String, String)>,
    /// What the program printed.
    pub output: TrtexecOutput,
    /// What its layers take; `None` without that file.
    pub profile: Option<LayerTimes>,
    /// What the engine tells of its layers; `None` without that file.
    pub engine: Option<EngineLayers>,
    /// What the GPU can do at most, where something was printed of it.
    pub limits: Option<GpuLimits>,
    /// The hash of that file.
    pub layers_sha256: Option<String>,
    /// The plan's hash and size in bytes.
    pub plan: Option<(String, u64)>,
}

/// A file with its text.
struct ImportFile {
    name: String,
    text: String,
}

/// Reads what the options name.
pub fn find(args: &TrtexecArgs) -> Result<FoundExports> {
    let mut all: Vec<(TrtexecFile, ImportFile)> = Vec::new();
    for path in &args.paths {
        if path.is_dir() {
            let before = all.len();
            folder(path, &mut all)?;
            if !all[before..].iter().any(|(kind, _)| *kind == TrtexecFile::Times) {
                return Err(other(&path.display().to_string(), "holds no export of times"));
            }
        } else {
            // Whatever it is: the reader of times says what is wrong with it.
            all.push((TrtexecFile::Times, read(path)?));
        }
    }
    for path in &args.log {
        let file = read(path)?;
        match trtexec::kind(&file.text) {
            Some(kind @ (TrtexecFile::Log | TrtexecFile::Summary)) => all.push((kind, file)),
            _ => {
                return Err(other(
                    &file.name,
                    "is not what trtexec prints: it has no section `=== Inference Options ===`",
                ));
            }
        }
    }
    for (kind, path) in [(TrtexecFile::Profile, &args.profile), (TrtexecFile::Layers, &args.layers)] {
        if let Some(path) = path {
            // The named one counts, not the one in the folder.
            all.retain(|(k, _)| *k != kind);
            all.push((kind, read(path)?));
        }
    }
    let mut found = put_together(all)?;
    if let Some(path) = &args.engine {
        let bytes = file::read(path, &file::ENGINE)?;
        found.plan = Some((sha256_hex(&bytes), bytes.len() as u64));
    }
    Ok(found)
}

/// Everything that trtexec exported into a folder, or one file of it, by what it contains. Of what it printed only the GPU
/// counts: folders hold logs of several sessions, and they tell nothing of layers.
pub fn all_in(path: &Path) -> Result<FoundExports> {
    let mut all = Vec::new();
    if path.is_dir() {
        folder(path, &mut all)?;
    } else {
        let file = read(path)?;
        let kind = trtexec::kind(&file.text).ok_or_else(|| other(&file.name, "is no export of trtexec"))?;
        all.push((kind, file));
    }
    let is_printed = |kind: &TrtexecFile| matches!(kind, TrtexecFile::Log | TrtexecFile::Summary);
    let limits = all.iter().filter(|(kind, _)| is_printed(kind)).find_map(|(_, file)| {
        trtexec::read_output(&file.text).ok().and_then(|output| GpuLimits::said_by(&output))
    });
    all.retain(|(kind, _)| !is_printed(kind));
    put_together(all).map(|found| FoundExports { limits, ..found })
}

/// The files of a folder that are trtexec's; others may lie beside them.
fn folder(dir: &Path, all: &mut Vec<(TrtexecFile, ImportFile)>) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(|e| Failure::io("read the folder", dir, &e))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_file()).collect();
    // 2 before 10: the order in which people number runs.
    paths.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    for path in paths {
        let wanted = path.extension().is_some_and(|e| ["json", "log", "txt"].iter().any(|w| e == *w));
        if !wanted {
            continue;
        }
        let file = read(&path)?;
        if let Some(kind) = trtexec::kind(&file.text) {
            all.push((kind, file));
        } else if path.extension().is_some_and(|e| e == "json")
            && let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(&file.text)
        {
            // Cut off before its first key, it may have been anything.
            return Err(other(&file.name, &format!("is no whole JSON ({e})")));
        }
    }
    Ok(())
}

fn put_together(all: Vec<(TrtexecFile, ImportFile)>) -> Result<FoundExports> {
    let mut found = FoundExports::default();
    let (mut profile, mut info): (Option<ImportFile>, Option<ImportFile>) = (None, None);
    for (kind, file) in all {
        match kind {
            TrtexecFile::Times => found.times.push((file.name, file.text)),
            TrtexecFile::Log | TrtexecFile::Summary => {
                let output = trtexec::read_output(&file.text).map_err(|why| other(&file.name, &why))?;
                differs(&found.output, &output, &file.name)?;
                found.output = trtexec::merge(found.output, output);
            }
            TrtexecFile::Profile => profile = Some(file),
            TrtexecFile::Layers => info = Some(file),
        }
    }
    let read = |file: &ImportFile, why: String| other(&file.name, &why);
    if let Some(file) = &profile {
        found.profile = Some(layers::profile(&file.text).map_err(|why| read(file, why))?);
    }
    if let Some(file) = &info {
        found.engine = Some(layers::inspect(&file.text).map_err(|why| read(file, why))?);
    }
    found.layers_sha256 = info.map(|f| sha256_hex(f.text.as_bytes()));
    Ok(found)
}

/// Logs of one session say the same of the GPU and the settings.
fn differs(a: &TrtexecOutput, b: &TrtexecOutput, name: &str) -> Result<()> {
    let facts = [
        ("setting of inference", a.run.is_some() && b.run.is_some() && a.run != b.run),
        ("GPU", a.gpu.is_some() && b.gpu.is_some() && a.gpu != b.gpu),
        ("TensorRT", a.version.is_some() && b.version.is_some() && a.version != b.version),
    ];
    match facts.iter().find(|(_, differ)| *differ) {
        None => Ok(()),
        Some((what, _)) => Err(other(
            name,
            &format!("says another {what} than the log before it: these are not runs of one session"),
        )),
    }
}

fn read(path: &Path) -> Result<ImportFile> {
    let bytes = file::read(path, &file::EXPORT)?;
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(ImportFile { name, text }),
        Err(_) => Err(other(&name, "is not text, so it is no export of trtexec")),
    }
}

pub fn other(name: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Format, format!("{name} {why}"))
        .next("see `cargo trt-perf import trtexec --help` for the files that are meant")
}
