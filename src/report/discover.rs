//! Shows a grid after its rounds: a plot, the front as a table, the winner. Pure.
//!
//! A winner is a proposal and is not called a verdict.

use super::plot::{Glyphs, Size};
use super::scatter::{Dot, DotKind, legend, scatter};
use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, no_result, paint};
use super::table::TextTable;
use crate::case::tail_quantile;
use crate::discover::{Axes, Cell, Out, ROUNDS, TrialEntry};
use crate::error::Failure;
use crate::message::{CellOut, GridBudget, GridCell, GridPoint, GridWinner, Message};
use crate::outcome::Explored;
use crate::printable::line;
use crate::units::{change, plain_time, plural, rate, share, time};
use std::fmt::Write;

/// The whole report of one grid for people; its table in `width` columns. `verbose`: every cell has a row, not only those
/// that matter.
pub fn text(explored: &Explored, size: Size, glyphs: Glyphs, verbose: bool, width: usize) -> String {
    let mut out = heading(explored);
    let (dots, budget_ns) = (dots(explored), explored.trials.budget.map(|b| b.max_ns as f64));
    let picture = scatter(&dots, budget_ns, size, glyphs);
    if !picture.is_empty() {
        let tail = tail_name(explored);
        let legend = legend(&dots, budget_ns, glyphs);
        let _ = writeln!(out, "\n{picture}{DIM}{tail} latency against throughput   {legend}{RESET}\n");
    }
    out += &table(explored, glyphs, verbose, width);
    out += &failures(explored);
    out += &others(explored, verbose);
    for (colour, words, rest) in conclusion(explored) {
        let _ = writeln!(out, "{}{rest}", paint(colour, &words));
    }
    if glyphs == Glyphs::Ascii { super::history::ascii(&out).replace('×', "x") } else { out }
}

/// `p99`.
pub(super) fn tail_name(explored: &Explored) -> String {
    format!("p{}", share(tail_quantile(explored.trials.budget)).trim_end_matches('%'))
}

fn heading(explored: &Explored) -> String {
    let Explored { grid, trials, .. } = explored;
    let mut out = format!(
        "{BOLD}{}{RESET}  {}: {}\n",
        line(&grid.name),
        plural(trials.entries.len(), "cell"),
        axes_text(&grid.axes)
    );
    out += &match trials.budget {
        Some(b) => {
            format!("{DIM}budget: {} within {}{RESET}\n", share(b.quantile), plain_time(b.max_ns as f64))
        }
        None => format!("{DIM}no budget{RESET}\n"),
    };
    if let Some(unreal) = explored.unreal {
        let _ = writeln!(out, "{}", no_result(unreal.words()));
    }
    out
}

/// `batch 1 8 × streams 1 2 4`; axes that have but their usual value say nothing.
fn axes_text(axes: &Axes) -> String {
    let numbers = |values: &[u64]| values.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let graphs: Vec<&str> = axes.cuda_graph.iter().map(|on| graph_word(*on)).collect();
    let all = [
        (axes.batch != [1], format!("batch {}", numbers(&axes.batch))),
        (true, format!("streams {}", numbers(&axes.streams))),
        (axes.in_flight != [1], format!("in flight {}", numbers(&axes.in_flight))),
        (axes.cuda_graph != [false], format!("CUDA graph {}", graphs.join(" "))),
        (axes.threads != [1], format!("threads {}", numbers(&axes.threads))),
    ];
    let said: Vec<String> = all.into_iter().filter(|(says, _)| *says).map(|(_, text)| text).collect();
    said.join(" × ")
}

fn graph_word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn kind(explored: &Explored, index: usize) -> DotKind {
    match index {
        i if explored.ranking.winner == Some(i) => DotKind::Winner,
        i if explored.ranking.front[i] => DotKind::Front,
        _ => DotKind::Other,
    }
}

fn dots(explored: &Explored) -> Vec<Dot> {
    let entries = explored.trials.entries.iter().enumerate();
    let dot = |(index, entry): (usize, &TrialEntry)| {
        let score = entry.score.as_ref()?;
        Some(Dot {
            latency_ns: score.tail_ns(explored.trials.budget),
            inferences_per_s: score.inferences_per_s,
            kind: kind(explored, index),
        })
    };
    entries.filter_map(dot).collect()
}

