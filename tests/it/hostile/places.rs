//! What a pull request puts where this tool works: forged trees and engines, links, caches, commands that hang.

use crate::support::{Ran, Running, Sandbox, files_below, listing, message, state, wait_for};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use trt_perf::engine::{self, EngineHeader};

/// A repository whose only commit so far is the base: one small model, fast to check.
struct Attempt {
    sandbox: Sandbox,
    /// Where the program's temporary files go.
    temporary: TempDir,
}

const SETTINGS: &str = "processes = 2\nwarm-up = \"5ms\"\nmeasure = \"30ms\"\nscenarios = [\"latency\"]\n";

impl Attempt {
    fn new() -> Self {
        Self::with("")
    }

    /// The base has these settings too.
    fn with(settings: &str) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let attempt = Self { sandbox: Sandbox::with_repo(), temporary };
        attempt.sandbox.write("repo/.gitignore", "/target\n/Cargo.lock\n");
        attempt.sandbox.write("repo/src/lib.rs", "");
        attempt.sandbox.copy("mlp.onnx", "repo/model.onnx");
        attempt.manifest("", settings);
        attempt.sandbox.commit("repo", "base");
        attempt
    }

    fn manifest(&self, top: &str, settings: &str) {
        let text = format!(
            "{top}[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[package.metadata.trt-perf]\n{SETTINGS}{settings}\n\
             [[package.metadata.trt-perf.model]]\nname = \"small\"\npath = \"model.onnx\"\n"
        );
        self.sandbox.write("repo/Cargo.toml", text);
    }

    /// Commits everything, ignored files below `target` too.
    fn commit(&self) {
        self.sandbox.git("repo", &["add", "--all", "--force"]);
        self.sandbox.commit("repo", "head");
    }

    fn commit_slow(&self) {
        self.sandbox.copy("mlp_slow.onnx", "repo/model.onnx");
        self.sandbox.commit("repo", "slow");
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.sandbox.path("repo").join(relative)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command("repo", args);
        command.env("TMPDIR", self.temporary.path());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// A check of five pairs.
    fn check(&self) -> Ran {
        self.run(&["check", "--pairs", "5"])
    }

    /// What checks left where temporary files go.
    fn left(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary.path()).expect("a folder").map(|e| e.expect("an entry").path()).collect()
    }

    /// A folder outside of the repository, with what a session would take for its own; and what is in it.
    fn elsewhere(&self) -> (PathBuf, Vec<String>) {
        let folder = self.sandbox.path("elsewhere");
        for n in 0..60 {
            fs::create_dir_all(folder.join(format!("{n}-1"))).expect("a folder");
        }
        for n in 0..10 {
            self.sandbox.write(format!("elsewhere/folder {n}/file"), "precious");
        }
        self.sandbox.write("elsewhere/.tmp123", "precious");
        let before = listing(&folder);
        (folder, before)
    }
}

#[test]
fn a_committed_tree_is_refused_by_every_verb_and_one_that_was_only_put_there_is_not_believed() {
    let attempt = Attempt::new();
    let base = attempt.sandbox.git("repo", &["rev-parse", "HEAD"]);
    attempt.commit_slow();
    // The slow model passes for the base's.
    let tree = format!("target/trt-perf/trees/{}", &base[..12]);
    for file in ["Cargo.toml", "src/lib.rs", "model.onnx"] {
        let bytes = fs::read(attempt.path(file)).expect("a file");
        attempt.sandbox.write(Path::new("repo").join(&tree).join(file), bytes);
    }
    attempt.check().says(100, &["regressed"]);
    attempt.commit();
    for verb in ["check", "run", "build", "discover", "calibrate"] {
        attempt.run(&[verb]).says(2, &["git tracks target/trt-perf/", "git rm -r --cached"]);
    }
    for args in [
        &["compare", "HEAD", "HEAD~1"][..],
        &["history", "small"],
        &["baseline", "list"],
        &["baseline", "save"],
    ] {
        attempt.run(args).says(2, &["git tracks target/trt-perf/"]);
    }
}

