//! Opens the CUDA driver's library, lists the GPUs it shows, and makes a context on one of them.

use crate::config::Wait;
use crate::device;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::GpuLimits;
use crate::units::hex;
use cudarc::driver::sys::{self, CUctx_flags, CUdevice, CUdevice_attribute, CUuuid};
use cudarc::driver::{CudaContext, CudaStream, DriverError, result};
use std::sync::Arc;

/// Whether the driver's library (libcuda) can be opened here. Nothing else of cudarc may be called where it cannot.
pub fn driver_present() -> bool {
    // SAFETY: only tries to open the library; its initialisers are the driver's own and run in any CUDA program.
    unsafe { sys::is_culib_present() }
}

/// The GPUs that CUDA shows to this process, in its order, with what NVML knows of them.
pub fn gpus() -> Result<Vec<device::Gpu>> {
    need_driver()?;
    let count = CudaContext::device_count().map_err(|e| failed("count the GPUs", &e))?;
    let known = device::gpus().unwrap_or_default();
    (0..count.unsigned_abs())
        .map(|index| {
            let gpu = describe(index)?;
            let nvml = known.iter().find(|g| g.uuid.as_ref().is_some_and(|uuid| uuid.ends_with(&gpu.id)));
            // A part of a GPU has a part of its memory's rate, and the host's memory is shared: nobody tells how much.
            let whole = !gpu.integrated && nvml.is_none_or(|g| g.mig != Some(true));
            let limits = gpu.limits.filter(|_| whole);
            let found = nvml.cloned().unwrap_or_else(|| {
                let seen =
                    device::Gpu::without_nvml(index, &gpu.name, gpu.memory_bytes, gpu.compute_capability);
                device::Gpu { cuda_driver: version(), ..seen }
            });
            Ok(device::Gpu { integrated: Some(gpu.integrated), limits, ..found })
        })
        .collect()
}

/// A GPU as the driver describes it, without a context on it.
pub(crate) struct Described {
    /// The product name, such as `NVIDIA H100`.
    pub name: String,
    /// Major and minor number, such as `9.0`.
    pub compute_capability: String,
    memory_bytes: u64,
    /// What it can do at most; `None` where the driver does not say.
    limits: Option<GpuLimits>,
    /// Whether it uses the host's memory.
    integrated: bool,
    /// NVML writes `GPU-` before it, and `MIG-` before that of an instance of a split GPU.
    pub id: String,
}

