//! The table of kernels: which kernels a model's layers ran, how often, and how long.
//!
//! A kernel belongs to the layer whose range its launch lies in: the innermost one, in time, of the thread that launched it.
//! Where a graph launched it, that is the launch that was captured.

use super::trace::{CopyDirection, CopyRun, DriverCall, NsysTrace, NvtxRange};
use crate::stats::median_by;
use std::collections::BTreeMap;

/// The domain of our own ranges.
pub const DOMAIN: &str = "trt-perf";
/// The range of each request.
pub const REQUEST: &str = "request";
/// The range of all requests together.
pub const REQUESTS: &str = "requests";

/// The domains of TensorRT's ranges: its own, and that of Myelin, the compiler of the regions it shows as one layer.
const LAYER_DOMAINS: [&str; 2] = ["TensorRT", "myelin-exec"];
/// Ranges there that hold layers and are none.
const NO_LAYERS: [&str; 2] = ["ExecutionContext::", "myelin"];

/// The runs of one kernel for one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelOfLayer {
    /// The layer; `None` where its launch lies in the range of none.
    pub layer: Option<String>,
    /// The kernel's name.
    pub kernel: String,
    /// How often it ran.
    pub runs: u64,
    /// The sum of its times, in nanoseconds.
    pub total_ns: u64,
    /// The median of its times, in nanoseconds.
    pub median_ns: u64,
}

/// The copies in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySum {
    /// From where to where.
    pub direction: CopyDirection,
    /// How many.
    pub runs: u64,
    /// Their bytes in all.
    pub bytes: u64,
    /// The sum of their times, in nanoseconds.
    pub total_ns: u64,
}

/// What a report says of kernels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelTable {
    /// The kernels, those that took longest first.
    pub rows: Vec<KernelOfLayer>,
    /// How many kernels ran.
    pub runs: u64,
    /// The sum of their times, in nanoseconds; kernels that ran at once count both.
    pub total_ns: u64,
    /// How many of them lie in no layer's range.
    pub without_layer: u64,
    /// How many of them a CUDA graph launched.
    pub in_graph: u64,
    /// How many of these lie in no layer's range: the graph was captured before the report began.
    pub in_graph_without_layer: u64,
    /// How many requests were recorded; 0 where nobody marked them as we do.
    pub requests: u64,
    /// The copies, by direction.
    pub copies: Vec<CopySum>,
    /// Whether graphs were recorded as a whole, so that their kernels are missing.
    pub whole_graphs: bool,
}

impl KernelTable {
    /// Joins a report's kernels with its ranges.
    pub fn of(trace: &NsysTrace) -> Self {
        let layers = layers(trace);
        let mut times: BTreeMap<(Option<&str>, &str), Vec<u64>> = BTreeMap::new();
        for (kernel, layer) in trace.kernels.iter().zip(&layers) {
            times.entry((*layer, &kernel.name)).or_default().push(length(kernel.start, kernel.end));
        }
        let mut rows: Vec<KernelOfLayer> = times
            .into_iter()
            .map(|((layer, kernel), times)| KernelOfLayer {
                layer: layer.map(str::to_owned),
                kernel: kernel.to_owned(),
                runs: times.len() as u64,
                total_ns: times.iter().sum(),
                median_ns: median_by(times.iter().copied(), u64::cmp).unwrap_or(0),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.total_ns));
        let in_graph = trace.kernels.iter().zip(&layers).filter(|(kernel, _)| kernel.in_graph);
        Self {
            runs: trace.kernels.len() as u64,
            total_ns: rows.iter().map(|row| row.total_ns).sum(),
            without_layer: layers.iter().filter(|layer| layer.is_none()).count() as u64,
            in_graph: in_graph.clone().count() as u64,
            in_graph_without_layer: in_graph.filter(|(_, layer)| layer.is_none()).count() as u64,
            requests: trace.ranges.iter().filter(|r| r.domain == DOMAIN && r.name == REQUEST).count() as u64,
            copies: sums(&trace.copies),
            whole_graphs: trace.whole_graphs,
            rows,
        }
    }
}

fn length(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

fn sums(copies: &[CopyRun]) -> Vec<CopySum> {
    let mut sums: BTreeMap<CopyDirection, CopySum> = BTreeMap::new();
    for copy in copies {
        let empty = CopySum { direction: copy.direction, runs: 0, bytes: 0, total_ns: 0 };
        let sum = sums.entry(copy.direction).or_insert(empty);
        sum.runs += 1;
        sum.bytes = sum.bytes.saturating_add(u64::try_from(copy.bytes).unwrap_or(0));
        sum.total_ns += length(copy.start, copy.end);
    }
    sums.into_values().collect()
}

/// What one thread marked and launched.
#[derive(Default)]
struct OfThread<'a> {
    ranges: Vec<&'a NvtxRange>,
    /// With the kernel's place in the report.
    calls: Vec<(DriverCall, usize)>,
}

/// The layer of each kernel, in their order.
pub fn layers(trace: &NsysTrace) -> Vec<Option<&str>> {
    let mut threads: BTreeMap<i64, OfThread> = BTreeMap::new();
    for range in trace.ranges.iter().filter(|range| is_layer(range)) {
        threads.entry(range.thread).or_default().ranges.push(range);
    }
    for (at, kernel) in trace.kernels.iter().enumerate() {
        if let Some(call) = kernel.call {
            threads.entry(call.thread).or_default().calls.push((call, at));
        }
    }
    let mut layers = vec![None; trace.kernels.len()];
    for OfThread { ranges, mut calls } in threads.into_values() {
        calls.sort_by_key(|(call, at)| (call.start, *at));
        let mut ranges = ranges.into_iter().peekable();
        // Those that have begun and not ended: the last one is the innermost.
        let mut open: Vec<&NvtxRange> = Vec::new();
        for (call, at) in calls {
            while let Some(range) = ranges.next_if(|range| range.start <= call.start) {
                open.push(range);
            }
            open.retain(|range| range.end >= call.start);
            layers[at] = open.last().map(|range| range.name.as_str());
        }
    }
    layers
}

fn is_layer(range: &NvtxRange) -> bool {
    LAYER_DOMAINS.contains(&range.domain.as_str())
        && !NO_LAYERS.iter().any(|start| range.name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> KernelTable {
        KernelTable::of(&NsysTrace::read(include_bytes!("../../tests/nsys/small.sqlite")).unwrap())
    }

    #[test]
    fn a_kernel_belongs_to_the_innermost_layer_that_its_launch_or_its_capture_lies_in() {
        let row = |layer: Option<&str>, kernel: &str, runs, total_ns, median_ns| KernelOfLayer {
            layer: layer.map(str::to_owned),
            kernel: kernel.to_owned(),
            runs,
            total_ns,
            median_ns,
        };
        let table = small();
        let rows = [
            row(Some("/fc1/Gemm"), "gemm", 3, 500, 100),
            row(Some("/relu/Relu"), "relu", 1, 50, 50),
            row(None, "relu", 1, 10, 10),
        ];
        assert_eq!(table.rows, rows);
        assert_eq!((table.runs, table.total_ns, table.without_layer), (5, 560, 1));
        assert_eq!((table.requests, table.in_graph, table.whole_graphs), (2, 1, false));
        let copy = |direction, bytes, total_ns| CopySum { direction, runs: 1, bytes, total_ns };
        assert_eq!(
            table.copies,
            [copy(CopyDirection::ToGpu, 4096, 20), copy(CopyDirection::ToHost, 400, 40)]
        );
    }
}
