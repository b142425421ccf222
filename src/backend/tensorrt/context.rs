//! An execution context: it runs one inference of an engine at a time, on a CUDA stream that the caller owns.
//!
//! Functions that take addresses or streams are `unsafe` and say what the caller promises. This file makes no CUDA
//! calls of its own.

use super::build::host_memory;
use super::runtime::{Engine, as_measure_failure};
use super::sys::abi::{Dims, EnumValue, StreamHandle};
use super::sys::callbacks::Profiler;
use super::sys::library::Api;
use super::sys::object::{Layout, Object, call, is_nothing};
use super::sys::output_allocator::OutputAllocator;
use super::sys::tables::{
    cuda_graph_strategy, dynamic_shapes_kernel_specialization_strategy as specialization,
    execution_context_allocation_strategy as strategy, profiling_verbosity as verbosity,
    v_cuda_engine as engine, v_execution_context as context, v_runtime_cache, v_runtime_config,
};
use crate::error::{Failure, FailureKind, Result};
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// When TensorRT-RTX compiles kernels for the shapes it meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Specialization {
    /// In the background; the first inferences use general kernels.
    #[default]
    Lazy,
    /// Before the inference that needs them.
    Eager,
    /// General kernels always.
    Never,
}

/// What a context of TensorRT-RTX is to be like.
#[derive(Clone, Default)]
pub struct RtxContext {
    /// When kernels for the shapes are compiled.
    pub specialization: Specialization,
    /// The library captures CUDA graphs itself.
    pub cuda_graph: bool,
    /// The context has no device memory of its own for activations.
    pub user_memory: bool,
    /// Where compiled kernels are taken from and kept; contexts of one engine may share it. `None`: neither.
    pub cache: Option<Arc<RuntimeCache>>,
}

/// The kernels that contexts of TensorRT-RTX compile, for other contexts and for later processes.
pub struct RuntimeCache {
    object: Object,
    /// Deleted after the cache that it made.
    _config: Object,
}

impl RuntimeCache {
    /// The kernels as they are now, for the next process.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let bytes = call!(self.object, v_runtime_cache::SERIALIZE);
        // SAFETY: the library has just made it for us.
        unsafe { host_memory(self.object.api(), bytes, "the runtime cache does not serialise") }
            .map_err(as_measure_failure)
    }
}

/// One execution of an engine at a time.
pub struct Context {
    /// Deleted before the engine, and before what it may use.
    object: Object,
    #[expect(dead_code, reason = "held, not used")]
    rtx: Option<RtxParts>,
    profiler: Option<Arc<Profiler>>,
    allocators: Vec<Arc<OutputAllocator>>,
    _engine: Arc<Engine>,
}

/// What a context of TensorRT-RTX was made with.
struct RtxParts {
    /// Deleted before the cache it refers to.
    #[expect(dead_code, reason = "held, not used")]
    config: Object,
    #[expect(dead_code, reason = "held, not used")]
    cache: Option<Arc<RuntimeCache>>,
}

impl Engine {
    /// A context with device memory of its own for activations, or (`user_memory`) without.
    pub fn context(self: &Arc<Self>, user_memory: bool) -> Result<Context> {
        let how = if user_memory { strategy::USER_MANAGED } else { strategy::STATIC };
        let how = how.of(self.object().api().family()).unwrap_or(0);
        let pointer = call!(self.object(), engine::CREATE_EXECUTION_CONTEXT, how);
        if is_nothing(pointer) {
            return Err(self.object().api().failed(FailureKind::Measure, "no context was made"));
        }
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let object = unsafe {
            Object::owned(self.object().api(), pointer, Layout::Wrapper, "createExecutionContext")
        }?;
        Ok(Context::new(object, self, None))
    }

