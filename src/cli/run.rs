//! The `run` verb: measures cases and compares them with what was stored.

use super::args::{self, LaneArgs, MessageFormat};
use super::cases::SessionArgs;
use super::discover;
use super::exit::{Exit, ExitPolicy};
use super::files::Ending;
use super::keep::save_baseline;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, width};
use crate::baseline::find_record_file;
use crate::case::{Case, CasePart, Partition};
use crate::compare::Verdict;
use crate::config::{Folders, Project};
use crate::error::{Failure, FailureKind, Result};
use crate::message::{Message, SessionFinished};
use crate::outcome::{Compared, Event, RunOutcome, Tally};
use crate::printable::line;
use crate::record::{Record, wire};
use crate::report::{html, json, junit, markdown, terminal};
use crate::session::expected::ExpectedTime;
use crate::session::{self, Machine, Setup, details};
use crate::units::plural;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Build, measure and record the cases; compare with the newest baseline of this commit's history
///
/// Engines are built in one phase, each case is measured in fresh processes, and the record goes below
/// target/trt-perf.
#[derive(Args)]
pub struct RunArgs {
    /// Judge as if sessions differed by this much (sd) where nothing changed, whatever is known of it
    #[arg(long, value_name = "PERCENT", value_parser = args::session_sd)]
    assume_session_sd: Option<f64>,
    /// Exit with 100 when a case regressed, by numbers that are not only advice
    #[arg(long)]
    fail_on_regression: bool,
    /// Exit with 102 when a case is inconclusive, 103 when a number cannot be trusted
    #[arg(long)]
    strict: bool,
    /// Compare with this record and no other: a named baseline, a revision, a record file, or an id
    #[arg(long, value_name = "RECORD")]
    baseline: Option<String>,
    /// Write the table as markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the cases as JUnit XML, too: a regression that is not only advice is a failure there, whatever the exit code
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the results as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Measure this part of the cases: hash:K/N or count:K/N, K from 1; `merge` makes one record of all parts
    #[arg(long, value_name = "PART")]
    partition: Option<Partition>,
    /// Write the record to this file, too, which `merge` reads
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Search the operating point instead: the same as `cargo trt-perf discover`
    #[arg(long, conflicts_with_all = ["fail_on_regression", "strict", "assume_session_sd", "baseline", "markdown", "junit", "devices", "partition", "result"])]
    discover: bool,
    #[command(flatten)]
    lanes: LaneArgs,
    // Last: its headings would go on.
    #[command(flatten)]
    session: SessionArgs,
}

/// Runs the verb.
pub fn run(args: &RunArgs, manifest: Option<&Path>) -> Result<Exit> {
    if args.discover {
        return discover::search(&args.session, args.html.as_deref(), manifest);
    }
    if args.session.grid.any() {
        return Err(Failure::usage("--grid and --write are options of a search")
            .next("say `cargo trt-perf discover`, or add --discover"));
    }
    let asked = &args.session;
    let project = project(manifest)?;
    let all = asked.cases.select(&asked.settings, &project)?;
    let (cases, part) = partitioned(&all, args.partition);
    if asked.list {
        return Ok(asked.print_list(cases.iter(), |c| line(&c.id)));
    }
    asked.ensure_savable(&project)?;
    let base = args.baseline.as_deref().map(|name| find_record_file(&project, name)).transpose()?;
    // Of all of them: a part without a case is of the same machine.
    let mut machines = session::machines_of(&all, &args.lanes.devices)?;
    let files = [&args.markdown, &args.junit, &args.html, &args.result];
    if base.is_some() || files.iter().any(|file| file.is_some()) {
        let what = "a record to compare with, and a report, are of one kind of device";
        machines = vec![session::only_kind(machines, what)?];
    }
    let mut exit = Exit::Ok;
    for machine in &machines {
        exit = exit.and(on_machine(args, &project, machine, &cases, base.clone(), part.clone())?);
        if exit == Exit::Interrupted {
            break;
        }
    }
    Ok(exit)
}

/// A session on devices of one kind.
fn on_machine(
    args: &RunArgs,
    project: &Project,
    Machine { device, lanes }: &Machine,
    cases: &[Case],
    base: Option<(PathBuf, Record)>,
    part: Option<CasePart>,
) -> Result<Exit> {
    let asked = &args.session;
    if let Some((path, record)) = base.as_ref().filter(|(_, record)| record.device.key != device.key) {
        let what = format!("{} is of {}, and this is {}", shown(path), record.device.key, device.key);
        return Err(Failure::new(FailureKind::Nothing, what).next(
            "numbers compare on one device only; see what is stored with `cargo trt-perf baseline list`",
        ));
    }
    let show = Show::new(asked.message_format, asked.quiet, asked.verbose)
        .expecting(ExpectedTime::of_run(cases).in_lanes(lanes.len()));
    let events = |event: Event| show.event(&event);
    if let Some(CasePart { partition, cases: of, .. }) = &part {
        events(Event::Note { text: &format!("part {partition}: {} of {of} cases", cases.len()) });
    }
    let setup = Setup { project, device, lanes, now_s: now_s(), events: &events };
    let mut outcome = session::run(&setup, cases, args.assume_session_sd, base, part)?;
    show.done();
    Ok(finish(args, project, &mut outcome))
}

