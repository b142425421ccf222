//! The base of a check: options, CI events, merge base, previous record.

use crate::support::Sandbox;
use trt_perf::base::{BaseCommit, CiEvent, find};
use trt_perf::baseline::Store;
use trt_perf::error::{Failure, FailureKind};

/// A main branch of four commits and a topic branch of two that left it at the second; topic is checked out.
struct Branches {
    sandbox: Sandbox,
    main: Vec<String>,
    topic: Vec<String>,
}

impl Branches {
    fn new() -> Self {
        let sandbox = Sandbox::with_repo();
        let commit = |n: &str| {
            sandbox.write(format!("repo/{n}"), n);
            sandbox.commit("repo", n)
        };
        let mut main = vec![commit("m0"), commit("m1")];
        sandbox.git("repo", &["checkout", "--quiet", "-b", "topic"]);
        let topic = vec![commit("t0"), commit("t1")];
        sandbox.git("repo", &["checkout", "--quiet", "main"]);
        main.extend([commit("m2"), commit("m3")]);
        sandbox.git("repo", &["checkout", "--quiet", "topic"]);
        Self { sandbox, main, topic }
    }

    fn find(&self, asked: Option<&str>, event: Option<CiEvent>) -> Result<BaseCommit, Failure> {
        self.find_in("repo", asked, event, false)
    }

    fn find_in(
        &self,
        folder: &str,
        asked: Option<&str>,
        event: Option<CiEvent>,
        dirty: bool,
    ) -> Result<BaseCommit, Failure> {
        let repo = self.sandbox.open(folder);
        let head = repo.head().expect("a readable HEAD").expect("a commit");
        let store = Store::new(self.sandbox.path(folder).join("baselines"));
        find(&repo, &head, dirty, asked, event.as_ref(), &store)
    }

    fn checkout(&self, rev: &str) {
        self.sandbox.git("repo", &["checkout", "--quiet", rev]);
    }
}

fn event(name: &str, reference: &str, payload: serde_json::Value) -> Option<CiEvent> {
    Some(CiEvent { name: name.into(), reference: reference.into(), payload: payload.to_string() })
}

fn pull_request(base: &str, head: &str) -> Option<CiEvent> {
    event(
        "pull_request",
        "refs/pull/1/merge",
        serde_json::json!({ "pull_request": { "base": { "sha": base }, "head": { "sha": head } } }),
    )
}

#[test]
fn an_explicit_base_wins_over_everything() {
    let b = Branches::new();
    let found = b.find(Some("main~2"), pull_request(&b.main[3], &b.topic[1])).expect("a base");
    assert_eq!((found.commit.id.as_str(), found.found_by.as_str()), (b.main[1].as_str(), "--base main~2"));
    let unknown = b.find(Some("mian"), None).expect_err("no such branch");
    assert!(unknown.to_string().contains("main"), "{unknown}");
}

#[test]
fn a_pull_requests_own_head_is_checked_against_the_merge_base_not_the_tip() {
    let b = Branches::new();
    let found = b.find(None, pull_request(&b.main[3], &b.topic[1])).expect("a base");
    assert_eq!((found.commit.id.as_str(), found.steps), (b.main[1].as_str(), 2));
}

#[test]
fn a_merge_commit_is_checked_against_its_first_parent() {
    let b = Branches::new();
    b.checkout("main");
    b.sandbox.git("repo", &["merge", "--quiet", "--no-ff", "-m", "merge", "topic"]);
    let found = b.find(None, pull_request(&b.main[2], &b.topic[1])).expect("a base");
    assert_eq!(
        found.commit.id, b.main[3],
        "the commit that was merged into, whatever the event's base was then"
    );
}

#[test]
fn something_else_than_the_pull_request_is_refused() {
    let b = Branches::new();
    b.checkout("main~1");
    let failure = b.find(None, pull_request(&b.main[3], &b.topic[1])).expect_err("neither head nor merge");
    assert!(failure.next.contains("--base"), "{failure}");
}

