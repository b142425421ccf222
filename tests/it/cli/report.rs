//! How results look, from fixed numbers: snapshots of the text for people, without its colours.

mod gpu;
mod html;
mod junit;

use std::collections::BTreeMap;
use std::path::PathBuf;
use trt_perf::capacity::{Capacity, Confirmed, Curve, Outcome};
use trt_perf::case::{Budget, Margins, OpenIdentity, OperatingPoint};
use trt_perf::compare::{
    Design, Difference, Inconclusive, Invalid, NotComparable, Remedy, Sessions, Unit, Verdict, compare_case,
    without_numbers,
};
use trt_perf::config::{BuildOptions, Scenario};
use trt_perf::error::{Failure, FailureKind};
use trt_perf::message::Message;
use trt_perf::outcome::{Base, Compared};
use trt_perf::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source};
use trt_perf::report::{json, terminal};
use trt_perf::stats::QUANTILES;
use trt_perf::summarize::{InvalidReason, Summary};

const ID: &str = "vision/resnet/b1/latency";

/// One process whose requests took about `mean_ns`.
fn process(mean_ns: f64) -> Summary {
    let factors = [0.9, 0.92, 0.95, 0.97, 1.0, 1.02, 1.05, 1.1, 1.3, 1.9];
    assert_eq!(factors.len(), QUANTILES.len());
    Summary {
        requests: 12_345,
        warm_up_requests: 1_000,
        steady: true,
        dropped: 5,
        tick_ns: None,
        measure_ns: None,
        build: None,
        non_stationary: false,
        throttled: false,
        mean_ns,
        sd_ns: mean_ns / 20.0,
        min_ns: (mean_ns * 0.88) as u64,
        max_ns: (mean_ns * 2.1) as u64,
        quantiles_ns: factors.map(|f| f * mean_ns),
        lag1: 0.12,
        n_eff: 9_876.0,
        outliers_mild: 12,
        outliers_severe: 3,
        inferences_per_s: 1e9 / mean_ns,
        over_budget_frac: None,
        load_ns: 23_400_000,
        first_ns: 4_560_000,
        peak_host_bytes: Some(123 << 20),
        steps: Vec::new(),
        gpu: None,
        capacity: None,
    }
}

/// A case whose processes took these times on average.
fn case(means_ns: &[f64]) -> CaseRecord {
    CaseRecord {
        definition_hash: "d".repeat(64),
        scenario: Scenario::Latency,
        point: OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false },
        mode: trt_perf::case::Mode::default(),
        budget: None,
        open: None,
        shapes: BTreeMap::from([("image".to_owned(), "1x3x224x224".to_owned())]),
        discovery: None,
        layers_sha256: None,
        engine: EngineRecord {
            inputs_hash: "e".repeat(64),
            payload_sha256: "f".repeat(64),
            model_sha256: "a".repeat(64),
            backend: "cpu".into(),
            library: "rten 0.27.0".into(),
            build: BuildOptions::default(),
            threads: 1,
            tactics_sha256: None,
            build_ns: 1_234_000_000,
            engine_bytes: 98 << 20,
            kernels: None,
            builds: Vec::new(),
        },
        outputs: BTreeMap::from([("scores".to_owned(), "1".repeat(64))]),
        processes: means_ns.iter().map(|m| process(*m)).collect(),
    }
}

/// Five processes around `mean_ns`, half a percent apart.
fn five(mean_ns: f64) -> CaseRecord {
    case(&[0.99, 0.995, 1.0, 1.005, 1.01].map(|f| f * mean_ns))
}

fn base() -> Base {
    Base {
        label: "41ab0c3d9e21 (2026-11-22, 4 cases)".into(),
        path: PathBuf::from("baselines/cpu-test-2c/20261122-41ab0c3d9e21-01234567.json"),
        steps: Some(7),
        soft_differences: vec![],
    }
}

fn compared(base_case: &CaseRecord, head: &CaseRecord) -> Compared {
    // The very same engine in two sessions is never judged.
    let mut base_case = base_case.clone();
    base_case.engine.payload_sha256 = "0".repeat(64);
    Compared {
        comparison: compare_case(
            ID,
            &base_case,
            head,
            Margins::default(),
            &Design::Stored(&|_| Sessions::Assumed),
        ),
        base: base(),
    }
}

fn with_verdict(id: &str, verdict: Verdict) -> Compared {
    let comparison = without_numbers(id, &five(1.0), Margins::default(), verdict);
    Compared { comparison, base: base() }
}

