//! Shows what became of commits of the past: a range that was measured, and a search for a change. Pure.

use super::json::{compared_case, path};
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, clipped, paint};
use super::table::TextTable;
use super::{decided_by, interval};
use crate::bisect::FoundChange;
use crate::compare::CaseComparison;
use crate::message::{BackfillFinished, BisectFinished, BisectStep, CommitBackfilled, CommitSaid, FoundSaid};
use crate::outcome::{Backfilled, BisectAnswer, Bisected, CommitDone, PastCommit};
use crate::printable::{line, message};
use crate::record::{date, short};
use crate::units::plural;
use std::collections::BTreeMap;

/// A commit in one line: `41ab0c3d9e21 (2026-11-22) Another model`.
fn commit(c: &PastCommit) -> String {
    named(&c.id, c.authored_s, &c.subject)
}

fn named(id: &str, authored_s: i64, subject: &str) -> String {
    line(&format!("{} ({}) {subject}", short(id), date(authored_s)))
}

/// A change and its commit in one line.
pub(super) fn found(f: &FoundChange) -> String {
    let word = if f.worse { "worse" } else { "better" };
    let commit = named(&f.commit, f.authored_s, &f.subject);
    format!("{commit}: {} {}, {word}", line(&f.metric), interval(&f.change))
}

/// The same for machines.
pub(super) fn found_said(f: &FoundChange) -> FoundSaid {
    FoundSaid {
        commit: CommitSaid { id: f.commit.clone(), authored_s: f.authored_s, subject: f.subject.clone() },
        before: f.before.clone(),
        metric: f.metric.clone(),
        change: f.change.into(),
        worse: f.worse,
    }
}

/// A row per commit of the range, in so many columns, and the reasons of those that were skipped.
pub fn backfilled(b: &Backfilled, width: usize) -> String {
    let mut table = TextTable::new(["commit", "date", "subject", "done"]);
    for (c, done) in &b.commits {
        let words = match done {
            CommitDone::Measured { cases, failed, .. } if failed.is_empty() => {
                format!("measured {}", plural(*cases, "case"))
            }
            CommitDone::Measured { cases, failed, .. } => {
                format!("measured {}, {} failed", plural(*cases, "case"), failed.len())
            }
            CommitDone::Recorded => "recorded before".into(),
            CommitDone::Skipped(_) => "skipped".into(),
        };
        table.row([short(&c.id).to_owned(), date(c.authored_s), clipped(&c.subject), words]);
    }
    let mut out = table.text(width);
    for (c, done) in &b.commits {
        match done {
            CommitDone::Skipped(why) => {
                out += &format!(
                    "{} {}\n",
                    paint(YELLOW, &format!("{} is skipped:", short(&c.id))),
                    message(why)
                );
            }
            CommitDone::Measured { failed, .. } => {
                for (id, why) in failed {
                    let which = format!("{} of {}:", line(id), short(&c.id));
                    out += &format!("{} {}\n", paint(YELLOW, &which), message(why));
                }
            }
            CommitDone::Recorded => {}
        }
    }
    let [measured, recorded, skipped] = b.counts();
    let all = plural(b.asked, "commit");
    out + &format!("{all}: {measured} measured, {recorded} recorded before, {skipped} skipped\n")
}

/// The same for machines.
pub fn backfilled_message(b: &Backfilled, exit_code: u8) -> BackfillFinished {
    let [measured, recorded, skipped] = b.counts();
    BackfillFinished {
        commits: b.commits.iter().map(|(c, done)| commit_backfilled(c, done)).collect(),
        measured,
        recorded,
        skipped,
        baselines: b.baselines.iter().map(|p| path(p)).collect(),
        interrupted: b.interrupted,
        exit_code,
    }
}

fn commit_backfilled(c: &PastCommit, done: &CommitDone) -> CommitBackfilled {
    let (word, record, why, failed) = match done {
        CommitDone::Measured { record, failed, .. } => ("measured", Some(path(record)), None, failed.clone()),
        CommitDone::Recorded => ("recorded", None, None, BTreeMap::new()),
        CommitDone::Skipped(why) => ("skipped", None, Some(why.clone()), BTreeMap::new()),
    };
    CommitBackfilled { commit: said(c), done: word.into(), record, why, failed }
}

fn said(c: &PastCommit) -> CommitSaid {
    CommitSaid { id: c.id.clone(), authored_s: c.authored_s, subject: c.subject.clone() }
}

