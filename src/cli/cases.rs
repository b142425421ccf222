//! Selects the cases of a command from the filters and files on the command line.

use super::args::{MessageFormat, SettingArgs};
use super::exit::Exit;
use super::{out, out_message};
use crate::baseline::ensure_name;
use crate::case::{self, AskedCases, Case, CaseFilter};
use crate::config::{Project, is_plan};
use crate::error::Result;
use crate::report::json;
use crate::session;
use crate::session::keep::ensure_savable;
use clap::Args;
use std::path::{Path, PathBuf};

/// The cases of a command that takes files, too.
#[derive(Args)]
pub struct CaseArgs {
    /// Cases whose id contains one of these, or fits a pattern with * and ?; or .onnx files (.toml files for the cuda backend, .plan files that are trusted), whatever is configured
    #[arg(value_name = "FILTER|MODEL.onnx")]
    pub filters: Vec<String>,
    /// Filters must equal the whole id
    #[arg(long)]
    pub exact: bool,
    /// Not the cases whose id contains this, or fits it as a pattern (may be repeated)
    #[arg(long, value_name = "FILTER")]
    pub skip: Vec<String>,
    /// Only models of this package (may be repeated)
    #[arg(short, long, value_name = "NAME")]
    pub package: Vec<String>,
}

/// What `run` and `discover` share.
#[derive(Args)]
pub struct SessionArgs {
    #[command(flatten)]
    pub cases: CaseArgs,
    /// Print what would be measured and stop
    #[arg(long)]
    pub list: bool,
    /// Also store the record in baselines/, to be committed; with a name as that, which --baseline and `compare` take, instead of as the commit's
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    pub save_baseline: Option<Option<String>>,
    /// Store a baseline although there are changes beside the commit; the record says so
    #[arg(long, requires = "save_baseline")]
    pub allow_dirty: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub message_format: MessageFormat,
    /// Only the plots and tables at the end, and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also a line per process, and what each engine is; in a search, a row for every cell
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub grid: GridArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl SessionArgs {
    /// The name that the record is to be stored under; `None`: none, or it is not to be stored.
    pub fn baseline_name(&self) -> Option<&str> {
        self.save_baseline.as_ref()?.as_deref()
    }

    /// Fails where the record could not be stored, before minutes are spent on it.
    pub fn ensure_savable(&self, project: &Project) -> Result<()> {
        match &self.save_baseline {
            None => Ok(()),
            Some(Some(name)) => ensure_name(name),
            Some(None) => ensure_savable(project, self.allow_dirty),
        }
    }

    /// Says what would be measured; `text` is a case's line for people.
    pub fn print_list<'a>(
        &self,
        cases: impl Iterator<Item = &'a Case>,
        text: impl Fn(&Case) -> String,
    ) -> Exit {
        match self.message_format {
            MessageFormat::Human => out(&cases.map(|case| text(case) + "\n").collect::<String>()),
            MessageFormat::Json => cases.for_each(|case| out_message(&json::case_listed(case))),
        }
        Exit::Ok
    }
}

/// What is searched, and what to do with the winner.
#[derive(Args)]
pub struct GridArgs {
    /// The values of an axis: batch, streams, in-flight, cuda-graph or threads (may be repeated)
    #[arg(long = "grid", value_name = "KEY=A,B,…", help_heading = "Search")]
    pub axes: Vec<String>,
    /// Write the winner into the model's table, in its trt-perf.toml or Cargo.toml
    #[arg(long, help_heading = "Search")]
    pub write: bool,
}

impl GridArgs {
    /// Whether anything is said.
    pub fn any(&self) -> bool {
        self.write || !self.axes.is_empty()
    }
}

impl CaseArgs {
    /// The files among the words, and what selects configured cases.
    pub fn asked(&self) -> AskedCases {
        let (files, names): (Vec<&String>, Vec<&String>) = self.filters.iter().partition(|f| is_file(f));
        let names = names.into_iter().cloned().collect();
        AskedCases {
            files: files.into_iter().map(PathBuf::from).collect(),
            filter: CaseFilter { names, exact: self.exact, skip: self.skip.clone() },
            packages: self.package.clone(),
        }
    }

    /// Whether anything is said of which cases are meant.
    pub fn is_part(&self) -> bool {
        !(self.filters.is_empty() && self.skip.is_empty() && self.package.is_empty())
    }

    /// The configured cases that the filters select, and the files among them.
    pub fn select(&self, settings: &SettingArgs, project: &Project) -> Result<Vec<Case>> {
        let cases = self.asked().models(project, &settings.overrides()?)?.cases(session::host())?;
        case::check(&cases)?;
        Ok(cases)
    }
}

/// Whether a filter names a model's file instead.
fn is_file(filter: &str) -> bool {
    filter.ends_with(".onnx") || filter.ends_with(".toml") || is_plan(Path::new(filter))
}
