//! The `backfill` verb: measures commits of the past, and keeps a record of each.

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::Exit;
use super::keep::stored_note;
use super::show::Show;
use super::{note, now_s, out, out_message, project, width};
use crate::error::Result;
use crate::message::Message;
use crate::outcome::{Backfilled, Event};
use crate::report::past;
use crate::session::past::PastAsked;
use crate::session::past::backfill::{BackfillPlan, backfill};
use crate::session::{Setup, machine_of};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::Path;

/// Measure the commits of a range, newest first, and keep a record of each
///
/// Each commit along first parents is taken out of git into a private folder, prepared, built and measured there; the
/// checkout is not touched. All are asked what the work tree asks, so that their numbers compare: shapes, inputs,
/// scenario, budget, processes. Models, backends and build options are each commit's own. The records go where those of
/// `run` go, and `history` shows them in commit order. Commits that have such a record are not measured again, so the
/// same command goes on after Ctrl-C; commits that cannot be built are stepped over and listed at the end. Exits with 101
/// where no commit of the range has a record.
#[derive(Args)]
#[command(mut_arg("filters", |arg| arg.value_name("FILTER|MODEL.onnx")))]
pub struct BackfillArgs {
    /// The commits, as `git log` takes them: v1.0..HEAD, or v1.0.. for the same
    #[arg(value_name = "REV..REV")]
    range: String,
    #[command(flatten)]
    cases: CaseArgs,
    /// Only every so many commits, from the newest on
    #[arg(long, value_name = "N", default_value = "1")]
    every: NonZeroUsize,
    /// Also store each record in baselines/, to be committed
    #[arg(long)]
    save_baseline: bool,
    /// Build every engine, also those that an earlier check of yours built
    #[arg(long)]
    no_cache: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the table at the end, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &BackfillArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let cases = args.cases.select(&args.settings, &project)?;
    let device = machine_of(&cases)?;
    let show = Show::new(args.message_format, args.quiet, false);
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let asked = PastAsked {
        cases: &cases,
        packages: &args.cases.package,
        overrides: args.settings.overrides()?.knowing(&project, &[]),
        use_cache: !args.no_cache,
    };
    let plan =
        BackfillPlan { range: &args.range, every: args.every.get(), save_baseline: args.save_baseline };
    let done = backfill(&setup, &asked, &plan)?;
    show.done();
    let exit = exit(&done);
    match args.message_format {
        MessageFormat::Human => {
            out(&past::backfilled(&done, width()));
            // All lie in one folder.
            done.baselines.first().iter().for_each(|path| note(&stored_note(path, &project)));
        }
        MessageFormat::Json => {
            out_message(&Message::Backfilled(past::backfilled_message(&done, exit.code())));
        }
    }
    Ok(exit)
}

fn exit(done: &Backfilled) -> Exit {
    let [measured, recorded, _] = done.counts();
    match done.interrupted {
        true => Exit::Interrupted,
        false if measured + recorded == 0 => Exit::Failed,
        false => Exit::Ok,
    }
}
