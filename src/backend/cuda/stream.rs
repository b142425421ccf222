//! One stream of requests on a GPU: a ring of requests in flight, each with buffers of its own where it copies.
//!
//! What a request computes is a [`Work`]. When it is submitted and how it is timed is decided here, in the same way for
//! every backend.
//!
//! With one request in flight everything is on one CUDA stream. With several, copies to the GPU, computing, and copies
//! back have a CUDA stream each, so that one request's copies overlap another's computing. Order that is guaranteed: a
//! request computes after its inputs arrived and copies back what it computed, requests compute in the order in which
//! they were submitted, and buffers are used again only after the host has seen their request complete.

use super::buffers::Buffers;
use super::driver::{GpuContext, failed};
use super::gate::Gate;
use super::kernel::Kernels;
use crate::backend::{LoadSetup, Stream};
use crate::config::Wait;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::EngineLayers;
use crate::measured::GpuTimes;
use crate::tensor::Tensor;
use crate::units::nanos;
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaEvent, CudaGraph, CudaStream, DriverError, result};
use std::sync::Arc;
use std::time::Instant;

/// What a request computes.
pub(crate) trait Work: Send {
    /// Puts one inference on the stream, with the buffers of this number, and returns without waiting for it. The stream's
    /// GPU is the thread's own.
    fn enqueue(&mut self, stream: &CudaStream, buffers: usize) -> Result<()>;

    /// From now on nothing is marked for profilers.
    fn mark_nothing(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the host waits for the GPU while it enqueues: then nothing may hold the GPU up meanwhile.
    fn waits(&self) -> bool {
        false
    }

    /// Begins to time the layers of what is enqueued from here on; what is known of them. `None` where nothing can.
    fn look_into(&mut self) -> Result<Option<EngineLayers>> {
        Ok(None)
    }

    /// Name and milliseconds of the layers of the last inference, which has ended.
    fn layers(&mut self) -> Result<Vec<(String, f32)>> {
        Ok(Vec::new())
    }
}

/// A captured graph.
struct Graph(CudaGraph);
// SAFETY: a graph may not be used by two threads at once; it belongs to one stream of requests, which one thread uses
// at a time.
unsafe impl Send for Graph {}

/// The CUDA streams that copy beside the one that computes.
struct Copies {
    to_gpu: Arc<CudaStream>,
    to_host: Arc<CudaStream>,
    /// One per request in flight: its inputs are on the GPU.
    copied: Vec<CudaEvent>,
    /// One per request in flight: its outputs are there.
    computed: Vec<CudaEvent>,
}

/// A stream of requests on CUDA streams of its own.
pub(crate) struct GpuStream<W> {
    cuda: Arc<CudaStream>,
    /// `None`: copies are in the order of the stream that computes.
    copies: Option<Copies>,
    buffers: Vec<Buffers>,
    work: W,
    /// One for each of the buffers; empty: requests are enqueued.
    graphs: Vec<Graph>,
    transfers: bool,
    /// One per request in flight, in turn: when it is done.
    done: Vec<CudaEvent>,
    /// Requests submitted and completed so far.
    submitted: usize,
    completed: usize,
    /// The buffers of the request that completed last.
    last: usize,
    /// Start, inputs copied, computing, computed, outputs copied: of a timed request.
    marks: [CudaEvent; 5],
    /// `None` where enqueuing waits for the GPU, and once a request turned out to be too long for it.
    gate: Option<Gate>,
}

impl<W: Work> GpuStream<W> {
    /// Runs the work once with each of the buffers, so that what is loaded lazily is loaded before anything is captured or
    /// measured.
    pub fn new(
        gpu: &GpuContext,
        kernels: &Arc<Kernels>,
        cuda: Arc<CudaStream>,
        buffers: Vec<Buffers>,
        work: W,
        setup: &LoadSetup,
    ) -> Result<Self> {
        let event = |flags| gpu.context.new_event(Some(flags)).map_err(|e| failed("make an event", &e));
        let untimed = match setup.mode.wait {
            Wait::Spin => CUevent_flags::CU_EVENT_DISABLE_TIMING,
            // Single flags only, so this one takes a time stamp too.
            Wait::Block => CUevent_flags::CU_EVENT_BLOCKING_SYNC,
        };
        let depth = usize::try_from(setup.point.in_flight).unwrap_or(1).max(1);
        let mark = || event(CUevent_flags::CU_EVENT_DEFAULT);
        let ring =
            || (0..depth).map(|_| event(CUevent_flags::CU_EVENT_DISABLE_TIMING)).collect::<Result<Vec<_>>>();
        let overlap = setup.mode.transfers && depth > 1;
        let copies = overlap.then(|| -> Result<Copies> {
            let (to_gpu, to_host) = (gpu.stream()?, gpu.stream()?);
            Ok(Copies { to_gpu, to_host, copied: ring()?, computed: ring()? })
        });
        let mut made = Self {
            done: (0..depth).map(|_| event(untimed)).collect::<Result<_>>()?,
            marks: [mark()?, mark()?, mark()?, mark()?, mark()?],
            gate: (!work.waits()).then(|| Gate::new(gpu, kernels)).transpose()?,
            transfers: setup.mode.transfers,
            graphs: Vec::new(),
            submitted: 0,
            completed: 0,
            last: 0,
            copies: copies.transpose()?,
            cuda,
            buffers,
            work,
        };
        for which in 0..made.buffers.len() {
            made.work.enqueue(&made.cuda, which)?;
        }
        made.cuda.synchronize().map_err(|e| failed("run the first request", &e))?;
        Ok(made)
    }

