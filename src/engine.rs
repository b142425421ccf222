//! Reads and writes the engine file: what the build phase hands to the run phase, and nothing else passes between them.
//!
//! Layout: magic, format version (u32 LE), header length (u32 LE), header (JSON), SHA-256 of the header, payload.
//! Files are named by the hash of the engine inputs and written atomically, so two builds may run at the same time.
//!
//! Invariant: a file that does not match the hashes in its header is not loaded
//! (`round_trip_and_every_single_byte_change_is_noticed`).

use crate::case::sha256_hex;
use crate::config::{BuildOptions, Shape};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::inputs::ValueRange;
use crate::memory::ProcessMemory;
use crate::tensor::DType;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

mod kernels;
mod plan;

pub use kernels::{KeptKernels, KernelFile};
pub use plan::PlanHeader;

const MAGIC: &[u8; 8] = b"TRTPERF\n";
/// Changes whenever the layout or the header does; part of the engine inputs hash, so old files are just not found.
const FORMAT: u32 = 1;
/// How the library of our own tests, which computes nothing, begins its name in [`EngineInputs::library`].
pub const TEST_LIBRARY: &str = "test library";
/// A header larger than this is not ours.
const MAX_HEADER: usize = 16 << 20;

/// An input of the engine with its shape resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Name of the input.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// The shapes that the engine serves; it is measured at `opt`.
    pub shape: Shape,
    /// The values that random elements are drawn from.
    pub range: ValueRange,
}

/// What an engine is made from: everything that may change how fast it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineInputs {
    /// [`EngineInputs::FORMAT`] of the tool that built it.
    pub format: u32,
    /// Word of the backend.
    pub backend: String,
    /// Library and version, such as `rten 0.27.0`.
    pub library: String,
    /// SHA-256 of the model file.
    pub model_sha256: String,
    /// SHA-256 of each external weight file.
    pub external_sha256: BTreeMap<String, String>,
    /// How it is built.
    pub build: BuildOptions,
    /// Intra-op threads per session.
    pub threads: u64,
    /// The model's inputs, in its order.
    pub inputs: Vec<InputSpec>,
    /// The hardware the engine is for, where it works on no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
}

impl EngineInputs {
    /// The format of engine files that this version writes and reads.
    pub const FORMAT: u32 = FORMAT;

    /// SHA-256 of all this, as 64 hexadecimal digits.
    pub fn hash(&self) -> String {
        crate::case::sha256_json(self)
    }
}

/// The header of an engine file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineHeader {
    /// [`EngineInputs::hash`] of `made_from`.
    pub inputs_hash: String,
    /// What the engine is made from.
    pub made_from: EngineInputs,
    /// SHA-256 of the payload.
    pub payload_sha256: String,
    /// Name and length of each part of the payload, in order.
    pub parts: Vec<(String, u64)>,
    /// Names of the outputs, in their order.
    pub outputs: Vec<String>,
    /// How often each operator occurs.
    pub operators: BTreeMap<String, u64>,
    /// How long the build took, in nanoseconds.
    pub build_ns: u64,
    /// What else was found out while building, in words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// The engine of a case, in the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Built {
    /// The engine's file in the cache.
    pub engine: PathBuf,
    /// Size of the payload, in bytes.
    pub engine_bytes: u64,
    /// The engine's header.
    pub header: EngineHeader,
    /// Whether it was in the cache already.
    pub cached: bool,
    /// Why the cache of earlier checks was not used, or not added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_trouble: Option<String>,
    /// What the library compiled for it in the process that warmed it up; `None` where nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernels: Option<KernelFile>,
    /// What building took of memory, where that was traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ProcessMemory>,
    /// The same engine, built again each time: where processes are to load several builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Built>,
}

impl Built {
    /// An engine in its file, with nothing to say about a cache.
    pub fn new(engine: PathBuf, header: EngineHeader, cached: bool) -> Self {
        let engine_bytes = header.parts.iter().map(|(_, n)| n).sum();
        Self {
            engine,
            engine_bytes,
            header,
            cached,
            cache_trouble: None,
            kernels: None,
            memory: None,
            others: Vec::new(),
        }
    }

