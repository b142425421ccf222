//! The pass by the host's clock: a closed loop on every stream, timed from submitting a request to its completion.

use super::job::MeasureJob;
use crate::backend::Stream;
use crate::capacity::Curve;
use crate::error::{Failure, FailureKind, Result};
use crate::units::nanos;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant};

/// A phase does at least this many requests per stream, however slow the model (as trtexec's `--iterations`).
pub(super) const MIN_REQUESTS: usize = 10;

/// One request: when it ended, counted from the start of the phase, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was complete, in nanoseconds since the pass began.
    pub end_ns: u64,
    /// From submitting it to its completion, in nanoseconds.
    pub latency_ns: u64,
}

/// When a phase ends: after this time and this many requests, but with fewer where that takes too long.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// It lasts at least so long.
    pub least: Duration,
    /// Requests of each stream, [`MIN_REQUESTS`] at least.
    pub requests: usize,
    /// From here on requests are not waited for.
    pub most: Duration,
}

impl From<Duration> for End {
    fn from(least: Duration) -> Self {
        Self { least, requests: 0, most: least }
    }
}

impl End {
    fn is_reached(self, elapsed: Duration, requests: usize) -> bool {
        elapsed >= self.least
            && requests >= MIN_REQUESTS
            && (requests >= self.requests || elapsed >= self.most)
    }
}

/// What the requests of the pass came to.
pub(super) struct Answered {
    /// In time order.
    pub latencies: Vec<u64>,
    /// All that were answered; in an open loop more than there are latencies.
    pub requests: u64,
    /// Requests per second over all streams.
    pub requests_per_s: f64,
    /// What an open loop found; `None` for a closed loop.
    pub capacity: Option<Curve>,
}

impl Answered {
    /// What the requests of a closed loop came to.
    pub fn closed(samples: Vec<Vec<Sample>>) -> Self {
        let requests_per_s = requests_per_s(&samples);
        let latencies = in_time_order(samples);
        Self { requests: latencies.len() as u64, latencies, requests_per_s, capacity: None }
    }
}

/// The whole pass, where the loop is closed. `since`: when the process began, which the job's longest time counts from.
pub(super) fn measure(
    streams: &mut [Box<dyn Stream>],
    job: &MeasureJob,
    since: Instant,
) -> Result<Vec<Vec<Sample>>> {
    let least = Duration::from_nanos(job.measure_ns);
    let requests = job.least_requests.div_ceil(streams.len().max(1) as u64);
    let end = End {
        least,
        requests: usize::try_from(requests).unwrap_or(usize::MAX),
        most: Duration::from_nanos(job.most_ns).saturating_sub(since.elapsed()),
    };
    phase(streams, job.load.point.in_flight, end)
}

pub(super) fn first(streams: &mut [Box<dyn Stream>]) -> Result<&mut Box<dyn Stream>> {
    streams.first_mut().ok_or_else(|| Failure::usage("an operating point needs at least one stream"))
}

/// A closed loop on every stream at once until each is at the `end`: each has always `depth` requests in flight. All count
/// from one moment, and none stops before the last is at its end, so that the load is the same throughout.
pub fn phase(streams: &mut [Box<dyn Stream>], depth: u64, end: impl Into<End>) -> Result<Vec<Vec<Sample>>> {
    let end = end.into();
    if let [only] = streams {
        // No thread: the latency scenario pays nothing for what throughput needs.
        return Ok(vec![closed_loop(only.as_mut(), depth, end)?]);
    }
    let (barrier, start) = (Barrier::new(streams.len()), OnceLock::new());
    let unfinished = AtomicUsize::new(streams.len());
    std::thread::scope(|scope| {
        let (barrier, start, unfinished) = (&barrier, &start, &unfinished);
        let handles: Vec<_> = streams
            .iter_mut()
            .map(|stream| {
                scope.spawn(move || {
                    let unfinished = Unfinished { streams: unfinished, counted: true };
                    barrier.wait();
                    let start = *start.get_or_init(Instant::now);
                    looped(stream.as_mut(), depth, (start, end), unfinished)
                })
            })
            .collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(panicked)).collect()
    })
}

/// How many streams are not at their end yet, one of them counted here until it is, or until it fails.
struct Unfinished<'a> {
    streams: &'a AtomicUsize,
    counted: bool,
}

