//! The figures of a case: which there are, from what, and that a page with all of them stays small.

use super::super::{ID, five, record};
use super::{body, check, compared, is_safe, pairs, sampled};
use std::collections::BTreeMap;
use std::path::PathBuf;
use trt_perf::capacity::{Capacity, Curve, Outcome};
use trt_perf::case::{Budget, OpenIdentity, OperatingPoint};
use trt_perf::compare::CaseComparison;
use trt_perf::config::Scenario;
use trt_perf::device::Throttle;
use trt_perf::discover::{Axes, Cell, Discovery, Tried, TriedScore};
use trt_perf::history::series;
use trt_perf::layers::{Breakdown, LayerRun, LayerTime, LayerTimes, attribute, inspect};
use trt_perf::memory::wire::MemoryRecord;
use trt_perf::memory::{
    CaseMemory, EngineMemory, MemoryPhase, PhaseMemory, ProcessMemory, ProcessSource, TracedMemory,
};
use trt_perf::outcome::{
    CaseDetail, CasePicture, LayerDetail, MemoryDetail, MemoryMoment, MemoryOutcome, MemoryPicture, MemoryRow,
};
use trt_perf::record::CaseRecord;
use trt_perf::report::html;
use trt_perf::summarize::GpuSummary;

/// An engine of twelve layers, of which the second takes `ns`, in two processes.
fn breakdown(name: &str, kind: &str, ns: f64) -> Breakdown {
    let name = |i: usize| match i {
        1 => name.to_owned(),
        _ => format!("/layer{i}/layer{i}.0/conv1/Conv + /layer{i}/layer{i}.0/relu/Relu"),
    };
    let layer = |i: usize| serde_json::json!({ "Name": name(i), "LayerType": kind, "TacticName": kind });
    let layers: Vec<_> = (0..12).map(layer).collect();
    let engine = inspect(&serde_json::json!({ "Layers": layers }).to_string()).expect("layers");
    let took = |i: usize| if i == 1 { ns } else { 9_000.0 + 321.0 * i as f64 };
    let run = |more: f64| {
        let time = |i: usize| LayerTime { name: name(i), median_ns: took(i) + more, calls: 1 };
        let layers: Vec<LayerTime> = (0..12).map(time).collect();
        let sum: f64 = layers.iter().map(|l| l.median_ns).sum();
        let times = LayerTimes { requests: 10, without_graph: false, layers };
        LayerRun { times, gpu_ns: Some(sum - 3_000.0) }
    };
    Breakdown::of(Some(&engine), &[run(0.0), run(20.0)]).expect("one engine")
}

/// Layers of which one got slower.
pub fn changed(name: &str) -> LayerDetail {
    LayerDetail::Compared(attribute(&breakdown(name, "Conv", 20_000.0), &breakdown(name, "Other", 45_000.0)))
}

/// Both arms on a GPU whose clock fell in one process of head.
fn on_gpu(detail: &mut CaseDetail) {
    for (arm, case) in detail.arms.iter_mut().enumerate() {
        for (i, process) in case.as_mut().expect("an arm").processes.iter_mut().enumerate() {
            let fell = (arm, i) == (1, 3);
            process.gpu = Some(GpuSummary {
                compute: None,
                times: None,
                sm_mhz: Some(if fell { 1485.0 } else { 1965.0 + 5.0 * (i % 3) as f64 }),
                max_sm_mhz: Some(1980.0),
                held_by: if fell { vec![Throttle::PowerLimit] } else { Vec::new() },
                clock_change_frac: fell.then_some(-0.25),
                temperature_c: Some(40 + i as u32),
                power_w: None,
                joules_per_inference: None,
                energy_window_ns: None,
                invalid_reason: None,
            });
        }
    }
}

const MIB: u64 = 1 << 20;

/// What an engine with so many MiB of weights takes.
fn memory(weights: u64) -> CaseMemory {
    use MemoryPhase::{Context, Driver, End, Inference, Load};
    let phase = |(phase, peak, end, process): (MemoryPhase, u64, u64, u64)| {
        let traced = TracedMemory { peak_bytes: peak * MIB, end_bytes: end * MIB, allocations: peak };
        PhaseMemory { phase, traced: Some(traced), process_bytes: Some(process * MIB) }
    };
    let phases = [
        (Driver, 0, 0, 402),
        (Load, weights + 1, weights, 444 + weights),
        (Context, weights + 6, weights + 6, 450 + weights),
        (Inference, weights + 8, weights + 8, 452 + weights),
        (End, weights + 8, 0, 0),
    ];
    let run = ProcessMemory {
        phases: phases.map(phase).to_vec(),
        source: Some(ProcessSource::Nvml),
        ..ProcessMemory::default()
    };
    let engine = EngineMemory { plan_bytes: weights * MIB, ..EngineMemory::default() };
    CaseMemory { library: "TensorRT 10.9".into(), engine, build: None, run }
}

