//! The comment on a pull request: where it is written, what it says, and that there is one.

use super::api::{Answer, Api, Request};
use super::runner::{Action, Job};
use crate::support::{Sandbox, message};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

pub const SHA: &str = "5f0c1e2d3b4a59687766554433221100ffeeddcc";

/// What GitHub knows in a test.
#[derive(Clone)]
pub struct GitHub {
    /// The event of the finished run.
    pub run: Value,
    /// Open pull requests from the run's branch.
    pub pulls: Vec<Value>,
    pub comments: Vec<Value>,
    /// The run's artifacts.
    pub artifacts: Vec<Value>,
    /// What the artifact's address answers.
    pub archive: Vec<u8>,
}

pub fn pull(number: u64, sha: &str, repository: u64) -> Value {
    json!({ "number": number, "state": "open", "head": { "sha": sha, "repo": { "id": repository } } })
}

impl GitHub {
    /// A failed run of a pull request from a fork, number 7, with these messages in its artifact.
    pub fn of(messages: &[Value]) -> Self {
        let text: String = messages.iter().map(|m| format!("{m}\n")).collect();
        Self::with(zip(&[("check.jsonl", &text)]))
    }

    pub fn with(archive: Vec<u8>) -> Self {
        let head = json!({ "id": 42, "full_name": "stranger/fork", "owner": { "login": "stranger" } });
        Self {
            run: json!({
                "id": 1234, "event": "pull_request", "conclusion": "failure", "head_sha": SHA,
                "head_branch": "topic", "head_repository": head, "pull_requests": [],
            }),
            pulls: vec![pull(7, SHA, 42)],
            comments: vec![],
            artifacts: vec![
                json!({ "id": 5, "name": "trt-perf", "expired": false, "size_in_bytes": archive.len() }),
            ],
            archive,
        }
    }

    fn answer(&self, r: &Request) -> Answer {
        let (path, query) = r.path.split_once('?').unwrap_or((&r.path, ""));
        let page: usize = query.rsplit_once("&page=").map_or(1, |(_, n)| n.parse().expect("a number"));
        let some = |all: &[Value]| all.iter().skip((page - 1) * 100).take(100).cloned().collect::<Vec<_>>();
        let found = match (r.method.as_str(), path) {
            ("GET", "/repos/owner/repo/pulls") if query.starts_with("state=open&head=stranger%3Atopic&") => {
                json!(some(&self.pulls))
            }
            ("GET", "/repos/owner/repo/pulls/7") => self.pulls[0].clone(),
            ("GET", "/repos/owner/repo/actions/runs/1234/artifacts") => {
                json!({ "artifacts": some(&self.artifacts) })
            }
            // As GitHub does, from somewhere else.
            ("GET", "/repos/owner/repo/actions/artifacts/5/zip") => return (302, b"/blobs/5".to_vec()),
            ("GET", "/blobs/5") => return (200, self.archive.clone()),
            ("GET", "/repos/owner/repo/issues/7/comments") => json!(some(&self.comments)),
            ("POST", "/repos/owner/repo/issues/7/comments")
            | ("PATCH", "/repos/owner/repo/issues/comments/301") => {
                json!({ "id": 301 })
            }
            _ => return (404, b"{}".to_vec()),
        };
        (200, found.to_string().into_bytes())
    }

    /// Runs the action after the run; what came of it, and what GitHub was asked.
    pub fn comment(&self) -> (Job, Api) {
        let s = Sandbox::new();
        s.write("runner/repo/.keep", "");
        let event = json!({ "workflow_run": self.run, "repository": { "full_name": "owner/repo" } });
        s.write("runner/event.json", event.to_string());
        let known = self.clone();
        let api = Api::start(move |r| known.answer(r));
        let path = s.path("runner/event.json").display().to_string();
        let env = [("GITHUB_API_URL", api.url.as_str()), ("GITHUB_EVENT_PATH", path.as_str())];
        let job = Action::read("trt-perf-comment").run(&s, "runner/repo", &[], &env);
        let left = std::fs::read_dir(s.path("runner")).expect("a folder").count();
        assert_eq!(
            left, 5,
            "repo, temp, event.json, summary.md, output: nothing of the artifact reaches the disk"
        );
        (job, api)
    }

    /// The one comment that is written; it must be on pull request 7.
    #[track_caller]
    pub fn written(&self) -> String {
        let (job, api) = self.comment();
        assert_eq!(job.code, 0, "{}", job.log);
        let written = api.written();
        assert_eq!(written.len(), 1, "{written:?}");
        for asked in api.asked() {
            assert_eq!(asked.with_token, !asked.path.starts_with("/blobs/"), "{asked:?}");
        }
        let path = written[0].path.as_str();
        assert!(path.ends_with("/issues/7/comments") || path.ends_with("/issues/comments/301"), "{path}");
        written[0].body["body"].as_str().expect("a text").to_owned()
    }

