//! The `build` verb: builds the engines into the cache and says what was built, and measures nothing.
//!
//! The times it prints say how long building took.

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::{Exit, ExitPolicy};
use super::show::Show;
use super::{now_s, out, out_message, project, shown};
use crate::backend::WARNINGS;
use crate::case::{BackendKind, Case};
use crate::device::Device;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::message::{BuildFinished, CaseBuildOptions, Message};
use crate::outcome::{Event, Tally};
use crate::printable::row;
use crate::report::{json, terminal};
use crate::session::{self, Setup};
use crate::units::{bytes, plain_time};
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;

/// Build the engines of the cases, and measure nothing
///
/// Engines are built, or found in the cache; where they are, how large they are and how long they took is printed.
/// With TensorRT-RTX that works on a machine without a GPU too.
#[derive(Args)]
pub struct BuildArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// Print the backend and the build options each case would be built with, and stop
    #[arg(long)]
    print_options: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only what was built, and errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Also what the library told about each build
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &BuildArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let cases = args.cases.select(&args.settings, &project)?;
    if args.print_options {
        return print_options(args, &cases);
    }
    let cases = one_per_engine(cases);
    // What a GPU is called is for the build worker to find out; here it would only take time.
    let device = Device::with_gpus(Vec::new());
    let show = Show::new(args.message_format, args.quiet, false);
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let engines = session::build(&setup, &cases)?;
    show.done();
    let human = args.message_format == MessageFormat::Human;
    let mut tally = Tally::default();
    for case in &cases {
        match engines.get(&case.id) {
            Some(Ok(built)) => {
                tally.measured += built.builds().count();
                if human {
                    built.builds().for_each(|built| out(&block(&case.id, built, args.verbose)));
                }
            }
            Some(Err(failure)) if failure.kind == FailureKind::Interrupted => tally.interrupted = true,
            Some(Err(failure)) => {
                tally.failed += 1;
                show_failure(human, &case.id, failure);
            }
            None => {}
        }
    }
    let exit = ExitPolicy::default().exit(tally);
    if !human {
        out_message(&Message::BuildFinished(BuildFinished {
            engines: tally.measured,
            failed: tally.failed,
            interrupted: tally.interrupted,
            exit_code: exit.code(),
        }));
    }
    Ok(exit)
}

/// Scenarios of one model share an engine: the first case stands for all of them.
fn one_per_engine(cases: Vec<Case>) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    let asked = |c: &Case| {
        let batch = c.batch_asked.then_some(c.point.batch);
        format!("{:?}", (&c.model, &c.shapes, batch, &c.target, &c.build, c.threads, c.effort.builds))
    };
    cases.into_iter().filter(|c| seen.insert(asked(c))).collect()
}

fn show_failure(human: bool, id: &str, failure: &Failure) {
    if human {
        out(&format!("{}\n", terminal::failure_block(id, failure)));
    } else {
        out_message(&json::event(&Event::Failed { id, failure }));
    }
}

/// What was built, in a few lines.
fn block(id: &str, built: &Built, verbose: bool) -> String {
    let made = &built.header.made_from;
    let time = plain_time(built.header.build_ns as f64);
    let how =
        if built.cached { format!("from the cache (built in {time})") } else { format!("built in {time}") };
    let mut lines = vec![
        id.to_owned(),
        format!("  {}, {how}", bytes(built.engine_bytes)),
        format!("  {}", shown(&built.engine)),
        format!("  {}", made.library),
    ];
    lines.extend(built.header.facts.get(WARNINGS).map(|w| format!("  warning: {w}")));
    lines.extend(made.hardware.as_ref().map(|gpu| format!("  for {gpu}")));
    if verbose {
        lines.extend(
            built
                .header
                .facts
                .iter()
                .filter(|(what, _)| *what != WARNINGS)
                .map(|(what, value)| format!("  {what}: {value}")),
        );
    }
    lines.iter().map(|line| row(line) + "\n").collect()
}

/// The options as they would be written, one a line, with the default ones left to the backend.
fn print_options(args: &BuildArgs, cases: &[Case]) -> Result<Exit> {
    for case in cases {
        let backend = case.target.kind.word();
        if args.message_format == MessageFormat::Json {
            out_message(&Message::BuildOptions(Box::new(CaseBuildOptions {
                case: case.id.clone(),
                backend: backend.to_owned(),
                tensorrt: case.target.tensorrt.as_deref().map(json::path),
                options: case.build.clone(),
            })));
            continue;
        }
        let value = serde_json::to_value(&case.build)
            .map_err(|e| Failure::new(FailureKind::Io, format!("cannot write the options as JSON: {e}")))?;
        let mut lines = vec![case.id.clone(), format!("  backend = {backend:?}")];
        lines.extend(case.target.tensorrt.as_ref().map(|folder| format!("  tensorrt = {folder:?}")));
        let own = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "tensorrt");
        let theirs = value.get("tensorrt").and_then(|t| t.as_object()).into_iter().flatten();
        // The embedded backend's own switches mean nothing to TensorRT.
        let own = own.filter(|_| case.target.kind == BackendKind::Cpu);
        lines.extend(own.chain(theirs).map(|(key, value)| format!("  build.{key} = {value}")));
        out(&lines.iter().map(|line| row(line) + "\n").collect::<String>());
    }
    Ok(Exit::Ok)
}
