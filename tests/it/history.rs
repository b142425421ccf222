//! `cargo trt-perf history`, the real binary on record files and a git repository made here.

use crate::support::{Ran, Sandbox};
use std::collections::BTreeMap;
use trt_perf::baseline::Store;
use trt_perf::case::OperatingPoint;
use trt_perf::config::{BuildOptions, Scenario};
use trt_perf::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source};
use trt_perf::stats::QUANTILES;
use trt_perf::summarize::Summary;

const NOON: i64 = 1_790_000_000;
const DAY: i64 = 86_400;

/// Commits on a day.
fn commit(s: &Sandbox, day: i64) -> String {
    s.set_clock(NOON + day * DAY);
    s.git(".", &["commit", "--quiet", "--allow-empty", "-m", &format!("day {day}")]);
    s.git(".", &["rev-parse", "HEAD"])
}

fn save(s: &Sandbox, folder: &str, mut record: Record) -> String {
    Store::new(s.path(folder)).save(&mut record).expect("a record is written");
    record.id
}

fn history(s: &Sandbox, args: &[&str]) -> Ran {
    let mut command = s.command(".", &[&["history"], args].concat());
    command.env_remove("LC_CTYPE").env("LC_ALL", "C");
    Ran::of(command)
}

fn summary(mean_ns: f64) -> Summary {
    Summary {
        requests: 5000,
        warm_up_requests: 100,
        steady: true,
        dropped: 0,
        tick_ns: None,
        measure_ns: None,
        build: None,
        non_stationary: false,
        throttled: false,
        mean_ns,
        sd_ns: mean_ns / 50.0,
        min_ns: (mean_ns * 0.9) as u64,
        max_ns: (mean_ns * 1.2) as u64,
        quantiles_ns: QUANTILES.map(|q| mean_ns * (0.95 + 0.1 * q)),
        lag1: 0.1,
        n_eff: 4000.0,
        outliers_mild: 1,
        outliers_severe: 0,
        inferences_per_s: 1e9 / mean_ns,
        over_budget_frac: None,
        load_ns: 1000,
        first_ns: 2000,
        peak_host_bytes: None,
        steps: Vec::new(),
        gpu: None,
        capacity: None,
    }
}

/// Three processes a per mille apart.
fn case(mean_ns: f64) -> CaseRecord {
    CaseRecord {
        definition_hash: "new".into(),
        scenario: Scenario::Latency,
        point: OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false },
        mode: trt_perf::case::Mode::default(),
        budget: None,
        open: None,
        shapes: BTreeMap::new(),
        discovery: None,
        layers_sha256: None,
        engine: EngineRecord {
            inputs_hash: "i".into(),
            payload_sha256: "p".into(),
            model_sha256: "m".into(),
            backend: "cpu".into(),
            library: "rten 1".into(),
            build: BuildOptions::default(),
            threads: 1,
            tactics_sha256: None,
            build_ns: 1,
            engine_bytes: 1,
            kernels: None,
            builds: Vec::new(),
        },
        outputs: BTreeMap::new(),
        processes: [0.999, 1.0, 1.001].map(|f| summary(mean_ns * f)).to_vec(),
    }
}

fn record(commit: &str, day: i64, id: &str, case: CaseRecord) -> Record {
    Record {
        id: String::new(),
        created_s: NOON + day * DAY,
        tool: "0.1.0".into(),
        source: Some(Source {
            commit: commit.into(),
            branch: Some("main".into()),
            src_tree: commit.into(),
            dirty: false,
        }),
        device: RecordDevice { key: "cpu-test-1c".into(), name: "Test".into(), soft: BTreeMap::new() },
        cases: BTreeMap::from([(id.to_owned(), case)]),
        supersedes: Vec::new(),
        acceptance: None,
        failed: BTreeMap::new(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    }
}

const ID: &str = "pkg/net/default/latency";

/// Twelve commits, 5 % slower from the eighth on; each measured on the day of its commit, but the first last.
fn stepped() -> (Sandbox, Vec<String>, Vec<String>) {
    let p = Sandbox::new();
    p.init_git(".");
    let commits: Vec<String> = (0..12).map(|day| commit(&p, day)).collect();
    let noise = [0.0, 0.001, -0.001, 0.0005];
    let records = commits.iter().enumerate().map(|(i, commit)| {
        let mean = if i < 7 { 1e6 } else { 1.05e6 } * (1.0 + noise[i % 4]);
        let day = if i == 0 { 40 } else { i as i64 };
        save(
            &p,
            if i % 2 == 0 { "baselines" } else { ".trt-perf/results" },
            record(commit, day, ID, case(mean)),
        )
    });
    let records = records.collect();
    (p, commits, records)
}

fn text(ran: Ran) -> (String, String, i32) {
    (ran.out, ran.err, ran.code.unwrap_or(-1))
}

fn json(ran: &Ran) -> serde_json::Value {
    ran.says(0, &[]);
    ran.message("history")
}

#[test]
fn the_commit_that_made_it_slower_is_named() {
    let (p, commits, records) = stepped();
    let (out, err, code) = text(history(&p, &["net/default"]));
    assert_eq!(code, 0, "{err}");
    assert!(out.is_ascii(), "{out}");
    assert!(out.contains("12 records") && out.contains("1 change point"), "{out}");
    assert!(out.contains("% worse"), "{out}");
    assert!(out.contains(&format!("first bad: {}", &commits[7][..12])), "{out}");
    assert!(out.contains(&format!("last before: {}", &commits[6][..12])), "{out}");
    assert!(
        out.contains(&format!("git log --oneline {}..{}", &commits[6][..12], &commits[7][..12])),
        "{out}"
    );
    assert!(err.contains("cpu-test-1c"), "another device is not taken silently: {err}");

    let told = json(&history(&p, &[ID, "--message-format", "json"]));
    let got: Vec<&str> =
        told["points"].as_array().expect("points").iter().filter_map(|p| p["commit"].as_str()).collect();
    assert_eq!(got, commits, "commit order, whatever the day of measuring");
    assert_eq!(told["changes"][0]["first_record"], records[7].as_str());
    assert_eq!(told["changes"][0]["last_record"], records[6].as_str());
    let change = told["changes"][0]["change"].as_f64().expect("a number");
    assert!((change - 0.05).abs() < 0.002, "{change}");
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(1));
    // The same answer every time: the permutations are seeded.
    assert_eq!(told, json(&history(&p, &[ID, "--message-format", "json"])));
    let rate = json(&history(&p, &[ID, "--metric", "throughput", "--message-format", "json"]));
    assert_eq!(
        (rate["metric"].as_str(), rate["changes"][0]["worse"].as_bool()),
        (Some("throughput"), Some(true))
    );
}