    /// It ends without an error, and nothing is written.
    #[track_caller]
    fn says_nothing(&self) {
        let (job, api) = self.comment();
        assert!(job.code == 0 && job.log.contains("there is nothing to say"), "{}", job.log);
        assert_eq!(api.written(), []);
    }
}

/// An archive with these entries, under any name. A text that is a number stands for so many zeros.
pub fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    const SCRIPT: &str = "
import io, json, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as file:
    for name, text in json.load(sys.stdin):
        file.writestr(name, bytes(int(text)) if text.isdigit() else text)
sys.stdout.buffer.write(out.getvalue())";
    let mut python = Command::new("python3");
    python.args(["-W", "ignore", "-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("python3");
    let mut stdin = python.stdin.take().expect("a pipe");
    stdin.write_all(json!(entries).to_string().as_bytes()).expect("a listening program");
    drop(stdin);
    python.wait_with_output().expect("an archive").stdout
}

/// A case of a check: p50 went from 20 µs to 22 µs. As the schema says.
pub fn checked(case: &str, verdict: &str) -> Value {
    let metric = json!({
        "metric": "p50", "base": 20_000.0, "head": 22_000.0, "change": { "lo": 0.09, "est": 0.1, "hi": null },
        "p": 0.001, "mde_frac": 0.01, "judged": true, "why": null, "basis": null,
    });
    let comparison = json!({
        "case": case, "verdict": verdict, "verdict_reason": null, "advisory": false, "metrics": [metric],
        "engine_changes": [], "outputs_changed": false, "output_difference": null, "broken_budget": null,
        "debug_extra_work": false, "test_library": false, "workload": false, "moved": null, "base": null,
    });
    as_documented(json!({
        "schema": "trt-perf/message@1", "reason": "checked", "case": case, "gates": true, "origin": "pairs",
        "gap": null, "gap_fails": false, "gap_acceptance": null, "redefined": [], "settings_changed": [],
        "how": "5 pairs", "pairs": 5, "discarded": 0, "confirmed": true, "acceptance": null, "comparison": comparison,
    }))
}

pub fn finished(regressed: u64) -> Value {
    as_documented(json!({
        "schema": "trt-perf/message@1", "reason": "check-finished", "base": "41ab0c3d9e21, 1 commit before HEAD",
        "head": "5f0c1e2d3b4a", "device": "cpu-x-2c", "records": [], "result": null, "failed": 0, "regressed": regressed,
        "accepted": 0, "inconclusive": 0, "invalid": 0, "prepare_differs": null, "removed": 0, "redefined": 0,
        "not_compared": 0, "gaps_accepted": 0, "new": 0, "settings_changed": [], "interrupted": false,
        "exit_code": if regressed > 0 { 100 } else { 0 },
    }))
}

fn as_documented(value: Value) -> Value {
    message(&value.to_string())
}

/// A comment as GitHub has it.
fn comment_of(id: u64, login: &str, body: &str) -> Value {
    json!({ "id": id, "user": { "login": login }, "body": body })
}

#[test]
fn a_pull_request_of_a_fork_gets_a_table_with_the_worst_first() {
    let body = GitHub::of(&[
        checked("p/a/default/latency", "improved"),
        checked("p/b/default/latency", "regressed"),
        finished(1),
    ])
    .written();
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines[0], "<!-- trt-perf:trt-perf -->");
    assert_eq!(lines[1], "### Inference performance: 1 regressed, 1 improved");
    assert!(
        lines[3].starts_with("base <code>41ab0c3d9e21&#44; 1 commit before HEAD</code> · head "),
        "{body}"
    );
    let p50 = "<code>p50</code> | 20 µs | 22 µs | +10.00% [+9.00% ∞]";
    let row = |sign: &str, case: &str, verdict: &str| {
        format!(
            "| {sign} | <code>p&#47;{case}&#47;default&#47;latency</code> | {p50} | <code>{verdict}</code> |"
        )
    };
    assert_eq!(lines[7], row("❌", "b", "regressed"), "{body}");
    assert_eq!(lines[8], row("🟢", "a", "improved"), "{body}");
    let run = "[the run](https://github.example/owner/repo/actions/runs/1234) of 5f0c1e2d3b4a";
    assert!(body.contains(&format!("Gate: failed. The table is what {run} says of itself.")), "{body}");
}