/// GPU `index`, as CUDA numbers them. The driver must be present.
pub(crate) fn describe(index: u32) -> Result<Described> {
    let read = || -> std::result::Result<Described, DriverError> {
        let gpu = handle(index)?;
        // SAFETY: the device is one that the driver just gave; the same below.
        let attribute = |which| unsafe { result::device::get_attribute(gpu, which) };
        let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let compute_capability = format!("{major}.{minor}");
        let fact = |which| attribute(which).ok().map(|n| u64::from(n.unsigned_abs()));
        let hz = |which| fact(which).map(|khz| khz as f64 * 1e3);
        let limits = || {
            GpuLimits::of(
                &compute_capability,
                fact(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
                hz(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?,
                hz(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?,
                fact(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?,
            )
        };
        Ok(Described {
            limits: limits(),
            integrated: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
            name: result::device::get_name(gpu)?,
            compute_capability,
            // SAFETY: as above.
            memory_bytes: unsafe { result::device::total_mem(gpu) }? as u64,
            id: id(gpu)?,
        })
    };
    read().map_err(|e| failed("describe the GPU", &e))
}

/// GPU `index`, as CUDA numbers them.
fn handle(index: u32) -> std::result::Result<CUdevice, DriverError> {
    result::init()?;
    result::device::get(i32::try_from(index).unwrap_or(i32::MAX))
}

/// What names the GPU, and an instance of a split GPU by itself: the function's first version gives that of the whole.
fn id(gpu: CUdevice) -> std::result::Result<String, DriverError> {
    let mut uuid = CUuuid { bytes: [0; 16] };
    // SAFETY: the device is one that the driver gave, and the driver fills the 16 bytes that it is pointed at.
    unsafe { sys::cuDeviceGetUuid_v2(&raw mut uuid, gpu) }.result()?;
    let hex = hex(uuid.bytes.map(|b| b as u8));
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// The newest CUDA version that the driver supports.
fn version() -> Option<String> {
    let mut number = 0;
    // SAFETY: the driver writes the number that it is pointed at.
    unsafe { sys::cuDriverGetVersion(&raw mut number) }.result().ok()?;
    Some(device::cuda_version(number))
}

fn need_driver() -> Result<()> {
    if driver_present() {
        return Ok(());
    }
    let why = match device::gpus() {
        Ok(_) => "an NVIDIA GPU is here, but libcuda.so.1 cannot be opened; in a container, start it with `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`".to_owned(),
        Err(why) => why,
    };
    Err(Failure::new(FailureKind::Measure, format!("there is no usable CUDA driver: {why}"))
        .next("run on a machine with an NVIDIA GPU, or choose --backend cpu"))
}

/// A failure of a CUDA call, with the driver's own words.
pub(super) fn failed(doing: &str, e: &DriverError) -> Failure {
    let name = e.error_name().map_or_else(|_| format!("{:?}", e.0), |n| n.to_string_lossy().into_owned());
    let said = e.error_string().map_or_else(|_| String::new(), |s| format!(" ({})", s.to_string_lossy()));
    let what = format!("CUDA could not {doing}: {name}{said}");
    if name.contains("OUT_OF_MEMORY") {
        return Failure::gpu_out_of_memory(what);
    }
    Failure::new(FailureKind::Measure, what).next(
        "see `cargo trt-perf doctor` for the GPU's state, and `dmesg | grep NVRM` for what the driver says",
    )
}

/// A context on one GPU.
pub(crate) struct GpuContext {
    /// The driver's context.
    pub context: Arc<CudaContext>,
    /// Its UUID, without what NVML writes before it.
    pub id: String,
    /// The highest clock of the multiprocessors, in kHz.
    pub max_khz: u64,
    /// How many multiprocessors the GPU has.
    pub multiprocessors: u32,
}

impl GpuContext {
    /// Opens GPU `index` (CUDA's number), with the way the host is going to wait for it.
    pub fn open(index: u32, wait: Wait) -> Result<Self> {
        need_driver()?;
        let gpu = handle(index).map_err(|e| failed("find the GPU", &e))?;
        let flags = match wait {
            Wait::Spin => CUctx_flags::CU_CTX_SCHED_SPIN,
            Wait::Block => CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC,
        };
        // Before there is a context: only drivers of CUDA 12.1 and later can change one.
        // SAFETY: the device is one that the driver just gave.
        unsafe { sys::cuDevicePrimaryCtxSetFlags_v2(gpu, flags as u32) }
            .result()
            .map_err(|e| failed("set how the host waits", &e))?;
        let context = CudaContext::new(index as usize).map_err(|e| failed("open the GPU", &e))?;
        // SAFETY: without tracking, cudarc does not order work of several streams on one buffer. No buffer here is used
        // by more than one stream. Tracking records an event for every use of a buffer and breaks graph capture.
        unsafe { context.disable_event_tracking() };
        let attribute =
            |a, what| context.attribute(a).map(|n| u64::from(n.unsigned_abs())).map_err(|e| failed(what, &e));
        let max_khz = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE, "read the clock rate")?;
        let count =
            attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, "count multiprocessors")?;
        let id = id(gpu).map_err(|e| failed("read the GPU's id", &e))?;
        Ok(Self { id, max_khz, multiprocessors: u32::try_from(count).unwrap_or(1), context })
    }

    /// A new CUDA stream of this context.
    pub fn stream(&self) -> Result<Arc<CudaStream>> {
        self.context.new_stream().map_err(|e| failed("make a stream", &e))
    }
}
