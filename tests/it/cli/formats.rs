//! What stands in files: the record's schema, and texts that nobody wrote on purpose.

use crate::support::{Sandbox, model, schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use trt_perf::capacity::{Capacity, Confirmed, Curve, Outcome};
use trt_perf::case::{Budget, Mode, OpenIdentity, OperatingPoint};
use trt_perf::config::{BuildOptions, Scenario, ShapeSpec, Wait, parse_override};
use trt_perf::device::Throttle;
use trt_perf::discover::{Axes, Cell, Discovery, Tried, TriedScore};
use trt_perf::engine::KeptKernels;
use trt_perf::error::{Failure, FailureKind};
use trt_perf::measured::GpuTimes;
use trt_perf::message;
use trt_perf::record::wire;
use trt_perf::record::{CaseRecord, EngineBuild, EngineRecord, Record, RecordDevice, Source};
use trt_perf::stats::QUANTILES;
use trt_perf::summarize::{Compute, GpuSummary, InvalidReason, Summary};
use trt_perf::units::{Nanos, round5};

/// The schema file at `path` is what the code says; with `TRT_PERF_UPDATE=1` it is written anew first.
#[track_caller]
fn is_current(path: &str, schema: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = format!("{schema:#}\n");
    if std::env::var_os("TRT_PERF_UPDATE").is_some_and(|v| v == "1") {
        fs::write(&file, &text).expect("the schema file");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "refresh {path}: TRT_PERF_UPDATE=1 cargo test --test it the_committed_schema");
}

#[test]
fn the_committed_schema_is_current() {
    is_current("tests/record.schema.json", &wire::schema());
}

#[test]
fn the_committed_schema_of_evidence_is_current() {
    is_current("tests/evidence.schema.json", &trt_perf::evidence::schema());
}

#[test]
fn the_committed_schema_of_messages_is_current() {
    is_current("tests/message.schema.json", &message::schema());
}

#[test]
fn no_kind_of_message_goes_away() {
    let schema = message::schema();
    let known = schema::reasons(&schema);
    for reason in [
        "session-started",
        "stage",
        "progress",
        "engine",
        "process",
        "case-finished",
        "case-failed",
        "comparison",
        "checked",
        "drift",
        "added-baseline",
        "check-finished",
        "calibration",
        "history",
        "round",
        "trial",
        "cell",
        "winner",
        "discover-finished",
        "build-options",
        "build-finished",
        "note",
        "session-finished",
    ] {
        assert!(known.contains(&reason), "{reason}");
    }
}

#[test]
fn a_record_of_the_program_is_as_its_schema_says() {
    let tables = model("mlp", "mlp.onnx") + "max-latency = \"5ms\"\n" + &model("bad", "bad.onnx");
    let s = Sandbox::package(&tables);
    s.copy("mlp.onnx", "mlp.onnx");
    s.copy("broken/empty.onnx", "bad.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run(".", &["run", "--save-baseline"]).says(101, &["baseline: baselines/"]);
    let text = fs::read_to_string(&s.baselines(".")[0]).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let schema = wire::schema();
    schema::check(&value, &schema, &schema, "record");
    assert_eq!(value["schema"], "trt-perf/record@1");
    assert_eq!(schema["title"], value["schema"]);
    assert_eq!(value["failed"]["demo/bad/default/latency"]["kind"], "build");
    let case = &value["cases"]["demo/mlp/default/latency"];
    assert_eq!(
        (&case["budget"], &case["batch"]),
        (&json!({"max_ns": 5_000_000, "quantile": 0.99}), &json!(1))
    );
    assert_eq!(case["processes"].as_array().map(Vec::len), Some(2));
    // A line per case, keys sorted: what a person sees in a diff.
    assert_eq!(text.lines().filter(|l| l.starts_with("  \"demo/mlp/")).count(), 1);
    let keys: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix(" \"")?.split('"').next()).collect();
    assert!(keys.is_sorted() && keys.len() == 8, "{keys:?}");
    for value in case["processes"][0]["quantiles_ns"].as_array().unwrap() {
        let value = value.as_f64().unwrap();
        assert_eq!(value, round5(value), "five significant digits");
    }
}

/// Any number a summary can hold.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        1e-6..1e12_f64,
        -1.0..1.0_f64,
        any::<f64>().prop_filter("finite", |x| x.is_finite())
    ]
}

