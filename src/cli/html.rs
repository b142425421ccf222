//! Writes a page to the file that was asked for.

use crate::error::{Failure, Result};
use std::path::Path;

/// Writes `page` to the file; a folder that is missing is made.
pub fn write_page(path: &Path, page: &str) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    }
    std::fs::write(path, page).map_err(|e| Failure::io("write the page", path, &e))
}
