//! How a case on a GPU looks, and what is said to hold it back.

use super::{ID, case, plain};
use trt_perf::device::Throttle;
use trt_perf::measured::GpuTimes;
use trt_perf::outcome::Event;
use trt_perf::record::CaseRecord;
use trt_perf::report::{json, terminal};
use trt_perf::summarize::{Compute, GpuSummary};

/// ResNet-50 fp16 on an H100: times of enqueueing, copying there, computing and copying back in microseconds.
fn on_gpu([enqueue, h2d, compute, d2h]: [u64; 4], sm_mhz: f64, held_by: &[Throttle]) -> CaseRecord {
    let mut case = case(&[690e3]);
    let (enqueue_ns, h2d_ns, compute_ns, d2h_ns) = (enqueue * 1000, h2d * 1000, compute * 1000, d2h * 1000);
    let ns = compute_ns as f64;
    case.processes[0].gpu = Some(GpuSummary {
        compute: Some(Compute { mean_ns: ns, p50_ns: ns, p99_ns: ns, p50_at_max_clock_ns: None }),
        times: Some(GpuTimes { enqueue_ns, h2d_ns, compute_ns, d2h_ns, isolated: true }),
        sm_mhz: Some(sm_mhz),
        max_sm_mhz: Some(1980.0),
        held_by: held_by.to_vec(),
        clock_change_frac: None,
        temperature_c: None,
        power_w: None,
        joules_per_inference: None,
        energy_window_ns: None,
        invalid_reason: None,
    });
    case
}

#[test]
fn what_holds_a_case_back_stands_below_its_times() {
    let plain_launch = on_gpu([652, 12, 366, 3], 1980.0, &[]);
    let mut replayed = on_gpu([34, 12, 20, 3], 1980.0, &[]);
    replayed.point.cuda_graph = true;
    let mut streams = plain_launch.clone();
    streams.point.streams = 2;
    let mut overlap = on_gpu([34, 12, 329, 700], 1980.0, &[]);
    overlap.point.in_flight = 2;
    let finished = Event::Case { id: ID, case: &plain_launch, comparison: None };
    let message: serde_json::Value = serde_json::from_str(&json::event(&finished).line()).unwrap();
    assert_eq!(
        message["bound"],
        serde_json::json!({
            "by": "launch", "enqueue_ns": 652_000.0, "compute_ns": 366_000.0, "cuda_graph": false,
            "compute_per_s": 1e9 / 366_000.0,
        })
    );
    let whole = terminal::case_block(ID, &plain_launch, None, false);
    let others = [
        streams,
        replayed,
        on_gpu([34, 400, 329, 3], 1980.0, &[]),
        overlap,
        on_gpu([34, 12, 329, 3], 1455.0, &[Throttle::PowerLimit]),
        on_gpu([34, 12, 329, 3], 1410.0, &[]),
        on_gpu([34, 12, 329, 3], 1980.0, &[]),
    ];
    let line = |case| {
        let block = terminal::case_block(ID, case, None, false);
        block.lines().find(|l| l.contains("bound:")).unwrap_or("nothing").to_owned()
    };
    let lines: Vec<String> = others.iter().map(line).collect();
    insta::assert_snapshot!(plain(&format!("{whole}{}", lines.join("\n"))));
}
