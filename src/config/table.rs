//! Reads one configuration table key by key and remembers every problem it finds.
//!
//! A key is known because somebody asked for it. The others are reported as unknown, each with the known key that was
//! probably meant. Problems are collected, so that one run shows all of them.

use super::{Home, SETTINGS};
use crate::error::{Failure, did_you_mean};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;

/// Where a table stands, as a reader would look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table around it.
    pub home: Home,
    /// Empty for the command line and where there is no package.
    pub package: String,
    /// The file; empty for the command line.
    pub manifest: PathBuf,
    /// `[package.metadata.trt-perf]`, `[[package.metadata.trt-perf.model]] "resnet"`, `--config`.
    pub table: String,
}

impl Place {
    /// The table of a package, or of none, itself.
    pub fn new(home: Home, package: String, manifest: PathBuf) -> Self {
        Self { home, package, manifest, table: home.table().into() }
    }

    /// The place of settings that were given on the command line.
    pub fn command_line() -> Self {
        Self::new(Home::CommandLine, String::new(), PathBuf::new())
    }

    /// Whether it is the command line's own table, whose keys are options.
    fn is_options(&self) -> bool {
        *self == Self::command_line()
    }

    /// The same manifest, another table.
    pub fn table(&self, table: impl Into<String>) -> Self {
        Self { table: table.into(), ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.package.is_empty() {
            write!(f, "package `{}`, ", self.package)?;
        }
        if !self.manifest.as_os_str().is_empty() {
            write!(f, "{}, ", self.manifest.display())?;
        }
        f.write_str(&self.table)
    }
}

/// Everything wrong with a configuration, in the order it was found.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    pub fn add(&mut self, place: &Place, key: &str, what: impl fmt::Display) {
        self.0.push(match (place.home, key) {
            // The file that was named says it.
            (Home::CommandLine, "path") => what.to_string(),
            (_, key) if place.is_options() => format!("{}: {what}", option(key)),
            _ => format!("{place}, key `{key}`: {what}"),
        });
    }

    /// The same of a key that nothing reads, in the words in which it was written.
    fn add_unknown(&mut self, place: &Place, key: &str, what: &str) {
        if place.is_options() {
            self.0.push(format!("--config {key}: {what}"));
        } else {
            self.add(place, key, what);
        }
    }

    /// `Err` with all problems, if there are any.
    pub fn check(&self) -> Result<(), Failure> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(Failure::usage(one.clone())),
            many => Err(Failure::usage(format!("{} problems:", many.len())).parts(many.to_vec())),
        }
    }
}

/// The option that sets `key` on the command line.
fn option(key: &str) -> String {
    match (key, SETTINGS.iter().find(|setting| setting.key == key).and_then(|s| s.flag.as_ref())) {
        ("inputs", _) => "--input".to_owned(),
        ("expect", _) => "--expect".to_owned(),
        (_, Some(flag)) => format!("--{}", flag.name),
        (key, None) => format!("--config {key}"),
    }
}

/// One table being read.
pub struct Table<'a> {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    pub place: Place,
    pub problems: &'a mut Problems,
}

impl<'a> Table<'a> {
    pub fn new(map: Map<String, Value>, place: Place, problems: &'a mut Problems) -> Self {
        Self { map, known: Vec::new(), place, problems }
    }

    /// The raw value of `key`, removed from what is left to explain.
    pub fn raw(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.map.remove(key)
    }

    /// The value of `key` read by `read`, which says what is meant when it cannot.
    pub fn get<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.raw(key)?;
        match read(&value) {
            Ok(v) => Some(v),
            Err(why) => {
                self.problem(key, why);
                None
            }
        }
    }

    pub fn problem(&mut self, key: &str, what: impl fmt::Display) {
        self.problems.add(&self.place, key, what);
    }

    /// A table below this one.
    pub fn sub(&mut self, key: &'static str) -> Option<Map<String, Value>> {
        self.get(key, |v| match v {
            Value::Object(m) => Ok(m.clone()),
            other => Err(format!("is {}, where a table is meant", describe(other))),
        })
    }

    /// An array of tables below this one (`[[…]]`).
    pub fn subs(&mut self, key: &'static str) -> Vec<Map<String, Value>> {
        self.get(key, |v| {
            let items = v.as_array().ok_or("is not an array of tables; write it as [[…]]")?;
            items
                .iter()
                .map(|i| {
                    i.as_object()
                        .cloned()
                        .ok_or_else(|| format!("holds {}, where a table is meant", describe(i)))
                })
                .collect()
        })
        .unwrap_or_default()
    }

    /// Reports every key nobody asked for.
    pub fn finish(self) {
        for key in self.map.keys() {
            let what = match did_you_mean(key, self.known.iter().copied()) {
                Some(near) => format!("is not a key of this table; did you mean `{near}`?"),
                None => {
                    let mut known = self.known.clone();
                    known.sort_unstable();
                    format!("is not a key of this table; known keys: {}", known.join(", "))
                }
            };
            self.problems.add_unknown(&self.place, key, &what);
        }
    }
}

/// What a JSON value is, in words.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the text \"{s}\""),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
    }
}

/// A text value.
pub fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("is {}, where a text is meant", describe(value)))
}

/// `true` or `false`.
pub fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("is {}, where true or false is meant", describe(value)))
}

/// A whole number from `min` on.
pub fn whole(min: u64) -> impl Fn(&Value) -> Result<u64, String> {
    move |value| match value.as_u64() {
        Some(n) if n >= min => Ok(n),
        _ => Err(format!("is {}, where a whole number of at least {min} is meant", describe(value))),
    }
}

/// A finite number.
pub fn number(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .filter(|n| n.is_finite())
        .ok_or_else(|| format!("is {}, where a number is meant", describe(value)))
}

/// A text that parses into `T`.
pub fn parsed<T: std::str::FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    match value {
        // What reads it knows what is missing, such as a unit.
        Value::Number(number) => number.to_string().parse(),
        _ => text(value)?.parse(),
    }
}

/// A list whose items are read by `item`; a single value counts as a list of one. Not empty.
pub fn list<T>(item: impl Fn(&Value) -> Result<T, String>) -> impl Fn(&Value) -> Result<Vec<T>, String> {
    move |value| {
        let items = match value {
            Value::Array(items) => items.iter().map(&item).collect::<Result<Vec<T>, _>>()?,
            one => vec![item(one)?],
        };
        if items.is_empty() { Err("is an empty list".into()) } else { Ok(items) }
    }
}
