//! The trace of a memory run: which phase the process is in, what its allocator is asked, what the process has when a
//! phase ends. Timed runs have none.
//!
//! The system is asked at the ends of phases only: NVML takes up to a millisecond.

use super::counting;
use crate::case::Target;
use crate::device::{peak_host_bytes, resident_host_bytes};
use crate::error::{Failure, Result};
use crate::memory::wire::{MOST_EVENTS, MemoryEvents, PhaseSpan};
use crate::memory::{
    EngineMemory, Ledger, MemoryAction, MemoryEvent, MemoryPhase, PhaseMemory, ProcessMemory, ProcessSource,
    TracedMemory,
};
use crate::units::nanos;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Says what the process has now, and who says so.
pub type AskProcess = Box<dyn Fn() -> Option<(u64, ProcessSource)> + Send + Sync>;

/// What a memory run keeps.
pub struct MemoryTrace {
    start: Instant,
    kept: Mutex<KeptTrace>,
}

/// Who knows what is allocated.
enum Account {
    /// Nobody.
    None,
    /// The program's own allocator counts.
    Counted,
    /// The library calls an allocator of ours.
    Kept(Ledger),
}

struct KeptTrace {
    account: Account,
    ask: Option<AskProcess>,
    source: Option<ProcessSource>,
    /// The phase that goes on, and since when.
    now: Option<(MemoryPhase, u64)>,
    phases: Vec<PhaseMemory>,
    found: MemoryEvents,
    engine: EngineMemory,
}

impl MemoryTrace {
    /// A trace that begins now, of which nothing is known to allocate.
    pub fn new() -> Self {
        let found = MemoryEvents { spans: Vec::new(), events: Vec::new(), left_out: 0 };
        let kept = KeptTrace {
            account: Account::None,
            ask: None,
            source: None,
            now: None,
            phases: Vec::new(),
            found,
            engine: EngineMemory::default(),
        };
        Self { start: Instant::now(), kept: Mutex::new(kept) }
    }

    /// The trace of a process that works for this target, whose first phase begins. Without a GPU the program's own
    /// allocations are counted: with the plan, which has so many bytes and is there already.
    pub fn of(target: &Target, first: MemoryPhase, plan_bytes: u64) -> Arc<Self> {
        let trace = Self::new();
        if !target.kind.on_gpu() {
            trace.kept().account = Account::Counted;
            counting::begin(plan_bytes);
            trace.ask(Box::new(|| Some((resident_host_bytes()?, ProcessSource::Resident))));
        }
        trace.begin(first);
        Arc::new(trace)
    }

    /// An allocator of ours will tell its calls.
    pub fn expect_calls(&self) {
        self.kept().account = Account::Kept(Ledger::default());
    }

    /// Who is asked what the process has.
    pub fn ask(&self, ask: AskProcess) {
        self.kept().ask = Some(ask);
    }

    /// What the engine says of itself.
    pub fn engine(&self, engine: EngineMemory) {
        self.kept().engine = engine;
    }

    /// The phase that went on ends, and the next begins.
    pub fn begin(&self, phase: MemoryPhase) {
        let mut kept = self.kept();
        let at_ns = nanos(self.start.elapsed());
        kept.close(at_ns);
        kept.now = Some((phase, nanos(self.start.elapsed())));
    }

    /// The allocator was asked for memory, and gave it (at an address) or not.
    pub fn asked(&self, bytes: u64, address: Option<u64>) {
        let at_ns = nanos(self.start.elapsed());
        self.kept().call(
            at_ns,
            match address {
                Some(address) => MemoryAction::Allocated { address, bytes },
                None => MemoryAction::Refused { bytes },
            },
        );
    }

    /// The allocator is given memory back; whether it had given it. From here on it has not, whatever other threads do.
    pub fn given_back(&self, address: u64) -> bool {
        let at_ns = nanos(self.start.elapsed());
        let mut kept = self.kept();
        let was_live = matches!(&kept.account, Account::Kept(ledger) if ledger.is_live(address));
        kept.call(at_ns, MemoryAction::Freed { address });
        was_live
    }

    /// The largest allocation that failed, its phase, and what was allocated then.
    pub fn refusal(&self) -> Option<(u64, MemoryPhase, u64)> {
        let kept = self.kept();
        let Account::Kept(ledger) = &kept.account else { return None };
        let refused = kept.found.events.iter().filter_map(|e| match e.action {
            MemoryAction::Refused { bytes } => Some((bytes, e.phase)),
            _ => None,
        });
        let (bytes, phase) = refused.max()?;
        Some((bytes, phase, ledger.current_bytes()))
    }