/// What a GPU may have said.
fn gpu_summary(counts: [u64; 9], numbers: &[f64]) -> GpuSummary {
    let timed = counts[0].is_multiple_of(2);
    GpuSummary {
        compute: timed.then(|| Compute {
            mean_ns: numbers[0],
            p50_ns: numbers[1],
            p99_ns: numbers[2],
            p50_at_max_clock_ns: timed.then_some(numbers[3]),
        }),
        times: timed.then_some(GpuTimes {
            enqueue_ns: counts[1],
            h2d_ns: counts[2],
            compute_ns: counts[3],
            d2h_ns: counts[4],
            isolated: counts[5].is_multiple_of(2),
        }),
        sm_mhz: timed.then_some(numbers[3]),
        max_sm_mhz: timed.then_some(numbers[1]),
        held_by: if timed { vec![Throttle::PowerLimit, Throttle::SyncBoost] } else { Vec::new() },
        clock_change_frac: timed.then_some(numbers[2]),
        temperature_c: (!timed).then_some(65),
        power_w: Some(numbers[4]),
        joules_per_inference: (!timed).then_some(numbers[0]),
        energy_window_ns: (!timed).then_some(counts[6]),
        invalid_reason: timed.then(|| InvalidReason::Recorded("the GPU's clock moved".into())),
    }
}

/// What an open loop may have found, one outcome of each kind.
fn curve(counts: [u64; 9], numbers: &[f64]) -> Curve {
    let numbers: Vec<f64> = numbers.iter().map(|n| round5(*n)).collect();
    let confirmed = Confirmed {
        per_s: numbers[0],
        over_frac: numbers[1],
        upper_frac: numbers[2],
        n_eff: numbers[3],
        requests: 7,
    };
    let outcomes = [
        Outcome::Rate { per_s: numbers[0], ln_se: numbers[1] },
        Outcome::Cliff { holds_per_s: numbers[1], fails_per_s: numbers[2] },
        Outcome::Beyond { at_least_per_s: numbers[3] },
        Outcome::None { lowest_per_s: numbers[3], over_frac: numbers[4] },
    ];
    let point = |(budget_ns, outcome): (u64, Outcome)| Capacity {
        budget_ns,
        outcome,
        confirmed: matches!(outcome, Outcome::Rate { .. }).then_some(confirmed),
    };
    Curve {
        closed_per_s: numbers[0],
        closed_p50_ns: numbers[1],
        points: (1..).zip(outcomes).map(point).collect(),
        late_frac: numbers[2],
        late_p99_ns: numbers[3],
        requests: counts[0],
        probes: counts[1],
    }
}

prop_compose! {
    fn summary()(
        counts in any::<[u64; 9]>(),
        numbers in prop::collection::vec(number(), 5 + QUANTILES.len()),
        flags in any::<[bool; 3]>(),
        over in prop::option::of(0.0..=1.0_f64),
        peak in prop::option::of(any::<u64>()),
        steps in prop::collection::vec(any::<u64>(), 0..3),
        gpu in any::<bool>(),
    ) -> Summary {
        Summary {
            requests: counts[0], tick_ns: Some(counts[1]), measure_ns: peak, build: gpu.then_some(3), warm_up_requests: counts[1], dropped: counts[2], min_ns: counts[3], max_ns: counts[4],
            outliers_mild: counts[5], outliers_severe: counts[6], load_ns: counts[7], first_ns: counts[8],
            mean_ns: numbers[0], sd_ns: numbers[1], lag1: numbers[2], n_eff: numbers[3], inferences_per_s: numbers[4],
            quantiles_ns: std::array::from_fn(|i| numbers[5 + i]),
            steady: flags[0], non_stationary: flags[1], throttled: flags[2], over_budget_frac: over, peak_host_bytes: peak,
            steps: steps.into_iter().map(|ns| ("step".to_owned(), ns)).collect(),
            gpu: gpu.then(|| gpu_summary(counts, &numbers)),
            capacity: flags[0].then(|| curve(counts, &numbers)),
        }
    }
}

