//! Tests the open loop with streams that take a known time.

use super::*;
use crate::error::FailureKind;
use crate::tensor::Tensor;
use std::sync::Arc;

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;
const NEVER: (u64, usize) = (u64::MAX, usize::MAX);

/// What streams were asked for, together.
#[derive(Default)]
struct Seen {
    submitted: AtomicUsize,
    completed: AtomicUsize,
    most_open: AtomicUsize,
}

/// A stream that computes nothing.
#[derive(Clone, Default)]
struct Fake {
    seen: Arc<Seen>,
    /// At least how long each request takes.
    takes_ns: u64,
    /// How often a request is asked for until it is done; 0 where `submit` is the whole request.
    polls: usize,
    asked: usize,
    open: usize,
    /// The request from which on it fails or panics.
    fails_at: Option<usize>,
    panics_at: Option<usize>,
}

impl Stream for Fake {
    fn submit(&mut self) -> Result<()> {
        let number = self.seen.submitted.fetch_add(1, Relaxed);
        assert!(self.panics_at.is_none_or(|at| number < at), "as asked");
        if self.fails_at.is_some_and(|at| number >= at) {
            return Err(Failure::usage("worn out"));
        }
        self.open += 1;
        self.seen.most_open.fetch_max(self.open, Relaxed);
        let start = Instant::now();
        while since(start) < self.takes_ns {}
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        self.open -= 1;
        self.seen.completed.fetch_add(1, Relaxed);
        Ok(())
    }

    fn poll(&mut self) -> Result<bool> {
        assert!(self.open > 0, "nothing is open");
        self.asked += 1;
        if self.asked <= self.polls {
            return Ok(false);
        }
        self.asked = 0;
        self.complete().map(|()| true)
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        Ok(vec![])
    }
}

fn run(fake: &Fake, streams: usize, asked: &Offer) -> Result<Offered> {
    let mut streams: Vec<Box<dyn Stream>> = (0..streams).map(|_| Box::new(fake.clone()) as _).collect();
    offer(&mut streams, asked)
}

fn plain(planned_ns: &[u64]) -> Offer<'_> {
    Offer { planned_ns, depth: 1, batching: None, stop_over: NEVER }
}

#[test]
fn every_arrival_is_answered_once() {
    let spread: Vec<u64> = (0..500).map(|i| i * 7_000).collect();
    for planned in [&[][..], &[0], &[0; 300], &spread] {
        for (streams, depth, polls) in [(1, 1, 0), (3, 1, 0), (1, 4, 9), (3, 4, 9), (2, 4, 0)] {
            let fake = Fake { polls, ..Fake::default() };
            let done = run(&fake, streams, &Offer { depth, ..plain(planned) }).unwrap();
            assert_eq!((done.latency_ns.len(), done.late_ns.len()), (planned.len(), planned.len()));
            assert_eq!((done.requests, done.stopped), (planned.len() as u64, false));
            assert_eq!(fake.seen.submitted.load(Relaxed), planned.len());
            assert_eq!(fake.seen.completed.load(Relaxed), planned.len());
            assert!(fake.seen.most_open.load(Relaxed) as u64 <= depth);
        }
    }
}

#[test]
fn as_many_requests_are_in_flight_as_asked() {
    let fake = Fake { polls: 1_000, ..Fake::default() };
    run(&fake, 1, &Offer { depth: 3, ..plain(&[0; 50]) }).unwrap();
    assert_eq!(fake.seen.most_open.load(Relaxed), 3);
    // Where submitting is the whole request, there is never a second one.
    let fake = Fake::default();
    run(&fake, 1, &Offer { depth: 3, ..plain(&[0; 50]) }).unwrap();
    assert_eq!(fake.seen.most_open.load(Relaxed), 1);
}

#[test]
fn latency_counts_from_the_plan_and_holds_the_wait_for_a_busy_server() {
    let slow = Fake { takes_ns: MS, ..Fake::default() };
    let done = run(&slow, 1, &plain(&[0; 8])).unwrap();
    for (before, latency) in done.latency_ns.iter().enumerate() {
        assert!(*latency >= (before as u64 + 1) * MS, "{done:?}");
    }
    assert!(done.latency_ns.is_sorted());
    // All but the first queued: that they began late is not the generator's doing, but for what the first brought in.
    assert!(done.late_ns.is_sorted_by(|before, late| before >= late), "{done:?}");
    // Two servers halve the queue, and no more.
    let done = run(&slow, 2, &plain(&[0; 8])).unwrap();
    for (before, latency) in done.latency_ns.iter().enumerate() {
        assert!(*latency >= (before as u64 / 2 + 1) * MS, "{done:?}");
    }
}

#[test]
fn lateness_is_what_the_generator_adds_and_goes_on_to_those_who_wait_for_it() {
    for (due, free, begin, before, late) in [
        // A server was free in time.
        (100, 0, 130, 0, 30),
        (100, 100, 100, 0, 0),
        (100, 90, 110, 500, 10),
        // It was busy.
        (100, 150, 151, 0, 0),
        // It was busy with a request that began late: 20 of the wait are the generator's, at most all of it.
        (100, 150, 151, 20, 20),
        (100, 150, 151, 70, 50),
    ] {
        assert_eq!(lateness(due, free, begin, before), late, "due {due}, free {free}, late before {before}");
    }
}

