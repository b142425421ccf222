//! One stream of requests on a GPU: pinned host buffers, device buffers, and a ring of requests in flight.
//!
//! What a request computes is a [`Work`]. When it is submitted and how it is timed is decided here, in the same way for
//! every backend.

use super::driver::{GpuContext, failed};
use super::gate::Gate;
use super::kernel::{Kernels, address};
use crate::backend::{LoadSetup, Stream};
use crate::config::Wait;
use crate::error::{Failure, FailureKind, Result};
use crate::measured::GpuTimes;
use crate::tensor::Tensor;
use crate::units::nanos;
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaEvent, CudaGraph, CudaSlice, CudaStream, PinnedHostSlice, result};
use std::sync::Arc;
use std::time::Instant;

/// What a request computes.
pub(crate) trait Work: Send {
    /// Puts one inference on the stream and returns without waiting for it. The stream's GPU is the thread's own.
    fn enqueue(&mut self, stream: &CudaStream) -> Result<()>;
}

/// A tensor in host memory that the GPU can read and write by itself, and its place on the GPU.
struct Buffer {
    tensor: Tensor,
    host: PinnedHostSlice<u8>,
    device: CudaSlice<u8>,
    address: u64,
}

/// The inputs and outputs of one stream.
pub(crate) struct Buffers {
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Buffers {
    /// Inputs are filled and copied to the GPU once; `outputs` say type and shape.
    pub fn new(
        gpu: &GpuContext,
        stream: &Arc<CudaStream>,
        inputs: &[(String, Tensor)],
        outputs: &[Tensor],
    ) -> Result<Self> {
        let buffer = |tensor: &Tensor| Buffer::new(gpu, stream, tensor);
        let made = Self {
            inputs: inputs.iter().map(|(_, t)| buffer(t)).collect::<Result<_>>()?,
            outputs: outputs.iter().map(buffer).collect::<Result<_>>()?,
        };
        for input in &made.inputs {
            input.upload(stream)?;
        }
        stream.synchronize().map_err(|e| failed("copy the inputs to the GPU", &e))?;
        Ok(made)
    }

    /// Addresses on the GPU, in the order of the inputs.
    pub fn inputs(&self) -> Vec<u64> {
        self.inputs.iter().map(|b| b.address).collect()
    }

    /// The addresses of the outputs on the GPU, in order.
    pub fn outputs(&self) -> Vec<u64> {
        self.outputs.iter().map(|b| b.address).collect()
    }

    /// Bytes of all inputs.
    pub fn input_bytes(&self) -> u64 {
        self.inputs.iter().map(|b| b.tensor.data.len() as u64).sum()
    }
}

impl Buffer {
    fn new(gpu: &GpuContext, stream: &Arc<CudaStream>, tensor: &Tensor) -> Result<Self> {
        let bytes = tensor.data.len().max(1);
        // SAFETY: the memory is filled below before anything reads it. No flags: write-combined memory, which cudarc
        // takes by default, is slow to read, and outputs are read.
        let mut host = unsafe { gpu.context.alloc_pinned_with_flags::<u8>(bytes, 0) }
            .map_err(|e| failed("allocate pinned memory", &e))?;
        let all = host.as_mut_slice().map_err(|e| failed("use pinned memory", &e))?;
        all.fill(0);
        all[..tensor.data.len()].copy_from_slice(&tensor.data);
        let device = stream.alloc_zeros::<u8>(bytes).map_err(|e| failed("allocate memory on the GPU", &e))?;
        let address = address(&device, stream);
        Ok(Self { tensor: tensor.clone(), host, device, address })
    }

    fn upload(&self, stream: &CudaStream) -> Result<()> {
        let host = self.host.as_slice().map_err(|e| failed("use pinned memory", &e))?;
        // SAFETY: both are as long as the host's, live as long as the stream of requests, and that waits for the GPU
        // before either is changed or freed.
        unsafe { result::memcpy_htod_async(self.address, host, stream.cu_stream()) }
            .map_err(|e| failed("copy an input to the GPU", &e))
    }

    fn download(&mut self, stream: &CudaStream) -> Result<()> {
        let host = self.host.as_mut_slice().map_err(|e| failed("use pinned memory", &e))?;
        // SAFETY: as above; the host's side is read only after the request completed.
        unsafe { result::memcpy_dtoh_async(host, self.address, stream.cu_stream()) }
            .map_err(|e| failed("copy an output from the GPU", &e))
    }
}

/// A captured graph.
struct Graph(CudaGraph);
// SAFETY: a graph may not be used by two threads at once; it belongs to one stream of requests, which one thread uses
// at a time.
unsafe impl Send for Graph {}

/// A stream of requests on a CUDA stream of its own.
pub(crate) struct GpuStream<W> {
    cuda: Arc<CudaStream>,
    buffers: Buffers,
    work: W,
    graph: Option<Graph>,
    transfers: bool,
    /// One per request in flight, in turn: when it is done.
    done: Vec<CudaEvent>,
    /// Requests submitted and completed so far.
    submitted: usize,
    completed: usize,
    /// Start, inputs copied, computing, computed, outputs copied: of a timed request.
    marks: [CudaEvent; 5],
    /// `None` once a request turned out to be too long for it.
    gate: Option<Gate>,
}

impl<W: Work> GpuStream<W> {
    /// Runs the work once, so that what is loaded lazily is loaded before anything is captured or measured.
    pub fn new(
        gpu: &GpuContext,
        kernels: &Arc<Kernels>,
        cuda: Arc<CudaStream>,
        buffers: Buffers,
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
        let mut made = Self {
            done: (0..depth).map(|_| event(untimed)).collect::<Result<_>>()?,
            marks: [mark()?, mark()?, mark()?, mark()?, mark()?],
            gate: Some(Gate::new(gpu, kernels)?),
            transfers: setup.mode.transfers,
            graph: None,
            submitted: 0,
            completed: 0,
            cuda,
            buffers,
            work,
        };
        made.work.enqueue(&made.cuda)?;
        made.cuda.synchronize().map_err(|e| failed("run the first request", &e))?;
        Ok(made)
    }

