//! Exports and output in trtexec's form, made up: no numbers of anybody's.

/// An export of `--exportTimes`: `n` requests of about `latency_ms` back to back, the first of them at `start_ms`.
pub fn times(start_ms: f64, n: usize, latency_ms: f64) -> String {
    let rows: Vec<String> = (0..n)
        .map(|i| {
            // A little spread that repeats, so that runs are alike and no two neighbours are equal.
            let latency = latency_ms * (1.0 + 0.004 * ((i * 7919 % 101) as f64 / 101.0 - 0.5));
            let start = start_ms + i as f64 * latency_ms * 1.01;
            let end = start + latency;
            format!(
                "{{ \"startEnqMs\" : {start}, \"endEnqMs\" : {}, \"startH2dMs\" : {start}, \"endH2dMs\" : {start}, \
                 \"startComputeMs\" : {start}, \"endComputeMs\" : {end}, \"startD2hMs\" : {end}, \"endD2hMs\" : {end}, \
                 \"h2dMs\" : 0, \"computeMs\" : {latency}, \"d2hMs\" : 0, \"latencyMs\" : {latency} }}",
                start + 0.005
            )
        })
        .collect();
    format!("[\n  {}\n]\n", rows.join("\n, "))
}

/// What trtexec prints when it runs a plan.
pub fn log(version: &str, transfers: &str, spin: &str, graph: &str) -> String {
    let lines = [
        "=== Model Options ===",
        "Format: *",
        "Model: ",
        "=== Inference Options ===",
        "Batch: Explicit",
        "Input inference shape : x=1x3x8x8",
        "Iterations: 10",
        "Duration: 3s (+ 200ms warm up)",
        "Sleep time: 0ms",
        "Idle time: 0ms",
        "Inference Streams: 1",
        "ExposeDMA: Disabled",
        &format!("Data transfers: {transfers}"),
        &format!("Spin-wait: {spin}"),
        "Multithreading: Disabled",
        &format!("CUDA Graph: {graph}"),
        "=== Device Information ===",
        "Selected Device: NVIDIA Test GPU",
        "Compute Capability: 8.6",
        "Device Global Memory: 24268 MiB",
        "",
        "Engine deserialized in 0.0125 sec.",
        "Starting inference",
    ];
    let lines: String = lines.iter().map(|l| format!("[11/22/2026-10:00:00] [I] {l}\n")).collect();
    format!("&&&& RUNNING TensorRT.trtexec [TensorRT v{version}] # trtexec --loadEngine=x.plan\n{lines}")
}
