//! Reads what the tables of models and variants have in common, and checks that the files they name are there.

use super::settings::SettingsLayer;
use super::shape;
use super::table::{self, Place, Problems, Table};
use super::{ArrivalsChoice, Overrides, ProgramOptions, ShapeSpec, Variant};
use crate::error::did_you_mean;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a model's table and a variant's table have in common.
#[derive(Clone, Default)]
pub(super) struct Part {
    layer: SettingsLayer,
    shapes: BTreeMap<String, ShapeSpec>,
    inputs: BTreeMap<String, PathBuf>,
    expect: BTreeMap<String, PathBuf>,
}

impl Part {
    pub fn read(table: &mut Table, dir: &Path) -> Self {
        let mut numbers = Vec::new();
        let mut files = |key: &'static str| -> BTreeMap<String, PathBuf> {
            table
                .sub(key)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(name, v)| match table::text(&v) {
                    // What it holds, and no file.
                    Err(_) if key == "inputs" && (v.is_i64() || v.is_array()) => {
                        numbers.push((name, v));
                        None
                    }
                    Ok(path) => Some((name, dir.join(path))),
                    Err(why) => {
                        table.problem(key, format!("tensor `{name}` {why}: the path of a .npy file"));
                        None
                    }
                })
                .collect()
        };
        let (inputs, expect) = (files("inputs"), files("expect"));
        let shapes = table.sub("shapes").map(shape::read_shapes);
        let shapes = match shapes {
            Some(Err(why)) => {
                table.problem("shapes", why);
                Vec::new()
            }
            Some(Ok(shapes)) => shapes,
            None => Vec::new(),
        };
        let mut shapes: BTreeMap<String, ShapeSpec> = shapes.into_iter().collect();
        for (name, value) in numbers {
            match ShapeSpec::read(&serde_json::json!({ "values": value })) {
                Ok(spec) => drop(shapes.insert(name, spec)),
                Err(why) => table.problem("inputs", format!("tensor `{name}` {why}")),
            }
        }
        Self { layer: SettingsLayer::read(table), shapes, inputs, expect }
    }

    pub fn over(self, below: &Self) -> Self {
        let merge = |below: &BTreeMap<String, PathBuf>, own| {
            let mut all = below.clone();
            all.extend::<BTreeMap<_, _>>(own);
            all
        };
        let mut shapes = below.shapes.clone();
        shapes.extend(self.shapes);
        Self {
            layer: self.layer.over(&below.layer),
            shapes,
            inputs: merge(&below.inputs, self.inputs),
            expect: merge(&below.expect, self.expect),
        }
    }

    pub fn variant(
        &self,
        name: Option<String>,
        (below, top): (&SettingsLayer, &SettingsLayer),
        overrides: &Overrides,
        program: Option<&ProgramOptions>,
    ) -> Variant {
        let mut shapes = self.shapes.clone();
        shapes.extend(overrides.shapes.iter().cloned());
        let mut files = OverridesFiles { inputs: self.inputs.clone(), expect: self.expect.clone() };
        files.apply(overrides);
        let settings = top.clone().over(&self.layer).resolve_for(program, below);
        Variant { name, shapes, inputs: files.inputs, expect: files.expect, settings }
    }
}

/// Tensor files of one variant, those of the command line on top.
#[derive(Default)]
pub(super) struct OverridesFiles {
    pub inputs: BTreeMap<String, PathBuf>,
    pub expect: BTreeMap<String, PathBuf>,
}

impl OverridesFiles {
    pub fn apply(&mut self, overrides: &Overrides) {
        self.inputs.extend(overrides.inputs.clone());
        self.expect.extend(overrides.expect.clone());
    }
}

/// A name becomes part of a case's id and of file names.
pub(super) fn name_text(value: &Value) -> Result<String, String> {
    let name = table::text(value)?;
    if name.is_empty() || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        return Err(format!(
            "is {name:?}; a name is not empty and has no slash, because it is part of the case's id"
        ));
    }
    Ok(name)
}

pub(super) fn check_files(model: &Path, variants: &[&Variant], place: &Place, problems: &mut Problems) {
    if !model.is_file() {
        problems.add(place, "path", format!("there is no file {}{}", model.display(), nearby(model)));
    }
    for variant in variants {
        if let ArrivalsChoice::File(path) = &variant.settings.arrivals
            && !path.is_file()
        {
            problems.add(place, "arrivals", format!("there is no file {}{}", path.display(), nearby(path)));
        }
        for (key, files) in [("inputs", &variant.inputs), ("expect", &variant.expect)] {
            for (tensor, path) in files.iter().filter(|(_, p)| !p.is_file()) {
                problems.add(
                    place,
                    key,
                    format!("there is no file {} for tensor `{tensor}`{}", path.display(), nearby(path)),
                );
            }
        }
    }
}

/// "; did you mean …?" from the files that are there, or that something else is.
pub(super) fn nearby(path: &Path) -> String {
    if path.symlink_metadata().is_ok() {
        return "; what is there is no regular file".into();
    }
    let Some((dir, name)) = path.parent().zip(path.file_name()) else { return String::new() };
    let names: Vec<String> = std::fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    did_you_mean(&name.to_string_lossy(), names.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean {near}?"))
}
