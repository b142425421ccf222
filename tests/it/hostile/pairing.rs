//! Pull requests that change what is asked, or how it is judged, so that a much slower model would pass.
//!
//! Each is tried twice: with the slower model, where the check must fail and say why everywhere; and without it, where it
//! must pass once somebody accepted it.

use crate::support::{Ran, Sandbox};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

const CASE: &str = "shop/small/default/latency";

/// A repository whose branch `main` measures two models.
struct Shop {
    sandbox: Sandbox,
    /// Tests that measure at the same time disturb each other's numbers.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

/// The manifest of `main`; attempts edit it.
const MANIFEST: &str = r#"[package]
name = "shop"
version = "0.1.0"
edition = "2024"

[package.metadata.trt-perf]
scenarios = ["latency"]
processes = 2
warm-up = "5ms"
measure = "40ms"
margin = "40%"
tail-margin = "90%"
max-latency = "5s"

[[package.metadata.trt-perf.model]]
name = "small"
path = "small.onnx"

[[package.metadata.trt-perf.model]]
name = "other"
path = "other.onnx"
"#;

/// One way to silence the gate.
struct Attempt {
    /// A text of the manifest, and what stands there instead.
    edit: (&'static str, &'static str),
    /// What must be said of it.
    reason: &'static str,
    /// The exit code where the model is slower, too.
    code: i32,
    /// The gap of the case; `None`: a setting, which needs nobody's consent.
    gap: Option<&'static str>,
}

impl Attempt {
    fn redefined(edit: (&'static str, &'static str), reason: &'static str) -> Self {
        Self { edit, reason, code: 100, gap: Some("redefined") }
    }

    fn removed(edit: (&'static str, &'static str), reason: &'static str) -> Self {
        Self { edit, reason, code: 4, gap: Some("removed") }
    }
}

impl Shop {
    fn new() -> Self {
        // A test that failed while it measured leaves nothing behind that could harm the next.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let shop = Self { sandbox: Sandbox::with_repo(), _alone: alone };
        shop.sandbox.write("repo/.gitignore", "/target\n/Cargo.lock\n");
        shop.sandbox.write("repo/src/lib.rs", "");
        shop.sandbox.write("repo/Cargo.toml", MANIFEST);
        for model in ["small", "other"] {
            shop.sandbox.copy("mlp.onnx", &format!("repo/{model}.onnx"));
        }
        shop.sandbox.copy("reference/mlp/in_features.npy", "repo/features.npy");
        shop.sandbox.commit("repo", "first");
        shop
    }

    /// A branch of `main` with this attempt, and the slower model or the old one.
    fn branch(&self, name: &str, attempt: &Attempt, slower: bool) {
        self.sandbox.git("repo", &["checkout", "--quiet", "-b", name, "main"]);
        let (from, to) = attempt.edit;
        self.sandbox.edit("repo/Cargo.toml", from, to);
        if slower {
            self.sandbox.copy("mlp_slow.onnx", "repo/small.onnx");
        }
        self.sandbox.commit("repo", name);
    }

