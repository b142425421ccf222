//! What the harness costs on a GPU: the `cuda` backend's kernels of set durations, measured as any model is, beside the
//! same kernels launched back to back in one loop; and the capacities it finds, beside the exact ones of the queue that
//! such a kernel is (M/D/c: Poisson arrivals, equal services, c streams).
//!
//! `cargo bench --bench gpu`, or on a machine without Rust what `tests/gpu/bundle.sh` packs. `TRT_PERF_BIN` names the
//! program there; `rates`, `latencies` and `capacities` choose a part. Where no GPU can be used it says so and stops.

#[path = "../tests/it/support/program.rs"]
mod program;
#[path = "../tests/it/support/queues.rs"]
mod queues;

use program::{Ran, program};
use queues::{Queue, SERVICE_NS, Service};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use trt_perf::backend::cuda::peer::{BackToBack, back_to_back};
use trt_perf::backend::cuda::workload::Workload;
use trt_perf::backend::{CompiledKernels, LoadSetup};
use trt_perf::case::{Mode, OperatingPoint};
use trt_perf::config::Wait;
use trt_perf::units::{Nanos, round5};

const MICROSECONDS: [u64; 5] = [2, 5, 20, 100, 1000];
/// How long each back-to-back loop runs.
const LOOP_NS: u64 = 300_000_000;

fn main() {
    if std::env::args().any(|a| a == "--test") {
        println!("gpu: skipped in quick mode, it measures for minutes");
        return;
    }
    if let Err(why) = trt_perf::backend::cuda::gpus() {
        assert!(std::env::var_os("TRT_PERF_REQUIRE_GPU").is_none_or(|v| v != "1"), "{why}");
        println!("gpu: skipped: {why}");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let parts: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let asked = |part: &str| parts.is_empty() || parts.iter().any(|a| a == part);
    if asked("rates") {
        rates(dir.path());
    }
    if asked("latencies") {
        latencies(dir.path());
    }
    if asked("capacities") {
        capacities(dir.path());
    }
}

/// The `case-finished` message of a workload measured as `args` say.
fn measure(dir: &Path, us: u64, args: &[&str]) -> Value {
    let file = dir.join(format!("k{us}.toml"));
    std::fs::write(&file, format!("duration = \"{us}us\"")).expect("a workload file");
    let mut command = Command::new(program());
    command
        .args(["run", file.to_str().expect("UTF-8"), "--message-format", "json", "--processes", "3"])
        .args(["--warm-up", "100ms", "--measure", "300ms"])
        .args(args)
        .current_dir(dir);
    Ran::of(command).message("case-finished")
}

fn peer(us: u64, graph: bool) -> BackToBack {
    let text = format!("duration = \"{us}us\"");
    let workload = Workload::parse(text.as_bytes()).expect("a workload");
    let setup = LoadSetup {
        point: OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: graph },
        mode: Mode { transfers: false, wait: Wait::Spin },
        kernels: CompiledKernels::Compile,
        memory: None,
    };
    let requests = LOOP_NS / Nanos(us * 1000).0.max(2_000);
    back_to_back(0, &workload, &setup, requests).expect("the GPU runs it")
}

fn number(case: &Value, pointer: &str) -> f64 {
    case.pointer(pointer).and_then(|f| f["est"].as_f64()).unwrap_or(f64::NAN)
}

/// Achieved rates against back-to-back execution. Ratios count; 1 is what the GPU can do.
fn rates(dir: &Path) {
    println!("\n## throughput: rate / rate of back-to-back launches of the same work on one stream\n");
    println!("| kernel | graph | streams × in flight | per request | back to back | ratio |");
    println!("|---|---|---|---:|---:|---:|");
    for us in MICROSECONDS {
        for graph in [false, true] {
            let alone = peer(us, graph);
            for (streams, depth) in [(1, 1), (1, 2), (1, 4), (2, 2), (4, 2)] {
                let (s, d) = (format!("{streams}"), format!("{depth}"));
                let mut args =
                    vec!["--scenario", "throughput", "--streams", &s, "--in-flight", &d, "--no-transfers"];
                args.extend(graph.then_some("--cuda-graph"));
                let rate = number(&measure(dir, us, &args), "/inferences_per_s");
                println!(
                    "| {us} µs | {} | {streams} × {depth} | {:.2} µs | {:.2} µs | {:.3} |",
                    if graph { "yes" } else { "no" },
                    1e6 / rate,
                    alone.request_ns / 1000.0,
                    rate * alone.request_ns / 1e9
                );
            }
        }
    }
}

