//! An open loop: planned arrivals → latencies, counted from the **planned** arrival to completion. What a request waits
//! because all servers are busy is part of its latency, as it is for a client (G. Tene's *coordinated omission* is to
//! leave it out).
//!
//! Invariant: no arrival is shifted, dropped or reordered because the requests before it are slow.
//!
//! There is no generator beside the streams: each has a thread that claims the next arrival, waits for its time and
//! submits it itself, so nothing is handed from thread to thread. The schedule is known, so a stream that falls idle
//! decides at once what it takes next and when, and then wakes for exactly that. A stream with requests in flight takes
//! only what has come already: an arrival that has not is left to a stream that is idle by then. Together the streams
//! are a queue with several servers, first come first served, that keeps no arrival waiting while a server is free.

#[cfg(test)]
mod tests;

use super::host::{first, panicked};
use crate::backend::Stream;
use crate::error::{Failure, Result};
use crate::units::nanos;
use std::collections::VecDeque;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant};

/// The last stretch before an arrival is not slept but spun: sleeping overshoots by the timer's slack (50 µs on Linux)
/// and by what it takes to wake a core. On a busy virtual machine that was 55–105 µs at the median and up to 143 µs in
/// 99 of 100 sleeps; the rest took milliseconds, which no margin makes good.
const SPIN: Duration = Duration::from_micros(300);
/// Nobody sleeps longer than this at a time, so that a stopped offer ends.
const NAP: Duration = Duration::from_millis(50);
/// From the moment when all threads run to the start of the schedule: time to get to the first arrival.
const HEAD_START: Duration = Duration::from_millis(1);

/// What is offered in one probe.
pub struct Offer<'a> {
    /// When each request is planned, nanoseconds from the start, ascending.
    pub planned_ns: &'a [u64],
    /// Requests in flight per stream at most.
    pub depth: u64,
    /// `None`: each arrival is a request of its own.
    pub batching: Option<Batching>,
    /// Stop as soon as more than `.1` arrivals took longer than `.0` nanoseconds: their outcome is certain.
    pub stop_over: (u64, usize),
}

/// Dynamic batching: up to `batch` arrivals share one request. An incomplete batch is sent when its oldest arrival has
/// waited `delay_ns`. The engine computes its full batch all the same, as a server of fixed shapes does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// The most arrivals that share one request.
    pub batch: u64,
    /// How long the oldest arrival waits at most, in nanoseconds.
    pub delay_ns: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// From the planned arrival to completion, in order of planned arrival; shorter than planned where it was stopped.
    pub latency_ns: Vec<u64>,
    /// For each of these arrivals, how much later than planned it was submitted by the generator's own fault: not
    /// because all servers were busy, but because the generator was not there, or because it had not been for a request
    /// that this one waited for. Arrivals of one batch share the lateness of their request, counted from the moment
    /// when it was to be sent.
    pub late_ns: Vec<u64>,
    /// Requests submitted: fewer than arrivals with batching.
    pub requests: u64,
    /// Whether more arrivals than allowed took too long.
    pub stopped: bool,
}

/// Offers all arrivals to the streams, or as many as decide the outcome, and returns when the last is answered. The
/// first failure of a stream stops all of them, after their requests in flight, and is returned.
pub fn offer(streams: &mut [Box<dyn Stream>], offer: &Offer) -> Result<Offered> {
    first(streams)?;
    if !offer.planned_ns.is_sorted() {
        return Err(Failure::usage("the planned arrivals are not in ascending order").next("sort them"));
    }
    let queue = Queue::new(offer, streams.len());
    if let [only] = streams {
        return Ok(queue.merge(vec![queue.serve_all(only.as_mut())?]));
    }
    let logs = std::thread::scope(|scope| {
        let queue = &queue;
        let threads: Vec<_> =
            streams.iter_mut().map(|stream| scope.spawn(move || queue.serve_all(stream.as_mut()))).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(panicked)).collect::<Result<_>>()
    })?;
    Ok(queue.merge(logs))
}

/// A request to be: arrivals `first..first + count`, to be sent at `due_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    first: usize,
    count: usize,
    due_ns: u64,
}

/// A request in flight.
struct Open {
    claim: Claim,
    late_ns: u64,
}

struct TimedAnswer {
    arrival: usize,
    latency_ns: u64,
    late_ns: u64,
}

/// What one stream did.
#[derive(Default)]
struct Log {
    answers: Vec<TimedAnswer>,
    requests: u64,
}

/// All that the streams share. `next` alone changes with every request, and it orders no other memory.
struct Queue<'a> {
    offer: &'a Offer<'a>,
    depth: usize,
    batching: Batching,
    /// The first arrival that nobody claimed.
    next: AtomicUsize,
    /// Arrivals that took longer than allowed.
    over: AtomicUsize,
    stop: AtomicBool,
    ready: Barrier,
    start: OnceLock<Instant>,
}

impl<'a> Queue<'a> {
    fn new(offer: &'a Offer, streams: usize) -> Self {
        Self {
            offer,
            depth: usize::try_from(offer.depth).unwrap_or(usize::MAX).max(1),
            batching: offer.batching.unwrap_or(Batching { batch: 1, delay_ns: 0 }),
            next: AtomicUsize::new(0),
            over: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            ready: Barrier::new(streams),
            start: OnceLock::new(),
        }
    }

    /// One stream's part. However it fails, the others stop too.
    fn serve_all(&self, stream: &mut dyn Stream) -> Result<Log> {
        self.ready.wait();
        let start = *self.start.get_or_init(|| Instant::now() + HEAD_START);
        let log = catch_unwind(AssertUnwindSafe(|| self.serve(stream, start))).unwrap_or_else(panicked);
        if log.is_err() {
            self.stop.store(true, Relaxed);
        }
        log
    }