#[test]
fn a_target_folder_that_is_committed_under_another_name_is_refused() {
    let attempt = Attempt::new();
    attempt.sandbox.write("repo/.cargo/config.toml", "[build]\ntarget-dir = \"assets\"\n");
    attempt.sandbox.write("repo/assets/trt-perf/engines/a.engine", "x");
    attempt.commit_slow();
    attempt.check().says(2, &["git tracks assets/trt-perf/engines/a.engine"]);
}

#[test]
fn a_forged_engine_is_not_measured() {
    let attempt = Attempt::new();
    let built = || {
        let ran = attempt.run(&["build", "--message-format", "json"]);
        PathBuf::from(ran.message("engine")["engine"].as_str().expect("a path"))
    };
    let (fast, parts) = engine::read(&built()).expect("an engine");
    attempt.commit_slow();
    let path = built();
    let (slow, _) = engine::read(&path).expect("an engine");
    // All hashes are right, and it holds the other model.
    let forged = EngineHeader { payload_sha256: fast.payload_sha256, parts: fast.parts, ..slow };
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    engine::write(&path, &forged, &parts).expect("written");
    engine::read(&path).expect("whole in itself");
    attempt.check().says(100, &["regressed"]);
    attempt.commit();
    attempt.check().says(2, &["git tracks target/trt-perf/"]);
}

#[test]
fn links_in_place_of_our_folders_are_refused_and_nothing_is_touched_behind_them() {
    for name in ["samples", "engines", "results", "checks", "results/cpu"] {
        let attempt = Attempt::new();
        let (elsewhere, before) = attempt.elsewhere();
        attempt.commit_slow();
        let link = attempt.path("target/trt-perf").join(name);
        fs::create_dir_all(link.parent().expect("a parent")).expect("folders");
        symlink(&elsewhere, &link).expect("a link");
        let says = format!("target/trt-perf/{name} is a symbolic link");
        attempt.run(&["run"]).says(2, &[&says]);
        attempt.check().says(2, &[&says]);
        attempt.commit();
        let says = format!("git tracks target/trt-perf/{name}");
        attempt.run(&["run"]).says(2, &[&says]);
        attempt.check().says(2, &[&says]);
        assert_eq!(listing(&elsewhere), before, "{name}");
    }
}

#[test]
fn links_above_and_links_to_baselines_are_refused() {
    for (name, says) in [
        ("target", "git tracks target"),
        ("target/trt-perf", "git tracks target/trt-perf"),
        ("target/trt-perf/trees", "git tracks target/trt-perf/trees"),
        ("baselines", "baselines is a symbolic link"),
        ("baselines/cpu-example-2c", "baselines/cpu-example-2c is a symbolic link"),
    ] {
        let attempt = Attempt::new();
        let (elsewhere, before) = attempt.elsewhere();
        let link = attempt.path(name);
        fs::create_dir_all(link.parent().expect("a parent")).expect("folders");
        symlink(&elsewhere, &link).expect("a link");
        attempt.commit();
        attempt.run(&["run"]).says(2, &[says]);
        attempt.check().says(2, &[says]);
        assert_eq!(listing(&elsewhere), before, "{name}");
    }
}

#[test]
fn a_target_folder_that_the_user_linked_to_another_disk_is_followed() {
    let attempt = Attempt::new();
    let disk = attempt.sandbox.path("disk");
    fs::create_dir(&disk).expect("a folder");
    symlink(&disk, attempt.path("target")).expect("a link");
    attempt.run(&["build"]).says(0, &[]);
    assert!(disk.join("trt-perf/engines").is_dir());
}

#[test]
fn only_sessions_samples_are_tidied() {
    let attempt = Attempt::new();
    let samples = attempt.path("target/trt-perf/samples");
    for n in 0..60 {
        fs::create_dir_all(samples.join(format!("{n}-1"))).expect("a folder");
        fs::create_dir_all(samples.join(format!("notes {n}"))).expect("a folder");
    }
    attempt.run(&["build"]).says(0, &[]);
    let left: Vec<String> = listing(&samples);
    let count = |part: &str| left.iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("notes"), count("-1")), (60, 50), "{left:#?}");
}

