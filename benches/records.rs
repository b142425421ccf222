//! What records cost: writing and reading one, listing ten thousand, finding baselines among them, comparing two
//! large ones, showing a thousand cases, and `--help`.
//!
//! ```text
//! cargo bench --bench records
//! ```
//!
//! Needs the `git` command, which makes the history that baselines are looked for in.

#[path = "shared/report.rs"]
mod report;

use report::{Group, Report, Target, Timed, timed};
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trt_perf::baseline::{self, Store};
use trt_perf::case::{Budget, Margins, OperatingPoint, sha256_hex};
use trt_perf::compare::{Sessions, compare};
use trt_perf::config::{BuildOptions, Scenario};
use trt_perf::git::Repo;
use trt_perf::outcome::{Base, Compared, Event};
use trt_perf::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source, wire};
use trt_perf::report::{json, terminal};
use trt_perf::rng::Rng;
use trt_perf::stats::QUANTILES;
use trt_perf::summarize::Summary;

const DEVICES: [&str; 3] = ["cpu-desk-0a1b2c3d", "cpu-runner-4e5f6071", "cpu-server-82939495"];
const RECORDS: usize = 10_000;
const COMMITS: usize = 2_000;
/// 2024-11-22.
const FIRST_DAY_S: i64 = 1_732_233_600;
const DAY_S: i64 = 86_400;
const MIB: usize = 1 << 20;

fn at_most(ms: u64) -> Target {
    Target::AtMost(Duration::from_millis(ms))
}

/// Numbers with as many digits as measured ones.
fn summary(rng: &mut Rng) -> Summary {
    let mean_ns = 5e5 * (1.0 + 0.01 * rng.normal());
    Summary {
        requests: 9_800,
        warm_up_requests: 4_120,
        steady: true,
        dropped: 35,
        tick_ns: None,
        measure_ns: None,
        build: None,
        non_stationary: false,
        throttled: false,
        mean_ns,
        sd_ns: mean_ns * 0.02,
        min_ns: (mean_ns * 0.95) as u64,
        max_ns: (mean_ns * 1.7) as u64,
        quantiles_ns: QUANTILES.map(|q| mean_ns * (0.98 + 0.05 * q)),
        lag1: 0.1 * rng.normal(),
        n_eff: 8_000.0 + 100.0 * rng.normal(),
        outliers_mild: 81,
        outliers_severe: 14,
        inferences_per_s: 1e9 / mean_ns,
        over_budget_frac: Some(0.001_2),
        load_ns: 2_345_678,
        first_ns: 812_345,
        peak_host_bytes: Some(34_567_890),
        steps: Vec::new(),
        gpu: None,
        capacity: None,
    }
}

fn case(rng: &mut Rng, number: usize, processes: usize) -> CaseRecord {
    let hash = |what: &str| sha256_hex(format!("{what} {number}").as_bytes());
    CaseRecord {
        layers_sha256: None,
        definition_hash: hash("definition"),
        scenario: if number.is_multiple_of(2) { Scenario::Latency } else { Scenario::Throughput },
        point: OperatingPoint { batch: 4, streams: 2, in_flight: 1, cuda_graph: false },
        mode: trt_perf::case::Mode::default(),
        budget: Some(Budget { max_ns: 1_000_000, quantile: 0.99 }),
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
            engine_bytes: 23 * MIB as u64,
            kernels: None,
            builds: Vec::new(),
        },
        outputs: BTreeMap::from([("probabilities".into(), hash("output"))]),
        processes: (0..processes).map(|_| summary(rng)).collect(),
    }
}

fn record(seed: u64, cases: usize, processes: usize) -> Record {
    let mut rng = Rng::new(seed);
    Record {
        id: String::new(),
        created_s: FIRST_DAY_S,
        tool: "0.1.0".into(),
        source: Some(Source {
            commit: "5".repeat(40),
            branch: Some("main".into()),
            src_tree: "7".repeat(40),
            dirty: false,
        }),
        device: RecordDevice {
            key: DEVICES[0].into(),
            name: "A processor with a name of common length".into(),
            soft: BTreeMap::from([("kernel".into(), "6.12.0".into())]),
        },
        cases: (0..cases)
            .map(|n| (format!("package/model-{n:04}/default/latency"), case(&mut rng, n, processes)))
            .collect(),
        supersedes: Vec::new(),
        acceptance: None,
        failed: BTreeMap::new(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    }
}

/// One after the other into an empty folder each; removing it again is not part of the time.
fn written<'a>(mut write: impl FnMut(&Path) + 'a) -> Timed<'a> {
    Box::new(move |times| {
        let mut total = Duration::ZERO;
        for _ in 0..times {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let start = Instant::now();
            write(dir.path());
            total += start.elapsed();
        }
        total
    })
}

