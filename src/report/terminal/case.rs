//! Shows one measured case, before it is compared with anything.

use crate::config::{BackendKind, Wait};
use crate::outcome::{Bound, BudgetAnswer, BudgetResult, FewRequests, Figure, Figures, GpuFigures};
use crate::record::{CaseRecord, Unreal};
use crate::report::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, paint};
use crate::summarize::Summary;
use crate::units::{bytes, count, plain_time, plural, rate, round5, share, time};

/// The lines of one case. `verbose` adds a line per process and what the engine is.
pub(super) fn lines(case: &CaseRecord, figures: &Figures, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let open = case.open.is_some();
    let per_s = |label: &str| figure_line(label, figures.inferences_per_s, rate);
    // The latencies below are those of one offered rate; nothing is done as fast as it can be.
    lines.extend(open.then(|| per_s("at:")));
    lines.push(figure_line("time:", figures.mean_ns, time));
    lines.extend(no_result_line(case));
    lines.push(quantile_line(figures));
    lines.extend((!open).then(|| per_s("thrpt:")));
    lines.extend(figures.gpu.iter().flat_map(gpu_lines));
    lines.extend(figures.builds.as_ref().map(|spread| format!("{:<8}{spread}", "builds:")));
    lines.extend(figures.bound.as_ref().map(bound_line));
    lines.extend(figures.budget.as_ref().map(budget_line));
    lines.push(phase_line(case, figures));
    if verbose {
        lines.extend(open_line(case));
        lines.extend(engine_lines(case));
        lines.extend(case.processes.iter().enumerate().map(|(i, s)| process_line(i + 1, s)));
    }
    lines
}

pub(super) fn figure_line(label: &str, figure: Option<Figure>, show: impl Fn(f64) -> String) -> String {
    let shown = match figure {
        Some(Figure::Interval(i)) => {
            format!("[{} {} {}]", paint(DIM, &show(i.lo)), paint(BOLD, &show(i.est)), paint(DIM, &show(i.hi)))
        }
        Some(Figure::Single(v)) => {
            format!("{} {}", paint(BOLD, &show(v)), paint(DIM, "(one process: no interval)"))
        }
        None => paint(DIM, "not measured"),
    };
    format!("{label:<8}{shown}")
}

fn quantile_line(figures: &Figures) -> String {
    let quantiles = [("p50", figures.p50_ns), ("p90", figures.p90_ns), ("p99", figures.p99_ns)];
    let parts = quantiles.map(|(name, figure)| match figure {
        Some(f) => format!("{name} {}", time(f.estimate())),
        None => paint(DIM, &format!("{name} too few requests")),
    });
    format!(
        "{:<8}{}  {}",
        "",
        parts.join("  "),
        paint(
            DIM,
            &format!("({}, {} requests)", plural(figures.processes, "process"), count(figures.requests))
        )
    )
}

fn budget_line(b: &BudgetResult) -> String {
    let q = share(b.budget.quantile);
    let asked = format!("{q} within {}", plain_time(b.budget.max_ns as f64));
    let said = match b.answer {
        BudgetAnswer::TooFewRequests => paint(YELLOW, "too few requests to tell"),
        BudgetAnswer::Holds => paint(GREEN, "holds"),
        BudgetAnswer::Missed => paint(RED, "does not hold"),
    };
    format!("{:<8}{asked}: {said}, {} over", "budget:", share(b.over_frac))
}

fn phase_line(case: &CaseRecord, figures: &Figures) -> String {
    let show = |f: Option<Figure>, show: &dyn Fn(f64) -> String| {
        f.map_or_else(|| "unknown".into(), |f| show(f.estimate()))
    };
    format!(
        "{:<8}load {}{}{}  first inference {}  peak memory {}",
        "phases:",
        show(figures.load_ns, &time),
        steps(case),
        case.engine.kernels.as_ref().map_or(String::new(), |k| {
            format!(", {} without the kernels that are kept", time(k.cold_load_ns as f64))
        }),
        show(figures.first_ns, &time),
        show(figures.peak_host_bytes, &|b| bytes(b as u64)),
    )
}

/// The steps of loading, by the first process; empty where it is one step.
fn steps(case: &CaseRecord) -> String {
    let steps: Vec<String> = case
        .processes
        .first()
        .map_or(&[][..], |s| &s.steps)
        .iter()
        .map(|(name, ns)| format!("{name} {}", time(*ns as f64)))
        .collect();
    if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) }
}

