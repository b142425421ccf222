//! The pass that looks into requests: the library times each layer of requests that run alone.

use super::host::{MIN_REQUESTS, first};
use crate::backend::Stream;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::LayerTimes;
use crate::measured::MeasuredLayers;
use std::time::{Duration, Instant};

/// More requests say no more of a median, and each has a time for every layer.
const MOST_REQUESTS: usize = 1000;

/// The whole pass, for a quarter of the time that the host's clock got.
pub(super) fn measure(streams: &mut [Box<dyn Stream>], measure_ns: u64) -> Result<MeasuredLayers> {
    let stream = first(streams)?;
    let Some(engine) = stream.look_into()? else {
        return Err(Failure::new(FailureKind::Measure, "this backend gives no times of layers")
            .next("use --backend tensorrt"));
    };
    // The first prepares what the others use. TensorRT-RTX 1.6 cannot tell the layers of a graph that it replays.
    let without_graph = match stream.layers() {
        Ok(_) => false,
        Err(why) if !stream.forget_graph() => return Err(why),
        Err(_) => stream.layers().map(|_| true)?,
    };
    let (start, duration) = (Instant::now(), Duration::from_nanos(measure_ns / 4));
    let mut requests = Vec::new();
    while requests.len() < MIN_REQUESTS || (start.elapsed() < duration && requests.len() < MOST_REQUESTS) {
        requests.push(stream.layers()?);
    }
    let times = LayerTimes { without_graph, ..LayerTimes::of(&requests) };
    if times.layers.is_empty() {
        return Err(Failure::new(FailureKind::Measure, "the library reported the time of no layer")
            .next("run without --cuda-graph; if it repeats, report it with the version of the library"));
    }
    Ok(MeasuredLayers { engine, times })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{EngineLayers, Layer};
    use crate::tensor::Tensor;

    /// Layers that take longer with each request.
    #[derive(Default)]
    struct LayerStub {
        blind: bool,
        /// It replays a graph, of which nothing is told.
        graph: bool,
        looked_into: bool,
        requests: u16,
    }

    impl Stream for LayerStub {
        fn submit(&mut self) -> Result<()> {
            Ok(())
        }
        fn complete(&mut self) -> Result<()> {
            Ok(())
        }
        fn look_into(&mut self) -> Result<Option<EngineLayers>> {
            self.looked_into = true;
            let engine = EngineLayers { layers: vec![Layer::named("a")], fingerprint: None };
            Ok((!self.blind).then_some(engine))
        }
        fn forget_graph(&mut self) -> bool {
            std::mem::take(&mut self.graph)
        }
        fn layers(&mut self) -> Result<Vec<(String, f32)>> {
            assert!(self.looked_into);
            if self.graph {
                return Err(Failure::new(FailureKind::Measure, "of a graph nothing is told"));
            }
            self.requests += 1;
            Ok(vec![("a".into(), f32::from(self.requests)), ("b".into(), 1.0)])
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
    }

    #[test]
    fn the_first_request_prepares_and_the_others_are_timed_layer_by_layer() {
        let mut streams: Vec<Box<dyn Stream>> = vec![Box::new(LayerStub::default())];
        let found = measure(&mut streams, 0).unwrap();
        assert_eq!((found.times.requests, found.engine.layers.len()), (MIN_REQUESTS as u64, 1));
        let medians: Vec<_> = found.times.layers.iter().map(|l| (l.name.as_str(), l.median_ns)).collect();
        // Requests 2 to 11.
        assert!(
            medians[0].0 == "a" && (6e6..=7e6).contains(&medians[0].1) && medians[1] == ("b", 1e6),
            "{medians:?}"
        );
    }

    #[test]
    fn layers_of_a_graph_that_tells_none_are_those_without_it() {
        let stream = |graph| vec![Box::new(LayerStub { graph, ..LayerStub::default() }) as Box<dyn Stream>];
        for graph in [true, false] {
            let found = measure(&mut stream(graph), 0).unwrap();
            assert_eq!((found.times.without_graph, found.times.requests), (graph, MIN_REQUESTS as u64));
        }
    }

    #[test]
    fn a_backend_that_times_no_layers_says_so() {
        let mut streams: Vec<Box<dyn Stream>> =
            vec![Box::new(LayerStub { blind: true, ..LayerStub::default() })];
        assert!(measure(&mut streams, 0).unwrap_err().message.contains("no times of layers"));
    }
}
