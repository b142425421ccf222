//! The `compare` verb: compares two records that exist already, or two folders of samples.

mod folders;

pub use folders::natural;

use super::args::{self, MessageFormat};
use super::exit::{Exit, ExitPolicy};
use super::files::Ending;
use super::{note, out, out_message, project, width};
use crate::baseline::{self, find_record, stores};
use crate::case::Margins;
use crate::compare::{self, Sessions, Verdict};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::message::Message;
use crate::outcome::Tally;
use crate::printable::line;
use crate::record::Record;
use crate::report::{self, json, junit, markdown, terminal};
use crate::session::sessions_for;
use clap::Args;
use std::path::{Path, PathBuf};

/// Compare two records (revisions, record files, or ids as `baseline list` prints them), or two folders of samples
///
/// Nothing is measured. Numbers from two sessions also carry what differs between sessions.
///
/// Two folders compare as well: measurements of any harness, one .npy file per process (one-dimensional u64
/// nanoseconds in time order), taken in natural order of their names. They are judged as two sessions, assumed to
/// differ by 2 % (sd) where nothing changed, unless --same-session or --paired says more.
#[derive(Args)]
pub struct CompareArgs {
    /// The base: a revision, a record file, a record id from `baseline list`, or a folder of .npy files
    base: String,
    /// What is compared with it: the same
    head: String,
    /// Further records: then all stand side by side, a column each, with the factor to the best and no verdicts
    #[arg(conflicts_with_all = ["paired", "same_session", "assume_session_sd", "fail_on_regression", "strict", "markdown", "junit"])]
    more: Vec<String>,
    /// Of two folders: file i of both ran back to back, in one session
    #[arg(long)]
    paired: bool,
    /// Of two folders: all processes ran in one session, in no particular order
    #[arg(long, conflicts_with = "paired")]
    same_session: bool,
    /// Judge as if sessions differed by this much (sd) where nothing changed, whatever is known of it
    #[arg(long, value_name = "PERCENT", value_parser = args::session_sd, conflicts_with_all = ["paired", "same_session"])]
    assume_session_sd: Option<f64>,
    /// Exit with 100 when a case regressed, by numbers that are not only advice
    #[arg(long)]
    fail_on_regression: bool,
    /// Exit with 102 when a case is inconclusive, 103 when a number cannot be trusted
    #[arg(long)]
    strict: bool,
    /// Write the table as markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the cases as JUnit XML, too: a regression that is not only advice is a failure there, whatever the exit code
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

/// Runs the verb.
pub fn run(args: &CompareArgs, manifest: Option<&Path>) -> Result<Exit> {
    if !args.more.is_empty() {
        return several(args, &project(manifest)?);
    }
    if let Some((base, head)) = folders::folders(args)? {
        return folders::run(args, &base, &head);
    }
    let project = project(manifest)?;
    let base = find_record(&project, &args.base)?;
    let head = find_record(&project, &args.head)?;
    let comparisons = compared(&project, (&args.base, &base), (&args.head, &head), args.assume_session_sd)?;
    let mut ordered: Vec<_> = comparisons.iter().collect();
    ordered.sort_by_key(|c| (c.verdict.rank(), c.id.clone()));
    let human = args.message_format == MessageFormat::Human;
    if human {
        out(&format!("base: {}\nhead: {}\n\n", line(&base.label()), line(&head.label())));
    }
    for c in &ordered {
        if human {
            out(&format!("{}\n", terminal::comparison_block(c)));
        } else {
            out_message(&Message::Comparison(json::compared_case(c, None)));
        }
    }
    if human {
        out(&terminal::comparison_table(ordered.iter().copied(), width()));
    }
    for (name, record) in [(&args.base, &base), (&args.head, &head)] {
        record.file_note().iter().for_each(|text| note(&format!("warning: {name} {text}")));
    }
    let soft = compare::soft_differences(&base, &head);
    if human && !soft.is_empty() {
        note(&format!("advisory: between the two {}", soft.join(", ")));
    }
    if let Some(text) = only_in_base(&base, &head) {
        if human { note(&text) } else { out_message(&Message::note(text)) }
    }
    let gate = ExitPolicy { fail_on_regression: args.fail_on_regression, strict: args.strict };
    let nothing = comparisons.iter().all(|c| matches!(c.verdict, Verdict::NotComparable(_)));
    let exit = if nothing { Exit::Nothing } else { gate.exit(Tally::of_comparisons(&comparisons)) };
    let mut ending = Ending::of(exit);
    let (base_label, head_label) = (base.label(), head.label());
    let names = [&base_label, &head_label, head.device.key.as_str()];
    ending.write(args.markdown.as_deref(), || Ok(markdown::comparisons(&base_label, &head_label, ordered)));
    ending.write(args.junit.as_deref(), || Ok(junit::comparisons(names, &comparisons, args.strict)));
    Ok(ending.exit())
}

/// The cases that no row tells of.
fn only_in_base(base: &Record, head: &Record) -> Option<String> {
    let gone: Vec<&str> =
        base.cases.keys().filter(|id| !head.cases.contains_key(*id)).map(String::as_str).collect();
    (!gone.is_empty()).then(|| format!("only the base holds {}", gone.join(", ")))
}

/// Numbers compare on one device only.
fn ensure_same_device((base_name, base): (&str, &Record), (head_name, head): (&str, &Record)) -> Result<()> {
    compare::different_device(base, head).map_or(Ok(()), |why| {
        Err(Failure::new(FailureKind::Nothing, format!("{base_name} and {head_name} do not compare: {why}"))
            .next("numbers compare on one device only; list them with `cargo trt-perf baseline list`"))
    })
}

/// More than two records beside each other.
fn several(args: &CompareArgs, project: &Project) -> Result<Exit> {
    let names: Vec<&String> = [&args.base, &args.head].into_iter().chain(&args.more).collect();
    let records = names.iter().map(|name| find_record(project, name)).collect::<Result<Vec<_>>>()?;
    for (name, record) in names.iter().zip(&records).skip(1) {
        ensure_same_device((names[0], &records[0]), (name, record))?;
    }
    let rows = compare::several(&records.iter().collect::<Vec<_>>());
    if args.message_format == MessageFormat::Json {
        let ids: Vec<String> = records.iter().map(|r| r.id.clone()).collect();
        report::several::messages(&ids, &rows).iter().for_each(out_message);
        return Ok(Exit::Ok);
    }
    for (name, record) in names.iter().zip(&records) {
        out(&format!("{}: {}\n", line(name), line(&record.label())));
    }
    let names: Vec<String> = names.into_iter().cloned().collect();
    out(&format!("\n{}", report::several::text(&names, &rows, width())));
    Ok(Exit::Ok)
}

/// Every case that both records have, each record with the name that it was asked for by; fails where there is none.
/// `session_sd_frac` is how much sessions are said to differ, if somebody says so.
pub fn compared(
    project: &Project,
    base: (&str, &Record),
    head: (&str, &Record),
    session_sd_frac: Option<f64>,
) -> Result<Vec<compare::CaseComparison>> {
    ensure_same_device(base, head)?;
    let mut comparisons = in_both(project, base.1, head.1, session_sd_frac);
    if comparisons.is_empty() {
        let what = format!("{} and {} have no case in common", base.0, head.0);
        return Err(Failure::new(FailureKind::Nothing, what)
            .next("see what they hold with `cargo trt-perf baseline show`"));
    }
    compare::many::correct(&mut comparisons.iter_mut().collect::<Vec<_>>())
        .map_err(|e| Failure::new(FailureKind::Format, e.to_string()))?;
    Ok(comparisons)
}

/// Every case that both have, by what is known, or said, of how much sessions differ.
fn in_both(
    project: &Project,
    base: &Record,
    head: &Record,
    session_sd_frac: Option<f64>,
) -> Vec<compare::CaseComparison> {
    let stores = stores(project);
    let sessions = baseline::recent(&[&stores[0], &stores[1]], &head.device.key);
    let calibration = baseline::load_calibration(stores[0].dir(), &head.device.key).unwrap_or_else(|e| {
        note(&format!("note: the calibration is not used: {e}"));
        None
    });
    let known = |id: &str, metric| match (base.cases.get(id), head.cases.get(id)) {
        (Some(b), Some(h)) => sessions_for(calibration.as_ref(), &sessions, id, [b, h], metric),
        _ => Sessions::Assumed,
    };
    let given = session_sd_frac.map(Sessions::given);
    compare::compare(base, head, Margins::default(), &|id, metric| given.unwrap_or_else(|| known(id, metric)))
}
