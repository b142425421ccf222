//! `cargo trt-perf compare`: two records that exist already, or two folders of samples.

mod folders;

pub use folders::natural;

use super::args::MessageFormat;
use super::exit::{Exit, Gate};
use super::{note, out, out_message};
use crate::baseline::{self, Entry, Store};
use crate::case::Margins;
use crate::compare;
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::git::{GitError, Repo};
use crate::message::Message;
use crate::outcome::Tally;
use crate::record::Record;
use crate::report::{json, terminal};
use crate::session::sessions_for;
use clap::Args;
use std::path::Path;

/// Compare two records (revisions, record files, or ids as `baseline list` prints them), or two folders of samples
///
/// Nothing is measured. Numbers from two sessions also carry what differs between sessions.
///
/// Two folders compare as well: measurements of any harness, one .npy file per process (one-dimensional u64 nanoseconds
/// in time order), taken in natural order of their names. They are judged as two sessions, assumed to differ by 2 % (sd)
/// where nothing changed, unless --same-session or --paired says more.
#[derive(Args)]
pub struct CompareArgs {
    /// The base: a revision, a record file, a record id from `baseline list`, or a folder of .npy files
    base: String,
    /// What is compared with it: the same
    head: String,
    /// Of two folders: file i of both ran back to back, in one session
    #[arg(long)]
    paired: bool,
    /// Of two folders: all processes ran in one session, in no particular order
    #[arg(long, conflicts_with = "paired")]
    same_session: bool,
    /// Exit with 100 when a case regressed
    #[arg(long)]
    fail_on_regression: bool,
    /// Exit with 102 when a case is inconclusive, 103 when a number cannot be trusted
    #[arg(long)]
    strict: bool,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

pub fn run(args: &CompareArgs, manifest: Option<&Path>) -> Result<Exit> {
    if let Some((base, head)) = folders::folders(args)? {
        return folders::run(args, &base, &head);
    }
    let project = Project::find(manifest)?;
    let base = resolve(&project, &args.base)?;
    let head = resolve(&project, &args.head)?;
    if let Some(why) = compare::different_device(&base, &head) {
        return Err(Failure::new(
            FailureKind::Nothing,
            format!("{} and {} do not compare: {why}", args.base, args.head),
        )
        .next("numbers compare on one device only; list them with `cargo trt-perf baseline list`"));
    }
    let stores = stores(&project);
    let sessions = baseline::recent(&[&stores[0], &stores[1]], &head.device.key);
    let calibration = baseline::load_calibration(stores[0].dir(), &head.device.key).unwrap_or_else(|e| {
        note(&format!("note: the calibration is not used: {e}"));
        None
    });
    let comparisons = compare::compare(&base, &head, Margins::default(), &|id, metric| match (
        base.cases.get(id),
        head.cases.get(id),
    ) {
        (Some(b), Some(h)) => sessions_for(calibration.as_ref(), &sessions, id, [b, h], metric),
        _ => compare::Sessions::Assumed,
    });
    if comparisons.is_empty() {
        return Err(Failure::new(
            FailureKind::Nothing,
            format!("{} and {} have no case in common", args.base, args.head),
        )
        .next("see what they hold with `cargo trt-perf baseline show`"));
    }
    let mut ordered: Vec<_> = comparisons.iter().collect();
    ordered.sort_by_key(|c| (c.verdict.rank(), c.id.clone()));
    let human = args.message_format == MessageFormat::Human;
    if human {
        out(&format!("base: {}\nhead: {}\n\n", base.label(), head.label()));
    }
    for c in ordered {
        if human {
            out(&format!("{}\n", terminal::comparison_block(c)));
        } else {
            out_message(&Message::Comparison(json::compared_case(c, None)));
        }
    }
    for (name, record) in [(&args.base, &base), (&args.head, &head)] {
        record.unknown_note().iter().for_each(|text| note(&format!("warning: {name} {text}")));
    }
    let soft = compare::soft_differences(&base, &head);
    if human && !soft.is_empty() {
        note(&format!("advisory: between the two {}", soft.join(", ")));
    }
    let gate = Gate { fail_on_regression: args.fail_on_regression, strict: args.strict };
    Ok(gate.exit(Tally::of_verdicts(comparisons.iter().map(|c| &c.verdict))))
}

/// Baselines first, then results.
pub fn stores(project: &Project) -> [Store; 2] {
    [Store::new(project.baselines()), Store::new(project.target.join("results"))]
}

/// A record by file, by id, or by the revision it belongs to.
pub fn resolve(project: &Project, name: &str) -> Result<Record> {
    let path = Path::new(name);
    if path.is_file() {
        return baseline::load(path);
    }
    let stores = stores(project);
    let mut entries: Vec<Entry> = Vec::new();
    for store in &stores {
        entries.extend(store.list()?);
    }
    let by_id: Vec<&Entry> = entries
        .iter()
        .filter(|e| {
            is_id(name) && name.starts_with(e.record8.as_str())
                || file_stem(e) == name.trim_end_matches(".json")
        })
        .collect();
    if let Some(entry) = by_id.first() {
        return baseline::load(&entry.path);
    }
    by_revision(project, name, &entries)
}

/// Eight or more hexadecimal digits.
fn is_id(name: &str) -> bool {
    name.len() >= 8 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn file_stem(entry: &Entry) -> String {
    entry.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The newest record of the revision's commit, failing that of its source tree.
fn by_revision(project: &Project, name: &str, entries: &[Entry]) -> Result<Record> {
    let fail = |what: String| {
        let near = did_you_mean(name, entries.iter().map(|e| e.record8.as_str()))
            .map(|n| format!("did you mean the record {n}? "));
        Failure::new(FailureKind::Nothing, what).next(format!(
            "{}name a revision with a record, a record file, or an id from `cargo trt-perf baseline list`",
            near.unwrap_or_default()
        ))
    };
    let no_record = format!("`{name}` is no record file and no record id");
    let in_git = |e: GitError| Failure::from(e).context(format!("{no_record}, and as a revision"));
    let Some(repo) = Repo::discover(&project.root).map_err(in_git)? else {
        return Err(fail(format!("{no_record}, and there is no git repository to look for a revision in")));
    };
    let commit = repo.resolve(name).map_err(|e| match e.is_about_the_name() {
        true => fail(format!("{no_record}, and as a revision: {e}")),
        false => in_git(e),
    })?;
    let short = crate::record::short(&commit.id);
    if let Some(entry) = entries.iter().find(|e| e.commit12 == short) {
        return baseline::load(&entry.path);
    }
    let exclude = repo.relative(&project.baselines())?;
    let tree = repo.src_tree(&commit.id, &exclude)?;
    let same = |r: &Record| r.source.as_ref().is_some_and(|s| s.src_tree == tree && !s.dirty);
    entries
        .iter()
        .filter_map(|e| baseline::load(&e.path).ok())
        .find(same)
        .ok_or_else(|| fail(format!("there is no record of {name} (commit {short})")))
}
