//! Reads the tables `trt-perf` of Cargo manifests, through `cargo metadata`, or a `trt-perf.toml`, as a checked list of
//! models.
//!
//! [`Project`] says where things are, and [`Model`]s what is asked for. Manifests are read and files are looked for;
//! models are not opened and nothing else is run.

mod build;
#[cfg(feature = "cli")]
mod cargo;
#[cfg(feature = "cli")]
pub mod edit;
mod folders;
mod home;
mod overrides;
#[cfg(feature = "cli")]
mod own;
mod part;
mod prepare;
mod program;
mod setting;
mod settings;
mod shape;
mod table;
pub mod tensorrt;
mod tolerance;
mod words;

pub use build::BuildOptions;
pub use folders::{Folders, case_folder};
pub use home::{Home, OWN_FILE};
pub use overrides::Overrides;
pub use prepare::Prepare;
pub use program::ProgramOptions;
pub use setting::{Flag, Setting, Takes};
pub use settings::{MARGIN_FRAC, SETTINGS, Settings, TAIL_MARGIN_FRAC, parse_override};
pub use shape::{Shape, ShapeSpec, Values, dims_text};
pub use table::Place;
pub use tensorrt::TensorrtOptions;
pub use tolerance::Tolerances;
pub use words::{ArrivalsChoice, BackendChoice, BackendKind, Scenario, Wait, is_plan};

use crate::error::{Failure, FailureKind, Result, did_you_mean};
use part::{OverridesFiles, Part, check_files, name_text};
use serde_json::{Map, Value};
use settings::SettingsLayer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use table::{Problems, Table};

/// The package name in the id of a case whose model was named on the command line.
pub const AD_HOC_PACKAGE: &str = "files";
/// The package name in the id of a case whose model belongs to no package.
const NO_PACKAGE: &str = "project";

/// Where things are: the workspace, and the folders this tool writes to.
#[derive(Debug)]
pub struct Project {
    /// The folder of its configuration; where there is none, the root of the repository, or the current folder.
    pub root: PathBuf,
    /// The folders that sessions write to.
    pub folders: Folders,
    /// `None` where nothing is configured.
    pub workspace: Option<Workspace>,
}

/// A Cargo workspace, or what a `trt-perf.toml` configures, as far as it is read.
#[derive(Debug)]
pub struct Workspace {
    /// The `Cargo.toml` at its root, or the `trt-perf.toml`.
    pub manifest: PathBuf,
    /// `[workspace.metadata]`, or the whole file of ours as its `trt-perf`.
    pub metadata: Value,
    /// Its packages; a file of ours has none.
    pub members: Vec<Package>,
}

/// A package of a workspace, as far as it is read.
#[derive(Debug)]
pub struct Package {
    /// As in its manifest.
    pub name: String,
    /// Its `Cargo.toml`.
    pub manifest: PathBuf,
    /// `[package.metadata]`.
    pub metadata: Value,
}

/// A model as configured.
#[derive(Clone, Debug)]
pub struct Model {
    /// The package it is configured in, or [`AD_HOC_PACKAGE`].
    pub package: String,
    /// Its name, unique within the package.
    pub name: String,
    /// The model file.
    pub path: PathBuf,
    /// The ways it is asked for, at least one.
    pub variants: Vec<Variant>,
    /// Where it is configured, for messages about it.
    pub place: Place,
}

/// One way a model is asked for: shapes, inputs and settings.
#[derive(Clone, Debug)]
pub struct Variant {
    /// `None` where the model has no named variants.
    pub name: Option<String>,
    /// Shapes by input; the others are as the model declares them.
    pub shapes: BTreeMap<String, ShapeSpec>,
    /// `.npy` files for inputs; the others are seeded random.
    pub inputs: BTreeMap<String, PathBuf>,
    /// `.npy` files the outputs must match within the tolerances.
    pub expect: BTreeMap<String, PathBuf>,
    /// What all layers of settings come to.
    pub settings: Settings,
}

impl Project {
    /// A folder without a configuration (or without cargo): only models named on the command line are measured.
    pub fn bare(folder: &Path) -> Self {
        let root = home::repository(folder).to_owned();
        Self { folders: Folders::without_cargo(&root), root, workspace: None }
    }

    /// The folder of committed baselines.
    pub fn baselines(&self) -> PathBuf {
        self.root.join("baselines")
    }

    /// What prepares a tree for measuring (exports models, say), as configured.
    pub fn prepare(&self) -> Result<Option<Prepare>> {
        prepare::find(&self.tables().collect::<Vec<_>>())
    }