/// What a single request costs beyond its kernel.
fn latencies(dir: &Path) {
    println!("\n## latency: medians, with transfers of 4 KiB each way\n");
    println!(
        "| kernel | graph | kernel by its own timer | between events | request on the host | enqueue | wait |"
    );
    println!("|---|---|---:|---:|---:|---:|---|");
    for us in MICROSECONDS {
        for graph in [false, true] {
            let alone = peer(us, graph);
            for wait in ["spin", "block"] {
                let mut args = vec!["--scenario", "latency", "--wait", wait];
                args.extend(graph.then_some("--cuda-graph"));
                let case = measure(dir, us, &args);
                let us_of = |pointer: &str| round5(number(&case, pointer) / 1000.0);
                println!(
                    "| {us} µs | {} | {:.2} µs | {} µs | {} µs | {} µs | {wait} |",
                    if graph { "yes" } else { "no" },
                    alone.kernel_ns as f64 / 1000.0,
                    us_of("/gpu/compute_p50_ns"),
                    us_of("/p50_ns"),
                    us_of("/gpu/enqueue_ns"),
                );
            }
        }
    }
}

/// Kernels in microseconds, and budgets in services. Nearer than 2 × there is next to no capacity.
const CAPACITIES: [(u64, &[f64]); 2] = [(100, &[2.0, 3.0, 5.0, 10.0, 20.0]), (1000, &[3.0, 10.0])];

/// Capacity against budget at 99 %. A service is what the closed loop of the same process takes; all times are the
/// host's, so a request that is launched, waited for and answered by its thread is one service of that stream.
fn capacities(dir: &Path) {
    println!(
        "\n## capacity: measured / exact for M/D/c with the closed loop's p50 as its service, 99 % within the budget\n"
    );
    println!("| kernel | streams | service | budget | measured /s | exact /s | ratio | closed loop /s |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (us, budgets) in CAPACITIES {
        for streams in [1, 2, 4] {
            let budgets: Vec<String> =
                budgets.iter().map(|b| format!("{}ns", (b * 1.1 * us as f64 * 1e3) as u64)).collect();
            let s = streams.to_string();
            let mut args = vec!["--scenario", "capacity", "--streams", &s, "--in-flight", "1"];
            args.extend(["--no-transfers", "--cuda-graph", "--max-latency", &budgets[1]]);
            args.extend(budgets.iter().flat_map(|b| ["--budget", b.as_str()]));
            let case = measure(dir, us, &args);
            let service_ns = number(&case, "/capacity/closed_p50_ns");
            let queue = Queue { mean_ns: service_ns, ..Queue::new(Service::Fixed, streams) };
            for point in case["capacity"]["points"].as_array().into_iter().flatten() {
                let budget_ns = point["budget_ns"].as_f64().unwrap_or(f64::NAN);
                let found = number(point, "/inferences_per_s");
                let exact = queue.capacity(budget_ns / SERVICE_NS, 0.99);
                println!(
                    "| {us} µs | {streams} | {:.1} µs | {:.2} × | {found:.0} | {exact:.0} | {:.3} | {:.0} |",
                    service_ns / 1e3,
                    budget_ns / service_ns,
                    found / exact,
                    number(&case, "/capacity/closed_per_s"),
                );
            }
            println!(
                "(late: {:.4} % of the requests at most)",
                100.0 * case["capacity"]["late_frac"].as_f64().unwrap_or(f64::NAN)
            );
        }
    }
}
