//! Finds the layers to compare with: measured with a record, of an engine file that is measured now, or exported.

use super::{LayersArgs, exports};
use crate::baseline::{find_record, load_layers};
use crate::case::Case;
use crate::config::{Folders, Project};
use crate::engine;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::git::Repo;
use crate::layers::Breakdown;
use crate::record::Record;
use crate::session::check::{Arms, Asked, Between, find_arms};
use crate::session::layers::LayersOutcome;
use crate::session::{self, Events, Setup};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Layers by the case's id, or why a case has none.
pub type CaseLayers = BTreeMap<String, Result<Breakdown>>;

/// What head is compared with.
pub enum LayerBase {
    /// A commit that is built and measured as head is.
    Commit(Box<Arms>),
    /// An engine that is measured as the cases are.
    Engine(PathBuf),
    /// Numbers that are there.
    Exports(Box<Breakdown>),
    /// A record, by its name, with the files of its layers.
    Stored(String, Box<Record>, Folders),
}

impl LayerBase {
    /// The base that the command line means; `None` without one.
    pub fn find(args: &LayersArgs, project: &Project, events: Events) -> Result<Option<Self>> {
        let Some(name) = args.compare.first() else { return Ok(None) };
        let path = Path::new(name);
        if exports::is_export(name) && !is_record(path) {
            return Ok(Some(Self::Exports(Box::new(exports::read(&super::of_exports(&args.compare)?)?))));
        }
        if let [_, more, ..] = &args.compare[..] {
            return Err(Failure::usage(format!("--compare {more} is a second base"))
                .next("name one; only exports of trtexec may be several, a folder for each process"));
        }
        if path.is_file() && !is_record(path) {
            engine::read(path)?;
            let path = std::path::absolute(path).map_err(|e| Failure::io("find", path, &e))?;
            return Ok(Some(Self::Engine(path)));
        }
        let found = find_record(project, name);
        let looked_into = |record: &Record| record.cases.values().any(|case| case.layers_sha256.is_some());
        match found {
            Ok(record) if looked_into(&record) => {
                Ok(Some(Self::Stored(name.clone(), Box::new(record), project.folders.clone())))
            }
            _ if is_revision(project, name) => commit(args, name, project, events).map(Some),
            Ok(_) => Err(without_layers(name)),
            Err(why) => Err(why),
        }
    }

    /// Measures head, and the base where its numbers are not there already.
    pub fn measure(base: Option<Self>, setup: &Setup, cases: &[Case]) -> Result<(CaseLayers, LayersOutcome)> {
        if let Some(Self::Commit(arms)) = &base {
            let [base, head] = session::check::layers(setup, arms)?;
            return Ok((base.cases, head));
        }
        let head = session::layers::run(setup, cases)?;
        let bases = match &base {
            None => CaseLayers::new(),
            Some(Self::Engine(path)) => {
                let with = |case: &Case| Case { engine: Some(path.clone()), ..case.clone() };
                session::layers::run(setup, &cases.iter().map(with).collect::<Vec<_>>())?.cases
            }
            Some(there) => there.there(cases.iter().map(|case| &case.id))?,
        };
        Ok((bases, head))
    }

    /// The numbers that are there already. Fails where it would have to be measured.
    pub fn there<'i>(&self, ids: impl Iterator<Item = &'i String>) -> Result<CaseLayers> {
        match self {
            Self::Exports(found) => Ok(ids.map(|id| (id.clone(), Ok((**found).clone()))).collect()),
            Self::Stored(name, record, folders) => {
                let of =
                    |id: &String| of_case(record, id, folders).unwrap_or_else(|| Err(without_layers(name)));
                Ok(ids.map(|id| (id.clone(), of(id))).collect())
            }
            Self::Commit(_) | Self::Engine(_) => Err(Failure::usage(
                "a record's layers compare with what was measured before, and this base was not",
            )
            .next("name a record with layers, or exports of trtexec")),
        }
    }
}

/// The layers that were measured with a record. Fails where there are none, or their files are not here.
pub fn of_record(project: &Project, name: &str) -> Result<CaseLayers> {
    let record = find_record(project, name)?;
    let found =
        |id: &String| Some(of_case(&record, id, &project.folders)?.map(|found| (id.clone(), Ok(found))));
    let found: CaseLayers = record.cases.keys().filter_map(found).collect::<Result<_>>()?;
    if found.is_empty() { Err(without_layers(name)) } else { Ok(found) }
}

/// The layers that were measured with a case; `None` where nobody looked.
fn of_case(record: &Record, id: &str, folders: &Folders) -> Option<Result<Breakdown>> {
    let sha256 = record.cases.get(id)?.layers_sha256.as_ref()?;
    Some(load_layers(folders, sha256))
}

/// Whether a file is one of our records, by its name's end and its content.
pub fn is_record(path: &Path) -> bool {
    let text = file::text(path, &file::EXPORT).unwrap_or_default();
    text.contains("\"trt-perf/record@")
}

fn is_revision(project: &Project, name: &str) -> bool {
    Repo::discover(&project.root).ok().flatten().is_some_and(|repo| repo.resolve(name).is_ok())
}

/// Both arms: the commit's sources are extracted as for a check.
fn commit(args: &LayersArgs, name: &str, project: &Project, events: Events) -> Result<LayerBase> {
    let between = Between::Commits { base: Some(name), overrides: args.settings.overrides()? };
    let asked = Asked { cases: args.cases.asked(), between, use_cache: true };
    find_arms(&asked, project, events).map(|arms| LayerBase::Commit(Box::new(arms)))
}

fn without_layers(name: &str) -> Failure {
    Failure::new(FailureKind::Nothing, format!("no layers were measured with {name}"))
        .next("name the revision instead: it is built and measured, too")
}
