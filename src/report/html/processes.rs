//! Draws the value of each process, with the mean over processes and its interval.

use super::figure::{Drawn, class, key};
use super::samples::ends;
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::compare::Metric;
use crate::outcome::{ArmValues, Figure, ProcessValues};
use crate::report::interval_of;

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
    let y = AxisScale::around(&all, &intervals).between(FOOT, TOP);
    let n = arms.iter().map(|(_, v)| v.values.len()).max().unwrap_or(1);
    let slot = (RIGHT - LEFT) / n as f64;
    let x = |arm: usize, i: usize| beside(i, slot, arm, arms.len());
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::of(values.metric));
    for (arm, figure) in arms.iter().filter_map(|(arm, v)| Some((arm, v.figure.as_ref()?))) {
        let (lo, hi) = ends(figure);
        svg.rect(&format!("{} i", class(*arm)), (LEFT, y.at(lo)), (RIGHT, y.at(hi)));
        let middle = y.at(figure.estimate());
        svg.line(&format!("{} w d", class(*arm)), (LEFT, middle), (RIGHT, middle));
    }
    if let ([(_, base), (_, head)], true) = (&arms[..], paired) {
        let pair = |(i, (b, h)): (usize, (&Option<f64>, &Option<f64>))| {
            Some([(x(0, i), y.at((*b)?)), (x(1, i), y.at((*h)?))])
        };
        svg.paths("j", base.values.iter().zip(&head.values).enumerate().filter_map(pair), false);
    }
    for (arm, v) in &arms {
        let dot = |(i, value): (usize, &Option<f64>)| Some((x(*arm, i), y.at((*value)?)));
        svg.dots(class(*arm), v.values.iter().enumerate().filter_map(dot));
    }
    numbered(&mut svg, n, slot);
    let legend = |(arm, v): &(usize, &ArmValues)| key(*arm, arms.len(), &said(values.metric, v.figure));
    let what =
        if paired { "pairs, in the order of measuring" } else { "processes, in the order of measuring" };
    Drawn {
        title,
        legend: arms.iter().map(legend).collect(),
        caption: format!("{} of {what}; band: 95 % interval of the mean over processes", values.name),
        svg: svg.finish(),
    }
}

/// Where a process is in its slot: base and head side by side, where there are both.
pub fn beside(process: usize, slot: f64, arm: usize, arms: usize) -> f64 {
    let aside = if arms > 1 { (slot * 0.16).min(7.0) } else { 0.0 };
    LEFT + (process as f64 + 0.5) * slot + if arm == 0 { -aside } else { aside }
}

/// An estimate with its interval, in words.
fn said(metric: Metric, figure: Option<Figure>) -> String {
    figure.map_or_else(|| "–".to_owned(), |f| interval_of(&f, &|v| metric.shown(v)))
}

/// The numbers of processes below the axis, as many as there is room for.
pub fn numbered(svg: &mut Svg, n: usize, slot: f64) {
    svg.line("a", (LEFT, FOOT), (RIGHT, FOOT));
    let every = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|k| *k as f64 * slot >= 30.0).unwrap_or(n.max(1));
    let said = (0..n).filter(|i| *i == 0 && every > 1 || (i + 1) % every == 0);
    svg.texts("m", said.map(|i| ((LEFT + (i as f64 + 0.5) * slot, FOOT + 15.0), (i + 1).to_string())));
}
