//! `baseline prune` and `baseline size`: what is stored for how long, and how much it is.

use crate::baseline::{self, Store, pruning};
use crate::cli::args::MessageFormat;
use crate::cli::exit::Exit;
use crate::cli::{note, now_s, out, out_message, shown, width};
use crate::config::Project;
use crate::error::Result;
use crate::git::Repo;
use crate::history::retention::Keep;
use crate::message::{Message, PruneFinished};
use crate::report::baselines::{kept, prune_message, size};
use crate::units::{bytes, plural};
use clap::Args;

#[derive(Args)]
pub struct PruneArgs {
    /// How many of the newest records of each case to keep on each device; at least one
    #[arg(long, value_name = "N")]
    keep: usize,
    /// Also keep the newest half year, and of each half year before it the records at both ends of every level of a case's
    /// history (see `history`)
    #[arg(long)]
    keep_epochs: bool,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

#[derive(Args)]
pub struct SizeArgs {
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

pub fn prune(project: &Project, args: &PruneArgs) -> Result<Exit> {
    let human = args.message_format == MessageFormat::Human;
    let say = |text: &str| if human { note(text) } else { out_message(&Message::note(text)) };
    let mut notes = Vec::new();
    let found = pruning(project, Keep { newest: args.keep, epochs: args.keep_epochs }, &mut notes)?;
    notes.iter().for_each(|text| say(text));
    let size = |entry: &baseline::Entry| entry.path.symlink_metadata().map_or(0, |m| m.len());
    let mut end = PruneFinished {
        dry_run: args.dry_run,
        kept: found.kept.len(),
        kept_bytes: found.kept.iter().map(|(entry, _)| size(entry)).sum(),
        deleted: 0,
        deleted_bytes: 0,
    };
    for (entry, why) in &found.kept {
        if human {
            note(&format!("kept {}: {}", shown(&entry.path), kept(why)));
        } else {
            out_message(&prune_message(entry, why));
        }
    }
    for entry in &found.doomed {
        end.deleted_bytes += size(entry);
        if !args.dry_run {
            baseline::delete(entry)?;
        }
        end.deleted += 1;
        if human {
            out(&format!("{}\n", shown(&entry.path)));
        } else {
            out_message(&prune_message(entry, &[]));
        }
    }
    if human {
        let deleted = if args.dry_run { "would be deleted" } else { "deleted" };
        note(&format!(
            "{} {deleted} ({}), {} kept ({}); git keeps deleted ones in its history",
            plural(end.deleted, "record"),
            bytes(end.deleted_bytes),
            end.kept,
            bytes(end.kept_bytes)
        ));
    } else {
        out_message(&Message::PruneFinished(end));
    }
    Ok(Exit::Ok)
}

pub fn size(project: &Project, args: &SizeArgs) -> Result<Exit> {
    let store = Store::new(project.baselines());
    let found = size::of(&store.sizes()?, only_in_history(project), now_s());
    match args.message_format {
        MessageFormat::Human => out(&size::text(&found, width())),
        MessageFormat::Json => out_message(&Message::BaselinesSize(Box::new(found))),
    }
    Ok(Exit::Ok)
}

/// Sizes are known without git, which is asked for the rest.
fn only_in_history(project: &Project) -> Option<(usize, u64)> {
    let repo = Repo::discover(&project.root).ok()??;
    let head = repo.head().ok()??;
    repo.only_in_history(&head.id, &repo.relative(&project.baselines()).ok()?).ok()?
}
