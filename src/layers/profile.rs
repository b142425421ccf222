//! Reads `trtexec --exportProfile`: how long each layer took. Pure.

use super::json;
use crate::stats::median_by;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// What one process measured of an engine's layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerTimes {
    /// Requests that were looked at.
    pub requests: u64,
    /// In the order in which they run. Layers of the same name are one.
    pub layers: Vec<LayerTime>,
    /// Requests replay a CUDA graph, of which the library tells no layers: these are of requests without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_graph: bool,
}

impl LayerTimes {
    /// Of requests as a library tells them: name and milliseconds of each layer that ran.
    pub fn of(requests: &[Vec<(String, f32)>]) -> Self {
        let mut layers: Vec<(LayerTime, Vec<f64>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (number, request) in requests.iter().enumerate() {
            for (name, ms) in request {
                let at = *places.entry(name).or_insert_with(|| {
                    layers.push((LayerTime { name: name.clone(), median_ns: 0.0, calls: 0 }, Vec::new()));
                    layers.len() - 1
                });
                let (layer, times) = &mut layers[at];
                // It took no time in requests that did not run it.
                times.resize(number + 1, 0.0);
                times[number] += f64::from(*ms) * 1e6;
                layer.calls += 1;
            }
        }
        let count = requests.len().max(1);
        let median = |(layer, mut times): (LayerTime, Vec<f64>)| {
            times.resize(requests.len(), 0.0);
            let median_ns = median_by(times, f64::total_cmp).unwrap_or(0.0);
            LayerTime { median_ns, calls: layer.calls.div_ceil(count as u64), ..layer }
        };
        Self {
            requests: requests.len() as u64,
            layers: layers.into_iter().map(median).collect(),
            without_graph: false,
        }
    }
}

/// How long a layer takes in a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTime {
    /// TensorRT's name.
    pub name: String,
    /// Median over the requests, in nanoseconds.
    pub median_ns: f64,
    /// How often it runs in a request.
    pub calls: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileRow {
    name: String,
    average_ms: f64,
    /// Not exported before 8.4.
    median_ms: Option<f64>,
}

/// The layers of an export. Errors continue the file's name.
pub fn profile(text: &str) -> Result<LayerTimes, String> {
    const WHAT: &str = "export of trtexec --exportProfile";
    let mut found = LayerTimes::default();
    for item in json::read::<Vec<Value>>(text, WHAT)? {
        if let Some(count) = item.get("count") {
            found.requests = count.as_u64().unwrap_or(0);
            continue;
        }
        let row: ProfileRow = serde_json::from_value(item).map_err(|e| format!("is no {WHAT} ({e})"))?;
        let ms = row.median_ms.unwrap_or(row.average_ms);
        add(&mut found.layers, &row.name, ms * 1e6);
    }
    match found.layers.is_empty() {
        true => Err("has no layer".into()),
        false => Ok(found),
    }
}

/// Layers of the same name cannot be told apart: they are one that runs several times.
fn add(layers: &mut Vec<LayerTime>, name: &str, ns: f64) {
    match layers.iter_mut().find(|l| l.name == name) {
        Some(layer) => {
            layer.median_ns += ns;
            layer.calls += 1;
        }
        None => layers.push(LayerTime { name: name.to_owned(), median_ns: ns, calls: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"[ { "count" : 2 }
, { "name" : "a", "timeMs" : 0.2, "averageMs" : 0.2, "medianMs" : 0.1, "percentage" : 25 }
, { "name" : "b", "timeMs" : 0.6, "averageMs" : 0.3, "percentage" : 75 }
, { "name" : "a", "timeMs" : 0.2, "averageMs" : 0.2, "medianMs" : 0.1, "percentage" : 25 } ]"#;

    #[test]
    fn layers_have_their_medians_and_layers_of_one_name_are_one() {
        let found = profile(PROFILE).unwrap();
        assert_eq!(found.requests, 2);
        let rows: Vec<_> =
            found.layers.iter().map(|l| (l.name.as_str(), l.median_ns.round(), l.calls)).collect();
        assert_eq!(rows, [("a", 200_000.0, 2), ("b", 300_000.0, 1)]);
    }

    #[test]
    fn a_median_is_over_requests_and_a_layer_that_runs_twice_is_summed() {
        let request = |a: f32, twice: [f32; 2]| {
            vec![("a".to_owned(), a), ("b".into(), twice[0]), ("b".into(), twice[1])]
        };
        let mut requests =
            vec![request(1.0, [0.5, 0.25]), request(3.0, [0.5, 0.5]), request(2.0, [0.25, 0.25])];
        let found = LayerTimes::of(&requests);
        let rows = |found: &LayerTimes| -> Vec<_> {
            found.layers.iter().map(|l| (l.name.clone(), l.median_ns, l.calls)).collect()
        };
        assert_eq!((found.requests, rows(&found)), (3, vec![("a".into(), 2e6, 1), ("b".into(), 0.75e6, 2)]));
        // Layers that only some requests run.
        requests.extend([vec![("c".to_owned(), 1.0)], vec![], vec![], vec![]]);
        assert_eq!(rows(&LayerTimes::of(&requests))[2], ("c".into(), 0.0, 1));
        assert_eq!(LayerTimes::of(&[]), LayerTimes::default());
    }

    #[test]
    fn other_files_are_refused() {
        for (text, why) in [
            ("{}", "is no export of trtexec --exportProfile"),
            ("[{}]", "is no export of trtexec --exportProfile"),
            ("[{\"count\": 1}]", "has no layer"),
            (&PROFILE[..PROFILE.len() / 2], "is cut off"),
        ] {
            assert!(profile(text).is_err_and(|e| e.contains(why)), "{text}: {:?}", profile(text));
        }
    }
}
