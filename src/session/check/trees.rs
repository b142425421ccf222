//! Writes the sources of a commit from git into a private folder.

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Extracted, Repo};
use crate::session::{Event, Events};
use crate::units::plural;
use std::path::Path;

/// The project `head` as it was at `commit`, in the new folder `tree`. `root` is where it lies in the repository.
pub(super) fn extract(
    repo: &Repo,
    (head, root): (&Project, &Path),
    commit: &str,
    tree: &Path,
    events: Events,
) -> Result<Project> {
    write_sources(repo, commit, tree, "the base", events)?;
    // By its own settings of cargo, not by those of the work tree.
    let folder = tree.join(root);
    if let Some(project) = Project::at(&folder)? {
        return Ok(project);
    }
    // Where head has no configuration either, its models are named on the command line.
    head.workspace.is_none().then(|| Project::bare(&folder)).ok_or_else(|| {
        Failure::new(
            FailureKind::Nothing,
            "the base has no Cargo.toml and no trt-perf.toml where this project has one",
        )
    })
}

/// The files of `commit` in the new folder `tree`; names what git alone could not give of `whose` files.
pub(in crate::session) fn write_sources(
    repo: &Repo,
    commit: &str,
    tree: &Path,
    whose: &str,
    events: Events,
) -> Result<()> {
    let Extracted { lfs_missing, submodules, .. } = repo.extract_tree(commit, tree)?;
    let note = |text: String| events(Event::Note { text: &text });
    if !lfs_missing.is_empty() {
        let files: Vec<String> = lfs_missing.iter().map(|p| p.display().to_string()).collect();
        note(format!(
            "{whose}'s {} are in Git LFS and not here; run `git lfs fetch --all`",
            files.join(", ")
        ));
    }
    if !submodules.is_empty() {
        note(format!("{whose}'s {} are not extracted", plural(submodules.len(), "submodule")));
    }
    Ok(())
}