    /// A context of TensorRT-RTX, which compiles kernels while it runs: when, and from what it kept.
    pub fn rtx_context(self: &Arc<Self>, how: &RtxContext) -> Result<Context> {
        let api = self.object().api();
        let value = |value: &EnumValue| value.of(api.family()).unwrap_or(0);
        let config = self.runtime_config()?;
        let when = match how.specialization {
            Specialization::Lazy => specialization::LAZY,
            Specialization::Eager => specialization::EAGER,
            Specialization::Never => specialization::NONE,
        };
        call!(config, v_runtime_config::SET_DYNAMIC_SHAPES_KERNEL_SPECIALIZATION_STRATEGY, value(&when));
        let graph = if how.cuda_graph {
            cuda_graph_strategy::WHOLE_GRAPH_CAPTURE
        } else {
            cuda_graph_strategy::DISABLED
        };
        let accepted = call!(config, v_runtime_config::SET_CUDA_GRAPH_STRATEGY, value(&graph));
        api.ensure_accepted(accepted, "the CUDA graph strategy was not taken")?;
        let memory = if how.user_memory { strategy::USER_MANAGED } else { strategy::STATIC };
        call!(config, v_runtime_config::SET_EXECUTION_CONTEXT_ALLOCATION_STRATEGY, value(&memory));
        let cache = how.cache.clone();
        if let Some(cache) = &cache {
            let accepted = call!(config, v_runtime_config::SET_RUNTIME_CACHE, cache.object.pointer());
            api.ensure_accepted(accepted, "the runtime cache was not taken")?;
        }
        let pointer =
            call!(self.object(), engine::CREATE_EXECUTION_CONTEXT_WITH_RUNTIME_CONFIG, config.pointer());
        if is_nothing(pointer) {
            return Err(api.failed(FailureKind::Measure, "no context was made"));
        }
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let object = unsafe {
            Object::owned(api, pointer, Layout::Wrapper, "createExecutionContextWithRuntimeConfig")
        }?;
        Ok(Context::new(object, self, Some(RtxParts { config, cache })))
    }

    /// A cache for the kernels that contexts of TensorRT-RTX compile, filled with those of an earlier process, or empty.
    /// `None` where the library refuses those.
    pub fn runtime_cache(&self, kept: &[u8]) -> Result<Option<Arc<RuntimeCache>>> {
        let api = self.object().api();
        let config = self.runtime_config()?;
        let cache = call!(config, v_runtime_config::CREATE_RUNTIME_CACHE);
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let object = unsafe { Object::owned(api, cache, Layout::Wrapper, "createRuntimeCache") }
            .map_err(as_measure_failure)?;
        if !kept.is_empty() {
            let accepted =
                call!(object, v_runtime_cache::DESERIALIZE, kept.as_ptr().cast_mut().cast(), kept.len());
            if !accepted {
                return Ok(None);
            }
        }
        Ok(Some(Arc::new(RuntimeCache { object, _config: config })))
    }

    fn runtime_config(&self) -> Result<Object> {
        let config = call!(self.object(), engine::CREATE_RUNTIME_CONFIG);
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        unsafe { Object::owned(self.object().api(), config, Layout::Wrapper, "createRuntimeConfig") }
            .map_err(as_measure_failure)
    }
}

impl Context {
    fn new(object: Object, engine: &Arc<Engine>, rtx: Option<RtxParts>) -> Self {
        Self { object, rtx, profiler: None, allocators: Vec::new(), _engine: Arc::clone(engine) }
    }

    fn api(&self) -> &Arc<Api> {
        self.object.api()
    }

    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// Chooses the profile. The stream must be idle or ordered before the next enqueue.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream of the current context.
    pub unsafe fn set_profile(&mut self, profile: u32, stream: StreamHandle) -> Result<()> {
        let profile = i32::try_from(profile).unwrap_or(i32::MAX);
        let accepted = call!(self.object, context::SET_OPTIMIZATION_PROFILE_ASYNC, profile, stream);
        self.api().ensure_accepted(accepted, &format!("profile {profile} was not taken"))
    }

