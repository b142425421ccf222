//! A model that is a program of the project's own: it is started and timed, or times itself.

use super::table::{Table, boolean, list, text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A program in a model's place. Its protocol is `src/guide/command.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramOptions {
    /// The program and its arguments, without a shell; run in the folder of the configuration.
    pub run: Vec<String>,
    /// What makes it ready, once for each arm; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<String>,
    /// Each run of the program, from start to end, is one request; otherwise it times requests itself.
    pub whole: bool,
}

/// Takes the program out of a model's table, before the rest of it is read: its `build` is a command, not a table.
pub(super) fn take(map: &mut Map<String, Value>) -> ProgramKeys {
    let build = match map.get("build") {
        Some(Value::Array(_)) if map.contains_key("run") => map.remove("build"),
        _ => None,
    };
    ProgramKeys { build }
}

/// What [`take`] took.
pub(super) struct ProgramKeys {
    build: Option<Value>,
}

impl ProgramKeys {
    /// The program that the table asks for, if any.
    pub fn read(self, table: &mut Table) -> Option<ProgramOptions> {
        let run = table.get("run", command);
        let whole = table.get("whole", boolean);
        let build = self.build.and_then(|value| match command(&value) {
            Ok(build) => Some(build),
            Err(why) => {
                table.problem("build", why);
                None
            }
        });
        if run.is_none() && whole.is_some() {
            table
                .problem("whole", "is about a program, and there is none: run = [\"python3\", \"infer.py\"]");
        }
        Some(ProgramOptions { run: run?, build: build.unwrap_or_default(), whole: whole.unwrap_or(false) })
    }
}

fn command(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(_) => list(text)(value),
        _ => Err("is meant to be a list: run = [\"python3\", \"infer.py\"]".into()),
    }
}
