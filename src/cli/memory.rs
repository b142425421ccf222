//! The `memory` verb: what each case takes of memory, phase by phase, and what differs from another commit or record.

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::{Exit, ExitPolicy};
use super::files::Ending;
use super::show::Show;
use super::{note, now_s, out_message, project, shown};
use crate::case::Case;
use crate::compare::NotComparable;
use crate::config::Project;
use crate::device::Device;
use crate::error::{Failure, FailureKind, Result};
use crate::memory::wire::MemoryRecord;
use crate::message::{MemoryFinished, Message};
use crate::outcome::{Event, MemoryOutcome, Tally};
use crate::report::{html, json};
use crate::session::check::{Arms, Asked, Between, find_arms};
use crate::session::memory::{MemoryBase, MemoryPlan, REQUESTS, memory, read_record};
use crate::session::{Events, Setup, details, machine_of};
use clap::Args;
use std::path::{Path, PathBuf};

/// Tell what memory each case takes, phase by phase, and what leaks; nothing is timed
///
/// Each engine is loaded once in a process of its own. Three numbers are kept apart: what the library allocates through
/// this tool (traced), what the process has as NVML or the kernel says (process), and the rest (unexplained: the
/// driver's context, loaded kernels, our own buffers).
///
/// Figures that are the same every time are compared exactly with --compare, without statistics. A case that breaks
/// max-memory ends the command with exit code 100. Every call of the allocator is kept below target/trt-perf/memory.
#[derive(Args)]
pub struct MemoryArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// What to compare with: a memory.json that an earlier call wrote, or a revision, which is built and measured too
    #[arg(long, value_name = "REV|FILE")]
    compare: Option<String>,
    /// Build every engine anew, and trace what the builder allocates, too
    #[arg(long)]
    trace_build: bool,
    /// Requests of each stream
    #[arg(long, value_name = "N", default_value_t = REQUESTS, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    requests: u64,
    /// Write what was found as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the tables, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &MemoryArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let show = Show::new(args.message_format, args.quiet, false);
    let events = |event: Event| show.event(&event);
    let (cases, base) = select(args, &project, &events)?;
    let device = machine_of(&cases)?;
    if let MemoryBase::Record(name, record) = &base {
        same_device(name, record, &device)?;
    }
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let plan = MemoryPlan { requests: args.requests, trace_build: args.trace_build };
    let mut outcome = memory(&setup, &cases, plan, &base)?;
    show.done();
    finish(args, &setup, &mut outcome)
}

/// The cases, and what they are compared with.
fn select(args: &MemoryArgs, project: &Project, events: Events) -> Result<(Vec<Case>, MemoryBase)> {
    let select = || args.cases.select(&args.settings, project);
    let Some(base) = &args.compare else { return Ok((select()?, MemoryBase::None)) };
    if Path::new(base).exists() {
        let record = read_record(Path::new(base))?;
        return Ok((select()?, MemoryBase::Record(shown(Path::new(base)), Box::new(record))));
    }
    let arms = arms(args, base, project, events)?;
    Ok((arms.head.cases.clone(), MemoryBase::Arms(Box::new(arms))))
}

/// This work tree and another commit.
fn arms(args: &MemoryArgs, rev: &str, project: &Project, events: Events) -> Result<Arms> {
    let between = Between::Commits { base: Some(rev), overrides: args.settings.overrides()? };
    let asked = Asked { cases: args.cases.asked(), between, use_cache: true };
    let arms = find_arms(&asked, project, events)?;
    match &arms.base.cases {
        Ok(_) => Ok(arms),
        Err(failure) => Err(failure.clone().context(format!("--compare {rev}"))),
    }
}

fn same_device(name: &str, record: &MemoryRecord, device: &Device) -> Result<()> {
    if record.device == device.key {
        return Ok(());
    }
    let why = NotComparable::Device { base: record.device.clone(), head: device.key.clone() };
    Err(Failure::new(FailureKind::Nothing, format!("{name} does not compare: {why}"))
        .next("compare with a record of this machine, or with a revision"))
}

/// Where the record is, the page that is asked for, and the exit code.
fn finish(args: &MemoryArgs, setup: &Setup, outcome: &mut MemoryOutcome) -> Result<Exit> {
    let tally = Tally {
        measured: outcome.rows.len(),
        failed: outcome.failed.len(),
        regressed: outcome.over(),
        interrupted: outcome.interrupted,
        ..Tally::default()
    };
    let gate = ExitPolicy { fail_on_regression: true, ..ExitPolicy::default() };
    let mut ending = Ending::of(gate.exit(tally));
    let record = match outcome.written.take().transpose() {
        Ok(path) => path,
        // What was found has been shown; only its record is lost.
        Err(failure) => {
            ending.lose(&failure);
            None
        }
    };
    let human = args.message_format == MessageFormat::Human;
    if human {
        let base = outcome.base.iter().map(|base| format!("base: {base}"));
        let record = record.iter().map(|path| format!("record: {} (events beside it)", shown(path)));
        base.chain(record).filter(|_| !args.quiet).for_each(|text| note(&text));
    }
    let page = || html::memory(outcome, &details::of_memory(&setup.project.folders, setup.now_s, outcome));
    ending.write(args.html.as_deref(), page);
    let exit = ending.exit();
    if human {
        return Ok(exit);
    }
    // Last: who reads that the session finished has its page.
    out_message(&Message::MemoryFinished(MemoryFinished {
        record: record.as_deref().map(json::path),
        base: outcome.base.clone(),
        measured: tally.measured,
        failed: tally.failed,
        over_budget: tally.regressed,
        interrupted: tally.interrupted,
        exit_code: exit.code(),
    }));
    Ok(exit)
}
