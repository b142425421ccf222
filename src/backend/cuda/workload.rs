//! Reads a workload file, which says in TOML what the calibration kernel does. The `cuda` backend has it in place of a
//! model.

use crate::case::sha256_hex;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::onnx::{ModelDim, ModelFile, ModelInput};
use crate::tensor::DType;
use crate::units::Nanos;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Longer kernels would be killed by a display's watchdog, and are no inference.
const MAX_NS: u64 = 1_000_000_000;
const MAX_LAUNCHES: u64 = 10_000;
const MAX_TRAFFIC: u64 = 16 << 30;
const MAX_TENSOR: u64 = 1 << 30;

/// What each request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How long one kernel lasts at the GPU's highest clock.
    pub duration: Nanos,
    /// Kernels per request, one after the other.
    pub launches: u64,
    /// Device memory that each kernel reads and writes, both counted.
    pub traffic_bytes: u64,
    /// Size of the one input, and of the one output, which is its copy. A multiple of four.
    pub tensor_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkloadFile {
    duration: String,
    #[serde(default = "one")]
    launches: u64,
    #[serde(default)]
    traffic_bytes: u64,
    #[serde(default = "small")]
    tensor_bytes: u64,
}

fn one() -> u64 {
    1
}

fn small() -> u64 {
    4096
}

impl Workload {
    /// Reads the text of a file, and says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "is not text".to_owned())?;
        let file: WorkloadFile =
            toml::from_str(text).map_err(|e| format!("is no workload: {}", e.message()))?;
        let duration: Nanos = file.duration.parse().map_err(|e| format!("has a bad duration: {e}"))?;
        let within = |what: &str, value: u64, limit: u64| {
            if value <= limit { Ok(value) } else { Err(format!("asks for {what} {value}; at most {limit}")) }
        };
        within("a duration in nanoseconds of", duration.0, MAX_NS)?;
        if file.launches == 0 || !file.tensor_bytes.is_multiple_of(4) || file.tensor_bytes == 0 {
            return Err("needs at least one launch, and tensor-bytes as a multiple of 4 above 0".into());
        }
        Ok(Self {
            duration,
            launches: within("launches", file.launches, MAX_LAUNCHES)?,
            traffic_bytes: within("traffic-bytes", file.traffic_bytes, MAX_TRAFFIC)?,
            tensor_bytes: within("tensor-bytes", file.tensor_bytes, MAX_TENSOR)?,
        })
    }
}

/// The file at `path` in the shape of a model: input `x` and its copy, output `y`.
pub fn read(path: &Path) -> Result<ModelFile> {
    let bytes = file::read(path, &file::WORKLOAD)?;
    let workload = Workload::parse(&bytes).map_err(|why| {
        Failure::new(FailureKind::Build, format!("{} {why}", path.display()))
            .next("the cuda backend runs no models; a workload is a .toml file such as: duration = \"20us\"")
    })?;
    Ok(ModelFile {
        sha256: sha256_hex(&bytes),
        bytes,
        external: BTreeMap::new(),
        inputs: vec![ModelInput {
            name: "x".into(),
            dtype: DType::F32,
            dims: Some(vec![ModelDim::Fixed(workload.tensor_bytes / 4)]),
            index_bound: None,
            served: None,
        }],
        outputs: vec!["y".into()],
        operators: BTreeMap::from([("calibration kernel".into(), workload.launches)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_read_and_each_mistake_named() {
        let w = Workload::parse(b"duration = \"20us\"\nlaunches = 3\ntraffic-bytes = 1048576").unwrap();
        assert_eq!(
            (w.duration, w.launches, w.traffic_bytes, w.tensor_bytes),
            (Nanos(20_000), 3, 1 << 20, 4096)
        );
        for (text, says) in [
            ("", "missing field `duration`"),
            ("duration = \"20\"", "bad duration"),
            ("duration = \"20us\"\nlaunchs = 3", "launchs"),
            ("duration = \"20us\"\nlaunches = 0", "at least one launch"),
            ("duration = \"20us\"\ntensor-bytes = 6", "multiple of 4"),
            ("duration = \"1h\"", "at most"),
            ("duration = \"20us\"\ntraffic-bytes = 99999999999", "at most"),
        ] {
            let why = Workload::parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
        assert!(Workload::parse(&[0xff]).is_err());
    }
}