#[test]
fn a_workspace_in_heads_manifest_does_not_hide_the_base() {
    let attempt = Attempt::new();
    attempt.manifest("[workspace]\n", "");
    attempt.commit_slow();
    attempt.check().says(100, &["regressed"]);
}

#[test]
fn settings_of_cargo_in_head_do_not_reach_the_base() {
    let attempt = Attempt::new();
    attempt.sandbox.write("repo/.cargo/config.toml", "[build]\ntarget-dir = \"elsewhere\"\n");
    attempt.sandbox.write("repo/.gitignore", "/target\n/elsewhere\n/Cargo.lock\n");
    attempt.commit_slow();
    attempt.check().says(100, &["regressed"]);
    assert!(attempt.path("elsewhere/trt-perf/results").is_dir());
}

#[test]
fn a_prepare_command_that_hangs_is_stopped() {
    let attempt = Attempt::new();
    attempt.manifest("", "prepare = [\"sleep\", \"1000\"]\nprepare-time-limit = \"300ms\"\n");
    attempt.commit_slow();
    let says = ["prepare command of head (sleep 1000) did not finish within 300 ms", "prepare-time-limit"];
    attempt.check().says(101, &says);
    attempt.manifest("", "prepare-time-limit = \"0s\"\n");
    attempt.check().says(2, &["prepare-time-limit", "above zero"]);
}

/// The number that a command wrote.
fn child(attempt: &Attempt) -> i32 {
    wait_for("a child", || fs::read_to_string(attempt.path("child")).ok()?.trim().parse().ok())
}

fn is_gone(process: i32) -> bool {
    state(process).is_none_or(|(letter, _)| matches!(letter, 'Z' | 'X'))
}

#[test]
fn what_a_prepare_command_started_ends_with_it_and_with_the_check() {
    let attempt = Attempt::new();
    let script = "sleep 1000 & echo $! > child";
    attempt.manifest("", &format!("prepare = [\"sh\", \"-c\", \"{script}\"]\n"));
    attempt.sandbox.commit("repo", "head");
    attempt.check().says(0, &["same engine", "prepare command differs: base: none, head: sh -c sleep 1000"]);
    assert!(is_gone(child(&attempt)));

    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        fs::remove_file(attempt.path("child")).expect("removed");
        attempt.manifest("", &format!("prepare = [\"sh\", \"-c\", \"{script}; sleep 1000\"]\n"));
        let running = Running::start(attempt.command(&["check"]));
        let child = child(&attempt);
        assert!(!is_gone(child));
        running.signal(signal);
        let ran = running.finish();
        assert_eq!(ran.code, code, "{ran}");
        wait_for("the end of the command's child", || is_gone(child).then_some(()));
    }
}

#[test]
fn a_prepare_command_that_differs_is_told_everywhere() {
    let attempt = Attempt::with("prepare = [\"true\"]\n");
    attempt.manifest("", "prepare = [\"true\", \"a|b\"]\n");
    attempt.sandbox.commit("repo", "head");
    let report = attempt.path("target/report.md");
    let says = "the prepare command differs: base: true, head: true a|b";
    let path = report.to_str().expect("UTF-8");
    let ran = attempt.run(&["check", "--message-format", "json", "--markdown", path]);
    assert_eq!(ran.message("check-finished")["prepare_differs"], says, "{ran}");
    assert!(ran.messages("note").iter().any(|m| m["text"] == says), "{ran}");
    let markdown = fs::read_to_string(report).expect("a report");
    assert!(markdown.contains("the prepare command differs: base: true, head: true a\\|b"), "{markdown}");
    attempt.run(&["check", "--base", "HEAD"]).says(0, &[]).silent_on(&["differs"]);
}