/// What a search came to, in so many columns: the ends, what was looked at, and the answer last.
pub fn bisected(b: &Bisected, width: usize) -> String {
    let mut out = format!("{BOLD}{}{RESET}\n", line(&b.case));
    let (first, last) = (b.commits.first(), b.commits.last());
    for (name, end) in [("good", first), ("bad ", last)] {
        out += &end.map_or_else(String::new, |c| format!("  {name}  {}\n", commit(c)));
    }
    out += &format!("  ends  {}, by {} pairs\n", verdict(&b.ends), b.end_pairs);
    if !b.narrowed.steps.is_empty() {
        let mut table = TextTable::new(["commit", "date", "is", "pairs"]).numbers(3..4);
        for step in &b.narrowed.steps {
            let c = &b.commits[step.at];
            let words = message(&Bisected::words(step, &b.unmeasurable));
            table.row([short(&c.id).to_owned(), date(c.authored_s), words, step.pairs.to_string()]);
        }
        out += &format!("\n{}", table.text(width));
    }
    out += &format!("\n{}", answer(b));
    let steps = plural(b.commits.len() - 1, "commit");
    let all = match b.all_would_take() {
        0 => String::new(),
        n => format!(
            "; a check of each of the {steps} with as many pairs as the ends took would have measured {n}"
        ),
    };
    out + &format!("{DIM}{} measured{all}{RESET}\n", plural(b.processes, "process"))
}

/// The verdict, and what it rests on.
fn verdict(c: &CaseComparison) -> String {
    let why = c.verdict.reason().or_else(|| decided_by(c));
    message(&format!("{}{}", c.verdict.word(), why.map_or_else(String::new, |why| format!(": {why}"))))
}

fn answer(b: &Bisected) -> String {
    let [good, bad] = [b.narrowed.good, b.narrowed.bad].map(|at| commit(&b.commits[at]));
    match &b.answer {
        BisectAnswer::NoChange => no_change(b),
        BisectAnswer::Found { comparison, pairs, confirmed: false, .. } => format!(
            "{} {bad}\n  the search ended at this commit, and {pairs} pairs of it and the commit before do not show the change: {}\n  more than one change, or noise, may have led astray; measure it again, or compare the two with `check`\n",
            paint(YELLOW, "not confirmed:"),
            verdict(comparison)
        ),
        BisectAnswer::Found { comparison, pairs, partial, .. } => {
            let colour = if comparison.verdict == crate::compare::Verdict::Improved { GREEN } else { RED };
            let mut out = format!(
                "{} {bad}\n  {}, by {pairs} other pairs of it and the commit before\n",
                paint(colour, "found:"),
                verdict(comparison)
            );
            if !comparison.engine_changes.is_empty() {
                out += &format!("  what changed: {}\n", line(&comparison.engine_changes.join(", ")));
            }
            if *partial || b.narrowed.saw_several() {
                out += "  there is another change between the ends: this commit made a part of it; search on both sides of it\n";
            }
            if let Some(unreal) = comparison.unreal {
                out += &format!("  {}\n", paint(YELLOW, &format!("not a real result: {}", unreal.words())));
            }
            out
        }
        BisectAnswer::Range => {
            let suspects: Vec<String> = b.suspects().iter().map(|c| format!("  {}\n", commit(c))).collect();
            format!(
                "{} one of these commits made the change:\n{}  the last one without it is {good}\n",
                paint(YELLOW, "not narrowed down further:"),
                suspects.concat()
            )
        }
        BisectAnswer::Interrupted => {
            format!("{} the change is behind {good}\n  and not later than {bad}\n", paint(YELLOW, "stopped:"))
        }
    }
}

/// How large a change could have been overlooked.
fn no_change(b: &Bisected) -> String {
    let ruled = b.ends.deciding().and_then(|m| Some((m, m.ruling.as_ref().ok()?)));
    let seen = ruled.filter(|(_, r)| r.mde.is_finite()).map_or_else(String::new, |(m, r)| {
        let name = m.metric.name(b.ends.budget);
        format!("  a change of {name} by {} would have been seen\n", crate::units::share(r.mde.exp_m1()))
    });
    format!("{}\n{seen}", paint(BOLD, "no change between the ends that can be searched"))
}

