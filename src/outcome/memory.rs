//! The result of a memory session: what each case takes, and what differs from a base.

use crate::engine::TEST_LIBRARY;
use crate::error::{Failure, Result};
use crate::memory::wire::{MemoryEvents, MemoryRecord};
use crate::memory::{CaseMemory, MemoryDifference, MemoryPhase, differences};
use crate::timeline::memory::traced;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a memory session leaves.
pub struct MemoryOutcome {
    /// What was found of each case, as it is written.
    pub record: MemoryRecord,
    /// The same with what each is judged by, in the order of the cases.
    pub rows: Vec<MemoryRow>,
    /// Cases that could not be built or measured; one whose allocator ran out is one of them.
    pub failed: BTreeMap<String, Failure>,
    /// What the base is called, where there is one.
    pub base: Option<String>,
    /// Where the record was written, or why it could not be; `None` if nothing was measured.
    pub written: Option<Result<PathBuf>>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
}

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRow {
    /// The case's id.
    pub id: String,
    /// What it takes.
    pub memory: CaseMemory,
    /// The budget in bytes; `None` where there is none.
    pub budget: Option<u64>,
    /// How it breaks the budget, in words.
    pub over: Option<String>,
    /// Which figures are not those of the base; `None` where there is no base to compare with.
    pub differences: Option<Vec<MemoryDifference>>,
    /// What the base takes; `None` where there is no base to compare with.
    pub base: Option<CaseMemory>,
}

impl MemoryRow {
    /// The row of a case, judged.
    pub fn new(id: &str, memory: CaseMemory, budget: Option<u64>, base: Option<&CaseMemory>) -> Self {
        Self {
            id: id.to_owned(),
            budget,
            over: budget.and_then(|budget| memory.over(budget)),
            differences: base.map(|base| differences(base, &memory)),
            base: base.cloned(),
            memory,
        }
    }
}

/// What a page shows of a case's memory. Arms are base and head, in this order.
#[derive(Clone, Debug, Default)]
pub struct MemoryDetail {
    /// `None` where there is no such arm.
    pub arms: [Option<MemoryArm>; 2],
    /// The budget in bytes; `None` where there is none.
    pub budget: Option<u64>,
}

impl MemoryDetail {
    /// What the row holds; `picture` reduces what was allocated in an arm.
    pub fn of(row: &MemoryRow, mut picture: impl FnMut(usize) -> Option<MemoryPicture>) -> Self {
        let mut arm = |arm: usize, memory: Option<&CaseMemory>| {
            Some(MemoryArm { memory: memory?.clone(), picture: picture(arm) })
        };
        Self { arms: [arm(0, row.base.as_ref()), arm(1, Some(&row.memory))], budget: row.budget }
    }
}

/// The process of one arm that loaded the engine and answered requests.
#[derive(Clone, Debug)]
pub struct MemoryArm {
    /// Its figures.
    pub memory: CaseMemory,
    /// What was allocated over time; `None` where calls of the allocator are not kept.
    pub picture: Option<MemoryPicture>,
}

/// What was allocated through us over time, reduced to what a picture needs. Phases differ by orders of magnitude in
/// length, so each has so many moments, however long it is.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPicture {
    /// The phases in order, each with its moments.
    pub phases: Vec<(MemoryPhase, Vec<MemoryMoment>)>,
}

/// A part of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryMoment {
    /// The most that was allocated at once in it.
    pub peak_bytes: u64,
    /// What was allocated at its end.
    pub end_bytes: u64,
}

impl MemoryPicture {
    /// Moments of each phase.
    pub const MOMENTS: usize = 10;

    /// `None` without a call of the allocator.
    pub fn of(found: &MemoryEvents) -> Option<Self> {
        if found.events.is_empty() {
            return None;
        }
        let mut traced = traced(found).into_iter().peekable();
        let mut now = MemoryMoment { peak_bytes: 0, end_bytes: 0 };
        let mut phases: Vec<(MemoryPhase, Vec<MemoryMoment>)> = Vec::new();
        for (i, span) in found.spans.iter().enumerate() {
            let length = u128::from(span.end_ns.saturating_sub(span.begin_ns));
            let mut moments = Vec::with_capacity(Self::MOMENTS);
            for moment in 1..=Self::MOMENTS {
                let passed = length * moment as u128 / Self::MOMENTS as u128;
                // What comes between two phases, or behind all, is still of the one before.
                let last = moment == Self::MOMENTS;
                let end = match found.spans.get(i + 1).filter(|_| last) {
                    Some(next) => i128::from(next.begin_ns),
                    None if last => i128::MAX,
                    None => i128::from(span.begin_ns) + passed as i128,
                };
                now.peak_bytes = now.end_bytes;
                while let Some((_, bytes)) = traced.next_if(|(at, _)| i128::from(*at) < end) {
                    now = MemoryMoment {
                        peak_bytes: now.peak_bytes.max(bytes as u64),
                        end_bytes: bytes as u64,
                    };
                }
                moments.push(now);
            }
            match phases.last_mut() {
                Some((phase, earlier)) if *phase == span.phase => earlier.extend(moments),
                _ => phases.push((span.phase, moments)),
            }
        }
        Some(Self { phases })
    }
}

impl CaseMemory {
    /// Whether it is of the library of our own tests, whose numbers say nothing.
    pub fn of_test_library(&self) -> bool {
        self.library.starts_with(TEST_LIBRARY)
    }
}

impl MemoryOutcome {
    /// Cases that break their budget.
    pub fn over(&self) -> usize {
        self.rows.iter().filter(|row| row.over.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::wire::PhaseSpan;
    use crate::memory::{MemoryAction, MemoryEvent};

    #[test]
    fn phases_get_the_same_room_and_hold_every_peak() {
        let span = |phase, begin_ns, end_ns| PhaseSpan { phase, begin_ns, end_ns, process_bytes: None };
        let event = |at_ns, phase, action| MemoryEvent { at_ns, phase, action };
        let (load, end) = (MemoryPhase::Load, MemoryPhase::End);
        let allocated = |address, bytes| MemoryAction::Allocated { address, bytes };
        let events = vec![
            event(10, load, allocated(1, 100)),
            event(500_000, load, allocated(2, 70)),
            event(500_001, load, MemoryAction::Freed { address: 2 }),
            event(1_000_009, end, MemoryAction::Freed { address: 1 }),
        ];
        let spans = vec![span(load, 0, 1_000_000), span(end, 1_000_000, 1_000_010)];
        let found = MemoryEvents { spans, events, left_out: 0 };
        let MemoryPicture { phases } = MemoryPicture::of(&found).unwrap();
        let shape: Vec<_> = phases.iter().map(|(phase, moments)| (*phase, moments.len())).collect();
        assert_eq!(shape, [(load, MemoryPicture::MOMENTS), (end, MemoryPicture::MOMENTS)]);
        let peak = phases[0].1.iter().map(|m| m.peak_bytes).max();
        assert_eq!((peak, phases[0].1[MemoryPicture::MOMENTS - 1].end_bytes), (Some(170), 100));
        let last = phases[1].1[MemoryPicture::MOMENTS - 1];
        assert_eq!(last, MemoryMoment { peak_bytes: 100, end_bytes: 0 });
        assert_eq!(MemoryPicture::of(&MemoryEvents { events: Vec::new(), ..found }), None);
    }
}
