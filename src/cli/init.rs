//! The `init` verb: adds a commented configuration to the package's manifest, or a file of ours, and what belongs beside it.
//!
//! It appends text, or writes a new file, and overwrites nothing: what people wrote stays as it is, byte for byte. The
//! manifest is written last, so that a run that failed half-way can be repeated.

mod manifest;
mod text;

use super::exit::Exit;
use super::out;
use crate::config::edit::replace;
use crate::config::{Home, OWN_FILE, Project};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::onnx::ModelInput;
use crate::printable::line;
use crate::session::declared_inputs;
use manifest::{append, check, check_appended, line_end};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use text::{MODELS_WRITTEN, NamedModel, name_models, section};

/// Records are one per file and never merged; reviewers need not read them.
const GITATTRIBUTES: &str = "* -text -merge linguist-generated=true\n";
/// How deep models are looked for, the file itself counted.
const MODEL_DEPTH: usize = 4;

/// Write a first, commented configuration
///
/// Appends a commented table with every key to this package's Cargo.toml, or writes a trt-perf.toml where there is no
/// Cargo project (or no cargo), with the .onnx files found and the inputs that they declare; adds baselines/.gitattributes and a
/// .gitignore line. Overwrites nothing.
#[derive(clap::Args)]
pub struct InitArgs {}

/// Runs the verb.
pub fn run(_: &InitArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = Project::find(manifest)?;
    let done = match package(&project, manifest)? {
        Some(manifest) => {
            let folder = manifest.parent().unwrap_or(Path::new("."));
            write(&manifest, &project.root, &find_models(folder), &declared_inputs)?
        }
        None => create(&project.root, &find_models(&project.root), &declared_inputs)?,
    };
    out(&done.iter().map(|text| line(text) + "\n").collect::<String>());
    Ok(Exit::Ok)
}

/// The Cargo.toml to add to; `None` where there is none, and a file of ours is to be written.
fn package(project: &Project, manifest: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(own) = project.workspace.as_ref().filter(|w| w.manifest.ends_with(OWN_FILE)) {
        return Err(Failure::usage(format!(
            "there is {} already; nothing was changed",
            own.manifest.display()
        ))
        .next("edit that file, or remove it and run again to have it written anew"));
    }
    if let Some(path) = manifest {
        return std::path::absolute(path).map(Some).map_err(|e| Failure::io("find", path, &e));
    }
    // Without cargo a table in its manifest would never be read.
    if project.workspace.is_none() {
        return Ok(None);
    }
    let cwd =
        std::env::current_dir().map_err(|e| Failure::io("find", Path::new("the current folder"), &e))?;
    Ok(cwd.ancestors().map(|d| d.join("Cargo.toml")).find(|m| m.is_file()))
}

/// Asks for the inputs of a model's file.
type InputsOf<'a> = &'a dyn Fn(&Path) -> Result<Vec<ModelInput>>;

/// Adds the configuration to a Cargo.toml and says what was done, one line each.
///
/// `manifest` is the package's Cargo.toml, `root` the workspace's folder, `paths` what [`find_models`] found.
///
/// # Errors
/// `Usage` where there is a configuration already or no package to write it for, `Format` where the manifest is not TOML
/// that can be appended to, `Io` otherwise. After the first two nothing has changed.
fn write(manifest: &Path, root: &Path, paths: &[PathBuf], inputs: InputsOf) -> Result<Vec<String>> {
    let bytes = file::read(manifest, &file::MANIFEST)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(FailureKind::Format, format!("{} is not UTF-8", manifest.display())))?;
    check(manifest, &text)?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let (mut models, unwritable) = name_models(folder, paths);
    let notes = ask(&mut models, folder, inputs);
    let longer = append(&text, &section(&models, Home::Package));
    check_appended(manifest, &longer)?;

    let mut done = vec![gitattributes(root)?, gitignore(root)?];
    replace(manifest, &longer)?;
    done.push(added(manifest, "added [package.metadata.trt-perf]", &models));
    done.extend(unwritable.into_iter().map(left_out));
    done.extend(notes);
    Ok(done)
}