prop_compose! {
    fn case()(
        definition_hash in "[0-9a-f]{64}",
        throughput in any::<bool>(),
        point in any::<(u64, u64, u64, bool)>(),
        budget in prop::option::of((any::<u64>(), 0.5..1.0_f64)),
        names in prop::collection::btree_map(".*", ".*", 0..4),
        engine in any::<(String, String, bool, bool, u64, u64, u64)>(),
        processes in prop::collection::vec(summary(), 0..3),
    ) -> CaseRecord {
        CaseRecord {
            definition_hash: definition_hash.clone(),
            scenario: if throughput { Scenario::Throughput } else { Scenario::Latency },
            point: OperatingPoint { batch: point.0, streams: point.1, in_flight: point.2, cuda_graph: point.3 },
            mode: if point.3 { Mode { transfers: false, wait: Wait::Block } } else { Mode::default() },
            budget: budget.map(|(max_ns, quantile)| Budget { max_ns, quantile }),
            open: budget.map(|(max_ns, _)| OpenIdentity { arrivals: "poisson".into(), budgets_ns: vec![max_ns], batch_delay_ns: Some(3) }),
            shapes: names.clone(),
            layers_sha256: throughput.then(|| "l".repeat(64)),
            discovery: throughput.then(|| Discovery {
                axes: Axes { batch: vec![point.0, 1], streams: vec![point.1], cuda_graph: vec![point.3], ..Axes::default() },
                cells: vec![Tried {
                    cell: Cell {
                        point: OperatingPoint { batch: point.0, streams: point.1, in_flight: point.2, cuda_graph: point.3 },
                        threads: engine.4,
                    },
                    score: budget.map(|_| TriedScore { inferences_per_s: 1234.5, tail_ns: 1_500_000.0 }),
                    front: engine.2,
                }],
                overall: engine.3,
            }),
            engine: EngineRecord {
                inputs_hash: definition_hash.clone(), payload_sha256: definition_hash.clone(), model_sha256: definition_hash,
                backend: engine.0, library: engine.1, build: BuildOptions {
                    optimize: engine.2, prepack_weights: engine.3, debug_extra_work_frac: throughput.then_some(0.25),
                    trtexec_args: if throughput { vec!["--fp16".into()] } else { vec![] },
                    ..BuildOptions::default()
                },
                threads: engine.4, tactics_sha256: throughput.then(|| "t".repeat(64)), build_ns: engine.5, engine_bytes: engine.6,
                builds: throughput.then(|| EngineBuild { payload_sha256: "b".repeat(64), build_ns: engine.5, engine_bytes: engine.6 }).into_iter().collect(),
                kernels: throughput.then(|| KeptKernels { sha256: "k".repeat(64), cold_load_ns: engine.5 }),
            },
            outputs: names,
            processes,
        }
    }
}

prop_compose! {
    fn record()(
        // 1900 to 9999, what a timestamp in text can say.
        created_s in -2_208_988_800_i64..253_402_300_799,
        tool in ".*",
        source in prop::option::of(("[0-9a-f]{40}", prop::option::of(".*"), "[0-9a-f]{40}", any::<bool>())),
        key in "[a-z0-9-]{1,64}",
        soft in prop::collection::btree_map(".*", ".*", 0..3),
        cases in prop::collection::btree_map(".*", case(), 0..3),
        failed in prop::collection::btree_map(".*", (".*", ".*"), 0..3),
    ) -> Record {
        Record {
            id: String::new(), created_s, tool,
            source: source.map(|(commit, branch, src_tree, dirty)| Source { commit, branch, src_tree, dirty }),
            device: RecordDevice { key: key.clone(), name: key, soft },
            cases,
            supersedes: Vec::new(),
            acceptance: None,
            failed: failed.into_iter()
                .map(|(id, (message, next))| (id, Failure::new(FailureKind::TimedOut, message).next(next)))
                .collect(),
            part: None,
            experiment: false,
            unknown: Vec::new(),
 crlf: false,
        }
    }
}