    fn serve(&self, stream: &mut dyn Stream, start: Instant) -> Result<Log> {
        // Room for all, whoever else answers some: pages are only touched when used.
        let mut log = Log { answers: Vec::with_capacity(self.offer.planned_ns.len()), requests: 0 };
        let mut open: VecDeque<Open> = VecDeque::new();
        // When the stream was last given something back: it was free to take an arrival that came after that.
        let mut free_ns = 0;
        let mut late_ns = 0;
        loop {
            while let Some(request) = open.front() {
                if !self.is_done(stream)? {
                    break;
                }
                free_ns = since(start);
                self.answer(request, free_ns, &mut log);
                open.pop_front();
            }
            let idle = open.is_empty();
            let now_ns = if idle { free_ns } else { since(start) };
            let claim = if open.len() < self.depth { self.claim(now_ns, idle) } else { None };
            let Some(claim) = claim else {
                if idle {
                    return Ok(log);
                }
                spin_loop();
                continue;
            };
            let Some(begin_ns) = self.wait(start, claim.due_ns) else { continue };
            late_ns = lateness(claim.due_ns, free_ns, begin_ns, late_ns);
            stream.submit()?;
            open.push_back(Open { claim, late_ns });
            log.requests += 1;
            if self.depth > 1 {
                // Handing a request over keeps the stream busy as well.
                free_ns = since(start);
            }
        }
    }

    /// What a stream takes next, if anything is left for it. One that is `idle` takes what is yet to come, another only
    /// what is due.
    fn claim(&self, now_ns: u64, idle: bool) -> Option<Claim> {
        let mut first = self.next.load(Relaxed);
        while !self.stop.load(Relaxed) {
            let claim = self.request(first, now_ns)?;
            if !idle && claim.due_ns > now_ns {
                return None;
            }
            match self.next.compare_exchange_weak(first, first + claim.count, Relaxed, Relaxed) {
                Ok(_) => return Some(claim),
                Err(moved) => first = moved,
            }
        }
        None
    }

    /// The request that begins with arrival `first` where a stream is free from `now_ns` on. It is due when a full
    /// batch has come or the oldest has waited long enough, and takes what has come when it is sent.
    fn request(&self, first: usize, now_ns: u64) -> Option<Claim> {
        let left = self.offer.planned_ns.get(first..)?;
        let batch = usize::try_from(self.batching.batch).unwrap_or(usize::MAX).max(1);
        let waited = left.first()?.saturating_add(self.batching.delay_ns);
        let due_ns = left.get(batch - 1).map_or(waited, |full| waited.min(*full));
        let sent_ns = due_ns.max(now_ns);
        let count = left.iter().take(batch).take_while(|planned| **planned <= sent_ns).count();
        Some(Claim { first, count, due_ns })
    }

    /// Waits for a time, and returns what the clock says then; `None` where the offer was stopped before.
    fn wait(&self, start: Instant, due_ns: u64) -> Option<u64> {
        let due = start + Duration::from_nanos(due_ns);
        loop {
            // Before the clock is read: an arrival whose time came first is still served.
            let stopped = self.stop.load(Relaxed);
            let now = Instant::now();
            let left = due.saturating_duration_since(now);
            if left.is_zero() {
                return Some(nanos(now - start));
            }
            if stopped {
                return None;
            }
            match left.checked_sub(SPIN) {
                Some(far) => std::thread::sleep(far.min(NAP)),
                None => spin_loop(),
            }
        }
    }

    /// Whether the oldest open request is done. Only a stream that may have a second one in flight must not wait for
    /// it.
    fn is_done(&self, stream: &mut dyn Stream) -> Result<bool> {
        if self.depth == 1 { stream.complete().map(|()| true) } else { stream.poll() }
    }

    fn answer(&self, request: &Open, end_ns: u64, log: &mut Log) {
        let (budget_ns, allowed) = self.offer.stop_over;
        let Claim { first, count, .. } = request.claim;
        for arrival in first..first + count {
            let latency_ns = end_ns - self.offer.planned_ns[arrival];
            log.answers.push(TimedAnswer { arrival, latency_ns, late_ns: request.late_ns });
            if latency_ns > budget_ns && self.over.fetch_add(1, Relaxed) >= allowed {
                self.stop.store(true, Relaxed);
            }
        }
    }

    /// All arrivals up to the first that was not answered.
    fn merge(&self, logs: Vec<Log>) -> Offered {
        let requests = logs.iter().map(|log| log.requests).sum();
        let mut answers: Vec<TimedAnswer> = logs.into_iter().flat_map(|log| log.answers).collect();
        answers.sort_unstable_by_key(|a| a.arrival);
        let answered = answers.iter().enumerate().take_while(|(i, a)| *i == a.arrival);
        let (latency_ns, late_ns) = answered.map(|(_, a)| (a.latency_ns, a.late_ns)).unzip();
        let stopped = self.over.load(Relaxed) > self.offer.stop_over.1;
        Offered { latency_ns, late_ns, requests, stopped }
    }
}

/// The generator's own part of a request's delay, on a stream that was free from `free_ns` on and whose request before
/// was late by `before_ns`. One that waited for a late request would have waited that much less, or not at all.
fn lateness(due_ns: u64, free_ns: u64, begin_ns: u64, before_ns: u64) -> u64 {
    match free_ns.checked_sub(due_ns) {
        None | Some(0) => begin_ns - due_ns,
        Some(waited_ns) => waited_ns.min(before_ns),
    }
}

fn since(start: Instant) -> u64 {
    nanos(start.elapsed())
}
