//! Reads the JSON of TensorRT's engine inspector, which differs between releases. Pure.

use super::fingerprint::fingerprint;
use super::names::{nodes, nodes_of_metadata, role};
use super::{Layer, LayerTensor, json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an engine tells of its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineLayers {
    /// In the order in which they run.
    pub layers: Vec<Layer>,
    /// Equal for builds that chose the same tactics; `None` for an engine that was built without details.
    pub fingerprint: Option<String>,
}

/// The list is called the same in every release.
#[derive(Deserialize)]
struct Inspection {
    #[serde(rename = "Layers")]
    layers: Vec<InspectedLayer>,
}

/// Without details a layer is its name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum InspectedLayer {
    Name(String),
    Detailed(Map<String, Value>),
}

/// What the inspector's JSON says. Errors continue the file's name.
pub fn inspect(text: &str) -> Result<EngineLayers, String> {
    let document: Inspection = json::read(text, "layer information (trtexec --exportLayerInfo)")?;
    if document.layers.is_empty() {
        return Err("has no layer".into());
    }
    let mut layers = Vec::new();
    let mut detailed = Vec::new();
    for item in document.layers {
        match item {
            InspectedLayer::Name(name) => layers.push(Layer::named(&name)),
            InspectedLayer::Detailed(layer) => {
                layers.push(layer_of(&layer)?);
                detailed.push(layer);
            }
        }
    }
    let complete = detailed.len() == layers.len() && layers.iter().all(|l| !l.kind.is_empty());
    Ok(EngineLayers { fingerprint: complete.then(|| fingerprint(&detailed)), layers })
}

fn layer_of(layer: &Map<String, Value>) -> Result<Layer, String> {
    let text = |key: &str| layer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = layer.get("Name").and_then(Value::as_str).ok_or("has a layer without a name")?.to_owned();
    let kind = text("LayerType");
    let role = role(&name, &kind);
    let told = layer.get("Metadata").and_then(Value::as_str).map(nodes_of_metadata).unwrap_or_default();
    let tensors = |key: &str| -> Vec<LayerTensor> {
        let listed = layer.get(key).and_then(Value::as_array);
        listed.map_or(&[][..], Vec::as_slice).iter().map(tensor).collect()
    };
    Ok(Layer {
        // Later releases tell nodes apart from names, and layers of their own compute none.
        nodes: if layer.contains_key("Metadata") { told } else { nodes(&name, role) },
        inputs: tensors("Inputs"),
        outputs: tensors("Outputs"),
        weights: [tensors("Constants"), weights(layer)].concat(),
        tactic: Some(text("TacticName")).filter(|t| !t.is_empty()).unwrap_or_else(|| text("TacticValue")),
        stream: layer.get("StreamId").and_then(Value::as_u64).unwrap_or(0),
        name,
        kind,
        role,
    })
}

/// What releases before 11 tell of a layer's own weights: how many, their type and, of a convolution, its kernel.
fn weights(layer: &Map<String, Value>) -> Vec<LayerTensor> {
    let number = |value: &Value| value.as_i64().filter(|n| *n > 0);
    let maps = layer.get("OutMaps").and_then(number);
    let kernel = layer.get("Kernel").and_then(Value::as_array);
    let kernel: Vec<i64> = kernel.into_iter().flatten().filter_map(number).collect();
    let of = |key: &str| {
        let told = layer.get(key)?;
        let count = told.get("Count").and_then(number)?;
        let dtype = dtype(told.get("Type").and_then(Value::as_str).unwrap_or_default()).to_owned();
        let each = kernel.iter().product::<i64>().saturating_mul(maps.unwrap_or(1));
        let dims = match maps {
            Some(maps) if key == "Weights" && each > 0 && count % each == 0 => {
                [&[maps, count / each], &kernel[..]].concat()
            }
            _ => vec![count],
        };
        Some(LayerTensor { dims, dtype, format: String::new() })
    };
    ["Weights", "Bias"].into_iter().filter_map(of).collect()
}