fn moments(memory: &CaseMemory) -> MemoryPicture {
    let mut now = 0;
    let of_phase = |p: &PhaseMemory| {
        let traced = p.traced.expect("traced");
        let step = |i: usize| {
            let end_bytes = now + (traced.end_bytes as i64 - now as i64) as u64 * i as u64 / 24;
            MemoryMoment { peak_bytes: end_bytes.max(traced.peak_bytes / 2), end_bytes }
        };
        let all: Vec<MemoryMoment> =
            if traced.end_bytes >= now { (1..=24).map(step).collect() } else { Vec::new() };
        now = traced.end_bytes;
        (p.phase, all)
    };
    MemoryPicture { phases: memory.run.phases.iter().map(of_phase).collect() }
}

fn row() -> MemoryRow {
    MemoryRow::new(ID, memory(60), Some(500 * MIB), Some(&memory(40)))
}

/// A case with every figure that a check has.
fn everything() -> (CaseComparison, CaseDetail) {
    let (base, head, mut detail) = sampled(20, 1500, 3);
    on_gpu(&mut detail);
    detail.layers = Some(changed("/layer1/conv1/Conv"));
    detail.memory = Some(MemoryDetail::of(&row(), |arm| Some(moments(&memory([40, 60][arm])))));
    (compared(&base, &head).comparison, detail)
}

/// `.ci/report` opens it in a browser.
fn for_browser(name: &str, page: &str) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.html"));
    std::fs::write(path, page).expect("a file");
}

#[test]
fn fifty_cases_of_twenty_pairs_with_every_figure_stay_below_a_megabyte() {
    let (comparison, detail) = everything();
    let ids: Vec<String> = (0..50).map(|i| format!("package/model-{i}/default/latency")).collect();
    let rows = ids.iter().map(|id| pairs(CaseComparison { id: id.clone(), ..comparison.clone() })).collect();
    let page = check(rows, &ids.iter().map(|id| (id.clone(), detail.clone())).collect());
    is_safe(&page);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<svg ").count(), 50 * 7);
}

#[test]
fn a_case_shows_its_layers_its_clocks_its_warm_up_and_its_memory() {
    let (comparison, detail) = everything();
    let page = check(vec![pairs(comparison)], &BTreeMap::from([(ID.to_owned(), detail)]));
    is_safe(&page);
    for_browser("every-figures", &page);
    for said in [
        "shaded: warming up",
        "class=\"warm\"",
        "Clock of the GPU",
        "40 to 59 °C",
        "held down by power limit",
        "the highest it has: 1980 MHz",
        "Layers that differ",
        "/layer1/conv1/Conv (other tactic)",
        "20.010 µs → 45.010 µs  +25.000 µs ±",
        "6 more",
        "residual: what is in no layer",
        "Memory by phase",
        "dashed: the budget of 500.0 MiB",
        "Allocated memory over time",
        ">inference</text>",
        "head most",
    ] {
        assert!(page.contains(said), "{said}: {}", body(&page));
    }
}

#[test]
fn the_layers_of_a_record_alone_have_shares_and_a_residual() {
    let case = five(1e6);
    let now = record(vec![(ID, case.clone())], vec![]);
    let layers = Some(LayerDetail::Alone(breakdown("stem", "Conv", 40_000.0)));
    let detail = CaseDetail { arms: [None, Some(case)], layers, ..CaseDetail::default() };
    let page = html::record(&now, &BTreeMap::new(), &BTreeMap::from([(ID.to_owned(), detail)])).unwrap();
    is_safe(&page);
    for said in ["stem (Conv)", "40.010 µs  ", "-3.0000 µs of ", "sum of 12 layers: "] {
        assert!(page.contains(said), "{said}: {}", body(&page));
    }
    assert!(!page.contains("Clock of the GPU"), "a CPU has none");
}