/// The record with its numbers as precise as files hold them.
fn to_five_digits(mut record: Record) -> Record {
    for s in record.cases.values_mut().flat_map(|c| &mut c.processes) {
        for x in [&mut s.mean_ns, &mut s.sd_ns, &mut s.lag1, &mut s.n_eff, &mut s.inferences_per_s] {
            *x = round5(*x);
        }
        s.quantiles_ns = s.quantiles_ns.map(round5);
        s.over_budget_frac = s.over_budget_frac.map(round5);
        if let Some(gpu) = &mut s.gpu {
            gpu.compute = gpu.compute.map(|c| Compute {
                mean_ns: round5(c.mean_ns),
                p50_ns: round5(c.p50_ns),
                p99_ns: round5(c.p99_ns),
                p50_at_max_clock_ns: c.p50_at_max_clock_ns.map(round5),
            });
            for x in [
                &mut gpu.sm_mhz,
                &mut gpu.max_sm_mhz,
                &mut gpu.clock_change_frac,
                &mut gpu.power_w,
                &mut gpu.joules_per_inference,
            ] {
                *x = x.map(round5);
            }
        }
    }
    record
}

/// The text of a small record, always the same.
fn fixed_text() -> String {
    let device = RecordDevice { key: "cpu-test-2c".into(), name: "Test".into(), soft: BTreeMap::new() };
    let source = Source {
        commit: "4".repeat(40),
        branch: Some("main".into()),
        src_tree: "5".repeat(40),
        dirty: false,
    };
    wire::write(&mut Record {
        id: String::new(),
        created_s: 1_700_000_000,
        tool: "0.1.0".into(),
        source: Some(source),
        device,
        cases: BTreeMap::new(),
        supersedes: Vec::new(),
        acceptance: None,
        failed: BTreeMap::from([("a/b/c/latency".into(), Failure::usage("no").next("yes"))]),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    })
}

#[test]
fn no_single_change_to_a_record_goes_unnoticed() {
    let text = fixed_text();
    assert!(wire::read(&text).is_ok());
    for at in 0..text.len() {
        assert_eq!(wire::read(&text[..at]).unwrap_err().kind, FailureKind::Format, "cut at {at}");
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("still ASCII");
            assert!(wire::read(&changed).is_err(), "bit {bit} of byte {at}: {changed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_survive_being_written_and_read(record in record()) {
        let mut written = record.clone();
        let text = wire::write(&mut written);
        let read = wire::read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        prop_assert_eq!(&read, &to_five_digits(Record { id: written.id, ..record }));
        // What was read is written as the same text, with the same id.
        let mut again = read.clone();
        prop_assert_eq!(wire::write(&mut again), text);
        prop_assert_eq!(again.id, read.id);
    }

    #[test]
    fn text_that_is_no_record_is_refused(text in ".{0,200}", tail in ".{0,40}") {
        prop_assert!(wire::read(&text).is_err());
        let headed = format!("{{\"schema\": \"trt-perf/record@1\", {tail}");
        prop_assert!(wire::read(&headed).is_err());
    }

    #[test]
    fn words_on_the_command_line_are_read_or_refused(text in "\\PC{0,40}", digits in "[0-9x.:=-]{0,30}", unit in "[a-zµ]{0,4}") {
        for word in [text.clone(), digits.clone(), format!("{digits}{unit}"), format!("a:{digits}"), format!("{text}={digits}")] {
            if let Ok(ns) = word.parse::<Nanos>() {
                prop_assert!(!ns.to_string().is_empty());
            }
            if let Ok((name, shape)) = ShapeSpec::parse_named(&word) {
                prop_assert!(!name.is_empty());
                prop_assert!(shape.at(3).opt.iter().all(|d| *d >= 1));
            }
            if let Ok(table) = parse_override(&word) {
                prop_assert!(word.contains('=') && !table.is_empty());
            }
            let _ = ShapeSpec::read(&Value::from(word));
        }
    }
}