    /// Whether anything is: a Cargo project need not have a table of ours.
    pub fn is_configured(&self) -> bool {
        self.tables().next().is_some()
    }

    /// The `trt-perf` tables, as far as there are any, each with its manifest.
    fn tables(&self) -> impl Iterator<Item = (&Path, &Value)> {
        let all = self.workspace.iter().flat_map(|workspace| {
            let members = workspace.members.iter().map(|p| (&p.manifest, &p.metadata));
            std::iter::once((&workspace.manifest, &workspace.metadata)).chain(members)
        });
        all.filter_map(|(manifest, metadata)| Some((&**manifest, metadata.get("trt-perf")?)))
    }

    /// Every configured model, of `packages` only if any are named.
    pub fn models(&self, packages: &[String], overrides: &Overrides) -> Result<Vec<Model>> {
        let Some(workspace) = &self.workspace else {
            return Err(Failure::new(
                FailureKind::Nothing,
                format!("no trt-perf.toml and no Cargo project (or no cargo) at {} or above it", self.root.display()),
            )
            .next("write a trt-perf.toml: `cargo trt-perf init`; or name a model: `cargo trt-perf run model.onnx --shape input:1x3x224x224`"));
        };
        let members = &workspace.members;
        for name in packages {
            if !members.iter().any(|p| p.name == *name) {
                let failure = Failure::usage(format!("there is no package `{name}` in this workspace"));
                let near = did_you_mean(name, members.iter().map(|p| p.name.as_str()));
                return Err(failure.next(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if members.is_empty() => "there are none here: leave --package out".into(),
                    None => "see `cargo metadata --no-deps`".into(),
                }));
            }
        }
        let mut problems = Problems::default();
        let top = command_line_layer(overrides, &mut problems);
        let home = Home::of_project(&workspace.manifest);
        let place = Place::new(home, String::new(), workspace.manifest.clone());
        let map = our_table(&workspace.metadata, &place, &mut problems);
        let nothing = SettingsLayer::default();
        let overrides = &overrides.knowing(self, &[]);
        let (defaults, mut models) = tables(map, place, (&nothing, &top), overrides, &mut problems);
        if !packages.is_empty() {
            models.clear();
        }
        for package in members.iter().filter(|p| packages.is_empty() || packages.contains(&p.name)) {
            let place = Place::new(Home::Package, package.name.clone(), package.manifest.clone());
            let map = our_table(&package.metadata, &place, &mut problems);
            models.extend(tables(map, place, (&defaults, &top), overrides, &mut problems).1);
        }
        problems.check()?;
        Ok(models)
    }

    /// Models named on the command line. Where files have the same stem, their paths name them; a shape for
    /// `MODEL:INPUT` is for the one model, where the overrides know it.
    pub fn ad_hocs(&self, paths: &[PathBuf], overrides: &Overrides) -> Result<Vec<Model>> {
        (paths.iter().zip(self.file_names(paths)))
            .map(|(path, name)| {
                let model = self.ad_hoc(path, &overrides.for_model(&name))?;
                Ok(Model { name, ..model })
            })
            .collect()
    }

    /// What the models of these files are called.
    fn file_names(&self, paths: &[PathBuf]) -> Vec<String> {
        let stems: Vec<String> = paths.iter().map(|path| stem(path)).collect();
        (paths.iter().zip(&stems))
            .map(|(path, stem)| match stems.iter().filter(|s| *s == stem).count() {
                1 => stem.clone(),
                _ => self.path_name(path),
            })
            .collect()
    }

    /// A file's path within the project as one word.
    fn path_name(&self, path: &Path) -> String {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).with_extension("");
        let inside = path.strip_prefix(&self.root).unwrap_or(&path);
        let parts = inside.components().filter(|c| matches!(c, std::path::Component::Normal(_)));
        parts.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join(".")
    }

    /// A model named on the command line, with no configuration but the overrides.
    pub fn ad_hoc(&self, path: &Path, overrides: &Overrides) -> Result<Model> {
        let mut problems = Problems::default();
        let top = command_line_layer(overrides, &mut problems);
        let path = std::path::absolute(path).map_err(|e| Failure::io("find", path, &e))?;
        let name = stem(&path);
        let mut files = OverridesFiles::default();
        files.apply(overrides);
        let variant = Variant {
            name: None,
            shapes: overrides.shapes.iter().cloned().collect(),
            inputs: files.inputs,
            expect: files.expect,
            settings: top.resolve(),
        };
        let place = Place::command_line();
        check_files(&path, &[&variant], &place, &mut problems);
        problems.check()?;
        Ok(Model { package: AD_HOC_PACKAGE.into(), name, path, variants: vec![variant], place })
    }
}

