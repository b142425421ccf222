//! How long a session measures, by its settings alone: known before anything is measured. Building and loading engines
//! come on top, and nobody can tell how long they take. Pure.

use super::calibrate::Amount;
use super::discover::effort;
use super::looks::Looks;
use crate::case::Case;
use crate::config::Scenario;
use crate::discover::{Grid, ROUNDS};
use crate::measure::{EXPECTED_PROBES, GPU_CLOCK_PART};
use crate::units::{Nanos, plural};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is known before a session begins.
#[derive(Clone, Debug, Default)]
pub struct ExpectedTime {
    /// Each case, or each grid of a search.
    parts: BTreeMap<String, PartTime>,
    /// It may well end sooner, for this reason.
    at_most: Option<String>,
    /// What comes on top.
    besides: &'static str,
    /// No more than this is measured.
    limit: Option<Duration>,
    /// So many cases are measured side by side; 0 means one.
    lanes: usize,
}

/// The processes of a case.
#[derive(Clone, Copy, Debug, Default)]
struct PartTime {
    process: Duration,
    whole: Duration,
}

impl PartTime {
    fn of(case: &Case, processes: u64) -> Self {
        let process = process_time(case);
        Self { process, whole: process.saturating_mul(u32::try_from(processes).unwrap_or(u32::MAX)) }
    }
}

/// How long a process warms up and measures.
fn process_time(case: &Case) -> Duration {
    let (warm_up, measure) = (case.effort.warm_up.duration(), case.effort.measure.duration());
    warm_up
        + match case.scenario {
            Scenario::Capacity => measure.mul_f64(EXPECTED_PROBES as f64),
            Scenario::Latency if case.target.kind.on_gpu() => measure + measure / GPU_CLOCK_PART,
            Scenario::Latency | Scenario::Throughput => measure,
        }
}

impl ExpectedTime {
    /// Each case with all of its processes.
    pub fn of_run(cases: &[Case]) -> Self {
        let part = |case: &Case| (case.id.clone(), PartTime::of(case, case.effort.processes));
        Self { parts: cases.iter().map(part).collect(), besides: "building and loading", ..Self::default() }
    }

    /// Each case with the pairs of the last look.
    pub fn of_check(cases: &[Case], looks: &Looks) -> Self {
        let most = looks.most();
        let part = |case: &Case| {
            let part = PartTime::of(case, 2 * most as u64);
            let whole = looks.max_time.map_or(part.whole, |limit| part.whole.min(limit));
            (case.id.clone(), PartTime { whole, ..part })
        };
        let sooner = format!("{most} pairs a case; what is clear is decided by fewer");
        Self {
            parts: cases.iter().map(part).collect(),
            at_most: looks.pairs.is_none().then_some(sooner),
            besides: "building, loading and confirming a change",
            ..Self::default()
        }
    }

    /// Each case with the pairs of all sessions: on each of several lanes alone, and once on all side by side.
    pub fn of_calibration(cases: &[Case], amount: &Amount, lanes: usize) -> Self {
        let times = if lanes > 1 { lanes + 1 } else { 1 };
        let processes = (2 * amount.sessions * amount.pairs * times) as u64;
        let part = |case: &Case| (case.id.clone(), PartTime::of(case, processes));
        Self {
            parts: cases.iter().map(part).collect(),
            besides: "building and loading",
            limit: amount.max_time,
            ..Self::default()
        }
    }

    /// Each grid as if no cell was dropped.
    pub fn of_search(grids: &[Grid]) -> Self {
        let trial = |case: &Case, round: usize| {
            let mut case = case.clone();
            (case.effort.processes, case.effort.measure) = effort(&case, round);
            PartTime::of(&case, case.effort.processes).whole
        };
        let part = |grid: &Grid| {
            let whole = grid.cells.iter().flat_map(|case| (1..=ROUNDS).map(move |round| trial(case, round)));
            (grid.name.clone(), PartTime { process: Duration::ZERO, whole: whole.sum() })
        };
        let cells = plural(grids.iter().map(|grid| grid.cells.len()).sum(), "cell");
        Self {
            parts: grids.iter().map(part).collect(),
            at_most: Some(format!("{cells}, {ROUNDS} rounds; what is clearly worse is dropped early")),
            besides: "building and loading",
            ..Self::default()
        }
    }

    /// The same, where so many devices share the cases.
    pub fn in_lanes(self, lanes: usize) -> Self {
        Self { lanes, ..self }
    }

    /// How many cases or grids there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// How long a process of the case takes; `None` where they differ.
    pub fn of_process(&self, id: &str) -> Option<Duration> {
        self.parts.get(id).map(|part| part.process).filter(|time| !time.is_zero())
    }

    /// How long all that `wanted` takes together takes.
    pub fn of_parts(&self, wanted: impl Fn(&str) -> bool) -> Duration {
        self.parts.iter().filter(|(id, _)| wanted(id)).map(|(_, part)| part.whole).sum()
    }

    /// Whether it may well end sooner.
    pub fn is_at_most(&self) -> bool {
        self.at_most.is_some()
    }

    /// In one line: `measuring takes about 24 s (1.5 s a process), and building and loading on top`.
    pub fn text(&self) -> String {
        // A lane takes whole cases.
        let side_by_side = self.lanes.clamp(1, self.count().max(1));
        let whole = self.of_parts(|_| true).div_f64(side_by_side as f64);
        let limited = self.limit.filter(|limit| *limit < whole);
        let about = if self.is_at_most() || limited.is_some() { "at most about" } else { "about" };
        let mut each: Vec<Duration> = self.parts.values().map(|part| part.process).collect();
        each.dedup();
        let process = match each[..] {
            [one] if !one.is_zero() => Some(format!("{} a process", Nanos::from(one))),
            _ => None,
        };
        let why: Vec<String> = process.into_iter().chain(self.at_most.clone()).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
        let whole = whole_time(limited.unwrap_or(whole));
        format!("measuring takes {about} {whole}{why}, and {} on top", self.besides)
    }
}

/// `40 s`, `3 min`, `5.5 h`: as exact as an expectation is.
pub fn whole_time(time: Duration) -> String {
    match time.as_secs_f64().ceil() {
        s if s < 120.0 => format!("{s} s"),
        s if s < 7200.0 => format!("{} min", (s / 60.0).ceil()),
        s => format!("{:.1} h", s / 3600.0),
    }
}
