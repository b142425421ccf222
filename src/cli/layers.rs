//! The `layers` verb: what each layer of an engine takes, and which layers explain a change.

mod exports;

use super::args::MessageFormat;
use super::exit::Exit;
use super::{out, out_message};
use crate::error::{Failure, Result};
use crate::layers::{Breakdown, attribute};
use crate::report::{json, layers};
use clap::Args;
use std::path::{Path, PathBuf};

/// What each layer of an engine takes; with --compare, which layers explain a change
///
/// Of exports of trtexec: folders with profile.json (--exportProfile), graph.json or layers.json (--exportLayerInfo) and,
/// for the residual, times.json (--exportTimes). Several folders are several processes of one engine.
#[derive(Args)]
pub struct LayersArgs {
    /// Folders, or files, that trtexec exported
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// Exports to compare with (may be repeated: several processes of one engine)
    #[arg(long, value_name = "BASE")]
    compare: Vec<String>,
    /// How many rows are shown; JSON has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

/// Runs the verb.
pub fn run(args: &LayersArgs, _manifest: Option<&Path>) -> Result<Exit> {
    let head = exports::read(&of_exports(&args.paths)?)?;
    let base = match args.compare.is_empty() {
        true => None,
        false => Some(exports::read(&of_exports(&args.compare)?)?),
    };
    show(args, None, base.as_ref(), &head);
    Ok(Exit::Ok)
}

fn of_exports(names: &[String]) -> Result<Vec<PathBuf>> {
    match names.iter().find(|name| !exports::is_export(name)) {
        None => Ok(names.iter().map(PathBuf::from).collect()),
        Some(name) => Err(Failure::usage(format!("{name} is no folder and no .json file"))
            .next("name a folder with what trtexec exported")),
    }
}

/// The layers of head, or what explains its change.
fn show(args: &LayersArgs, case: Option<&str>, base: Option<&Breakdown>, head: &Breakdown) {
    let json = args.message_format == MessageFormat::Json;
    match base {
        Some(base) if json => out_message(&json::layer_changes(case, &attribute(base, head))),
        Some(base) => out(&layers::comparison(&attribute(base, head), args.limit)),
        None if json => out_message(&json::layer_numbers(case, head)),
        None => out(&layers::lines(head, args.limit)),
    }
}
