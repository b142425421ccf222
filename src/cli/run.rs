//! The `run` verb: measures cases and compares them with what was stored.

use super::args::{self, MessageFormat};
use super::cases::SessionArgs;
use super::discover;
use super::exit::{Exit, ExitPolicy};
use super::html::write_page;
use super::keep::save_baseline;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown};
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::message::{Message, SessionFinished};
use crate::outcome::{Event, RunOutcome, Tally};
use crate::printable::line;
use crate::report::{html, json, terminal};
use crate::session::keep::ensure_savable;
use crate::session::{self, Setup, details};
use crate::units::plural;
use clap::Args;
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
    /// Write the results as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Search the operating point instead: the same as `cargo trt-perf discover`
    #[arg(long, conflicts_with_all = ["fail_on_regression", "strict", "assume_session_sd", "html"])]
    discover: bool,
    // Last: its headings would go on.
    #[command(flatten)]
    session: SessionArgs,
}

/// Runs the verb.
pub fn run(args: &RunArgs, manifest: Option<&Path>) -> Result<Exit> {
    if args.discover {
        return discover::search(&args.session, manifest);
    }
    if args.session.grid.any() {
        return Err(Failure::usage("--grid and --write are options of a search")
            .next("say `cargo trt-perf discover`, or add --discover"));
    }
    let asked = &args.session;
    let project = project(manifest)?;
    let cases = asked.cases.select(&asked.settings, &project)?;
    if asked.list {
        out(&cases.iter().map(|c| line(&c.id) + "\n").collect::<String>());
        return Ok(Exit::Ok);
    }
    if asked.save_baseline {
        // Before minutes are spent on a record that could not be stored.
        ensure_savable(&project, asked.allow_dirty)?;
    }
    let device = session::machine_of(&cases)?;
    let show = Show::new(asked.message_format, asked.quiet, asked.verbose);
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, now_s: now_s(), events: &events };
    let mut outcome = session::run(&setup, &cases, args.assume_session_sd)?;
    show.done();
    let gate = ExitPolicy { fail_on_regression: args.fail_on_regression, strict: args.strict };
    let exit = finish(asked, &project, &mut outcome, gate)?;
    if let Some(path) = &args.html {
        let details = details::of_run(&project.folders, &outcome);
        write_page(path, &html::record(&outcome.record, &outcome.compared, &details)?)?;
    }
    Ok(exit)
}

/// The table, where the record is, the baseline, and what to do next.
fn finish(
    asked: &SessionArgs,
    project: &Project,
    outcome: &mut RunOutcome,
    gate: ExitPolicy,
) -> Result<Exit> {
    let tally = Tally::of_run(outcome);
    let human = asked.message_format == MessageFormat::Human;
    if human && !(outcome.record.cases.is_empty() && outcome.record.failed.is_empty()) {
        let gap = if asked.quiet { "" } else { "\n" };
        out(&format!("{gap}{}", terminal::table(&outcome.record, &outcome.compared)));
    }
    let written = outcome.written.take().transpose();
    let mut exit = gate.exit(tally);
    let mut notes = Vec::new();
    match &written {
        // What was measured has been shown; only its record is lost.
        Err(failure) => exit = super::report_failure(failure),
        Ok(path) => notes.extend(kept(outcome, path.as_deref())),
    }
    if asked.save_baseline {
        notes.extend(save_baseline(project, &mut outcome.record, outcome.interrupted)?);
    } else {
        notes.extend(outcome.no_base.as_ref().map(|why| format!("nothing to compare with: {why}")));
    }
    if human {
        notes.iter().filter(|_| !asked.quiet).for_each(|n| note(n));
        return Ok(exit);
    }
    notes.iter().for_each(|n| out_message(&Message::note(n)));
    out_message(&Message::SessionFinished(SessionFinished {
        record: written.ok().flatten().as_deref().map(json::path),
        id: outcome.record.id.clone(),
        measured: tally.measured,
        failed: tally.failed,
        regressed: tally.regressed,
        inconclusive: tally.inconclusive,
        interrupted: tally.interrupted,
        exit_code: exit.code(),
    }));
    Ok(exit)
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
