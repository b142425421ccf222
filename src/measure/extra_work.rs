//! A stream that does real extra work after each request, for tests and demonstrations only (`debug-extra-work`).
//!
//! The work is a fixed number of integer operations that takes the wanted share of the fastest request, because the
//! time that a request waits for a busy machine is not its own. The number is found once per process, so the noise of
//! single requests does not change it.

use crate::backend::{Stream, infer};
use crate::error::Result;
use crate::layers::EngineLayers;
use crate::measured::GpuTimes;
use crate::tensor::Tensor;
use std::hint::black_box;
use std::time::Instant;

/// Requests, and rounds of work, that the calibration takes the fastest of.
const CALIBRATION: usize = 51;
/// Operations per calibration round.
const ROUND: u64 = 20_000;

struct Burdened {
    inner: Box<dyn Stream>,
    operations: u64,
}

impl Stream for Burdened {
    fn submit(&mut self) -> Result<()> {
        self.inner.submit()
    }

    fn complete(&mut self) -> Result<()> {
        self.inner.complete()?;
        work(self.operations);
        Ok(())
    }

    fn poll(&mut self) -> Result<bool> {
        let done = self.inner.poll()?;
        if done {
            work(self.operations);
        }
        Ok(done)
    }

    /// The extra work is the host's: the GPU sees none of it.
    fn timed(&mut self) -> Result<Option<GpuTimes>> {
        self.inner.timed()
    }

    fn capture(&mut self) -> Result<()> {
        self.inner.capture()
    }

    fn look_into(&mut self) -> Result<Option<EngineLayers>> {
        self.inner.look_into()
    }

    fn forget_graph(&mut self) -> bool {
        self.inner.forget_graph()
    }

    fn layers(&mut self) -> Result<Vec<(String, f32)>> {
        self.inner.layers()
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        self.inner.outputs()
    }
}

/// Every stream with extra work worth `share` of its fastest request.
pub fn burden(streams: Vec<Box<dyn Stream>>, share: f64) -> Result<Vec<Box<dyn Stream>>> {
    let round_ns = fastest(|| {
        work(ROUND);
        Ok(())
    })?;
    streams
        .into_iter()
        .map(|mut inner| {
            let request_ns = fastest(|| infer(inner.as_mut()))?;
            let operations = (request_ns * share / round_ns * ROUND as f64).round() as u64;
            Ok(Box::new(Burdened { inner, operations }) as Box<dyn Stream>)
        })
        .collect()
}

/// Shortest duration of `what` in nanoseconds, at least 1.
fn fastest(mut what: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..CALIBRATION {
        let start = Instant::now();
        what()?;
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    Ok(best.max(1.0))
}

/// A chain of dependent operations that the compiler cannot shorten.
fn work(operations: u64) {
    let mut x = black_box(operations | 1);
    for _ in 0..operations {
        x = black_box(x.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    }
    black_box(x);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Stream for Fixed {
        fn submit(&mut self) -> Result<()> {
            work(2_000_000);
            Ok(())
        }
        fn complete(&mut self) -> Result<()> {
            Ok(())
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
    }

    #[test]
    fn the_number_of_operations_follows_the_share() {
        let operations = |share| {
            let mut b = burden(vec![Box::new(Fixed)], share).unwrap();
            infer(b[0].as_mut()).unwrap();
            // The request is two million operations of the same kind; a busy machine blurs the calibration.
            let mut fixed = Fixed;
            let request = fastest(|| infer(&mut fixed)).unwrap();
            let both = fastest(|| infer(b[0].as_mut())).unwrap();
            both / request
        };
        // No timing is asserted but the order of a doubling and a nothing.
        assert!(operations(3.0) > operations(0.0));
    }
}