#[test]
fn merge_queues_and_pushes_name_their_base() {
    let b = Branches::new();
    let queue = event(
        "merge_group",
        "refs/heads/gh-readonly-queue/main/pr-1",
        serde_json::json!({ "merge_group": { "base_sha": b.main[1] } }),
    );
    assert_eq!(b.find(None, queue).expect("a base").commit.id, b.main[1]);
    let push = event("push", "refs/heads/topic", serde_json::json!({ "before": b.topic[0] }));
    assert_eq!(b.find(None, push).expect("a base").commit.id, b.topic[0]);
    // A new branch, a force push that lost the commit, and branches that stand for pull requests: the merge base.
    for before in ["0000000000000000000000000000000000000000", "1111111111111111111111111111111111111111"] {
        let push = event("push", "refs/heads/topic", serde_json::json!({ "before": before }));
        assert_eq!(b.find(None, push).expect("a base").commit.id, b.main[1], "{before}");
    }
    let copy = event("push", "refs/heads/pull-request/7", serde_json::json!({ "before": b.topic[0] }));
    assert_eq!(b.find(None, copy).expect("a base").commit.id, b.main[1]);
}

#[test]
fn a_damaged_event_is_said() {
    let b = Branches::new();
    let broken = CiEvent { name: "pull_request".into(), reference: String::new(), payload: "{".into() };
    assert_eq!(b.find(None, Some(broken)).expect_err("no JSON").kind, FailureKind::Format);
}

#[test]
fn without_ci_it_is_where_the_branch_left_the_default_branch() {
    let b = Branches::new();
    let found = b.find(None, None).expect("a base");
    assert_eq!((found.commit.id.as_str(), found.steps), (b.main[1].as_str(), 2));
    assert!(found.label().contains("2 commits before HEAD (merge base with main)"), "{}", found.label());
    b.sandbox.git("repo", &["checkout", "--quiet", "--detach", "topic"]);
    assert_eq!(b.find(None, None).expect("a base").commit.id, b.main[1], "detached");
}

#[test]
fn on_the_default_branch_it_is_the_last_record_or_the_parent_or_head_itself() {
    let b = Branches::new();
    b.checkout("main");
    assert_eq!(b.find(None, None).expect("a base").commit.id, b.main[2], "the parent");
    assert_eq!(
        b.find_in("repo", None, None, true).expect("a base").commit.id,
        b.main[3],
        "changes are checked against HEAD"
    );
    let short = &b.main[1][..12];
    b.sandbox.write(format!("repo/baselines/cpu-x-2c/20260101-{short}-01234567.json"), "{}");
    let found = b.find(None, None).expect("a base");
    assert_eq!(
        (found.commit.id.as_str(), found.steps),
        (b.main[1].as_str(), 2),
        "the nearest commit with a record"
    );
}

#[test]
fn a_first_commit_has_no_base() {
    let sandbox = Sandbox::with_repo();
    sandbox.commit("repo", "first");
    let b = Branches { sandbox, main: vec![], topic: vec![] };
    assert_eq!(b.find(None, None).expect_err("nothing before it").kind, FailureKind::Nothing);
}

#[test]
fn a_shallow_clone_stops_with_the_cure_instead_of_a_wrong_base() {
    let b = Branches::new();
    let url = b.sandbox.url("repo");
    b.sandbox.git(
        ".",
        &["clone", "--quiet", "--depth=1", "--no-single-branch", "--branch=topic", &url, "shallow"],
    );
    let failure =
        b.find_in("shallow", None, pull_request(&b.main[3], &b.topic[1]), false).expect_err("cut history");
    let text = failure.to_string();
    assert!(text.contains("fetch") && text.contains("depth"), "{text}");
    b.sandbox.git("shallow", &["fetch", "--quiet", "--unshallow"]);
    let found = b.find_in("shallow", None, pull_request(&b.main[3], &b.topic[1]), false).expect("a base");
    assert_eq!(found.commit.id, b.main[1]);
}

