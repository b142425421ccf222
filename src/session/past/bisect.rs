//! Finds the commit of a change: compares the ends by pairs, lets [`crate::bisect`] say which commit to measure next, and
//! measures the change that was found once more, with pairs of its own.

mod answer;
mod bench;

use super::{PastAsked, Trees};
use crate::baseline::{self, stores};
use crate::bisect::{Ends, search};
use crate::case::Case;
use crate::compare::{CaseComparison, Metric, MetricComparison, Verdict};
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, Repo};
use crate::outcome::{BisectAnswer, Bisected};
use crate::record::short;
use crate::session::check::{other_inputs, same_engine};
use crate::session::context::Session;
use crate::session::looks::Looks;
use crate::session::stages::case_record;
use crate::session::{Setup, built_once};
use crate::stats::{Decision, Orientation};
use crate::units::{self, plural};
use bench::{Commits, Paired};
use std::collections::{BTreeMap, BTreeSet};

/// How far back a record is looked for.
const MAX_STEPS: usize = 20_000;

/// Between which commits, and how sure.
pub struct BisectPlan<'a> {
    /// A revision before the change; the oldest one with a record of the case, where nobody names one.
    pub good: Option<&'a str>,
    /// A revision behind it.
    pub bad: &'a str,
    /// How the ends are compared.
    pub looks: Looks,
}

/// Searches the commit that changed the one case that is asked.
pub fn bisect(setup: &Setup, asked: &PastAsked, plan: &BisectPlan) -> Result<Bisected> {
    plan.looks.check()?;
    let [case] = asked.cases else {
        return Err(Failure::usage(format!("{} cases cannot be searched at once", asked.cases.len()))
            .next("name one case"));
    };
    let trees = Trees::open(setup, asked)?;
    let commits = commits(&trees.repo, setup, case, plan)?;
    let session =
        Session::open(setup, asked.cases, None)?.with_engines(trees.private.engines(), trees.private.cache());
    let (pinned, _) = session.pinned(asked.cases);
    let case = pinned.first().unwrap_or(case);
    if case.effort.builds > 1 {
        session.note(&format!("{}: each commit is built once in a search", case.id));
    }
    let mut bench = Commits::new(&session, &trees, built_once(case), &commits, plan.looks);
    session.note(&format!(
        "searching {}, {}..{}; first the ends are compared",
        plural(commits.len() - 1, "commit"),
        short(&commits[0].id),
        short(&commits[commits.len() - 1].id)
    ));
    let ends = compare_ends(&mut bench)?;
    let Some(change) = change(&ends.comparison) else {
        return Ok(bench.finish(ends, BisectAnswer::NoChange));
    };
    let (metric, size) = (change.metric, change.size);
    session.note(&format!(
        "{}: {} {} from end to end, by {}; searching its commit",
        case.id,
        change.name,
        units::change(size.exp_m1()),
        plural(ends.pairs, "pair")
    ));
    bench.metric = Some(metric);
    let ratios = bench.ratios(&ends);
    let margin = metric.rule(case.margins).margin;
    let found = search(commits.len() - 1, &Ends { change: size, margin, ratios: &ratios }, &mut bench);
    match found {
        Ok(narrowed) => Ok(bench.answer(ends, narrowed.commit(), size)),
        Err(f) if f.kind == FailureKind::Interrupted => Ok(bench.finish(ends, BisectAnswer::Interrupted)),
        Err(f) => Err(f),
    }
}

/// The change that is looked for.
struct Change {
    metric: Metric,
    name: String,
    /// ln(bad) − ln(good).
    size: f64,
}

/// What changed between the ends; `None` where that is not shown.
fn change(ends: &CaseComparison) -> Option<Change> {
    if !matches!(ends.verdict, Verdict::Regressed | Verdict::Improved) {
        return None;
    }
    let MetricComparison { metric, ruling, .. } = ends.deciding()?;
    let ruling = ruling.as_ref().ok()?;
    let worse = match ruling.decision {
        Decision::Regressed | Decision::Improved => ruling.interval.est,
        // Only a budget is broken.
        Decision::Unchanged | Decision::ChangedWithinMargin | Decision::Inconclusive => return None,
    };
    let size = match metric.orientation() {
        Orientation::LowerIsBetter => worse,
        Orientation::HigherIsBetter => -worse,
    };
    Some(Change { metric: *metric, name: metric.name(ends.budget), size })
}

