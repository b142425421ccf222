//! Options that several verbs share, and how they become overrides of the configuration.

use crate::config::{Flag, Overrides, SETTINGS, ShapeSpec, Takes, parse_override};
use crate::error::{Failure, Result};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What goes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// Text for people
    #[default]
    Human,
    /// One JSON object a line (trt-perf/message@1, as the guide's chapter on records and JSON says)
    Json,
}

/// Several devices side by side.
#[derive(Args)]
pub struct LaneArgs {
    /// Measure on these GPUs of this host side by side (numbers as CUDA counts, such as 0,1): cases wait in one queue, each
    /// is measured on one GPU. GPUs of different kinds measure one kind after the other, for a record each
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', conflicts_with = "device")]
    pub devices: Vec<u32>,
}

/// Over these options in `--help`.
const HEADING: &str = "Settings (override the configuration)";
/// In `--help` these stand beside the files and `--build`; the others follow in the order of the table of settings.
const FIRST: [&str; 4] = ["rtol", "atol", "backend", "tensorrt"];

/// Settings that override the configuration for this run: the options of [`SETTINGS`], and those that name a key, a
/// tensor or a file with their value.
#[derive(Debug, Default)]
pub struct SettingArgs {
    pairs: PairArgs,
    /// `--build KEY=VALUE`.
    build: Vec<String>,
    /// What the options of [`SETTINGS`] say, by key.
    settings: Map<String, Value>,
}

