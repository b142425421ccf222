//! Draws latency against throughput of a grid's cells.

use super::figure::Drawn;
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::case::Budget;
use crate::discover::{Cell, TrialEntry, Tried};
use crate::outcome::{CaseDetail, Explored};
use crate::units::plain_time;

/// A cell that was measured.
struct GridDot {
    cell: Cell,
    front: bool,
    tail_ns: f64,
    inferences_per_s: f64,
}

/// The cells of the grid that chose the point of a case; `None` where none did.
pub fn front(detail: &CaseDetail) -> Option<Drawn> {
    let case = detail.arms.iter().rev().flatten().find(|case| case.discovery.is_some())?;
    let dot = |t: &Tried| {
        let score = t.score?;
        let (tail_ns, inferences_per_s) = (score.tail_ns, score.inferences_per_s);
        Some(GridDot { cell: t.cell, front: t.front, tail_ns, inferences_per_s })
    };
    let dots = case.discovery.as_ref()?.cells.iter().filter_map(dot).collect();
    drawn(dots, Some(case.cell()), case.budget, "latency")
}

/// The cells of a whole grid that was just searched; `tail` is what is called its latency. `None` where none was measured.
pub fn of_grid(explored: &Explored, tail: &str) -> Option<Drawn> {
    let trials = &explored.trials;
    let dot = |(entry, front): (&TrialEntry, &bool)| {
        let score = entry.score.as_ref()?;
        let (tail_ns, inferences_per_s) = (score.tail_ns(trials.budget), score.inferences_per_s);
        Some(GridDot { cell: entry.cell, front: *front, tail_ns, inferences_per_s })
    };
    let dots = trials.entries.iter().zip(&explored.ranking.front).filter_map(dot).collect();
    let winner = explored.ranking.winner.map(|index| trials.entries[index].cell);
    drawn(dots, winner, trials.budget, &format!("{tail} latency"))
}

fn drawn(
    mut dots: Vec<GridDot>,
    chosen: Option<Cell>,
    budget: Option<Budget>,
    latency: &str,
) -> Option<Drawn> {
    let title = "Latency and throughput of the grid";
    dots.sort_by(|a, b| a.tail_ns.total_cmp(&b.tail_ns));
    let (first, last) = (dots.first()?.tail_ns, dots.last()?.tail_ns);
    let budget = budget.map(|b| b.max_ns as f64).filter(|b| *b > first / 4.0 && *b < last * 4.0);
    let (lo, hi) = budget.map_or((first, last), |b| (first.min(b), last.max(b)));
    let x = AxisScale::new(lo * 0.88, hi * 1.14, true).between(LEFT, RIGHT);
    let most = dots.iter().map(|d| d.inferences_per_s).fold(0.0, f64::max);
    let y = AxisScale::new(0.0, most * 1.1, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Rate);
    svg.x_axis(&x, FOOT, AxisUnit::Time);
    if let Some(budget) = budget {
        svg.line("a d", (x.at(budget), TOP), (x.at(budget), FOOT));
    }
    let place = |d: &GridDot| (x.at(d.tail_ns), y.at(d.inferences_per_s));
    svg.path("h w", dots.iter().filter(|d| d.front).map(place), false);
    svg.dots("b", dots.iter().filter(|d| !d.front && Some(d.cell) != chosen).map(place));
    svg.dots("h", dots.iter().filter(|d| d.front).map(place));
    svg.dots("big h", dots.iter().filter(|d| Some(d.cell) == chosen).map(place));
    let within = budget.map_or_else(String::new, |b| format!("; dashed: the budget of {}", plain_time(b)));
    let chosen =
        chosen.map_or_else(String::new, |cell| format!("; the large dot was chosen: {}", cell.words()));
    Some(Drawn {
        title,
        legend: vec![(1, "the front".into()), (0, "other cells".into())],
        caption: format!("to the right: {latency}; upwards: throughput{chosen}{within}"),
        svg: svg.finish(),
    })
}
