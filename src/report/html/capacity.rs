//! Draws the capacity for each latency budget.

use super::figure::{Drawn, class, key};
use super::samples::ends;
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::outcome::{CapacityFigures, CaseDetail, Figure, Figures};
use crate::record::CaseRecord;

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
    let x = AxisScale::new(first * 0.85, last * 1.15, true).between(LEFT, RIGHT);
    let y = AxisScale::new(0.0, most * 1.08, false).between(FOOT, TOP);
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
        }
        svg.dots(class, points.iter().map(at));
    }
    Some(Drawn {
        title,
        legend: arms.iter().map(|(arm, _)| key(*arm, arms.len(), "capacity")).collect(),
        caption: "the highest rate of arrivals that keeps each budget, with its 95 % interval; dashed: the closed loop".into(),
        svg: svg.finish(),
    })
}