    /// Captures the work as a graph, and returns how long that took. A failed capture is an error: running something
    /// else than what was asked would be a number of something else.
    pub fn capture(&mut self) -> Result<u64> {
        let start = Instant::now();
        let bad = |e| failed("capture the request as a graph", &e).next("run without --cuda-graph");
        // Thread-local: other streams' threads may allocate meanwhile.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.cuda.begin_capture(mode).map_err(bad)?;
        let enqueued = self.work.enqueue(&self.cuda);
        let graph = self.cuda.end_capture(CUgraphInstantiate_flags(0)).map_err(bad);
        enqueued?;
        let graph = graph?.ok_or_else(|| {
            Failure::new(FailureKind::Measure, "the captured graph is empty").next("run without --cuda-graph")
        })?;
        graph.upload().map_err(bad)?;
        self.cuda.synchronize().map_err(bad)?;
        self.graph = Some(Graph(graph));
        Ok(nanos(start.elapsed()))
    }

    /// Launches `requests` of them in one loop and waits at the end: nanoseconds per request.
    pub fn back_to_back(&mut self, requests: u64) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..requests {
            self.launch()?;
        }
        self.cuda.synchronize().map_err(|e| failed("finish the requests", &e))?;
        Ok(start.elapsed().as_nanos() as f64 / requests.max(1) as f64)
    }

    /// What each request computes.
    pub fn work(&self) -> &W {
        &self.work
    }

    fn launch(&mut self) -> Result<()> {
        match &self.graph {
            Some(Graph(graph)) => graph.launch().map_err(|e| failed("launch the graph", &e)),
            None => {
                // Work goes to the calling thread's GPU, and each stream of requests has a thread of its own. cudarc's
                // own calls see to that, but without transfers this is the first call of a request.
                let bound = self.cuda.context().bind_to_thread();
                bound.map_err(|e| failed("use the GPU on this thread", &e))?;
                self.work.enqueue(&self.cuda)
            }
        }
    }

    fn copy_in(&self) -> Result<()> {
        let inputs = if self.transfers { &self.buffers.inputs[..] } else { &[] };
        inputs.iter().try_for_each(|b| b.upload(&self.cuda))
    }

    fn copy_out(&mut self) -> Result<()> {
        let outputs = if self.transfers { &mut self.buffers.outputs[..] } else { &mut [] };
        outputs.iter_mut().try_for_each(|b| b.download(&self.cuda))
    }

    fn mark(&self, which: usize) -> Result<()> {
        self.marks[which].record(&self.cuda).map_err(|e| failed("record an event", &e))
    }
}

impl<W: Work> Stream for GpuStream<W> {
    fn submit(&mut self) -> Result<()> {
        self.copy_in()?;
        self.launch()?;
        self.copy_out()?;
        let done = &self.done[self.submitted % self.done.len()];
        done.record(&self.cuda).map_err(|e| failed("record an event", &e))?;
        self.submitted += 1;
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let done = &self.done[self.completed % self.done.len()];
        done.synchronize().map_err(|e| failed("finish a request", &e))?;
        self.completed += 1;
        Ok(())
    }

    fn poll(&mut self) -> Result<bool> {
        let event = &self.done[self.completed % self.done.len()];
        let done = event.try_is_complete().map_err(|e| failed("finish a request", &e))?;
        self.completed += usize::from(done);
        Ok(done)
    }

    fn timed(&mut self) -> Result<Option<GpuTimes>> {
        if let Some(gate) = &mut self.gate {
            gate.close(&self.cuda)?;
        }
        let start = Instant::now();
        self.mark(0)?;
        self.copy_in()?;
        self.mark(1)?;
        // The copies run on an engine of their own; handing over takes microseconds that are nobody's compute. This
        // second gate is open when it is reached, and only there so that the next event lies behind the handover.
        if let Some(gate) = &self.gate {
            gate.launch(&self.cuda)?;
        }
        self.mark(2)?;
        self.launch()?;
        self.mark(3)?;
        self.copy_out()?;
        self.mark(4)?;
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

    fn outputs(&self) -> Result<Vec<Tensor>> {
        let read = |b: &Buffer| {
            let mut tensor = b.tensor.clone();
            // Not from the host's side: without transfers it holds nothing.
            let bytes = self.cuda.clone_dtoh(&b.device).map_err(|e| failed("read an output", &e))?;
            // A buffer of no bytes has one all the same.
            tensor.data = bytes.into_iter().take(tensor.data.len()).collect();
            Ok(tensor)
        };
        self.buffers.outputs.iter().map(read).collect()
    }
}

impl<W> Drop for GpuStream<W> {
    /// Buffers must outlive what the GPU still does with them.
    fn drop(&mut self) {
        // A stream that is broken has nothing running any more.
        let _ = self.cuda.synchronize();
    }
}

/// From one event to the next, in nanoseconds. A pair at a time: offsets from one far origin would lose digits.
fn between(from: &CudaEvent, to: &CudaEvent) -> Result<u64> {
    // SAFETY: both events live, were recorded with timing, and the later one has been waited for.
    let ms = unsafe { result::event::elapsed(from.cu_event(), to.cu_event()) }
        .map_err(|e| failed("read the time between two events", &e))?;
    Ok((f64::from(ms) * 1e6).round().max(0.0) as u64)
}
