//! Draws the clock of the GPU in each process: whether it moved, and whether both arms had the same.

use super::figure::{Drawn, class, key};
use super::processes::{beside, numbered};
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::outcome::CaseDetail;
use crate::record::CaseRecord;
use crate::summarize::GpuSummary;
use std::collections::BTreeSet;

/// The clock at the start and the end of each process; `None` where nothing tells of one, as on a CPU. The GPU is never
/// asked meanwhile.
pub fn clocks(detail: &CaseDetail) -> Option<Drawn> {
    let title = "Clock of the GPU";
    let arms: Vec<(usize, &CaseRecord)> =
        detail.arms.iter().enumerate().filter_map(|(arm, case)| Some((arm, case.as_ref()?))).collect();
    let said = |case: &'_ CaseRecord| -> Vec<Option<(f64, f64)>> {
        case.processes.iter().map(|p| clock(p.gpu.as_ref()?)).collect()
    };
    let all: Vec<f64> = arms
        .iter()
        .flat_map(|(_, case)| said(case))
        .flatten()
        .flat_map(|(start, end)| [start, end])
        .collect();
    all.first()?;
    let gpus = || arms.iter().flat_map(|(_, case)| &case.processes).filter_map(|p| p.gpu.as_ref());
    let highest = gpus().filter_map(|gpu| gpu.max_sm_mhz).reduce(f64::max);
    let y = AxisScale::around(&all, &[]).between(FOOT, TOP);
    let n = arms.iter().map(|(_, case)| case.processes.len()).max()?;
    let slot = (RIGHT - LEFT) / n as f64;
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Clock);
    for (arm, case) in &arms {
        let clocks = said(case);
        let x = |i: usize| beside(i, slot, *arm, arms.len());
        let placed = || clocks.iter().enumerate().filter_map(|(i, c)| Some((x(i), (*c)?)));
        let moved = placed().filter(|(_, (start, end))| start != end);
        let moves = moved.map(|(x, (start, end))| [(x, y.at(start)), (x, y.at(end))]);
        svg.paths(&format!("{} w", class(*arm)), moves, false);
        svg.dots(class(*arm), placed().map(|(x, (_, end))| (x, y.at(end))));
    }
    numbered(&mut svg, n, slot);
    let held: BTreeSet<String> = gpus().flat_map(|gpu| &gpu.held_by).map(ToString::to_string).collect();
    let held = if held.is_empty() { String::new() } else { format!("; held down by {}", words(held)) };
    let highest = highest.map_or_else(String::new, |mhz| format!("; the highest it has: {mhz:.0} MHz"));
    Some(Drawn {
        title,
        legend: arms.iter().map(|(arm, case)| key(*arm, arms.len(), &temperatures(case))).collect(),
        caption: format!(
            "at the end of each process; a line comes from its start, where it moved by more than 1 %{highest}{held}"
        ),
        svg: svg.finish(),
    })
}

/// At the start and at the end. Of a small change nothing is kept.
fn clock(gpu: &GpuSummary) -> Option<(f64, f64)> {
    let end = gpu.sm_mhz?;
    Some((end / (1.0 + gpu.clock_change_frac.unwrap_or(0.0)), end))
}

/// `41 to 63 °C`.
fn temperatures(case: &CaseRecord) -> String {
    let all = || case.processes.iter().filter_map(|p| p.gpu.as_ref()?.temperature_c);
    match (all().min(), all().max()) {
        (Some(low), Some(high)) if low < high => format!("{low} to {high} °C"),
        (Some(only), _) => format!("{only} °C"),
        _ => String::new(),
    }
}

fn words(all: BTreeSet<String>) -> String {
    all.into_iter().collect::<Vec<_>>().join(", ")
}
