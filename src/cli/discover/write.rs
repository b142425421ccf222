//! Writes the winner's settings into the configuration, for `--write`.

use crate::cli::shown;
use crate::config::edit::{EditedTable, SettingChange, SettingValue, write as write_changes};
use crate::config::{Overrides, Project, Settings};
use crate::discover::Cell;
use crate::error::Result;
use crate::outcome::Explored;
use std::path::PathBuf;

/// Writes the winner of a grid into its manifest, and says what; `None` without a winner.
pub fn write(project: &Project, explored: &Explored) -> Result<Option<(PathBuf, String)>> {
    let Some((written, winner)) = explored.grid.written.as_ref().zip(explored.ranking.winner) else {
        return Ok(None);
    };
    let cell = explored.trials.entries[winner].cell;
    // What the files say: options of this command line are not in them.
    let models = project.models(&[], &Overrides::default())?;
    let same = models.iter().find(|m| m.place.manifest == written.manifest && m.name == written.model);
    let Some(same) = same else { return Ok(None) };
    let Some(variant) = same.variants.iter().find(|v| v.name == written.variant) else { return Ok(None) };
    let case = explored.grid.cells.get(winner);
    let on_gpu = case.is_some_and(|c| c.target.kind.on_gpu());
    let changes = changes(cell, &variant.settings, explored.grid.axes.batch.len() > 1, on_gpu);
    let said: Vec<String> = changes.iter().map(SettingChange::to_string).collect();
    let table = match &written.variant {
        Some(variant) => format!("variant \"{variant}\" of model \"{}\"", written.model),
        None => format!("model \"{}\"", written.model),
    };
    let file = shown(&written.manifest);
    if changes.is_empty() {
        let text = format!("nothing to write: {table} in {file} is configured like that already");
        return Ok(Some((written.manifest.clone(), text)));
    }
    let place =
        EditedTable { home: same.place.home, model: &written.model, variant: written.variant.as_deref() };
    write_changes(&written.manifest, place, &changes)?;
    Ok(Some((written.manifest.clone(), format!("written to {table} in {file}: {}", said.join(", ")))))
}

/// What differs from what is configured. Streams are written whatever is usual: on a CPU that depends on the machine,
/// and where nothing of the point is said, an older pin would take its place.
fn changes(cell: Cell, configured: &Settings, batch_varied: bool, on_gpu: bool) -> Vec<SettingChange> {
    let p = cell.point;
    let usual_in_flight = if on_gpu { 2 } else { 1 };
    let number = |key, n| SettingChange { key, value: SettingValue::Number(n) };
    let mut changes = Vec::new();
    if batch_varied && configured.batches.as_deref() != Some(&[p.batch]) {
        changes.push(SettingChange { key: "batches", value: SettingValue::List(vec![p.batch]) });
    }
    if configured.streams != Some(p.streams) {
        changes.push(number("streams", p.streams));
    }
    if configured.in_flight.unwrap_or(usual_in_flight) != p.in_flight {
        changes.push(number("in-flight", p.in_flight));
    }
    if configured.cuda_graph != p.cuda_graph {
        changes.push(SettingChange { key: "cuda-graph", value: SettingValue::Switch(p.cuda_graph) });
    }
    if configured.threads != cell.threads {
        changes.push(number("threads", cell.threads));
    }
    changes
}