impl Unfinished<'_> {
    /// This one is at its end; whether all are.
    fn finish(&mut self) -> bool {
        if std::mem::take(&mut self.counted) {
            self.streams.fetch_sub(1, Ordering::Relaxed);
        }
        self.streams.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What is left of a thread that panicked, as an error.
pub(super) fn panicked<T>(_: Box<dyn Any + Send>) -> Result<T> {
    Err(Failure::new(FailureKind::Crash, "a stream of requests panicked"))
}

/// Back-to-back requests of one stream, `depth` of them in flight: as soon as the oldest completes, a new one is
/// submitted. A request's latency runs from its submission to its completion. With one in flight nothing but the
/// request stands between two clock reads. Requests still in flight at the end are waited for and not counted.
pub fn closed_loop(stream: &mut dyn Stream, depth: u64, end: impl Into<End>) -> Result<Vec<Sample>> {
    let alone = AtomicUsize::new(1);
    let unfinished = Unfinished { streams: &alone, counted: true };
    looped(stream, depth, (Instant::now(), end.into()), unfinished)
}

/// The loop of one stream among others.
fn looped(
    stream: &mut dyn Stream,
    depth: u64,
    (start, end_of_phase): (Instant, End),
    mut unfinished: Unfinished,
) -> Result<Vec<Sample>> {
    // Room for a million requests before the first reallocation; pages are only touched when used.
    let mut samples = Vec::with_capacity(1 << 20);
    let depth = usize::try_from(depth).unwrap_or(1).max(1);
    let mut open = VecDeque::with_capacity(depth);
    loop {
        while open.len() < depth {
            open.push_back(Instant::now());
            stream.submit()?;
        }
        stream.complete()?;
        let after = Instant::now();
        let before = open.pop_front().unwrap_or(start);
        let end = after - start;
        samples.push(Sample { end_ns: nanos(end), latency_ns: nanos(after - before) });
        if end_of_phase.is_reached(end, samples.len()) && unfinished.finish() {
            for _ in open {
                stream.complete()?;
            }
            return Ok(samples);
        }
    }
}

/// Requests per second in the time that all streams have in common: until the first of them stops. What is under way
/// then counts by the part of its time that lies before, and so no stream's pace is rounded.
pub fn requests_per_s(samples: &[Vec<Sample>]) -> f64 {
    let window_ns = samples.iter().map(|stream| stream.last().map_or(0, |last| last.end_ns)).min();
    let window_ns = window_ns.unwrap_or(0).max(1);
    let requests: f64 = samples.iter().map(|stream| requests_until(stream, window_ns)).sum();
    requests / (window_ns as f64 / 1e9)
}

fn requests_until(stream: &[Sample], window_ns: u64) -> f64 {
    let whole = stream.partition_point(|s| s.end_ns <= window_ns);
    let since_ns = whole.checked_sub(1).and_then(|i| stream.get(i)).map_or(0, |s| s.end_ns);
    let part =
        stream.get(whole).map_or(0.0, |next| (window_ns - since_ns) as f64 / (next.end_ns - since_ns) as f64);
    whole as f64 + part
}

/// Latencies of all streams in the order in which the requests ended.
pub fn in_time_order(samples: Vec<Vec<Sample>>) -> Vec<u64> {
    let mut all: Vec<Sample> = samples.into_iter().flatten().collect();
    all.sort_by_key(|s| s.end_ns);
    all.into_iter().map(|s| s.latency_ns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    /// Counts what was begun and what was finished.
    #[derive(Default)]
    struct Counting {
        begun: u32,
        open: u32,
        most_open: u32,
    }

    impl Stream for Counting {
        fn submit(&mut self) -> Result<()> {
            self.begun += 1;
            self.open += 1;
            self.most_open = self.most_open.max(self.open);
            if self.begun > 50 { Err(Failure::usage("enough")) } else { Ok(()) }
        }
        fn complete(&mut self) -> Result<()> {
            self.open -= 1;
            Ok(())
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
    }

    #[test]
    fn a_phase_does_the_minimum_and_passes_errors_on() {
        let mut streams: Vec<Box<dyn Stream>> = vec![Box::new(Counting::default())];
        let samples = phase(&mut streams, 1, Duration::ZERO).unwrap();
        assert_eq!(samples[0].len(), MIN_REQUESTS);
        let worn_out = Counting { begun: 49, ..Counting::default() };
        let mut streams: Vec<Box<dyn Stream>> = vec![Box::new(Counting::default()), Box::new(worn_out)];
        assert!(phase(&mut streams, 1, Duration::ZERO).is_err());
    }

    #[test]
    fn a_phase_goes_on_for_its_requests_as_long_as_there_is_time() {
        let second = Duration::from_secs(1);
        let end = End { least: second, requests: 1200, most: 60 * second };
        assert!(!end.is_reached(second / 2, 5000), "the time is a minimum");
        assert!(!end.is_reached(second, 1199) && end.is_reached(second, 1200));
        assert!(end.is_reached(60 * second, 100) && !end.is_reached(600 * second, MIN_REQUESTS - 1));
        let end = End { least: Duration::ZERO, requests: 30, most: 60 * second };
        let done = closed_loop(&mut Counting::default(), 1, end).unwrap();
        assert_eq!(done.len(), 30);
    }

    #[test]
    fn as_many_requests_are_in_flight_as_asked_and_none_is_left() {
        let mut stream = Counting::default();
        let done = closed_loop(&mut stream, 3, Duration::ZERO).unwrap();
        assert_eq!((stream.most_open, stream.open), (3, 0));
        assert_eq!((done.len(), stream.begun), (MIN_REQUESTS, MIN_REQUESTS as u32 + 2));
    }

    #[test]
    fn rate_and_order_over_streams() {
        let s = |end_ns, latency_ns| Sample { end_ns, latency_ns };
        let samples = vec![vec![s(1_000, 1), s(2_000_000_000, 3)], vec![s(1_500, 2), s(1_000_000_000, 9)]];
        let part = (1e9 - 1_000.0) / (2e9 - 1_000.0);
        assert_eq!(requests_per_s(&samples), 2.0 + 1.0 + part);
        assert_eq!(in_time_order(samples), [1, 2, 9, 3]);
    }

    /// Streams that are in step are as fast as that says, whichever stops first.
    #[test]
    fn a_rate_is_not_rounded_to_whole_requests() {
        let every = |step: u64, shift: u64| -> Vec<Sample> {
            (1..=10).map(|i| Sample { end_ns: i * step + shift, latency_ns: step }).collect()
        };
        let samples = [every(1_000_000, 0), every(1_000_000, 7)];
        assert!((requests_per_s(&samples) - 2000.0).abs() < 0.01, "{}", requests_per_s(&samples));
    }

    /// A processor that answers one request after the other has one rate, however many streams ask, and whichever of
    /// them it serves first.
    #[test]
    fn streams_that_wait_for_each_other_are_not_faster_than_what_they_wait_for() {
        static PROCESSOR: std::sync::Mutex<()> = std::sync::Mutex::new(());
        const SERVICE: Duration = Duration::from_millis(1);
        struct Served;
        impl Stream for Served {
            fn submit(&mut self) -> Result<()> {
                let _mine = PROCESSOR.lock();
                std::thread::sleep(SERVICE);
                Ok(())
            }
            fn complete(&mut self) -> Result<()> {
                Ok(())
            }
            fn outputs(&self) -> Result<Vec<Tensor>> {
                Ok(vec![])
            }
        }
        let mut streams: Vec<Box<dyn Stream>> = (0..8).map(|_| Box::new(Served) as _).collect();
        let samples = phase(&mut streams, 1, Duration::ZERO).unwrap();
        // Of each of the eight one request is under way at the end, and all but one of those are waiting.
        let most = (8.0 * MIN_REQUESTS as f64 + 8.0) / (8.0 * MIN_REQUESTS as f64) / SERVICE.as_secs_f64();
        assert!(requests_per_s(&samples) <= most, "{} of {most}", requests_per_s(&samples));
    }

    #[test]
    fn no_stream_stops_before_the_last_is_at_its_end_and_a_failure_stops_none() {
        /// As slow as the other is fast.
        struct Slow(Duration, bool);
        impl Stream for Slow {
            fn submit(&mut self) -> Result<()> {
                std::thread::sleep(self.0);
                if self.1 { Err(Failure::usage("enough")) } else { Ok(()) }
            }
            fn complete(&mut self) -> Result<()> {
                Ok(())
            }
            fn outputs(&self) -> Result<Vec<Tensor>> {
                Ok(vec![])
            }
        }
        let of = |ms, fails| -> Box<dyn Stream> { Box::new(Slow(Duration::from_millis(ms), fails)) };
        let samples = phase(&mut [of(1, false), of(5, false)], 1, Duration::ZERO).unwrap();
        let last = |i: usize| samples[i].last().unwrap().end_ns;
        assert_eq!(samples[1].len(), MIN_REQUESTS);
        // The clock is read before a stream says that it is at its end.
        assert!(samples[0].len() > MIN_REQUESTS && last(0) + 1_000_000 >= last(1), "{samples:?}");
        assert!(phase(&mut [of(1, false), of(1, true)], 1, Duration::ZERO).is_err());
    }
}