/// A column per axis that varies.
type Column = (&'static str, fn(&Cell) -> String);

fn columns(axes: &Axes) -> Vec<Column> {
    let all: [(bool, Column); 5] = [
        (axes.batch.len() > 1, ("batch", |c| c.point.batch.to_string())),
        (true, ("streams", |c| c.point.streams.to_string())),
        (axes.in_flight.len() > 1, ("in flight", |c| c.point.in_flight.to_string())),
        (axes.cuda_graph.len() > 1, ("graph", |c| graph_word(c.point.cuda_graph).into())),
        (axes.threads.len() > 1, ("threads", |c| c.threads.to_string())),
    ];
    all.into_iter().filter(|(varies, _)| *varies).map(|(_, column)| column).collect()
}

/// By latency: the cells that got to the last round, and what failed; all cells where `verbose`.
fn table(explored: &Explored, glyphs: Glyphs, verbose: bool, width: usize) -> String {
    let Explored { grid, trials, .. } = explored;
    let columns = columns(&grid.axes);
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|(name, _)| (*name).to_owned()));
    header.extend(["thrpt".into(), tail_name(explored)]);
    header.extend(trials.budget.map(|_| "budget".to_owned()));
    header.push(String::new());
    let mut table = TextTable::new(header).numbers(1..columns.len() + 4);
    let matters = |i: &usize| {
        let failed = matches!(trials.entries[*i].out, Some(Out::Failed(_)));
        verbose || trials.entries[*i].out.is_none() || failed
    };
    let shown: Vec<usize> = explored.by_latency().into_iter().filter(matters).collect();
    if shown.is_empty() {
        return String::new();
    }
    for index in shown {
        let entry = &trials.entries[index];
        let mark = match (kind(explored, index), &entry.score) {
            (_, None) => String::new(),
            (kind, _) => kind.sign(glyphs).to_string(),
        };
        let mut row = vec![mark];
        row.extend(columns.iter().map(|(_, value)| value(&entry.cell)));
        let number = |show: &dyn Fn() -> Option<String>| show().unwrap_or_else(|| "–".into());
        let score = entry.score.as_ref();
        row.push(number(&|| Some(rate(score?.inferences_per_s))));
        row.push(number(&|| {
            let thin = if score?.is_thin(trials.budget) { "?" } else { "" };
            Some(format!("{}{thin}", time(score?.tail_ns(trials.budget))))
        }));
        row.extend(trials.budget.map(|_| number(&|| trials.over_frac(index).map(change))));
        row.push(remark(explored, index));
        table.row(row);
    }
    let winner = DotKind::Winner.sign(glyphs);
    let text = table.text(width);
    let lines =
        text.lines().map(|line| if line.starts_with(winner) { paint(BOLD, line) } else { line.into() });
    lines.map(|line| line + "\n").collect()
}

/// What a row is.
pub(super) fn remark(explored: &Explored, index: usize) -> String {
    let entry = &explored.trials.entries[index];
    let within = explored.trials.over_frac(index).is_none_or(|over| over <= 0.0);
    let batches = explored.grid.axes.batch.len() > 1;
    match &entry.out {
        Some(Out::Failed(failure)) => failure.kind.word().into(),
        Some(Out::OverBudget) => format!("over the budget, dropped after round {}", entry.round),
        Some(Out::Dominated) => format!("dominated, dropped after round {}", entry.round),
        None if explored.ranking.winner == Some(index) => "winner".into(),
        None if explored.ranking.best.contains(&index) && batches => {
            format!("best of batch {}", entry.cell.point.batch)
        }
        None if !within => "over the budget".into(),
        None => String::new(),
    }
}

/// Every error with its next step, once however many cells failed for it.
fn failures(explored: &Explored) -> String {
    let mut told: Vec<(&Failure, Vec<String>)> = Vec::new();
    for entry in &explored.trials.entries {
        let Some(Out::Failed(failure)) = &entry.out else { continue };
        match told.iter_mut().find(|(known, _)| *known == failure) {
            Some((_, cells)) => cells.push(entry.cell.words()),
            None => told.push((failure, vec![entry.cell.words()])),
        }
    }
    let text = |(failure, cells): (&Failure, Vec<String>)| {
        let more = plural(cells.len() - 1, "other cell");
        let of = if cells.len() > 1 { format!("{} and {more}", cells[0]) } else { cells[0].clone() };
        format!("{RED}{}{RESET} ({of}): {failure}\n", failure.kind.word())
    };
    told.into_iter().map(text).collect()
}