/// One record of 20 cases, 5 processes each.
fn one_record(group: &mut Group, report: &mut Report) {
    let mut record = record(1, 20, 5);
    let text = wire::write(&mut record);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = Store::new(dir.path().into()).save(&mut record).expect("the record is stored");

    let save = written(|dir| {
        Store::new(dir.into()).save(&mut record.clone()).expect("the record is stored");
    });
    let same_bytes = written(|dir| {
        let mut file = fs::File::create(dir.join("record.json")).expect("a file");
        file.write_all(text.as_bytes()).expect("bytes");
        file.sync_all().expect("a disk");
    });
    report.add(
        group,
        "save a record of 20 cases × 5 processes",
        Target::Open,
        save,
        Some(("write and flush its bytes", same_bytes)),
    );

    let load = timed(|| baseline::load(&path).expect("a record"));
    let any_json = timed(|| {
        let text = fs::read_to_string(&path).expect("a file");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    });
    report.add(
        group,
        "load a record of 20 cases × 5 processes",
        Target::Open,
        load,
        Some(("read and parse it as any JSON", any_json)),
    );
}

/// A repository with a straight history, and its commits, the oldest first.
struct History {
    dir: TempDir,
    commits: Vec<String>,
}

impl History {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        git(dir.path(), &["init", "--quiet", "--initial-branch=main"], "");
        git(dir.path(), &["fast-import", "--quiet"], &commits_of_every_day());
        let list = git(dir.path(), &["rev-list", "--reverse", "main"], "");
        Self { dir, commits: list.lines().map(str::to_owned).collect() }
    }

    fn head(&self) -> &str {
        self.commits.last().expect("a commit")
    }
}

/// What `git fast-import` makes commits from: each changes one source file of some, beside `baselines/`.
fn commits_of_every_day() -> String {
    use std::fmt::Write;
    let mut stream = String::new();
    for n in 0..COMMITS {
        let time = FIRST_DAY_S + (n as i64) * (730 * DAY_S) / COMMITS as i64;
        let mut files = vec![(format!("src/file{}.rs", n % 40), format!("// {n}\n"))];
        if n == 0 {
            files.extend((0..40).map(|i| (format!("folder{i}/README"), "text\n".to_owned())));
            files.push(("baselines/.gitattributes".to_owned(), "*.json -diff\n".to_owned()));
        }
        let _ =
            write!(stream, "commit refs/heads/main\ncommitter C <c@example.com> {time} +0000\ndata 1\nc\n");
        for (path, text) in files {
            let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
    }
    stream
}

/// Runs `git` with no configuration but the repository's own; returns what it printed.
fn git(folder: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new("git");
    // A bench run from a git hook must not act on the repository of that hook.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    let mut child = command
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the git command");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("git reads its input");
    let output = child.wait_with_output().expect("git ends");
    assert!(output.status.success(), "git {args:?} failed");
    String::from_utf8(output.stdout).expect("text")
}

/// Ten thousand records of `cases` cases for `devices` in turn. Three of five belong to the commits of `history`,
/// evenly over time, the others to commits that were never merged.
fn ten_thousand(dir: PathBuf, history: &[String], cases: usize, days: i64) -> Store {
    let mut record = record(2, cases, 5);
    for n in 0..RECORDS {
        let age = n as i64 * (days * DAY_S) / RECORDS as i64;
        record.created_s = FIRST_DAY_S + age;
        record.device.key = DEVICES[n % DEVICES.len()].into();
        let merged = history.get(n * history.len() / RECORDS).filter(|_| n % 5 < 3);
        let commit = merged.cloned().unwrap_or_else(|| sha256_hex(&n.to_le_bytes())[..40].to_owned());
        record.source = record.source.map(|s| Source { commit, ..s });
        let text = wire::write(&mut record);
        let folder = dir.join(&record.device.key);
        fs::create_dir_all(&folder).expect("a folder");
        // Not `Store::save`: flushing ten thousand files takes a minute on some disks.
        fs::write(folder.join(baseline::file_name(&record)), text).expect("a file");
    }
    Store::new(dir)
}

/// The names of all files, without looking at them.
fn walk(dir: &Path) -> usize {
    let entries = |dir: &Path| fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path());
    entries(dir).map(|device| entries(&device).count()).sum()
}

