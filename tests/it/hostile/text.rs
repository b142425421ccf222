//! Names from models, records and git that would steer a terminal, hide words or begin a command of GitHub's log.

use crate::support::{Ran, Sandbox, message, model, with};
use std::process::Command;
use trt_perf::baseline::{Store, load};
use trt_perf::record::{Acceptance, ChangeKind, Record, Source};
use trt_perf::stats::Interval;

/// Sets the title of a terminal, begins a command, turns the order of letters around, conceals, hides.
const EVIL: &str = "x\x1b]0;owned\x07\n::error::forged\n##[error]forged\u{202e}\x1b[8m\u{200b}\u{9b}2J\r";
/// How it is shown; the rest is longer than some places are wide.
const SHOWN: &str = r"x\u{1b}]0;owned\u{7}\n::error::forged\n##";
/// The escapes that the program itself writes.
const OWN: [&str; 7] = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"];

/// Fails where a reader would see something else than what is there.
#[track_caller]
fn is_harmless(text: &str) {
    let plain = OWN.iter().fold(text.to_owned(), |text, own| text.replace(own, ""));
    let steers = |c: char| {
        c != '\n' && c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
    };
    assert!(!plain.contains(steers), "{plain:?}");
    assert!(!plain.lines().any(|l| l.trim_start().starts_with("::error::forged")), "{plain}");
    assert!(!plain.contains("##[error]"), "{plain}");
}

/// The program where colours are wanted: otherwise escapes would be taken out, whoever wrote them.
fn coloured(s: &Sandbox, args: &[&str]) -> Command {
    let mut command = s.command(".", args);
    command.env("CLICOLOR_FORCE", "1");
    command
}

#[track_caller]
fn shown(s: &Sandbox, args: &[&str], code: i32, says: &[&str]) -> Ran {
    let ran = Ran::of(coloured(s, args));
    ran.says(code, says);
    is_harmless(&ran.out);
    is_harmless(&ran.err);
    ran
}

/// A field of a protobuf message that holds bytes.
pub(super) fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let (bytes, mut out) = (bytes.as_ref(), vec![number << 3 | 2]);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [out, bytes.to_vec()].concat()
}

/// A model whose node `name` reads a tensor of that name, which nothing makes.
fn model_with(name: &str) -> Vec<u8> {
    let value = |name: &str| {
        let shape = field(1, [0x08, 2]);
        let tensor = [vec![0x08, 1], field(2, shape)].concat();
        [field(1, name), field(2, field(1, tensor))].concat()
    };
    let node = [field(1, "in"), field(1, name), field(2, "out"), field(3, name), field(4, "Add")].concat();
    let graph = [field(1, node), field(2, name), field(11, value("in")), field(12, value("out"))].concat();
    [vec![0x08, 8], field(7, graph), field(8, [0x10, 17])].concat()
}

#[test]
fn names_in_a_model_are_shown_as_escapes_and_stay_data_for_machines() {
    let s = Sandbox::new();
    s.write("evil.onnx", model_with(EVIL));
    shown(&s, &["run", "evil.onnx"], 101, &["build failed", SHOWN, r"\u{202e}", "which nothing makes"]);
    shown(&s, &["build", "evil.onnx"], 101, &["build failed", SHOWN]);
    let (ran, messages) = s.run_json(".", &["run", "evil.onnx"]);
    let failed = with(&messages, "case-failed");
    assert!(failed[0]["message"].as_str().is_some_and(|m| m.contains(EVIL)), "the exact name: {ran}");
    is_harmless(&ran.out);
    // A file's own name, too.
    let file = "a\u{202e}\x1b[8mb.onnx";
    s.write(file, "no model");
    shown(&s, &["run", file], 101, &[r"a\u{202e}\u{1b}[8mb"]);
}

#[test]
fn names_in_a_manifest_are_shown_as_escapes() {
    let s = Sandbox::package(&model(r"a\u001b]0;owned\u0007\u202e", "none.onnx"));
    for args in [&["run", "--list"][..], &["run"], &["check"], &["run", "--package", EVIL], &["run", EVIL]] {
        let ran = Ran::of(coloured(&s, args));
        assert!(ran.code.is_some_and(|code| code < 110), "{ran}");
        is_harmless(&ran.out);
        is_harmless(&ran.err);
    }
}

/// A record like `measured` in which everything that somebody can write is hostile.
fn hostile(measured: &Record) -> Record {
    let mut record = measured.clone();
    record.created_s += 86_400;
    record.tool = EVIL.into();
    record.device.name = EVIL.into();
    record.device.soft = [("kernel".to_owned(), EVIL.to_owned()), (EVIL.into(), "x".into())].into();
    record.source = record.source.map(|s| Source { branch: Some(EVIL.into()), ..s });
    let case = record.cases.values().next().expect("a case").clone();
    record.cases.insert(EVIL.into(), case);
    record.supersedes = vec![EVIL.into()];
    record.acceptance = Some(Acceptance {
        kind: ChangeKind::Regression,
        case: "demo/mlp/default/latency".into(),
        base_commit: EVIL.into(),
        reason: EVIL.into(),
        redefined: vec![EVIL.into()],
        by: EVIL.into(),
        broken_budget: None,
        changes: [(EVIL.to_owned(), Interval { lo: 0.1, est: 0.2, hi: 0.3 })].into(),
    });
    record
}

