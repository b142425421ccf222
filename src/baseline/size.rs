//! How large the files in `baselines/` are, by their names and metadata alone.

use super::{Entry, Store};
use crate::error::{Failure, Result};
use std::path::PathBuf;

/// The sizes of the files of a store, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    /// Records of commits.
    pub records: Vec<(Entry, u64)>,
    /// Records with a name.
    pub named: Vec<u64>,
    /// All files below the folder, whoever wrote them.
    pub all: Vec<u64>,
}

impl Store {
    /// How large its files are. Links are not followed.
    pub fn sizes(&self) -> Result<Sizes> {
        let size = |path: &PathBuf| {
            path.symlink_metadata().map(|found| found.len()).map_err(|e| Failure::io("look at", path, &e))
        };
        let records = self.list()?.into_iter().map(|entry| Ok((entry.clone(), size(&entry.path)?)));
        let named = self.named()?.into_iter().map(|named| size(&named.path));
        let (records, named) = (records.collect::<Result<_>>()?, named.collect::<Result<_>>()?);
        let (mut all, mut folders) = (Vec::new(), vec![self.dir.clone()]);
        while let Some(folder) = folders.pop() {
            for found in super::read_dir(&folder)? {
                let path = found.path();
                if path.is_symlink() || !path.is_dir() { all.push(size(&path)?) } else { folders.push(path) }
            }
        }
        Ok(Sizes { records, named, all })
    }
}
