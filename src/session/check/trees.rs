//! Writes the sources of the base from git into the folder of the check.

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Extracted, Repo};
use crate::session::{Event, Events};
use crate::units::plural;
use std::path::Path;

/// The project as it was at `commit`, in the new folder `tree`. `root` is where it lies in the repository.
pub(super) fn extract(
    repo: &Repo,
    root: &Path,
    commit: &str,
    tree: &Path,
    events: Events,
) -> Result<Project> {
    say_missing(&repo.extract_tree(commit, tree)?, events);
    // By its own settings of cargo, not by those of the work tree.
    Project::at(&tree.join(root))?.ok_or_else(|| {
        Failure::new(
            FailureKind::Nothing,
            "the base has no Cargo.toml and no trt-perf.toml where this project has one",
        )
    })
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
