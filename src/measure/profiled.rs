//! Offers a fixed number of requests between the marks that a profiler records from and to. Runs in a worker that a profiler
//! started; nothing here is a measurement, and none of it becomes a record.
//!
//! Loading and warming up come before the first mark. A CUDA graph is captured behind it where layers are to be seen: what
//! TensorRT marks with NVTX is marked while a layer is enqueued, and a graph that was captured before would show none.

use super::extra_work;
use super::host::first;
use super::load::LoadJob;
use super::warm_up::warm_up;
use crate::backend::nvtx::{Nvtx, profiler};
use crate::backend::{LoadSetup, Loaded, Opened, Stream, backend, infer};
use crate::case::OperatingPoint;
use crate::error::{Failure, Result};
use crate::measured::ProfiledRun;
use crate::profile::{NvtxDetail, REQUEST, REQUESTS};
use crate::progress::{Stage, Tell};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Load an engine and offer requests to it while a profiler watches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileJob {
    /// The case's id.
    pub case: String,
    /// The engine.
    pub load: LoadJob,
    /// How long to warm up at least, in nanoseconds.
    pub warm_up_ns: u64,
    /// Requests of each stream.
    pub requests: u64,
    /// What TensorRT marks in them.
    pub nvtx: NvtxDetail,
}

/// Runs the job.
pub fn run(job: &ProfileJob, tell: &mut dyn Tell) -> Result<ProfiledRun> {
    let (header, parts) = job.load.read()?;
    let feeds = job.load.feeds(&header)?;
    let setup = job.load.setup()?;
    tell.stage(Stage::Load, 0);
    let late = setup.point.cuda_graph && job.nvtx != NvtxDetail::None;
    let point = OperatingPoint { cuda_graph: setup.point.cuda_graph && !late, ..setup.point };
    let setup = LoadSetup { point, ..setup };
    let loaded = ranged("load", || backend(&job.load.target)?.load(&header, parts, &setup, &feeds))?;
    let Loaded::Streams(mut opened) = loaded else {
        return Err(Failure::usage(format!("{} runs its requests itself", header.made_from.backend))
            .next("profile it with another backend, such as --backend tensorrt"));
    };
    if job.nvtx == NvtxDetail::None {
        opened.streams.iter_mut().try_for_each(|stream| stream.mark_nothing())?;
    }
    if let Some(share) = header.made_from.build.debug_extra_work_frac {
        opened.streams = extra_work::burden(opened.streams, share)?;
    }
    tell.stage(Stage::WarmUp, job.warm_up_ns);
    let warm_up = ranged("warm-up", || {
        infer(first(&mut opened.streams)?.as_mut())?;
        warm_up(&mut opened.streams, job.load.point.in_flight, Duration::from_nanos(job.warm_up_ns))
    })?;
    tell.stage(Stage::Measure, 0);
    recorded(&mut opened, job, late)?;
    let streams = opened.streams.len() as u64;
    Ok(ProfiledRun {
        requests: job.requests * streams,
        warm_up_requests: warm_up.latencies.len() as u64,
        captured_in_profile: late,
    })
}

/// What a profiler records.
fn recorded(opened: &mut Opened, job: &ProfileJob, capture: bool) -> Result<()> {
    let Opened { gpu, streams, .. } = opened;
    if let Some(gpu) = gpu {
        gpu.start_profilers()?;
    }
    let done = ranged(REQUESTS, || {
        ranged(&format!("case {}", job.case), || {
            if capture {
                ranged("graph capture", || streams.iter_mut().try_for_each(|stream| stream.capture()))?;
            }
            offer(streams, job.load.point.in_flight, job.requests)
        })
    });
    // Profilers learn that it is over even where it failed.
    let stopped = match gpu {
        Some(gpu) => gpu.stop_profilers(),
        None => Ok(()),
    };
    done.and(stopped)
}

/// Within a range of this name, where a profiler takes ranges.
fn ranged<T>(name: &str, what: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(nvtx) = profiler() else { return what() };
    let range = nvtx.start(name);
    let done = what();
    nvtx.end(range);
    done
}

/// So many requests on every stream at once, never more than `depth` in flight on each.
fn offer(streams: &mut [Box<dyn Stream>], depth: u64, requests: u64) -> Result<()> {
    let nvtx = profiler();
    if let [only] = streams {
        return offer_one(only.as_mut(), depth, requests, nvtx);
    }
    std::thread::scope(|scope| {
        let handles: Vec<_> = streams
            .iter_mut()
            .map(|stream| scope.spawn(move || offer_one(stream.as_mut(), depth, requests, nvtx)))
            .collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(super::host::panicked))
    })
}

fn offer_one(stream: &mut dyn Stream, depth: u64, requests: u64, nvtx: Option<&Nvtx>) -> Result<()> {
    let mut open = VecDeque::new();
    let ended = |range: Option<u64>| {
        if let (Some(range), Some(nvtx)) = (range, nvtx) {
            nvtx.end(range);
        }
    };
    for _ in 0..requests {
        if open.len() as u64 >= depth.max(1) {
            stream.complete()?;
            ended(open.pop_front().flatten());
        }
        open.push_back(nvtx.map(|nvtx| nvtx.start(REQUEST)));
        stream.submit()?;
    }
    for range in open {
        stream.complete()?;
        ended(range);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[derive(Default)]
    struct Counted {
        submitted: u64,
        open: u64,
        most_open: u64,
    }

    impl Stream for &mut Counted {
        fn submit(&mut self) -> Result<()> {
            self.submitted += 1;
            self.open += 1;
            self.most_open = self.most_open.max(self.open);
            Ok(())
        }
        fn complete(&mut self) -> Result<()> {
            self.open -= 1;
            Ok(())
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn exactly_as_many_requests_are_offered_as_asked() {
        for (depth, requests) in [(1, 1), (1, 7), (3, 7), (8, 2)] {
            let mut stream = Counted::default();
            offer_one(&mut &mut stream, depth, requests, None).unwrap();
            assert_eq!((stream.submitted, stream.open), (requests, 0));
            assert_eq!(stream.most_open, depth.min(requests));
        }
    }
}
