//! One inference of a loaded engine: what is enqueued for a request, and what the library tells of its layers.

use super::context::Context;
use super::host_tensor::HostTensor;
use super::runtime::Engine;
use super::sys::callbacks::Profiler;
use super::sys::output_allocator::{OutputAllocator, OutputMemory};
use crate::backend::cuda::growing::Growing;
use crate::backend::cuda::stream::Work;
use crate::error::Result;
use crate::layers::EngineLayers;
use cudarc::driver::CudaStream;
use std::ffi::CString;
use std::sync::Arc;

/// One inference of a context whose tensors are all in place.
pub(super) struct Inference {
    pub context: Context,
    pub engine: Arc<Engine>,
    /// Where layers are timed.
    pub profiler: Option<Arc<Profiler>>,
    /// The tensors in device memory, inputs first.
    pub names: Vec<CString>,
    /// Their places in each of the stream's buffers.
    pub addresses: Vec<Vec<u64>>,
    /// The outputs whose shape depends on values.
    pub growing: Vec<CString>,
    /// What gives their memory, for each of the stream's buffers.
    pub allocators: Vec<Vec<Arc<OutputAllocator>>>,
    /// The buffers that the context uses now.
    pub bound: Option<usize>,
    /// Inputs that TensorRT reads in host memory.
    pub _host: Vec<HostTensor>,
}

/// The memory of an output, as the library asks for it.
pub(super) struct OutputPlace(pub Arc<Growing>);

impl OutputMemory for OutputPlace {
    fn room(&self, bytes: u64) -> *mut std::ffi::c_void {
        self.0.room(bytes) as *mut _
    }

    fn has_shape(&self, dims: &[i64]) {
        self.0.has_shape(dims);
    }
}

impl Work for Inference {
    fn enqueue(&mut self, stream: &CudaStream, buffers: usize) -> Result<()> {
        if self.bound != Some(buffers) {
            for (name, address) in self.names.iter().zip(&self.addresses[buffers]) {
                // SAFETY: device memory of the size of the tensor at this shape; the stream owns it together with the
                // context and waits for its CUDA streams before either is dropped.
                unsafe { self.context.set_tensor_address(name, *address as *mut _)? };
            }
            for (name, allocator) in self.growing.iter().zip(&self.allocators[buffers]) {
                self.context.set_output_allocator(name, allocator)?;
            }
            self.bound = Some(buffers);
        }
        // SAFETY: the stream is of the context in which the engine was loaded; every tensor has an address or an allocator,
        // set above; each enqueues on one CUDA stream only, so executions of this context follow one another.
        unsafe { self.context.enqueue(stream.cu_stream().cast()) }
    }

    fn mark_nothing(&mut self) -> Result<()> {
        self.context.mark_nothing()
    }

    /// The library learns the size of such an output from the GPU before it asks for its memory.
    fn waits(&self) -> bool {
        !self.growing.is_empty()
    }

    fn look_into(&mut self) -> Result<Option<EngineLayers>> {
        let profiler = Arc::new(Profiler::new(self.engine.family()));
        // Reported when they are asked for: enqueueing then waits for nothing, and graphs can be captured.
        self.context.set_profiler(&profiler, true)?;
        self.profiler = Some(profiler);
        self.engine.inspected(Some(&self.context)).map(Some)
    }

    fn layers(&mut self) -> Result<Vec<(String, f32)>> {
        let Some(profiler) = &self.profiler else { return Ok(Vec::new()) };
        self.context.report()?;
        Ok(profiler.take())
    }
}
