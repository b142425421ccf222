//! A report as tracks: kernels and copies by GPU and stream, ranges by thread and domain.

use super::kernels::layers;
use super::trace::NsysTrace;
use crate::timeline::{Span, Track};
use std::collections::BTreeMap;

/// The tracks of a report: the ranges of the host first, then what the GPUs did.
pub fn tracks(trace: &NsysTrace) -> Vec<Track> {
    let mut host: BTreeMap<(i64, &str), Vec<Span>> = BTreeMap::new();
    for range in &trace.ranges {
        let span = Span { name: range.name.clone(), start: range.start, end: range.end, facts: Vec::new() };
        host.entry((range.thread, &range.domain)).or_default().push(span);
    }
    let mut gpus: BTreeMap<(i64, i64), Vec<Span>> = BTreeMap::new();
    for (kernel, layer) in trace.kernels.iter().zip(layers(trace)) {
        let facts = layer.map(|layer| ("layer", layer.to_owned())).into_iter().collect();
        let span = Span { name: kernel.name.clone(), start: kernel.start, end: kernel.end, facts };
        gpus.entry((kernel.device, kernel.stream)).or_default().push(span);
    }
    for copy in &trace.copies {
        let facts = vec![("bytes", copy.bytes.to_string())];
        let span = Span { name: copy.direction.word().into(), start: copy.start, end: copy.end, facts };
        gpus.entry((copy.device, copy.stream)).or_default().push(span);
    }
    let host = host.into_iter().map(|((thread, domain), spans)| Track {
        // The thread's own number is the last 24 bits.
        group: format!("host thread {}", thread & 0xff_ffff),
        name: if domain.is_empty() { "NVTX".into() } else { format!("NVTX {domain}") },
        spans,
    });
    let gpus = gpus.into_iter().map(|((device, stream), spans)| Track {
        group: format!("GPU {device}"),
        name: format!("stream {stream}"),
        spans,
    });
    host.chain(gpus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_copy_and_range_is_on_a_track() {
        let trace = NsysTrace::read(include_bytes!("../../tests/nsys/small.sqlite")).unwrap();
        let tracks = tracks(&trace);
        let named: Vec<(&str, &str, usize)> =
            tracks.iter().map(|t| (t.group.as_str(), t.name.as_str(), t.spans.len())).collect();
        let host = "host thread 7";
        assert_eq!(
            named,
            [
                (host, "NVTX TensorRT", 5),
                (host, "NVTX elsewhere", 1),
                (host, "NVTX trt-perf", 2),
                ("GPU 0", "stream 5", 6),
                ("GPU 0", "stream 6", 1),
            ]
        );
        let kernel = tracks[3].spans.iter().find(|span| span.name == "gemm").unwrap();
        assert_eq!(kernel.facts, [("layer", "/fc1/Gemm".to_owned())]);
    }
}