    fn run(&self, args: &[&str], on_github: bool) -> Ran {
        let mut command = self.sandbox.command("repo", args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("NO_COLOR", "1");
        if on_github {
            command.env("GITHUB_ACTIONS", "true");
        }
        Ran::of(command)
    }

    fn check(&self, more: &[&str]) -> Ran {
        self.run(&[&["check", "--base", "main", "--pairs", "5"], more].concat(), false)
    }

    /// Checks on GitHub and in JSON, and demands the reason in everything that is shown.
    fn fails_with(&self, attempt: &Attempt) {
        let path = self.sandbox.path("report.md");
        let args = ["check", "--base", "main", "--pairs", "5", "--markdown", path.to_str().expect("text")];
        let ran = self.run(&args, true);
        let reason = attempt.reason;
        ran.says(attempt.code, &[reason]);
        let (commands, text): (Vec<&str>, Vec<&str>) = ran.out.lines().partition(|l| l.starts_with("::"));
        let said = |lines: &[&str]| lines.iter().any(|l| l.replace("%25", "%").contains(reason));
        assert!(said(&text), "in the terminal: {ran}");
        assert!(said(&commands), "as an annotation: {ran}");
        let markdown = std::fs::read_to_string(&path).expect("a report");
        assert!(markdown.replace('\\', "").contains(reason), "{markdown}");
        let json = self.check(&["--message-format", "json"]);
        json.says(attempt.code, &[]);
        let finished = json.message("check-finished");
        assert_eq!(finished["exit_code"], attempt.code, "{finished}");
        match attempt.gap {
            Some(gap) => {
                assert_eq!(finished[gap], 1, "{finished}");
                let row = row(&json, CASE);
                assert_eq!((&row["gap"], &row["gap_fails"]), (&gap.into(), &true.into()), "{row}");
                assert!(in_words(&row).contains(reason), "{row}");
            }
            None => {
                let changed = finished["settings_changed"].as_array().expect("a list");
                assert!(changed.iter().map(changed_words).any(|c| reason.contains(&c)), "{finished}");
            }
        }
    }

    /// Without the slower model the check passes: at once, or as soon as the gap is accepted.
    fn passes_when_accepted(&self, attempt: &Attempt) {
        let Some(gap) = attempt.gap else {
            self.check(&[]).says(0, &[attempt.reason]);
            return;
        };
        self.check(&[]).says(4, &[attempt.reason, "baseline accept --case"]);
        self.check(&["--on-missing", "warn"]).says(0, &[attempt.reason]);
        for case in self.gaps() {
            let accept = ["baseline", "accept", "--case", &case, "--reason", "the shop moved"];
            self.run(&accept, false).says(0, &["the shop moved"]);
        }
        self.sandbox.commit("repo", "accept it");
        self.check(&[]).says(0, &["accepted: the shop moved", "added by A on 2023-11-"]);
        let json = self.check(&["--message-format", "json"]);
        let finished = json.says(0, &[]).message("check-finished");
        assert_eq!(finished[gap], 0, "{finished}");
        let row = row(&json, CASE);
        assert_eq!(row["gap_acceptance"]["honoured"], true, "{row}");
        let added = json.message("added-baseline");
        assert_eq!((&added["added_by"]["author"], &added["kind"]), (&"A".into(), &"record".into()));
    }

    /// The cases that fail the check though nothing regressed.
    fn gaps(&self) -> Vec<String> {
        let rows = self.check(&["--message-format", "json"]).messages("checked");
        let failing = rows.iter().filter(|row| row["gap_fails"] == true);
        failing.map(|row| row["case"].as_str().expect("an id").to_owned()).collect()
    }

    fn tried(attempt: &Attempt) {
        let shop = Self::new();
        shop.branch("slower", attempt, true);
        shop.fails_with(attempt);
        shop.branch("only-that", attempt, false);
        shop.passes_when_accepted(attempt);
    }
}

fn row(ran: &Ran, case: &str) -> Value {
    let rows = ran.messages("checked");
    rows.into_iter().find(|r| r["case"] == case).unwrap_or_else(|| panic!("no row {case} in\n{ran}"))
}

fn changed_words(changed: &Value) -> String {
    let word = |key: &str| changed[key].as_str().expect("text").to_owned();
    format!("{} {} → {}", word("setting"), word("base"), word("head"))
}

/// Everything that a row says of its gap.
fn in_words(row: &Value) -> String {
    let redefined = row["redefined"].as_array().expect("a list").iter().map(changed_words);
    let reason = row["comparison"]["verdict_reason"].as_str().unwrap_or_default().to_owned();
    redefined.chain([reason]).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_larger_budget_hides_nothing() {
    let edit = ("name = \"small\"", "name = \"small\"\nmax-latency = \"50s\"");
    Shop::tried(&Attempt::redefined(edit, "max-latency 5 s → 50 s"));
}

#[test]
fn another_percentile_hides_nothing() {
    let edit = ("name = \"small\"", "name = \"small\"\npercentile = 50");
    Shop::tried(&Attempt::redefined(edit, "percentile 99 → 50"));
}

#[test]
fn another_seed_hides_nothing() {
    let edit = ("name = \"small\"", "name = \"small\"\nseed = 2");
    Shop::tried(&Attempt::redefined(edit, "seed 1 → 2"));
}

#[test]
fn other_inputs_hide_nothing() {
    let edit = ("name = \"small\"", "name = \"small\"\ninputs = { features = \"features.npy\" }");
    Shop::tried(&Attempt::redefined(edit, "input features seeded → features.npy"));
}

#[test]
fn a_renamed_case_is_gone() {
    let edit = ("name = \"small\"", "name = \"tiny\"");
    Shop::tried(&Attempt::removed(edit, "only the base has it; is it shop/tiny/default/latency now?"));
}

#[test]
fn a_variant_beside_it_makes_the_case_be_gone() {
    let edit = (
        "path = \"small.onnx\"\n",
        "path = \"small.onnx\"\n[[package.metadata.trt-perf.model.variant]]\nname = \"fast\"\n",
    );
    Shop::tried(&Attempt::removed(edit, "only the base has it; is it shop/small/fast/latency now?"));
}

#[test]
fn an_exchanged_scenario_makes_the_case_be_gone() {
    let edit = ("name = \"small\"", "name = \"small\"\nscenarios = [\"throughput\"]");
    Shop::tried(&Attempt::removed(edit, "only the base has it"));
}

#[test]
fn a_deleted_model_is_gone() {
    let edit = ("[[package.metadata.trt-perf.model]]\nname = \"small\"\npath = \"small.onnx\"\n", "");
    Shop::tried(&Attempt::removed(edit, "only the base has it"));
}

#[test]
fn a_renamed_package_takes_all_its_cases_away() {
    let attempt =
        Attempt::removed(("name = \"shop\"", "name = \"store\""), "is it store/small/default/latency now?");
    let shop = Shop::new();
    shop.branch("slower", &attempt, true);
    let json = shop.check(&["--message-format", "json"]);
    assert_eq!(json.says(4, &[]).message("check-finished")["removed"], 2);
    assert!(in_words(&row(&json, CASE)).contains(attempt.reason));
    shop.branch("only-that", &attempt, false);
    shop.passes_when_accepted(&attempt);
}

#[test]
fn without_any_model_left_everything_is_gone() {
    let shop = Shop::new();
    shop.sandbox.git("repo", &["checkout", "--quiet", "-b", "nothing"]);
    let (before, _) = MANIFEST.split_once("[[package").expect("models");
    shop.sandbox.write("repo/Cargo.toml", before);
    shop.sandbox.commit("repo", "nothing to measure");
    shop.check(&[]).says(4, &["2 removed", "only the base has it"]);
}

#[test]
fn a_margin_of_99_percent_is_said_and_the_bases_judges() {
    let edit = ("margin = \"40%\"\ntail-margin = \"90%\"", "margin = \"99%\"\ntail-margin = \"99%\"");
    let reason = "settings changed: margin 40% → 99%";
    Shop::tried(&Attempt { edit, reason, code: 100, gap: None });
}

#[test]
fn a_base_that_cannot_be_measured_is_never_green_although_there_are_stored_numbers() {
    let shop = Shop::new();
    shop.run(&["run", "--save-baseline", "--quiet"], false).says(0, &[]);
    shop.sandbox.write("repo/small.onnx", "this is no model");
    shop.sandbox.commit("repo", "a baseline, and a model that broke");
    shop.sandbox.git("repo", &["checkout", "--quiet", "-b", "slower"]);
    shop.sandbox.copy("mlp_slow.onnx", "repo/small.onnx");
    shop.sandbox.commit("repo", "mended, and slower");
    let path = shop.sandbox.path("report.md");
    let args = ["check", "--base", "main", "--pairs", "5", "--markdown", path.to_str().expect("text")];
    let ran = shop.run(&args, true);
    let reason = "advisory, against stored numbers";
    ran.says(4, &[reason, "--on-missing", "::error file=Cargo.toml,title=shop/small/default/latency::"]);
    assert!(std::fs::read_to_string(&path).expect("a report").contains(reason));
    let json = shop.check(&["--message-format", "json"]);
    assert_eq!(row(json.says(4, &[]), CASE)["gap"], "no-base");
    shop.check(&["--on-missing", "warn"]).says(0, &[reason]);
    let accept = ["baseline", "accept", "--case", CASE, "--reason", "x"];
    assert_ne!(shop.run(&accept, false).code, Some(0), "it is no change of head's");
}

#[test]
fn one_acceptance_covers_what_was_redefined_and_slower_if_it_was_measured_so() {
    let edit = ("name = \"small\"", "name = \"small\"\nseed = 2");
    let attempt = Attempt::redefined(edit, "seed 1 → 2");
    let shop = Shop::new();
    shop.branch("slower", &attempt, true);
    shop.check(&[]).says(100, &["1 regressed, 1 redefined"]);
    let accept = ["baseline", "accept", "--case", CASE, "--reason", "the shop moved"];
    shop.run(&accept, false).says(0, &["accepts a redefinition", "seed 1 → 2", "mean +"]);
    shop.sandbox.commit("repo", "accept it");
    shop.check(&[]).says(0, &["1 regressed but accepted"]);
    shop.sandbox.edit("repo/Cargo.toml", "seed = 2", "seed = 3");
    shop.sandbox.commit("repo", "another seed");
    shop.check(&[]).says(100, &["stale acceptance: it is about other sources"]);
}

#[test]
fn a_base_with_extra_work_is_no_base() {
    let shop = Shop::new();
    shop.sandbox.edit("repo/Cargo.toml", "name = \"small\"", "name = \"small\"\ndebug-extra-work = \"300%\"");
    shop.sandbox.commit("repo", "a slow base");
    shop.branch("slower", &Attempt::removed(("debug-extra-work = \"300%\"", ""), ""), true);
    shop.check(&[]).says(103, &["the base has debug-extra-work"]);
}