/// How many cells have no row, and why.
fn others(explored: &Explored, verbose: bool) -> String {
    let dropped = explored.dropped();
    let parts = [(dropped.over_budget, "over the budget"), (dropped.dominated, "dominated")];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}")).collect();
    let mut out = String::new();
    if !verbose && !parts.is_empty() {
        let _ = writeln!(out, "{DIM}dropped early: {} (--verbose lists them){RESET}", parts.join(", "));
    }
    if explored.has_thin_cell() {
        let tail = tail_name(explored);
        let _ = writeln!(
            out,
            "{YELLOW}?: too few requests to judge {tail}; measure longer, with --measure or --processes{RESET}"
        );
    }
    out
}

/// The winner, or why there is none: the colour of the first words, those, and the rest.
pub(super) fn conclusion(explored: &Explored) -> Vec<(&'static str, String, String)> {
    let Explored { trials, ranking, .. } = explored;
    let tail = tail_name(explored);
    let numbers = |index: usize| {
        let score = trials.entries[index].score.as_ref();
        score.map_or_else(String::new, |s| {
            format!("{}, {tail} {}", rate(s.inferences_per_s), time(s.tail_ns(trials.budget)))
        })
    };
    let words = |index: usize| trials.entries[index].cell.words();
    let (colour, first, rest) = match (ranking.winner, ranking.nearest) {
        (Some(winner), _) => (GREEN, format!("winner: {}", words(winner)), format!(": {}", numbers(winner))),
        (None, Some((index, over))) => {
            let over = change(over);
            let over = over.trim_start_matches('+');
            let rest = format!(" nearest: {}: {}, {over} over", words(index), numbers(index));
            (RED, "no cell is within the budget;".to_owned(), rest)
        }
        _ if explored.all_failed() => (RED, "no cell could be built and measured".to_owned(), String::new()),
        _ => (
            YELLOW,
            "no winner without a budget".to_owned(),
            ": the front is what can be had; a max-latency (--max-latency 5ms) makes one of them the winner"
                .to_owned(),
        ),
    };
    let moved =
        explored.moved.iter().map(|(id, text)| (DIM, format!("{}: {}", line(id), line(text)), String::new()));
    std::iter::once((colour, first, rest)).chain(moved).collect()
}

/// Where a cell is, for machines.
pub fn point(cell: Cell) -> GridPoint {
    let p = cell.point;
    GridPoint {
        batch: p.batch,
        streams: p.streams,
        in_flight: p.in_flight,
        cuda_graph: p.cuda_graph,
        threads: cell.threads,
    }
}

/// The cells of a grid for machines, and then its winner.
pub fn messages(explored: &Explored) -> Vec<Message> {
    let cells = (0..explored.trials.entries.len()).map(|index| Message::Cell(grid_cell(explored, index)));
    cells.chain([Message::Winner(Box::new(grid_winner(explored)))]).collect()
}

fn grid_cell(explored: &Explored, index: usize) -> GridCell {
    let trials = &explored.trials;
    let entry = &trials.entries[index];
    let score = entry.score.as_ref();
    let (out, failure) = match &entry.out {
        None => (None, None),
        Some(Out::OverBudget) => (Some(CellOut::OverBudget), None),
        Some(Out::Dominated) => (Some(CellOut::Dominated), None),
        Some(Out::Failed(f)) => (Some(CellOut::Failed), Some(f.into())),
    };
    GridCell {
        grid: explored.grid.name.clone(),
        case: entry.id.clone(),
        point: point(entry.cell),
        round: entry.round,
        inferences_per_s: score.map(|s| s.inferences_per_s),
        tail_ns: score.map(|s| s.tail_ns(trials.budget)),
        tail_quantile: tail_quantile(trials.budget),
        judged: score.is_some_and(|s| !s.is_thin(trials.budget)),
        over_frac: trials.over_frac(index),
        out,
        failure,
        front: explored.ranking.front[index],
        best: explored.ranking.best.contains(&index),
    }
}

fn grid_winner(explored: &Explored) -> GridWinner {
    let budget = explored.trials.budget;
    GridWinner {
        grid: explored.grid.name.clone(),
        rounds: ROUNDS,
        budget: budget.map(|b| GridBudget { max_ns: b.max_ns, quantile: b.quantile }),
        winner: explored.ranking.winner.map(|index| grid_cell(explored, index)),
        nearest: explored.ranking.nearest.map(|(index, _)| grid_cell(explored, index)),
        moved: explored.moved.clone(),
        unreal: explored.unreal.map(|u| u.words().to_owned()),
    }
}