#[test]
fn each_record_counts_once_and_what_is_left_out_is_said() {
    let (p, commits, _) = stepped();
    // It lies in the results already: the same record, in both folders.
    save(&p, "baselines", record(&commits[3], 3, ID, case(1.0005e6)));
    let old = CaseRecord { definition_hash: "old".into(), ..case(9e6) };
    save(&p, "baselines", record(&commits[2], 2, ID, old));
    let mut dirty = record(&commits[11], 12, ID, case(1.05e6));
    if let Some(source) = &mut dirty.source {
        source.dirty = true;
    }
    save(&p, ".trt-perf/results", dirty);
    save(&p, "baselines", record(&"f".repeat(40), 5, ID, case(1e6)));
    std::fs::write(p.path("baselines/cpu-test-1c/20260101-000000000000-00000000.json"), "{")
        .expect("written");
    let (out, err, code) = text(history(&p, &[ID]));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("left out: 1 record of 1 older definition"), "{out}");
    assert!(out.contains(&format!("{}+changes", &commits[11][..12])), "{out}");
    assert!(out.contains("not in HEAD's history"), "{out}");
    assert!(out.contains("14 records"), "{out}");
    assert!(err.contains("20260101-000000000000-00000000.json") && err.contains("skipped"), "{err}");
}

#[test]
fn a_few_records_are_shown_and_not_searched() {
    let p = Sandbox::new();
    for day in 0..3 {
        save(&p, "baselines", record(&format!("{day}").repeat(40), day, ID, case(2e6)));
    }
    let (out, err, code) = text(history(&p, &[ID]));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("needs at least 8, got 3"), "{out}");
    assert!(err.contains("no git repository"), "{err}");
    assert!(out.contains("2.0000 ms"), "{out}");
}

#[test]
fn what_was_asked_for_must_be_one_thing_that_exists() {
    let p = Sandbox::new();
    let (_, err, code) = text(history(&p, &["net"]));
    assert!(code == 4 && err.contains("no record yet"), "{code} {err}");

    let mut other = record(&"b".repeat(40), 1, "pkg/net/big/latency", case(1e6));
    save(&p, "baselines", record(&"a".repeat(40), 0, ID, case(1e6)));
    save(&p, "baselines", other.clone());
    let (_, err, code) = text(history(&p, &["pkg/net"]));
    assert!(code == 2 && err.contains(ID) && err.contains("pkg/net/big/latency"), "{code} {err}");
    let (_, err, code) = text(history(&p, &["defalt"]));
    assert!(code == 4 && err.contains("did you mean `default`?"), "{code} {err}");
    let (_, err, code) = text(history(&p, &["big", "--device", "cpu-test-2c"]));
    assert!(code == 4 && err.contains("did you mean cpu-test-1c?"), "{code} {err}");

    other.device.key = "gpu-other".into();
    save(&p, "baselines", other);
    let (_, err, code) = text(history(&p, &["big"]));
    assert!(code == 2 && err.contains("--device") && err.contains("gpu-other"), "{code} {err}");
    let (out, err, code) = text(history(&p, &["big", "--device", "gpu-other"]));
    assert!(code == 0 && out.contains("gpu-other"), "{code} {err}");
    let (_, err, code) = text(history(&p, &["big", "--device", "gpu-other", "--metric", "gpu"]));
    assert!(code == 4 && err.contains("has GPU p50, which is no number of this case"), "{err}");
    let (_, _, code) = text(history(&p, &["big", "--metric", "median"]));
    assert_eq!(code, 2);
}
