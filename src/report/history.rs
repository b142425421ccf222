//! Shows one case over time: a plot, a table, and the places where it changed. Pure.
//!
//! A change point is a hint and is not called a verdict.

use super::past::{found, found_said};
use super::plot::{Glyphs, Mark, Size, plot};
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, paint};
use super::table::TextTable;
use crate::bisect::FoundChange;
use crate::history::{LeftOut, LevelChange, Point, SEED, Series};
use crate::message::{CaseHistory, HistoryChange, HistoryLeftOut, HistoryPoint, finite};
use crate::printable::line;
use crate::record::{date, short};
use crate::stats::changepoint::PERMUTATIONS;
use crate::units;

/// The whole report for people; its table in `width` columns.
pub fn text(series: &Series, size: Size, glyphs: Glyphs, width: usize) -> String {
    let metric = series.metric.name(None);
    let mut out = format!(
        "{BOLD}{}{RESET}  {metric}\n{DIM}{} ({}), {}{RESET}\n",
        line(&series.id),
        line(&series.device_key),
        line(&series.device_name),
        counted(series.points.len(), "record")
    );
    out += &left_out(&series.left_out, &metric);
    let marks: Vec<Mark> = series.points.iter().enumerate().map(|(i, p)| mark(series, i, p)).collect();
    let picture = plot(&marks, &|v| series.metric.shown(v), size, glyphs);
    if !picture.is_empty() {
        out += &format!("\n{picture}{DIM}{}{RESET}\n", glyphs.legend());
    }
    out += &format!("\n{}", table(series, width));
    out += &format!("\n{}", changes(series));
    out += &series
        .found
        .iter()
        .map(|change| format!("Found by bisect: {}\n", found(change)))
        .collect::<String>();
    if glyphs == Glyphs::Ascii { ascii(&out) } else { out }
}

/// Our own signs in ASCII; names that people gave stay as they are.
pub(super) fn ascii(text: &str) -> String {
    text.replace('µ', "u").replace('–', "-").replace('→', "->")
}