/// What a file is called where nothing else names it.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned())
}

fn command_line_layer(overrides: &Overrides, problems: &mut Problems) -> SettingsLayer {
    let mut table = Table::new(overrides.settings.clone(), Place::command_line(), problems);
    let layer = SettingsLayer::read(&mut table);
    table.finish();
    layer
}

/// The `trt-perf` table of a metadata value.
fn our_table(metadata: &Value, place: &Place, problems: &mut Problems) -> Map<String, Value> {
    match metadata.get("trt-perf") {
        None => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(other) => {
            problems.add(place, "trt-perf", format!("is {}, where a table is meant", table::describe(other)));
            Map::new()
        }
    }
}

/// The settings and models of one package, or of none. `layers` are what lies below and above its own table.
fn tables(
    map: Map<String, Value>,
    place: Place,
    layers: (&SettingsLayer, &SettingsLayer),
    overrides: &Overrides,
    problems: &mut Problems,
) -> (SettingsLayer, Vec<Model>) {
    let (below, top) = layers;
    let mut table = Table::new(map, place.clone(), problems);
    let package = SettingsLayer::read(&mut table).over(below);
    prepare::read(&mut table);
    let tables = table.subs("model");
    table.finish();
    let mut seen = BTreeSet::new();
    let mut models = Vec::new();
    for (index, map) in tables.into_iter().enumerate() {
        let label = map
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(|| format!("#{}", index + 1), |n| format!("\"{n}\""));
        let place = place.table(place.home.model(&label));
        let overrides = match map.get("name").and_then(Value::as_str) {
            Some(name) => overrides.for_model(name),
            None => overrides.clone(),
        };
        let Some(model) = read_model(map, place, (&package, top), &overrides, problems) else { continue };
        if !seen.insert(model.name.clone()) {
            problems.add(
                &model.place,
                "name",
                "another model of this package has the same name; names must differ",
            );
        }
        models.push(model);
    }
    (package, models)
}

fn read_model(
    mut map: Map<String, Value>,
    place: Place,
    layers: (&SettingsLayer, &SettingsLayer),
    overrides: &Overrides,
    problems: &mut Problems,
) -> Option<Model> {
    let (below, top) = layers;
    let dir = place.manifest.parent().unwrap_or(Path::new("")).to_owned();
    // A key that is there and wrong is reported for that, and not as missing too.
    let missing =
        [("name", map.contains_key("name")), ("path", map.contains_key("path") || map.contains_key("run"))];
    let program = program::take(&mut map);
    let mut table = Table::new(map, place.clone(), problems);
    let name = table.get("name", name_text);
    let path = table.get("path", table::text);
    let program = program.read(&mut table);
    if program.is_some() && path.is_some() {
        table.problem("path", "stands beside `run`: a model is a file or a program; leave one of them out");
    }
    for (key, there) in missing {
        if !there {
            table.problem(
                key,
                "is needed: a model has a name and the path of its .onnx file, relative to this file; or it is a program, and `run` starts it",
            );
        }
    }
    let own = Part::read(&mut table, &dir);
    let variant_tables = table.subs("variant");
    table.finish();
    let mut variants = Vec::new();
    for map in &variant_tables {
        let place = place.table(format!("{} variant", place.table));
        let mut table = Table::new(map.clone(), place.clone(), problems);
        let variant_name = table.get("name", name_text);
        let part = Part::read(&mut table, &dir).over(&own);
        if !map.contains_key("name") {
            table.problem("name", "is needed: it becomes part of the case's id");
        }
        table.finish();
        if variants.iter().any(|v: &Variant| v.name == variant_name) {
            problems.add(
                &place,
                "name",
                "another variant of this model has the same name; names must differ",
            );
        }
        variants.push(part.variant(variant_name, (below, top), overrides, program.as_ref()));
    }
    if variant_tables.is_empty() {
        variants.push(own.variant(None, (below, top), overrides, program.as_ref()));
    }
    // A program is known by the file that says how it is started.
    let path = if program.is_some() { place.manifest.clone() } else { dir.join(path?) };
    let name = name?;
    check_files(&path, &variants.iter().collect::<Vec<_>>(), &place, problems);
    let package = if place.package.is_empty() { NO_PACKAGE } else { &place.package }.to_owned();
    Some(Model { package, name, path, variants, place })
}