fn listing(group: &mut Group, report: &mut Report) {
    let sets = [
        ("list 10,000 records of two years", "find the newest of them", 730),
        ("list 10,000 records of one day", "find the newest of those", 1),
    ];
    for (name, newest_name, days) in sets {
        let many = LazyCell::new(|| {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let store = ten_thousand(dir.path().into(), &[], 0, days);
            (dir, store)
        });
        let list = timed(|| {
            let entries = many.1.list().expect("a folder");
            assert_eq!(entries.len(), RECORDS);
            entries
        });
        let names = timed(|| walk(many.1.dir()));
        report.add(group, name, at_most(100), list, Some(("walk the folders", names)));
        let newest = timed(|| {
            let list = many.1.list().expect("a folder");
            baseline::newest_first(list).next().expect("a record")
        });
        report.add(group, newest_name, Target::Open, newest, None);
    }
}

fn candidates(group: &mut Group, report: &mut Report) {
    let many = LazyCell::new(|| {
        let history = History::new();
        let store = ten_thousand(history.dir.path().join("baselines"), &history.commits, 4, 729);
        let repo = Repo::discover(history.dir.path()).expect("a usable repository").expect("a repository");
        (history, store, repo)
    });
    let find = timed(|| {
        let (history, store, repo) = &*many;
        let mut notes = Vec::new();
        let found = baseline::candidates(store, repo, history.head(), DEVICES[0], store.dir(), &mut notes);
        let found = found.expect("a readable repository");
        let nearest = found.iter().next().map(|c| c.steps);
        assert!(nearest.is_some() && notes.is_empty());
        found
    });
    let list = timed(|| many.1.list().expect("a folder"));
    report.add(
        group,
        "find baselines: 10,000 records, 2,000 commits",
        Target::Open,
        find,
        Some(("list them", list)),
    );
}

fn comparing(group: &mut Group, report: &mut Report) {
    let (base, head) = (record(3, 1_000, 20), record(4, 1_000, 20));
    let routine = timed(|| compare(&base, &head, Margins::default(), &|_, _| Sessions::Assumed));
    report.add(group, "compare 1,000 cases × 20 processes", at_most(200), routine, None);
}

fn rendering(group: &mut Group, report: &mut Report) {
    let (base, head) = (record(5, 1_000, 5), record(6, 1_000, 5));
    let compared: BTreeMap<String, Compared> =
        compare(&base, &head, Margins::default(), &|_, _| Sessions::Assumed)
            .into_iter()
            .map(|comparison| {
                let base = Base {
                    label: base.label(),
                    path: "baselines/record.json".into(),
                    steps: Some(3),
                    soft_differences: Vec::new(),
                };
                (comparison.id.clone(), Compared { comparison, base })
            })
            .collect();
    let blocks = timed(|| {
        head.cases
            .iter()
            .map(|(id, case)| terminal::case_block(id, case, compared.get(id), false))
            .collect::<String>()
    });
    report.add(group, "terminal blocks of 1,000 cases", Target::Open, blocks, None);
    let table = timed(|| terminal::table(&head, &compared, 120));
    report.add(group, "terminal table of 1,000 cases", Target::Open, table, None);
    let lines = timed(|| {
        head.cases
            .iter()
            .map(|(id, case)| json::event(&Event::Case { id, case, comparison: compared.get(id) }).line())
            .collect::<Vec<_>>()
    });
    report.add(group, "JSON lines of 1,000 cases", Target::Open, lines, None);
}

/// What somebody waits for who only asks how to call the program.
fn helping(group: &mut Group, report: &mut Report) {
    let help = |program: &'static str| {
        timed(move || {
            let help = Command::new(program).arg("--help").stdout(Stdio::null()).status();
            assert!(help.expect("it starts").success(), "{program} --help");
        })
    };
    let ours = help(env!("CARGO_BIN_EXE_cargo-trt-perf"));
    report.add(group, "--help, a process", at_most(10), ours, Some(("git --help", help("git"))));
}

fn main() {
    report::run("records", &[one_record, listing, candidates, comparing, rendering, helping]);
}
