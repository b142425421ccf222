//! Reads and writes one file of ours: a file that cannot be read is named, and one that is written is whole or not
//! there.

use crate::error::{Failure, Result};
use crate::file;
use crate::record::wire::document::FileKind;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// What a file holds, by `read` of its kind. Failures name the file.
pub fn open<T>(path: &Path, kind: &FileKind, read: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    understand(path, kind, file::read(path, &kind.file())?, read)
}

/// The same; `None` where there is no such file.
pub fn open_if_there<T>(
    path: &Path,
    kind: &FileKind,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<Option<T>> {
    let found = file::read_if_there(path, &kind.file())?;
    found.map(|bytes| understand(path, kind, bytes, read)).transpose()
}

fn understand<T>(
    path: &Path,
    kind: &FileKind,
    bytes: Vec<u8>,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let text = std::str::from_utf8(&bytes).map_err(|_| file::not(path, "is not text", &kind.file()))?;
    read(text).map_err(|f| Failure { message: format!("{} {}", path.display(), f.message), ..f })
}

/// Temporary file in the same folder, flushed, renamed; an existing file is left alone unless it is to be replaced.
pub fn write(path: &Path, kind: &FileKind, text: &str, replace: bool) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".record").tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        // Temporary files are private; a record is to be committed and read by others.
        #[cfg(unix)]
        std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        if replace {
            return file.persist(path).map(|_| ()).map_err(|e| e.error);
        }
        match file.persist_noclobber(path) {
            Ok(_) => Ok(()),
            // The id is a hash of the text: the same name is the same record.
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e.error),
        }
    };
    write().map_err(|e| Failure::io(&format!("write the {}", kind.noun), path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::wire::{self, document::RECORD};
    use std::fs::File;

    #[test]
    fn a_file_that_is_far_too_large_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.json");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = open(&path, &RECORD, wire::read).unwrap_err();
        assert!(error.message.ends_with("has more than 262144 bytes, so it is no record"), "{error}");
        assert!(error.message.contains("large.json"), "{error}");
    }
}
