//! `baseline prune` and `baseline size`, the real binary on records that were made here, and how large five years of them
//! get.

use crate::support::{Sandbox, with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use trt_perf::baseline::{Store, load};
use trt_perf::case::{OperatingPoint, sha256_hex};
use trt_perf::config::{BuildOptions, Scenario};
use trt_perf::history::retention::{Keep, kept};
use trt_perf::history::{CommitPlace, series};
use trt_perf::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source};
use trt_perf::rng::Rng;
use trt_perf::stats::QUANTILES;
use trt_perf::summarize::Summary;

const DAY: i64 = 86_400;
/// 2020-01-06, a Monday.
const START: i64 = 1_578_268_800;
const DEVICE: &str = "cpu-test-8c";

/// A process with as many digits as a measured one: what is round would compress better than it will.
fn summary(mean_ns: f64, rng: &mut Rng) -> Summary {
    let mut about = |value: f64, sd: f64| value * (sd * rng.normal()).exp();
    let mean_ns = about(mean_ns, 0.005);
    Summary {
        requests: about(9_800.0, 0.05) as u64,
        warm_up_requests: about(4_100.0, 0.1) as u64,
        steady: true,
        dropped: about(35.0, 0.5) as u64,
        tick_ns: None,
        measure_ns: Some(3_000_000_000),
        build: None,
        non_stationary: false,
        throttled: false,
        mean_ns,
        sd_ns: about(mean_ns / 50.0, 0.2),
        min_ns: about(mean_ns * 0.95, 0.01) as u64,
        max_ns: about(mean_ns * 1.7, 0.1) as u64,
        quantiles_ns: QUANTILES.map(|q| about(mean_ns * (0.98 + 0.05 * q), 0.01)),
        lag1: about(0.1, 0.5),
        n_eff: about(8_000.0, 0.1),
        inferences_per_s: about(1e9 / mean_ns, 0.001),
        outliers_mild: about(81.0, 0.3) as u64,
        outliers_severe: about(14.0, 0.3) as u64,
        over_budget_frac: Some(about(0.001, 0.5)),
        load_ns: about(2.3e6, 0.1) as u64,
        first_ns: about(8.1e5, 0.1) as u64,
        peak_host_bytes: Some(about(3.4e7, 0.01) as u64),
        steps: Vec::new(),
        gpu: None,
        capacity: None,
    }
}

/// Five processes; `version` is that of the model, which makes the hashes.
fn case(mean_ns: f64, version: usize, rng: &mut Rng) -> CaseRecord {
    let hash = |what: &str| sha256_hex(format!("{what} {version}").as_bytes());
    CaseRecord {
        layers_sha256: None,
        definition_hash: sha256_hex(b"definition"),
        scenario: Scenario::Latency,
        point: OperatingPoint { batch: 4, streams: 2, in_flight: 1, cuda_graph: false },
        mode: trt_perf::case::Mode::default(),
        budget: None,
        open: None,
        shapes: BTreeMap::from([("image".into(), "4x3x224x224".into())]),
        discovery: None,
        engine: EngineRecord {
            tactics_sha256: None,
            inputs_hash: hash("inputs"),
            payload_sha256: hash("payload"),
            model_sha256: hash("model"),
            backend: "cpu".into(),
            library: "rten 0.27.0".into(),
            build: BuildOptions::default(),
            threads: 1,
            build_ns: 12_345_678,
            engine_bytes: 23 << 20,
            kernels: None,
            builds: Vec::new(),
        },
        outputs: BTreeMap::from([("probabilities".into(), hash("output"))]),
        processes: (0..5).map(|_| summary(mean_ns, rng)).collect(),
    }
}

fn record(day: i64, cases: BTreeMap<String, CaseRecord>) -> Record {
    let commit = sha256_hex(&day.to_le_bytes())[..40].to_owned();
    let source = Source {
        src_tree: commit.chars().rev().collect(),
        commit,
        branch: Some("main".into()),
        dirty: false,
    };
    let device = RecordDevice { key: DEVICE.into(), name: "A processor".into(), soft: BTreeMap::new() };
    Record { source: Some(source), cases, ..Record::empty(START + day * DAY, device) }
}

/// A folder without git, with a record a day of the cases named; its files, oldest first.
fn with_records(days: &[&[&str]]) -> (Sandbox, Vec<PathBuf>) {
    let s = Sandbox::new();
    let store = Store::new(s.path("baselines"));
    let mut rng = Rng::new(1);
    let save = |(day, names): (usize, &&[&str])| {
        let cases = names.iter().map(|name| (format!("demo/{name}/default/latency"), case(1e6, 1, &mut rng)));
        let mut record = record(day as i64, cases.collect());
        store.save(&mut record).expect("saved")
    };
    let files = days.iter().enumerate().map(save).collect();
    (s, files)
}

