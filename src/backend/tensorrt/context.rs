//! A context: one execution of an engine at a time, on a CUDA stream of the caller's.
//!
//! What takes addresses or streams is `unsafe` and says what the caller promises. Makes no CUDA call itself.

use super::abi::{Dims, Stream};
use super::build::host_memory;
use super::callbacks::Profiler;
use super::library::Api;
use super::object::{Object, call};
use super::runtime::{Engine, measuring};
use super::tables::{v_execution_context as context, v_runtime_cache};
use crate::error::{Failure, FailureKind, Result};
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// One execution of an engine at a time.
pub struct Context {
    /// Deleted before the engine, and before what it may use.
    object: Object,
    rtx: Option<RtxParts>,
    profiler: Option<Arc<Profiler>>,
    _engine: Arc<Engine>,
}

/// What a context of TensorRT-RTX was made with.
pub(super) struct RtxParts {
    /// Deleted before the cache it refers to.
    #[expect(dead_code, reason = "held, not used")]
    pub config: Object,
    pub cache: Option<Object>,
}

impl Context {
    pub(super) fn new(object: Object, engine: &Arc<Engine>, rtx: Option<RtxParts>) -> Self {
        Self { object, rtx, profiler: None, _engine: Arc::clone(engine) }
    }

    fn api(&self) -> &Arc<Api> {
        self.object.api()
    }

    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// The kernels that TensorRT-RTX compiled, for the next process; `None` where it was not asked to keep them.
    pub fn runtime_cache(&self) -> Result<Option<Vec<u8>>> {
        let Some(cache) = self.rtx.as_ref().and_then(|r| r.cache.as_ref()) else { return Ok(None) };
        let bytes = call!(cache, v_runtime_cache::SERIALIZE);
        host_memory(self.api(), bytes, "the runtime cache does not serialise").map(Some).map_err(measuring)
    }

    /// Chooses the profile. The stream must be idle or ordered before the next enqueue.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream of the current context.
    pub unsafe fn set_profile(&mut self, profile: u32, stream: Stream) -> Result<()> {
        let profile = i32::try_from(profile).unwrap_or(i32::MAX);
        let taken = call!(self.object, context::SET_OPTIMIZATION_PROFILE_ASYNC, profile, stream);
        self.api().taken(taken, &format!("profile {profile} was not taken"))
    }

    pub fn set_input_shape(&mut self, name: &CStr, dims: &[i64]) -> Result<()> {
        let Some(c_dims) = Dims::new(dims) else {
            return Err(Failure::usage(format!("{dims:?} has more dimensions than TensorRT")));
        };
        let taken = call!(self.object, context::SET_INPUT_SHAPE, name.as_ptr(), &c_dims);
        self.api().taken(taken, &format!("input {name:?} does not take the shape {dims:?}"))
    }

    /// Whether every input has its shape.
    pub fn shapes_complete(&self) -> Result<bool> {
        Ok(call!(self.object, context::ALL_INPUT_DIMENSIONS_SPECIFIED))
    }

    /// The shape of a tensor for the input shapes that are set; -1 where it depends on values.
    pub fn tensor_shape(&self, name: &CStr) -> Result<Vec<i64>> {
        Ok(call!(self.object, context::GET_TENSOR_SHAPE, name.as_ptr()).as_slice().to_vec())
    }

    /// The most bytes an output may take, where its shape depends on values.
    pub fn max_output_bytes(&self, name: &CStr) -> Result<u64> {
        Ok(u64::try_from(call!(self.object, context::GET_MAX_OUTPUT_SIZE, name.as_ptr())).unwrap_or(0))
    }

    /// Device memory needed for the shapes that are set.
    pub fn device_memory_for_shapes(&mut self) -> Result<u64> {
        Ok(call!(self.object, context::UPDATE_DEVICE_MEMORY_SIZE_FOR_SHAPES) as u64)
    }

    /// Memory for a context made with `user_memory`.
    ///
    /// # Safety
    /// `memory` is device memory of that many bytes, which nothing else uses while the context may execute.
    pub unsafe fn set_device_memory(&mut self, memory: *mut c_void, bytes: u64) -> Result<()> {
        call!(self.object, context::SET_DEVICE_MEMORY_V2, memory, i64::try_from(bytes).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Where a tensor is.
    ///
    /// # Safety
    /// `address` is memory on the tensor's side (device or host), large enough for it, valid until the last execution
    /// that was enqueued with it has ended.
    pub unsafe fn set_tensor_address(&mut self, name: &CStr, address: *mut c_void) -> Result<()> {
        let taken = call!(self.object, context::SET_TENSOR_ADDRESS, name.as_ptr(), address);
        self.api().taken(taken, &format!("the address of {name:?} was not taken"))
    }

    /// Streams for work beside the main stream.
    ///
    /// # Safety
    /// Every stream is live, and stays so as long as the context may execute.
    pub unsafe fn set_aux_streams(&mut self, streams: &mut [Stream]) -> Result<()> {
        let count = i32::try_from(streams.len()).unwrap_or(i32::MAX);
        call!(self.object, context::SET_AUX_STREAMS, streams.as_mut_ptr(), count);
        Ok(())
    }

    /// Enqueues one inference.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream of the context that was current when the engine was loaded, every tensor has an
    /// address that is still valid, and no other execution of this context is going on.
    pub unsafe fn enqueue(&mut self, stream: Stream) -> Result<()> {
        if call!(self.object, context::ENQUEUE_V3, stream) {
            return Ok(());
        }
        Err(self.api().failed(FailureKind::Measure, "the inference was not enqueued"))
    }

    /// Whether the stream's work can become a CUDA graph; TensorRT-RTX only.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream.
    pub unsafe fn is_capturable(&self, stream: Stream) -> Result<bool> {
        Ok(call!(self.object, context::IS_STREAM_CAPTURABLE, stream))
    }

    /// Layer times go to `profiler` from now on: with each enqueue, or (`on_report`) when [`Self::report`] is called.
    pub fn set_profiler(&mut self, profiler: &Arc<Profiler>, on_report: bool) -> Result<()> {
        call!(self.object, context::SET_PROFILER, profiler.pointer());
        call!(self.object, context::SET_ENQUEUE_EMITS_PROFILE, !on_report);
        self.profiler = Some(Arc::clone(profiler));
        Ok(())
    }

    /// Layer times of the last enqueue, to the profiler; the stream must have been waited for.
    pub fn report(&mut self) -> Result<()> {
        let taken = call!(self.object, context::REPORT_TO_PROFILER);
        self.api().taken(taken, "layer times were not reported")
    }
}
