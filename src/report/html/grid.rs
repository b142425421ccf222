//! Draws latency against throughput of a grid's cells.

use super::figure::Drawn;
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::discover::Tried;
use crate::outcome::CaseDetail;
use crate::units::plain_time;

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
    let x = AxisScale::new(lo * 0.88, hi * 1.14, true).between(LEFT, RIGHT);
    let most = cells.iter().map(|c| c.3).fold(0.0, f64::max);
    let y = AxisScale::new(0.0, most * 1.1, false).between(FOOT, TOP);
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
