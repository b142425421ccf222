//! Gives a fingerprint of an engine's layers: two builds with the same one run the same tactics on the same data. Pure.
//!
//! Builds of one model differ in their bytes though they chose the same: names of tensors and layers hold counters, names
//! of generated kernels a hash. Names are therefore left out, or numbered in the order in which they occur. Everything
//! else counts, whatever a later release adds: that may say "other tactics" where there are none, and never the reverse.

use super::names::without_ids;
use crate::case::sha256_json;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// SHA-256 of the layers without their names, as 64 hexadecimal digits.
pub fn fingerprint(layers: &[Map<String, Value>]) -> String {
    let mut seen = HashMap::new();
    let layers: Vec<_> = layers.iter().map(|layer| normalised(layer, &mut seen)).collect();
    sha256_json(&layers)
}

fn normalised(layer: &Map<String, Value>, seen: &mut HashMap<String, usize>) -> Map<String, Value> {
    let mut layer = layer.clone();
    // What the model calls its nodes, and which of the engine's events a stream waits for, is no tactic.
    layer.retain(|key, _| !["Name", "Metadata", "EventId"].contains(&key.as_str()));
    if let Some(Value::String(tactic)) = layer.get_mut("TacticName") {
        *tactic = without_ids(tactic);
    }
    for side in ["Inputs", "Constants", "Outputs"] {
        let tensors = layer.get_mut(side).and_then(Value::as_array_mut).into_iter().flatten();
        for tensor in tensors.filter_map(Value::as_object_mut) {
            if let Some(name) = tensor.get_mut("Name") {
                let next = seen.len();
                *name = (*seen.entry(name.to_string()).or_insert(next)).into();
            }
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(layers: Value) -> String {
        let layers = layers.as_array().expect("a list");
        fingerprint(&layers.iter().map(|l| l.as_object().expect("a layer").clone()).collect::<Vec<_>>())
    }

    /// Two layers, with what builds number in `id`.
    fn two(id: u32, tactic: &str, format: &str, between: [&str; 2]) -> Value {
        json!([
            { "Name": format!("/a_myl0_{id}"), "LayerType": "kgen", "Metadata": format!("[ONNX Layer: {id}]"),
              "Inputs": [{ "Name": "x", "Dimensions": [1, 3] }],
              "Outputs": [{ "Name": format!("__mye{id}{}", between[0]), "Format": format }],
              "TacticName": format!("__myl_Move_0x{id:032x}"), "StreamId": 0, "EventId": id },
            { "Name": "b", "LayerType": "Conv", "Inputs": [{ "Name": format!("__mye{id}{}", between[1]) }],
              "TacticName": "tile", "TacticValue": tactic },
        ])
    }

    #[test]
    fn only_what_a_build_chose_counts() {
        let one = of(two(1, "0x01", "NHWC", ["", ""]));
        assert_eq!(one.len(), 64);
        assert_eq!(one, of(two(9, "0x01", "NHWC", ["", ""])), "names and counters are no tactic");
        for other in [
            two(1, "0x02", "NHWC", ["", ""]),
            two(1, "0x01", "NCHW", ["", ""]),
            two(1, "0x01", "NHWC", ["", "elsewhere"]),
        ] {
            assert_ne!(one, of(other.clone()), "{other}");
        }
        let mut swapped = two(1, "0x01", "NHWC", ["", ""]);
        swapped.as_array_mut().expect("a list").swap(0, 1);
        assert_ne!(one, of(swapped), "the order is what runs");
    }
}
