//! A memory run as tracks: its phases, allocations that failed, and two numbers over time: what is allocated through us
//! (a step for each call), and what the process has as the system sees it, at the ends of phases.

use super::{Counter, Span, Track};
use crate::memory::wire::MemoryEvents;
use crate::memory::{Ledger, MemoryAction};
use crate::units::bytes;

/// The tracks and numbers of one process. `group`: what it is called.
pub fn tracks(group: &str, found: &MemoryEvents) -> (Vec<Track>, Vec<Counter>) {
    let track =
        |name: &str, spans: Vec<Span>| Track { group: group.to_owned(), name: name.to_owned(), spans };
    let counter = |name: &str, points: Vec<(i64, f64)>| Counter {
        group: group.to_owned(),
        name: name.to_owned(),
        points,
    };
    let phases = found.spans.iter().map(|phase| Span {
        name: phase.phase.word().to_owned(),
        start: at(phase.begin_ns),
        end: at(phase.end_ns),
        facts: phase.process_bytes.map(|n| ("process", bytes(n))).into_iter().collect(),
    });
    let refused = found.events.iter().filter_map(|event| match event.action {
        MemoryAction::Refused { bytes: asked } => Some(Span {
            name: format!("refused: {}", bytes(asked)),
            start: at(event.at_ns),
            end: at(event.at_ns),
            facts: vec![("phase", event.phase.word().to_owned())],
        }),
        MemoryAction::Allocated { .. } | MemoryAction::Freed { .. } => None,
    });
    let process =
        found.spans.iter().filter_map(|phase| Some((at(phase.end_ns), phase.process_bytes? as f64)));
    let tracks = [track("phases", phases.collect()), track("failed allocations", refused.collect())];
    let counters = [counter("traced bytes", traced(found)), counter("process bytes", process.collect())];
    (
        tracks.into_iter().filter(|track| !track.spans.is_empty()).collect(),
        counters.into_iter().filter(|counter| !counter.points.is_empty()).collect(),
    )
}

/// What is allocated after each call: when, in nanoseconds, and bytes.
pub fn traced(found: &MemoryEvents) -> Vec<(i64, f64)> {
    let mut ledger = Ledger::default();
    let after = |event| {
        ledger.apply(event);
        (at(event.at_ns), ledger.current_bytes() as f64)
    };
    found.events.iter().map(after).collect()
}

/// A file may hold any number.
fn at(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::wire::PhaseSpan;
    use crate::memory::{MemoryEvent, MemoryPhase};

    #[test]
    fn phases_are_spans_and_every_call_is_a_step() {
        let span =
            |phase, begin_ns, end_ns, process_bytes| PhaseSpan { phase, begin_ns, end_ns, process_bytes };
        let event = |at_ns, action| MemoryEvent { at_ns, phase: MemoryPhase::Load, action };
        let found = MemoryEvents {
            spans: vec![span(MemoryPhase::Load, 10, 50, Some(2048)), span(MemoryPhase::End, 50, 60, None)],
            events: vec![
                event(20, MemoryAction::Allocated { address: 1, bytes: 100 }),
                event(30, MemoryAction::Allocated { address: 2, bytes: 50 }),
                event(40, MemoryAction::Refused { bytes: 1 << 30 }),
                event(45, MemoryAction::Freed { address: 1 }),
            ],
            left_out: 0,
        };
        let (tracks, counters) = tracks("g", &found);
        let spans: Vec<(&str, i64, i64)> =
            tracks.iter().flat_map(|t| &t.spans).map(|s| (s.name.as_str(), s.start, s.end)).collect();
        assert_eq!(spans, [("load", 10, 50), ("end", 50, 60), ("refused: 1.00 GiB", 40, 40)]);
        assert_eq!(tracks[0].spans[0].facts, [("process", "2.0 KiB".to_owned())]);
        let points: Vec<(&str, &[(i64, f64)])> =
            counters.iter().map(|c| (c.name.as_str(), c.points.as_slice())).collect();
        assert_eq!(
            points,
            [
                ("traced bytes", &[(20, 100.0), (30, 150.0), (40, 150.0), (45, 50.0)][..]),
                ("process bytes", &[(50, 2048.0)][..]),
            ]
        );
        // A backend whose allocations are only counted has no event: no line of zeros.
        let (tracks, counters) = super::tracks("g", &MemoryEvents { events: Vec::new(), ..found });
        assert_eq!((tracks.len(), counters.len()), (1, 1));
    }
}
