//! The file beside an engine that holds the kernels compiled for it, so that each measuring process need not compile them
//! again.
//!
//! Layout: one line of JSON, then the kernels. A file is named by the engine's payload and by where it was compiled.
//!
//! Invariant: kernels that do not match their hash are not loaded.

use crate::case::sha256_hex;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Kernels that a library compiled for an engine, in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFile {
    /// Where they are.
    pub path: PathBuf,
    /// What the file says of them.
    pub kept: KeptKernels,
}

/// Kernels that were compiled once for all processes of a case: the first line of their file, and a fact of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeptKernels {
    /// SHA-256 of them.
    pub sha256: String,
    /// What loading took in the process that compiled them, in nanoseconds.
    pub cold_load_ns: u64,
}

impl KernelFile {
    /// Where the kernels of an engine with this payload are, or would be. `compiled_on` is everything else that kernels
    /// depend on: GPU and driver, library, shapes.
    pub fn place(engine: &Path, payload_sha256: &str, compiled_on: &[String]) -> PathBuf {
        let key = sha256_hex(format!("{payload_sha256}\n{}", compiled_on.join("\n")).as_bytes());
        engine.with_file_name(format!("{key}.kernels"))
    }

    /// Writes kernels: temporary file in the same folder, renamed, so that two sessions may do it at the same time.
    pub fn write(path: &Path, kernels: &[u8], cold_load_ns: u64) -> Result<Self> {
        let kept = KeptKernels { sha256: sha256_hex(kernels), cold_load_ns };
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
            serde_json::to_writer(&mut file, &kept)?;
            file.write_all(b"\n")?;
            file.write_all(kernels)?;
            file.persist(path).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|e| Failure::io("write the kernels", path, &e))?;
        Ok(Self { path: path.to_owned(), kept })
    }

    /// The file at `path`; `None` where there is none, or one that is damaged: then they are compiled again.
    pub fn find(path: &Path) -> Option<Self> {
        let bytes = file::read_if_there(path, &file::KERNELS).ok()??;
        let (kept, kernels) = parse(&bytes)?;
        (sha256_hex(kernels) == kept.sha256).then(|| Self { path: path.to_owned(), kept })
    }

    /// The kernels. Fails where the file no longer holds the ones it was found with.
    pub fn kernels(&self) -> Result<Vec<u8>> {
        let bytes = file::read(&self.path, &file::KERNELS)?;
        match parse(&bytes) {
            Some((_, kernels)) if sha256_hex(kernels) == self.kept.sha256 => Ok(kernels.to_vec()),
            _ => {
                let what = format!("the kernels in {} changed after they were compiled", self.path.display());
                Err(Failure::new(FailureKind::Format, what).next("delete that file, and run again"))
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(KeptKernels, &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    Some((serde_json::from_slice(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_come_back_as_they_were_and_changed_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let engine = dir.path().join("x.engine");
        let on = |driver: &str| KernelFile::place(&engine, "payload", &["GPU".into(), driver.into()]);
        let path = on("driver 580");
        assert_ne!(path, on("driver 590"));
        assert_eq!(KernelFile::find(&path), None);
        let written = KernelFile::write(&path, b"two\nlines", 7).unwrap();
        assert_eq!(KernelFile::find(&path).as_ref(), Some(&written));
        assert_eq!(
            (written.kernels().unwrap().as_slice(), written.kept.cold_load_ns),
            (&b"two\nlines"[..], 7)
        );

        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(KernelFile::find(&path), None);
        let failure = written.kernels().unwrap_err();
        assert!(failure.message.ends_with("changed after they were compiled"), "{failure}");
        std::fs::write(&path, "no head").unwrap();
        assert_eq!(KernelFile::find(&path), None);
    }
}
