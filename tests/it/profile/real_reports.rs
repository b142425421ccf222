//! Reports of real GPUs, read in place from `../shared/data/nsys` where that is there.

use super::perfetto;
use crate::support::shared;
use trt_perf::profile::{CopyDirection, KernelTable, NsysTrace, tracks};
use trt_perf::timeline::trace as trace_file;

/// `None`, with the reason printed, where the file is not there.
fn report(name: &str) -> Option<NsysTrace> {
    let bytes = std::fs::read(shared(&format!("data/nsys/{name}.sqlite"))?).expect("readable");
    Some(NsysTrace::read(&bytes).expect("a report"))
}

#[test]
fn every_kernel_of_a_resnet_is_joined_to_its_layer() {
    let Some(trace) = report("rtx-h100-resnet50") else { return };
    let table = KernelTable::of(&trace);
    assert_eq!(
        (trace.schema.as_str(), table.runs, table.without_layer, table.in_graph),
        ("3.7.2", 580, 0, 0)
    );
    // Ten requests, and each layer ran its kernel once in each.
    assert!(table.rows.iter().all(|row| row.runs % 10 == 0), "{:#?}", table.rows);
    let conv =
        table.rows.iter().find(|row| row.layer.as_deref() == Some("/conv1/Conv_myl0_1")).expect("a row");
    assert_eq!(conv.runs, 10);
    assert_eq!(table.total_ns, table.rows.iter().map(|row| row.total_ns).sum::<u64>());
    let lines = perfetto::check(&trace_file(&tracks(&trace), &[]));
    assert!(lines.values().flatten().any(|name| name == "/conv1/Conv_myl0_1"));
    let directions: Vec<_> = table.copies.iter().map(|copy| (copy.direction, copy.runs)).collect();
    assert_eq!(directions, [(CopyDirection::ToGpu, 10), (CopyDirection::ToHost, 10)]);
}

#[test]
fn kernels_of_a_graph_that_was_captured_before_have_no_layer() {
    let Some(trace) = report("rtx-h100-resnet50-graph") else { return };
    let table = KernelTable::of(&trace);
    assert_eq!((table.runs, table.in_graph, table.without_layer), (1450, 1450, 1450));
    assert!(trace.ranges.is_empty() && !table.whole_graphs);
    // How they came into the graph is known: the layers' ranges were all that was missing.
    let captured: std::collections::BTreeSet<i64> =
        trace.kernels.iter().filter_map(|kernel| Some(kernel.call?.start)).collect();
    assert_eq!(
        (captured.len(), trace.kernels.iter().filter(|kernel| kernel.call.is_none()).count()),
        (58, 0)
    );
}

#[test]
fn a_program_that_is_not_tensorrt_has_kernels_and_no_layers() {
    let Some(trace) = report("nsightful-power_iteration") else { return };
    let table = KernelTable::of(&trace);
    assert_eq!((trace.schema.as_str(), table.runs, table.without_layer), ("3.20.2", 3689, 3689));
    assert!(trace.kernels.iter().all(|kernel| kernel.call.is_some()), "all join by their correlation id");
}

#[test]
fn a_report_without_kernels_is_none_and_no_error() {
    let Some(trace) = report("weatherbench2-report1") else { return };
    assert_eq!(trace.schema, "3.23.3");
    assert_eq!(KernelTable::of(&trace), KernelTable::default());
}
