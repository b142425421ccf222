//! Draws what is a number per process, per budget, per cell of a grid or per record.

use super::figure::{ARMS, Drawn, class};
use super::samples::ends;
use super::scale::{AxisUnit, Scale};
use super::svg::{BOTTOM, LEFT, RIGHT, Svg, TOP};
use crate::compare::Metric;
use crate::discover::Tried;
use crate::history::Series;
use crate::outcome::{ArmValues, CapacityFigures, CaseDetail, Figure, Figures, ProcessValues};
use crate::printable::line;
use crate::record::{CaseRecord, short};
use crate::report::interval_of;
use crate::units::{change, plain_time};

const HEIGHT: f64 = 190.0;
const FOOT: f64 = HEIGHT - BOTTOM;
/// How far intervals may stretch an axis, in ranges of the values: that of two processes can be a hundred times as wide
/// as everything else.
const STRETCH: f64 = 0.6;

fn unit_of(metric: Metric) -> AxisUnit {
    if metric.is_rate() { AxisUnit::Rate } else { AxisUnit::Time }
}

/// An axis for the values, and for their intervals as far as those leave room for them.
fn y_scale(values: &[f64], intervals: &[(f64, f64)]) -> Scale {
    let of = |fold: fn(f64, f64) -> f64| values.iter().copied().reduce(fold).unwrap_or(1.0);
    let (lo, hi) = (of(f64::min), of(f64::max));
    let range = (hi - lo).max(hi.abs() * 2e-3);
    let low = intervals.iter().map(|i| i.0).fold(lo, f64::min).max(lo - STRETCH * range);
    let high = intervals.iter().map(|i| i.1).fold(hi, f64::max).min(hi + STRETCH * range);
    Scale::new(low - 0.06 * range, high + 0.06 * range, false).between(FOOT, TOP)
}

/// A value for each process, and the interval of each arm.
pub fn processes(values: &ProcessValues, paired: bool) -> Drawn {
    let title = "Each process";
    let arms: Vec<(usize, &ArmValues)> =
        values.arms.iter().enumerate().filter_map(|(arm, v)| Some((arm, v.as_ref()?))).collect();
    let all: Vec<f64> = arms.iter().flat_map(|(_, v)| v.values.iter().flatten().copied()).collect();
    if all.is_empty() {
        return Drawn::absent(title, "too few requests in each process");
    }
    let intervals: Vec<(f64, f64)> =
        arms.iter().filter_map(|(_, v)| Some(ends(v.figure.as_ref()?))).collect();
    let y = y_scale(&all, &intervals);
    let n = arms.iter().map(|(_, v)| v.values.len()).max().unwrap_or(1);
    let slot = (RIGHT - LEFT) / n as f64;
    let aside = if arms.len() > 1 { (slot * 0.16).min(7.0) } else { 0.0 };
    let x = |arm: usize, i: usize| LEFT + (i as f64 + 0.5) * slot + if arm == 0 { -aside } else { aside };
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, unit_of(values.metric));
    for (arm, figure) in arms.iter().filter_map(|(arm, v)| Some((arm, v.figure.as_ref()?))) {
        let (lo, hi) = ends(figure);
        svg.rect(&format!("{} i", class(*arm)), (LEFT, y.at(lo)), (RIGHT, y.at(hi)));
        let middle = y.at(figure.estimate());
        svg.line(&format!("{} w d", class(*arm)), (LEFT, middle), (RIGHT, middle));
    }
    if let ([(_, base), (_, head)], true) = (&arms[..], paired) {
        for (i, pair) in base.values.iter().zip(&head.values).enumerate() {
            let (Some(b), Some(h)) = pair else { continue };
            svg.line("j", (x(0, i), y.at(*b)), (x(1, i), y.at(*h)));
        }
    }
    for (arm, v) in &arms {
        for (i, value) in v.values.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?))) {
            svg.dot(&format!("{} p", class(*arm)), (x(*arm, i), y.at(value)), 3.2);
        }
    }
    numbered(&mut svg, n, slot);
    let legend =
        |(arm, v): &(usize, &ArmValues)| (*arm, format!("{} {}", ARMS[*arm], said(values.metric, v.figure)));
    let what =
        if paired { "pairs, in the order of measuring" } else { "processes, in the order of measuring" };
    Drawn {
        title,
        legend: arms.iter().map(legend).collect(),
        caption: format!("{} of {what}; band: 95 % interval of the mean over processes", values.name),
        svg: svg.finish(title),
    }
}

