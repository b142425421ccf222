//! The `discover` verb, and `run --discover`: searches for the best operating point.

mod write;

use super::args::MessageFormat;
use super::cases::SessionArgs;
use super::exit::Exit;
use super::files::Ending;
use super::history::{locale_glyphs, size};
use super::keep::save_baseline;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, width};
use crate::case::{self, Case, ensure_unique_ids};
use crate::config::Project;
use crate::discover::{AskedAxes, Cell, Grid, grids};
use crate::error::{Failure, Result};
use crate::message::{DiscoverFinished, Message};
use crate::outcome::{Discovered, Event, Explored};
use crate::printable;
use crate::report::{self, html, json};
use crate::session::discover::discover;
use crate::session::expected::ExpectedTime;
use crate::session::{Setup, details, host, machine_of};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Search the operating point with the most throughput within the budget, and pin it
///
/// Tries batch × streams × in-flight × CUDA graph (on the CPU: batch × concurrent sessions × threads) for each model,
/// in short trials first and long ones last, and drops early what is over the budget or beaten by far.
///
/// The cell with the most throughput within the budget wins. Its measurement is recorded, and with --save-baseline it
/// pins the point: later runs and checks of the case measure there, unless something is configured. That another cell
/// wins later is said, and fails nothing.
#[derive(Args)]
pub struct DiscoverArgs {
    /// Write the grids as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    // Last: its headings would go on.
    #[command(flatten)]
    session: SessionArgs,
}

/// Runs the verb.
pub fn run(args: &DiscoverArgs, manifest: Option<&Path>) -> Result<Exit> {
    search(&args.session, args.html.as_deref(), manifest)
}

/// What both ways to ask for a search come to; `page` is the file for a page of it.
pub fn search(asked: &SessionArgs, page: Option<&Path>, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let (grids, known) = select(asked, &project)?;
    if asked.list {
        let line = |c: &Case| format!("{} {}", printable::line(&c.id), Cell::of(c).words());
        return Ok(asked.print_list(grids.iter().flat_map(|g| &g.cells), line));
    }
    // Before minutes are spent on what could not be kept.
    check_write_target(asked, &grids)?;
    if asked.baseline_name().is_some() {
        return Err(Failure::usage(
            "a search stores its winner as the commit's baseline, which pins it, and not under a name",
        )
        .next("say --save-baseline alone"));
    }
    asked.ensure_savable(&project)?;
    let device = machine_of(&cells(&grids))?;
    let show = Show::new(asked.message_format, asked.quiet, asked.verbose);
    let show = show.expecting(ExpectedTime::of_search(&grids));
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let mut found = discover(&setup, grids)?;
    show.done();
    finish(asked, page, &project, &mut found, &known)
}

/// The grids that are asked for, and the ids of all configured cases.
fn select(asked: &SessionArgs, project: &Project) -> Result<(Vec<Grid>, BTreeSet<String>)> {
    let axes = AskedAxes::parse(&asked.grid.axes)?;
    let models = asked.cases.asked().models(project, &asked.settings.overrides()?)?;
    let configured = case::cases(models.configured.as_deref().unwrap_or_default(), host());
    let known = configured.into_iter().map(|c| c.id).collect();
    let mut all = Vec::new();
    for (models, filter) in models.parts() {
        let mut grids = grids(models, &axes, host())?;
        let selected = case::select(cells(&grids), &filter)?;
        let ids: BTreeSet<&str> = selected.iter().map(|c| c.id.as_str()).collect();
        grids.iter_mut().for_each(|g| g.retain(|case| ids.contains(case.id.as_str())));
        all.extend(grids.into_iter().filter(|g| !g.cells.is_empty()));
    }
    ensure_unique_ids(all.iter().map(|g| g.name.as_str()))?;
    case::check(&cells(&all))?;
    Ok((all, known))
}

fn cells(grids: &[Grid]) -> Vec<Case> {
    grids.iter().flat_map(|g| g.cells.iter().cloned()).collect()
}

/// Whether what is to be done with a winner can be done.
fn check_write_target(asked: &SessionArgs, grids: &[Grid]) -> Result<()> {
    if asked.grid.write && grids.iter().any(|g| g.written.is_none()) {
        return Err(Failure::usage(
            "--write has nowhere to write to: the model was named on the command line",
        )
        .next("configure it first (`cargo trt-perf init`), or leave --write out"));
    }
    let option = if asked.grid.write { "--write" } else { "--save-baseline" };
    let budget = grids.iter().flat_map(|g| &g.cells).any(|c| c.budget.is_some());
    if (asked.grid.write || asked.save_baseline.is_some()) && !budget {
        return Err(Failure::usage(format!("{option} needs a winner, and without a budget there is none"))
            .next("say how long a request may take, such as --max-latency 5ms or max-latency = \"5ms\""));
    }
    Ok(())
}

