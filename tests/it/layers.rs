//! Layers of real engines: TensorRT 8 on an A100 and an RTX 3090, TensorRT-RTX 1.6 on an H100. The files are not part of
//! this repository (see `real_data`).

use crate::support::shared;
use trt_perf::layers::{
    Breakdown, Correspondence, EngineLayers, LayerRole, LayerRun, LayerTimes, attribute, inspect, profile,
};

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

fn breakdown((engine, times): &(EngineLayers, LayerTimes), gpu_ns: f64) -> Breakdown {
    let run = LayerRun { times: times.clone(), gpu_ns: Some(gpu_ns) };
    Breakdown::of(Some(engine), &[run]).expect("one engine")
}

#[test]
fn fp16_against_fp32_is_explained_by_its_layers_to_the_nanosecond() {
    let (Some(fp32), Some(fp16)) = (real(A100_FP32), real(A100_FP16)) else { return };
    let found = attribute(&breakdown(&fp32, 2_000_000.0), &breakdown(&fp16, 1_000_000.0));
    let parts: i64 = found.groups.iter().map(|g| g.time.ns()).sum();
    assert_eq!(parts + found.residual.expect("both wholes are known").ns(), found.whole.ns());
    assert_eq!(found.whole.ns(), -1_000_000);
    let share = found.aligned as f64 / found.computing as f64;
    assert!(share >= 0.9, "{} of {}", found.aligned, found.computing);
    // The base is timed in fp32 throughout.
    let convolutions = found.groups.iter().filter(|g| g.base.iter().any(|l| l.kind == "CaskConvolution"));
    assert!(
        convolutions
            .clone()
            .all(|g| g.changes.iter().any(|c| c == "types fp32 to fp16" || c.contains("fp16")))
    );
    let added: Vec<&str> = found
        .groups
        .iter()
        .filter(|g| g.correspondence == Correspondence::Added)
        .flat_map(|g| g.head.iter().map(|l| l.name.as_str()))
        .collect();
    assert!(added.contains(&"Reformatting CopyNode for Input Tensor 0 to Conv_0 + Relu_1"), "{added:?}");
    assert!(added.iter().all(|name| name.starts_with("Reformatting CopyNode")), "{added:?}");
}

#[test]
fn an_engine_against_itself_has_nothing_to_explain() {
    for name in [A100_FP32, RTX_3090, H100] {
        let Some(one) = real(name) else { return };
        let found = attribute(&breakdown(&one, 1e6), &breakdown(&one, 1e6));
        assert!(
            found.groups.iter().all(|g| g.correspondence == Correspondence::Same && g.time.ns() == 0),
            "{name}"
        );
        assert_eq!((found.aligned, found.same_tactics), (found.computing, Some(true)), "{name}");
    }
}
