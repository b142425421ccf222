//! The `calibrate` verb: measures how much the numbers of this machine vary when nothing changed.

use super::args::{LaneArgs, MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::check::clock_seed;
use super::exit::Exit;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, width};
use crate::baseline::{load_calibration, save_calibration};
use crate::calibration::Calibration;
use crate::case::{AskedCases, Case};
use crate::config::{Overrides, Project};
use crate::device;
use crate::error::Result;
use crate::message::{CalibrationFinished, Message};
use crate::outcome::Event;
use crate::record::date;
use crate::report::{calibration as report, json};
use crate::session::calibrate::{Amount, Calibrated, calibrate};
use crate::session::expected::ExpectedTime;
use crate::session::{self, Machine, Setup, machines_of};
use crate::stats::sessions::MIN_SESSIONS;
use crate::units::plural;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Measure how much numbers vary on this device when nothing changed
///
/// The result goes to baselines/, to be committed. Each session is pairs of fresh processes of one and the same
/// engine; sessions are interleaved over the cases. `check` then knows the spread of pairs, `run` and `compare` how
/// much sessions differ. With --devices every session is measured on each device alone and on all side by side, which tells
/// whether they disturb each other; `run` and `check` then know it.
#[derive(Args)]
pub struct CalibrateArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// Sessions per case, at least 5
    #[arg(long, value_name = "N", default_value_t = 6)]
    sessions: usize,
    /// Pairs of processes per session, at least 3
    #[arg(long, value_name = "N", default_value_t = 5)]
    pairs: usize,
    /// Begin no further session that would end after this, such as 10min
    #[arg(long, value_name = "TIME")]
    max_time: Option<crate::units::Nanos>,
    /// Seed of the order of the arms (default: from the clock)
    #[arg(long, value_name = "N")]
    order_seed: Option<u64>,
    /// Print the calibration and do not store it
    #[arg(long)]
    dry_run: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the calibration, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    lanes: LaneArgs,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &CalibrateArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let cases = args.cases.select(&args.settings, &project)?;
    let amount = Amount {
        sessions: args.sessions,
        pairs: args.pairs,
        max_time: args.max_time.map(crate::units::Nanos::duration),
        seed: args.order_seed.unwrap_or_else(clock_seed),
    };
    amount.check()?;
    let mut exit = Exit::Ok;
    for machine in machines_of(&cases, &args.lanes.devices)? {
        exit = exit.and(on_machine(args, &project, &machine, &cases, amount)?);
        if exit == Exit::Interrupted {
            break;
        }
    }
    Ok(exit)
}

/// The calibration of devices of one kind.
fn on_machine(
    args: &CalibrateArgs,
    project: &Project,
    Machine { device, lanes }: &Machine,
    cases: &[Case],
    amount: Amount,
) -> Result<Exit> {
    let clock = device::measure_timer();
    let show = Show::new(args.message_format, args.quiet, false);
    let show = show.expecting(ExpectedTime::of_calibration(cases, &amount, lanes.len()));
    let events = |event: Event| show.event(&event);
    let setup = Setup { project, device, lanes, now_s: now_s(), events: &events };
    let mut done = calibrate(&setup, cases, clock, amount)?;
    show.done();
    let mut notes = Vec::new();
    let path = match &mut done.calibration {
        Some(found) if !args.dry_run => {
            let mut whole = found.clone();
            let path = store(project, &mut whole, args.cases.is_part(), &mut notes)?;
            // What is shown is what was measured now, and it goes by the file's id.
            found.id = whole.id;
            Some(path)
        }
        _ => None,
    };
    notes.extend(why_not_stored(args, &done));
    let exit = if done.interrupted {
        Exit::Interrupted
    } else if done.calibration.is_none() || !done.failed.is_empty() {
        Exit::Failed
    } else {
        Exit::Ok
    };
    publish(args, &done, path.as_deref(), &notes, exit);
    Ok(exit)
}

/// Stores it with what is known of other cases, and says what it takes the place of. `part`: some cases were named; otherwise
/// those go that are not configured any more.
fn store(
    project: &Project,
    calibration: &mut Calibration,
    part: bool,
    notes: &mut Vec<String>,
) -> Result<PathBuf> {
    let dir = project.baselines();
    match load_calibration(&dir, &calibration.device.key) {
        Ok(Some(old)) => {
            let configured = configured(project);
            let kept = calibration.keep_of(&old, |id| part || configured.contains(id));
            let gone = old.cases.keys().filter(|id| !calibration.cases.contains_key(*id)).cloned();
            notes.push(replaces(date(old.created_s), &kept, &gone.collect::<Vec<_>>()));
        }
        Ok(None) => {}
        Err(e) => notes.push(format!("this replaces a calibration that could not be read: {}", e.message)),
    }
    let path = save_calibration(&dir, calibration)?;
    notes.push(format!(
        "calibration: {} (commit it: git add {}; check uses the one of the base commit)",
        shown(&path),
        shown(&path)
    ));
    Ok(path)
}

/// The ids of all configured cases, whatever the command line asks for.
fn configured(project: &Project) -> BTreeSet<String> {
    let models = AskedCases::default().models(project, &Overrides::default());
    let cases = models.and_then(|models| models.cases_there(session::host())).unwrap_or_default();
    cases.into_iter().map(|case| case.id).collect()
}

/// What becomes of the calibration that was there.
fn replaces(date: String, kept: &[String], gone: &[String]) -> String {
    match (kept, gone) {
        ([], []) => format!("this replaces the calibration of {date}"),
        ([], gone) => format!("this replaces the calibration of {date}, which also held {}", gone.join(", ")),
        (kept, []) => format!("of the calibration of {date} this keeps {}", kept.join(", ")),
        (kept, gone) => {
            format!(
                "of the calibration of {date} this keeps {}, and not {}",
                kept.join(", "),
                gone.join(", ")
            )
        }
    }
}

fn why_not_stored(args: &CalibrateArgs, done: &Calibrated) -> Option<String> {
    let sessions = plural(done.sessions, "complete session");
    match &done.calibration {
        None if done.interrupted => {
            Some(format!("stopped with {sessions}; {MIN_SESSIONS} are needed, so nothing is stored"))
        }
        None => Some("no case could be calibrated, so nothing is stored".into()),
        Some(_) if args.dry_run => Some("not stored, because of --dry-run".into()),
        Some(_) if done.interrupted => Some(format!("stopped: kept the {sessions}")),
        Some(_) if done.sessions < args.sessions => {
            Some(format!("the time was up after {sessions} of {}", args.sessions))
        }
        Some(_) => None,
    }
}

fn publish(args: &CalibrateArgs, done: &Calibrated, path: Option<&Path>, notes: &[String], exit: Exit) {
    if args.message_format == MessageFormat::Human {
        done.calibration.iter().for_each(|c| out(&report::terminal(c, width())));
        if !args.quiet || done.calibration.is_none() {
            notes.iter().for_each(|n| note(n));
        }
        return;
    }
    notes.iter().for_each(|n| out_message(&Message::note(n)));
    out_message(&Message::Calibration(CalibrationFinished {
        path: path.map(json::path),
        sessions: done.sessions,
        failed: done.failed.len(),
        interrupted: done.interrupted,
        exit_code: exit.code(),
        calibration: done.calibration.as_ref().map(report::message),
    }));
}
