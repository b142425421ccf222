//! The `prepare` command of a project and its time limit, from whichever of its tables has them.

use super::settings::positive_time;
use super::table::{Table, describe, list, text};
use crate::error::{Failure, Result};
use crate::units::Nanos;
use serde_json::Value;
use std::path::{Path, PathBuf};

const COMMAND: &str = "prepare";
const LIMIT: &str = "prepare-time-limit";
/// Long enough to export models, short enough for a job in CI to end with a reason.
const DEFAULT_LIMIT: Nanos = Nanos(600_000_000_000);

/// What prepares a tree for measuring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// A program and its arguments, without a shell.
    pub command: Vec<String>,
    /// The folder of the manifest that says so, which it runs in.
    pub folder: PathBuf,
    /// After which it is stopped.
    pub limit: Nanos,
}

/// Makes both keys known in a table, and reports what is wrong with them.
pub(super) fn read(table: &mut Table) {
    table.get(COMMAND, command);
    table.get(LIMIT, positive_time);
}

/// The one command in `tables`, each with its manifest. Its limit may stand in another of them.
pub(super) fn find(tables: &[(&Path, &Value)]) -> Result<Option<Prepare>> {
    let wrong = |key: &str, why: String| Failure::usage(format!("key `{key}` {why}"));
    let with = |key| tables.iter().filter_map(move |(manifest, table)| Some((*manifest, table.get(key)?)));
    let (manifest, value) = match with(COMMAND).collect::<Vec<_>>()[..] {
        [] => return Ok(None),
        [one] => one,
        [(first, _), (second, _), ..] => {
            let what =
                format!("is set in {} and in {}, and only one can be", first.display(), second.display());
            return Err(wrong(COMMAND, what).next("make one command of them, and take the other out"));
        }
    };
    let command = command(value).map_err(|why| wrong(COMMAND, why))?;
    let limit = with(LIMIT).next().map(|(_, limit)| positive_time(limit));
    let limit = limit.transpose().map_err(|why| wrong(LIMIT, why))?.unwrap_or(DEFAULT_LIMIT);
    Ok(Some(Prepare { command, folder: manifest.parent().unwrap_or(Path::new("")).to_owned(), limit }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_runs_where_it_stands_and_stands_only_once() {
        let (none, limit) = (json!({}), json!({ "prepare-time-limit": "1s" }));
        let command = json!({ "prepare": ["make"] });
        let [root, a, b] = ["/w/Cargo.toml", "/w/a/Cargo.toml", "/w/b/Cargo.toml"].map(Path::new);
        assert_eq!(find(&[(root, &none), (a, &limit)]), Ok(None));
        let found = find(&[(root, &limit), (a, &none), (b, &command)]);
        let limit = Nanos(1_000_000_000);
        let expected = Prepare { command: vec!["make".into()], folder: "/w/b".into(), limit };
        assert_eq!(found, Ok(Some(expected)));
        let twice = find(&[(a, &command), (b, &command)]).unwrap_err().message;
        assert_eq!(
            twice,
            "key `prepare` is set in /w/a/Cargo.toml and in /w/b/Cargo.toml, and only one can be"
        );
    }
}