/// The answer in a word.
fn word(b: &Bisected) -> &'static str {
    match b.answer {
        BisectAnswer::NoChange => "no-change",
        BisectAnswer::Found { confirmed: true, .. } => "found",
        BisectAnswer::Found { .. } => "unconfirmed",
        BisectAnswer::Range => "range",
        BisectAnswer::Interrupted => "interrupted",
    }
}

/// The same for machines.
pub fn bisected_message(b: &Bisected, exit_code: u8) -> BisectFinished {
    let step = |s: &crate::bisect::Step| BisectStep {
        commit: said(&b.commits[s.at]),
        bad: s.side.is_bad(),
        found: Bisected::words(s, &b.unmeasurable),
        pairs: s.pairs,
    };
    let (comparison, partial) = match &b.answer {
        BisectAnswer::Found { comparison, partial, .. } => (Some(compared_case(comparison, None)), *partial),
        _ => (None, false),
    };
    BisectFinished {
        case: b.case.clone(),
        answer: word(b).into(),
        good: said(&b.commits[b.narrowed.good]),
        bad: said(&b.commits[b.narrowed.bad]),
        ends: compared_case(&b.ends, None),
        end_pairs: b.end_pairs,
        steps: b.narrowed.steps.iter().map(step).collect(),
        comparison,
        several: partial || b.narrowed.saw_several(),
        processes: b.processes,
        all_would_take: b.all_would_take(),
        records: b.written.iter().map(|p| path(p)).collect(),
        exit_code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bisect::{Narrowed, Side, Step};
    use crate::case::Margins;
    use crate::compare::Verdict;

    /// A search of seven commits that ended between the third and the fifth: what is between could not be measured.
    fn range() -> Bisected {
        let commit = |at: usize| PastCommit {
            id: at.to_string().repeat(40),
            authored_s: 1_795_305_600 + at as i64 * 86_400,
            subject: format!("change {at}"),
        };
        let step = |at, side, pairs| Step { at, side, pairs };
        let steps = vec![
            step(3, Side::Unmeasurable, 0),
            step(4, Side::Bad { measured: true }, 4),
            step(2, Side::Between { share: 0.25 }, 12),
            step(5, Side::Open, 40),
        ];
        Bisected {
            case: "p/m/default/latency".into(),
            commits: (0..7).map(commit).collect(),
            ends: CaseComparison::bare(
                "p/m/default/latency",
                None,
                Margins::default(),
                None,
                Verdict::Regressed,
            ),
            end_pairs: 5,
            narrowed: Narrowed { good: 2, bad: 4, steps },
            unmeasurable: BTreeMap::from([(3, "no compiler".to_owned())]),
            answer: BisectAnswer::Range,
            processes: 122,
            found: None,
            written: Vec::new(),
        }
    }

    fn plain(b: &Bisected) -> String {
        anstream::adapter::strip_str(&bisected(b, usize::MAX)).to_string()
    }

    #[test]
    fn a_range_names_its_commits_and_what_each_step_found() {
        let text = plain(&range());
        for part in [
            "  good  000000000000 (2026-11-22) change 0\n  bad   666666666666 (2026-11-28) change 6\n",
            "stepped over: no compiler",
            "as the bad end",
            "like neither end: it has 25 % of the change",
            "not told apart: the noise is too large",
            "one of these commits made the change:\n  333333333333 (2026-11-25) change 3\n  444444444444 (2026-11-26) change 4\n  the last one without it is 222222222222",
            "122 processes measured; a check of each of the 6 commits with as many pairs as the ends took would have measured 60\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let json = serde_json::to_value(bisected_message(&range(), 102)).unwrap();
        assert_eq!(
            (&json["answer"], &json["several"], &json["steps"][0]["bad"]),
            (&"range".into(), &true.into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn what_is_not_confirmed_or_was_stopped_is_not_called_found() {
        let comparison = Box::new(range().ends);
        let answer = BisectAnswer::Found { comparison, pairs: 8, confirmed: false, partial: false };
        let text = plain(&Bisected { answer, ..range() });
        assert!(text.contains("not confirmed: 444444444444") && !text.contains("found:"), "{text}");
        let stopped = Bisected { answer: BisectAnswer::Interrupted, ..range() };
        let text = plain(&stopped);
        assert!(text.contains("stopped: the change is behind 222222222222"), "{text}");
        assert_eq!(bisected_message(&stopped, 130).answer, "interrupted");
    }
}
