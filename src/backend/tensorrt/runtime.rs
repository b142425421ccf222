//! A TensorRT runtime, and the engines that it loads from plans.
//!
//! Each object holds the object that it was made from, so nothing is deleted too early. Contexts, which run engines,
//! are in `context`.

use super::build::{host_memory, load_plugin};
use super::sys::abi::{EnumValue, Family, name_of};
use super::sys::allocator::GpuAllocator;
use super::sys::library::Api;
use super::sys::object::{Layout, Object, call, is_nothing, said};
use super::sys::tables::{
    data_type, opt_profile_selector, tensor_format, tensor_io_mode, tensor_location, v_cuda_engine as engine,
    v_runtime,
};
use super::sys::text::text;
use crate::config::{Shape, Values};
use crate::error::{Failure, FailureKind, Result};
use crate::tensor::DType;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::Arc;

/// Loads plans.
pub struct Runtime {
    /// Deleted before the allocator that it calls.
    object: Object,
    allocator: Option<Arc<GpuAllocator>>,
}

impl Runtime {
    /// A runtime of the opened library.
    pub fn new(api: &Arc<Api>) -> Result<Self> {
        Ok(Self { object: api.runtime().map_err(as_measure_failure)?, allocator: None })
    }

    /// Loads a plugin library that plans need and do not contain.
    pub fn load_plugin(&self, path: &Path) -> Result<()> {
        let registry = call!(self.object, v_runtime::GET_PLUGIN_REGISTRY);
        // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
        let registry =
            unsafe { Object::borrowed(self.object.api(), registry, Layout::Interface, "getPluginRegistry") }?;
        load_plugin(self.object.api(), &registry, path).map_err(as_measure_failure)
    }

    /// Engines of this runtime, and their contexts, take memory from this allocator.
    pub fn set_allocator(&mut self, allocator: &Arc<GpuAllocator>) -> Result<()> {
        call!(self.object, v_runtime::SET_GPU_ALLOCATOR, allocator.pointer());
        self.allocator = Some(Arc::clone(allocator));
        Ok(())
    }

    /// Chooses the DLA core that engines run on.
    pub fn set_dla_core(&mut self, core: u32) -> Result<()> {
        call!(self.object, v_runtime::SET_DLA_CORE, i32::try_from(core).unwrap_or(i32::MAX));
        Ok(())
    }

    /// Version-compatible plans carry code for the host, which runs only where it is allowed. A plan is executable
    /// content: only for one whose hash matches our own build.
    pub fn allow_host_code(&mut self) -> Result<()> {
        call!(self.object, v_runtime::SET_ENGINE_HOST_CODE_ALLOWED, true);
        Ok(())
    }

    /// An engine from a plan's bytes, which are not needed afterwards.
    pub fn deserialize(self: &Arc<Self>, plan: &[u8]) -> Result<Engine> {
        let api = self.object.api();
        let data = plan.as_ptr().cast_mut().cast();
        let pointer = call!(self.object, v_runtime::DESERIALIZE_CUDA_ENGINE, data, plan.len());
        if is_nothing(pointer) {
            return Err(api.failed(FailureKind::Measure, "the plan does not load"));
        }
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let object = unsafe { Object::owned(api, pointer, Layout::Wrapper, "deserializeCudaEngine") }?;
        Ok(Engine { object, _runtime: Arc::clone(self) })
    }
}

/// A loaded engine.
pub struct Engine {
    /// Deleted before the runtime.
    object: Object,
    _runtime: Arc<Runtime>,
}

/// An input or an output of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoTensor {
    /// The name in the model.
    pub name: CString,
    /// Whether it is an input; otherwise an output.
    pub input: bool,
    /// As TensorRT names it, such as `kFLOAT`.
    pub type_name: &'static str,
    /// `None` for types that tensors of this tool do not have (bf16, fp8, int4, …).
    pub dtype: Option<DType>,
    /// -1 where it depends on the inputs.
    pub dims: Vec<i64>,
    /// In host memory: shape inputs and outputs.
    pub host: bool,
    /// Row-major without padding (`kLINEAR`).
    pub linear: bool,
}

impl Engine {
    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    fn api(&self) -> &Arc<Api> {
        self.object.api()
    }

    /// The family of the library that loaded it.
    pub(super) fn family(&self) -> Family {
        self.api().family()
    }

    /// The name that the engine was built with.
    pub fn name(&self) -> Result<String> {
        Ok(said!(self.object, engine::GET_NAME))
    }

    /// How many layers it has.
    pub fn layers(&self) -> Result<u32> {
        Ok(u32::try_from(call!(self.object, engine::GET_NB_LAYERS)).unwrap_or(0))
    }

    /// How many optimisation profiles it has.
    pub fn profiles(&self) -> Result<u32> {
        Ok(u32::try_from(call!(self.object, engine::GET_NB_OPTIMIZATION_PROFILES)).unwrap_or(0))
    }

    /// Inputs and outputs, in the engine's order.
    pub fn io_tensors(&self) -> Result<Vec<IoTensor>> {
        let count = call!(self.object, engine::GET_NB_IO_TENSORS);
        (0..count).map(|i| self.io_tensor(i)).collect()
    }