/// The plots and tables, where the record is, what was written, and the page that is asked for.
fn finish(
    asked: &SessionArgs,
    page: Option<&Path>,
    project: &Project,
    found: &mut Discovered,
    known: &BTreeSet<String>,
) -> Result<Exit> {
    let human = asked.message_format == MessageFormat::Human;
    for explored in &found.grids {
        if human {
            let gap = if asked.quiet { "" } else { "\n" };
            let text = report::discover::text(explored, size(), locale_glyphs(), asked.verbose, width());
            out(&format!("{gap}{text}"));
        } else {
            report::discover::messages(explored).iter().for_each(out_message);
        }
    }
    let mut ending = Ending::of(exit(found));
    let record = match found.written.take().transpose() {
        Ok(path) => path,
        // What was found has been shown; only its record is lost.
        Err(failure) => {
            ending.lose(&failure);
            None
        }
    };
    let (notes, written) = keep(asked, project, found, known, record.as_deref())?;
    if human {
        notes.iter().filter(|_| !asked.quiet).for_each(|n| note(n));
    } else {
        notes.iter().for_each(|n| out_message(&Message::note(n)));
    }
    ending.write(page, || {
        let details = details::of_record(&project.folders, &found.record, &BTreeMap::new(), &|_| None);
        html::discover(found, &details)
    });
    let exit = ending.exit();
    if human {
        return Ok(exit);
    }
    // Last: who reads that the search finished has its page.
    out_message(&Message::DiscoverFinished(DiscoverFinished {
        record: record.as_deref().map(json::path),
        id: found.record.id.clone(),
        written: written.as_deref().map(json::path),
        interrupted: found.interrupted,
        exit_code: exit.code(),
    }));
    Ok(exit)
}

/// Writes and pins what was found; what there is to say about it, and the manifest that was written.
fn keep(
    asked: &SessionArgs,
    project: &Project,
    found: &mut Discovered,
    known: &BTreeSet<String>,
    record: Option<&Path>,
) -> Result<(Vec<String>, Option<PathBuf>)> {
    let mut notes = Vec::new();
    if found.interrupted {
        notes.push("stopped: grids that were not complete are left out".to_owned());
    }
    notes.extend(record.map(|path| format!("record: {}", shown(path))));
    for (id, case) in &found.record.cases {
        notes.extend(
            case.invalid_reason()
                .map(|(why, _)| format!("warning: the numbers of {id} cannot be trusted: {why}")),
        );
    }
    let mut written: Option<PathBuf> = None;
    if asked.grid.write && !found.interrupted {
        for explored in &found.grids {
            let (file, said) = write::write(project, explored)?.unzip();
            notes.extend(said);
            written = file.or(written);
        }
    }
    if asked.save_baseline.is_some() {
        notes.extend(save_baseline(project, &mut found.record, None, found.interrupted)?);
    } else if !found.record.cases.is_empty() {
        let text = match asked.grid.write {
            true => "the point is configured now; --save-baseline would also keep its numbers",
            false => "the point is not pinned yet: --save-baseline pins it, --write configures it",
        };
        notes.push(text.to_owned());
    }
    if !asked.grid.write {
        notes.extend(found.grids.iter().filter_map(|explored| unknown(explored, known)));
    }
    Ok((notes, written))
}

/// That a winner is no case of the configuration, so that no later run would measure it.
fn unknown(explored: &Explored, known: &BTreeSet<String>) -> Option<String> {
    let entry = &explored.trials.entries[explored.ranking.winner?];
    explored.grid.written.as_ref().filter(|_| !known.contains(&entry.id))?;
    Some(format!(
        "{} is not configured: a later run measures it with --scenario throughput{}",
        entry.id,
        if explored.grid.axes.batch.len() > 1 {
            format!(" --batch {}, or once --write has set batches = [{0}]", entry.cell.point.batch)
        } else {
            String::new()
        }
    ))
}

/// Cells may fail and others win; a grid of which nothing is left is a failure, one without a cell within the budget
/// has nothing to offer.
fn exit(found: &Discovered) -> Exit {
    if found.interrupted {
        Exit::Interrupted
    } else if found.grids.iter().any(Explored::all_failed) {
        Exit::Failed
    } else if found.grids.iter().any(|e| e.ranking.nearest.is_some()) {
        Exit::Nothing
    } else {
        Exit::Ok
    }
}