    /// Sets the shape of one input. Fails where the profile does not allow it.
    pub fn set_input_shape(&mut self, name: &CStr, dims: &[i64]) -> Result<()> {
        let Some(c_dims) = Dims::new(dims) else {
            return Err(Failure::usage(format!("{dims:?} has more dimensions than TensorRT")));
        };
        let accepted = call!(self.object, context::SET_INPUT_SHAPE, name.as_ptr(), &c_dims);
        self.api().ensure_accepted(accepted, &format!("input {name:?} does not take the shape {dims:?}"))
    }

    /// Whether every input has its shape.
    pub fn shapes_complete(&self) -> Result<bool> {
        Ok(call!(self.object, context::ALL_INPUT_DIMENSIONS_SPECIFIED))
    }

    /// The shape of a tensor for the input shapes that are set; -1 where it depends on values.
    pub fn tensor_shape(&self, name: &CStr) -> Result<Vec<i64>> {
        Ok(call!(self.object, context::GET_TENSOR_SHAPE, name.as_ptr()).as_slice().to_vec())
    }

    /// Where a tensor is.
    ///
    /// # Safety
    /// `address` is memory on the tensor's side (device or host), large enough for it, valid until the last execution
    /// that was enqueued with it has ended.
    pub unsafe fn set_tensor_address(&mut self, name: &CStr, address: *mut c_void) -> Result<()> {
        let accepted = call!(self.object, context::SET_TENSOR_ADDRESS, name.as_ptr(), address);
        self.api().ensure_accepted(accepted, &format!("the address of {name:?} was not taken"))
    }

    /// The memory of an output comes from this from now on: for shapes that depend on values.
    pub fn set_output_allocator(&mut self, name: &CStr, allocator: &Arc<OutputAllocator>) -> Result<()> {
        let accepted = call!(self.object, context::SET_OUTPUT_ALLOCATOR, name.as_ptr(), allocator.pointer());
        self.api().ensure_accepted(accepted, &format!("the allocator of output {name:?} was not taken"))?;
        // All that the library was ever given live as long as the context.
        if !self.allocators.iter().any(|held| Arc::ptr_eq(held, allocator)) {
            self.allocators.push(Arc::clone(allocator));
        }
        Ok(())
    }

    /// Enqueues one inference.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream of the context that was current when the engine was loaded, every tensor has an
    /// address that is still valid or an allocator, and no other execution of this context is going on.
    pub unsafe fn enqueue(&mut self, stream: StreamHandle) -> Result<()> {
        if call!(self.object, context::ENQUEUE_V3, stream) {
            return Ok(());
        }
        Err(self.api().failed(FailureKind::Measure, "the inference was not enqueued"))
    }

    /// Layer times go to `profiler` from now on: with each enqueue, or (`on_report`) when [`Self::report`] is called.
    pub fn set_profiler(&mut self, profiler: &Arc<Profiler>, on_report: bool) -> Result<()> {
        call!(self.object, context::SET_PROFILER, profiler.pointer());
        call!(self.object, context::SET_ENQUEUE_EMITS_PROFILE, !on_report);
        self.profiler = Some(Arc::clone(profiler));
        Ok(())
    }

    /// Marks nothing with NVTX; otherwise layers are marked, as the engine was built to tell of them.
    pub fn mark_nothing(&mut self) -> Result<()> {
        let none = verbosity::NONE.of(self.api().family()).unwrap_or(0);
        let accepted = call!(self.object, context::SET_NVTX_VERBOSITY, none);
        self.api().ensure_accepted(accepted, "what is marked for profilers was not taken")
    }

    /// Layer times of the last enqueue, to the profiler; the stream must have been waited for.
    pub fn report(&mut self) -> Result<()> {
        let accepted = call!(self.object, context::REPORT_TO_PROFILER);
        self.api().ensure_accepted(accepted, "layer times were not reported")
    }
}
