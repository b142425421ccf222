//! The `layers` verb: what each layer of an engine takes, and which layers explain a change.

mod base;
mod exports;

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::Exit;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, width};
use crate::error::{Failure, Result};
use crate::layers::{Breakdown, attribute};
use crate::message::{Message, SessionFinished};
use crate::outcome::Event;
use crate::printable::line;
use crate::report::{json, layers};
use crate::session::{self, Setup};
use base::{CaseLayers, LayerBase};
use clap::Args;
use std::path::{Path, PathBuf};

/// What each layer of an engine takes; with --compare, which layers explain a change
///
/// Cases are built and measured as `run` does, and then looked into: the library times each layer of further requests
/// (TensorRT's IProfiler), which never counts as the time of a request. What the layers leave of the GPU's time for a
/// whole request is the residual. Engines that are built with `--build profiling-verbosity=detailed` tell types, shapes,
/// tactics and the model's nodes.
///
/// Instead of cases: folders with what trtexec exported, profile.json (--exportProfile), graph.json or layers.json
/// (--exportLayerInfo) and, for the residual, times.json (--exportTimes). Several folders are several processes of one
/// engine. Or a record file: the layers that were measured with it, and nothing is measured.
///
/// The estimate below the table is the roofline: the least time in which the GPU can do the arithmetic of the layers (in
/// fp32 with TF32, where it has that) and move their tensors and weights once, at its highest clocks. Data that stays in
/// its caches need not be moved, so small layers may be faster. It is there where the engine tells shapes and types.
///
/// With --compare, layers are aligned by the nodes of the model that they compute, then by type, shapes and order; what
/// they contribute to the change, and the residual, sum to it.
#[derive(Args)]
pub struct LayersArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// Compare with this base: a record, or its id, with layers that were measured here; an engine file; a revision, which
    /// is built and measured, too; or exports of trtexec (may be repeated: several processes of one engine)
    #[arg(long, value_name = "BASE")]
    compare: Vec<String>,
    /// Also show what each layer computes and moves, and the time that the GPU allows for that (an estimate)
    #[arg(long, conflicts_with = "compare")]
    roofline: bool,
    /// How many rows are shown; JSON has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the tables at the end, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &LayersArgs, manifest: Option<&Path>) -> Result<Exit> {
    let names = &args.cases.filters;
    if let [name] = &names[..]
        && base::is_record(Path::new(name))
    {
        return of_record(args, name, manifest);
    }
    if names.iter().any(|name| exports::is_export(name)) {
        let head = exports::read(&of_exports(names)?)?;
        let base = match args.compare.is_empty() {
            true => None,
            false => Some(exports::read(&of_exports(&args.compare)?)?),
        };
        show(args, None, base.as_ref(), &head);
        return Ok(Exit::Ok);
    }
    of_cases(args, manifest)
}

fn of_exports(names: &[String]) -> Result<Vec<PathBuf>> {
    match names.iter().find(|name| !exports::is_export(name)) {
        None => Ok(names.iter().map(PathBuf::from).collect()),
        Some(name) => Err(Failure::usage(format!("{name} is no folder and no .json file"))
            .next("exports compare with exports: name a folder with what trtexec wrote")),
    }
}

/// What was measured with a record; nothing is measured now.
fn of_record(args: &LayersArgs, name: &str, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let head = base::of_record(&project, name)?;
    let base = LayerBase::find(args, &project, &|_| {})?;
    let bases = base.map(|base| base.there(head.keys())).transpose()?;
    Ok(show_cases(args, &head, &bases.unwrap_or_default()))
}

fn of_cases(args: &LayersArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let show_events = Show::new(args.message_format, args.quiet, false);
    let events = |event: Event| show_events.event(&event);
    // Before minutes are spent: a base that is not there.
    let base = LayerBase::find(args, &project, &events)?;
    let cases = match &base {
        Some(LayerBase::Commit(arms)) => arms.head.cases.clone(),
        _ => args.cases.select(&args.settings, &project)?,
    };
    let device = session::machine_of(&cases)?;
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let (bases, head) = LayerBase::measure(base, &setup, &cases)?;
    show_events.done();
    let exit = show_cases(args, &head.cases, &bases);
    let exit = if head.interrupted { Exit::Interrupted } else { exit };
    if args.message_format == MessageFormat::Json {
        out_message(&Message::SessionFinished(SessionFinished {
            record: head.written.as_deref().map(json::path),
            id: head.record.id.clone(),
            measured: head.record.cases.len(),
            failed: head.record.failed.len(),
            regressed: 0,
            inconclusive: 0,
            interrupted: head.interrupted,
            exit_code: exit.code(),
        }));
    } else if !args.quiet {
        head.written.iter().for_each(|path| note(&format!("record: {}", shown(path))));
    }
    Ok(exit)
}

/// A block for each case; 101 where one has none.
fn show_cases(args: &LayersArgs, head: &CaseLayers, bases: &CaseLayers) -> Exit {
    let mut exit = Exit::Ok;
    for (id, found) in head {
        // Failures were shown when they happened.
        let Ok(found) = found else {
            exit = Exit::Failed;
            continue;
        };
        if args.message_format == MessageFormat::Human {
            out(&format!("{}\n", line(id)));
        }
        match bases.get(id) {
            Some(Err(why)) => {
                exit = Exit::Failed;
                let text = format!("{id}: nothing to compare with: {why}");
                match args.message_format {
                    MessageFormat::Human => note(&text),
                    MessageFormat::Json => out_message(&Message::note(text)),
                }
                show(args, Some(id), None, found);
            }
            base => show(args, Some(id), base.and_then(|b| b.as_ref().ok()), found),
        }
    }
    exit
}

/// The layers of head, or what explains its change.
fn show(args: &LayersArgs, case: Option<&str>, base: Option<&Breakdown>, head: &Breakdown) {
    let json = args.message_format == MessageFormat::Json;
    match base {
        Some(base) if json => out_message(&json::layer_changes(case, &attribute(base, head))),
        Some(base) => out(&layers::comparison(&attribute(base, head), args.limit, width())),
        None if json => out_message(&json::layer_numbers(case, head)),
        None => out(&layers::lines(head, args.limit, args.roofline, width())),
    }
}
