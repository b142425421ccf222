//! The `init` verb: adds a commented configuration to the package's manifest, and the files beside it.
//!
//! It appends text and overwrites nothing: what people wrote stays as it is, byte for byte. The manifest is written
//! last, so that a run that failed half-way can be repeated.

use super::exit::Exit;
use super::out;
use crate::config::{Project, SETTINGS, Setting};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::printable::line;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The table of a package; in place of the line `SETTINGS` stands every setting, explained.
const TEMPLATE: &str = include_str!("init/template.toml");
/// The further keys of a model, explained.
const MODEL_KEYS: &str = include_str!("init/model.toml");
/// Records are one per file and never merged; reviewers need not read them.
const GITATTRIBUTES: &str = "* -text -merge linguist-generated=true\n";
/// How deep models are looked for, the file itself counted.
const MODEL_DEPTH: usize = 4;
/// More models than this are for the user to choose from.
const MODELS_WRITTEN: usize = 5;

/// Write a first, commented configuration
///
/// Appends a commented table with every key to this package's Cargo.toml, with the .onnx files found in the package;
/// adds baselines/.gitattributes and a .gitignore line. Overwrites nothing.
#[derive(clap::Args)]
pub struct InitArgs {}

/// Runs the verb.
pub fn run(_: &InitArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = Project::find(manifest)?;
    let manifest = match manifest {
        Some(path) => std::path::absolute(path).map_err(|e| Failure::io("find", path, &e))?,
        None => nearest_manifest()?,
    };
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let done = write(&manifest, &project.root, &find_models(folder))?;
    out(&done.iter().map(|text| line(text) + "\n").collect::<String>());
    Ok(Exit::Ok)
}

fn nearest_manifest() -> Result<PathBuf> {
    let cwd =
        std::env::current_dir().map_err(|e| Failure::io("find", Path::new("the current folder"), &e))?;
    cwd.ancestors().map(|d| d.join("Cargo.toml")).find(|m| m.is_file()).ok_or_else(|| {
        Failure::usage(format!("there is no Cargo.toml in {} or above it", cwd.display()))
            .next("start a package with `cargo init`, or measure a model without any: `cargo trt-perf run model.onnx --shape input:1x3x224x224`")
    })
}

/// Writes the configuration and says what was done, one line each.
///
/// `manifest` is the package's Cargo.toml, `root` the workspace's folder, `models` what [`find_models`] found.
///
/// # Errors
/// `Usage` where there is a configuration already or no package to write it for, `Format` where the manifest is not TOML
/// that can be appended to, `Io` otherwise. After the first two nothing has changed.
pub fn write(manifest: &Path, root: &Path, models: &[PathBuf]) -> Result<Vec<String>> {
    let bytes = file::read(manifest, &file::MANIFEST)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(FailureKind::Format, format!("{} is not UTF-8", manifest.display())))?;
    check(manifest, &text)?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let (models, unwritable) = name_models(folder, models);
    let longer = append(&text, &section(&models));
    check_appended(manifest, &longer)?;

    let mut done = vec![gitattributes(root)?, gitignore(root)?];
    replace(manifest, &longer)?;
    done.push(match models.len() {
        0 => format!("{}: added [package.metadata.trt-perf], with an example of a model", manifest.display()),
        _ => format!(
            "{}: added [package.metadata.trt-perf], with {}",
            manifest.display(),
            models.iter().take(MODELS_WRITTEN).map(|m| m.path.as_str()).collect::<Vec<_>>().join(", ")
        ),
    });
    let found =
        unwritable.into_iter().map(|path| format!("{}: left out, TOML cannot hold its name", path.display()));
    done.extend(found);
    Ok(done)
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

/// That the manifest is one of a package, and that there is no configuration in it yet.
fn check(manifest: &Path, text: &str) -> Result<()> {
    let table = parse(text).map_err(|e| {
        let line = e.span().map_or(0, |at| text.bytes().take(at.start).filter(|b| *b == b'\n').count()) + 1;
        let what = format!("{}, line {line}: not a valid manifest: {}", manifest.display(), e.message());
        Failure::new(FailureKind::Format, what)
            .next("correct it until `cargo metadata` accepts it, then run again")
    })?;
    if configuration(&table).is_some() {
        return Err(Failure::usage(format!(
            "{} has a [package.metadata.trt-perf] already; nothing was changed",
            manifest.display()
        ))
        .next("edit that table, or remove it and run again to have it written anew"));
    }
    if table.contains_key("package") {
        return Ok(());
    }
    let failure = Failure::usage(format!("{} has no [package] to configure", manifest.display()));
    let members = member_manifests(manifest.parent().unwrap_or(Path::new("")), &table);
    Err(if members.is_empty() {
        failure.next("run it with the Cargo.toml of the package that has the models")
    } else {
        failure.next(format!("run it for the package that has the models, one of: {}", members.join(", ")))
    })
}

fn parse(text: &str) -> Result<toml::Table, toml::de::Error> {
    text.parse()
}

fn configuration(table: &toml::Table) -> Option<&toml::Value> {
    table.get("package")?.get("metadata")?.get("trt-perf")
}

/// The manifests of a workspace's members; of patterns, those that end in `/*`, which are nearly all there are.
fn member_manifests(folder: &Path, table: &toml::Table) -> Vec<String> {
    let members = table.get("workspace").and_then(|w| w.get("members")).and_then(|m| m.as_array());
    let mut found = Vec::new();
    for member in members.into_iter().flatten().filter_map(|member| member.as_str()) {
        match member.strip_suffix("/*").or((member == "*").then_some(".")) {
            None => found.push(Path::new(member).join("Cargo.toml")),
            Some(parent) => {
                let entries = fs::read_dir(folder.join(parent)).into_iter().flatten().flatten();
                let manifests =
                    entries.map(|entry| Path::new(parent).join(entry.file_name()).join("Cargo.toml"));
                found.extend(manifests.filter(|path| folder.join(path).is_file()));
            }
        }
    }
    found.sort();
    found.iter().map(|path| path.strip_prefix(".").unwrap_or(path).display().to_string()).collect()
}

