//! Accepting a change, with the real program in a real repository: what gates, what is honoured, what is stale.
//!
//! The regression is a model with many times the work of the base's, and the margin is 50 %, so that a busy machine
//! cannot blur the answer. Seven pairs are few enough that no exact test has to agree.

use crate::support::xml::Element;
use crate::support::{Ran, Sandbox};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use trt_perf::baseline::{Store, load, newest_first};
use trt_perf::record::{ChangeKind, Record};
use trt_perf::stats::Interval;

const CASE: &str = "demo/mlp/default/latency";
const REASON: &str = "the new head is more accurate";

/// A repository whose branch `main` measures one model and has a baseline of it, and whose branch `feature` is
/// slower.
struct Demo {
    sandbox: Sandbox,
    /// Tests that measure at the same time disturb each other's numbers.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Demo {
    fn new() -> Self {
        // A test that failed while it measured leaves nothing behind that could harm the next.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let demo = Self { sandbox: Sandbox::with_repo(), _alone: alone };
        demo.sandbox.copy("mlp.onnx", "repo/mlp.onnx");
        demo.sandbox.write("repo/.gitignore", "target\n");
        demo.sandbox.write("repo/src/lib.rs", "");
        demo.settings("");
        demo.sandbox.git("repo", &["config", "user.name", "Ada Lovelace"]);
        demo.sandbox.commit("repo", "first");
        demo
    }

