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
    let aside = if arms.len() > 1 { (slot * 0.16).min(7.0) } else { 0.0 };
    let x = |arm: usize, i: usize| LEFT + (i as f64 + 0.5) * slot + if arm == 0 { -aside } else { aside };
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::of(values.metric));
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
    let legend = |(arm, v): &(usize, &ArmValues)| key(*arm, arms.len(), &said(values.metric, v.figure));
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
