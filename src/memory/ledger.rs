//! Keeps account of what an allocator gave and took back. Pure.
//!
//! Invariant: what is allocated now is the sum of what is live (`the_ledger_agrees_with_a_naive_account`).

use super::{MemoryAction, MemoryEvent, MemoryPhase, TracedMemory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Memory that was never given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leak {
    /// When it was allocated.
    pub phase: MemoryPhase,
    /// How many allocations.
    pub allocations: u64,
    /// How much they are together.
    pub bytes: u64,
}

/// Memory that was given back by somebody who did not have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongFrees {
    /// It had been given back before.
    pub twice: u64,
    /// It had never been given.
    pub unknown: u64,
}

/// The account of one allocator.
#[derive(Debug, Default)]
pub struct Ledger {
    live: HashMap<u64, (u64, MemoryPhase)>,
    freed: HashSet<u64>,
    current: u64,
    /// Since the last [`Ledger::close`].
    open: TracedMemory,
    wrong: WrongFrees,
    refused: u64,
}

impl Ledger {
    /// Whether this address is of memory that is allocated now.
    pub fn is_live(&self, address: u64) -> bool {
        self.live.contains_key(&address)
    }

    /// Takes an event into account.
    pub fn apply(&mut self, event: &MemoryEvent) {
        match event.action {
            MemoryAction::Allocated { address, bytes } => {
                // An allocator that gives a live address again has lost what was there.
                if let Some((lost, _)) = self.live.insert(address, (bytes, event.phase)) {
                    self.current = self.current.saturating_sub(lost);
                }
                self.freed.remove(&address);
                self.current = self.current.saturating_add(bytes);
                self.open.allocations += 1;
                self.open.peak_bytes = self.open.peak_bytes.max(self.current);
            }
            MemoryAction::Refused { .. } => self.refused += 1,
            MemoryAction::Freed { address } => match self.live.remove(&address) {
                Some((bytes, _)) => {
                    self.current = self.current.saturating_sub(bytes);
                    self.freed.insert(address);
                }
                None if self.freed.contains(&address) => self.wrong.twice += 1,
                None => self.wrong.unknown += 1,
            },
        }
    }

    /// What was traced since the last call: a phase ends.
    pub fn close(&mut self) -> TracedMemory {
        let next = TracedMemory { peak_bytes: self.current, ..TracedMemory::default() };
        TracedMemory { end_bytes: self.current, ..std::mem::replace(&mut self.open, next) }
    }

    /// What is allocated now.
    pub fn current_bytes(&self) -> u64 {
        self.current
    }

    /// Wrong frees so far.
    pub fn wrong_frees(&self) -> WrongFrees {
        self.wrong
    }

    /// Allocations that failed so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What is allocated now, by the phase that allocated it: at the end, what has leaked.
    pub fn leaks(&self) -> Vec<Leak> {
        let mut by_phase: BTreeMap<MemoryPhase, Leak> = BTreeMap::new();
        for (bytes, phase) in self.live.values() {
            let leak = by_phase.entry(*phase).or_insert(Leak { phase: *phase, allocations: 0, bytes: 0 });
            leak.allocations += 1;
            leak.bytes = leak.bytes.saturating_add(*bytes);
        }
        by_phase.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(phase: MemoryPhase, action: MemoryAction) -> MemoryEvent {
        MemoryEvent { at_ns: 0, phase, action }
    }

    #[test]
    fn peaks_are_of_their_phase_and_hold_what_earlier_ones_left() {
        use MemoryAction::{Allocated, Freed, Refused};
        let mut ledger = Ledger::default();
        let mut apply = |phase, actions: &[MemoryAction]| {
            actions.iter().for_each(|action| ledger.apply(&at(phase, *action)));
            let TracedMemory { peak_bytes, end_bytes, allocations } = ledger.close();
            (peak_bytes, end_bytes, allocations)
        };
        let load =
            [Allocated { address: 1, bytes: 100 }, Allocated { address: 2, bytes: 50 }, Freed { address: 2 }];
        assert_eq!(apply(MemoryPhase::Load, &load), (150, 100, 2));
        assert_eq!(apply(MemoryPhase::Context, &[Allocated { address: 2, bytes: 7 }]), (107, 107, 1));
        let end =
            [Freed { address: 1 }, Freed { address: 1 }, Freed { address: 9 }, Refused { bytes: 1 << 40 }];
        assert_eq!(apply(MemoryPhase::End, &end), (107, 7, 0));
        assert_eq!(ledger.wrong_frees(), WrongFrees { twice: 1, unknown: 1 });
        assert_eq!(ledger.refused(), 1);
        assert_eq!(ledger.leaks(), [Leak { phase: MemoryPhase::Context, allocations: 1, bytes: 7 }]);
    }

    proptest! {
        #[test]
        fn the_ledger_agrees_with_a_naive_account(
            calls in prop::collection::vec((0_u64..12, 0_u64..1000, prop::bool::ANY), 0..200)
        ) {
            let (mut ledger, mut naive) = (Ledger::default(), BTreeMap::new());
            let (mut peak, mut wrong) = (0, 0);
            for (address, bytes, allocate) in calls {
                let action = match allocate {
                    true => MemoryAction::Allocated { address, bytes },
                    false => MemoryAction::Freed { address },
                };
                ledger.apply(&at(MemoryPhase::Inference, action));
                if allocate {
                    naive.insert(address, bytes);
                } else {
                    wrong += u64::from(naive.remove(&address).is_none());
                }
                peak = peak.max(naive.values().sum::<u64>());
                prop_assert_eq!(ledger.is_live(address), naive.contains_key(&address));
            }
            let now = naive.values().sum::<u64>();
            prop_assert_eq!(ledger.current_bytes(), now);
            prop_assert_eq!(ledger.leaks().iter().map(|l| l.bytes).sum::<u64>(), now);
            prop_assert_eq!(ledger.close().peak_bytes, peak);
            let WrongFrees { twice, unknown } = ledger.wrong_frees();
            prop_assert_eq!(twice + unknown, wrong);
        }
    }
}
