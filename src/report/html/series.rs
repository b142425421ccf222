//! Draws one case over all records.

use super::figure::Drawn;
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::history::{LevelChange, Point, Series};
use crate::printable::line;
use crate::record::short;
use crate::units::change;

/// One case over all records.
pub fn history(series: &Series) -> Drawn {
    let title = "Over all records";
    let estimates: Vec<f64> = series.points.iter().map(|p| p.estimate).collect();
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return Drawn::absent(title, "no record has enough requests");
    };
    let intervals: Vec<(f64, f64)> =
        series.points.iter().filter_map(|p| p.interval.map(|i| (i.lo, i.hi))).collect();
    let y = AxisScale::around(&estimates, &intervals).between(FOOT, TOP);
    let slot = (RIGHT - LEFT) / series.points.len() as f64;
    let x = |i: usize| LEFT + (i as f64 + 0.5) * slot;
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::of(series.metric));
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
    }
    svg.dots("h", estimates.iter().enumerate().map(|(i, v)| (x(i), y.at(*v))));
    let commit = |p: &Point| line(p.commit.as_deref().map_or("no commit", short));
    svg.text("l", (LEFT, FOOT + 15.0), &commit(first));
    if series.points.len() > 1 {
        svg.text("e", (RIGHT, FOOT + 15.0), &commit(last));
    }
    let step = |c: &LevelChange| format!("{} at {}", change(c.change), commit(&series.points[c.first]));
    let steps = match &series.changes {
        Err(why) => format!("change points were not searched for: {why}"),
        Ok(found) if found.is_empty() => "no change point".into(),
        Ok(found) => format!("change points: {}", found.iter().map(step).collect::<Vec<_>>().join(", ")),
    };
    Drawn {
        title,
        legend: Vec::new(),
        caption: format!("{}, oldest commit first, with 95 % intervals; {steps}", series.metric.name(None)),
        svg: svg.finish(),
    }
}
