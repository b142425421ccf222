//! How the action gets the program that judges.

use super::api::Api;
use super::runner::{Action, Job};
use crate::support::Sandbox;
use std::os::unix::fs::PermissionsExt;

/// A runner with an archive of a release in it, whose program says that it is version 9.8.7 and that it checked.
struct Runner {
    sandbox: Sandbox,
    archive: Vec<u8>,
    sha256: String,
}

impl Runner {
    fn new(said: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("runner/repo/.keep", "");
        sandbox.write("release/cargo-trt-perf-9.8.7/cargo-trt-perf", format!("#!/bin/sh\necho {said}\n"));
        sandbox.write("release/cargo-trt-perf-9.8.7/README.md", "words");
        let mut tar = std::process::Command::new("tar");
        tar.args(["-czf", "archive.tar.gz", "cargo-trt-perf-9.8.7"]).current_dir(sandbox.path("release"));
        assert!(tar.status().expect("tar").success());
        let archive = std::fs::read(sandbox.path("release/archive.tar.gz")).expect("an archive");
        let mut sum = std::process::Command::new("sha256sum");
        let sum = sum.arg(sandbox.path("release/archive.tar.gz")).output().expect("sha256sum").stdout;
        let sha256 = String::from_utf8(sum).expect("text")[..64].to_owned();
        Self { sandbox, archive, sha256 }
    }

    fn job(&self, inputs: &[(&str, &str)], path: Option<&str>) -> Job {
        let path = path.map(|first| format!("{first}:{}", std::env::var("PATH").expect("a PATH")));
        let env: Vec<(&str, &str)> = path.iter().map(|p| ("PATH", p.as_str())).collect();
        Action::read("trt-perf").run(&self.sandbox, "runner/repo", inputs, &env)
    }
}

#[track_caller]
fn refused(job: &Job, says: &str) {
    assert_eq!(job.failed.as_deref(), Some("Install"), "{}", job.log);
    assert!(job.code != 0 && job.log.contains("::error::") && job.log.contains(says), "{}", job.log);
    assert!(job.uploads.is_empty() && job.outputs["verdict"].is_empty(), "{:?}", job.outputs);
}

#[test]
fn a_release_is_downloaded_and_believed_by_its_checksum_only() {
    let runner = Runner::new("cargo-trt-perf 9.8.7");
    let archive = runner.archive.clone();
    let server = Api::start(move |r| if r.path == "/9.8.7" { (200, archive.clone()) } else { (404, vec![]) });
    let url = format!("{}/9.8.7", server.url);
    let sums = format!("{} {}", "0".repeat(64), runner.sha256.to_uppercase());
    let job = runner.job(&[("version", "9.8.7"), ("sha256", &sums), ("url", &url)], None);
    // It runs; that it checked nothing does not pass.
    assert_eq!(job.failed.as_deref(), Some("Check"), "{}", job.log);
    assert!(job.log.contains("ended with 0 and left no result"), "{}", job.log);
    let judge = runner.sandbox.path("runner/temp/trt-perf/9.8.7/cargo-trt-perf");
    assert!(judge.metadata().expect("a program").permissions().mode() & 0o111 != 0);
    let wrong = "1".repeat(64);
    refused(&runner.job(&[("version", "9.8.7"), ("sha256", &wrong), ("url", &url)], None), &runner.sha256);
    let gone = format!("{}/gone", server.url);
    refused(
        &runner.job(&[("version", "9.8.7"), ("sha256", &wrong), ("url", &gone)], None),
        "cannot download",
    );
}

#[test]
fn a_program_that_is_another_version_is_refused() {
    let runner = Runner::new("cargo-trt-perf 9.8.6");
    let archive = runner.archive.clone();
    let server = Api::start(move |_| (200, archive.clone()));
    let inputs = [("version", "9.8.7"), ("sha256", runner.sha256.as_str()), ("url", server.url.as_str())];
    refused(&runner.job(&inputs, None), "says that it is 'cargo-trt-perf 9.8.6'");
    refused(&runner.job(&[("version", "latest")], None), "name the release that judges");
    refused(&runner.job(&[], None), "name the release that judges");
    refused(&runner.job(&[("program", "nowhere/judge")], None), "there is no file");
}

#[test]
fn without_a_checksum_the_crate_is_compiled_where_no_settings_of_the_pull_request_count() {
    let runner = Runner::new("unused");
    let s = &runner.sandbox;
    s.write("runner/repo/.cargo/config.toml", "[alias]\ninstall = \"version\"\n");
    let cargo = "#!/bin/sh\npwd >\"$RUNNER_TEMP/where\"\necho \"$@\" >\"$RUNNER_TEMP/asked\"\n\
                 mkdir -p \"$4/bin\" && printf '#!/bin/sh\\necho cargo-trt-perf 9.8.7\\n' >\"$4/bin/cargo-trt-perf\"\n\
                 chmod +x \"$4/bin/cargo-trt-perf\"\n";
    s.write("tools/cargo", cargo);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(s.path("tools/cargo"), mode).expect("a program");
    let tools = s.path("tools").display().to_string();
    let job = runner.job(&[("version", "9.8.7")], Some(&tools));
    assert_eq!(job.failed.as_deref(), Some("Check"), "{}", job.log);
    let read = |name: &str| std::fs::read_to_string(s.path(format!("runner/temp/{name}"))).expect("a file");
    assert_eq!(read("where").trim(), s.path("runner/temp").display().to_string());
    let root = s.path("runner/temp/trt-perf/9.8.7").display().to_string();
    assert_eq!(
        read("asked").trim(),
        format!("install --locked --root {root} --version =9.8.7 cargo-trt-perf")
    );
}

#[test]
fn nothing_that_the_check_runs_can_speak_for_the_step() {
    let runner = Runner::new("unused");
    let s = &runner.sandbox;
    s.write("judge", "#!/bin/sh\nfor f in \"$GITHUB_OUTPUT\" \"$GITHUB_ENV\"; do [ -z \"$f\" ] || exit 9; done\nexit 100\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(s.path("judge"), mode).expect("a program");
    let judge = s.path("judge").display().to_string();
    let job = runner.job(&[("program", &judge)], None);
    assert_eq!((job.code, job.outputs["verdict"].as_str()), (100, "regressed"), "{}", job.log);
    let job = runner.job(&[("program", &judge), ("artifact", "../x")], None);
    assert_eq!((job.failed.as_deref(), job.code), (Some("Check"), 1), "{}", job.log);
    let job = runner.job(&[("program", &judge), ("args", "'")], None);
    assert!(job.log.contains("::error::input `args`: No closing quotation"), "{}", job.log);
}