/// A clone as `actions/checkout` makes it: a detached HEAD, and of the branches only what was fetched.
fn checkout(b: &Branches, folder: &str, depth: Option<&str>, what: &str) {
    b.sandbox.git(".", &["init", "--quiet", folder]);
    b.sandbox.git(folder, &["remote", "add", "origin", &b.sandbox.url("repo")]);
    let depth: Vec<String> = depth.map(|n| format!("--depth={n}")).into_iter().collect();
    let every = ["+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/pull/*"];
    let one = [format!("+{what}:refs/remotes/fetched")];
    let mut args = vec!["fetch", "--quiet", "origin"];
    args.extend(depth.iter().map(String::as_str));
    // Without a depth it is `fetch-depth: 0`, which fetches everything.
    if depth.is_empty() {
        args.extend(every);
    } else {
        args.push(&one[0]);
    }
    b.sandbox.git(folder, &args);
    b.sandbox.git(folder, &["checkout", "--quiet", "--detach", what]);
}

/// The merge commit that GitHub makes of a pull request, at the ref that it gives it.
fn merge_ref(b: &Branches) -> String {
    b.checkout("main");
    b.sandbox.git("repo", &["merge", "--quiet", "--no-ff", "-m", "merge", "topic"]);
    let merge = b.sandbox.git("repo", &["rev-parse", "HEAD"]);
    b.sandbox.git("repo", &["update-ref", "refs/pull/1/merge", &merge]);
    b.sandbox.git("repo", &["reset", "--quiet", "--hard", "HEAD~1"]);
    merge
}

fn tells_the_yaml(found: Result<BaseCommit, Failure>, says: &str) {
    let text = found.expect_err("cut history").to_string();
    let yaml = "\n  to fix it in GitHub Actions, in the step that uses actions/checkout:\n    with:\n      fetch-depth: 0";
    assert!(text.contains(yaml) && text.contains(says), "{text}");
}

#[test]
fn every_event_in_a_clone_that_is_too_shallow_tells_the_yaml() {
    let b = Branches::new();
    let merge = merge_ref(&b);
    checkout(&b, "merge1", Some("1"), &merge);
    tells_the_yaml(
        b.find_in("merge1", None, pull_request(&b.main[3], &b.topic[1]), false),
        "the commits that HEAD merges are not here",
    );
    checkout(&b, "merge2", Some("2"), &merge);
    let found =
        b.find_in("merge2", None, pull_request(&b.main[3], &b.topic[1]), false).expect("both parents");
    assert_eq!(found.commit.id, b.main[3]);

    checkout(&b, "head1", Some("1"), &b.topic[1]);
    let short = |id: &str| id[..12].to_owned();
    let lacks = |id: &str| format!("{}, which the event names, is not here", short(id));
    let at = |event: Option<CiEvent>| b.find_in("head1", None, event, false);
    tells_the_yaml(at(pull_request(&b.main[3], &b.topic[1])), &lacks(&b.main[3]));
    let queue = serde_json::json!({ "merge_group": { "base_sha": b.main[3] } });
    tells_the_yaml(at(event("merge_group", "", queue)), &lacks(&b.main[3]));
    let push = serde_json::json!({ "before": b.topic[0] });
    tells_the_yaml(at(event("push", "refs/heads/topic", push)), "before this push, is not here");
    let on = serde_json::json!({ "repository": { "default_branch": "main" } });
    tells_the_yaml(
        at(event("push", "refs/heads/pull-request/7", on.clone())),
        "the branch origin/main is not here",
    );
    tells_the_yaml(
        at(event("workflow_dispatch", "refs/heads/topic", on)),
        "the branch origin/main is not here",
    );

    checkout(&b, "main1", Some("1"), &b.main[3]);
    let on = serde_json::json!({ "repository": { "default_branch": "main" } });
    let nightly = || event("schedule", "refs/heads/main", on.clone());
    tells_the_yaml(b.find_in("main1", None, nightly(), false), "the commit before HEAD is not here");
    checkout(&b, "main2", Some("2"), &b.main[3]);
    assert_eq!(b.find_in("main2", None, nightly(), false).expect("a parent").commit.id, b.main[2]);
    // In a whole clone the record would be the base, so the parent would be a wrong one.
    let record = format!("main2/baselines/cpu-x-2c/20260101-{}-01234567.json", short(&b.main[1]));
    b.sandbox.write(record, "{}");
    tells_the_yaml(b.find_in("main2", None, nightly(), false), "no commit that is here has a record");
    b.sandbox.git("main2", &["fetch", "--quiet", "--unshallow", "origin"]);
    assert_eq!(b.find_in("main2", None, nightly(), false).expect("a record").commit.id, b.main[1]);
}

