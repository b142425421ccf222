//! Prints where a stored baseline is, what to do with it, and a warning where it is large.

use super::shown;
use crate::baseline::{Store, WARN_BYTES};
use crate::config::Project;
use crate::error::Result;
use crate::record::Record;
use crate::units::plural;
use std::path::Path;

/// Stores `record`, under a name or as its commit's, and says where.
pub fn save_baseline(
    project: &Project,
    record: &mut Record,
    name: Option<&str>,
    interrupted: bool,
) -> Result<Vec<String>> {
    if record.cases.is_empty() || interrupted {
        return Ok(vec!["no baseline was saved: the session was not complete".into()]);
    }
    let store = Store::new(project.baselines());
    let path = match name {
        Some(name) => store.save_named(record, name)?,
        None => store.save_baseline(record)?,
    };
    let mut notes = vec![stored_note(&path, project)];
    notes.extend(size_note(&path, record));
    Ok(notes)
}

/// Where a baseline is, and what to do with it.
pub fn stored_note(path: &Path, project: &Project) -> String {
    format!("baseline: {} (commit it: git add {})", shown(path), shown(&project.baselines()))
}

/// A warning about a record that is large for a repository.
pub fn size_note(path: &Path, record: &Record) -> Option<String> {
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    (size > WARN_BYTES as u64).then(|| {
        format!(
            "warning: this baseline has {size} bytes ({}); it stays in the repository for good",
            plural(record.cases.len(), "case")
        )
    })
}
