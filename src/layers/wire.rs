//! Reads and writes the file with what the layers of an engine took, which lies beside a record. Pure.

use super::{EngineLayers, GpuLimits, LayerRun, json};
use serde::{Deserialize, Serialize};

/// What is written, and the newest that is read.
const SCHEMA: &str = "trt-perf/layers@1";

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LayersV1 {
    schema: String,
    /// Where it was measured; not in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gpu: Option<GpuLimits>,
    engine: EngineLayers,
    /// A process each.
    runs: Vec<LayerRun>,
}

/// The text of a file.
pub fn write(engine: &EngineLayers, runs: &[LayerRun], gpu: Option<&GpuLimits>) -> String {
    let (engine, runs) = (engine.clone(), runs.to_vec());
    let file = LayersV1 { schema: SCHEMA.into(), gpu: gpu.cloned(), engine, runs };
    // Plain data: writing it into memory cannot fail.
    serde_json::to_string(&file).unwrap_or_default() + "\n"
}

/// What a text holds. Errors continue the file's name.
pub fn read(text: &str) -> Result<(EngineLayers, Vec<LayerRun>, Option<GpuLimits>), String> {
    let value: serde_json::Value = json::read(text, "file of layer times")?;
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(SCHEMA) => {}
        Some(other) if other.starts_with("trt-perf/layers@") => {
            return Err(format!(
                "was written by another version of this tool ({other}; this one reads {SCHEMA})"
            ));
        }
        _ => return Err("is no file of layer times".into()),
    }
    let file: LayersV1 = serde_json::from_value(value).map_err(|e| format!("is damaged ({e})"))?;
    Ok((file.engine, file.runs, file.gpu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{LayerTime, LayerTimes, inspect};

    #[test]
    fn what_is_written_is_read_and_other_files_are_refused() {
        let engine = inspect(
            r#"{"Layers": [{"Name": "a", "LayerType": "wait", "Inputs": [{"Dimensions": [1, -1],
            "Format/Datatype": "Row major linear INT8"}]}]}"#,
        )
        .unwrap();
        let times = LayerTimes {
            requests: 3,
            without_graph: false,
            layers: vec![LayerTime { name: "a".into(), median_ns: 0.1, calls: 2 }],
        };
        let runs = vec![LayerRun { times, gpu_ns: Some(5.5) }];
        let gpu = GpuLimits::of("9.0", 132, 1.98e9, 2.6e9, 5120);
        let text = write(&engine, &runs, gpu.as_ref());
        assert_eq!(read(&text), Ok((engine.clone(), runs.clone(), gpu)));
        assert_eq!(read(&write(&engine, &runs, None)), Ok((engine, runs, None)));
        for (text, why) in [
            (&text[..20], "is cut off"),
            ("{}", "is no file of layer times"),
            ("[1]", "is no file of layer times"),
            (&text.replace("@1", "@2"), "another version"),
            (&text.replace("runs", "walks"), "is damaged"),
        ] {
            assert!(read(text).is_err_and(|e| e.contains(why)), "{text}");
        }
    }
}