/// An estimate with its interval, in words.
fn said(metric: Metric, figure: Option<Figure>) -> String {
    figure.map_or_else(|| "–".to_owned(), |f| interval_of(&f, &|v| metric.shown(v)))
}

/// The numbers of processes below the axis, as many as there is room for.
fn numbered(svg: &mut Svg, n: usize, slot: f64) {
    svg.line("a", (LEFT, FOOT), (RIGHT, FOOT));
    let every = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|k| *k as f64 * slot >= 24.0).unwrap_or(n.max(1));
    for i in (0..n).filter(|i| *i == 0 && every > 1 || (i + 1) % every == 0) {
        svg.text("m", (LEFT + (i as f64 + 0.5) * slot, FOOT + 15.0), &(i + 1).to_string());
    }
}

/// The highest rate for each budget; `None` where no arm was asked about more than one.
pub fn capacity(detail: &CaseDetail) -> Option<Drawn> {
    let title = "Capacity by latency budget";
    let found = |case: &Option<CaseRecord>| Figures::of(case.as_ref()?).capacity;
    let arms: Vec<(usize, CapacityFigures)> =
        detail.arms.iter().enumerate().filter_map(|(arm, case)| Some((arm, found(case)?))).collect();
    let rates = |c: &CapacityFigures| -> Vec<(f64, Figure)> {
        c.points.iter().filter_map(|p| Some((p.budget_ns as f64, p.rate.ok()?))).collect()
    };
    let all: Vec<(f64, Figure)> = arms.iter().flat_map(|(_, c)| rates(c)).collect();
    let budgets = |fold: fn(f64, f64) -> f64| all.iter().map(|(budget, _)| *budget).reduce(fold);
    let (first, last) = budgets(f64::min).zip(budgets(f64::max)).filter(|(first, last)| first < last)?;
    let closed = arms.iter().filter_map(|(_, c)| Some(c.closed_per_s?.estimate()));
    let most = all.iter().map(|(_, f)| f.estimate()).chain(closed).fold(0.0, f64::max);
    let x = Scale::new(first * 0.85, last * 1.15, true).between(LEFT, RIGHT);
    let y = Scale::new(0.0, most * 1.08, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Rate);
    svg.x_axis(&x, FOOT, AxisUnit::Time);
    for (arm, figures) in &arms {
        let class = class(*arm);
        if let Some(closed) = figures.closed_per_s {
            let at = y.at(closed.estimate());
            svg.line(&format!("{class} w d"), (LEFT, at), (RIGHT, at));
        }
        let points = rates(figures);
        let at = |(budget, f): &(f64, Figure)| (x.at(*budget), y.at(f.estimate()));
        svg.path(&format!("{class} w"), points.iter().map(at), false);
        for (budget, figure) in &points {
            let (lo, hi) = ends(figure);
            svg.line(&format!("{class} w"), (x.at(*budget), y.at(lo)), (x.at(*budget), y.at(hi)));
            svg.dot(&format!("{class} p"), at(&(*budget, *figure)), 3.2);
        }
    }
    Some(Drawn {
        title,
        legend: arms.iter().map(|(arm, _)| (*arm, ARMS[*arm].to_owned())).collect(),
        caption: "the highest rate of arrivals that keeps each budget, with its 95 % interval; dashed: the closed loop".into(),
        svg: svg.finish(title),
    })
}