fn prune(s: &Sandbox, args: &[&str]) -> Vec<Value> {
    let (ran, messages) = s.run_json(".", &[&["baseline", "prune"], args].concat());
    ran.says(0, &[]);
    messages
}

#[test]
fn prune_says_of_every_record_what_becomes_of_it_and_why() {
    let (s, files) = with_records(&[&["a", "b"], &["a"], &["b"], &["a"], &["a", "b"]]);
    let shown = |i: usize| files[i].strip_prefix(s.path("")).expect("below").display().to_string();
    let ran = s.run(".", &["baseline", "prune", "--keep", "1", "--dry-run"]);
    ran.says(0, &["3 records would be deleted (", ", 2 kept (", "there is no git repository here"]);
    ran.says(0, &[&format!("kept {}: one of the newest that hold 2 cases, such as demo/a/", shown(4))]);
    ran.says(0, &[&format!("kept {}: the oldest, which drift is measured from, of 2 cases", shown(0))]);
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), [shown(3), shown(2), shown(1)]);
    assert!(files.iter().all(|file| file.exists()));

    let messages = prune(&s, &["--keep", "2", "--dry-run"]);
    let pruned = with(&messages, "pruned");
    let stays: Vec<(bool, &str)> = pruned
        .iter()
        .map(|m| (m["kept"] == true, m["why"][0]["kind"].as_str().unwrap_or_default()))
        .collect();
    let expected = [(true, "newest"), (true, "newest"), (true, "newest"), (true, "oldest"), (false, "")];
    assert_eq!(stays, expected);
    assert_eq!(pruned[1]["why"][0]["cases"], serde_json::json!(["demo/a/default/latency"]));
    let bytes = |i: usize| fs::metadata(&files[i]).expect("a file").len();
    let end = with(&messages, "prune-finished")[0];
    assert_eq!((&end["kept"], &end["deleted"], &end["dry_run"]), (&4.into(), &1.into(), &true.into()));
    assert_eq!(end["deleted_bytes"], bytes(1));

    s.run(".", &["baseline", "prune", "--keep", "1"]).says(0, &["3 records deleted (", "git keeps"]);
    assert_eq!(files.iter().map(|file| file.exists()).collect::<Vec<_>>(), [true, false, false, false, true]);
    s.run(".", &["baseline", "prune", "--keep", "0"]).says(0, &["0 records deleted (0 B), 2 kept ("]);
    s.run(".", &["baseline", "prune"]).says(2, &["--keep"]);
    // What cannot be read is nobody's to delete.
    fs::write(&files[4], "{").expect("written");
    s.run(".", &["baseline", "prune", "--keep", "1"]).says(0, &["0 records deleted", "cannot be read: "]);
}

#[test]
fn size_tells_devices_years_and_what_only_git_has() {
    let (s, files) = with_records(&[&["a"], &["a", "b"], &["a"]]);
    s.init_git(".");
    s.write("baselines/README.md", "ours");
    s.commit(".", "baselines");
    let gone = fs::metadata(&files[0]).expect("a file").len();
    fs::remove_file(&files[0]).expect("removed");
    s.commit(".", "pruned");
    let mut new = load(&files[2]).expect("a record");
    new.created_s = jiff_now();
    let named = Store::new(s.path("baselines")).save_named(&mut new.clone(), "mine").expect("saved");
    let new = Store::new(s.path("baselines")).save(&mut new).expect("saved");
    let bytes = |path: &Path| fs::metadata(path).expect("a file").len();

    let (ran, messages) = s.run_json(".", &["baseline", "size"]);
    let size = with(&messages, "baselines-size")[0];
    ran.says(0, &[]);
    let years = &size["devices"][DEVICE];
    let old = bytes(&files[1]) + bytes(&files[2]);
    assert_eq!(years["2020"], serde_json::json!({ "files": 2, "bytes": old }));
    assert_eq!(size["last_30_days"], serde_json::json!({ "files": 1, "bytes": bytes(&new) }));
    assert_eq!(size["named"], serde_json::json!({ "files": 1, "bytes": bytes(&named) }));
    assert_eq!(
        size["all"],
        serde_json::json!({ "files": 5, "bytes": old + bytes(&new) + bytes(&named) + 4 })
    );
    assert_eq!(size["only_in_history"], serde_json::json!({ "files": 1, "bytes": gone }));
    assert_eq!(size["largest"][0]["path"], files[1].display().to_string());
    let ran = s.run(".", &["baseline", "size"]);
    ran.says(0, &[DEVICE, "2020", "all files: ", "only in the history of HEAD", "in 1 file"]);

    let empty = Sandbox::new();
    empty.run(".", &["baseline", "size"]).says(0, &["all files: 0 B in 0 files"]);
    assert_eq!(
        with(&empty.run_json(".", &["baseline", "size"]).1, "baselines-size")[0]["only_in_history"],
        Value::Null
    );
}

