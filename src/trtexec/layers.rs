//! Reads `--exportProfile` and `--exportLayerInfo`: in which layers an engine spends its time. Pure.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A layer of an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// TensorRT's name; fused layers have the names of all their parts.
    pub name: String,
    /// Median time, where there is a profile.
    pub median_ms: f64,
    /// Share of the sum of all layers, in [0, 1].
    pub share_frac: f64,
    /// Type and data format, where there is layer information.
    pub what: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerRow {
    name: String,
    average_ms: f64,
    /// Not exported before 8.4.
    median_ms: Option<f64>,
}

/// The layers of a profile, slowest first; `info` is the text of `--exportLayerInfo`. Errors continue the file's name.
pub fn layers(profile: &str, info: Option<&str>) -> Result<Vec<Layer>, String> {
    let items: Vec<Value> = serde_json::from_str(profile)
        .map_err(|e| format!("is no export of trtexec --exportProfile ({e})"))?;
    let known = info.map(described).transpose()?.unwrap_or_default();
    let mut layers = Vec::new();
    for item in items.into_iter().filter(|i| i.get("count").is_none()) {
        let row: LayerRow = serde_json::from_value(item)
            .map_err(|e| format!("is no export of trtexec --exportProfile ({e})"))?;
        let median_ms = row.median_ms.unwrap_or(row.average_ms);
        if !(median_ms.is_finite() && median_ms >= 0.0) {
            return Err(format!("has {median_ms} ms for layer `{}`, which is no time", row.name));
        }
        layers.push(Layer {
            what: known.get(&row.name).cloned(),
            name: row.name,
            median_ms,
            share_frac: 0.0,
        });
    }
    let sum: f64 = layers.iter().map(|l| l.median_ms).sum();
    for layer in &mut layers {
        layer.share_frac = if sum > 0.0 { layer.median_ms / sum } else { 0.0 };
    }
    layers.sort_by(|a, b| b.median_ms.total_cmp(&a.median_ms));
    Ok(layers)
}

/// Type and output format of each layer by name; empty for engines that were built without details.
fn described(info: &str) -> Result<BTreeMap<String, String>, String> {
    let value: Value =
        serde_json::from_str(info).map_err(|e| format!("is no export of trtexec --exportLayerInfo ({e})"))?;
    let layers = value
        .get("Layers")
        .and_then(Value::as_array)
        .ok_or("is no export of trtexec --exportLayerInfo (it has no list `Layers`)")?;
    Ok(layers
        .iter()
        .filter_map(|layer| {
            let text = |path: &str| layer.pointer(path).and_then(Value::as_str);
            let words = [text("/LayerType"), text("/Outputs/0/Format~1Datatype")];
            let what = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
            // Without details a layer is its name alone.
            Some((text("/Name")?.to_owned(), what)).filter(|(_, what)| !what.is_empty())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"[ { "count" : 2 }
, { "name" : "a", "timeMs" : 0.2, "averageMs" : 0.1, "medianMs" : 0.1, "percentage" : 25 }
, { "name" : "b", "timeMs" : 0.6, "averageMs" : 0.3, "percentage" : 75 } ]"#;

    #[test]
    fn layers_are_ranked_and_described() {
        let info = r#"{"Layers": [{"Name": "b", "LayerType": "Conv", "Outputs": [{"Format/Datatype": "FP16"}]}, "a"], "Bindings": []}"#;
        let found = layers(PROFILE, Some(info)).unwrap();
        assert_eq!(found[0].name, "b");
        assert_eq!(found[0].what.as_deref(), Some("Conv, FP16"));
        assert!((found[0].share_frac - 0.75).abs() < 1e-9 && found[1].what.is_none());
    }

    #[test]
    fn other_files_are_refused() {
        assert!(layers("{}", None).unwrap_err().contains("--exportProfile"));
        assert!(layers("[{}]", None).unwrap_err().contains("--exportProfile"));
        assert!(layers(PROFILE, Some("[]")).unwrap_err().contains("--exportLayerInfo"));
    }
}
