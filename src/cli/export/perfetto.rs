//! `export perfetto`: a timeline of a profile, or of what a record's processes spent their time on.

use super::{kept_samples, memory};
use crate::baseline::find_record;
use crate::cli::{note, out_json, project, shown, write_file};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::profile;
use crate::record::{CaseRecord, Record};
use crate::session;
use crate::summarize::Summary;
use crate::timeline::process::{self, ProcessTimes};
use crate::timeline::{self, Counter, Track};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct PerfettoArgs {
    /// A profile's tables (.sqlite); a record: a revision, a record file, or an id from `baseline list`; what `memory` wrote:
    /// its folder, or one file of events. Several are put into one timeline
    #[arg(value_name = "FILE.sqlite|RECORD|MEMORY", required = true)]
    from: Vec<String>,
    /// Of records and memory sessions: only cases whose id contains this
    #[arg(long, value_name = "FILTER")]
    case: Option<String>,
    /// Where the timeline goes (default: standard output)
    #[arg(short, long, value_name = "FILE.json")]
    output: Option<PathBuf>,
}

/// What is shown.
#[derive(Default)]
pub struct Timeline {
    /// Spans.
    pub tracks: Vec<Track>,
    /// Numbers over time.
    pub counters: Vec<Counter>,
}

/// Writes the timeline.
pub fn run(args: &PerfettoArgs, manifest: Option<&Path>) -> Result<()> {
    let mut shown_all = Timeline::default();
    for from in &args.from {
        add(from, args, manifest, &mut shown_all)?;
    }
    if shown_all.tracks.is_empty() {
        let what = format!("{} holds nothing that has a time", args.from.join(", "));
        return Err(Failure::new(FailureKind::Nothing, what)
            .next("profile a case that runs on a GPU, or name a record of `cargo trt-perf run`"));
    }
    let trace = timeline::trace(&shown_all.tracks, &shown_all.counters);
    match &args.output {
        None => out_json(&trace),
        Some(path) => {
            write_file(path, trace)?;
            note(&format!("timeline: {} (open it at https://ui.perfetto.dev)", shown(path)));
        }
    }
    Ok(())
}

/// Adds what one name means.
fn add(from: &str, args: &PerfettoArgs, manifest: Option<&Path>, timeline: &mut Timeline) -> Result<()> {
    let filter = args.case.as_deref();
    if is_profile(from) {
        timeline.tracks.extend(profile::tracks(&session::profile::read(Path::new(from))?));
        return Ok(());
    }
    if memory::is_memory(from) {
        return memory::add(Path::new(from), filter, timeline);
    }
    let project = project(manifest)?;
    let record = find_record(&project, from)?;
    timeline.tracks.extend(of_record(&record, &project, filter));
    if !args.from.iter().any(|name| memory::is_memory(name))
        && let Some(session) = memory::of_same_sources(&project, &record)
    {
        note(&format!("memory of the same commit: {}", shown(&session)));
        memory::add(&session, filter, timeline)?;
    }
    Ok(())
}

fn is_profile(name: &str) -> bool {
    [".sqlite", ".sqlite3", ".db"].iter().any(|end| name.ends_with(end))
}

/// The processes of a record's cases.
fn of_record(record: &Record, project: &Project, filter: Option<&str>) -> Vec<Track> {
    let wanted = |id: &str| filter.is_none_or(|part| id.contains(part));
    let mut tracks = Vec::new();
    for (id, case) in record.cases.iter().filter(|(id, _)| wanted(id)) {
        let one_by_one = case.point.streams == 1 && case.point.in_flight == 1 && case.open.is_none();
        let samples = if one_by_one {
            kept_samples(project, record, id, case)
        } else {
            note(&format!("note: {id}: its requests overlapped; when each began was not kept"));
            None
        };
        tracks.extend(of_case(id, case, &samples.unwrap_or_default()));
    }
    tracks
}

/// The processes of a case; `samples` are the requests of each, or empty.
fn of_case(id: &str, case: &CaseRecord, samples: &[Vec<u64>]) -> Vec<Track> {
    let tracks = |(i, summary): (usize, &Summary)| {
        process::tracks(&ProcessTimes {
            case: id,
            process: i + 1,
            load_ns: summary.load_ns,
            steps: &summary.steps,
            first_ns: summary.first_ns,
            requests: samples.get(i).map_or(&[], Vec::as_slice),
        })
    };
    case.processes.iter().enumerate().flat_map(tracks).collect()
}