/// Latency against throughput of the cells of a grid; `None` where no grid chose the point.
pub fn front(detail: &CaseDetail) -> Option<Drawn> {
    let title = "Latency and throughput of the grid";
    let case = detail.arms.iter().rev().flatten().find(|case| case.discovery.is_some())?;
    let discovery = case.discovery.as_ref()?;
    let scored = |t: &Tried| t.score.map(|s| (t.cell, t.front, s.tail_ns, s.inferences_per_s));
    let mut cells: Vec<_> = discovery.cells.iter().filter_map(scored).collect();
    cells.sort_by(|a, b| a.2.total_cmp(&b.2));
    let (first, last) = (cells.first()?.2, cells.last()?.2);
    let budget = case.budget.map(|b| b.max_ns as f64).filter(|b| *b > first / 4.0 && *b < last * 4.0);
    let (lo, hi) = budget.map_or((first, last), |b| (first.min(b), last.max(b)));
    let x = Scale::new(lo * 0.88, hi * 1.14, true).between(LEFT, RIGHT);
    let most = cells.iter().map(|c| c.3).fold(0.0, f64::max);
    let y = Scale::new(0.0, most * 1.1, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Rate);
    svg.x_axis(&x, FOOT, AxisUnit::Time);
    if let Some(budget) = budget {
        svg.line("a d", (x.at(budget), TOP), (x.at(budget), FOOT));
    }
    svg.path("h w", cells.iter().filter(|c| c.1).map(|c| (x.at(c.2), y.at(c.3))), false);
    for (cell, front, tail_ns, per_s) in &cells {
        let (class, radius) = if *cell == case.cell() {
            ("h p", 6.0)
        } else if *front {
            ("h p", 3.2)
        } else {
            ("b p", 2.6)
        };
        svg.dot(class, (x.at(*tail_ns), y.at(*per_s)), radius);
    }
    let within = budget.map_or_else(String::new, |b| format!("; dashed: the budget of {}", plain_time(b)));
    Some(Drawn {
        title,
        legend: vec![(1, "the front".into()), (0, "other cells".into())],
        caption: format!("the large dot was chosen: {}{within}", case.cell().words()),
        svg: svg.finish(title),
    })
}

/// One case over all records.
pub fn history(series: &Series) -> Drawn {
    let title = "Over all records";
    let estimates: Vec<f64> = series.points.iter().map(|p| p.estimate).collect();
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return Drawn::absent(title, "no record has enough requests");
    };
    let intervals: Vec<(f64, f64)> =
        series.points.iter().filter_map(|p| p.interval.map(|i| (i.lo, i.hi))).collect();
    let y = y_scale(&estimates, &intervals);
    let slot = (RIGHT - LEFT) / series.points.len() as f64;
    let x = |i: usize| LEFT + (i as f64 + 0.5) * slot;
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, unit_of(series.metric));
    svg.line("a", (LEFT, FOOT), (RIGHT, FOOT));
    let changes = series.changes.as_deref().unwrap_or_default();
    for found in changes {
        let at = LEFT + found.first as f64 * slot;
        svg.line("a d", (at, TOP), (at, FOOT));
    }
    svg.path("h w", estimates.iter().enumerate().map(|(i, v)| (x(i), y.at(*v))), false);
    for (i, p) in series.points.iter().enumerate() {
        if let Some(interval) = p.interval {
            svg.line("h w", (x(i), y.at(interval.lo)), (x(i), y.at(interval.hi)));
        }
        svg.dot("h p", (x(i), y.at(p.estimate)), 3.2);
    }
    let commit = |p: &crate::history::Point| line(p.commit.as_deref().map_or("no commit", short));
    svg.text("l", (LEFT, FOOT + 15.0), &commit(first));
    if series.points.len() > 1 {
        svg.text("e", (RIGHT, FOOT + 15.0), &commit(last));
    }
    let steps: Vec<String> = changes
        .iter()
        .map(|c| format!("{} at {}", change(c.change), commit(&series.points[c.first])))
        .collect();
    let steps = if steps.is_empty() {
        "no change point".to_owned()
    } else {
        format!("change points: {}", steps.join(", "))
    };
    Drawn {
        title,
        legend: Vec::new(),
        caption: format!("{}, oldest commit first, with 95 % intervals; {steps}", series.metric.name(None)),
        svg: svg.finish(title),
    }
}
