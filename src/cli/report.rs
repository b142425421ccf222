//! The `report` verb: writes one HTML page of what is stored.

use super::compare::compared;
use super::exit::Exit;
use super::{args, note, project, shown, write_file};
use crate::baseline::{self, find_record, stores};
use crate::compare;
use crate::config::Project;
use crate::error::Result;
use crate::history;
use crate::outcome::{Base, Compared};
use crate::record::Record;
use crate::report::html::{self, Details};
use crate::session::details;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Write one HTML page of a record, or of a record against another one
///
/// Nothing is measured. The page needs no network and no other file. It shows every case with its numbers, its
/// processes, and the distribution of its latencies where the raw samples are still in this target folder.
#[derive(Args)]
pub struct ReportArgs {
    /// A revision, a record file, or a record id from `baseline list`
    record: String,
    /// What it is compared with: the same
    base: Option<String>,
    /// The page (default: report.html in the target folder)
    #[arg(short = 'o', long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also show each case over all stored records of its device
    #[arg(long)]
    history: bool,
    /// Judge as if sessions differed by this much (sd) where nothing changed, whatever is known of it
    #[arg(long, value_name = "PERCENT", value_parser = args::session_sd, requires = "base")]
    assume_session_sd: Option<f64>,
}

/// Runs the verb.
pub fn run(args: &ReportArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let record = find_record(&project, &args.record)?;
    let base = args.base.as_deref().map(|name| find_record(&project, name)).transpose()?;
    let against = match args.base.as_deref().zip(base.as_ref()) {
        Some(base) => against(args, &project, base, &record)?,
        None => BTreeMap::new(),
    };
    let mut details = details::of_record(&project.folders, &record, &against, &|_| base.as_ref());
    if args.history {
        add_history(&project, &record, &mut details)?;
    }
    let default = || project.folders.page();
    let path = args.html.clone().unwrap_or_else(default);
    write_file(&path, html::record(&record, &against, &details)?)?;
    note(&format!("page: {}", shown(&path)));
    Ok(Exit::Ok)
}

/// Every case that both have, compared as `compare` does.
fn against(
    args: &ReportArgs,
    project: &Project,
    (name, base): (&str, &Record),
    record: &Record,
) -> Result<BTreeMap<String, Compared>> {
    let comparisons = compared(project, (name, base), (&args.record, record), args.assume_session_sd)?;
    let label = base.label();
    let soft_differences = compare::soft_differences(base, record);
    let with_base = |comparison: compare::CaseComparison| {
        let soft_differences = soft_differences.clone();
        let base = Base { label: label.clone(), path: PathBuf::from(name), steps: Some(0), soft_differences };
        (comparison.id.clone(), Compared { comparison, base })
    };
    Ok(comparisons.into_iter().map(with_base).collect())
}

/// Each case over all records of the device.
fn add_history(project: &Project, record: &Record, details: &mut Details) -> Result<()> {
    let mut notes = Vec::new();
    let records = baseline::all(&stores(project), &mut notes)?;
    let places = baseline::places(project, &records, &mut notes);
    notes.iter().for_each(|text| note(text));
    for (id, detail) in details {
        detail.series = history::series(&records, &record.device.key, id, None, &places);
    }
    Ok(())
}
