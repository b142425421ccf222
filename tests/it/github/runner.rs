//! A stand-in for GitHub's runner: runs the steps of a composite action as `action.yml` has them.
//!
//! It reads the part of YAML and of the language of expressions that our actions are written in, and panics at any other.

use crate::support::Sandbox;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A map of texts.
pub type Texts = BTreeMap<String, String>;

/// A step of an action.
#[derive(Clone, Debug, Default)]
struct Step {
    /// `name`, `id`, `if`, `run`, `uses`, `shell`, `working-directory`.
    keys: Texts,
    /// `env` of a script, `with` of an action.
    given: Texts,
}

/// An `action.yml`.
pub struct Action {
    folder: PathBuf,
    /// Of each input, its default.
    inputs: Texts,
    /// Of each output, its expression.
    outputs: Texts,
    steps: Vec<Step>,
}

/// What a job of one action came to.
#[derive(Debug)]
pub struct Job {
    /// Whether a step failed, with its exit code.
    pub code: i32,
    pub outputs: Texts,
    /// What the steps printed.
    pub log: String,
    /// The step that failed.
    pub failed: Option<String>,
    /// What was handed to other actions: `with` of the upload.
    pub uploads: Vec<Texts>,
    pub summary: String,
}

impl Action {
    /// An action of this repository.
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions").join(name);
        let text = std::fs::read_to_string(folder.join("action.yml")).expect("an action");
        let mut action = Self { folder, inputs: Texts::new(), outputs: Texts::new(), steps: Vec::new() };
        let (mut section, mut name) = (String::new(), String::new());
        for line in text.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#')) {
            let depth = line.len() - line.trim_start().len();
            let body = line.trim().trim_start_matches("- ");
            let (key, value) = body.split_once(':').map_or((body, ""), |(k, v)| (k, v.trim()));
            let plain = value.split(" # ").next().unwrap_or_default();
            let quoted = plain.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let text = quoted.unwrap_or(plain).to_owned();
            match (section.as_str(), depth) {
                (_, 0) => section = key.to_owned(),
                ("inputs" | "outputs", 2) => name = key.to_owned(),
                ("inputs", 4) if key == "default" => drop(action.inputs.insert(name.clone(), text)),
                ("outputs", 4) if key == "value" => drop(action.outputs.insert(name.clone(), text)),
                ("runs", 4) => {
                    action.steps.push(Step { keys: [(key.into(), text)].into(), ..Step::default() });
                }
                ("runs", 6) => drop(action.last().keys.insert(key.into(), text)),
                ("runs", 8) => drop(action.last().given.insert(key.into(), text)),
                // Descriptions, and what says that the action is composite.
                _ => {}
            }
        }
        assert!(!action.steps.is_empty(), "an action without steps");
        action
    }

    pub fn has_input(&self, name: &str) -> bool {
        self.inputs.contains_key(name)
    }

    fn last(&mut self) -> &mut Step {
        self.steps.last_mut().expect("a step")
    }

    /// Runs the steps in `workspace`, a folder of the sandbox, with `env` as the runner sets it.
    pub fn run(
        &self,
        sandbox: &Sandbox,
        workspace: &str,
        inputs: &[(&str, &str)],
        env: &[(&str, &str)],
    ) -> Job {
        let mut known: Texts = self.inputs.iter().map(|(k, v)| (format!("inputs.{k}"), v.clone())).collect();
        known.insert("github.action_repository".into(), "owner/cargo-trt-perf".into());
        known.insert("github.token".into(), "the-token".into());
        for (name, value) in inputs {
            let before = known.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(before.is_some(), "the action has no input {name}");
        }
        // A default may be an expression itself.
        known = known.iter().map(|(k, v)| (k.clone(), substitute(v, &known))).collect();
        sandbox.write("runner/temp/.keep", "");
        sandbox.write("runner/summary.md", "");
        let mut job = Job {
            code: 0,
            outputs: Texts::new(),
            log: String::new(),
            failed: None,
            uploads: Vec::new(),
            summary: String::new(),
        };
        for step in &self.steps {
            let runs = step.keys.get("if").map_or(job.code == 0, |when| {
                when.split(" && ").all(|part| holds(part, &known))
                    && (job.code == 0 || when.contains("always()"))
            });
            if runs {
                self.step(step, sandbox, workspace, env, &mut known, &mut job);
            }
        }
        job.outputs = self.outputs.iter().map(|(k, v)| (k.clone(), substitute(v, &known))).collect();
        job.summary = std::fs::read_to_string(sandbox.path("runner/summary.md")).expect("a summary");
        job
    }

    fn step(
        &self,
        step: &Step,
        sandbox: &Sandbox,
        workspace: &str,
        env: &[(&str, &str)],
        known: &mut Texts,
        job: &mut Job,
    ) {
        let given: Texts = step.given.iter().map(|(k, v)| (k.clone(), substitute(v, known))).collect();
        let Some(script) = step.keys.get("run") else {
            job.uploads.push(given);
            return;
        };
        assert!(!script.contains("${{"), "texts reach a script through its environment only: {script}");
        let folder = step.keys.get("working-directory").map_or(".".into(), |d| substitute(d, known));
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]);
        sandbox.shield(&mut command, &format!("{workspace}/{folder}"));
        sandbox.write("runner/output", "");
        command
            .envs(given)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ACTION_PATH", &self.folder)
            .env("GITHUB_OUTPUT", sandbox.path("runner/output"))
            .env("GITHUB_STEP_SUMMARY", sandbox.path("runner/summary.md"))
            .env("RUNNER_TEMP", sandbox.path("runner/temp"))
            .env("GITHUB_SERVER_URL", "https://github.example")
            .envs(env.iter().copied());
        let output = command.output().expect("bash");
        job.log += &String::from_utf8_lossy(&output.stdout);
        job.log += &String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            job.code = output.status.code().unwrap_or(-1);
            job.failed = step.keys.get("name").cloned();
        }
        if let Some(id) = step.keys.get("id") {
            let said = std::fs::read_to_string(sandbox.path("runner/output")).expect("outputs");
            known.extend(
                said.lines()
                    .filter_map(|l| l.split_once('='))
                    .map(|(k, v)| (format!("steps.{id}.outputs.{k}"), v.to_owned())),
            );
        }
    }
}

/// A text with its expressions filled in; outputs that no step wrote are empty.
fn substitute(text: &str, known: &Texts) -> String {
    let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
    let (expression, after) = rest.split_once("}}").expect("the end of an expression");
    format!("{before}{}{}", value(expression.trim(), known), substitute(after, known))
}

fn value(name: &str, known: &Texts) -> String {
    match known.get(name) {
        Some(text) => text.clone(),
        None if name.starts_with("steps.") => String::new(),
        None => panic!("an expression that the stand-in does not know: {name}"),
    }
}

fn holds(part: &str, known: &Texts) -> bool {
    if part == "always()" {
        return true;
    }
    let (name, wanted) = part.split_once(" != ").unwrap_or_else(|| panic!("an unknown condition: {part}"));
    value(name, known) != wanted.trim_matches('\'')
}