#[test]
fn a_memory_page_judges_each_case_and_shows_its_phases() {
    let failed = BTreeMap::from([(
        "broken".to_owned(),
        trt_perf::error::Failure::new(trt_perf::error::FailureKind::OutOfMemory, "no more <memory>"),
    )]);
    let row = row();
    let detail = MemoryDetail::of(&row, |_| None);
    let created = "2026-01-01T00:00:00Z".to_owned();
    let outcome = MemoryOutcome {
        record: MemoryRecord {
            tool: "0.1.0".into(),
            created,
            device: "h200".into(),
            commit: None,
            dirty: false,
            cases: BTreeMap::new(),
        },
        rows: vec![row],
        failed,
        base: Some("main".into()),
        written: Some(Ok(PathBuf::from("memory.json"))),
        interrupted: false,
    };
    let details = CaseDetail { memory: Some(detail), ..CaseDetail::default() };
    let page = html::memory(&outcome, &BTreeMap::from([(ID.to_owned(), details)])).unwrap();
    is_safe(&page);
    for said in [
        "1 case measured, 1 over the budget, 1 failed",
        "the budget is broken: it takes 512.0 MiB",
        "traced peak 48.0 MiB → 68.0 MiB",
        "Memory by phase",
        "no more &lt;memory&gt;",
    ] {
        assert!(page.contains(said), "{said}: {}", body(&page));
    }
    assert!(!page.contains("Allocated memory over time"), "no call is kept");
}

/// A case whose point a grid chose, and whose capacity was looked for with two budgets.
fn explored() -> CaseRecord {
    let cell = |streams| Cell {
        point: OperatingPoint { batch: 1, streams, in_flight: 1, cuda_graph: false },
        threads: 1,
    };
    let tried = |streams, tail_ns: f64, inferences_per_s: f64, front| Tried {
        cell: cell(streams),
        score: Some(TriedScore { tail_ns, inferences_per_s }),
        front,
    };
    let cells = vec![
        tried(1, 1e6, 1000.0, true),
        tried(2, 2e6, 1800.0, true),
        tried(4, 6e6, 1700.0, false),
        Tried { cell: cell(8), score: None, front: false },
    ];
    let axes = Axes {
        batch: vec![1],
        streams: vec![1, 2, 4, 8],
        in_flight: vec![1],
        cuda_graph: vec![false],
        threads: vec![1],
    };
    let point = |budget_ns, per_s| Capacity {
        budget_ns,
        outcome: Outcome::Rate { per_s, ln_se: 0.01 },
        confirmed: None,
    };
    let curve = Curve {
        closed_per_s: 1900.0,
        closed_p50_ns: 5e5,
        points: vec![point(2_000_000, 900.0), point(8_000_000, 1500.0)],
        late_frac: 0.0,
        late_p99_ns: 10.0,
        requests: 1000,
        probes: 9,
    };
    let mut case = five(1e6);
    case.scenario = Scenario::Capacity;
    case.budget = Some(Budget { max_ns: 2_000_000, quantile: 0.99 });
    case.point = cell(2).point;
    case.discovery = Some(Discovery { axes, cells, overall: true });
    let budgets_ns = vec![2_000_000, 8_000_000];
    case.open = Some(OpenIdentity { arrivals: "poisson".into(), budgets_ns, batch_delay_ns: None });
    for process in &mut case.processes {
        process.capacity = Some(curve.clone());
    }
    case
}

#[test]
fn a_grid_a_capacity_and_a_history_are_drawn_where_there_are_some() {
    let case = explored();
    let mut earlier = record(vec![(ID, explored())], vec![]);
    earlier.created_s -= 86_400;
    let now = record(vec![(ID, case.clone())], vec![]);
    let series = series(&[earlier, now.clone()], "cpu-test-2c", ID, None, &BTreeMap::new());
    assert_eq!(series.as_ref().map(|s| s.points.len()), Some(2));
    let picture = CasePicture::of([None, Some(&case)], None, |_, _, _| None);
    let detail = CaseDetail { arms: [None, Some(case)], picture, series, ..CaseDetail::default() };
    let page = html::record(&now, &BTreeMap::new(), &BTreeMap::from([(ID.to_owned(), detail)])).unwrap();
    is_safe(&page);
    for_browser("other-figures", &page);
    for said in [
        "Latency and throughput of the grid",
        "the large dot was chosen: batch 1, 2 streams; dashed: the budget of 2 ms",
        "Capacity by latency budget",
        "capacity in 8 ms",
        "Over all records",
        "change points were not searched for",
    ] {
        assert!(page.contains(said), "{said}: {}", body(&page));
    }
}
