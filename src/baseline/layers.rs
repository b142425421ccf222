//! Keeps what the layers of an engine took in files of their own, which a record names by their hash.

use crate::case::sha256_hex;
use crate::config::Folders;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::layers::{Breakdown, EngineLayers, GpuLimits, LayerRun, wire};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the file, and returns its hash.
pub fn keep_layers(
    folders: &Folders,
    engine: &EngineLayers,
    runs: &[LayerRun],
    gpu: Option<&GpuLimits>,
) -> Result<String> {
    let text = wire::write(engine, runs, gpu);
    let sha256 = sha256_hex(text.as_bytes());
    let path = place(folders, &sha256);
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| Failure::io("write the layers", &path, &e)).map(|()| sha256)
}

/// What the file with this hash holds. Fails where it is not here, or not as it was written.
pub fn load_layers(folders: &Folders, sha256: &str) -> Result<Breakdown> {
    let path = place(folders, sha256);
    let bytes = file::read_if_there(&path, &file::LAYERS)?.ok_or_else(|| {
        let what =
            format!("the layers that were measured with this record are not here ({})", path.display());
        Failure::new(FailureKind::Nothing, what)
            .next("they stay on the machine that measured them; measure them here: cargo trt-perf layers")
    })?;
    if sha256_hex(&bytes) != sha256 {
        return Err(file::not(&path, "was changed after it was written", &file::LAYERS));
    }
    let text = String::from_utf8(bytes).map_err(|_| file::not(&path, "is not text", &file::LAYERS))?;
    let joined = wire::read(&text).and_then(|(engine, runs, limits)| {
        Breakdown::of(Some(&engine), &runs).map(|found| Breakdown { limits, ..found })
    });
    joined.map_err(|why| {
        Failure::new(FailureKind::Format, format!("{} {why}", path.display())).next(file::LAYERS.next)
    })
}

/// Hashes come from records, which are files: what is no name of a file is nowhere.
fn place(folders: &Folders, sha256: &str) -> PathBuf {
    let plain = sha256.bytes().all(|b| b.is_ascii_hexdigit());
    folders.layers().join(format!("{}.json", if plain { sha256 } else { "none" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{LayerTime, LayerTimes, inspect};

    #[test]
    fn layers_are_found_by_their_hash_and_changed_ones_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::below(dir.path().join("trt-perf"));
        let engine = inspect(r#"{"Layers": ["a"]}"#).unwrap();
        let layers = vec![LayerTime { name: "a".into(), median_ns: 7.0, calls: 1 }];
        let runs =
            [LayerRun { times: LayerTimes { requests: 1, layers, ..LayerTimes::default() }, gpu_ns: None }];
        let sha256 = keep_layers(&folders, &engine, &runs, None).unwrap();
        assert_eq!(load_layers(&folders, &sha256).unwrap().rows[0].time.ns, 7);
        let path = place(&folders, &sha256);
        std::fs::write(&path, "{}").unwrap();
        assert!(load_layers(&folders, &sha256).unwrap_err().message.contains("was changed"));
        std::fs::remove_file(path).unwrap();
        for hash in [sha256.as_str(), "../../../etc/passwd"] {
            let failure = load_layers(&folders, hash).unwrap_err();
            assert!(
                failure.message.contains("are not here") && !failure.message.contains("passwd"),
                "{failure}"
            );
        }
    }
}