#[test]
fn a_whole_clone_of_ci_has_the_base_of_every_event() {
    let b = Branches::new();
    let merge = merge_ref(&b);
    // A branch of the usual name that is not the default one.
    b.sandbox.git("repo", &["branch", "master", "topic"]);
    checkout(&b, "merge", None, &merge);
    let found = b.find_in("merge", None, pull_request(&b.main[0], &b.topic[1]), false).expect("a base");
    assert_eq!((&found.commit.id, found.steps), (&b.main[3], 3));
    checkout(&b, "head", None, &b.topic[1]);
    let on = |branch: &str| serde_json::json!({ "repository": { "default_branch": branch }, "before": b.topic[0] });
    let copy = event("push", "refs/heads/pull-request/7", on("main"));
    let found = b.find_in("head", None, copy, false).expect("a base");
    assert_eq!(
        (found.commit.id.as_str(), found.found_by.as_str()),
        (b.main[1].as_str(), "merge base with origin/main")
    );
    checkout(&b, "main", None, &b.main[3]);
    for name in ["schedule", "workflow_dispatch", "workflow_run"] {
        let found =
            b.find_in("main", None, event(name, "refs/heads/main", on("main")), false).expect("a base");
        assert_eq!(
            (found.commit.id.as_str(), found.found_by.as_str()),
            (b.main[2].as_str(), "the commit before")
        );
    }
}

#[test]
fn events_with_the_repositorys_secrets_run_nothing_that_was_proposed() {
    let b = Branches::new();
    let target = Some(CiEvent {
        name: "pull_request_target".into(),
        ..pull_request(&b.main[3], &b.topic[1]).expect("one")
    });
    let after = |how: &str, from: &str, sha: &str| {
        let run =
            serde_json::json!({ "event": how, "head_sha": sha, "head_repository": { "full_name": from } });
        let all = serde_json::json!({ "workflow_run": run, "repository": { "full_name": "o/r" } });
        event("workflow_run", "refs/heads/main", all)
    };
    let tip = b.topic[1].clone();
    for refused in [target.clone(), after("pull_request", "o/r", &tip), after("push", "fork/r", &tip)] {
        let failure = b.find(None, refused.clone()).expect_err("refused");
        assert!(
            failure.kind == FailureKind::Usage && failure.next.contains("on `pull_request:`"),
            "{failure}"
        );
        assert_eq!(b.find(Some("main"), refused).expect("somebody named it").commit.id, b.main[3]);
    }
    for trusted in [after("push", "o/r", &tip), after("pull_request", "o/r", &b.main[3])] {
        assert_eq!(b.find(None, trusted).expect("a base").commit.id, b.main[1]);
    }
}

#[test]
fn a_model_in_a_submodule_is_missing_in_the_base_and_that_is_said() {
    let s = Sandbox::with_repo();
    s.git(".", &["init", "--quiet", "inner"]);
    s.copy("mlp.onnx", "inner/mlp.onnx");
    s.commit("inner", "weights");
    s.git("repo", &["submodule", "--quiet", "add", &s.url("inner"), "weights"]);
    let table = "[[model]]\nname = \"m\"\npath = \"weights/mlp.onnx\"\nbackend = \"cpu\"\n";
    s.write("repo/trt-perf.toml", format!("scenarios = [\"latency\"]\n{table}"));
    s.commit("repo", "with a submodule");
    let ran = s.run("repo", &["check", "--base", "HEAD", "--quiet"]);
    ran.says(4, &["the base's weights/mlp.onnx", "submodules, which are not extracted: weights"]);
}
