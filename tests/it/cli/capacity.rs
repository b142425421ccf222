//! `capacity`, end to end: what is asked, what is kept and what is refused. No rate is asserted: machines are noisy.

use crate::support::{Ran, Sandbox, model};
use trt_perf::capacity::Outcome;
use trt_perf::config::Scenario;

const CASE: &str = "demo/mlp/default/capacity";

fn sandbox() -> Sandbox {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s
}

/// A budget that any machine keeps at some rate, and little measuring.
const QUICK: [&str; 6] = ["run", "--scenario", "capacity", "--streams", "1", "--percentile=95"];

fn run(s: &Sandbox, more: &[&str]) -> Ran {
    s.run(".", &[&QUICK, more].concat())
}

#[test]
fn a_rate_for_each_budget_is_printed_and_kept() {
    let s = sandbox();
    let args = ["--max-latency", "20ms", "--budget", "100ms", "--budget", "20ms", "-v"];
    let ran = run(&s, &args);
    ran.says(
        0,
        &[
            CASE,
            "95% within 20 ms",
            "95% within 100 ms",
            "closed: ",
            "arrivals late: ",
            "poisson arrivals",
            "time:   [",
        ],
    );
    let record = s.record("target");
    let case = &record.cases[CASE];
    assert_eq!(case.scenario, Scenario::Capacity);
    let open = case.open.as_ref().expect("how requests were offered");
    assert_eq!((open.arrivals.as_str(), &open.budgets_ns[..]), ("poisson", &[20_000_000, 100_000_000][..]));
    for process in &case.processes {
        let found = process.capacity.as_ref().expect("a capacity");
        assert_eq!(found.points.iter().map(|p| p.budget_ns).collect::<Vec<_>>(), open.budgets_ns);
        assert!(found.closed_per_s > 0.0 && found.closed_p50_ns > 0.0 && found.probes >= 3);
        assert!(found.requests >= process.requests, "{found:?}");
    }
}

#[test]
fn a_budget_below_one_inference_has_no_rate() {
    let s = sandbox();
    run(&s, &["--max-latency", "1ns"]).says(0, &["95% within 1 ns: no rate keeps it", "100% are over"]);
    let record = s.record("target");
    for process in &record.cases[CASE].processes {
        let found = process.capacity.as_ref().expect("a capacity");
        assert!(matches!(found.points[0].outcome, Outcome::None { over_frac, .. } if over_frac == 1.0));
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_built() {
    let s = sandbox();
    run(&s, &[]).says(2, &[CASE, "there is none", "set max-latency"]);
    run(&s, &["--max-latency", "1ms", "--batch-delay", "1ms"]).says(2, &["the batch is 1", "set batches"]);
    run(&s, &["--max-latency", "1ms", "--arrivals", "poison"]).says(2, &["did you mean `poisson`"]);
    run(&s, &["--max-latency", "1ms", "--arrivals", "no/such.txt"])
        .says(2, &["there is no file", "no/such.txt"]);
    run(&s, &["--max-latency", "1ms", "--backend", "trtexec"]).says(2, &["it has no open loop"]);
    assert!(s.results("target").is_empty());
}

#[test]
fn arrivals_come_from_a_file_where_one_is_named() {
    let s = sandbox();
    s.write("bad.txt", "0.0\n0.1\nsoon\n");
    run(&s, &["--max-latency", "20ms", "--arrivals", "bad.txt"]).says(101, &["bad.txt", "line 3", "soon"]);
    s.write("trace.txt", (0..200).map(|i| format!("{}\n", f64::from(i * i) * 1e-4)).collect::<String>());
    run(&s, &["--max-latency", "20ms", "--arrivals", "trace.txt", "-v"]).says(0, &["recorded arrivals ("]);
    let result = s.results("target").into_iter().next_back().expect("a record");
    let record = trt_perf::baseline::load(&result).expect("a readable record");
    let open = record.cases[CASE].open.clone().expect("how requests were offered");
    assert_eq!(open.arrivals.len(), 64, "the file's SHA-256: {}", open.arrivals);
}

#[test]
fn inferences_that_arrive_alone_are_batched() {
    let shapes = "shapes = { token_ids = [\"batch\", 4], attention_mask = [\"batch\", 4] }\n";
    let s = Sandbox::package(&(model("encoder", "encoder.onnx") + shapes));
    s.copy("encoder.onnx", "encoder.onnx");
    let args = ["--max-latency", "200ms", "--batch", "4", "--batch-delay", "20ms", "--processes", "1", "-v"];
    run(&s, &args).says(0, &["poisson arrivals, one inference each, batched within 20 ms"]);
    let record = s.record("target");
    let case = &record.cases["demo/encoder/b4/capacity"];
    assert_eq!(case.open.as_ref().and_then(|o| o.batch_delay_ns), Some(20_000_000));
}

#[test]
fn check_compares_capacities_of_two_settings() {
    let s = sandbox();
    let args =
        ["check", "--head-config", "debug-extra-work=\"100%\"", "--pairs", "3", "--scenario", "capacity"];
    let more = ["--max-latency", "20ms", "--percentile", "95", "--streams", "1"];
    let ran = s.run(".", &[&args[..], &more].concat());
    if ran.code == Some(103) {
        // A machine that is busy with something else: then that is what is said, instead of a number.
        ran.says(103, &["the load generator was late for", "leave a CPU core free"]);
    } else {
        ran.says(0, &[CASE, "capacity:", "needs 5 pairs, has 3", "not a real result"]);
        assert!(ran.row(CASE).contains("3 pairs"), "{ran}");
    }
}
