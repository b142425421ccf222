//! The places of one request's tensors: pinned in host memory, and on the GPU.

use super::driver::{GpuContext, failed};
use super::growing::Growing;
use super::kernel::address;
use crate::backend::LoadSetup;
use crate::error::Result;
use crate::tensor::{DType, Tensor};
use cudarc::driver::{CudaSlice, CudaStream, PinnedHostSlice, result};
use std::sync::Arc;

/// A tensor in host memory that the GPU can read and write by itself, and its place on the GPU.
struct Buffer {
    tensor: Tensor,
    host: PinnedHostSlice<u8>,
    device: CudaSlice<u8>,
    address: u64,
}

/// What is known of an output before any request.
pub(crate) enum OutputSpec {
    /// Type and shape.
    Fixed(Tensor),
    /// The type alone.
    Growing(DType),
}

impl From<Tensor> for OutputSpec {
    fn from(tensor: Tensor) -> Self {
        Self::Fixed(tensor)
    }
}

/// The place of an output.
enum Output {
    Fixed(Buffer),
    Growing(Arc<Growing>),
}

/// The inputs and outputs of one request in flight.
pub(crate) struct Buffers {
    inputs: Vec<Buffer>,
    outputs: Vec<Output>,
}

impl Buffers {
    /// One for each request in flight that copies: what is copied for one request must not be what another computes with.
    pub fn all(
        gpu: &GpuContext,
        stream: &Arc<CudaStream>,
        inputs: &[(String, Tensor)],
        outputs: &[OutputSpec],
        setup: &LoadSetup,
    ) -> Result<Vec<Self>> {
        let count = if setup.mode.transfers { setup.point.in_flight.max(1) } else { 1 };
        (0..count).map(|_| Self::new(gpu, stream, inputs, outputs)).collect()
    }

    /// Inputs are filled and copied to the GPU once.
    pub fn new(
        gpu: &GpuContext,
        stream: &Arc<CudaStream>,
        inputs: &[(String, Tensor)],
        outputs: &[OutputSpec],
    ) -> Result<Self> {
        let buffer = |tensor: &Tensor| Buffer::new(gpu, stream, tensor);
        let output = |spec: &OutputSpec| {
            Ok(match spec {
                OutputSpec::Fixed(tensor) => Output::Fixed(buffer(tensor)?),
                OutputSpec::Growing(dtype) => Output::Growing(Arc::new(Growing::new(stream, *dtype))),
            })
        };
        let made = Self {
            inputs: inputs.iter().map(|(_, t)| buffer(t)).collect::<Result<_>>()?,
            outputs: outputs.iter().map(output).collect::<Result<_>>()?,
        };
        made.upload(stream)?;
        stream.synchronize().map_err(|e| failed("copy the inputs to the GPU", &e))?;
        Ok(made)
    }

    /// Addresses on the GPU, in the order of the inputs.
    pub fn inputs(&self) -> Vec<u64> {
        self.inputs.iter().map(|b| b.address).collect()
    }

    /// The addresses on the GPU of the outputs whose shape is known, in order.
    pub fn outputs(&self) -> Vec<u64> {
        let address = |o: &Output| if let Output::Fixed(b) = o { Some(b.address) } else { None };
        self.outputs.iter().filter_map(address).collect()
    }

    /// The places of the other outputs, in order.
    pub fn growing(&self) -> Vec<Arc<Growing>> {
        let place = |o: &Output| if let Output::Growing(g) = o { Some(Arc::clone(g)) } else { None };
        self.outputs.iter().filter_map(place).collect()
    }

    /// Copies the inputs to the GPU, in the order of `stream`.
    pub fn upload(&self, stream: &CudaStream) -> Result<()> {
        self.inputs.iter().try_for_each(|b| b.upload(stream))
    }

    /// Copies the outputs to the host, in the order of `stream`. The request is enqueued, so all sizes are known.
    pub fn download(&mut self, stream: &CudaStream) -> Result<()> {
        self.outputs.iter_mut().try_for_each(|output| match output {
            Output::Fixed(buffer) => buffer.download(stream),
            Output::Growing(growing) => growing.download(stream),
        })
    }

    /// The outputs as they are on the GPU. Not from the host's side: without transfers that holds nothing.
    pub fn read_outputs(&self, stream: &Arc<CudaStream>) -> Result<Vec<Tensor>> {
        let read = |b: &Buffer| {
            let mut tensor = b.tensor.clone();
            let bytes = stream.clone_dtoh(&b.device).map_err(|e| failed("read an output", &e))?;
            // A buffer of no bytes has one all the same.
            tensor.data = bytes.into_iter().take(tensor.data.len()).collect();
            Ok(tensor)
        };
        let all = self.outputs.iter().map(|output| match output {
            Output::Fixed(buffer) => read(buffer),
            Output::Growing(growing) => growing.read(),
        });
        all.collect()
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