#[test]
fn nothing_is_sent_before_its_time() {
    let planned = [0, 2 * MS, 3 * MS];
    let start = Instant::now();
    run(&Fake::default(), 1, &plain(&planned)).unwrap();
    assert!(since(start) >= 3 * MS);
}

/// A claim of arrivals `first..first + count`.
fn claim(first: usize, count: usize, due_ns: u64) -> Option<Claim> {
    Some(Claim { first, count, due_ns })
}

#[test]
fn an_idle_stream_takes_what_is_to_come_and_a_busy_one_only_what_has() {
    let asked = plain(&[10, 20, 30]);
    let queue = Queue::new(&asked, 2);
    assert_eq!(queue.claim(9, false), None);
    assert_eq!(queue.claim(9, true), claim(0, 1, 10));
    assert_eq!(queue.claim(10, false), None);
    assert_eq!(queue.claim(20, false), claim(1, 1, 20));
    assert_eq!(queue.claim(99, true), claim(2, 1, 30));
    assert_eq!(queue.claim(99, true), None);
    let queue = Queue::new(&asked, 2);
    queue.stop.store(true, Relaxed);
    assert_eq!(queue.claim(99, true), None);
}

#[test]
fn a_batch_is_sent_when_it_is_full_or_its_oldest_has_waited() {
    let planned = [10, 20, 30, 40, 100, 101, 200];
    let asked = Offer { batching: Some(Batching { batch: 3, delay_ns: 25 }), ..plain(&planned) };
    let queue = Queue::new(&asked, 1);
    for (first, now_ns, count, due_ns) in [
        // Full before the oldest has waited long enough.
        (0, 0, 3, 30),
        // The server is free only later, and takes no more than a batch.
        (0, 50, 3, 30),
        // The oldest has waited: what came meanwhile goes along.
        (2, 0, 2, 55),
        // Nobody knows yet that no more will come.
        (6, 150, 1, 225),
        // The server was busy for longer than the delay: what came until it was free goes along.
        (3, 100, 2, 65),
        (3, 99, 1, 65),
    ] {
        assert_eq!(queue.request(first, now_ns), claim(first, count, due_ns), "{first} at {now_ns}");
    }
    assert_eq!(queue.request(7, 0), None);
}

#[test]
fn arrivals_of_a_batch_share_one_request() {
    let batching = |batch, delay_ns| Some(Batching { batch, delay_ns });
    for streams in [1, 2] {
        let done = run(
            &Fake::default(),
            streams,
            &Offer { batching: batching(4, 5 * MS), ..plain(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) },
        )
        .unwrap();
        assert_eq!((done.requests, done.latency_ns.len()), (3, 10));
        for batch in done.latency_ns.chunks(4) {
            assert!(batch.iter().all(|latency| *latency == batch[0]), "{done:?}");
        }
        // The last two waited for more.
        assert!(done.latency_ns[8] >= 5 * MS, "{done:?}");
    }
    let far_apart = [0, MS, 2 * MS];
    let done = run(
        &Fake { takes_ns: 10 * MS, ..Fake::default() },
        1,
        &Offer { batching: batching(4, 0), ..plain(&far_apart) },
    )
    .unwrap();
    // The second and the third came while the first was computed.
    assert_eq!(done.requests, 2);
    assert_eq!(done.latency_ns[1] - done.latency_ns[2], MS);
}

#[test]
fn it_stops_when_more_than_allowed_took_too_long() {
    let slow = Fake { takes_ns: MS, ..Fake::default() };
    let done = run(&slow, 1, &Offer { stop_over: (0, 4), ..plain(&[0; 50]) }).unwrap();
    assert_eq!((done.latency_ns.len(), done.requests, done.stopped), (5, 5, true));
    let done = run(&slow, 1, &Offer { stop_over: (0, 5), ..plain(&[0; 5]) }).unwrap();
    assert_eq!((done.latency_ns.len(), done.requests, done.stopped), (5, 5, false));
    // Nobody waits for what is an hour away, and what is in flight is completed.
    for (streams, depth) in [(1, 1), (3, 1), (2, 3)] {
        let slow = Fake { takes_ns: MS, polls: 3, ..Fake::default() };
        let asked = Offer { depth, stop_over: (0, 2), ..plain(&[0, 0, 0, 0, HOUR, HOUR, HOUR, HOUR]) };
        let done = run(&slow, streams, &asked).unwrap();
        assert!(done.stopped && (3..=4).contains(&done.latency_ns.len()), "{done:?}");
        assert_eq!(slow.seen.submitted.load(Relaxed), slow.seen.completed.load(Relaxed));
    }
}

#[test]
fn what_a_stream_fails_with_ends_all_and_is_returned() {
    for streams in [1, 2, 3] {
        // Whoever takes the second arrival fails; the others wait for those of in an hour.
        let planned = [0, 0, HOUR, HOUR, HOUR];
        let worn_out = Fake { fails_at: Some(1), ..Fake::default() };
        let failure = run(&worn_out, streams, &plain(&planned)).unwrap_err();
        assert_eq!(failure.message, "worn out");
        let panics = Fake { panics_at: Some(1), ..Fake::default() };
        let failure = run(&panics, streams, &plain(&planned)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Crash);
    }
    assert_eq!(run(&Fake::default(), 0, &plain(&[0])).unwrap_err().kind, FailureKind::Usage);
    assert_eq!(run(&Fake::default(), 1, &plain(&[1, 0])).unwrap_err().kind, FailureKind::Usage);
}