/// Options whose value begins with a name.
#[derive(Args, Debug, Default)]
struct PairArgs {
    /// Any setting, such as processes=10 or build.optimize=false; the value is TOML
    #[arg(long = "config", value_name = "KEY=VALUE")]
    config: Vec<String>,
    #[arg(
        long = "shape",
        value_name = "NAME:DIMS",
        help = "Shape of an input, such as input:1x3x224x224; input:scalar for rank 0; sizes:[224,224] for values that decide shapes; MODEL:NAME:DIMS where several models are named"
    )]
    shapes: Vec<String>,
    /// Feed an input from a .npy file, or with a whole number (sr=16000) or a list of them, instead of seeded random values
    #[arg(long = "input", value_name = "NAME=FILE|NUMBER")]
    inputs: Vec<String>,
    /// Check an output against a .npy file
    #[arg(long = "expect", value_name = "NAME=FILE")]
    expect: Vec<String>,
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        let (mut first, others): (Vec<_>, Vec<_>) = flags().partition(|(key, _)| FIRST.contains(key));
        first.sort_by_key(|(key, _)| FIRST.iter().position(|k| k == key));
        let build = Arg::new("build").long("build").value_name("KEY=VALUE").action(ArgAction::Append).help(
            "A build option, such as workspace=1GiB; short for --config build.KEY=VALUE (may be repeated)",
        );
        PairArgs::augment_args(command.next_help_heading(HEADING))
            .args(first.into_iter().map(arg))
            .arg(build)
            .args(others.into_iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let said = flags().filter_map(|(key, flag)| Some((key.to_owned(), said(matches, key, flag)?)));
        Ok(Self {
            pairs: PairArgs::from_arg_matches(matches)?,
            build: matches.get_many("build").into_iter().flatten().cloned().collect(),
            settings: said.collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The settings that have an option, by key.
fn flags() -> impl Iterator<Item = (&'static str, &'static Flag)> {
    SETTINGS.iter().filter_map(|setting| Some((setting.key, setting.flag.as_ref()?)))
}

fn arg((key, flag): (&'static str, &'static Flag)) -> Arg {
    let arg = Arg::new(key).long(flag.name).help(flag.help);
    match flag.takes {
        Takes::One(name) => arg.value_name(name),
        Takes::Folder(name) => arg.value_name(name).value_parser(clap::value_parser!(PathBuf)),
        Takes::Many(name) => arg.value_name(name).action(ArgAction::Append),
        Takes::Nothing(_) => arg.action(ArgAction::SetTrue),
    }
}

/// What the command line says of a setting.
fn said(matches: &ArgMatches, key: &str, flag: &Flag) -> Option<Value> {
    match flag.takes {
        Takes::One(_) => matches.get_one::<String>(key).map(|text| scalar(text)),
        Takes::Folder(_) => matches.get_one::<PathBuf>(key).map(|path| path.to_string_lossy().into()),
        Takes::Many(_) => Some(matches.get_many::<String>(key)?.map(|text| scalar(text)).collect()),
        Takes::Nothing(value) => matches.get_flag(key).then_some(Value::Bool(value)),
    }
}

impl SettingArgs {
    /// The overrides in the order given: --config first, then the options that are short for it.
    pub fn overrides(&self) -> Result<Overrides> {
        self.overrides_with(tensorrt_folder(None))
    }

    /// The same, with the folder that the environment names.
    fn overrides_with(&self, folder: Option<PathBuf>) -> Result<Overrides> {
        let mut settings = Map::new();
        for arg in &self.pairs.config {
            merge(&mut settings, parse_override(arg).map_err(|e| Failure::usage(e).context("--config"))?);
        }
        for arg in &self.build {
            let option = parse_override(&format!("build.{arg}"));
            merge(&mut settings, option.map_err(|e| Failure::usage(e).context("--build"))?);
        }
        if let Some(folder) = folder {
            settings.entry("tensorrt").or_insert_with(|| folder.to_string_lossy().into());
        }
        settings.extend(self.settings.clone());
        let shapes = self
            .pairs
            .shapes
            .iter()
            .map(|s| ShapeSpec::parse_named(s).map_err(|e| Failure::usage(e).context("--shape")));
        let mut shapes: Vec<(String, ShapeSpec)> = shapes.collect::<Result<_>>()?;
        let (numbers, paths): (Vec<&String>, Vec<&String>) =
            self.pairs.inputs.iter().partition(|arg| number(arg).is_some());
        for (name, value) in numbers.into_iter().filter_map(|arg| number(arg)) {
            let spec = ShapeSpec::read(&serde_json::json!({ "values": value }));
            let named = |why| Failure::usage(format!("input `{name}` {why}")).context("--input");
            shapes.push((name.to_owned(), spec.map_err(named)?));
        }
        Ok(Overrides {
            settings,
            shapes,
            inputs: files("--input", paths)?,
            expect: files("--expect", &self.pairs.expect)?,
            ..Overrides::default()
        })
    }
}

/// The folder that the option names, or else the environment.
pub fn tensorrt_folder(option: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os("TRT_PERF_TENSORRT").filter(|v| !v.is_empty()).map(PathBuf::from);
    option.map(Path::to_owned).or_else(variable)
}

/// A whole number, a number, or a text: the configuration says which of them a key takes.
fn scalar(text: &str) -> Value {
    // Seeds go further than numbers with a sign.
    if let Ok(n) = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)) {
        return n;
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or_else(|| text.into(), Value::Number)
}

/// Tables are merged key by key, so that `--config build.a=…` and `--config build.b=…` both count.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// `NAME=NUMBER` or `NAME=[NUMBER,…]`: a name and what is no file.
fn number(arg: &str) -> Option<(&str, Value)> {
    let (name, text) = arg.split_once('=').filter(|(name, _)| !name.is_empty())?;
    let value: Value = serde_json::from_str(text).ok()?;
    matches!(value, Value::Number(_) | Value::Array(_)).then_some((name, value))
}

fn files<'a>(option: &str, args: impl IntoIterator<Item = &'a String>) -> Result<BTreeMap<String, PathBuf>> {
    args.into_iter()
        .map(|arg| {
            // Tensor names may hold an equals sign as little as files begin with one.
            let (name, path) =
                arg.split_once('=').filter(|(n, p)| !n.is_empty() && !p.is_empty()).ok_or_else(|| {
                    Failure::usage(format!("{option}: `{arg}` is not NAME=FILE"))
                        .next(format!("write it like {option} image=data/image.npy"))
                })?;
            let path = std::path::absolute(path).map_err(|e| Failure::io("find", path.as_ref(), &e))?;
            Ok((name.to_owned(), path))
        })
        .collect()
}

/// How much sessions differ, as a fraction: `1%` is 0.01.
pub fn session_sd(text: &str) -> Result<f64, String> {
    let frac = crate::units::parse_percent(text)?;
    if frac < 1.0 {
        Ok(frac)
    } else {
        Err("sessions that differ by 100% tell nothing; write it like 1%".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As the program reads its command line.
    fn read(words: &[&str]) -> SettingArgs {
        let command = SettingArgs::augment_args(Command::new("trt-perf").no_binary_name(true));
        SettingArgs::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    #[test]
    fn options_are_short_for_config_and_win_over_it() {
        let args = read(&[
            "--config=processes=3",
            "--config=build.optimize=false",
            "--config=build.prepack-weights=false",
            "--processes=7",
            "--measure=2s",
            "--batch=1",
            "--batch=8",
            "--percentile=99.9",
        ]);
        let o = args.overrides_with(None).unwrap();
        assert_eq!(
            Value::Object(o.settings),
            json!({"processes": 7, "measure": "2s", "batches": [1, 8], "percentile": 99.9, "build": {"optimize": false, "prepack-weights": false}})
        );
    }

    #[test]
    fn the_option_wins_over_config_and_config_over_the_environment() {
        let folder = |words: &[&str]| {
            let o = read(words).overrides_with(Some("/env".into())).unwrap();
            o.settings["tensorrt"].as_str().unwrap().to_owned()
        };
        assert_eq!(folder(&[]), "/env");
        assert_eq!(folder(&["--config=tensorrt=\"/config\""]), "/config");
        assert_eq!(folder(&["--config=tensorrt=\"/config\"", "--tensorrt=10"]), "10");
    }

    #[test]
    fn an_option_that_only_has_to_be_there_sets_its_value() {
        let o = read(&["--cuda-graph", "--no-transfers"]).overrides_with(None).unwrap();
        assert_eq!(Value::Object(o.settings), json!({"cuda-graph": true, "transfers": false}));
    }

    #[test]
    fn malformed_options_are_named() {
        let bad = |words: &[&str]| read(words).overrides().unwrap_err().to_string();
        assert!(bad(&["--input=x"]).contains("--input"));
        assert!(bad(&["--shape=1x3"]).contains("--shape"));
        assert!(bad(&["--config=x"]).contains("--config"));
    }
}
