//! The `merge` verb: joins what several machines measured.

use super::args::MessageFormat;
use super::exit::{Exit, ExitPolicy};
use super::files::Ending;
use super::run::RunFiles;
use super::verdict::{ShownVerdict, VerdictArgs, publish};
use super::{note, out, out_message, project, shown, width};
use crate::baseline::{self, Store, file};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::evidence::{self, Evidence};
use crate::message::{Message, SessionFinished};
use crate::outcome::{RunOutcome, Tally};
use crate::record::wire::document::{EVIDENCE, kind_name};
use crate::record::{self, Record};
use crate::report::{json, terminal};
use crate::session::kept;
use crate::units::plural;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Join what several machines measured of one check into one verdict, or of one run into one record
///
/// Each machine measures its part (`check --partition hash:1/3 --result part.json`). The parts have to be of the same
/// commits, device, version and plan, and all there; where one is missing, or two disagree about a case, there is no
/// verdict and the exit code is 4. What is claimed of all cases is corrected for their number once, as in one check, and
/// the outputs and the exit code are those of `check`.
#[derive(Args)]
pub struct MergeArgs {
    /// What `check --result` or `run --result` wrote, or folders that hold such files at any depth
    #[arg(required = true, value_name = "FILE|FOLDER")]
    parts: Vec<PathBuf>,
    /// Write what was joined to this file, too
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    #[command(flatten)]
    verdict: VerdictArgs,
}

/// Folders that artifacts were unpacked into are not deeper.
const MOST_DEPTH: usize = 8;
/// More files than anybody has parts.
const MOST_FILES: usize = 10_000;

/// What the files hold, each with its name.
#[derive(Default)]
struct MergeParts {
    checks: Vec<(String, Evidence)>,
    runs: Vec<(String, Record)>,
    /// Those of the runs that were named, and not found in a folder.
    named_runs: Vec<String>,
    /// What lies in a folder beside them and cannot be read.
    skipped: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &MergeArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let mut parts = MergeParts::default();
    for path in &args.parts {
        parts.add(path)?;
    }
    say(args, parts.skipped.iter().cloned());
    match (parts.checks.is_empty(), parts.runs.is_empty()) {
        (true, true) => {
            let all: Vec<String> = args.parts.iter().map(|path| shown(path)).collect();
            let what = format!("no result of a check or a run is in {}", all.join(", "));
            Err(Failure::new(FailureKind::Nothing, what)
                .next("write them with `check --result FILE` or `run --result FILE`"))
        }
        (true, false) => of_runs(args, &project, &parts.runs),
        // A check writes records, too, and its evidence holds them.
        (false, _) => match parts.named_runs.first() {
            None => of_checks(args, &project, &parts.checks),
            Some(run) => {
                let check = parts.checks.first().map_or("", |(name, _)| name);
                let what = format!("{check} is the result of a check, and {run} the record of a run");
                Err(Failure::usage(what)
                    .next("merge each kind for itself: the one has a verdict, the other numbers"))
            }
        },
    }
}

impl MergeParts {
    fn add(&mut self, path: &Path) -> Result<()> {
        if !path.exists() {
            let what = format!("a part is missing: there is no {}", shown(path));
            return Err(Failure::new(FailureKind::Nothing, what)
                .next("name the files of all machines, or their folder"));
        }
        if !path.is_dir() {
            let runs = self.runs.len();
            let known = self.add_file(path, kind_of(path)?.as_deref())?;
            self.named_runs.extend(self.runs.iter().skip(runs).map(|(name, _)| name.clone()));
            let what = || format!("{} is no result of a check and no record", shown(path));
            return if known { Ok(()) } else { Err(Failure::usage(what()).next(EVIDENCE.damaged)) };
        }
        let mut files = Vec::new();
        below(path, 0, &mut files)?;
        files.sort();
        // Other files lie beside them: samples, engines, the records of what layers take, and what nobody here wrote.
        for file in &files {
            match kind_of(file) {
                Ok(kind) => drop(self.add_file(file, kind.as_deref())?),
                Err(failure) => self.skipped.push(format!("skipped: {}", failure.message)),
            }
        }
        Ok(())
    }