fn engine_lines(case: &CaseRecord) -> Vec<String> {
    let e = &case.engine;
    let shapes: Vec<String> = case.shapes.iter().map(|(name, s)| format!("{name} {s}")).collect();
    let made = match (e.engine_bytes, e.build_ns) {
        (0, 0) => "imported".into(),
        (size, 0) => bytes(size),
        (size, ns) => format!("{}, built in {}", bytes(size), time(ns as f64)),
    };
    let fed = [shapes.join(", "), format!("batch {}", case.point.batch)];
    // A program has inputs of its own.
    let fed = if shapes.is_empty() { Vec::new() } else { fed.to_vec() };
    let streams = plural(case.point.streams as usize, "stream");
    vec![
        format!(
            "{:<8}{} ({}), {}, {made}",
            "engine:",
            e.backend,
            e.library,
            plural(e.threads as usize, "thread"),
        ),
        format!("{:<8}{}{}", "point:", [fed, vec![streams]].concat().join(", "), gpu_point(case)),
    ]
}

/// How requests ran on a GPU; empty for `cpu`.
fn gpu_point(case: &CaseRecord) -> String {
    if case.processes.iter().all(|s| s.gpu.is_none()) {
        return String::new();
    }
    let graph = if case.point.cuda_graph { "a CUDA graph" } else { "no CUDA graph" };
    let transfers = if case.mode.transfers { "with transfers" } else { "without transfers" };
    let wait = match case.mode.wait {
        Wait::Spin => "spinning",
        Wait::Block => "blocking",
    };
    format!(", {} in flight each, {graph}, {transfers}, host {wait}", case.point.in_flight)
}

/// How an open loop offered its requests.
fn open_line(case: &CaseRecord) -> Option<String> {
    let open = case.open.as_ref()?;
    let arrivals = match open.arrivals.as_str() {
        word @ ("poisson" | "uniform") => format!("{word} arrivals"),
        hash => format!("recorded arrivals ({})", hash.get(..12).unwrap_or(hash)),
    };
    let batching = open.batch_delay_ns.map_or_else(String::new, |ns| {
        format!(", one inference each, batched within {}", plain_time(ns as f64))
    });
    Some(format!("{:<8}{arrivals}{batching}", "open:"))
}

fn process_line(number: usize, s: &Summary) -> String {
    let steady = if s.steady { "" } else { ", not steady after warm-up" };
    paint(
        DIM,
        &format!(
            "#{number:<7}mean {}  p50 {}  max {}  {} requests (n_eff {}), {} dropped, lag-1 {:.2}, outliers {} mild {} severe{steady}",
            time(s.mean_ns),
            time(s.quantile_ns(0.5).unwrap_or(s.mean_ns)),
            time(s.max_ns as f64),
            count(s.requests),
            count(s.n_eff.round() as u64),
            s.dropped,
            s.lag1,
            s.outliers_mild,
            s.outliers_severe,
        ),
    )
}

/// Loud, so that nobody takes such a number for a result.
fn no_result_line(case: &CaseRecord) -> Option<String> {
    let e = &case.engine;
    let why = match e.unreal()? {
        Unreal::TestLibrary => {
            format!("NOT A REAL RESULT: the {} computed nothing of this model", e.library)
        }
        Unreal::ExtraWork => {
            let added = share(e.build.debug_extra_work_frac.unwrap_or_default());
            format!("NOT A REAL RESULT: debug-extra-work adds {added} to every inference")
        }
        Unreal::Workload => "a calibration workload of kernels with a set duration, not a model".into(),
    };
    Some(format!("{RED}{BOLD}{why}{RESET}"))
}

