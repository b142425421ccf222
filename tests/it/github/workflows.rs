//! What linters do not see of our workflows, examples and actions: that they fit each other and this repository.
//! `.ci/workflows` runs the linters.

use super::runner::Action;
use crate::support::files_below;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text file")
}

fn yaml(folder: &str) -> Vec<PathBuf> {
    let files = files_below(&root().join(folder));
    let files: Vec<PathBuf> =
        files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "yml")).collect();
    assert!(!files.is_empty(), "{folder} has workflows");
    files
}

#[test]
fn every_job_may_do_little_takes_no_longer_than_it_must_and_uses_pinned_actions() {
    for path in [yaml(".github/workflows"), yaml(".github/examples")].concat() {
        let (text, name) = (read(&path), path.display());
        assert!(text.contains("\npermissions: {}\n") && text.contains("\nconcurrency:\n"), "{name}");
        let count = |what: &str| text.matches(what).count();
        let jobs = count("\n    runs-on: ");
        assert!(
            jobs > 0 && count("\n    timeout-minutes: ") == jobs && count("\n    permissions:\n") == jobs,
            "{name}"
        );
        assert_eq!(count("uses: actions/checkout@"), count("persist-credentials: false"), "{name}");
    }
    for path in [yaml(".github/workflows"), yaml(".github/examples"), yaml(".github/actions")].concat() {
        for line in
            read(&path).lines().filter_map(|l| l.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        {
            let (id, version) = line.split_once(" # ").unwrap_or((line, ""));
            let commit = id.split_once('@').map_or("", |(_, commit)| commit);
            let pinned = commit.len() == 40
                && commit.bytes().all(|b| b.is_ascii_hexdigit())
                && version.starts_with('v');
            assert!(pinned || id.starts_with("./"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_use_of_our_actions_gives_inputs_that_they_have() {
    let mut uses = 0;
    for path in [yaml(".github/workflows"), yaml(".github/examples")].concat() {
        for step in read(&path).split("\n      - name: ") {
            let Some((_, called)) = step.split_once(".github/actions/") else { continue };
            let name = called.split([' ', '@', '\n']).next().expect("a name");
            let action = Action::read(name);
            let with = step.split_once("        with:\n").map_or("", |(_, with)| with);
            let inputs = with.lines().take_while(|l| l.starts_with("          "));
            for input in inputs.filter(|l| !l.trim().starts_with('#')) {
                let input = input.trim().split(':').next().expect("a name");
                assert!(action.has_input(input), "{}: {name} has no input {input}", path.display());
            }
            uses += 1;
        }
    }
    assert!(uses >= 9, "{uses} uses");
}

#[test]
fn every_input_and_output_is_described_and_every_example_is_named_in_the_guide() {
    for path in yaml(".github/actions") {
        let text = read(&path);
        let (before, _) = text.split_once("\nruns:\n").expect("steps");
        let names = before.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   ")).count();
        assert!(names > 0 && before.matches("\n    description: ").count() == names, "{}", path.display());
    }
    let guide = read(&root().join("src/guide/ci.md"));
    for path in yaml(".github/examples") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(guide.contains(&format!("(../../.github/examples/{name})")), "{name}");
    }
}

#[test]
fn a_release_is_packed_as_the_action_looks_for_it() {
    let s = crate::support::Sandbox::new();
    let wheel = super::comment::zip(&[(
        "cargo_trt_perf-9.8.7.data/scripts/cargo-trt-perf",
        "#!/bin/sh\necho cargo-trt-perf 9.8.7\n",
    )]);
    let machine = std::env::consts::ARCH;
    s.write(format!("dist/cargo_trt_perf-9.8.7-py3-none-manylinux_2_28_{machine}.whl"), wheel);
    let mut pack = Command::new("python3");
    pack.arg(root().join(".ci/pack_release.py")).arg("9.8.7").arg(s.path("dist"));
    assert!(pack.status().expect("python3").success());
    let name = format!("cargo-trt-perf-9.8.7-{machine}-unknown-linux-gnu.tar.gz");
    let archive = std::fs::read(s.path("dist").join(&name)).expect("an archive");
    let said = Command::new("sha256sum").arg(s.path("dist").join(&name)).output().expect("sha256sum").stdout;
    let sum = String::from_utf8_lossy(&said)[..64].to_owned();
    let wanted = format!("/owner/cargo-trt-perf/releases/download/v9.8.7/{name}");
    let server =
        super::api::Api::start(
            move |r| if r.path == wanted { (200, archive.clone()) } else { (404, vec![]) },
        );
    s.write("runner/repo/.keep", "");
    let env = [("GITHUB_SERVER_URL", server.url.as_str())];
    let job =
        Action::read("trt-perf").run(&s, "runner/repo", &[("version", "9.8.7"), ("sha256", &sum)], &env);
    assert_eq!(job.failed.as_deref(), Some("Check"), "installed, and it cannot check: {}", job.log);
    assert!(job.log.contains("cargo-trt-perf 9.8.7: "), "{}", job.log);
}
