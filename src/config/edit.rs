//! Changes settings in the text of a Cargo.toml or trt-perf.toml and leaves everything else as people wrote it.
//!
//! Only [`write()`] and [`replace`] touch a file; the rest is pure.
//!
//! Invariant: the new text says what the old one did with just the change (`only_the_change_changes`; checked each time
//! by a second parser).

use super::Home;
use crate::error::{Failure, Result};
use crate::file;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, TableLike, Value, value};

/// The table whose settings are changed.
#[derive(Clone, Copy, Debug)]
pub struct EditedTable<'a> {
    /// The table that the models stand in.
    pub home: Home,
    /// The name in its `[[model]]`.
    pub model: &'a str,
    /// The name in that model's `[[variant]]`; `None` for the model's own table.
    pub variant: Option<&'a str>,
}

/// A key and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// The key, such as `streams`.
    pub key: &'static str,
    /// The new value.
    pub value: SettingValue,
}

/// What a setting can be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// A whole number.
    Number(u64),
    /// True or false.
    Switch(bool),
    /// Whole numbers.
    List(Vec<u64>),
}

impl std::fmt::Display for SettingChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.key, self.value.toml())
    }
}

impl SettingValue {
    fn toml(&self) -> Value {
        // Numbers that a machine has so many streams or threads of fit.
        let number = |n: &u64| Value::from(i64::try_from(*n).unwrap_or(i64::MAX));
        match self {
            Self::Number(n) => number(n),
            Self::Switch(on) => Value::from(*on),
            Self::List(all) => Value::from(all.iter().map(number).collect::<Array>()),
        }
    }
}

/// `text` with the changes in the table at `place`. Fails where there is no such table, or where the result would not
/// read as the old text with just these changes.
pub fn edited(text: &str, place: EditedTable, changes: &[SettingChange]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.message().to_owned())?;
    let table = find(document.as_item_mut(), place)?;
    for change in changes {
        set(table, change);
    }
    let new = document.to_string();
    if parsed(&new)? == expected(text, place, changes)? {
        Ok(new)
    } else {
        Err("the change cannot be made without changing something else".into())
    }
}

/// Sets a key; a comment behind the old value stays.
fn set(table: &mut dyn TableLike, change: &SettingChange) {
    let mut new = change.value.toml();
    match table.get_mut(change.key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(change.key, value(new))),
    }
}

/// The table of the model or variant, in an array of tables or a list of inline tables.
fn find<'a>(root: &'a mut Item, place: EditedTable) -> Result<&'a mut dyn TableLike, String> {
    let mut item = root;
    for key in place.home.keys().iter().chain(&["model"]) {
        // What is not there is found as nothing.
        let found = item.get_mut(key).filter(|found| !found.is_none());
        item = found.ok_or_else(|| format!("it has no `{key}` where the models stand"))?;
    }
    let model = named(item, place.model).ok_or_else(|| format!("it has no model \"{}\"", place.model))?;
    let Some(variant) = place.variant else { return Ok(model) };
    let variants = model.get_mut("variant").ok_or("the model has no variants")?;
    named(variants, variant).ok_or_else(|| format!("the model has no variant \"{variant}\""))
}

fn named<'a>(list: &'a mut Item, name: &str) -> Option<&'a mut dyn TableLike> {
    let is = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match list {
        Item::ArrayOfTables(tables) => tables.iter_mut().find(|t| is(*t)).map(|t| t as &mut dyn TableLike),
        Item::Value(Value::Array(tables)) => {
            let tables = tables.iter_mut().filter_map(Value::as_inline_table_mut);
            let mut found = tables.filter(|t| is(*t));
            found.next().map(|t| t as &mut dyn TableLike)
        }
        _ => None,
    }
}

/// The text as another parser reads it, not the one that edits.
fn parsed(text: &str) -> Result<toml::Table, String> {
    text.parse().map_err(|e: toml::de::Error| e.message().to_owned())
}

/// What the new text must say.
fn expected(text: &str, place: EditedTable, changes: &[SettingChange]) -> Result<toml::Table, String> {
    let mut all = parsed(text)?;
    let missing = || "its models cannot be found".to_owned();
    let mut table = &mut all;
    for key in place.home.keys() {
        table = table.get_mut(*key).and_then(toml::Value::as_table_mut).ok_or_else(missing)?;
    }
    for (key, name) in [("model", Some(place.model)), ("variant", place.variant)] {
        let Some(name) = name else { continue };
        let list = table.get_mut(key).and_then(toml::Value::as_array_mut).ok_or_else(missing)?;
        let mut tables = list.iter_mut().filter_map(toml::Value::as_table_mut);
        table =
            tables.find(|t| t.get("name").and_then(toml::Value::as_str) == Some(name)).ok_or_else(missing)?;
    }
    for change in changes {
        let value = match &change.value {
            SettingValue::Number(n) => toml::Value::Integer(i64::try_from(*n).unwrap_or(i64::MAX)),
            SettingValue::Switch(on) => toml::Value::Boolean(*on),
            SettingValue::List(all) => toml::Value::Array(
                all.iter().map(|n| toml::Value::Integer(i64::try_from(*n).unwrap_or(i64::MAX))).collect(),
            ),
        };
        table.insert(change.key.to_owned(), value);
    }
    Ok(all)
}