/// Writes a file of ours into `root` and says what was done.
fn create(root: &Path, paths: &[PathBuf], inputs: InputsOf) -> Result<Vec<String>> {
    let (mut models, unwritable) = name_models(root, paths);
    let notes = ask(&mut models, root, inputs);
    let path = root.join(OWN_FILE);
    let mut done = vec![gitattributes(root)?];
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|e| Failure::io("create", &path, &e))?;
    file.write_all(section(&models, Home::File).as_bytes()).map_err(|e| Failure::io("write", &path, &e))?;
    done.push(added(&path, "created", &models));
    done.extend(unwritable.into_iter().map(left_out));
    done.extend(notes);
    Ok(done)
}

/// Fills in the inputs of the models that will be written; what cannot be read is said.
fn ask(models: &mut [NamedModel], folder: &Path, inputs: InputsOf) -> Vec<String> {
    let mut notes = Vec::new();
    for model in models.iter_mut().take(MODELS_WRITTEN) {
        match inputs(&folder.join(&model.path)) {
            Ok(found) => model.inputs = Some(found),
            Err(why) => notes.push(format!("{}: its inputs were not read: {}", model.path, why.message)),
        }
    }
    notes
}

fn added(file: &Path, what: &str, models: &[NamedModel]) -> String {
    let named: Vec<&str> = models.iter().take(MODELS_WRITTEN).map(|m| m.path.as_str()).collect();
    let with = if named.is_empty() { "an example of a model".into() } else { named.join(", ") };
    format!("{}: {what}, with {with}", file.display())
}

fn left_out(path: &Path) -> String {
    format!("{}: left out, TOML cannot hold its name", path.display())
}

/// The `.onnx` files of a package, relative to its folder and sorted: not in `target`, hidden folders, other packages
/// inside it, or behind links to folders. A folder that cannot be read counts as empty.
pub fn find_models(package: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(package, Path::new(""), &mut found);
    found.sort();
    found
}

fn collect(package: &Path, inner: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(package.join(inner)) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let inner = inner.join(&name);
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && name != "target" && !path.join("Cargo.toml").exists() {
            if inner.components().count() < MODEL_DEPTH {
                collect(package, &inner, found);
            }
        } else if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("onnx")) && path.is_file() {
            found.push(inner);
        }
    }
}

fn gitattributes(root: &Path) -> Result<String> {
    let folder = root.join("baselines");
    let path = folder.join(".gitattributes");
    fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            file.write_all(GITATTRIBUTES.as_bytes()).map_err(|e| Failure::io("write", &path, &e))?;
            Ok(format!("{}: created, so that git never merges baselines", path.display()))
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            Ok(format!("{}: already there, left alone", path.display()))
        }
        Err(e) => Err(Failure::io("create", &path, &e)),
    }
}

fn gitignore(root: &Path) -> Result<String> {
    let path = root.join(".gitignore");
    let old = file::read_if_there(&path, &file::IGNORED)?.unwrap_or_default();
    if ignores_target(&String::from_utf8_lossy(&old)) {
        return Ok(format!("{}: ignores target already, left alone", path.display()));
    }
    let newline = line_end(&old);
    let gap = if old.is_empty() || old.ends_with(b"\n") { "" } else { newline };
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|e| Failure::io("write", &path, &e))?;
    // One write, so that nothing can come in between.
    file.write_all(format!("{gap}/target{newline}").as_bytes())
        .map_err(|e| Failure::io("write", &path, &e))?;
    Ok(format!("{}: added /target, where engines and samples are kept", path.display()))
}

fn ignores_target(gitignore: &str) -> bool {
    gitignore.lines().any(|line| {
        let line = line.trim();
        let line = line.strip_prefix("**/").or(line.strip_prefix('/')).unwrap_or(line);
        matches!(line, "target" | "target/" | "target/*" | "target/**")
    })
}

#[cfg(test)]
mod tests;