    /// Captures the work as a graph for each of the buffers, and returns how long that took. A failed capture is an error: running something
    /// else than what was asked would be a number of something else.
    pub fn capture_all(&mut self) -> Result<u64> {
        let start = Instant::now();
        let graphs = (0..self.buffers.len()).map(|which| self.captured(which)).collect::<Result<_>>()?;
        self.graphs = graphs;
        Ok(nanos(start.elapsed()))
    }

    fn captured(&mut self, which: usize) -> Result<Graph> {
        let bad = |e| failed("capture the request as a graph", &e).next("run without --cuda-graph");
        // Thread-local: other streams' threads may allocate meanwhile.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.cuda.begin_capture(mode).map_err(bad)?;
        let enqueued = self.work.enqueue(&self.cuda, which);
        let graph = self.cuda.end_capture(CUgraphInstantiate_flags(0)).map_err(bad);
        enqueued?;
        let graph = graph?.ok_or_else(|| {
            Failure::new(FailureKind::Measure, "the captured graph is empty").next("run without --cuda-graph")
        })?;
        graph.upload().map_err(bad)?;
        self.cuda.synchronize().map_err(bad)?;
        Ok(Graph(graph))
    }

    /// Launches `requests` of them in one loop and waits at the end: nanoseconds per request.
    pub fn back_to_back(&mut self, requests: u64) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..requests {
            self.launch(0)?;
        }
        self.cuda.synchronize().map_err(|e| failed("finish the requests", &e))?;
        Ok(start.elapsed().as_nanos() as f64 / requests.max(1) as f64)
    }

    /// What each request computes.
    pub fn work(&self) -> &W {
        &self.work
    }

    /// Computes with the buffers of this number.
    fn launch(&mut self, which: usize) -> Result<()> {
        match self.graphs.get(which) {
            Some(Graph(graph)) => graph.launch().map_err(|e| failed("launch the graph", &e)),
            None => {
                // Work goes to the calling thread's GPU, and each stream of requests has a thread of its own. cudarc's
                // own calls see to that, but without transfers this is the first call of a request.
                let bound = self.cuda.context().bind_to_thread();
                bound.map_err(|e| failed("use the GPU on this thread", &e))?;
                self.work.enqueue(&self.cuda, which)
            }
        }
    }

    /// The inputs of the request in `slot` to the GPU, before what it computes.
    fn copy_in(&self, slot: usize) -> Result<()> {
        let buffers = &self.buffers[slot % self.buffers.len()];
        match &self.copies {
            Some(copies) => {
                buffers.upload(&copies.to_gpu)?;
                let arrived = &copies.copied[slot];
                arrived.record(&copies.to_gpu).and_then(|()| self.cuda.wait(arrived)).map_err(|e| order(&e))
            }
            None if self.transfers => buffers.upload(&self.cuda),
            None => Ok(()),
        }
    }

    /// The outputs of the request in `slot` back, behind what it computes, and the note that it is done.
    fn copy_out(&mut self, slot: usize) -> Result<()> {
        let which = slot % self.buffers.len();
        let Self { copies, cuda, buffers, transfers, .. } = self;
        let end = match copies {
            Some(copies) => {
                let computed = &copies.computed[slot];
                computed.record(cuda).and_then(|()| copies.to_host.wait(computed)).map_err(|e| order(&e))?;
                &copies.to_host
            }
            None => &*cuda,
        };
        if *transfers {
            buffers[which].download(end)?;
        }
        self.done[slot].record(end).map_err(|e| failed("record an event", &e))
    }

    fn mark(&self, which: usize) -> Result<()> {
        self.marks[which].record(&self.cuda).map_err(|e| failed("record an event", &e))
    }
}

