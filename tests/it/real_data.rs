//! The rule on public measurements of real GPUs: one run against itself must not be called changed, fp16 against fp32
//! must. The files are not part of this repository: they are read in place from `../shared/data/trtexec` beside it, or
//! from `$TRT_PERF_SHARED/data/trtexec`, and each test says why it skips where they are absent.
//!
//! Each file is what `trtexec --exportTimes` writes: an array with an object per inference. One run is one process; cut
//! into consecutive blocks it stands for several, which is harder than real processes, because its blocks drift.

use crate::support::{Sandbox, shared};
use trt_perf::case::Margins;
use trt_perf::compare::samples::compare_samples;
use trt_perf::compare::{CaseComparison, Design, Sessions, Verdict};
use trt_perf::stats::{Decision, Description, SessionSpread};
use trt_perf::summarize::describe_steady;
use trt_perf::tensor::write_samples;

const A100_FP16: &str = "pytorch-resnet-A100-fp16";
const A100_FP32: &str = "pytorch-resnet-A100-fp32";
const RTX_3090: &str = "tensorflow-resnet-RTX-3090-fp16";

const SAME: Design = Design::Stored(&|_| Sessions::Known(SessionSpread::NONE));
const OTHER: Design = Design::Stored(&|_| Sessions::Assumed);
const PAIRS: Design = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };

/// Latencies in nanoseconds, in time order; `None`, with the reason printed, where the file is not there.
fn run(name: &str) -> Option<Vec<u64>> {
    let path = shared(&format!("data/trtexec/{name}/timing.json"))?;
    let text = std::fs::read_to_string(&path).expect("readable");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    Some(rows.iter().map(|r| (r["latencyMs"].as_f64().expect("latencyMs") * 1e6).round() as u64).collect())
}

/// `n` consecutive blocks, each as a process.
fn processes(samples: &[u64], n: usize) -> Vec<Description> {
    blocks(samples, n).iter().map(|b| describe_steady(b, false).expect("samples").description).collect()
}

fn blocks(samples: &[u64], n: usize) -> Vec<Vec<u64>> {
    (0..n).map(|i| samples[i * samples.len() / n..(i + 1) * samples.len() / n].to_vec()).collect()
}

fn compare(base: &[u64], head: &[u64], n: usize, design: &Design) -> CaseComparison {
    compare_samples("x", &processes(base, n), &processes(head, n), Margins::default(), design)
}

/// What the mean (0) or the median (1) was decided to be.
fn decided(c: &CaseComparison, metric: usize) -> Option<Decision> {
    c.metrics[metric].ruling.as_ref().ok().map(|r| r.decision)
}

/// Every third sample, from `first` on.
fn third(samples: &[u64], first: usize) -> Vec<u64> {
    samples.iter().copied().skip(first).step_by(3).collect()
}

fn unchanged(name: &str, what: &str, base: &[u64], head: &[u64]) {
    for n in 5..=8 {
        for (said, design) in [("paired", &PAIRS), ("same session", &SAME), ("two sessions", &OTHER)] {
            for (base, head) in [(base, head), (head, base)] {
                let c = compare(base, head, n, design);
                let changed = matches!(c.verdict, Verdict::Regressed | Verdict::Improved);
                assert!(!changed, "{name}, {what}, {n} blocks, {said}: {c:?}");
            }
        }
    }
}

#[test]
fn one_run_against_itself_is_not_called_changed() {
    for name in [A100_FP16, A100_FP32, RTX_3090] {
        let Some(samples) = run(name) else { continue };
        let (first, second) = samples.split_at(samples.len() / 2);
        unchanged(name, "halves", first, second);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            unchanged(name, "interleaved thirds", &third(&samples, a), &third(&samples, b));
        }
    }
}

#[test]
fn interleaved_thirds_are_shown_to_be_unchanged() {
    // The three share every drift, so that pairs can settle it: failing to see a change would not be enough.
    for name in [A100_FP16, A100_FP32, RTX_3090] {
        let Some(samples) = run(name) else { continue };
        let c = compare(&third(&samples, 0), &third(&samples, 1), 6, &PAIRS);
        // Blocks are too short for p99, and the case stays open; what they can tell is decided.
        for metric in 0..2 {
            let decision = decided(&c, metric);
            assert!(
                matches!(decision, Some(Decision::Unchanged | Decision::ChangedWithinMargin)),
                "{name}: {c:?}"
            );
        }
    }
}

#[test]
fn half_precision_is_seen_on_the_a100() {
    let (Some(fp32), Some(fp16)) = (run(A100_FP32), run(A100_FP16)) else { return };
    for n in 5..=8 {
        for design in [&SAME, &OTHER, &PAIRS] {
            let faster = compare(&fp32, &fp16, n, design);
            assert_eq!([0, 1].map(|m| decided(&faster, m)), [Some(Decision::Improved); 2], "{faster:?}");
            assert!(matches!(faster.verdict, Verdict::Inconclusive(_)), "nothing tells of p99: {faster:?}");
            assert_eq!(compare(&fp16, &fp32, n, design).verdict, Verdict::Regressed);
        }
    }
}

#[test]
fn the_binary_says_the_same_of_folders() {
    let (Some(fp32), Some(fp16)) = (run(A100_FP32), run(A100_FP16)) else { return };
    let s = Sandbox::new();
    for (name, samples) in [("fp32", &fp32), ("fp16", &fp16)] {
        std::fs::create_dir(s.path(name)).expect("a folder");
        for (i, block) in blocks(samples, 6).iter().enumerate() {
            write_samples(&s.path(name).join(format!("{i}.npy")), block).expect("written");
        }
    }
    let compare = |base: &str, head: &str, more: &[&str]| {
        s.run(".", &[&["compare", base, head, "--fail-on-regression"], more].concat())
    };
    compare("fp32", "fp16", &[]).says(0, &["Inconclusive: p99: needs 8 files, has 6"]);
    compare("fp16", "fp32", &[]).says(0, &["Performance has regressed: ", "advisory, fails nothing"]);
    compare("fp16", "fp32", &["--assume-session-sd", "2%"])
        .says(100, &["Performance has regressed: "])
        .silent_on(&["advisory"]);
}
