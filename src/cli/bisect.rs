//! The `bisect` verb: finds the commit of a change with few measurements.

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::check::clock_seed;
use super::exit::Exit;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, width};
use crate::case::Case;
use crate::compare::Verdict;
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::message::Message;
use crate::outcome::{BisectAnswer, Bisected, Event};
use crate::report::past;
use crate::session::looks::Looks;
use crate::session::past::PastAsked;
use crate::session::past::bisect::{BisectPlan, bisect};
use crate::session::{Setup, machine_of};
use clap::Args;
use std::path::Path;

/// Find the commit that made a case slower or faster, with as few measurements as the noise allows
///
/// First both ends are compared as pairs of fresh processes, as in `check`; where they do not differ the search ends.
/// Then the commit in the middle is measured as pairs with either end until one is 99 times as likely as the other, and
/// so on: a commit with the engine of an end is not measured, one that cannot be built is stepped over. The commit that is
/// found is measured once more against the one before it. Commits are taken out of git into private folders; all are
/// asked what the work tree asks. Exits with 0 where the commit is found, 4 where the ends do not differ, 102 where it
/// cannot be told.
#[derive(Args)]
pub struct BisectArgs {
    /// The id of a case, or a part of it that no other id contains; or an .onnx file
    case: String,
    /// A revision from before the change (default: the oldest one with a record of the case on this device)
    good: Option<String>,
    /// A revision that has it
    #[arg(default_value = "HEAD")]
    bad: String,
    /// Only models of this package (may be repeated)
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,
    /// Build every engine, also those that an earlier check of yours built
    #[arg(long)]
    no_cache: bool,
    /// Compare the ends by exactly this many pairs, instead of looks at 5, 8, 12 and 20
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// Two-sided error rate of the comparison of the ends, and of the commit that is found: 0.05 or 0.01
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Seed of the order of the arms (default: from the clock)
    #[arg(long, value_name = "N")]
    order_seed: Option<u64>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the answer, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the verb.
pub fn run(args: &BisectArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let looks = Looks {
        pairs: args.pairs,
        max_time: None,
        alpha: args.alpha,
        seed: args.order_seed.unwrap_or_else(clock_seed),
        after: 0,
    };
    looks.check()?;
    let case = [one_case(args, &project)?];
    let device = machine_of(&case)?;
    let show = Show::new(args.message_format, args.quiet, false);
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let asked = PastAsked {
        cases: &case,
        packages: &args.package,
        overrides: args.settings.overrides()?.knowing(&project, &[]),
        use_cache: !args.no_cache,
    };
    let plan = BisectPlan { good: args.good.as_deref(), bad: &args.bad, looks };
    let done = bisect(&setup, &asked, &plan)?;
    show.done();
    let exit = exit(&done);
    match args.message_format {
        MessageFormat::Human => {
            out(&past::bisected(&done, width()));
            if !args.quiet {
                done.written.iter().for_each(|path| note(&format!("record: {}", shown(path))));
            }
        }
        MessageFormat::Json => {
            out_message(&Message::Bisected(Box::new(past::bisected_message(&done, exit.code()))));
        }
    }
    Ok(exit)
}

/// The case of the work tree that is meant.
fn one_case(args: &BisectArgs, project: &Project) -> Result<Case> {
    let filter = CaseArgs {
        filters: vec![args.case.clone()],
        exact: false,
        skip: Vec::new(),
        package: args.package.clone(),
    };
    let mut cases = filter.select(&args.settings, project)?;
    if let Some(at) = cases.iter().position(|case| case.id == args.case) {
        return Ok(cases.swap_remove(at));
    }
    match (cases.pop(), cases.len()) {
        (Some(case), 0) => Ok(case),
        (last, _) => {
            let ids: Vec<String> = cases.into_iter().chain(last).map(|case| case.id).collect();
            Err(Failure::usage(format!("{} cases match `{}`: {}", ids.len(), args.case, ids.join(", ")))
                .next("name one of them: a search follows one case"))
        }
    }
}

fn exit(done: &Bisected) -> Exit {
    match &done.answer {
        BisectAnswer::Interrupted => Exit::Interrupted,
        BisectAnswer::Found { confirmed: true, .. } => Exit::Ok,
        BisectAnswer::Found { .. } | BisectAnswer::Range => Exit::Inconclusive,
        BisectAnswer::NoChange => match done.ends.verdict {
            Verdict::Invalid(_) => Exit::Invalid,
            Verdict::Inconclusive(_) => Exit::Inconclusive,
            _ => Exit::Nothing,
        },
    }
}