/// The good end, and the first parents from there to the bad one.
fn commits(repo: &Repo, setup: &Setup, case: &Case, plan: &BisectPlan) -> Result<Vec<Commit>> {
    let bad = repo.resolve(plan.bad)?;
    let good = match plan.good {
        Some(rev) => repo.resolve(rev)?,
        None => repo.resolve(&oldest_with_record(repo, setup, case, &bad)?)?,
    };
    if repo.distance(&bad.id, &good.id)? > 0 {
        return Err(Failure::usage(format!("{} is no ancestor of {}", short(&good.id), short(&bad.id)))
            .next("the older commit stands first: cargo trt-perf bisect CASE GOOD BAD"));
    }
    let mut commits = repo.first_parents(&good.id, &bad.id)?;
    let Some(oldest) = commits.last() else {
        return Err(Failure::usage(format!("both ends are {}", short(&bad.id)))
            .next("name a commit before the change: cargo trt-perf bisect CASE GOOD BAD"));
    };
    let before = repo.first_parent(&oldest.id)?;
    if before.as_ref().is_none_or(|before| before.id != good.id) {
        return Err(beside_the_line(repo, &commits, &good, before.as_ref())?);
    }
    commits.push(good);
    commits.reverse();
    Ok(commits)
}

/// What is to be named instead of a good end that was merged. `line`, newest first, are the commits that the good end does not
/// have, and `before` the one before them, which it has.
fn beside_the_line(repo: &Repo, line: &[Commit], good: &Commit, before: Option<&Commit>) -> Result<Failure> {
    let mut merge = None;
    // The bad end itself cannot be the good one.
    for commit in line[1..].iter().rev() {
        if repo.distance(&commit.id, &good.id)? == 0 {
            merge = Some(format!("{} (the merge)", short(&commit.id)));
            break;
        }
    }
    let before = before.map(|commit| format!("{} (the branch has it, too)", short(&commit.id)));
    let names: Vec<String> = before.into_iter().chain(merge).collect();
    let what = format!("{} is on a branch that was merged, and first parents are searched", short(&good.id));
    Ok(Failure::usage(what).next(format!("name a commit of the main line: {}", names.join(" or "))))
}

/// The oldest commit before `bad`, along first parents, with a record of the case on this device.
fn oldest_with_record(repo: &Repo, setup: &Setup, case: &Case, bad: &Commit) -> Result<String> {
    let records = baseline::all(&stores(setup.project), &mut Vec::new())?;
    let of_case =
        records.iter().filter(|r| r.device.key == setup.device.key && r.cases.contains_key(&case.id));
    let known: BTreeSet<&str> =
        of_case.filter_map(|r| r.source.as_ref()).map(|s| s.commit.as_str()).collect();
    let (mut oldest, mut at) = (None, repo.first_parent(&bad.id)?);
    for _ in 0..MAX_STEPS {
        let Some(commit) = at else { break };
        at = repo.first_parent(&commit.id)?;
        if known.contains(commit.id.as_str()) {
            oldest = Some(commit.id);
        }
    }
    oldest.ok_or_else(|| {
        let what = format!("no commit before {} has a record of {}", short(&bad.id), case.id);
        Failure::usage(what).next("name one from before the change: cargo trt-perf bisect CASE GOOD")
    })
}

/// The bad end against the good one, with looks as in a check.
fn compare_ends(bench: &mut Commits) -> Result<Paired> {
    let last = bench.commits.len() - 1;
    let [good, bad] = [bench.end(0)?, bench.end(last)?];
    let bare = |verdict| {
        let case = &bench.case;
        let comparison = CaseComparison::bare(&case.id, case.budget, case.margins, None, verdict);
        let record = |built| case_record(case, built, BTreeMap::new(), Vec::new());
        Ok::<_, Failure>(Paired { comparison, base: record(&good)?, head: record(&bad)?, pairs: 0 })
    };
    if let Some(why) = other_inputs(&good, &bad) {
        return bare(Verdict::NotComparable(why));
    }
    if same_engine(&good, &bad) {
        bench.session.note("both ends have the same engine: nothing is measured");
        return bare(Verdict::Unchanged);
    }
    let looks = bench.looks;
    let ends = bench.paired(0, last, looks, "ends")?;
    bench.keep([0, last], &ends);
    Ok(ends)
}
