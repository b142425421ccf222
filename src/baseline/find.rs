//! Finds the record that a text means: a revision, an id, a file or a name.

use super::named::find_named;
use super::{Entry, Store, load, newest_first};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::git::{GitError, Repo};
use crate::record::{Record, short};
use std::path::{Path, PathBuf};

/// Baselines first, then results.
pub fn stores(project: &Project) -> [Store; 2] {
    [Store::new(project.baselines()), Store::results(project.folders.results())]
}

/// A record by file, by id, by the name of a baseline, or by the revision it belongs to.
pub fn find_record(project: &Project, name: &str) -> Result<Record> {
    Ok(find_record_file(project, name)?.1)
}

/// The same, with its file.
pub fn find_record_file(project: &Project, name: &str) -> Result<(PathBuf, Record)> {
    let path = Path::new(name);
    // Whatever else stands there, it is said by name.
    if path.is_file() || name.ends_with(".json") && path.symlink_metadata().is_ok() {
        return Ok((path.to_owned(), load(path)?));
    }
    let stores = stores(project);
    let lists = stores.iter().map(Store::list).collect::<Result<Vec<Vec<Entry>>>>()?;
    let by_id: Vec<&Entry> = lists
        .iter()
        .flatten()
        .filter(|e| {
            is_id(name) && name.starts_with(e.record8.as_str())
                || file_stem(e) == name.trim_end_matches(".json")
        })
        .collect();
    if let Some(entry) = by_id.first() {
        return with_path(entry);
    }
    let named = find_named(&stores[0], name)?;
    named.map_or_else(|| by_revision(project, name, &lists), Ok)
}

fn with_path(entry: &Entry) -> Result<(PathBuf, Record)> {
    Ok((entry.path.clone(), entry.load()?))
}

/// The newest result of a session here, whatever it is of.
pub fn newest_result(project: &Project) -> Result<Record> {
    let [_, results] = stores(project);
    let newest = newest_first(results.list()?).next().ok_or_else(|| {
        Failure::new(FailureKind::Nothing, format!("there is no result in {} yet", results.dir().display()))
            .next("measure with `cargo trt-perf run`, or name a record: a revision, a file, or an id from `cargo trt-perf baseline list`")
    })?;
    newest.load()
}

/// Eight or more hexadecimal digits.
fn is_id(name: &str) -> bool {
    name.len() >= 8 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn file_stem(entry: &Entry) -> String {
    entry.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The newest record of the revision's commit alone, failing that of its source tree; failing both, one that was made with
/// changes beside the commit or with extra work. `lists` are those of the stores, the first of which is preferred.
fn by_revision(project: &Project, name: &str, lists: &[Vec<Entry>]) -> Result<(PathBuf, Record)> {
    let named = Store::new(project.baselines()).named().unwrap_or_default();
    let fail = |what: String| {
        let known =
            lists.iter().flatten().map(|e| e.record8.as_str()).chain(named.iter().map(|b| b.name.as_str()));
        // Of an id the beginning is known.
        let meant = if is_id(name) { &name[..8] } else { name };
        let near = did_you_mean(meant, known).map(|n| format!("did you mean the record {n}? "));
        Failure::new(FailureKind::Nothing, what).next(format!(
            "{}name a revision with a record, a record file, a named baseline, or an id from `cargo trt-perf baseline list`",
            near.unwrap_or_default()
        ))
    };
    let no_record = format!("`{name}` is no record file and no record id");
    let in_git = |e: GitError| Failure::from(e).context(format!("{no_record}, and as a revision"));
    let Some(repo) = Repo::discover(&project.root).map_err(in_git)? else {
        return Err(fail(format!("{no_record}, and there is no git repository to look for a revision in")));
    };
    let commit = repo.resolve(name).map_err(|e| match e.is_about_the_name() {
        // Nobody means a branch of that name.
        true if name.ends_with(".json") => fail(format!("there is no file `{name}`")),
        true => fail(format!("{no_record}, and as a revision: {e}")),
        false => in_git(e),
    })?;
    let commit12 = short(&commit.id);
    let newest_of = |wanted: &dyn Fn(&&Entry) -> bool| -> Vec<Result<(PathBuf, Record)>> {
        let wanted = lists.iter().map(|list| list.iter().filter(wanted).cloned().collect());
        wanted.flat_map(newest_first).map(|e| with_path(&e)).collect()
    };
    let of_commit = newest_of(&|e| e.commit12 == commit12);
    if let Some(clean) = of_commit.iter().flatten().find(|(_, r)| !r.is_tainted()) {
        return Ok(clean.clone());
    }
    let exclude = repo.relative(&project.baselines())?;
    let tree = repo.src_tree(&commit.id, &exclude)?;
    let same = |r: &Record| r.source.as_ref().is_some_and(|s| s.src_tree == tree && !s.dirty);
    let of_tree: Vec<(PathBuf, Record)> =
        newest_of(&|_| true).into_iter().flatten().filter(|(_, r)| same(r)).collect();
    if let Some(clean) = of_tree.iter().find(|(_, r)| !r.is_tainted()) {
        return Ok(clean.clone());
    }
    let tainted = of_commit.into_iter().next().or_else(|| of_tree.into_iter().next().map(Ok));
    tainted.unwrap_or_else(|| Err(fail(format!("there is no record of {name} (commit {commit12})"))))
}
