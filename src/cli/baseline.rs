//! The `baseline` verb: lists, shows, keeps and removes records in `baselines/`.

mod retention;

use super::args::MessageFormat;
use super::exit::Exit;
use super::keep::{size_note, stored_note};
use super::{note, now_s, out, out_message, project, shown, width};
use crate::baseline::{Store, find_record, newest_first};
use crate::config::Project;
use crate::error::{Result, did_you_mean};
use crate::printable::line;
use crate::report::baselines::StoredRecord;
use crate::report::{self, baselines, terminal};
use crate::session::check::accept::{AcceptRequest, accept as accept_change};
use crate::session::keep;
use crate::units::plural;
use clap::Subcommand;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Subcommand)]
pub enum BaselineVerb {
    /// Store the newest record of HEAD (or the named one) in baselines/, to be committed
    Save {
        /// A record file or id; default: the newest result of HEAD
        record: Option<String>,
        /// Store it although there were changes beside the commit; the record says so
        #[arg(long)]
        allow_dirty: bool,
    },
    /// Accept what `check` found of a case: a change, with its interval, or that it is gone, redefined or not comparable
    Accept {
        /// The case's id, as `check` prints it
        #[arg(long, value_name = "ID")]
        case: String,
        /// Why the change is worth it; reviewers read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Only if it was measured against this revision
        #[arg(long, value_name = "REV")]
        base: Option<String>,
    },
    /// List the stored records, newest first, and then those with a name
    List {
        /// Only this device key
        #[arg(long, value_name = "KEY")]
        device: Option<String>,
        /// Also say what they accept
        #[arg(long)]
        long: bool,
        /// What goes to standard output
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        message_format: MessageFormat,
    },
    /// Print a stored record as a table
    Show {
        /// A revision, a record file, or an id as `baseline list` prints them
        record: String,
    },
    /// Delete old records, but none that something needs; says what stays, and why
    ///
    /// Whatever the options say, these stay: the newest record of each case, the oldest that drift is measured from, the
    /// newest that pins an operating point, what somebody accepted, what replaced a record that stays, records with a name,
    /// and files that cannot be read.
    Prune(retention::PruneArgs),
    /// Say how large the stored records are: per device and year, in the last month, and in git's history
    Size(retention::SizeArgs),
}

/// Runs the verb.
pub fn run(verb: &BaselineVerb, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    match verb {
        BaselineVerb::Save { record, allow_dirty } => save(&project, record.as_deref(), *allow_dirty),
        BaselineVerb::Accept { case, reason, base } => {
            accept(&project, &AcceptRequest { case, reason, base: base.as_deref(), now_s: now_s() })
        }
        BaselineVerb::List { device, long, message_format } => {
            list(&project, device.as_deref(), *long, *message_format)
        }
        BaselineVerb::Show { record } => show(&project, record),
        BaselineVerb::Prune(args) => retention::prune(&project, args),
        BaselineVerb::Size(args) => retention::size(&project, args),
    }
}

fn save(project: &Project, name: Option<&str>, allow_dirty: bool) -> Result<Exit> {
    let (path, record) = keep::save(project, name, allow_dirty)?;
    note(&stored_note(&path, project));
    size_note(&path, &record).iter().for_each(|n| note(n));
    Ok(Exit::Ok)
}

fn accept(project: &Project, request: &AcceptRequest) -> Result<Exit> {
    let (path, record) = accept_change(project, request)?;
    record.acceptance.iter().for_each(|a| out(&format!("{}\n", report::accepts(a))));
    note(&stored_note(&path, project));
    if !record.supersedes.is_empty() {
        note(&format!(
            "drift of this case now counts from here: it replaces {}",
            plural(record.supersedes.len(), "stored record")
        ));
    }
    size_note(&path, &record).iter().for_each(|n| note(n));
    Ok(Exit::Ok)
}

fn list(project: &Project, device: Option<&str>, long: bool, format: MessageFormat) -> Result<Exit> {
    let store = Store::new(project.baselines());
    let of_commits = newest_first(store.list()?).map(|entry| {
        let record = entry.load();
        StoredRecord { entry, name: None, record }
    });
    let named = store.named()?.into_iter().map(|named| {
        let record = named.load();
        StoredRecord { entry: named.entry(record.as_ref().ok()), name: Some(named.name), record }
    });
    let all: Vec<StoredRecord> = of_commits.chain(named).collect();
    let keys: BTreeSet<String> = all.iter().map(|one| one.entry.device_key.clone()).collect();
    let wanted = |one: &StoredRecord| device.is_none_or(|d| one.entry.device_key == d);
    let stored: Vec<StoredRecord> = all.into_iter().filter(wanted).collect();
    if stored.is_empty() {
        let meant = device.and_then(|key| did_you_mean(key, keys.iter().map(String::as_str)));
        let next = match (meant, keys.is_empty()) {
            (Some(key), _) => format!("did you mean {}?", line(key)),
            (None, false) => format!("there are some of {}", line(&Vec::from_iter(keys).join(", "))),
            (None, true) => "make one with `cargo trt-perf run --save-baseline`".into(),
        };
        let of = device.map_or_else(String::new, |key| format!(" of the device {}", line(key)));
        note(&format!("no baselines{of} in {}; {next}", shown(store.dir())));
        return Ok(Exit::Ok);
    }
    match format {
        MessageFormat::Human => out(&baselines::text(&stored, long, width())),
        MessageFormat::Json => stored.iter().for_each(|one| out_message(&baselines::message(one))),
    }
    Ok(Exit::Ok)
}

fn show(project: &Project, name: &str) -> Result<Exit> {
    let record = find_record(project, name)?;
    out(&format!(
        "record {} of {}\ndevice {} ({})\nmeasured with cargo-trt-perf {}\n",
        line(&record.id),
        line(&record.label()),
        line(&record.device.key),
        line(&record.device.name),
        line(&record.tool)
    ));
    for (key, value) in &record.device.soft {
        out(&format!("{} {}\n", line(key), line(value)));
    }
    if record.source.as_ref().is_some_and(|s| s.dirty) {
        out("not of the commit alone: there were changes beside it\n");
    }
    let unreal: BTreeMap<&str, &str> = record
        .cases
        .iter()
        .filter_map(|(id, case)| Some((case.engine.unreal()?.words(), id.as_str())))
        .collect();
    for (words, id) in unreal {
        out(&format!("not a real result: {words} ({id})\n"));
    }
    record.acceptance.iter().for_each(|a| out(&format!("{}\n", report::accepts(a))));
    if !record.supersedes.is_empty() {
        out(&format!("replaces {}\n", line(&record.supersedes.join(", "))));
    }
    out(&format!("\n{}", terminal::table(&record, &BTreeMap::new(), width())));
    record.file_note().iter().for_each(|text| note(&format!("warning: {name} {text}")));
    Ok(Exit::Ok)
}
