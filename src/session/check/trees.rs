//! Writes the sources of the base from git into a folder below the target folder.

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Extracted, Repo};
use crate::session::{Event, Events};
use crate::units::plural;
use std::path::Path;

/// Trees that are kept, because preparing them may have been costly.
const KEPT_TREES: usize = 3;

/// The project as it was at `commit`, in the folder `tree`. A tree that is there already is complete.
pub(super) fn extract(
    repo: &Repo,
    project: &Project,
    commit: &str,
    tree: &Path,
    events: Events,
) -> Result<Project> {
    if !tree.is_dir() {
        sweep(&project.folders.trees());
        let extracted = repo.extract_tree(commit, tree)?;
        say_missing(&extracted, events);
    }
    let root = repo.relative(&project.root)?;
    let manifest = tree.join(root).join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::new(
            FailureKind::Nothing,
            "the base has no Cargo.toml where this project has one",
        ));
    }
    Project::find(Some(&manifest))
}

/// Names what git alone could not give.
fn say_missing(extracted: &Extracted, events: Events) {
    let note = |text: String| events(Event::Note { text: &text });
    if !extracted.lfs_missing.is_empty() {
        let files: Vec<String> = extracted.lfs_missing.iter().map(|p| p.display().to_string()).collect();
        note(format!(
            "the base's {} are in Git LFS and not here; run `git lfs fetch --all`",
            files.join(", ")
        ));
    }
    if !extracted.submodules.is_empty() {
        note(format!("the base's {} are not extracted", plural(extracted.submodules.len(), "submodule")));
    }
}

/// Removes all but the newest trees, and what interrupted extractions left.
fn sweep(trees: &Path) {
    let entries = std::fs::read_dir(trees).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    found.sort();
    let hidden = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    let (unfinished, mut whole): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, p)| hidden(p));
    whole.truncate(whole.len().saturating_sub(KEPT_TREES));
    for (_, path) in unfinished.into_iter().chain(whole) {
        // Only space is lost where this fails.
        let _ = std::fs::remove_dir_all(path);
    }
}
