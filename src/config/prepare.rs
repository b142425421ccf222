//! The `prepare` command of a project and its time limit, from any of its tables.

use super::settings::positive_time;
use super::table::{Table, describe, list, text};
use crate::error::{Failure, Result};
use crate::units::Nanos;
use serde_json::Value;

const COMMAND: &str = "prepare";
const LIMIT: &str = "prepare-time-limit";
/// Long enough to export models, short enough for a job in CI to end with a reason.
const DEFAULT_LIMIT: Nanos = Nanos(600_000_000_000);

/// What prepares a tree for measuring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// A program and its arguments, without a shell.
    pub command: Vec<String>,
    /// After which it is stopped.
    pub limit: Nanos,
}

/// Makes both keys known in a table, and reports what is wrong with them.
pub(super) fn read(table: &mut Table) {
    table.get(COMMAND, command);
    table.get(LIMIT, positive_time);
}

/// The first command in `tables`, with the first limit.
pub(super) fn find<'a>(tables: impl Iterator<Item = &'a Value> + Clone) -> Result<Option<Prepare>> {
    let first = |key: &str| tables.clone().find_map(|table| table.get(key));
    let wrong = |key: &str, why: String| Failure::usage(format!("key `{key}` {why}"));
    let Some(value) = first(COMMAND) else { return Ok(None) };
    let command = command(value).map_err(|why| wrong(COMMAND, why))?;
    let limit = first(LIMIT).map(positive_time).transpose().map_err(|why| wrong(LIMIT, why))?;
    Ok(Some(Prepare { command, limit: limit.unwrap_or(DEFAULT_LIMIT) }))
}

fn command(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(_) => list(text)(value),
        other => Err(format!(
            "is {}, where a list is meant: prepare = [\"python\", \"export.py\"]",
            describe(other)
        )),
    }
}