fn record(cases: Vec<(&str, CaseRecord)>, failed: Vec<(&str, Failure)>) -> Record {
    let source = Source {
        commit: "4".repeat(40),
        branch: Some("main".into()),
        src_tree: "5".repeat(40),
        dirty: false,
    };
    Record {
        id: "0123456789abcdef".into(),
        created_s: 1_795_305_600,
        tool: "0.1.0".into(),
        source: Some(source),
        device: RecordDevice { key: "cpu-test-2c".into(), name: "Test".into(), soft: BTreeMap::new() },
        cases: cases.into_iter().map(|(id, c)| (id.to_owned(), c)).collect(),
        supersedes: Vec::new(),
        acceptance: None,
        failed: failed.into_iter().map(|(id, f)| (id.to_owned(), f)).collect(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    }
}

/// The text as it stands where there are no colours; what carries none was not coloured, which is a mistake too.
fn plain(coloured: &str) -> String {
    let text = anstream::adapter::strip_str(coloured).to_string();
    assert!(!text.contains('\u{1b}'));
    assert_eq!(
        coloured.matches("\u{1b}[0m").count() * 2,
        coloured.matches("\u{1b}[").count(),
        "each colour ends"
    );
    text
}

/// A capacity case of five processes: the outcome at its budget, and a further one that no rate keeps.
fn capacity(outcome: impl Fn(f64) -> Outcome) -> CaseRecord {
    let mut case = five(3_456_789.0);
    case.scenario = Scenario::Capacity;
    case.budget = Some(Budget { max_ns: 20_000_000, quantile: 0.99 });
    let budgets_ns = vec![1_000_000, 20_000_000];
    case.open =
        Some(OpenIdentity { arrivals: "poisson".into(), budgets_ns, batch_delay_ns: Some(2_000_000) });
    for (process, factor) in case.processes.iter_mut().zip([0.99, 0.995, 1.0, 1.005, 1.01]) {
        let confirmed = Confirmed {
            per_s: 600.0 * factor,
            over_frac: 0.0061,
            upper_frac: 0.0093,
            n_eff: 2130.0,
            requests: 8000,
        };
        let none = Outcome::None { lowest_per_s: 4.5, over_frac: 1.0 };
        process.capacity = Some(Curve {
            closed_per_s: 900.0 * factor,
            closed_p50_ns: 3_300_000.0,
            points: vec![
                Capacity { budget_ns: 1_000_000, outcome: none, confirmed: None },
                Capacity { budget_ns: 20_000_000, outcome: outcome(factor), confirmed: Some(confirmed) },
            ],
            late_frac: 0.0012,
            late_p99_ns: 2345.0,
            requests: 123_456,
            probes: 21,
        });
    }
    case
}

fn rate(per_s: f64) -> impl Fn(f64) -> Outcome {
    move |factor| Outcome::Rate { per_s: per_s * factor, ln_se: 0.012 }
}

#[test]
fn a_capacity_with_its_curve() {
    let head = capacity(rate(640.0));
    let compared = compared(&capacity(rate(700.0)), &head);
    insta::assert_snapshot!(plain(&terminal::case_block("m/net/b4/capacity", &head, Some(&compared), true)));
    let cliff =
        capacity(|factor| Outcome::Cliff { holds_per_s: 610.0 * factor, fails_per_s: 640.0 * factor });
    insta::assert_snapshot!(
        "a_capacity_with_a_cliff",
        plain(&terminal::case_block("m/net/b4/capacity", &cliff, None, false))
    );
}

#[test]
fn a_case_without_a_base() {
    insta::assert_snapshot!(plain(&terminal::case_block(ID, &five(1_234_567.0), None, false)));
}

#[test]
fn a_case_in_every_detail() {
    let mut head = five(2_000_000.0);
    head.budget = Some(Budget { max_ns: 2_500_000, quantile: 0.99 });
    head.scenario = Scenario::Throughput;
    head.point.streams = 4;
    head.point.batch = 8;
    for (i, s) in head.processes.iter_mut().enumerate() {
        s.over_budget_frac = Some(0.02);
        (s.steady, s.non_stationary) = (i != 1, i > 2);
    }
    let mut before = head.clone();
    before.engine.library = "rten 0.26.0".into();
    before.engine.threads = 2;
    before.engine.model_sha256 = "b".repeat(64);
    before.outputs = BTreeMap::new();
    let mut compared = compared(&before, &head);
    compared.base.steps = Some(1);
    compared.base.soft_differences = vec!["kernel: 6.8.0 → 6.9.1".into()];
    let id = "a-package-with-a-long-name/a-model-with-a-long-name/b8/throughput";
    insta::assert_snapshot!(plain(&terminal::case_block(id, &head, Some(&compared), true)));
}

#[test]
fn a_case_with_one_short_process() {
    let mut one = case(&[123.4]);
    one.processes[0].requests = 10;
    one.processes[0].peak_host_bytes = None;
    one.processes[0].over_budget_frac = Some(0.0);
    one.budget = Some(Budget { max_ns: 1_000, quantile: 0.999 });
    insta::assert_snapshot!(plain(&terminal::case_block("p/tiny/default/latency", &one, None, true)));
}

#[test]
fn changes_and_their_sentences() {
    let steady = five(1_000_000.0);
    let mut other = five(1_000_000.0);
    other.definition_hash = "0".repeat(64);
    other.shapes = BTreeMap::new();
    let blocks: Vec<String> = [
        ("regressed", five(1_500_000.0)),
        ("improved", five(500_000.0)),
        ("close", five(1_004_000.0)),
        ("two processes", case(&[1_000_000.0, 1_010_000.0])),
        ("another definition", other),
    ]
    .iter()
    .map(|(what, head)| {
        format!("{what}\n{}", plain(&terminal::comparison_block(&compared(&steady, head).comparison)))
    })
    .collect();
    insta::assert_snapshot!(blocks.join("\n"));
}

/// Every verdict there is.
fn verdicts() -> [Verdict; 7] {
    [
        Verdict::Unchanged,
        Verdict::ChangedWithinMargin,
        Verdict::Improved,
        Verdict::Inconclusive(Inconclusive::TooUncertain {
            metric: "mean".into(),
            remedy: Remedy::Units(Unit::Processes, 9),
        }),
        Verdict::NotComparable(NotComparable::Definition(vec![Difference::Shapes])),
        Verdict::Invalid(Invalid::Alone(InvalidReason::Recorded("clocks were throttled".into()))),
        Verdict::Regressed,
    ]
}

#[test]
fn every_verdict_is_a_sentence() {
    let lines =
        verdicts().map(|v| format!("{}: {}", v.word(), terminal::sentence(&with_verdict(ID, v).comparison)));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_table_has_the_worst_first() {
    let ids: Vec<String> =
        verdicts().iter().map(|v| format!("p/{}/latency", v.word().replace(' ', "-"))).collect();
    let mut cases: Vec<(&str, CaseRecord)> = ids.iter().map(|id| (id.as_str(), five(1_234_567.0))).collect();
    let mut missed = five(9_999.0);
    missed.budget = Some(Budget { max_ns: 5_000, quantile: 0.99 });
    missed.processes.iter_mut().for_each(|s| s.over_budget_frac = Some(1.0));
    let mut held = missed.clone();
    held.processes.iter_mut().for_each(|s| s.over_budget_frac = Some(0.0));
    let mut thin = held.clone();
    thin.processes.iter_mut().for_each(|s| s.requests = 3);
    // Fifteen requests are few, and all of them over are enough to know.
    let mut few_missed = missed.clone();
    few_missed.processes.iter_mut().for_each(|s| (s.requests, s.n_eff) = (3, 3.0));
    let mut throttled = held.clone();
    throttled.processes[0].throttled = true;
    cases.extend([("q/new/held", held), ("q/new/missed", missed), ("q/new/thin", thin)]);
    cases.extend([("q/new/few-and-missed", few_missed), ("q/new/throttled", throttled)]);
    let mut against: BTreeMap<String, Compared> =
        ids.iter().zip(verdicts()).map(|(id, v)| (id.clone(), with_verdict(id, v))).collect();
    against.insert("p/regressed/latency".into(), compared(&five(1_000_000.0), &five(1_234_567.0)));
    let failed = vec![
        ("p/killed/latency", Failure::new(FailureKind::Crash, "the worker was ended by signal 9 (SIGKILL)")),
        ("p/slow/latency", Failure::new(FailureKind::TimedOut, "too slow")),
    ];
    insta::assert_snapshot!(plain(&terminal::table(&record(cases, failed), &against, 200)));
}

#[test]
fn a_failure_names_the_next_step() {
    let failure =
        Failure::new(FailureKind::OutOfMemory, "the worker ran out of memory").next("use a smaller batch");
    let short = Failure::new(FailureKind::Build, "models/a.onnx is empty");
    let blocks =
        [terminal::failure_block(ID, &failure), terminal::failure_block("p/a/default/latency", &short)];
    insta::assert_snapshot!(plain(&blocks.concat()));
}

#[test]
fn a_message_for_machines() {
    let case = json::compared_case(&compared(&five(1e6), &five(1.5e6)).comparison, Some(&base()));
    let mut message: serde_json::Value = serde_json::from_str(&Message::Comparison(case).line()).unwrap();
    // Sixteen digits are not the same on every machine.
    round(&mut message);
    insta::assert_snapshot!(format!("{message:#}"));
    let note = Message::note("two\nlines \u{1b}").line();
    assert_eq!(note, r#"{"reason":"note","schema":"trt-perf/message@1","text":"two\nlines \u001b"}"#);
}

fn round(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(n) if n.is_f64() => {
            *value = trt_perf::units::round5(n.as_f64().unwrap()).into();
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(round),
        serde_json::Value::Object(map) => map.values_mut().for_each(round),
        _ => {}
    }
}

#[test]
fn a_record_is_labelled() {
    let mut r = record(vec![(ID, five(1e6))], vec![]);
    assert_eq!(r.label(), "444444444444 (2026-11-22, 1 case)");
    r.source.as_mut().unwrap().dirty = true;
    assert_eq!(r.label(), "444444444444+changes (2026-11-22, 1 case)");
    (r.source, r.cases) = (None, BTreeMap::new());
    assert_eq!(r.label(), "no commit (2026-11-22, 0 cases)");
}
