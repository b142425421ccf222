//! Whether the folders that this tool reads, writes and tidies are its own: nothing in them is committed, none is a link.
//!
//! A pull request may bring any file and any link. Invariant: no verb follows a link at one of these places, and none
//! believes a committed file there (`tests/it/hostile/places.rs`).

use crate::config::Project;
use crate::error::{Failure, Result};
use crate::git::Repo;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Fails, naming the path, where a folder of `project` that this tool works in is not its own.
pub fn ensure_ours(project: &Project) -> Result<()> {
    let target = project.folders.target();
    // A repository that cannot be read is told, or does not matter, where its commits are needed.
    if let Ok(Some(repo)) = Repo::discover(&project.root) {
        for place in [as_written(&repo, project, target), repo.relative(target).ok()].into_iter().flatten() {
            if let Ok(Some(path)) = repo.tracked_around(&place) {
                return Err(committed(&path, target));
            }
        }
    }
    ensure_no_link(target)?;
    project.folders.all().iter().try_for_each(|folder| ensure_no_link(folder))?;
    ensure_no_links_in(&project.folders.results())?;
    ensure_no_link(&project.baselines())?;
    ensure_no_links_in(&project.baselines())
}

/// `target` from the repository's root with its links in it; `None` where it is not written as a path below the root.
fn as_written(repo: &Repo, project: &Project, target: &Path) -> Option<PathBuf> {
    let root = project.root.canonicalize().ok()?;
    let target =
        target.strip_prefix(&project.root).map_or_else(|_| target.to_owned(), |rest| root.join(rest));
    let plain = target.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    target.strip_prefix(repo.workdir()).ok().filter(|_| plain).map(Path::to_owned)
}

fn committed(path: &Path, target: &Path) -> Failure {
    let shown = path.display();
    Failure::usage(format!(
        "git tracks {shown}, where {} is to be: what is committed there must not pass for what was measured",
        target.display()
    ))
    .next(format!("take it out: git rm -r --cached '{shown}', and list /target in .gitignore"))
}

/// Fails where `folder` is there and is a link, or no folder.
fn ensure_no_link(folder: &Path) -> Result<()> {
    let found = match folder.symlink_metadata() {
        Err(e) if is_absent(&e) => return Ok(()),
        found => found.map_err(|e| Failure::io("look at", folder, &e))?,
    };
    if found.is_dir() {
        return Ok(());
    }
    let what = if found.is_symlink() { "is a symbolic link" } else { "is no folder" };
    Err(Failure::usage(format!(
        "{} {what}: it is not followed, nothing was read or written there",
        folder.display()
    ))
    .next("remove it; a real folder of that name is made when it is needed"))
}

/// Below a file there is nothing either; whoever makes the folder says so.
fn is_absent(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The same for what lies directly in `folder`, which may hold files too.
fn ensure_no_links_in(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if is_absent(&e) => return Ok(()),
        entries => entries.map_err(|e| Failure::io("read the folder", folder, &e))?,
    };
    let link = |e: &std::fs::DirEntry| e.file_type().is_ok_and(|t| t.is_symlink());
    entries.flatten().filter(link).try_for_each(|entry| ensure_no_link(&entry.path()))
}
