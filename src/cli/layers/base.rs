//! Finds the layers to compare with: measured with a record, of an engine file that is measured now, or exported.

use super::exports;
use crate::baseline::{find_record, load_layers};
use crate::case::Case;
use crate::config::{Folders, Project};
use crate::engine;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::Breakdown;
use crate::record::Record;
use crate::session::{self, Setup};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What head is compared with.
pub enum LayerBase {
    /// An engine that is measured as the cases are.
    Engine(PathBuf),
    /// Numbers that are there.
    Exports(Box<Breakdown>),
    /// A record, by its name, with the files of its layers.
    Stored(String, Box<Record>, Folders),
}

impl LayerBase {
    /// The base that these names mean; `None` without one.
    pub fn find(names: &[String], project: &Project) -> Result<Option<Self>> {
        let Some(name) = names.first() else { return Ok(None) };
        let path = Path::new(name);
        if exports::is_export(name) && !is_record(path) {
            return Ok(Some(Self::Exports(Box::new(exports::read(&super::of_exports(names)?)?))));
        }
        if let [_, more, ..] = names {
            return Err(Failure::usage(format!("--compare {more} is a second base"))
                .next("name one; only exports of trtexec may be several, a folder for each process"));
        }
        if path.is_file() && !is_record(path) {
            engine::read(path)?;
            let path = std::path::absolute(path).map_err(|e| Failure::io("find", path, &e))?;
            return Ok(Some(Self::Engine(path)));
        }
        let record = find_record(project, name)?;
        if record.cases.values().all(|case| case.layers_sha256.is_none()) {
            return Err(without_layers(name));
        }
        Ok(Some(Self::Stored(name.clone(), Box::new(record), project.folders.clone())))
    }

    /// The base's layers by the case's id, or why a case has none.
    pub fn layers(self, setup: &Setup, cases: &[Case]) -> Result<BTreeMap<String, Result<Breakdown>>> {
        match self {
            Self::Engine(path) => {
                let with = |case: &Case| Case { engine: Some(path.clone()), ..case.clone() };
                let cases: Vec<Case> = cases.iter().map(with).collect();
                Ok(session::layers::run(setup, &cases)?.cases)
            }
            Self::Exports(found) => Ok(cases.iter().map(|c| (c.id.clone(), Ok((*found).clone()))).collect()),
            Self::Stored(name, record, folders) => {
                let of = |case: &Case| {
                    let stored = record.cases.get(&case.id).and_then(|c| c.layers_sha256.as_ref());
                    stored.map_or_else(|| Err(without_layers(&name)), |sha256| load_layers(&folders, sha256))
                };
                Ok(cases.iter().map(|case| (case.id.clone(), of(case))).collect())
            }
        }
    }
}

/// Whether a file is one of our records, by its name's end and its content.
fn is_record(path: &Path) -> bool {
    let text = crate::file::text(path, &crate::file::EXPORT).unwrap_or_default();
    text.contains("\"trt-perf/record@")
}

fn without_layers(name: &str) -> Failure {
    Failure::new(FailureKind::Nothing, format!("no layers were measured with {name}")).next(
        "measure them where that commit is checked out: `cargo trt-perf layers`; or let `cargo trt-perf check --base REV --explain` measure both arms",
    )
}