/// The cases of this machine, and what they are a part of.
fn partitioned(all: &[Case], partition: Option<Partition>) -> (Vec<Case>, Option<CasePart>) {
    let Some(partition) = partition else { return (all.to_vec(), None) };
    let ids: BTreeSet<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let mine = partition.take(&ids);
    let cases = all.iter().filter(|case| mine.contains(case.id.as_str())).cloned().collect();
    (cases, Some(CasePart::of(partition, &ids)))
}

/// The table, where the record is, the baseline, what to do next, and the files that are asked for.
fn finish(args: &RunArgs, project: &Project, outcome: &mut RunOutcome) -> Exit {
    let asked = &args.session;
    let gate = ExitPolicy { fail_on_regression: args.fail_on_regression, strict: args.strict };
    let tally = Tally::of_run(outcome);
    let human = asked.message_format == MessageFormat::Human;
    if human && !(outcome.record.cases.is_empty() && outcome.record.failed.is_empty()) {
        out(&terminal::table(&outcome.record, &outcome.compared, width()));
    }
    let written = outcome.written.take().transpose();
    let mut ending = Ending::of(gate.exit(tally));
    uncompared(args, outcome).iter().for_each(|failure| ending.lose(failure));
    let mut notes = Vec::new();
    match &written {
        // What was measured has been shown; only its record is lost.
        Err(failure) => ending.lose(failure),
        Ok(path) => notes.extend(kept(outcome, path.as_deref())),
    }
    if asked.save_baseline.is_some() {
        let name = asked.baseline_name();
        match save_baseline(project, &mut outcome.record, name, outcome.interrupted) {
            Ok(saved) => notes.extend(saved),
            Err(failure) => ending.lose(&failure),
        }
    } else {
        let why = outcome.no_base.as_ref().filter(|_| args.baseline.is_none());
        notes.extend(why.map(|why| format!("nothing to compare with: {why}")));
    }
    if human {
        notes.iter().filter(|_| !asked.quiet).for_each(|n| note(n));
    } else {
        notes.iter().for_each(|n| out_message(&Message::note(n)));
    }
    let record = written.ok().flatten();
    let files = RunFiles {
        result: args.result.as_deref(),
        markdown: args.markdown.as_deref(),
        junit: args.junit.as_deref(),
        html: args.html.as_deref(),
        strict: args.strict,
    };
    files.write(&mut ending, &project.folders, outcome);
    let exit = ending.exit();
    if human {
        return exit;
    }
    // Last: who reads that the session finished has all its files, or was told.
    out_message(&Message::SessionFinished(SessionFinished {
        record: record.as_deref().map(json::path),
        id: outcome.record.id.clone(),
        measured: tally.measured,
        failed: tally.failed,
        regressed: tally.regressed,
        inconclusive: tally.inconclusive,
        interrupted: tally.interrupted,
        exit_code: exit.code(),
    }));
    exit
}

/// The files about a run, or about runs that were joined, that are asked for.
pub(super) struct RunFiles<'a> {
    /// Where a copy of the record goes.
    pub result: Option<&'a Path>,
    pub markdown: Option<&'a Path>,
    pub junit: Option<&'a Path>,
    pub html: Option<&'a Path>,
    /// What counts as a failure in the JUnit file.
    pub strict: bool,
}

impl RunFiles<'_> {
    /// Writes them.
    pub fn write(&self, ending: &mut Ending, folders: &Folders, outcome: &RunOutcome) {
        let record = &outcome.record;
        let result = self.result.filter(|_| !(record.cases.is_empty() && record.failed.is_empty()));
        ending.write(result, || Ok(wire::write(&mut record.clone())));
        ending.write(self.markdown, || Ok(markdown::run(outcome)));
        ending.write(self.junit, || Ok(junit::run(outcome, self.strict)));
        let page = || html::record(&outcome.record, &outcome.compared, &details::of_run(folders, outcome));
        ending.write(self.html, page);
    }
}

/// Whoever names a record asks for a comparison with it: why there is none.
fn uncompared(args: &RunArgs, outcome: &RunOutcome) -> Option<Failure> {
    let name = args.baseline.as_ref()?;
    let is_one = |c: &Compared| !matches!(c.comparison.verdict, Verdict::NotComparable(_));
    if outcome.compared.values().any(is_one) || outcome.record.cases.is_empty() {
        return None;
    }
    let reasons = outcome.compared.values().filter_map(|c| c.comparison.verdict.reason());
    let why = outcome.no_base.iter().cloned().chain(reasons).next().unwrap_or_default();
    let what = format!("no case compares with --baseline {name}: {why}");
    let next = "see what it holds with `cargo trt-perf baseline show`";
    Some(Failure::new(FailureKind::Nothing, what).next(next))
}

/// Where the record is.
fn kept(outcome: &RunOutcome, path: Option<&Path>) -> Option<String> {
    let complete = plural(outcome.record.cases.len(), "case");
    match (outcome.interrupted, path) {
        (true, Some(path)) => {
            Some(format!("stopped: kept what was complete ({complete}), in {}", shown(path)))
        }
        (true, None) => Some("stopped: no case was complete, so nothing is kept".into()),
        (false, path) => path.map(|p| format!("record: {}", shown(p))),
    }
}