/// What the GPU measured of the requests, and its state at the end.
fn gpu_lines(gpu: &GpuFigures) -> Vec<String> {
    let compute = gpu.compute_p50_ns;
    let mut lines: Vec<String> = compute
        .map(|f| format!("{} {}", figure_line("GPU:", Some(f), time), paint(DIM, "compute p50")))
        .into_iter()
        .collect();
    let part = |name: &str, value: Option<Figure>| Some(format!("{name} {}", time(value?.estimate())));
    let parts = [
        part("enqueue", gpu.enqueue_ns),
        part("host to device", gpu.h2d_ns),
        part("compute p99", gpu.compute_p99_ns),
        part("compute p50 at the highest clock", gpu.compute_p50_at_max_clock_ns),
        part("device to host", gpu.d2h_ns),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    if gpu.holds_launching {
        parts.push(paint(YELLOW, "the GPU's times may hold the host's launching"));
    }
    if !parts.is_empty() {
        lines.push(format!("{:<8}{}", "", parts.join("  ")));
    }
    let state = |value: Option<Figure>, show: fn(f64) -> String| Some(show(value?.estimate()));
    let states = [
        state(gpu.sm_mhz, |mhz| format!("{mhz:.0} MHz")),
        state(gpu.temperature_c, |c| format!("{c:.0} °C")),
        state(gpu.power_w, |w| format!("{w:.0} W")),
        state(gpu.joules_per_inference, |j| format!("{} mJ per inference", round5(j * 1e3))),
    ];
    let states: Vec<String> = states.into_iter().flatten().collect();
    if !states.is_empty() {
        let label = if lines.is_empty() { "GPU:" } else { "" };
        lines.push(paint(DIM, &format!("{label:<8}{}", states.join("  "))));
    }
    lines
}

/// What holds the case back, and what to try next.
fn bound_line(bound: &Bound) -> String {
    let megahertz = |now: f64, most: f64| format!("the GPU's clock is {now:.0} MHz of {most:.0} MHz");
    let said = match *bound {
        Bound::Launch { enqueue_ns, compute_ns, cuda_graph, compute_per_s } => format!(
            "launch-bound: handing a request over takes {} of the host, computing it {} of the GPU; {}",
            time(enqueue_ns),
            time(compute_ns),
            launch_next(cuda_graph, compute_per_s)
        ),
        Bound::Copies { h2d_ns, d2h_ns, compute_ns, overlap } => {
            let [to_gpu, to_host] = [("to the GPU", h2d_ns), ("to the host", d2h_ns)]
                .map(|(way, ns)| format!("{} {way}", time(ns)));
            let (longer, other) = if h2d_ns >= d2h_ns { (to_gpu, to_host) } else { (to_host, to_gpu) };
            let other = if overlap { format!("meanwhile {other}") } else { other };
            format!(
                "copy-bound: copies take {longer}, {other}, computing {}; --no-transfers shows what is left without",
                time(compute_ns)
            )
        }
        Bound::Power { sm_mhz, max_sm_mhz } => {
            format!("power-limited: {}, held down by its power limit", megahertz(sm_mhz, max_sm_mhz))
        }
        Bound::Clock { sm_mhz, max_sm_mhz } => format!(
            "clock-limited: {} without a limit that the driver names: it may be locked (`nvidia-smi -q -d CLOCK`)",
            megahertz(sm_mhz, max_sm_mhz)
        ),
        Bound::Gpu => "GPU-bound: neither launching nor copying takes as long as computing".into(),
    };
    format!("{:<8}{said}", "bound:")
}

/// What takes the launching of a request off the host.
fn launch_next(cuda_graph: bool, compute_per_s: Option<f64>) -> String {
    match (cuda_graph, compute_per_s) {
        (true, _) => {
            "a larger batch (--batch) or more requests in flight (throughput, --in-flight) fill the GPU"
                .into()
        }
        (false, Some(per_s)) => {
            format!("a CUDA graph (--cuda-graph) would give at best about {}", rate(per_s))
        }
        (false, None) => "a CUDA graph (--cuda-graph) takes it off the host".into(),
    }
}

/// What `import trtexec` made: nothing was built or measured here.
fn is_imported(case: &CaseRecord) -> bool {
    case.engine.backend == BackendKind::Trtexec.word() && case.engine.build_ns == 0
}

/// Which option gives the requests that are missing. A worker spends at most three quarters of its limit on them.
fn few_requests_line(few: &FewRequests, case: &CaseRecord) -> String {
    let FewRequests { metric, least, needed, seconds } = few;
    let limit = seconds.saturating_add(seconds / 3 + 1);
    let option = match seconds {
        _ if is_imported(case) => format!("trtexec --duration={seconds}"),
        ..=400 => format!("--measure {seconds}s"),
        _ => format!("--measure {seconds}s with --time-limit {limit}s"),
    };
    paint(
        YELLOW,
        &format!(
            "{metric} needs {} requests in each process, and one had {}: {option} gives them",
            count(*needed),
            count(*least)
        ),
    )
}

pub(super) fn warnings(case: &CaseRecord, figures: &Figures) -> Vec<String> {
    let total = figures.processes;
    let mut lines = Vec::new();
    lines.extend(figures.few_requests.as_ref().map(|few| few_requests_line(few, case)));
    if figures.unsteady > 0 {
        let text = format!(
            "warning: {} of {total} processes were not steady when warming up ended; try a longer --warm-up",
            figures.unsteady
        );
        lines.push(paint(YELLOW, &text));
    }
    if let Some((why, count)) = case.invalid_reason() {
        lines.push(paint(RED, &format!("invalid: {why} (in {count} of {total} processes)")));
    }
    if let Some((count, most)) = figures.clock_moved {
        let text = format!(
            "warning: in {count} of {total} processes the GPU's clock moved while measuring, by up to {}; that is part of the spread (locked clocks do not move: `sudo nvidia-smi -lgc MHZ`)",
            share((most * 1e3).round() / 1e3)
        );
        lines.push(paint(YELLOW, &text));
    }
    if figures.drifted > 0 {
        let text = format!(
            "warning: in {} of {total} processes latency drifted while measuring; look at clocks, heat and other load (`cargo trt-perf doctor`)",
            figures.drifted
        );
        lines.push(paint(YELLOW, &text));
    }
    lines
}
