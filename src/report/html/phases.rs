//! Draws what a case has of memory: the most in each phase, and what was allocated over time.

use super::figure::{ARMS, Drawn, class, key};
use super::scale::{AxisScale, AxisUnit};
use super::svg::{FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::memory::{CaseMemory, MemoryPhase, PhaseMemory, ProcessSource};
use crate::outcome::{MemoryArm, MemoryDetail, MemoryPicture};
use crate::report::memory::size;
use crate::units::bytes;

/// The figures of a case's memory.
pub fn memory(detail: &MemoryDetail) -> Vec<Drawn> {
    [peaks(detail), over_time(detail)].into_iter().flatten().collect()
}

/// A row for each phase: what was traced of each arm, and what the process had.
pub fn rows(detail: &MemoryDetail) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let arms = arms(detail);
    let mut columns = vec!["phase"];
    let of_arm: &[[&'static str; 2]; 2] = match arms.len() {
        1 => &[["most traced", "process"]; 2],
        _ => &[["base most", "base process"], ["head most", "head process"]],
    };
    columns.extend(arms.iter().flat_map(|(arm, _)| of_arm[*arm]));
    let row = |phase: MemoryPhase| {
        let cells = arms.iter().flat_map(|(_, arm)| {
            let found = of_phase(&arm.memory, phase);
            let traced = found.and_then(|p| Some(p.traced?.peak_bytes));
            [size(traced), size(found.and_then(|p| p.process_bytes))]
        });
        std::iter::once(phase.word().to_owned()).chain(cells).collect()
    };
    (columns, phases(&arms).into_iter().map(row).collect())
}

fn arms(detail: &MemoryDetail) -> Vec<(usize, &MemoryArm)> {
    detail.arms.iter().enumerate().filter_map(|(i, arm)| Some((i, arm.as_ref()?))).collect()
}

/// Those of all arms, in the order in which a process goes through them.
fn phases(arms: &[(usize, &MemoryArm)]) -> Vec<MemoryPhase> {
    let mut all: Vec<MemoryPhase> =
        arms.iter().flat_map(|(_, arm)| &arm.memory.run.phases).map(|p| p.phase).collect();
    all.sort();
    all.dedup();
    all
}

fn of_phase(memory: &CaseMemory, phase: MemoryPhase) -> Option<&PhaseMemory> {
    memory.run.phases.iter().find(|p| p.phase == phase)
}

/// Phases side by side, each with its word below; returns how wide each is.
fn slots(svg: &mut Svg, phases: &[MemoryPhase]) -> f64 {
    let slot = (RIGHT - LEFT) / phases.len().max(1) as f64;
    svg.line("a", (LEFT, FOOT), (RIGHT, FOOT));
    let middle = |i: usize| LEFT + (i as f64 + 0.5) * slot;
    svg.texts("m", phases.iter().enumerate().map(|(i, phase)| ((middle(i), FOOT + 15.0), phase.word())));
    slot
}

/// A bar for each phase and arm. `None` where nobody tells anything.
fn peaks(detail: &MemoryDetail) -> Option<Drawn> {
    let title = "Memory by phase";
    let arms = arms(detail);
    let phases = phases(&arms);
    let traced = |arm: &MemoryArm, phase| Some(of_phase(&arm.memory, phase)?.traced?.peak_bytes as f64);
    // What is resident on the host is many times what a model allocates there, and decides nothing.
    let on_gpu = |arm: &MemoryArm| arm.memory.run.source.filter(|s| *s != ProcessSource::Resident);
    let process = |arm: &MemoryArm, phase| {
        on_gpu(arm)?;
        Some(of_phase(&arm.memory, phase)?.process_bytes? as f64)
    };
    let all = arms.iter().flat_map(|(_, arm)| phases.iter().map(move |phase| (arm, *phase)));
    let most = all.flat_map(|(arm, phase)| [traced(arm, phase), process(arm, phase)]).flatten();
    let most = most.fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    // A budget that is far away would press everything else together.
    let budget = detail.budget.map(|b| b as f64).filter(|b| *b < 2.0 * most);
    let y = AxisScale::new(0.0, budget.unwrap_or(0.0).max(most) * 1.05, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Bytes);
    let slot = slots(&mut svg, &phases);
    let width = slot * 0.76 / arms.len() as f64;
    for (place, (arm, found)) in arms.iter().enumerate() {
        let bar = |i: usize, top: f64| {
            let left = LEFT + i as f64 * slot + slot * 0.12 + place as f64 * width;
            [(left, FOOT), (left, y.at(top)), (left + width * 0.92, y.at(top)), (left + width * 0.92, FOOT)]
        };
        for (class, bytes) in [
            (format!("{} f", class(*arm)), &process as &dyn Fn(&MemoryArm, MemoryPhase) -> Option<f64>),
            (format!("{} k", class(*arm)), &traced),
        ] {
            let bars = phases
                .iter()
                .enumerate()
                .filter_map(|(i, phase)| Some(bar(i, bytes(found, *phase).filter(|bytes| *bytes > 0.0)?)));
            svg.paths(&class, bars, true);
        }
    }
    if let Some(budget) = budget {
        svg.line("a d", (LEFT, y.at(budget)), (RIGHT, y.at(budget)));
    }
    let judged =
        |(arm, found): &(usize, &MemoryArm)| key(*arm, arms.len(), &size(found.memory.judged_bytes()));
    let source = arms.iter().rev().find_map(|(_, arm)| on_gpu(arm));
    let source = source
        .map_or_else(String::new, |s| format!("; outline: {}", s.words().trim_start_matches("process: ")));
    let line = if budget.is_some() { "dashed: " } else { "" };
    let budget = detail.budget.map_or_else(String::new, |b| format!("; {line}the budget of {}", bytes(b)));
    Some(Drawn {
        title,
        legend: arms.iter().map(judged).collect(),
        caption: format!("filled: the most that was allocated through us at once{source}{budget}"),
        svg: svg.finish(),
    })
}

/// What was allocated over time; `None` where calls of the allocator are not kept.
fn over_time(detail: &MemoryDetail) -> Option<Drawn> {
    let title = "Allocated memory over time";
    let arms = arms(detail);
    let drawn: Vec<(usize, &MemoryPicture)> =
        arms.iter().filter_map(|(arm, found)| Some((*arm, found.picture.as_ref()?))).collect();
    drawn.first()?;
    let phases = phases(&arms);
    let moments = drawn.iter().flat_map(|(_, p)| &p.phases).flat_map(|(_, moments)| moments);
    let most = moments.map(|m| m.peak_bytes).max()?.max(1) as f64;
    let y = AxisScale::new(0.0, most * 1.05, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Bytes);
    let slot = slots(&mut svg, &phases);
    for (arm, picture) in &drawn {
        let mut line = vec![(LEFT, FOOT)];
        for (phase, moments) in &picture.phases {
            let Some(place) = phases.iter().position(|p| p == phase) else { continue };
            let left = LEFT + place as f64 * slot;
            let step = slot / moments.len().max(1) as f64;
            for (i, moment) in moments.iter().enumerate() {
                let (from, to) = (left + i as f64 * step, left + (i + 1) as f64 * step);
                let (peak, end) = (y.at(moment.peak_bytes as f64), y.at(moment.end_bytes as f64));
                line.extend([(from, peak), (to, peak), (to, end)]);
            }
        }
        line.extend(line.last().map(|(x, _)| (*x, FOOT)));
        svg.path(&format!("{} f", class(*arm)), line, true);
    }
    let between = (1..phases.len()).map(|i| LEFT + i as f64 * slot);
    svg.paths("g", between.map(|x| [(x, TOP), (x, FOOT)]), false);
    let missing = arms.iter().find(|(arm, _)| drawn.iter().all(|(there, _)| there != arm));
    let missing = missing.map_or_else(String::new, |(arm, _)| format!("; of {} nothing is kept", ARMS[*arm]));
    Some(Drawn {
        title,
        legend: drawn.iter().filter(|_| drawn.len() > 1).map(|(arm, _)| key(*arm, 2, "")).collect(),
        caption: format!(
            "what the library had allocated through us; every phase has the same width, however long it took{missing}"
        ),
        svg: svg.finish(),
    })
}
