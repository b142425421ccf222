//! Layers of real engines: TensorRT 8 on an A100 and an RTX 3090, TensorRT-RTX 1.6 on an H100. The files are not part of
//! this repository (see `real_data`).

use crate::support::shared;
use trt_perf::layers::{EngineLayers, LayerRole, LayerTimes, inspect, profile};

const A100_FP32: &str = "trtexec/pytorch-resnet-A100-fp32/graph.json";
const A100_FP16: &str = "trtexec/pytorch-resnet-A100-fp16/graph.json";
const RTX_3090: &str = "trtexec/tensorflow-resnet-RTX-3090-fp16/graph.json";
const H100: &str = "rtx-h100/layers.json";

/// What the engine tells, and what its profile says; `None`, with the reason printed, where the files are not there.
fn real(layers: &str) -> Option<(EngineLayers, LayerTimes)> {
    let path = shared(&format!("data/{layers}"))?;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("readable");
    let times = profile(&read(&path.with_file_name("profile.json"))).expect("a profile");
    Some((inspect(&read(&path)).expect("layers"), times))
}

#[test]
fn real_engines_tell_their_layers_and_no_two_are_the_same() {
    let mut seen = Vec::new();
    for (name, count) in [(A100_FP32, 32), (A100_FP16, 36), (RTX_3090, 86), (H100, 70)] {
        let Some((engine, times)) = real(name) else { return };
        assert_eq!(engine.layers.len(), count, "{name}");
        let names: Vec<&str> = engine.layers.iter().map(|l| l.name.as_str()).collect();
        assert!(times.layers.iter().all(|l| names.contains(&l.name.as_str())), "{name}: one name for both");
        let computing = engine.layers.iter().filter(|l| l.role == LayerRole::Compute);
        let unknown: Vec<&str> = computing
            .filter(|l| l.nodes.is_empty() || l.precision().is_empty())
            .map(|l| l.name.as_str())
            .collect();
        // Two generated moves of the H100's belong to no node.
        assert!(unknown.len() <= 1, "{name}: {unknown:?}");
        let fingerprint = engine.fingerprint.expect("details");
        assert!(!seen.contains(&fingerprint), "{name}");
        seen.push(fingerprint);
    }
}