fn tensor(value: &Value) -> LayerTensor {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let dims = value.get("Dimensions").and_then(Value::as_array);
    // One text in 8.x and 10.x, two in 11 and RTX.
    let format = match (text("Format/Datatype"), text("Format"), text("Datatype")) {
        (Some(both), _, _) => both.to_owned(),
        (None, Some(format), Some(datatype)) => format!("{datatype}, {format}"),
        (None, one, other) => one.or(other).unwrap_or_default().to_owned(),
    };
    LayerTensor {
        dims: dims.into_iter().flatten().filter_map(Value::as_i64).collect(),
        dtype: dtype(text("Datatype").unwrap_or(&format)).to_owned(),
        format,
    }
}

/// The element type within a text such as `Channel major FP16 format where channel % 8 == 0`.
fn dtype(text: &str) -> &'static str {
    let known = |word: &str| {
        Some(match word.to_ascii_uppercase().as_str() {
            "FP32" | "FLOAT" => "fp32",
            "FP16" | "HALF" => "fp16",
            "BF16" | "BFLOAT16" => "bf16",
            "FP8" => "fp8",
            "FP4" => "fp4",
            "INT64" => "int64",
            "INT32" => "int32",
            "INT8" => "int8",
            "INT4" => "int4",
            "UINT8" => "uint8",
            "BOOL" => "bool",
            _ => return None,
        })
    };
    text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(known).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::LayerRole;

    #[test]
    fn every_release_is_read() {
        let old = r#"{"Layers": [{"Name": "Conv_0 + Relu_1", "LayerType": "CaskConvolution",
            "Inputs": [{"Name": "x", "Dimensions": [1,3], "Format/Datatype": "Row major linear FP32"}],
            "Outputs": [{"Name": "y", "Dimensions": [1,4], "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}],
            "TacticValue": "0x01"}], "Bindings": ["x", "y"]}"#;
        let found = inspect(old).unwrap();
        let layer = &found.layers[0];
        assert_eq!((layer.precision().as_str(), layer.tactic.as_str()), ("fp32 → fp16", "0x01"));
        assert_eq!(
            (&layer.nodes[..], &layer.inputs[0].dims[..]),
            (&["Conv_0".into(), "Relu_1".into()][..], &[1, 3][..])
        );
        assert!(found.fingerprint.is_some());

        let new = "{\"Layers\": [{\"Name\": \"/c/Conv_myl0_1\", \"LayerType\": \"kgen\", \"StreamId\": 1, \"Metadata\":
            \"[ONNX Layer: /c/Conv]\u{1f}[ONNX Layer: /r/Relu]\", \"TacticName\": \"t\", \"Inputs\": [{\"Datatype\": \"Half\",
            \"Format\": \"(NHWC) Channel major format\"}]},
            {\"Name\": \"__mye1_myl0_2\", \"LayerType\": \"wait\", \"Metadata\": \"\"}]}";
        let found = inspect(new).unwrap();
        assert_eq!(found.layers[0].nodes, ["/c/Conv", "/r/Relu"]);
        assert_eq!((found.layers[0].precision().as_str(), found.layers[0].stream), ("fp16", 1));
        assert_eq!((found.layers[1].role, found.layers[1].nodes.len()), (LayerRole::Sync, 0));
    }

    #[test]
    fn names_alone_have_no_fingerprint_and_other_files_are_refused() {
        let names = inspect(r#"{"Layers": ["Conv_0 + Relu_1", "{ForeignNode[a...b]}"]}"#).unwrap();
        assert_eq!((names.fingerprint, names.layers[1].role), (None, LayerRole::Region));
        for (text, why) in [
            ("[]", "is no layer information"),
            ("{\"Layers\": [{\"Name\": \"a\", ", "is cut off"),
            ("{\"Layers\": []}", "has no layer"),
            ("{\"Layers\": [{\"LayerType\": \"x\"}]}", "without a name"),
            ("{\"Layers\": [3]}", "is no layer information"),
            ("", "is cut off"),
        ] {
            assert!(inspect(text).is_err_and(|e| e.contains(why)), "{text}: {:?}", inspect(text));
        }
    }
}