/// A repository with a baseline, and on a branch of a hostile name a model and a record that are hostile.
fn pull_request() -> Sandbox {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline", "--quiet"]).says(0, &[]);
    s.commit(".", "a baseline");
    s.git(".", &["checkout", "--quiet", "-b", "feature\u{202e}\u{200b}"]);
    let table = format!("{}[[package.metadata.trt-perf.model]]\nname = \"mlp\"", model("evil", "evil.onnx"));
    s.edit("Cargo.toml", "[[package.metadata.trt-perf.model]]\nname = \"mlp\"", &table);
    s.write("evil.onnx", model_with(EVIL));
    let measured = load(&s.baselines(".")[0]).expect("a record");
    let store = Store::new(s.path("baselines"));
    store.save(&mut hostile(&measured)).expect("saved");
    s.commit(".", "hostile");
    s
}

#[test]
fn what_a_record_says_is_shown_as_escapes_by_every_verb() {
    let s = pull_request();
    let (evil, good): (Vec<_>, Vec<_>) =
        s.baselines(".").into_iter().partition(|p| load(p).is_ok_and(|r| r.acceptance.is_some()));
    let [path, good] = [&evil[0], &good[0]].map(|path| path.display().to_string());
    shown(&s, &["baseline", "show", &path], 0, &["accepts a regression", SHOWN, "replaces x\\u{1b}"]);
    shown(&s, &["baseline", "list", "--long"], 0, &["accepts a regression", SHOWN]);
    shown(&s, &["history", "mlp"], 0, &["demo/mlp/default/latency", SHOWN]);
    shown(&s, &["history", "x\u{1b}]0"], 0, &[SHOWN]);
    shown(&s, &["compare", &good, &path], 0, &["kernel", SHOWN]);
    shown(&s, &["baseline", "prune", "--keep", "1", "--dry-run"], 0, &[]);
    let (ran, messages) = s.run_json(".", &["history", "mlp"]);
    let points = with(&messages, "history")[0]["points"].as_array().expect("points").clone();
    assert!(points.iter().any(|p| p["branch"] == EVIL), "exact data: {ran}");
    is_harmless(&ran.out);
}

/// What GitHub would obey, were it to read the log: lines between the two commands that stop and resume are text.
fn commands(log: &str) -> Vec<&str> {
    let (mut obeyed, mut token) = (Vec::new(), None);
    for line in log.lines() {
        match token {
            Some(stop) if line == stop => token = None,
            None => match line.strip_prefix("::stop-commands::") {
                Some(text) => {
                    assert!(text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
                    token = Some(format!("::{text}::"));
                }
                None => obeyed.push(line),
            },
            Some(_) => {}
        }
    }
    assert_eq!(token, None, "commands are left stopped:\n{log}");
    obeyed
}

#[test]
fn a_hostile_pull_request_is_reported_everywhere_and_commands_nothing() {
    let s = pull_request();
    let (report, summary) = (s.path("report.md"), s.path("summary.md"));
    let report_path = report.display().to_string();
    let mut command = coloured(&s, &["check", "--base", "main", "--markdown", &report_path]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let ran = Ran::of(command);
    ran.says(101, &["1 failed", "added to the baselines", "accepts a regression", SHOWN, r"\u{202e}"]);
    is_harmless(&ran.out);
    is_harmless(&ran.err);
    // Outside of the stopped parts nothing is printed but our own annotations.
    let obeyed = commands(&ran.out);
    assert!(!obeyed.is_empty() && obeyed.iter().all(|l| l.starts_with("::error ")), "{obeyed:?}");
    assert!(obeyed.iter().any(|l| l.contains(&SHOWN.replace("##", ""))), "{obeyed:?}");
    assert!(commands(&ran.err).is_empty(), "{}", ran.err);
    for file in [report, summary] {
        let text = std::fs::read_to_string(&file).expect("a report");
        is_harmless(&text);
        assert!(text.contains(r"x\\u{1b}\]0;owned\\u{7}\\n::error::forged"), "{text}");
    }
    let mut json = s.command(".", &["check", "--base", "main", "--message-format", "json"]);
    json.env("GITHUB_ACTIONS", "true");
    let ran = Ran::of(json);
    let messages: Vec<_> = ran.out.lines().map(message).collect();
    let added = with(&messages, "added-baseline");
    assert_eq!(added[0]["acceptance"]["reason"], EVIL, "exact data: {ran}");
    is_harmless(&ran.out);
}

#[test]
fn what_is_typed_is_shown_as_it_is_elsewhere_than_on_github() {
    let s = Sandbox::new();
    s.copy("broken/cycle.onnx", "Größe-模型.onnx");
    let ran = s.run(".", &["run", "Größe-模型.onnx"]);
    ran.says(101, &["Größe-模型"]).silent_on(&["stop-commands", "\\u{"]);
}
