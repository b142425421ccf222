//! The folder of one check, or of commits of the past: their sources and engines, out of reach of what is checked out.
//!
//! Invariant: it lies outside of the work tree, nobody else may enter it, and it is gone when the check is; what a killed
//! check left is removed by the next one (`tests/it/hostile/places.rs`).

use crate::cache;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::session::{Event, Events};
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the folders of checks begin with.
const PREFIX: &str = "cargo-trt-perf-check-";

/// Removed when it is dropped.
#[derive(Debug)]
pub struct Private {
    dir: TempDir,
    /// Held as long as this process lives: how others see that the folder is in use.
    _lock: File,
    cache: Option<PathBuf>,
}

impl Private {
    /// Makes the folder where temporary files belong. `use_cache`: earlier checks' engines may be used.
    pub(in crate::session) fn make(root: &Path, use_cache: bool, events: Events) -> Result<Self> {
        let repo = Repo::discover(root).ok().flatten();
        let inside =
            |path: &Path| path.starts_with(root) || repo.as_ref().is_some_and(|repo| repo.holds(path));
        let temporary = std::env::temp_dir();
        let fail = |e: std::io::Error| Failure::io("create a private folder in", &temporary, &e);
        let place = temporary.canonicalize().map_err(fail)?;
        if inside(&place) {
            return Err(Failure::usage(format!(
                "temporary files go to {}, which lies in the repository: what is checked out must not reach what judges it",
                place.display()
            ))
            .next("set TMPDIR to a folder outside of it"));
        }
        sweep(&place);
        let cache = use_cache.then(|| find_cache(&inside)).transpose().unwrap_or_else(|why| {
            events(Event::Note { text: &format!("no engines of earlier checks are used: {why}") });
            None
        });
        let (dir, _lock) = locked(&place).map_err(fail)?;
        Ok(Self { dir, _lock, cache })
    }

    /// The folder itself.
    pub(in crate::session) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the base's sources are to be.
    pub(super) fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    /// The engines of both arms, or of all commits.
    pub(in crate::session) fn engines(&self) -> PathBuf {
        self.dir.path().join("engines")
    }

    /// Forgets the engines of a commit that is done with: those of many would fill the disk, and what the next one may
    /// share with it is in the user's cache.
    pub(in crate::session) fn remove_engines(&self) {
        // Only space is lost where this fails.
        let _ = std::fs::remove_dir_all(self.engines());
    }

    /// The engines of earlier checks, if they may be used.
    pub(in crate::session) fn cache(&self) -> Option<PathBuf> {
        self.cache.clone()
    }
}

/// The cache of this user, outside of the repository.
fn find_cache(inside: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
    let home =
        cache::home().ok_or_else(|| Failure::usage("neither XDG_CACHE_HOME nor HOME is an absolute path"))?;
    let existing = home.ancestors().find_map(|path| path.canonicalize().ok());
    if existing.is_some_and(|path| inside(&path)) {
        return Err(Failure::usage(format!("{} lies in the repository", home.display())));
    }
    cache::make(&home)
}

/// A new folder with the mode 0700 that is locked. One that a sweep took before it was locked is made again.
fn locked(place: &Path) -> std::io::Result<(TempDir, File)> {
    let only_ours = Permissions::from_mode(0o700);
    loop {
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(only_ours.clone()).tempdir_in(place)?;
        let Ok(lock) = File::open(dir.path()) else { continue };
        // A file system that has no locks has nobody who sweeps, either.
        let _ = lock.try_lock();
        let same = |found: std::fs::Metadata| lock.metadata().is_ok_and(|held| held.ino() == found.ino());
        if dir.path().symlink_metadata().is_ok_and(same) {
            return Ok((dir, lock));
        }
    }
}

/// Removes what killed checks of this user left.
fn sweep(place: &Path) {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::DIRECTORY).bits().cast_signed();
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(folder) = File::options().read(true).custom_flags(flags).open(entry.path()) else { continue };
        let own =
            |m: std::fs::Metadata| m.uid() == rustix::process::geteuid().as_raw() && m.mode() & 0o77 == 0;
        if folder.metadata().is_ok_and(own) && folder.try_lock().is_ok() {
            // Only space is lost where this fails.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
