//! What the command line adds to the configuration.

use super::{Project, ShapeSpec};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config KEY=VALUE` and its short forms, as one table.
    pub settings: Map<String, Value>,
    /// `--shape NAME:SHAPE`: shapes, or values that decide shapes, by input.
    pub shapes: Vec<(String, ShapeSpec)>,
    /// `--input NAME=FILE`: `.npy` files by the input they are for.
    pub inputs: BTreeMap<String, PathBuf>,
    /// `--expect NAME=FILE`: `.npy` files by the output that has to match them.
    pub expect: BTreeMap<String, PathBuf>,
    /// Models that a shape may name before its input, as inputs' names may hold colons, too; [`Self::knowing`] adds them.
    pub models: BTreeSet<String>,
}

impl Overrides {
    /// The same, knowing the models of this project and of the files, too. What is a model in one arm of a check is none of
    /// the other's inputs.
    #[must_use]
    pub fn knowing(&self, project: &Project, files: &[PathBuf]) -> Self {
        let configured = project.tables().flat_map(|(_, table)| model_names(table));
        let models = self.models.iter().cloned().chain(configured).chain(project.file_names(files));
        Self { models: models.collect(), ..self.clone() }
    }

    /// Those for one model.
    pub(super) fn for_model(&self, model: &str) -> Self {
        let named = |(input, shape): &(String, ShapeSpec)| match input.split_once(':') {
            Some((of, input)) if of == model => Some((input.to_owned(), shape.clone())),
            Some((of, _)) if self.models.contains(of) => None,
            _ => Some((input.clone(), shape.clone())),
        };
        Self { shapes: self.shapes.iter().filter_map(named).collect(), ..self.clone() }
    }
}

/// What the models of a `trt-perf` table are called, where they say it.
fn model_names(table: &Value) -> impl Iterator<Item = String> {
    let models = table.get("model").and_then(Value::as_array);
    models.into_iter().flatten().filter_map(|model| Some(model.get("name")?.as_str()?.to_owned()))
}