/// Whether each arm's engine was there already, base first, and all notes.
fn cached(ran: &Ran) -> (Vec<bool>, String) {
    assert_eq!(ran.code, Some(0), "{ran}");
    let cached = ran.messages("engine").iter().map(|m| m["cached"].as_bool().expect("a boolean")).collect();
    let notes = ran.messages("note");
    (cached, notes.iter().filter_map(|m| m["text"].as_str()).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_second_check_takes_engines_from_the_users_cache_but_none_that_somebody_else_put_there() {
    let attempt = Attempt::new();
    attempt.sandbox.commit("repo", "head");
    let check =
        |more: &[&str]| cached(&attempt.run(&[&["check", "--message-format", "json"], more].concat()));
    // The same engine in both arms: the second one finds the first one's.
    assert_eq!(check(&[]).0, [false, true]);
    assert_eq!(check(&[]).0, [true, true]);
    assert_eq!(check(&["--no-cache"]).0, [false, true]);

    let cache = attempt.sandbox.caches().join("cargo-trt-perf/engines");
    let entry = files_below(&cache).into_iter().find(|p| p.extension().is_some()).expect("an entry");
    let good = fs::read(&entry).expect("bytes");
    for forged in [good[..good.len() - 32].to_vec(), [&good[..good.len() - 1], b"x"].concat(), vec![]] {
        fs::write(&entry, forged).expect("written");
        let (found, notes) = check(&[]);
        assert_eq!(found, [false, true]);
        assert!(notes.contains("its keyed hash is wrong"), "{notes}");
        assert_eq!(check(&[]).0, [true, true], "it was built and kept again");
    }
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).expect("a mode");
    let (found, notes) = check(&[]);
    assert_eq!(found, [false, true]);
    assert!(
        notes.contains("no engines of earlier checks are used") && notes.contains("by others"),
        "{notes}"
    );
}

#[test]
fn neither_the_cache_nor_the_private_folder_lies_in_the_repository() {
    let attempt = Attempt::new();
    attempt.sandbox.commit("repo", "head");
    for place in ["inside", ".git/inside"] {
        fs::create_dir_all(attempt.path(place)).expect("a folder");
        let mut command = attempt.command(&["check"]);
        command.env("TMPDIR", attempt.path(place));
        Ran::of(command).says(2, &["which lies in the repository", "TMPDIR"]);
        let mut command = attempt.command(&["check", "--message-format", "json"]);
        command.env("XDG_CACHE_HOME", attempt.path(place).join("new"));
        let (_, notes) = cached(&Ran::of(command));
        assert!(notes.contains("lies in the repository"), "{notes}");
        assert_eq!(files_below(&attempt.path(place)), [] as [PathBuf; 0]);
    }
}

#[test]
fn the_private_folder_is_gone_after_a_check_however_it_ends() {
    let attempt = Attempt::new();
    attempt.commit_slow();
    let ran = attempt.run(&["check", "--pairs", "3", "--message-format", "json"]);
    let engine = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
    let temporary = attempt.temporary.path().canonicalize().expect("a folder");
    assert!(Path::new(&engine).starts_with(temporary), "{engine}");
    assert_eq!(attempt.left(), [] as [PathBuf; 0]);

    let args = ["check", "--measure", "30s", "--message-format", "json"];
    let measuring = |line: &serde_json::Value| line["reason"] == "stage" && line["stage"] == "measure";
    let mut running = Running::start(attempt.command(&args));
    running.messages_until(measuring);
    let [folder] = &attempt.left()[..] else { panic!("{:?}", attempt.left()) };
    assert_eq!(fs::metadata(folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    running.signal("INT");
    let ran = running.finish();
    ran.out.lines().for_each(|line| drop(message(line)));
    assert_eq!((ran.code, attempt.left()), (Some(130), vec![]), "{ran}");

    let mut running = Running::start(attempt.command(&args));
    running.messages_until(measuring);
    running.signal("KILL");
    running.finish();
    let [killed] = &attempt.left()[..] else { panic!("{:?}", attempt.left()) };
    // One that is in use, and one that is no check's.
    let mut running = Running::start(attempt.command(&args));
    running.messages_until(measuring);
    assert!(!killed.exists(), "the next check removed it");
    fs::create_dir(attempt.temporary.path().join("other")).expect("a folder");
    let mut in_use = attempt.left();
    let other = Attempt::new();
    other.sandbox.commit("repo", "head");
    let mut command = other.command(&["check"]);
    command.env("TMPDIR", attempt.temporary.path());
    Ran::of(command).says(0, &["same engine"]);
    let mut after = attempt.left();
    in_use.sort();
    after.sort();
    assert_eq!(after, in_use);
    running.signal("INT");
    running.finish();
}
