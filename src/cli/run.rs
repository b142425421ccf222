//! `cargo trt-perf run`.

use super::args::MessageFormat;
use super::cases::SessionArgs;
use super::discover;
use super::exit::{Exit, Tally};
use super::show::Show;
use super::{note, out, shown};
use crate::baseline::{Store, WARN_BYTES};
use crate::compare::Verdict;
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::record::Record;
use crate::report::{json, terminal};
use crate::session::{self, Outcome};
use crate::units::plural;
use clap::Args;
use std::path::Path;

/// Build, measure and record the cases; compare with the newest baseline of this commit's history
///
/// Engines are built in one phase, each case is measured in fresh processes, and the record goes below
/// target/trt-perf.
#[derive(Args)]
pub struct RunArgs {
    /// Exit with 100 when a case regressed
    #[arg(long)]
    fail_on_regression: bool,
    /// Exit with 102 when a case is inconclusive, 103 when a number cannot be trusted
    #[arg(long)]
    strict: bool,
    /// Search the operating point instead: the same as `cargo trt-perf discover`
    #[arg(long, conflicts_with_all = ["fail_on_regression", "strict"])]
    discover: bool,
    // Last: its headings would go on.
    #[command(flatten)]
    session: SessionArgs,
}

pub fn run(args: &RunArgs, manifest: Option<&Path>) -> Result<Exit> {
    if args.discover {
        return discover::search(&args.session, manifest);
    }
    if args.session.grid.any() {
        return Err(Failure::usage("--grid and --write are options of a search")
            .next("say `cargo trt-perf discover`, or add --discover"));
    }
    let asked = &args.session;
    let project = Project::find(manifest)?;
    let cases = asked.cases.select(&asked.settings, &project)?;
    if asked.list {
        out(&cases.iter().map(|c| format!("{}\n", c.id)).collect::<String>());
        return Ok(Exit::Ok);
    }
    if asked.save_baseline {
        // Before minutes are spent on a record that could not be stored.
        savable(&project, asked.allow_dirty)?;
    }
    let device = session::machine_of(&cases)?;
    let mut show = Show::new(asked.message_format, asked.quiet, asked.verbose);
    let now = jiff::Timestamp::now().as_second();
    let mut outcome = session::run(&project, &cases, &device, now, &mut |event| show.event(&event))?;
    show.done();
    let tally = tally(args, &outcome);
    finish(asked, &project, &mut outcome, tally)
}

/// Whether a baseline could be stored now.
pub fn savable(project: &Project, allow_dirty: bool) -> Result<()> {
    let git = |e: crate::git::GitError| Failure::usage(format!("cannot save a baseline: {e}"));
    let Some(repo) = Repo::discover(&project.root).map_err(git)? else {
        return Err(Failure::usage(format!("cannot save a baseline: {} is in no git repository", project.root.display()))
            .next("baselines belong to commits: run `git init` and commit first; `cargo trt-perf run` alone needs no repository"));
    };
    if repo.head().map_err(git)?.is_none() {
        return Err(
            Failure::usage("cannot save a baseline: this repository has no commit yet").next("commit first")
        );
    }
    let dirty = repo.dirty(&repo.relative(&project.baselines()).map_err(git)?).map_err(git)?;
    if !dirty.is_clean() && !allow_dirty {
        let examples: Vec<String> = dirty.examples.iter().map(|p| p.path.display().to_string()).collect();
        let more = if dirty.count > examples.len() {
            format!(" and {} more", dirty.count - examples.len())
        } else {
            String::new()
        };
        return Err(Failure::usage(format!("cannot save a baseline: there are changes beside the commit ({}{more})", examples.join(", ")))
            .next("commit or stash them, so that the numbers belong to a commit; or say --allow-dirty, which the record will tell"));
    }
    Ok(())
}

fn tally(args: &RunArgs, outcome: &Outcome) -> Tally {
    let mut tally = Tally {
        measured: outcome.record.cases.len(),
        failed: outcome.record.failed.len(),
        interrupted: outcome.interrupted,
        fail_on_regression: args.fail_on_regression,
        strict: args.strict,
        ..Tally::default()
    };
    for (id, case) in &outcome.record.cases {
        if let Some(verdict) = session::verdict(case, outcome.compared.get(id)) {
            tally.count(&verdict);
        }
    }
    tally
}

impl Tally {
    /// Adds one case.
    pub fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Regressed => self.regressed += 1,
            Verdict::Inconclusive(_) => self.inconclusive += 1,
            Verdict::Invalid(_) => self.invalid += 1,
            _ => {}
        }
    }
}

/// The table, where the record is, the baseline, and what to do next.
fn finish(asked: &SessionArgs, project: &Project, outcome: &mut Outcome, tally: Tally) -> Result<Exit> {
    let human = asked.message_format == MessageFormat::Human;
    if human && !(outcome.record.cases.is_empty() && outcome.record.failed.is_empty()) {
        let gap = if asked.quiet { "" } else { "\n" };
        out(&format!("{gap}{}", terminal::table(&outcome.record, &outcome.compared)));
    }
    let written = outcome.written.take().transpose();
    let mut exit = tally.exit();
    let mut notes = Vec::new();
    match &written {
        // What was measured has been shown; only its record is lost.
        Err(failure) => exit = super::report_failure(failure),
        Ok(path) => notes.extend(kept(outcome, path.as_deref())),
    }
    if asked.save_baseline {
        notes.extend(save_baseline(project, &mut outcome.record, outcome.interrupted)?);
    } else {
        notes.extend(outcome.no_base.as_ref().map(|why| format!("nothing to compare with: {why}")));
    }
    if human {
        notes.iter().filter(|_| !asked.quiet).for_each(|n| note(n));
        return Ok(exit);
    }
    notes.iter().for_each(|n| out(&format!("{}\n", json::message("note", serde_json::json!({ "text": n })))));
    let fields = serde_json::json!({
        "record": written.ok().flatten(), "id": outcome.record.id, "measured": tally.measured, "failed": tally.failed, "regressed": tally.regressed,
        "inconclusive": tally.inconclusive, "interrupted": tally.interrupted, "exit_code": exit.code(),
    });
    out(&format!("{}\n", json::message("session-finished", fields)));
    Ok(exit)
}

/// Where the record is.
fn kept(outcome: &Outcome, path: Option<&Path>) -> Option<String> {
    let complete = plural(outcome.record.cases.len(), "case");
    match (outcome.interrupted, path) {
        (true, Some(path)) => {
            Some(format!("stopped: kept what was complete ({complete}), in {}", shown(path)))
        }
        (true, None) => Some("stopped: no case was complete, so nothing is kept".into()),
        (false, path) => path.map(|p| format!("record: {}", shown(p))),
    }
}

/// Stores `record`, and says where.
pub fn save_baseline(project: &Project, record: &mut Record, interrupted: bool) -> Result<Vec<String>> {
    if record.cases.is_empty() || interrupted {
        return Ok(vec!["no baseline was saved: the session was not complete".into()]);
    }
    let path = Store::new(project.baselines()).save_baseline(record)?;
    let mut notes =
        vec![format!("baseline: {} (commit it: git add {})", shown(&path), shown(&project.baselines()))];
    notes.extend(size_note(&path, record));
    Ok(notes)
}

/// A warning about a record that is large for a repository.
pub fn size_note(path: &Path, record: &Record) -> Option<String> {
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    (size > WARN_BYTES as u64).then(|| {
        format!(
            "warning: this baseline has {size} bytes ({}); it stays in the repository for good",
            plural(record.cases.len(), "case")
        )
    })
}
