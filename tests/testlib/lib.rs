//! A shared library in the place of TensorRT's: the same exported functions, and objects with the same tables, for each
//! family from one source. It tests our side of the binary interface without NVIDIA's library, and with real CUDA work
//! behind `enqueueV3` where there is a driver. It computes nothing of a model, says so by its build number, and is never
//! used unless its folder is named.
//!
//! It is what the file is called: installed as `libnvinfer.so.10.13.3` (with the links that NVIDIA's package has) it is
//! TensorRT 10.13.3. Five variables tell it what to do:
//! - `TRT_PERF_TESTLIB_CALLS`: a file to which every call is appended, one a line
//! - `TRT_PERF_TESTLIB_FAULT`: what goes wrong, separated by commas; `told` has the words
//! - `TRT_PERF_TESTLIB_ONLY`: the name of a tensor; only models that have it go wrong
//! - `TRT_PERF_TESTLIB_HOST`: set to anything, its memory is the host's and it needs no GPU
//! - `TRT_PERF_TESTLIB_WORK_BYTES`: how much memory each inference fills, beside its outputs
//!
//! | file | makes | from |
//! |---|---|---|
//! | `told` | what to do, and the list of calls | the environment |
//! | `object` | objects with tables | functions |
//! | `callbacks` | calls back | the caller's objects |
//! | `accidents` | what goes wrong | `told` |
//! | `model` | a plan | an ONNX file |
//! | `config`, `network`, `builder` | the build phase | a plan |
//! | `cuda` | memory and work | the driver |
//! | `driver` | GPUs that do nothing | – |
//! | `engine`, `runtime_config`, `context` | the run phase | a plan |
//! | `nvtx` | a list of ranges, as a profiler does | what the program marks |

#![allow(non_snake_case, reason = "the names are NVIDIA's")]

mod accidents;
mod builder;
mod callbacks;
mod config;
mod context;
mod cuda;
mod driver;
mod engine;
mod model;
mod network;
mod nvtx;
mod object;
mod runtime_config;
mod told;

use std::ffi::CStr;
use told::{fault, release, tell};
use trt_perf::backend::tensorrt::sys::abi::{ObjectPointer as Pointer, Text};

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(0)
}

fn whole_version() -> i32 {
    let v = release().version;
    number(v.major * 10_000 + v.minor * 100 + v.patch)
}

/// The version in one number, as NVIDIA writes it.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibVersion() -> i32 {
    if fault("wrong-version") { 120_000 } else { whole_version() }
}

/// The first part of the version.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibMajorVersion() -> i32 {
    if fault("wrong-version") { 12 } else { number(release().version.major) }
}

/// The second part of the version.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibMinorVersion() -> i32 {
    number(release().version.minor)
}

/// The third part of the version.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibPatchVersion() -> i32 {
    number(release().version.patch)
}

/// The build: the number by which this library says that it is ours.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibBuildVersion() -> i32 {
    number(release().version.build)
}

/// The parser's version in one number.
#[unsafe(no_mangle)]
pub extern "C" fn getNvOnnxParserVersion() -> i32 {
    whole_version()
}

/// # Safety
/// `logger` is a live `ILogger` of this family.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn createInferBuilder_INTERNAL(logger: Pointer, version: i32) -> Pointer {
    tell(&format!("createInferBuilder({version})"));
    if !callbacks::begin(logger, version, whole_version()) || fault("builder-null") {
        return std::ptr::null_mut();
    }
    builder::create()
}

/// # Safety
/// `logger` is a live `ILogger` of this family.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn createInferRuntime_INTERNAL(logger: Pointer, version: i32) -> Pointer {
    tell(&format!("createInferRuntime({version})"));
    if !callbacks::begin(logger, version, whole_version()) || fault("runtime-null") {
        return std::ptr::null_mut();
    }
    if fault("runtime-moved-null") {
        callbacks::log(callbacks::ERROR, "CUDA initialization failure, as the test library was told");
        return std::ptr::without_provenance_mut(0x228);
    }
    engine::create_runtime()
}

/// # Safety
/// `network` is a live network of this library, `logger` a live `ILogger` of this family.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn createNvOnnxParser_INTERNAL(
    network: Pointer,
    logger: Pointer,
    version: i32,
) -> Pointer {
    tell(&format!("createNvOnnxParser({version})"));
    if !callbacks::begin(logger, version, whole_version()) || fault("parser-null") {
        return std::ptr::null_mut();
    }
    network::create_parser(network)
}

/// What NVIDIA's library of plugins exports in place of what a registry loads.
///
/// # Safety
/// `logger` is a live `ILogger` of this family, `namespace` a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn initLibNvInferPlugins(logger: Pointer, namespace: Text) -> bool {
    // SAFETY: the caller's promise.
    let namespace = unsafe { CStr::from_ptr(namespace) };
    tell(&format!("initLibNvInferPlugins({namespace:?})"));
    callbacks::begin(logger, whole_version(), whole_version());
    if fault("plugins-refused") {
        callbacks::log(callbacks::ERROR, "no plugin, as the test library was told");
    }
    !fault("plugins-refused")
}