#[test]
fn a_check_that_was_stopped_is_said_to_be_incomplete() {
    let mut end = finished(0);
    end["interrupted"] = json!(true);
    let body = GitHub::of(&[checked("p/a/default/latency", "unchanged"), end]).written();
    let says = "### Inference performance: stopped early, so not everything was measured: 1 unchanged\n";
    assert!(body.contains(says), "{body}");
}

/// What so many layers contribute to a change.
fn layer_changes(layers: usize) -> Value {
    let time = json!({ "base_ns": 1, "head_ns": 2, "change_ns": { "lo": null, "est": 1.0, "hi": null } });
    let name = "x".repeat(100);
    let group =
        json!({ "correspondence": "same", "base": [name], "head": [name], "changes": [], "time": time });
    let mut one = as_documented(json!({
        "schema": "trt-perf/message@1", "reason": "layer-changes", "case": "p/a/default/latency", "whole": time,
        "residual": null, "computing": layers, "aligned": layers, "same_tactics": null, "groups": [group],
    }));
    one["groups"] = json!(vec![group; layers]);
    one
}

#[test]
fn what_layers_explain_is_no_part_of_the_comment_and_may_be_long() {
    let long = layer_changes(20_000);
    assert!(long.to_string().len() > 4 << 20, "more than the rest of a result may be");
    let row = || checked("p/a/default/latency", "regressed");
    let body = GitHub::of(&[row(), long.clone(), finished(1)]).written();
    assert_eq!(body, GitHub::of(&[row(), finished(1)]).written());
    // It cannot be the end, and does not hide that there is none.
    let (job, _) = GitHub::of(&[row(), long]).comment();
    assert!(job.code == 1 && job.log.contains("does not end with check-finished"), "{}", job.log);
}

#[test]
fn there_is_one_comment_and_it_is_our_own() {
    let mut hub = GitHub::of(&[checked("p/a/default/latency", "unchanged"), finished(0)]);
    let ours = "<!-- trt-perf:trt-perf -->\nold";
    // Somebody else can write the marker, too; another check has another one.
    hub.comments = (0..120).map(|n| comment_of(n, "stranger", ours)).collect();
    hub.comments.push(comment_of(300, "github-actions[bot]", "<!-- trt-perf:gpu -->\nold"));
    let (_, api) = hub.comment();
    assert_eq!(api.written()[0].method, "POST");
    hub.comments.push(comment_of(301, "github-actions[bot]", ours));
    let (_, api) = hub.comment();
    let written = api.written();
    assert_eq!((written.len(), written[0].method.as_str()), (1, "PATCH"));
    assert_eq!(written[0].path, "/repos/owner/repo/issues/comments/301");
}

#[test]
fn only_an_open_pull_request_with_this_very_head_is_written_to() {
    let hub = || GitHub::of(&[checked("p/a/default/latency", "unchanged"), finished(0)]);
    for pulls in [
        vec![],
        // It went on since; another fork has a branch of this name.
        vec![pull(7, "0000000000000000000000000000000000000000", 42)],
        vec![pull(7, SHA, 43)],
    ] {
        GitHub { pulls, ..hub() }.says_nothing();
    }
    for (key, value) in [
        ("conclusion", json!("cancelled")),
        ("event", json!("push")),
        ("event", json!("schedule")),
        ("head_repository", json!(null)),
    ] {
        let mut other = hub();
        other.run[key] = value;
        other.says_nothing();
    }
    let (job, api) = GitHub { pulls: vec![pull(7, SHA, 42), pull(8, SHA, 42)], ..hub() }.comment();
    assert!(job.code == 1 && job.log.contains("2 open pull requests have this head"), "{}", job.log);
    assert_eq!(api.written(), []);
}

#[test]
fn a_copy_of_a_pull_request_is_written_to_by_the_name_of_its_branch() {
    let mut hub = GitHub::of(&[checked("p/a/default/latency", "unchanged"), finished(0)]);
    hub.run["event"] = json!("push");
    hub.run["head_branch"] = json!("pull-request/7");
    // A branch of a fork can be called so by anybody.
    hub.says_nothing();
    hub.run["head_repository"] = json!({ "id": 1, "full_name": "owner/repo", "owner": { "login": "owner" } });
    assert!(hub.written().contains("1 unchanged"));
    hub.pulls = vec![pull(7, "0000000000000000000000000000000000000000", 42)];
    hub.says_nothing();
}

#[test]
fn a_check_that_left_no_result_is_said_to_have_none() {
    for mut hub in [GitHub::with(zip(&[("other.txt", "x")])), GitHub::with(vec![])] {
        hub.artifacts.truncate(usize::from(!hub.archive.is_empty()));
        let body = hub.written();
        assert!(body.contains("the check did not finish") && body.contains("actions/runs/1234"), "{body}");
    }
}