    /// Whether it is one of ours.
    fn add_file(&mut self, path: &Path, kind: Option<&str>) -> Result<bool> {
        let name = shown(path);
        match kind {
            Some("evidence") => self.checks.push((name, kept::load(path)?)),
            Some("record") => self.runs.push((name, baseline::load(path)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What a file says that it is.
fn kind_of(path: &Path) -> Result<Option<String>> {
    file::open(path, &EVIDENCE, |text| Ok(kind_name(text)))
}

/// The `.json` files below a folder, without following links.
fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::io("read the folder", folder, &e))?;
    for entry in entries.flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        match kind {
            Ok(kind) if kind.is_dir() && depth < MOST_DEPTH => below(&path, depth + 1, files)?,
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == "json") => files.push(path),
            _ => {}
        }
        if files.len() > MOST_FILES {
            let what = format!("{} holds more than {MOST_FILES} .json files", shown(folder));
            return Err(Failure::usage(what).next("name the results, or a folder with nothing else"));
        }
    }
    Ok(())
}

fn of_checks(args: &MergeArgs, project: &Project, parts: &[(String, Evidence)]) -> Result<Exit> {
    let merged = evidence::merge(parts)?;
    say(args, merged.notes.iter().cloned());
    let kept = kept::keep(&project.folders, merged.evidence);
    let judged = ShownVerdict {
        evidence: &kept.evidence,
        checked: &kept.checked,
        path: kept.path.as_deref(),
        lost: &kept.lost,
        copy: args.result.as_deref().map(|to| (to, kept.text.as_str())),
        remark: None,
    };
    Ok(publish(&args.verdict, &project.folders, &judged))
}

fn say(args: &MergeArgs, notes: impl IntoIterator<Item = String>) {
    for text in notes {
        match args.verdict.message_format {
            MessageFormat::Json => out_message(&Message::note(text)),
            MessageFormat::Human if args.verdict.quiet => {}
            MessageFormat::Human => note(&text),
        }
    }
}

fn of_runs(args: &MergeArgs, project: &Project, parts: &[(String, Record)]) -> Result<Exit> {
    let mut record = record::merge(parts)?;
    let written = Store::results(project.folders.results()).save(&mut record);
    let path = written.as_ref().ok();
    let compared = BTreeMap::new();
    let outcome = RunOutcome { record, written: None, compared, interrupted: false, no_base: None };
    let record = &outcome.record;
    let tally = Tally::of_run(&outcome);
    let gate = ExitPolicy { fail_on_regression: false, strict: args.verdict.strict };
    let mut ending = Ending::of(gate.exit(tally));
    if args.verdict.message_format == MessageFormat::Human {
        out(&terminal::table(record, &outcome.compared, width()));
    }
    match &written {
        Ok(path) => {
            let (cases, of) = (plural(record.cases.len(), "case"), plural(parts.len(), "part"));
            let next = format!("cargo trt-perf compare BASE {}", record.id);
            say(
                args,
                [
                    format!("record: {} ({cases}, of {of})", shown(path)),
                    format!("compare it, corrected for all its cases: {next}"),
                ],
            );
        }
        // What was measured has been shown; only its record is lost.
        Err(failure) => ending.lose(failure),
    }
    let files = RunFiles {
        result: args.result.as_deref(),
        markdown: args.verdict.markdown.as_deref(),
        junit: args.verdict.junit.as_deref(),
        html: args.verdict.html.as_deref(),
        strict: args.verdict.strict,
    };
    files.write(&mut ending, &project.folders, &outcome);
    let finished = |exit: Exit| {
        Message::SessionFinished(SessionFinished {
            record: path.map(|path| json::path(path)),
            id: record.id.clone(),
            measured: tally.measured,
            failed: tally.failed,
            regressed: 0,
            inconclusive: 0,
            interrupted: false,
            exit_code: exit.code(),
        })
    };
    let last = finished(ending.exit()).line() + "\n";
    ending.write(args.verdict.json.as_deref(), || Ok(last));
    if args.verdict.message_format == MessageFormat::Json {
        out_message(&finished(ending.exit()));
    }
    Ok(ending.exit())
}