fn jiff_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs().try_into().expect("seconds")
}

/// Cases of a model, models, devices: 50 cases on four devices.
const CASES: usize = 5;
const MODELS: u64 = 10;
const DEVICES: u64 = 4;
const WEEKS: i64 = 5 * 52;
/// How often `prune` is called.
const PRUNED_EVERY: i64 = 13;
/// What is recommended.
const RECOMMENDED: Keep = Keep { newest: 10, epochs: true };

/// A level for each case of a model: six times in five years something changes for most of them, by up to 10 %.
fn levels(week: i64) -> [f64; CASES] {
    let mut rng = Rng::new(3);
    let mut levels = [1e6; CASES];
    for _ in 0..week / 43 {
        let factor = 1.0 + 0.1 * rng.normal().clamp(-1.0, 1.0);
        levels.iter_mut().skip((rng.normal().abs() * 1.5) as usize).for_each(|level| *level *= factor);
    }
    levels
}

/// One record a week of the five cases of one model, on one device. Neither devices nor models share records, so that all
/// take forty times as much.
#[test]
fn five_years_of_fifty_cases_on_four_devices_stay_below_50_mb_also_in_git() {
    let s = Sandbox::new();
    s.init_git(".");
    let store = Store::new(s.path("baselines"));
    let (mut rng, mut records, mut places) = (Rng::new(2), Vec::<Record>::new(), BTreeMap::new());
    let path = |r: &Record| s.path("baselines").join(DEVICE).join(trt_perf::baseline::file_name(r));
    let (mut whole, mut most) = (0, 0);
    let size = |records: &[Record]| {
        records.iter().map(|r| fs::metadata(path(r)).expect("a file").len()).sum::<u64>()
    };
    for week in 0..WEEKS {
        let cases = levels(week).into_iter().enumerate().map(|(i, level)| {
            (format!("demo/model/b{i}/latency"), case(level, (week / 43) as usize * 10 + i, &mut rng))
        });
        let mut new = record(week * 7, cases.collect());
        whole += fs::metadata(store.save(&mut new).expect("saved")).expect("a file").len();
        let time_s = new.created_s;
        let commit = new.source.as_ref().expect("a source").commit.clone();
        places.insert(commit, CommitPlace { back: (WEEKS - week) as usize, time_s });
        records.push(new);
        if (week + 1) % PRUNED_EVERY == 0 {
            // What is in the history stays there.
            s.commit(".", "records");
            most = size(&records).max(most);
            let why = kept(&records, &places, RECOMMENDED);
            let mut why = why.iter();
            records.retain(|r| {
                let stays = why.next().is_some_and(|why| !why.is_empty());
                if !stays {
                    fs::remove_file(path(r)).expect("removed");
                }
                stays
            });
        }
    }
    let left = size(&records);
    let all = MODELS * DEVICES;
    s.commit(".", "pruned");
    s.git(".", &["gc", "--quiet"]);
    let counted = s.git(".", &["count-objects", "-v"]);
    let packed = counted.lines().find_map(|line| line.strip_prefix("size-pack: ")).expect("a size");
    let packed = packed.parse::<u64>().expect("KiB") << 10;
    eprintln!(
        "{WEEKS} records of {CASES} cases: {whole} bytes, of which {left} stay in {} files, {most} at most before pruning; \
         {packed} in git with all that ever was; all {all} times",
        records.len()
    );
    assert!(most * all < 50_000_000 && packed * all < 50_000_000, "{most} and {packed} bytes");
    // And of every change that is no small one the last record before it and the first one after it stay.
    let found = series(&records, DEVICE, "demo/model/b4/latency", None, &places).expect("held");
    let week = |created_s: i64| (created_s - START) / DAY / 7;
    let left: Vec<i64> = found.points.iter().map(|point| week(point.created_s)).collect();
    let changed = |week: &i64| (levels(*week)[4] / levels(*week - 1)[4]).ln().abs() > 0.02;
    let expected: Vec<i64> = (1..WEEKS).filter(changed).collect();
    assert!(expected.len() >= 4, "{expected:?}");
    assert!(expected.iter().all(|w| left.contains(w) && left.contains(&(w - 1))), "{expected:?} in {left:?}");
    // The next search has less to go by, and makes nothing up.
    let changes = found.changes.expect("searched");
    let told: Vec<i64> = changes.iter().map(|c| left[c.first]).collect();
    assert!(told.len() >= 3 && told.iter().all(|week| expected.contains(week)), "{told:?} of {expected:?}");
}