/// A model as the manifest is to say it.
#[derive(Debug, PartialEq)]
struct NamedModel {
    name: String,
    /// Relative to the package's folder where it is inside.
    path: String,
}

/// Names from file names, made unique; and the models whose paths TOML cannot hold (not UTF-8, control characters).
fn name_models<'a>(folder: &Path, paths: &'a [PathBuf]) -> (Vec<NamedModel>, Vec<&'a Path>) {
    let (mut models, mut unwritable): (Vec<NamedModel>, Vec<&Path>) = (Vec::new(), Vec::new());
    for path in paths {
        let inner = path.strip_prefix(folder).unwrap_or(path);
        let stem = inner.file_stem().and_then(|stem| stem.to_str());
        let (Some(text), Some(stem)) = (inner.to_str().filter(|t| !t.contains(char::is_control)), stem)
        else {
            unwritable.push(path);
            continue;
        };
        // A case's id joins names with slashes, and people type it.
        let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let plain: String = stem.chars().map(keep).collect();
        let taken = |name: &str| models.iter().any(|model| model.name == name);
        let name = if taken(&plain) {
            (2..).map(|n| format!("{plain}-{n}")).find(|name| !taken(name)).unwrap_or(plain)
        } else {
            plain
        };
        models.push(NamedModel { name, path: text.to_owned() });
    }
    (models, unwritable)
}

/// Every setting with what it means and its default, commented out.
fn explained() -> String {
    let about = |s: &Setting| s.about.iter().map(|line| format!("#{line}\n")).collect::<String>();
    SETTINGS.iter().map(|s| format!("\n{}#{} = {}\n", about(s), s.key, s.shown)).collect::<String>() + "\n"
}

/// The text to append, with `\n` line ends.
fn section(models: &[NamedModel]) -> String {
    let mut out = TEMPLATE.replace("SETTINGS\n", &explained());
    let quoted = |text: &str| toml::Value::from(text).to_string();
    for model in models.iter().take(MODELS_WRITTEN) {
        let (name, path) = (quoted(&model.name), quoted(&model.path));
        out.push_str(&format!("\n[[package.metadata.trt-perf.model]]\nname = {name}\npath = {path}\n"));
    }
    if models.is_empty() {
        out.push_str("\n#[[package.metadata.trt-perf.model]]\n#name = \"classifier\"\n#path = \"models/classifier.onnx\"\n");
    }
    out.push_str(MODEL_KEYS);
    if let Some(more) = models.len().checked_sub(MODELS_WRITTEN).filter(|more| *more > 0) {
        out.push_str(&format!(
            "\n# Not listed above: {more} more .onnx files, such as {}\n",
            quoted(&models[MODELS_WRITTEN].path)
        ));
    }
    out
}

/// The manifest with the section at its end, in the manifest's own line ends.
fn append(text: &str, section: &str) -> String {
    let newline = line_end(text.as_bytes());
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => newline,
        _ => &newline.repeat(2),
    };
    format!("{text}{gap}{}", section.replace('\n', newline))
}

/// The line end in use: the last one, because that is the neighbour of what is appended.
fn line_end(text: &[u8]) -> &'static str {
    let last = text.iter().rposition(|b| *b == b'\n');
    if last.is_some_and(|at| at > 0 && text[at - 1] == b'\r') { "\r\n" } else { "\n" }
}

fn check_appended(manifest: &Path, longer: &str) -> Result<()> {
    let why = match parse(longer) {
        Ok(table) if configuration(&table).is_some() => return Ok(()),
        Ok(_) => "it would not be read as part of the package".to_owned(),
        Err(e) => e.message().to_owned(),
    };
    let what = format!("cannot append [package.metadata.trt-perf] to {}: {why}", manifest.display());
    Err(Failure::new(FailureKind::Format, what).next(
        "write `metadata = { … }` of the package as a table of its own, [package.metadata], then run again",
    ))
}

/// Puts `text` in place of the file at once: a reader sees the old or the new one. Keeps mode and owner.
fn replace(path: &Path, text: &str) -> Result<()> {
    let fail = |doing: &str, e: &std::io::Error| {
        Failure::io(doing, path, e).next("make the file and its folder writable, then run again")
    };
    // Renaming onto a symbolic link would replace the link.
    let target = fs::canonicalize(path).map_err(|e| fail("find", &e))?;
    let old = fs::metadata(&target).map_err(|e| fail("read", &e))?;
    if old.permissions().readonly() {
        // A rename would get around it, which is not what a read-only file asks for.
        return Err(fail("write", &ErrorKind::PermissionDenied.into()));
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(".Cargo.toml.")
        .tempfile_in(folder)
        .map_err(|e| fail("write beside", &e))?;
    file.write_all(text.as_bytes()).map_err(|e| fail("write", &e))?;
    // Only root may give a file away, and only root's files need it.
    let _ = std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
    file.as_file().set_permissions(old.permissions()).map_err(|e| fail("set the permissions of", &e))?;
    file.as_file().sync_all().map_err(|e| fail("write", &e))?;
    file.persist(&target).map_err(|e| fail("write", &e.error))?;
    Ok(())
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