    /// All builds, this one first.
    pub fn builds(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// The build that a process loads, and its number where there are several; both count from 1. Builds take turns.
    pub fn of_process(&self, process: u64) -> (Option<u32>, &Self) {
        if self.others.is_empty() {
            return (None, self);
        }
        let at = process.saturating_sub(1) as usize % (self.others.len() + 1);
        let build = if at == 0 { self } else { &self.others[at - 1] };
        (Some(at as u32 + 1), build)
    }
}

/// The fact that holds the fingerprint of the engine's layers, where the engine tells of them.
pub const TACTICS: &str = "tactics";

/// The facts that hold where the plugin libraries are begin with this.
const PLUGIN: &str = "plugin ";

/// The plugin libraries that an engine was built with, in the order they were loaded in.
pub fn plugins(facts: &BTreeMap<String, String>) -> impl Iterator<Item = &Path> {
    facts.iter().filter(|(name, _)| name.starts_with(PLUGIN)).map(|(_, path)| Path::new(path))
}

/// Notes where the plugin libraries are, which the run phase has to load too, in the order they are loaded in.
pub fn set_plugins(facts: &mut BTreeMap<String, String>, paths: &[PathBuf]) {
    facts.retain(|name, _| !name.starts_with(PLUGIN));
    let named =
        |(number, path): (usize, &PathBuf)| (format!("{PLUGIN}{number:03}"), path.display().to_string());
    facts.extend(paths.iter().enumerate().map(named));
}

/// Where the engine with these inputs is, or would be.
pub fn path(engines: &Path, inputs_hash: &str) -> PathBuf {
    engines.join(format!("{inputs_hash}.engine"))
}

/// Writes an engine file: temporary file in the same folder, flushed, renamed.
pub fn write(path: &Path, header: &EngineHeader, payload: &[&[u8]]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let json = serde_json::to_vec(header)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(MAGIC)?;
        file.write_all(&FORMAT.to_le_bytes())?;
        file.write_all(&(json.len() as u32).to_le_bytes())?;
        file.write_all(&json)?;
        file.write_all(&Sha256::digest(&json))?;
        for part in payload {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| Failure::io("write the engine", path, &e))
}

/// Reads an engine file and checks both hashes. Returns the header and the parts of the payload.
pub fn read(path: &Path) -> Result<(EngineHeader, Vec<Vec<u8>>)> {
    let bytes = file::read(path, &file::ENGINE)?;
    parse(&bytes).map_err(|why| {
        Failure::new(FailureKind::Format, format!("the engine {} {why}", path.display()))
            .next("delete that file; the next run builds it again")
    })
}

/// The header and the parts of the payload of an engine file, or what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<(EngineHeader, Vec<Vec<u8>>), String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("is not an engine file of this tool")?;
    let word = |at: usize| rest.get(at..at + 4).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes);
    let (format, len) = word(0).zip(word(4)).ok_or("is cut off")?;
    if format != FORMAT {
        return Err(format!("has format {format}; this version reads format {FORMAT}"));
    }
    let len = len as usize;
    let json = rest.get(8..8 + len).filter(|_| len <= MAX_HEADER).ok_or("is cut off")?;
    let payload = &rest[8 + len..];
    let (digest, payload) = payload.split_at_checked(32).ok_or("is cut off")?;
    if digest != Sha256::digest(json).as_slice() {
        return Err("was changed after it was built: its header does not match its hash".into());
    }
    let header: EngineHeader =
        serde_json::from_slice(json).map_err(|e| format!("has a damaged header ({e})"))?;
    if header.made_from.hash() != header.inputs_hash {
        return Err("was changed after it was built: its header does not match its inputs hash".into());
    }
    if sha256_hex(payload) != header.payload_sha256 {
        return Err("was changed after it was built: its payload does not match its hash".into());
    }
    let mut parts = Vec::new();
    let mut left = payload;
    for (_, size) in &header.parts {
        let (part, tail) = usize::try_from(*size)
            .ok()
            .and_then(|n| left.split_at_checked(n))
            .ok_or("has parts that do not add up")?;
        parts.push(part.to_vec());
        left = tail;
    }
    if parts.is_empty() || !left.is_empty() {
        return Err("has parts that do not add up".into());
    }
    Ok((header, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (EngineHeader, Vec<u8>) {
        let made_from = EngineInputs {
            format: FORMAT,
            backend: "cpu".into(),
            library: "test 1".into(),
            model_sha256: sha256_hex(b"m"),
            external_sha256: BTreeMap::new(),
            build: BuildOptions::default(),
            threads: 1,
            inputs: vec![],
            hardware: None,
        };
        let payload = b"abcdef".to_vec();
        let header = EngineHeader {
            inputs_hash: made_from.hash(),
            made_from,
            payload_sha256: sha256_hex(&payload),
            parts: vec![("model.onnx".into(), 2), ("w".into(), 4)],
            outputs: vec!["y".into()],
            operators: BTreeMap::new(),
            build_ns: 5,
            facts: BTreeMap::new(),
        };
        (header, payload)
    }

    #[test]
    fn round_trip_and_every_single_byte_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (header, payload) = sample();
        let path = path(dir.path(), &header.inputs_hash);
        write(&path, &header, &[&payload]).unwrap();
        let (read_header, parts) = read(&path).unwrap();
        assert_eq!((read_header, parts), (header.clone(), vec![b"ab".to_vec(), b"cdef".to_vec()]));
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(parse(&bad).is_err(), "byte {at}");
            assert!(parse(&good[..at]).is_err(), "cut at {at}");
        }
    }
}