/// Makes the changes in the file `manifest`, at once or not at all.
pub fn write(manifest: &Path, place: EditedTable, changes: &[SettingChange]) -> Result<()> {
    let text = file::text(manifest, &file::MANIFEST)?;
    let said: Vec<String> = changes.iter().map(SettingChange::to_string).collect();
    let new = edited(&text, place, changes).map_err(|why| {
        Failure::usage(format!("{} was not changed: {why}", manifest.display()))
            .next(format!("write it by hand: {}", said.join(", ")))
    })?;
    replace(manifest, &new)
}

/// Puts `text` in place of the file at once: a reader sees the old or the new one. Keeps mode and owner.
pub fn replace(path: &Path, text: &str) -> Result<()> {
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
        .prefix(".manifest.")
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# the package
[package]
name = "demo"   # its name

[package.metadata.trt-perf]
processes = 2

[[package.metadata.trt-perf.model]]
name = "cnn"
path = "cnn.onnx"
streams = 1     # one is enough
# what follows is not ours
batches = [ 1,
  8 ]

[[package.metadata.trt-perf.model]]
name = "encoder"
path = "encoder.onnx"
[[package.metadata.trt-perf.model.variant]]
name = "short"
shapes = { ids = [1, 8] }  # short
[[package.metadata.trt-perf.model.variant]]
name = "long"

[dependencies]
"#;

    fn change(key: &'static str, value: SettingValue) -> SettingChange {
        SettingChange { key, value }
    }

    fn lines(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
        let only = |a: &str, b: &str| {
            a.lines().filter(|l| !b.lines().any(|m| m == *l)).map(str::to_owned).collect::<Vec<_>>()
        };
        (only(old, new), only(new, old))
    }

    #[test]
    fn only_the_change_changes() {
        let place = EditedTable { home: Home::Package, model: "cnn", variant: None };
        let changes = [
            change("streams", SettingValue::Number(4)),
            change("batches", SettingValue::List(vec![8])),
            change("cuda-graph", SettingValue::Switch(true)),
        ];
        let new = edited(TEXT, place, &changes).unwrap();
        let (gone, come) = lines(TEXT, &new);
        assert_eq!(gone, ["streams = 1     # one is enough", "batches = [ 1,", "  8 ]"], "{new}");
        assert_eq!(come, ["streams = 4     # one is enough", "batches = [8]", "cuda-graph = true"], "{new}");
        assert_eq!(edited(&new, place, &changes).unwrap(), new, "a second time changes nothing");
    }

    #[test]
    fn a_variant_has_a_table_of_its_own() {
        let place = EditedTable { home: Home::Package, model: "encoder", variant: Some("short") };
        let new = edited(TEXT, place, &[change("threads", SettingValue::Number(2))]).unwrap();
        assert!(new.contains("shapes = { ids = [1, 8] }  # short\nthreads = 2\n[[package"), "{new}");
        assert_eq!(lines(TEXT, &new), (vec![], vec!["threads = 2".to_owned()]));
    }

    #[test]
    fn models_may_stand_in_a_list() {
        let text =
            "package.metadata.trt-perf.model = [{ name = \"a\", path = \"a\" }, { name = \"b\" }] # two\n";
        let new = edited(
            text,
            EditedTable { home: Home::Package, model: "a", variant: None },
            &[change("streams", SettingValue::Number(2))],
        );
        let expected = "package.metadata.trt-perf.model = [{ name = \"a\", path = \"a\" , streams = 2 }, { name = \"b\" }] # two\n";
        assert_eq!(new.unwrap().replace(" ,", ","), expected.replace(" ,", ","));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let wrong = |text, model, variant| {
            edited(
                text,
                EditedTable { home: Home::Package, model, variant },
                &[change("streams", SettingValue::Number(2))],
            )
            .unwrap_err()
        };
        assert_eq!(wrong(TEXT, "cnm", None), "it has no model \"cnm\"");
        assert_eq!(wrong(TEXT, "cnn", Some("x")), "the model has no variants");
        assert_eq!(wrong(TEXT, "encoder", Some("x")), "the model has no variant \"x\"");
        assert_eq!(wrong("[package]\n", "cnn", None), "it has no `metadata` where the models stand");
        assert!(!wrong("[package\n", "cnn", None).is_empty());
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        std::fs::write(&manifest, TEXT).unwrap();
        std::fs::set_permissions(&manifest, PermissionsExt::from_mode(0o640)).unwrap();
        let place = EditedTable { home: Home::Package, model: "cnn", variant: None };
        write(&manifest, place, &[change("streams", SettingValue::Number(3))]).unwrap();
        assert!(std::fs::read_to_string(&manifest).unwrap().contains("streams = 3     # one"));
        assert_eq!(std::fs::metadata(&manifest).unwrap().permissions().mode() & 0o777, 0o640);
        let failure = write(
            &manifest,
            EditedTable { home: Home::Package, model: "x", variant: None },
            &[change("streams", SettingValue::Number(3))],
        );
        let said = failure.unwrap_err().to_string();
        assert!(said.contains("was not changed") && said.contains("streams = 3"), "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
        std::fs::set_permissions(&manifest, PermissionsExt::from_mode(0o440)).unwrap();
        let failure = write(&manifest, place, &[change("streams", SettingValue::Number(4))]);
        assert!(failure.unwrap_err().next.starts_with("make the file and its folder writable"));
        assert!(std::fs::read_to_string(&manifest).unwrap().contains("streams = 3     # one"));
    }
}