    /// Ends the last phase: what was found, and every event.
    pub fn end(&self) -> (EngineMemory, ProcessMemory, MemoryEvents) {
        let mut kept = self.kept();
        kept.close(nanos(self.start.elapsed()));
        let mut process = ProcessMemory {
            phases: std::mem::take(&mut kept.phases),
            source: kept.source,
            events: kept.found.events.len() as u64,
            events_left_out: kept.found.left_out,
            peak_host_bytes: peak_host_bytes(),
            ..ProcessMemory::default()
        };
        if let Account::Kept(ledger) = &kept.account {
            process.leaks = ledger.leaks();
            process.wrong_frees = ledger.wrong_frees();
            process.refused = ledger.refused();
        }
        let none = MemoryEvents { spans: Vec::new(), events: Vec::new(), left_out: 0 };
        (kept.engine, process, std::mem::replace(&mut kept.found, none))
    }

    fn kept(&self) -> MutexGuard<'_, KeptTrace> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryTrace {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryTrace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryTrace")
    }
}

impl KeptTrace {
    fn traced(&mut self) -> Option<TracedMemory> {
        match &mut self.account {
            Account::None => None,
            Account::Counted => Some(counting::close()),
            Account::Kept(ledger) => Some(ledger.close()),
        }
    }

    fn call(&mut self, at_ns: u64, action: MemoryAction) {
        let phase = self.now.map_or(MemoryPhase::Load, |(phase, _)| phase);
        let event = MemoryEvent { at_ns, phase, action };
        if let Account::Kept(ledger) = &mut self.account {
            ledger.apply(&event);
        }
        match self.found.events.len() {
            n if n < MOST_EVENTS => self.found.events.push(event),
            _ => self.found.left_out += 1,
        }
    }

    /// The phase that goes on ends.
    fn close(&mut self, end_ns: u64) {
        let Some((phase, begin_ns)) = self.now.take() else { return };
        let traced = self.traced();
        let said = self.ask.as_ref().and_then(|ask| ask());
        let process_bytes = said.map(|(bytes, _)| bytes);
        self.source = said.map(|(_, source)| source).or(self.source);
        self.found.spans.push(PhaseSpan { phase, begin_ns, end_ns, process_bytes });
        let ended = PhaseMemory { phase, traced, process_bytes };
        match self.phases.iter_mut().find(|p| p.phase == phase) {
            Some(earlier) => *earlier = earlier.and_later(ended),
            None => self.phases.push(ended),
        }
    }
}

/// Writes the events to their file.
pub fn keep_events(path: &Path, events: &MemoryEvents) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    std::fs::write(path, events.write()).map_err(|e| Failure::io("write the events to", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_belong_to_the_phase_they_come_in_and_the_system_is_asked_at_its_end() {
        let trace = MemoryTrace::new();
        trace.expect_calls();
        let asked = std::sync::atomic::AtomicU64::new(0);
        let next = move || asked.fetch_add(100, std::sync::atomic::Ordering::SeqCst) + 100;
        trace.ask(Box::new(move || Some((next(), ProcessSource::Nvml))));
        let allocate = |address, bytes| trace.asked(bytes, Some(address));
        trace.begin(MemoryPhase::Load);
        allocate(1, 10);
        // Two streams: a context each.
        for address in [2, 3] {
            trace.begin(MemoryPhase::Context);
            allocate(address, 5);
            trace.begin(MemoryPhase::Inference);
        }
        trace.asked(1 << 50, None);
        assert_eq!(trace.refusal(), Some((1 << 50, MemoryPhase::Inference, 20)));
        trace.begin(MemoryPhase::End);
        assert!(trace.given_back(3));
        let (_, found, events) = trace.end();
        let rows: Vec<_> = found
            .phases
            .iter()
            .map(|p| (p.phase, p.traced.map(|t| (t.peak_bytes, t.end_bytes)), p.process_bytes))
            .collect();
        assert_eq!(
            rows,
            [
                (MemoryPhase::Load, Some((10, 10)), Some(100)),
                (MemoryPhase::Context, Some((20, 20)), Some(400)),
                (MemoryPhase::Inference, Some((20, 20)), Some(500)),
                (MemoryPhase::End, Some((20, 15)), Some(600)),
            ]
        );
        assert_eq!(found.phases[0].unexplained_bytes(), Some(90));
        assert_eq!((found.leaked_bytes(), found.refused, found.events), (15, 1, 5));
        assert_eq!(events.spans.len(), 6);
        assert!(events.spans.windows(2).all(|w| w[0].end_ns <= w[1].begin_ns));
    }

    #[test]
    fn a_flood_of_events_is_capped_and_still_counted() {
        let trace = MemoryTrace::new();
        trace.expect_calls();
        trace.begin(MemoryPhase::Inference);
        for address in 1..=MOST_EVENTS as u64 + 10 {
            trace.asked(1, Some(address));
        }
        let (_, found, events) = trace.end();
        assert_eq!((events.events.len(), events.left_out), (MOST_EVENTS, 10));
        assert_eq!(found.traced_peak(), Some(MOST_EVENTS as u64 + 10));
    }
}