impl<W: Work> Stream for GpuStream<W> {
    fn submit(&mut self) -> Result<()> {
        let slot = self.submitted % self.done.len();
        self.copy_in(slot)?;
        self.launch(slot % self.buffers.len())?;
        self.copy_out(slot)?;
        self.submitted += 1;
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let slot = self.completed % self.done.len();
        self.done[slot].synchronize().map_err(|e| failed("finish a request", &e))?;
        self.completed += 1;
        self.last = slot % self.buffers.len();
        Ok(())
    }

    fn poll(&mut self) -> Result<bool> {
        let slot = self.completed % self.done.len();
        let done = self.done[slot].try_is_complete().map_err(|e| failed("finish a request", &e))?;
        if done {
            self.completed += 1;
            self.last = slot % self.buffers.len();
        }
        Ok(done)
    }

    fn timed(&mut self) -> Result<Option<GpuTimes>> {
        if let Some(gate) = &mut self.gate {
            gate.close(&self.cuda)?;
        }
        let start = Instant::now();
        self.mark(0)?;
        if self.transfers {
            self.buffers[0].upload(&self.cuda)?;
        }
        self.mark(1)?;
        // The copies run on an engine of their own; handing over takes microseconds that are nobody's compute. This
        // second gate is open when it is reached, and only there so that the next event lies behind the handover.
        if let Some(gate) = &self.gate {
            gate.launch(&self.cuda)?;
        }
        self.mark(2)?;
        self.launch(0)?;
        self.mark(3)?;
        if self.transfers {
            self.buffers[0].download(&self.cuda)?;
        }
        self.mark(4)?;
        self.last = 0;
        let enqueue_ns = nanos(start.elapsed());
        let isolated = self.gate.as_mut().is_some_and(Gate::open);
        if !isolated {
            self.gate = None;
        }
        let [start, copied, computing, computed, end] = &self.marks;
        end.synchronize().map_err(|e| failed("finish a request", &e))?;
        Ok(Some(GpuTimes {
            enqueue_ns,
            h2d_ns: between(start, copied)?,
            compute_ns: between(computing, computed)?,
            d2h_ns: between(computed, end)?,
            isolated,
        }))
    }

    fn mark_nothing(&mut self) -> Result<()> {
        self.work.mark_nothing()
    }

    fn capture(&mut self) -> Result<()> {
        self.capture_all().map(drop)
    }

    fn look_into(&mut self) -> Result<Option<EngineLayers>> {
        let found = self.work.look_into()?;
        // A graph holds what was enqueued while it was captured, and its layers were not timed then. Nothing is captured
        // before it ran once as it is now.
        if found.is_some() && !self.graphs.is_empty() {
            self.graphs.clear();
            self.layers()?;
            self.capture()?;
        }
        Ok(found)
    }

    fn forget_graph(&mut self) -> bool {
        let had = !self.graphs.is_empty();
        self.graphs.clear();
        had
    }

    /// Behind the gate, as in [`Stream::timed`]: a GPU that waits for the host's launches would count that as layers.
    fn layers(&mut self) -> Result<Vec<(String, f32)>> {
        if let Some(gate) = &mut self.gate {
            gate.close(&self.cuda)?;
        }
        let launched = self.launch(0);
        // A library that waits for the GPU while it enqueues got through at the gate's limit; it needs none.
        if self.gate.as_mut().is_some_and(|gate| !gate.open()) {
            self.gate = None;
        }
        launched?;
        self.cuda.synchronize().map_err(|e| failed("finish a request", &e))?;
        self.work.layers()
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        self.buffers[self.last].read_outputs(&self.cuda)
    }
}

impl<W> Drop for GpuStream<W> {
    /// Buffers must outlive what the GPU still does with them.
    fn drop(&mut self) {
        // A stream that is broken has nothing running any more.
        let copies = self.copies.iter().flat_map(|c| [&c.to_gpu, &c.to_host]);
        for stream in copies.chain([&self.cuda]) {
            let _ = stream.synchronize();
        }
    }
}

fn order(e: &DriverError) -> Failure {
    failed("order copies and computing", e)
}

/// From one event to the next, in nanoseconds. A pair at a time: offsets from one far origin would lose digits.
fn between(from: &CudaEvent, to: &CudaEvent) -> Result<u64> {
    // SAFETY: both events live, were recorded with timing, and the later one has been waited for.
    let ms = unsafe { result::event::elapsed(from.cu_event(), to.cu_event()) }
        .map_err(|e| failed("read the time between two events", &e))?;
    Ok((f64::from(ms) * 1e6).round().max(0.0) as u64)
}