fn counted(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn left_out(left: &LeftOut, metric: &str) -> String {
    let mut parts = Vec::new();
    if left.other_definition > 0 {
        parts.push(format!(
            "{} of {} (other shapes, budget, inputs or protocol)",
            counted(left.other_definition, "record"),
            counted(left.definitions, "older definition")
        ));
    }
    if left.without_value > 0 {
        parts.push(format!("{} with too few requests for {metric}", counted(left.without_value, "record")));
    }
    if left.too_old > 0 {
        parts.push(format!("the oldest {}", counted(left.too_old, "record")));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("{}\n", paint(YELLOW, &format!("left out: {}", parts.join("; "))))
}

fn is_first(series: &Series, i: usize) -> Option<&LevelChange> {
    series.changes.as_ref().ok()?.iter().find(|c| c.first == i)
}

fn mark(series: &Series, i: usize, p: &Point) -> Mark {
    let commit = p.commit.as_deref().map_or("–", |c| c.get(..7).unwrap_or(c));
    let dirty = if p.dirty { "+" } else { "" };
    Mark {
        estimate: p.estimate,
        interval: p.interval.map(|i| (i.lo, i.hi)),
        label: [line(&format!("{commit}{dirty}")), date(p.created_s)],
        change: is_first(series, i).is_some(),
    }
}

fn table(series: &Series, width: usize) -> String {
    let metric = series.metric.name(None);
    let mut table =
        TextTable::new(["commit", "measured", &metric, "[lo hi]", "change", "notes"]).numbers(2..5);
    for (i, p) in series.points.iter().enumerate() {
        let interval = p.interval.map_or_else(
            || "one process".to_owned(),
            |i| format!("[{} {}]", series.metric.shown(i.lo), series.metric.shown(i.hi)),
        );
        table.row([
            p.label(),
            date(p.created_s),
            series.metric.shown(p.estimate),
            interval,
            p.change.map_or_else(|| "–".to_owned(), units::change),
            notes(series, i, p).join("; "),
        ]);
    }
    table.text(width)
}

fn notes(series: &Series, i: usize, p: &Point) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(is_first(series, i).map(|c| format!("change point {}", units::change(c.change))));
    let here = |f: &&FoundChange| Some(&f.commit) == p.commit.as_ref();
    notes.extend(
        series
            .found
            .iter()
            .find(here)
            .map(|f| format!("found by bisect: {} {}", f.metric, units::change(f.change.est))),
    );
    if p.debug_extra_work {
        notes.push("not a real result (debug-extra-work)".to_owned());
    }
    if !p.engine_changes.is_empty() {
        notes.push(format!("engine: {}", p.engine_changes.join(", ")));
    }
    if !p.in_history {
        notes.push("not in HEAD's history, placed by date".to_owned());
    }
    notes
}

/// What changed where, or why nobody can tell.
fn changes(series: &Series) -> String {
    match &series.changes {
        Err(why) => format!("{}\n", paint(DIM, &format!("change points were not searched for: {why}"))),
        Ok(found) if found.is_empty() => {
            format!("No change point among {}.\n", counted(series.points.len(), "record"))
        }
        Ok(found) => {
            let about = format!("E-divisive, {PERMUTATIONS} permutations, seed {SEED}; no verdict");
            let head =
                format!("{} {}\n", counted(found.len(), "change point"), paint(DIM, &format!("({about})")));
            head + &found.iter().map(|c| change(series, c)).collect::<String>()
        }
    }
}

fn change(series: &Series, c: &LevelChange) -> String {
    let [last, first] = [c.first.saturating_sub(1), c.first].map(|i| &series.points[i]);
    let (colour, word, which) = if c.worse { (RED, "worse", "bad") } else { (GREEN, "better", "better") };
    let place = |p: &Point| {
        let record = p.record_id.get(..8).unwrap_or(&p.record_id);
        line(&format!("{} ({}, record {record})", p.label(), date(p.created_s)))
    };
    let mut out = format!(
        "  {} (p = {:.3})\n    first {which}: {}\n    last before: {}\n",
        paint(colour, &format!("{} {word}", units::change(c.change))),
        c.p,
        place(first),
        place(last)
    );
    match (&last.commit, &first.commit) {
        (Some(a), Some(b)) if a == b => {
            out += "    both are of the same commit: look at the machine and the engine, not at the code\n";
        }
        (Some(a), Some(b)) => {
            let (a, b) = (line(short(a)), line(short(b)));
            out += &format!("    commits: git log --oneline {a}..{b}\n");
            out += &format!("    which one: cargo trt-perf bisect {} {a} {b}\n", line(&series.id));
        }
        _ => {}
    }
    out
}

/// The same for machines.
pub fn message(series: &Series) -> CaseHistory {
    CaseHistory {
        case: series.id.clone(),
        device: series.device_key.clone(),
        metric: series.metric.name(None),
        definition: series.definition_hash.clone(),
        left_out: HistoryLeftOut {
            other_definition: series.left_out.other_definition,
            definitions: series.left_out.definitions,
            without_value: series.left_out.without_value,
            too_old: series.left_out.too_old,
        },
        points: series.points.iter().map(history_point).collect(),
        changes: series
            .changes
            .as_ref()
            .ok()
            .map(|found| found.iter().map(|c| history_change(series, c)).collect()),
        found: series.found.iter().map(found_said).collect(),
        no_changes_because: series.changes.as_ref().err().map(ToString::to_string),
        seed: SEED,
        permutations: PERMUTATIONS,
    }
}

fn history_point(p: &Point) -> HistoryPoint {
    HistoryPoint {
        record: p.record_id.clone(),
        commit: p.commit.clone(),
        branch: p.branch.clone(),
        dirty: p.dirty,
        created_s: p.created_s,
        in_history: p.in_history,
        processes: p.processes,
        est: p.estimate,
        lo: p.interval.and_then(|i| finite(i.lo)),
        hi: p.interval.and_then(|i| finite(i.hi)),
        change: p.change.and_then(finite),
        engine_changes: p.engine_changes.clone(),
        debug_extra_work: p.debug_extra_work,
    }
}

fn history_change(series: &Series, c: &LevelChange) -> HistoryChange {
    let (first, last) = (series.points.get(c.first), series.points.get(c.first.saturating_sub(1)));
    HistoryChange {
        point: c.first,
        change: c.change,
        worse: c.worse,
        p: c.p,
        first_commit: first.and_then(|p| p.commit.clone()),
        first_record: first.map(|p| p.record_id.clone()),
        last_commit: last.and_then(|p| p.commit.clone()),
        last_record: last.map(|p| p.record_id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Metric;
    use crate::stats::{Interval, StatError};

    const SIZE: Size = Size { width: 80, height: 6 };

    fn point(i: usize, estimate: f64) -> Point {
        Point {
            record_id: format!("{i:016x}"),
            commit: Some(format!("{i:x}").repeat(40)),
            branch: Some("main".into()),
            dirty: i == 2,
            created_s: 1_795_305_600 + i as i64 * 86_400,
            in_history: i != 1,
            processes: 3,
            estimate,
            interval: Some(Interval { lo: estimate * 0.99, est: estimate, hi: estimate * 1.01 }),
            change: (i > 0).then_some(0.05),
            engine_changes: if i == 4 { vec!["the model".into()] } else { vec![] },
            debug_extra_work: i == 3,
        }
    }

    fn series() -> Series {
        Series {
            id: "p/m/default/latency".into(),
            device_key: "cpu-a".into(),
            device_name: "A".into(),
            metric: Metric::Mean,
            definition_hash: "d".into(),
            points: (0..8).map(|i| point(i, if i < 4 { 123_400.0 } else { 130_000.0 })).collect(),
            left_out: LeftOut { other_definition: 3, definitions: 2, without_value: 1, too_old: 0 },
            changes: Ok(vec![LevelChange { first: 4, change: 0.0535, worse: true, p: 0.029 }]),
            found: vec![FoundChange {
                case: "p/m/default/latency".into(),
                device: "cpu-a".into(),
                metric: "mean".into(),
                change: Interval { lo: 0.05, est: 0.053, hi: 0.056 },
                worse: true,
                commit: "4".repeat(40),
                before: "3".repeat(40),
                authored_s: 1_795_305_600,
                subject: "Another model".into(),
                found_s: 1_795_305_700,
            }],
        }
    }

    fn plain(text: &str) -> String {
        [BOLD, DIM, GREEN, RED, RESET, YELLOW].iter().fold(text.to_owned(), |t, c| t.replace(c, ""))
    }

    #[test]
    fn the_report_names_both_ends_of_a_change() {
        let text = plain(&super::text(&series(), SIZE, Glyphs::Braille, 200));
        for part in [
            "p/m/default/latency  mean",
            "cpu-a (A), 8 records",
            "left out: 3 records of 2 older definitions",
            "1 record with too few requests for mean",
            "222222222222+changes",
            "not in HEAD's history",
            "not a real result",
            "change point +5.35%; found by bisect: mean +5.30%; engine: the model",
            "Found by bisect: 444444444444 (2026-11-22) Another model: mean +5.30% [+5.00% +5.60%], worse",
            "cargo trt-perf bisect p/m/default/latency 333333333333 444444444444",
            "[128.70 µs 131.30 µs]",
            "1 change point (E-divisive, 199 permutations, seed 1; no verdict)",
            "+5.35% worse (p = 0.029)",
            "first bad: 444444444444 (2026-11-26, record 00000000)",
            "last before: 333333333333 (2026-11-25, record 00000000)",
            "git log --oneline 333333333333..444444444444",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn ascii_is_ascii() {
        let text = super::text(&series(), SIZE, Glyphs::Ascii, 200);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("130.00 us"), "{text}");
    }

    #[test]
    fn the_same_commit_twice_is_not_blamed() {
        let mut s = series();
        s.points[4].commit = s.points[3].commit.clone();
        let text = super::text(&s, SIZE, Glyphs::Braille, 200);
        assert!(text.contains("both are of the same commit") && !text.contains("git log"), "{text}");
    }

    #[test]
    fn no_change_and_no_search_differ() {
        let mut s = series();
        s.changes = Ok(vec![]);
        assert!(super::text(&s, SIZE, Glyphs::Ascii, 200).contains("No change point among 8 records."));
        s.changes = Err(StatError::TooFew { what: "a search for change points", needed: 8, got: 2 });
        assert!(super::text(&s, SIZE, Glyphs::Ascii, 200).contains("needs at least 8, got 2"));
        assert_eq!(serde_json::to_value(message(&s)).unwrap()["changes"], serde_json::Value::Null);
    }

    #[test]
    fn machines_get_every_point_and_both_records() {
        let fields = serde_json::to_value(message(&series())).unwrap();
        assert_eq!(fields["points"].as_array().map(Vec::len), Some(8));
        assert_eq!(fields["changes"][0]["first_record"], "0000000000000004");
        assert_eq!(fields["changes"][0]["last_commit"], "3".repeat(40));
        assert_eq!(fields["left_out"]["other_definition"], 3);
        assert_eq!(
            (&fields["found"][0]["commit"]["id"], &fields["found"][0]["worse"]),
            (&"4".repeat(40).into(), &true.into())
        );
    }
}