    fn io_tensor(&self, index: i32) -> Result<IoTensor> {
        let family = self.api().family();
        let name = said!(self.object, engine::GET_IO_TENSOR_NAME, index);
        let name = CString::new(name)
            .map_err(|_| Failure::new(FailureKind::Measure, "a tensor has no usable name"))?;
        let at = name.as_ptr();
        let number = call!(self.object, engine::GET_TENSOR_DATA_TYPE, at);
        let type_name =
            name_of(data_type::ALL, family, number).unwrap_or("a type this version does not know");
        Ok(IoTensor {
            input: is(family, &tensor_io_mode::INPUT, call!(self.object, engine::GET_TENSOR_IO_MODE, at)),
            type_name,
            dtype: dtype(type_name),
            dims: call!(self.object, engine::GET_TENSOR_SHAPE, at).as_slice().to_vec(),
            host: is(family, &tensor_location::HOST, call!(self.object, engine::GET_TENSOR_LOCATION, at)),
            linear: is(family, &tensor_format::LINEAR, call!(self.object, engine::GET_TENSOR_FORMAT, at)),
            name,
        })
    }

    /// The range of an input's shapes that a profile serves.
    pub fn profile_shape(&self, name: &CStr, profile: u32) -> Result<Shape> {
        let family = self.api().family();
        let profile = i32::try_from(profile).unwrap_or(i32::MAX);
        let dims = |selector: &EnumValue| -> Result<Vec<u64>> {
            let selector = selector.of(family).unwrap_or(0);
            let dims = call!(self.object, engine::GET_PROFILE_SHAPE, name.as_ptr(), profile, selector);
            Ok(dims.as_slice().iter().map(|d| u64::try_from(*d).unwrap_or(0)).collect())
        };
        Ok(Shape {
            min: dims(&opt_profile_selector::MIN)?,
            opt: dims(&opt_profile_selector::OPT)?,
            max: dims(&opt_profile_selector::MAX)?,
            values: None,
        })
    }

    /// The range of an input's values that a profile serves, of so many; `None` where the engine has none for it.
    pub fn profile_values(&self, name: &CStr, profile: u32, count: u64) -> Result<Option<Values>> {
        let family = self.api().family();
        let profile = i32::try_from(profile).unwrap_or(i32::MAX);
        let count = usize::try_from(count).unwrap_or(0);
        // The older function has 32 bits.
        let wide = engine::GET_PROFILE_TENSOR_VALUES_V2.slot(&self.api().release).is_ok();
        let values = |selector: &EnumValue| -> Result<Option<Vec<i64>>> {
            let selector = selector.of(family).unwrap_or(0);
            let at = name.as_ptr();
            Ok(if wide {
                let found = call!(self.object, engine::GET_PROFILE_TENSOR_VALUES_V2, at, profile, selector);
                // SAFETY: the engine keeps as many values as the tensor has, or gives null.
                (!found.is_null()).then(|| unsafe { std::slice::from_raw_parts(found, count) }.to_vec())
            } else {
                let found = call!(self.object, engine::GET_PROFILE_TENSOR_VALUES, at, profile, selector);
                // SAFETY: as above.
                let found = (!found.is_null()).then(|| unsafe { std::slice::from_raw_parts(found, count) });
                found.map(|all| all.iter().map(|v| i64::from(*v)).collect())
            })
        };
        let [min, opt, max] = [
            values(&opt_profile_selector::MIN)?,
            values(&opt_profile_selector::OPT)?,
            values(&opt_profile_selector::MAX)?,
        ];
        Ok(min.zip(opt).zip(max).map(|((min, opt), max)| Values { min, opt, max }))
    }

    /// Device memory that a context needs for its activations, over all profiles, in bytes.
    pub fn device_memory_bytes(&self) -> Result<u64> {
        // TensorRT 10.0 has only the older function.
        let bytes = match engine::GET_DEVICE_MEMORY_SIZE_V2.slot(&self.api().release) {
            Ok(_) => call!(self.object, engine::GET_DEVICE_MEMORY_SIZE_V2),
            Err(_) => i64::try_from(call!(self.object, engine::GET_DEVICE_MEMORY_SIZE)).unwrap_or(i64::MAX),
        };
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Of an engine that was built to stream weights: those that may stay on the host, and those that do, in bytes.
    pub fn streamed_weights(&self) -> Result<(u64, u64)> {
        let streamable = call!(self.object, engine::GET_STREAMABLE_WEIGHTS_SIZE);
        let on_gpu = call!(self.object, engine::GET_WEIGHT_STREAMING_BUDGET_V2);
        let bytes = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok((bytes(streamable), bytes(streamable.saturating_sub(on_gpu))))
    }

    /// The plan again, as the engine is now.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let config = call!(self.object, engine::CREATE_SERIALIZATION_CONFIG);
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let config =
            unsafe { Object::owned(self.api(), config, Layout::Wrapper, "createSerializationConfig") }?;
        let plan = call!(self.object, engine::SERIALIZE_WITH_CONFIG, config.pointer());
        // SAFETY: the library has just made it for us.
        unsafe { host_memory(self.api(), plan, "the engine does not serialise") }.map_err(as_measure_failure)
    }
}

/// The same failure, of the run phase. Too little memory is that in every phase.
pub(super) fn as_measure_failure(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::OutOfMemory => failure,
        _ => Failure { kind: FailureKind::Measure, ..failure },
    }
}

fn is(family: Family, value: &EnumValue, number: i32) -> bool {
    value.of(family) == Some(number)
}

/// The element type of TensorRT's type, where tensors of this tool have it.
pub fn dtype(name: &str) -> Option<DType> {
    Some(match name {
        "kFLOAT" => DType::F32,
        "kHALF" => DType::F16,
        "kINT8" => DType::I8,
        "kUINT8" => DType::U8,
        "kINT32" => DType::I32,
        "kINT64" => DType::I64,
        "kBOOL" => DType::Bool,
        _ => return None,
    })
}
