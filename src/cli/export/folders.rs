//! Exports of more than one file.

use super::{RecordArgs, kept_samples};
use crate::cli::{note, shown, write_file};
use crate::config::{Project, case_folder};
use crate::error::{Failure, FailureKind, Result};
use crate::export;
use crate::printable::line;
use crate::units::plural;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct CriterionArgs {
    #[command(flatten)]
    of: RecordArgs,
    /// What the numbers are called in critcmp (default: the first 8 digits of the record's id)
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Criterion's folder (default: criterion in the target folder)
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub struct BenchmarkActionArgs {
    #[command(flatten)]
    of: RecordArgs,
    /// Where smaller-is-better.json and bigger-is-better.json go
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

#[derive(Args)]
pub struct TimesArgs {
    #[command(flatten)]
    of: RecordArgs,
    /// Where a folder per case goes, with a file per process
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

pub fn criterion(args: &CriterionArgs, project: &Project) -> Result<()> {
    let record = args.of.record(project)?;
    let id8 = record.id.get(..8).unwrap_or(&record.id);
    let baseline = args.baseline.as_deref().unwrap_or(id8);
    if let Some(why) = export::criterion::bad_baseline(baseline) {
        return Err(Failure::usage(format!("`{baseline}` cannot be the name of a baseline: {why}"))
            .next("choose another --baseline, such as main"));
    }
    let folder = args.output.clone().unwrap_or_else(|| beside(project).join("criterion"));
    let (files, without) = export::criterion::files(&record, baseline);
    for id in &without {
        note(&format!(
            "note: {}: a process has no value of what the scenario is about, so it is left out",
            line(id)
        ));
    }
    if files.is_empty() {
        return Err(nothing(&record.id));
    }
    for file in &files {
        write_file(&folder.join(&file.path), &file.text)?;
    }
    note(&format!(
        "exported: {} as baseline {baseline}, in {} (then: critcmp {baseline} OTHER)",
        plural(files.len() / 2, "case"),
        shown(&folder)
    ));
    Ok(())
}

/// Cargo's target folder; without Cargo the folder of our own.
fn beside(project: &Project) -> &Path {
    let own = project.folders.target();
    let of_cargo = project.folders.ignore_file().is_none();
    own.parent().filter(|_| of_cargo).unwrap_or(own)
}

pub fn benchmark_action(args: &BenchmarkActionArgs, project: &Project) -> Result<()> {
    let record = args.of.record(project)?;
    let files = export::benchmark_action::files(&record);
    if files.is_empty() {
        return Err(nothing(&record.id));
    }
    for (name, text) in files {
        let path = args.output.join(name);
        write_file(&path, &text)?;
        note(&format!("exported: {}", shown(&path)));
    }
    Ok(())
}

pub fn trtexec(args: &TimesArgs, project: &Project) -> Result<()> {
    let record = args.of.record(project)?;
    let mut written = 0;
    for (id, case) in &record.cases {
        let processes = kept_samples(project, &record, id, case).unwrap_or_default();
        for (process, samples) in (1..).zip(&processes) {
            let path = args.output.join(case_folder(id)).join(format!("{process}.json"));
            write_file(&path, export::trtexec::text(samples))?;
            written += 1;
        }
    }
    if written == 0 {
        let what =
            format!("no sample of record {} is kept below {}", record.id, shown(&project.folders.samples()));
        return Err(Failure::new(FailureKind::Nothing, what)
            .next("measure again with `cargo trt-perf run`, and export before `cargo clean`"));
    }
    note(&format!(
        "exported: {} in {}; only latencyMs, by the host's clock: what trtexec's other fields say is not kept for single requests",
        plural(written, "file"),
        shown(&args.output)
    ));
    Ok(())
}

fn nothing(record: &str) -> Failure {
    Failure::new(FailureKind::Nothing, format!("record {record} has no number that this format takes"))
        .next("see what it holds with `cargo trt-perf baseline show`")
}
