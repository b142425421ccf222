//! The steps of the action after every event: the base, the exit code, the files and the outputs.

use super::comment::GitHub;
use super::runner::{Action, Job};
use crate::support::{Sandbox, files_below, message, program};
use serde_json::{Value, json};

/// Latencies around so many microseconds, a line each: what the only model, `cat`, answers.
fn samples(us: u32) -> String {
    (0..1500).map(|i| format!("{us}.{}us\n", i % 7)).collect()
}

const CONFIG: &str = "processes = 2\nwarm-up = \"1ms\"\nmeasure = \"5ms\"\n
[[model]]\nname = \"p\"\nrun = [\"cat\", \"p.txt\"]\n\n[[model]]\nname = \"q\"\nrun = [\"cat\", \"q.txt\"]\n";

/// A repository at GitHub, `origin.git`, whose maintainers work in `work`; and a fork of it, cloned into `fork`.
pub struct Hub(pub Sandbox);

impl Hub {
    pub fn new() -> Self {
        let s = Sandbox::new();
        s.git(".", &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
        s.git(".", &["init", "--quiet", "--initial-branch=main", "work"]);
        s.git("work", &["remote", "add", "origin", &s.url("origin.git")]);
        s.write("work/trt-perf.toml", CONFIG);
        s.write("work/p.txt", samples(20));
        s.write("work/q.txt", samples(30));
        let hub = Self(s);
        hub.commit("work", "first");
        hub.commit("work", "second");
        hub.0.git(".", &["clone", "--quiet", "--bare", &hub.0.url("origin.git"), "fork.git"]);
        hub.0.git(".", &["clone", "--quiet", &hub.0.url("fork.git"), "fork"]);
        hub
    }

    /// Commits what is there and pushes the branch; the commit's id.
    fn commit(&self, folder: &str, text: &str) -> String {
        let id = self.0.commit(folder, text);
        self.0.git(folder, &["push", "--quiet", "--force", "origin", "HEAD"]);
        id
    }

    /// A commit on the main branch.
    fn main(&self, text: &str) -> String {
        self.commit("work", text)
    }

    /// A pull request of the fork, as GitHub keeps it: its head, and the commit that merges it.
    pub fn propose(&self) -> (String, String) {
        self.0.git("fork", &["checkout", "--quiet", "-B", "topic"]);
        let head = self.commit("fork", "a change");
        self.0.git("origin.git", &["fetch", "--quiet", &self.0.url("fork.git"), "+topic:refs/pull/1/head"]);
        self.0.git("work", &["fetch", "--quiet", "origin", "refs/pull/1/head"]);
        self.0.git("work", &["checkout", "--quiet", "--detach", "main"]);
        self.0.git("work", &["merge", "--quiet", "--no-ff", "-m", "merge", "FETCH_HEAD"]);
        self.0.git("work", &["push", "--quiet", "--force", "origin", "HEAD:refs/pull/1/merge"]);
        let merge = self.0.git("work", &["rev-parse", "HEAD"]);
        self.0.git("work", &["checkout", "--quiet", "main"]);
        (head, merge)
    }

    /// What `actions/checkout` leaves with `fetch-depth: 0`, or with another depth.
    fn checkout(&self, rev: &str, depth: Option<&str>) {
        self.0.git(".", &["init", "--quiet", "runner/repo"]);
        self.0.git("runner/repo", &["remote", "add", "origin", &self.0.url("origin.git")]);
        let every = ["+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/pull/*"];
        match depth {
            None => self.0.git("runner/repo", &[&["fetch", "--quiet", "origin"], &every[..]].concat()),
            Some(depth) => self.0.git("runner/repo", &["fetch", "--quiet", "--depth", depth, "origin", rev]),
        };
        self.0.git("runner/repo", &["checkout", "--quiet", "--detach", rev]);
    }

    /// The action's steps on what is checked out.
    fn job(&self, (name, reference, payload): (&str, &str, Value), inputs: &[(&str, &str)]) -> Job {
        self.0.write("runner/event.json", payload.to_string());
        let (event, judge) = (self.0.path("runner/event.json"), program());
        let judge = judge.to_str().expect("a path that is text");
        let inputs = [&[("program", judge), ("args", "--pairs 8")], inputs].concat();
        let env = [
            ("GITHUB_EVENT_NAME", name),
            ("GITHUB_REF", reference),
            ("GITHUB_EVENT_PATH", event.to_str().expect("a path that is text")),
        ];
        Action::read("trt-perf").run(&self.0, "runner/repo", &inputs, &env)
    }

    /// All that a check which came to its end leaves; its messages.
    #[track_caller]
    fn came_to(&self, job: &Job, code: i32, verdict: &str, base: &str, found_by: &str) -> Vec<Value> {
        assert_eq!((job.code, job.outputs["verdict"].as_str()), (code, verdict), "{}", job.log);
        assert_eq!(job.outputs["code"], code.to_string());
        assert_eq!(job.failed.as_deref(), (code != 0).then_some("Gate"), "the gate is the last step");
        let upload = &job.uploads[0];
        assert_eq!((upload["name"].as_str(), job.uploads.len()), ("trt-perf", 1));
        let folder = std::path::Path::new(&upload["path"]);
        assert_eq!(job.outputs["report"], folder.join("report.html").display().to_string());
        for (file, says) in [("report.html", "<!doctype html>"), ("report.md", "## Inference performance: ")]
        {
            let text = std::fs::read_to_string(folder.join(file)).expect("a report");
            assert!(text.starts_with(says), "{file}: {text}");
        }
        assert!(job.summary.starts_with("## Inference performance: "), "{}", job.summary);
        let records = files_below(&folder.join("results"));
        records.iter().for_each(|path| drop(trt_perf::baseline::load(path).expect("a record")));
        let lines = std::fs::read_to_string(folder.join("check.jsonl")).expect("messages");
        let messages: Vec<Value> = lines.lines().map(message).collect();
        let end = messages.last().expect("an end");
        assert_eq!(
            (&end["reason"], end["exit_code"].as_i64()),
            (&json!("check-finished"), Some(code.into()))
        );
        assert_eq!(end["records"].as_array().map(Vec::len), Some(records.len()));
        let said = end["base"].as_str().expect("a base");
        assert!(
            said.starts_with(&base[..12]) && said.contains(found_by),
            "{said} is not {base} ({found_by})"
        );
        messages
    }
}

fn pull_request(base: &str, head: &str) -> (&'static str, &'static str, Value) {
    let payload = json!({ "pull_request": { "base": { "sha": base }, "head": { "sha": head } } });
    ("pull_request", "refs/pull/1/merge", payload)
}

fn on_main(name: &'static str, more: &[(&str, Value)]) -> (&'static str, &'static str, Value) {
    let mut payload = json!({ "repository": { "default_branch": "main", "full_name": "o/r" } });
    more.iter().for_each(|(key, value)| payload[*key] = value.clone());
    (name, "refs/heads/main", payload)
}

#[test]
fn a_pull_request_from_a_fork_that_changes_nothing_is_ok() {
    let hub = Hub::new();
    hub.0.write("fork/README.md", "more words");
    let (head, merge) = hub.propose();
    // Main went on, as it does, before the merge commit was made anew.
    let old = hub.0.git("work", &["rev-parse", "main"]);
    hub.checkout(&merge, None);
    let job = hub.job(pull_request(&old, &head), &[]);
    let messages = hub.came_to(&job, 0, "ok", &old, "the target branch this merge commit was made from");
    assert_eq!(messages.iter().filter(|m| m["reason"] == "checked").count(), 2, "{messages:?}");
}

#[test]
fn a_pull_requests_own_head_that_is_slower_fails_last() {
    let hub = Hub::new();
    let base = hub.0.git("work", &["rev-parse", "main"]);
    hub.0.write("fork/p.txt", samples(22));
    let (head, _) = hub.propose();
    let tip = hub.main("main goes on");
    hub.0.git("origin.git", &["branch", "--force", "copy", &head]);
    hub.checkout(&head, None);
    let job = hub.job(pull_request(&tip, &head), &[]);
    let messages = hub.came_to(&job, 100, "regressed", &base, "merge base with the pull request's target");
    let body = GitHub::of(&messages).written();
    assert!(
        body.contains("1 regressed, 1 unchanged") && body.contains("| ❌ | <code>project&#47;p&#47;"),
        "{body}"
    );
    assert!(
        job.log.contains("::error file=trt-perf.toml,title=project/p/default/latency::regressed"),
        "{}",
        job.log
    );
    assert!(job.summary.contains("1 regressed"), "{}", job.summary);
}

#[test]
fn a_merge_queue_without_time_is_inconclusive_and_fails_only_where_it_must_not_be() {
    let hub = Hub::new();
    let base = hub.0.git("work", &["rev-parse", "main"]);
    hub.0.git("work", &["checkout", "--quiet", "-b", "gh-readonly-queue/main/pr-1"]);
    let head = hub.main("queued");
    hub.checkout(&head, None);
    let event = || {
        (
            "merge_group",
            "refs/heads/gh-readonly-queue/main/pr-1",
            json!({ "merge_group": { "base_sha": base } }),
        )
    };
    let job = hub.job(event(), &[("args", "--max-time 1ns")]);
    hub.came_to(&job, 0, "inconclusive", &base, "the merge queue's base");
    let job = hub.job(event(), &[("args", "--max-time '1ns' --strict")]);
    hub.came_to(&job, 102, "inconclusive", &base, "the merge queue's base");
}

#[test]
fn a_push_that_drops_a_case_is_missing_it() {
    let hub = Hub::new();
    let before = hub.0.git("work", &["rev-parse", "main"]);
    hub.main("first of two");
    let cut = CONFIG.rfind("\n[[model]]").expect("two models");
    hub.0.write("work/trt-perf.toml", &CONFIG[..cut]);
    let head = hub.main("q is gone");
    hub.checkout(&head, None);
    let job = hub.job(on_main("push", &[("before", json!(before))]), &[]);
    hub.came_to(&job, 4, "missing", &before, "the branch before this push");
    assert!(job.summary.contains("1 removed"), "{}", job.summary);
}

#[test]
fn a_copy_of_a_pull_request_that_asks_otherwise_is_redefined() {
    let hub = Hub::new();
    let base = hub.0.git("work", &["rev-parse", "main"]);
    hub.0.write("fork/trt-perf.toml", format!("seed = 2\n{CONFIG}"));
    let (head, _) = hub.propose();
    hub.main("main goes on");
    hub.0.git("origin.git", &["update-ref", "refs/heads/pull-request/7", &head]);
    hub.checkout(&head, None);
    let (name, _, payload) = on_main("push", &[("before", json!(head))]);
    let job = hub.job((name, "refs/heads/pull-request/7", payload), &[]);
    hub.came_to(&job, 4, "missing", &base, "merge base with origin/main");
    assert!(job.summary.contains("2 redefined"), "{}", job.summary);
}

#[test]
fn a_nightly_check_against_numbers_that_are_none_is_invalid() {
    let hub = Hub::new();
    hub.0.write(
        "work/trt-perf.toml",
        CONFIG.replace("name = \"p\"", "name = \"p\"\ndebug-extra-work = \"300%\""),
    );
    let base = hub.main("a test of the gate");
    hub.0.write("work/trt-perf.toml", CONFIG);
    let head = hub.main("and back");
    hub.checkout(&head, None);
    let job = hub.job(on_main("schedule", &[]), &[]);
    hub.came_to(&job, 103, "invalid", &base, "the commit before");
    // Any other commit, where somebody names it.
    let older = hub.0.git("work", &["rev-parse", "main~2"]);
    let job = hub.job(on_main("schedule", &[]), &[("base", "HEAD~2")]);
    hub.came_to(&job, 0, "ok", &older, "--base HEAD~2");
}

#[test]
fn a_run_by_hand_whose_model_fails_is_failed() {
    let hub = Hub::new();
    let base = hub.0.git("work", &["rev-parse", "main"]);
    std::fs::remove_file(hub.0.path("work/p.txt")).expect("a file");
    let head = hub.main("p answers nothing");
    hub.checkout(&head, None);
    let job = hub.job(on_main("workflow_dispatch", &[]), &[]);
    let messages = hub.came_to(&job, 101, "failed", &base, "the commit before");
    let body = GitHub::of(&messages).written();
    assert!(body.contains("1 failed") && body.contains("- ❌ <code>project&#47;p&#47;"), "{body}");
}

#[test]
fn after_another_workflow_only_what_is_in_the_repository_is_checked() {
    let hub = Hub::new();
    let (head, _) = hub.propose();
    let (base, tip) =
        (hub.0.git("work", &["rev-parse", "main~1"]), hub.0.git("work", &["rev-parse", "main"]));
    let after = |how: &str, sha: &str| {
        let run = json!({ "event": how, "head_sha": sha, "head_repository": { "full_name": "o/r" } });
        on_main("workflow_run", &[("workflow_run", run)])
    };
    hub.checkout(&tip, None);
    let job = hub.job(after("push", &tip), &[]);
    hub.came_to(&job, 0, "ok", &base, "the commit before");
    hub.0.git("runner/repo", &["checkout", "--quiet", "--detach", &head]);
    did_not_check(&hub.job(after("pull_request", &head), &[]), "token and secrets");
    let (_, reference, payload) = pull_request(&tip, &head);
    did_not_check(&hub.job(("pull_request_target", reference, payload), &[]), "token and secrets");
}

#[test]
fn a_shallow_checkout_tells_the_yaml_that_it_needs() {
    let hub = Hub::new();
    let (head, merge) = hub.propose();
    let base = hub.0.git("work", &["rev-parse", "main"]);
    hub.checkout(&merge, Some("1"));
    let job = hub.job(pull_request(&base, &head), &[]);
    did_not_check(&job, "    with:\n      fetch-depth: 0");
}

/// The check ended before it had a result, with exit code 2: that is said, and the job fails.
#[track_caller]
fn did_not_check(job: &Job, says: &str) {
    assert_eq!((job.code, job.outputs["verdict"].as_str()), (2, "usage"), "{}", job.log);
    assert_eq!((job.failed.as_deref(), job.outputs["report"].as_str()), (Some("Gate"), ""));
    assert!(job.log.contains(says), "{}", job.log);
    assert!(job.summary.contains("the check ended with exit code 2"), "{}", job.summary);
}