    /// The manifest, with more settings of the model.
    fn settings(&self, more: &str) {
        self.sandbox.write(
            "repo/Cargo.toml",
            format!(
                "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
                 [package.metadata.trt-perf]\nscenarios = [\"latency\"]\nprocesses = 2\nwarm-up = \"10ms\"\n\
                 measure = \"60ms\"\nmargin = \"50%\"\ntail-margin = \"80%\"\n\n\
                 [[package.metadata.trt-perf.model]]\nname = \"mlp\"\npath = \"mlp.onnx\"\n{more}"
            ),
        );
    }

    /// Makes a branch with a regression, on top of whatever is checked out.
    fn slow(&self, branch: &str) {
        self.sandbox.git("repo", &["checkout", "--quiet", "-b", branch]);
        self.sandbox.copy("mlp_slow.onnx", "repo/mlp.onnx");
        self.sandbox.commit("repo", "a more accurate model");
    }

    /// Makes a branch that is a little slower, on top of whatever is checked out.
    fn slightly_slow(&self, branch: &str) {
        self.sandbox.git("repo", &["checkout", "--quiet", "-b", branch]);
        self.settings("build = { optimize = false }\n");
        self.sandbox.commit("repo", "a more accurate head");
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.sandbox.command("repo", args);
        // Whoever accepts is who git says, and only this repository is to say it.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("NO_COLOR", "1");
        Ran::of(command)
    }

    fn check(&self, more: &[&str]) -> Ran {
        self.run(&[&["check", "--base", "main", "--pairs", "7"], more].concat())
    }

    fn accept(&self) -> Ran {
        self.run(&["baseline", "accept", "--case", CASE, "--reason", REASON])
    }

    fn baselines(&self) -> Vec<(PathBuf, Record)> {
        let entries = Store::new(self.sandbox.path("repo/baselines")).list().expect("readable");
        newest_first(entries).map(|e| (e.path.clone(), load(&e.path).expect("a record"))).collect()
    }

    fn acceptance(&self) -> (PathBuf, Record) {
        self.baselines().into_iter().find(|(_, r)| r.acceptance.is_some()).expect("an acceptance")
    }
}

#[test]
fn a_regression_gates_until_it_is_accepted_and_again_when_the_sources_change() {
    let demo = Demo::new();
    demo.run(&["run", "--save-baseline", "--quiet"]).says(0, &[]);
    demo.sandbox.commit("repo", "a baseline");
    let [(_, before)] = demo.baselines().try_into().expect("one baseline");
    demo.slow("feature");
    let junit = demo.sandbox.path("junit.xml").display().to_string();
    let failures = |args: &[&str]| {
        let ran = demo.check(&[args, &["--junit", &junit]].concat());
        let tests = Element::document(&std::fs::read_to_string(&junit).expect("JUnit XML"));
        assert_eq!((&*tests.attributes["tests"], &*tests.attributes["errors"]), ("1", "0"), "{tests:?}");
        (ran, tests.attributes["failures"].clone())
    };
    let (ran, failed) = failures(&[]);
    ran.says(100, &["1 regressed", "confirmed"]);
    assert_eq!(failed, "1");

    let said = demo.accept();
    said.says(0, &["accepts a regression", REASON, "Ada Lovelace", "1 stored record"]);
    assert!(said.out.contains("mean +"), "{}", said.out);
    holds_what_was_measured(&demo, &before);
    demo.sandbox.commit("repo", "accept it");
    let markdown = demo.sandbox.path("report.md");
    let path = markdown.display().to_string();
    let (ended, failed) = failures(&["--markdown", &path]);
    assert_eq!(failed, "0");
    ended.says(0, &["1 regressed but accepted", "added to the baselines", REASON, "(by Ada Lovelace)"]);
    let markdown = std::fs::read_to_string(&markdown).expect("a report");
    for text in ["regressed, accepted: the new head", "added to the baselines", "(by Ada Lovelace)"] {
        assert!(markdown.contains(text), "{markdown}");
    }
    shown_by_baseline_verbs(&demo);

    demo.sandbox.write("repo/src/lib.rs", "// Changed since.\n");
    demo.check(&[]).says(100, &["stale acceptance: there are changes beside the commit"]);
    demo.sandbox.git("repo", &["add", "--all"]);
    demo.sandbox.git("repo", &["commit", "--quiet", "--amend", "--no-edit"]);
    let json = demo.check(&["--message-format", "json"]);
    json.says(100, &[]);
    let row = json.message("checked");
    assert_eq!((&row["acceptance"]["honoured"], &row["gates"]), (&false.into(), &true.into()), "{row}");
    assert!(row["acceptance"]["why"].as_str().expect("why").contains("other sources"), "{row}");
    let added = json.message("added-baseline");
    assert_eq!(added["acceptance"]["reason"], REASON, "{added}");
    assert_eq!(json.message("check-finished")["accepted"], 0);
}

/// The stored record has head's numbers of the case, why, by how much, against what, and what it replaces.
fn holds_what_was_measured(demo: &Demo, before: &Record) {
    let (_, record) = demo.acceptance();
    let acceptance = record.acceptance.as_ref().expect("there");
    assert_eq!(
        (acceptance.kind, acceptance.reason.as_str(), acceptance.by.as_str()),
        (ChangeKind::Regression, REASON, "Ada Lovelace")
    );
    assert_eq!(acceptance.base_commit, demo.sandbox.git("repo", &["rev-parse", "main"]));
    let mean = acceptance.changes.get("mean").expect("the mean");
    assert!(0.3 < mean.lo && mean.lo < mean.est && mean.est < mean.hi, "{mean:?}");
    assert_eq!(record.supersedes.concat(), before.id);
    let source = record.source.as_ref().expect("a source");
    assert_eq!(
        (source.commit.as_str(), source.dirty),
        (&*demo.sandbox.git("repo", &["rev-parse", "HEAD"]), false)
    );
    let case = &record.cases[CASE];
    assert_eq!((record.cases.len(), case.processes.len()), (1, 7));
    assert_ne!(
        case.engine.model_sha256, before.cases[CASE].engine.model_sha256,
        "head's numbers, not the base's"
    );
}

fn shown_by_baseline_verbs(demo: &Demo) {
    let (_, record) = demo.acceptance();
    demo.run(&["baseline", "show", &record.id]).says(0, &["accepts a regression", REASON, "replaces "]);
    demo.run(&["baseline", "list", "--long"]).says(0, &["accepts a regression", REASON]);
    assert!(!demo.run(&["baseline", "list"]).says(0, &[]).out.contains("accepts"));
}

#[test]
fn an_acceptance_of_a_smaller_change_does_not_cover_a_larger_one() {
    let demo = Demo::new();
    demo.slow("feature");
    demo.check(&[]).says(100, &[]);
    demo.accept().says(0, &[]);
    let (path, mut record) = demo.acceptance();
    std::fs::remove_file(path).expect("removed");
    for change in record.acceptance.as_mut().expect("there").changes.values_mut() {
        *change = Interval { lo: 0.04, est: 0.05, hi: 0.06 };
    }
    Store::new(demo.sandbox.path("repo/baselines")).save(&mut record).expect("saved");
    demo.check(&[]).says(100, &["stale acceptance", "worse than the accepted +5"]);
}

#[test]
fn a_merged_acceptance_is_the_base_s_and_covers_no_further_regression() {
    let demo = Demo::new();
    // Whatever this small change looks like, it is measured, and what was measured can be accepted.
    demo.slightly_slow("feature");
    demo.check(&["--quiet"]);
    demo.accept().says(0, &[]);
    demo.sandbox.commit("repo", "accept it");
    demo.sandbox.git("repo", &["checkout", "--quiet", "main"]);
    demo.sandbox.git("repo", &["merge", "--quiet", "--ff-only", "feature"]);
    demo.slow("more");
    let ended = demo.check(&[]);
    ended.says(100, &["1 regressed"]);
    assert!(!ended.out.contains("accept") && !ended.out.contains("added to"), "{}", ended.out);
}

#[test]
fn accepting_is_refused_with_the_next_step() {
    let demo = Demo::new();
    demo.slow("feature");
    demo.accept().says(4, &["no result of a check of these sources", "cargo trt-perf check"]);
    demo.check(&["--quiet"]).says(100, &[]);
    let accept = |case: &str, reason: &str, more: &[&str]| {
        demo.run(&[&["baseline", "accept", "--case", case, "--reason", reason], more].concat())
    };
    accept(CASE, "  ", &[]).says(2, &["without a reason"]);
    accept("demo/mpl/default/latency", "x", &[]).says(2, &[&format!("did you mean `{CASE}`?")]);
    accept("zzz", "x", &[]).says(2, &["measured a case `zzz`", CASE]);
    accept(CASE, "x", &["--base", "HEAD"]).says(4, &["not with HEAD", "check --base HEAD"]);
    accept(CASE, "x", &["--base", "mian"]).says(2, &["did you mean main"]);
    demo.sandbox.write("repo/src/lib.rs", "// Not committed.\n");
    demo.accept().says(2, &["changes beside commit", "commit or stash them"]);
    assert!(demo.baselines().is_empty(), "nothing was stored");
    demo.sandbox.commit("repo", "other sources");
    demo.accept().says(4, &["no result of a check of these sources"]);
    demo.check(&["--quiet"]).says(100, &[]);
    std::fs::remove_dir_all(demo.sandbox.path("repo/target/trt-perf/results")).expect("removed");
    demo.accept().says(4, &["is gone", "cargo trt-perf check"]);
}
