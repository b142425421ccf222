//! The `export` verb: writes what was recorded in the formats of other programs.

mod folders;
mod memory;
mod perfetto;

use super::exit::Exit;
use super::{note, out_json, project, shown, write_file};
use crate::baseline::{find_record, newest_result};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::export;
use crate::printable::line;
use crate::record::{CaseRecord, Record};
use crate::session::samples::samples;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum ExportVerb {
    /// A timeline for ui.perfetto.dev and chrome://tracing (Chrome's trace JSON)
    ///
    /// Of a profile: every kernel and copy by GPU and stream, and every range that was marked (NVTX). Of a record: what each
    /// process spent on loading, its first request, and its timed requests as long as their samples are kept below
    /// target/trt-perf. When a request began is known only with one stream and one request in flight.
    ///
    /// Of a memory session: the phases of each process, what is allocated after every call of the allocator, and what the
    /// process has at the end of each phase. With a record comes the newest memory session of the same commit and device,
    /// unless another is named.
    Perfetto(perfetto::PerfettoArgs),
    /// Criterion's layout, which critcmp reads
    ///
    /// A benchmark for each case. Its sample is one value per process, and its mean is the geometric one, so critcmp's ratio
    /// of two baselines is that of `cargo trt-perf compare`. Of throughput and capacity cases the time is that of a batch
    /// at the measured rate.
    Criterion(folders::CriterionArgs),
    /// Bencher's metric format (JSON), for `bencher run --adapter json --file`
    Bencher(OneFileArgs),
    /// The two files of github-action-benchmark, for customSmallerIsBetter and customBiggerIsBetter
    BenchmarkAction(folders::BenchmarkActionArgs),
    /// OpenMetrics text, for Prometheus
    Openmetrics(OneFileArgs),
    /// A table: one row per case and process, with units in the names of columns
    Csv(OneFileArgs),
    /// The shape of `trtexec --exportTimes`, from the samples below target/trt-perf: one file per case and process
    ///
    /// Of each request only latencyMs is known: the host's clock around a whole request. trtexec's other fields are not
    /// kept for single requests, and are left out.
    Trtexec(folders::TimesArgs),
}

/// What is exported.
#[derive(Args)]
pub struct RecordArgs {
    /// A revision, a record file, or an id from `baseline list` (default: the newest result)
    record: Option<String>,
    /// Only cases whose id contains this
    #[arg(long, value_name = "FILTER")]
    case: Option<String>,
}

/// What goes into one file.
#[derive(Args)]
pub struct OneFileArgs {
    #[command(flatten)]
    of: RecordArgs,
    /// Where it goes (default: standard output)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(verb: &ExportVerb, manifest: Option<&Path>) -> Result<Exit> {
    match verb {
        ExportVerb::Perfetto(args) => perfetto::run(args, manifest)?,
        ExportVerb::Criterion(args) => folders::criterion(args, &project(manifest)?)?,
        ExportVerb::Bencher(args) => one_file(args, manifest, export::bencher::text)?,
        ExportVerb::BenchmarkAction(args) => folders::benchmark_action(args, &project(manifest)?)?,
        ExportVerb::Openmetrics(args) => one_file(args, manifest, export::openmetrics::text)?,
        ExportVerb::Csv(args) => one_file(args, manifest, export::csv::text)?,
        ExportVerb::Trtexec(args) => folders::trtexec(args, &project(manifest)?)?,
    }
    Ok(Exit::Ok)
}

fn one_file(args: &OneFileArgs, manifest: Option<&Path>, text: fn(&Record) -> String) -> Result<()> {
    let record = args.of.record(&project(manifest)?)?;
    put(args.output.as_deref(), &text(&record))
}

impl RecordArgs {
    /// The record, with only the cases that are asked for; what its numbers lack is said.
    fn record(&self, project: &Project) -> Result<Record> {
        let mut record = match &self.record {
            Some(name) => find_record(project, name)?,
            None => newest_result(project)?,
        };
        if let Some(part) = &self.case {
            let ids: Vec<String> = record.cases.keys().cloned().collect();
            record.cases.retain(|id, _| id.contains(part));
            record.failed.retain(|id, _| id.contains(part));
            if record.cases.is_empty() {
                let words = ids.iter().flat_map(|id| id.split('/').chain([id.as_str()]));
                let near = did_you_mean(part, words).map(|n| format!("did you mean `{n}`? "));
                let what = format!("record {} has no measured case that contains `{part}`", record.id);
                return Err(Failure::new(FailureKind::Nothing, what).next(format!(
                    "{}it holds {}",
                    near.unwrap_or_default(),
                    ids.join(", ")
                )));
            }
        }
        if record.cases.is_empty() {
            let what = format!("record {} holds no measured case, so there is nothing to export", record.id);
            return Err(Failure::new(FailureKind::Nothing, what).next("mend what failed, and run again"));
        }
        export::warnings(&record).iter().for_each(|text| note(&format!("warning: {text}")));
        Ok(record)
    }
}

/// Writes a file and says where, or prints it.
fn put(output: Option<&Path>, text: &str) -> Result<()> {
    let Some(path) = output else {
        out_json(text.trim_end_matches('\n'));
        return Ok(());
    };
    write_file(path, text)?;
    note(&format!("exported: {}", shown(path)));
    Ok(())
}

/// The samples of each process of a case; where they are not there any more, that is said.
fn kept_samples(project: &Project, record: &Record, id: &str, case: &CaseRecord) -> Option<Vec<Vec<u64>>> {
    let found = samples(&project.folders, record.created_s, (id, case), |_, _, samples| samples);
    if found.is_none() {
        note(&format!("note: {}: the samples of this session are not kept here", line(id)));
    }
    found
}
