//! Tells from the index whether git tracks anything where a folder is to be.
//!
//! Reads the index as it is; it is never refreshed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{GitError, Repo, folder_names};

impl Repo {
    /// A path that git tracks below `folder`, at it, or in place of a folder above it: a link, a file or a submodule.
    /// All paths are relative to the repository's root.
    pub fn tracked_around(&self, folder: &Path) -> Result<Option<PathBuf>, GitError> {
        let folder = folder_names(folder)?.join(&b'/');
        let index = self.inner.index().map_err(self.failed("read the index"))?;
        let found = index.iter().find(|entry| is_around(&entry.path, &folder));
        Ok(found.map(|entry| PathBuf::from(OsStr::from_bytes(&entry.path))))
    }

    /// Whether `path` (canonical) lies in the working tree, or where git keeps this repository.
    pub fn holds(&self, path: &Path) -> bool {
        let git = [self.inner.path(), self.inner.commondir()].map(Path::canonicalize);
        path.starts_with(&self.workdir) || git.iter().flatten().any(|folder| path.starts_with(folder))
    }
}

/// Whether one of the two paths is the other one, or leads to it.
fn is_around(tracked: &[u8], folder: &[u8]) -> bool {
    let leads_to = |short: &[u8], long: &[u8]| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    !folder.is_empty() && (leads_to(tracked, folder) || leads_to(folder, tracked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_at_and_below_counts_and_namesakes_do_not() {
        let cases = [
            ("target", true),
            ("target/trt-perf", true),
            ("target/trt-perf/engines/a.engine", true),
            ("target/trt-perf2/a", false),
            ("target/debug", false),
            ("targ", false),
        ];
        for (tracked, expected) in cases {
            assert_eq!(is_around(tracked.as_bytes(), b"target/trt-perf"), expected, "{tracked}");
        }
        assert!(!is_around(b"anything", b""), "the root is no folder of ours");
    }
}
