//! Writes the sources of a commit from git into a private folder.

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::Repo;
use std::path::{Path, PathBuf};

/// So many files are named, of each kind.
const NAMED: usize = 5;

/// The project `head` as it was in a commit that was written to `folder`.
pub(super) fn project_in(folder: &Path, head: &Project) -> Result<Project> {
    // By its own settings of cargo, not by those of the work tree.
    if let Some(project) = Project::at(folder)? {
        return Ok(project);
    }
    // Where head has no configuration either, its models are named on the command line.
    head.workspace.is_none().then(|| Project::bare(folder)).ok_or_else(|| {
        Failure::new(
            FailureKind::Nothing,
            "the base has no Cargo.toml and no trt-perf.toml where this project has one",
        )
    })
}

/// What git alone could not give of a commit's files.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session) struct Withheld {
    /// What kind of files these are, and what becomes of them.
    pub what: &'static str,
    /// Some of them, and how many more there are.
    pub files: String,
}

impl Withheld {
    /// `None` where there are no such files.
    fn of(what: &'static str, files: &[PathBuf]) -> Option<Self> {
        let mut names: Vec<String> = files.iter().take(NAMED).map(|p| p.display().to_string()).collect();
        if files.len() > NAMED {
            names.push(format!("and {} more", files.len() - NAMED));
        }
        (!names.is_empty()).then(|| Self { what, files: names.join(", ") })
    }

    /// In words, where the commit is the base of a check.
    pub(super) fn of_the_base(&self) -> String {
        format!("the base has {}: {}", self.what, self.files)
    }
}

/// The files of `commit` in the new folder `tree`.
pub(in crate::session) fn write_sources(repo: &Repo, commit: &str, tree: &Path) -> Result<Vec<Withheld>> {
    let done = repo.extract_tree(commit, tree)?;
    let kinds = [
        ("files in Git LFS that are not here (`git lfs fetch --all` gets them)", done.lfs_missing),
        ("submodules, which are not extracted", done.submodules),
        ("links that lead out of its tree", done.links_outside),
    ];
    Ok(kinds.iter().filter_map(|(what, files)| Withheld::of(what, files)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_files_are_five_names_and_a_number() {
        let files: Vec<PathBuf> = (0..1000).map(|at| format!("m{at}.onnx").into()).collect();
        let names = |files| Withheld::of("links", files).map(|withheld| withheld.files);
        let some = "m0.onnx, m1.onnx, m2.onnx, m3.onnx, m4.onnx";
        assert_eq!(names(&files), Some(format!("{some}, and 995 more")));
        assert_eq!(names(&files[..5]), Some(some.to_owned()));
        assert_eq!(names(&[]), None);
    }
}
