//! Reads `trt-perf.toml`, for repositories without Cargo and for machines without it.

use super::{Folders, Project, Workspace};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use serde_json::{Value, json};
use std::path::Path;

impl Project {
    /// What the file configures. Its folder is the project's root.
    pub(super) fn own(manifest: &Path) -> Result<Self> {
        let text = file::text(manifest, &file::OWN_MANIFEST)?;
        let metadata = json!({ "trt-perf": parsed(&text).map_err(|why| malformed(manifest, &why))? });
        let root = manifest.parent().unwrap_or(Path::new("."));
        only_one(root)?;
        Ok(Self {
            folders: Folders::without_cargo(root),
            root: root.to_owned(),
            workspace: Some(Workspace { manifest: manifest.to_owned(), metadata, members: Vec::new() }),
        })
    }
}

/// A TOML text as cargo would give it; or the line and what is wrong there.
fn parsed(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|e: toml::de::Error| {
        let line = e.span().map_or(0, |at| text[..at.start].matches('\n').count()) + 1;
        format!("line {line}: {}", e.message())
    })
}

fn malformed(manifest: &Path, why: &str) -> Failure {
    Failure::new(FailureKind::Usage, format!("{}, {why}", manifest.display()))
        .next("correct that line; `cargo trt-perf init` elsewhere shows how such a file looks")
}

/// Models that stand in a Cargo.toml beside the file would not be measured, and nobody would notice.
fn only_one(root: &Path) -> Result<()> {
    let cargo = root.join("Cargo.toml");
    let Some(bytes) = file::read_if_there(&cargo, &file::MANIFEST)? else { return Ok(()) };
    let table: Value = toml::from_str(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
    let there = |of: &str| table.pointer(&format!("/{of}/metadata/trt-perf")).is_some();
    if there("package") || there("workspace") {
        return Err(Failure::usage(format!(
            "models are configured twice: in {} and in {}",
            root.join(super::OWN_FILE).display(),
            cargo.display()
        ))
        .next("move them into one of the files, and remove the other's table"));
    }
    Ok(())
}
