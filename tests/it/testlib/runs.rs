//! The run phase's wrappers in every family, with the test library's memory on the host, so that no GPU is needed.
//!
//! The library reads its environment once, so each check runs in a process of its own: `alone` starts this test binary
//! again for the test `checks`, which calls the check.

use super::{build_in, values};
use crate::support::installed::{Calls, Installed, RELEASES};
use crate::support::{Ran, Sandbox};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use trt_perf::backend::tensorrt::context::{RtxContext, Specialization};
use trt_perf::backend::tensorrt::runtime::{Engine, Runtime};
use trt_perf::backend::tensorrt::sys::allocator::GpuAllocator;
use trt_perf::backend::tensorrt::sys::callbacks::Profiler;
use trt_perf::backend::tensorrt::sys::library::{self, Api, Need};
use trt_perf::engine;
use trt_perf::error::{FailureKind, Result};
use trt_perf::tensor::DType;

/// A profile beside the one of the shapes that are measured.
const PROFILE: &str = "profiles=[{x={min=[1,16],opt=[4,16],max=[8,16]}}]";

/// Runs a check with a release of the library and something that goes wrong in it; returns the library's calls in it.
#[track_caller]
pub fn alone(check: &str, file: &str, fault: &str) -> Calls {
    alone_with(check, file, fault, "half.onnx", &["--shape", "x:4x16", "--build", PROFILE])
}

/// The same with the engine of another model.
#[track_caller]
pub fn alone_with(check: &str, file: &str, fault: &str, model: &str, more: &[&str]) -> Calls {
    let (s, builds, runs) = (Sandbox::new(), Installed::new(file), Installed::new(file));
    let built = build_in(&s, &builds, model, more, "");
    let engine = built.message("engine")["engine"].as_str().expect("a path").to_owned();
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    s.shield(&mut command, ".");
    runs.tell(&mut command, fault);
    command
        .args(["--exact", "testlib::runs::checks", "--nocapture"])
        .env("TRT_PERF_TESTLIB_HOST", "1")
        .env("TRT_PERF_TEST_CHECK", check)
        .env("TRT_PERF_TEST_FOLDER", runs.folder())
        .env("TRT_PERF_TEST_ENGINE", s.path(engine));
    Ran::of(command).says(0, &[&format!("checked {check}"), "1 passed"]);
    let calls = runs.calls();
    calls.check();
    calls
}

#[test]
fn checks() {
    let Ok(check) = std::env::var("TRT_PERF_TEST_CHECK") else { return };
    let path = |name: &str| std::path::PathBuf::from(std::env::var_os(name).expect("a path"));
    let api = library::open(Some(&path("TRT_PERF_TEST_FOLDER")), Need::Run).expect("the test library");
    let (_, mut parts) = engine::read(&path("TRT_PERF_TEST_ENGINE")).expect("an engine");
    let plan = parts.remove(0);
    match &*check {
        "engine" => engine_is_described_and_executed(&api, &plan),
        "foreign plan" => foreign_plan_fails(&api),
        "no runtime" => no_runtime_is_made(&api),
        "rtx context" => rtx_context_says_how(&api, &plan),
        "kernels refused" => assert!(load(&api, &plan).runtime_cache(b"kernels").unwrap().is_none()),
        "no rtx context" => rtx_context_is_refused(&api, &plan, "it needs TensorRT-RTX 1.5"),
        "memory" => super::memory::traced(&api, &plan, &std::env::var("TRT_PERF_TESTLIB_FAULT").unwrap()),
        "values" => values::values_decide_shapes(&api, &plan),
        "found" => values::an_output_asks_for_memory(&api, &plan),
        "older" => rtx_context_is_refused(&api, &plan, "it needs TensorRT 10.11 or later"),
        other => panic!("{other}?"),
    }
    println!("checked {check}");
}

/// The same with an allocator, which may have too little memory.
pub fn load_with(api: &Arc<Api>, plan: &[u8], allocator: &Arc<GpuAllocator>) -> Result<Arc<Engine>> {
    let mut runtime = Runtime::new(api)?;
    runtime.set_allocator(allocator)?;
    Ok(Arc::new(Arc::new(runtime).deserialize(plan)?))
}

pub fn load(api: &Arc<Api>, plan: &[u8]) -> Arc<Engine> {
    let runtime = Arc::new(Runtime::new(api).expect("a runtime"));
    Arc::new(runtime.deserialize(plan).expect("an engine"))
}

/// Memory that the library takes as a tensor's: it wants addresses that are multiples of 256.
#[repr(align(256))]
pub struct Tensor(pub [u8; 4096]);

fn engine_is_described_and_executed(api: &Arc<Api>, plan: &[u8]) {
    let engine = load(api, plan);
    assert_eq!(engine.layers(), Ok(4));
    let io = engine.io_tensors().unwrap();
    assert_eq!((io[0].name.as_c_str(), io[0].input, io[0].dtype), (c"x", true, Some(DType::F16)));
    assert_eq!((io[1].name.as_c_str(), io[1].input, io[1].dtype), (c"y", false, None));
    assert_eq!(
        (io[1].type_name, &io[1].dims[..], io[1].host, io[1].linear),
        ("kBF16", &[-1, 8][..], false, true)
    );
    let shape = engine.profile_shape(c"x", 1).unwrap();
    assert_eq!((shape.min, shape.opt, shape.max), (vec![1, 16], vec![4, 16], vec![8, 16]));
    assert_eq!(engine.device_memory_bytes(), Ok(1 << 20));
    if api.release.version.major != 10 {
        assert_eq!(engine.streamed_weights(), Ok((1 << 19, 3 << 17)));
    }
    let layers: Value = serde_json::from_str(&engine.layer_information(None).unwrap()).expect("JSON");
    assert_eq!(layers["Layers"].as_array().map(Vec::len), Some(4), "{layers}");
    let mut context = engine.context(true).unwrap();
    context.set_input_shape(c"x", &[4, 16]).unwrap();
    let failure = context.set_input_shape(c"x", &[9, 16]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Measure);
    assert!(failure.message.contains("x: [9, 16] is outside of the profile"), "{failure}");
    assert!(context.set_input_shape(c"x", &[1; 9]).is_err());
    assert_eq!(context.tensor_shape(c"y"), Ok(vec![4, 8]));
    let profiler = Arc::new(Profiler::new(api.family()));
    context.set_profiler(&profiler, true).unwrap();
    context.mark_nothing().unwrap();
    let (mut x, mut y) = (Box::new(Tensor([7; 4096])), Box::new(Tensor([1; 4096])));
    // SAFETY: host memory, which the library uses in this process; larger than the tensors, and alive until the end.
    unsafe {
        context.set_tensor_address(c"x", x.0.as_mut_ptr().cast()).unwrap();
        context.set_tensor_address(c"y", y.0.as_mut_ptr().cast()).unwrap();
        context.enqueue(std::ptr::null_mut()).unwrap();
    }
    // Four rows of eight values of two bytes are the output's, and nothing beside them.
    assert!(y.0[..64].iter().all(|b| *b == 7) && y.0[64..].iter().all(|b| *b == 1));
    context.report().unwrap();
    let times = profiler.take();
    let names: Vec<&str> = times.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["product/MatMul", "hidden/Add", "hidden.relu/Relu", "y/Gemm"]);
    assert!(
        times.iter().zip(1_u16..).all(|((_, ms), n)| (ms - f32::from(n) * 0.01).abs() < 1e-6),
        "{times:?}"
    );
    // Whoever lets go first, the context goes before the engine, and that before the runtime.
    drop(engine);
    drop(context);
}

/// What was deleted, in order.
fn deleted(calls: &Calls) -> Vec<&str> {
    let ends = calls.0.iter().filter_map(|(_, c)| c.strip_suffix(" -"));
    ends.filter_map(|object| object.split('#').next()).collect()
}

#[test]
fn an_engine_is_loaded_described_and_executed_in_every_family() {
    let first = ["libnvinfer.so.10.0.0", "libnvinfer.so.11.0.0", "libtensorrt_rtx.so.1.5.0"];
    for file in first {
        let calls = alone("engine", file, "unknown-type");
        calls.check_lifecycle();
        assert_eq!(deleted(&calls), ["inspector", "context", "engine", "runtime"], "{file}");
        // 10.0 has only the older function.
        let memory = if file == first[0] { "getDeviceMemorySize" } else { "getDeviceMemorySizeV2" };
        for call in [
            memory,
            "getEngineInformation(1)",
            "createExecutionContext(2)",
            "setInputShape(x, [4, 16])",
            "setTensorAddress(x)",
            "enqueueV3",
            "setEnqueueEmitsProfile(false)",
        ] {
            assert!(calls.has(call), "{file}: no {call} in {calls:#?}");
        }
    }
}

fn foreign_plan_fails(api: &Arc<Api>) {
    let runtime = Arc::new(Runtime::new(api).unwrap());
    let failure = runtime.deserialize(b"something else").err().unwrap();
    assert_eq!(failure.kind, FailureKind::Measure);
    assert!(failure.message.contains("the magic tag does not match"), "{failure}");
}

#[test]
fn a_foreign_plan_is_a_failure_with_the_librarys_own_words() {
    alone("foreign plan", RELEASES[1], "").check_lifecycle();
}

fn no_runtime_is_made(api: &Arc<Api>) {
    let failure = Runtime::new(api).err().unwrap();
    let says = "createInferRuntime gave nothing: CUDA initialization failure";
    assert!(failure.message.contains(says), "{failure}");
}

#[test]
fn a_null_pointer_that_was_moved_to_a_base_class_is_no_runtime() {
    alone("no runtime", RELEASES[0], "runtime-moved-null");
}

fn rtx_context_says_how(api: &Arc<Api>, plan: &[u8]) {
    let engine = load(api, plan);
    let cache = engine.runtime_cache(b"kernels").unwrap().expect("kernels that are taken");
    let how = RtxContext {
        specialization: Specialization::Eager,
        cuda_graph: true,
        user_memory: false,
        cache: Some(Arc::clone(&cache)),
    };
    // Two contexts share the cache.
    let contexts = [engine.rtx_context(&how).unwrap(), engine.rtx_context(&how).unwrap()];
    assert_eq!(cache.serialize().unwrap(), b"runtime cache of the test library");
    drop((contexts, how));
}

#[test]
fn contexts_of_tensorrt_rtx_say_when_kernels_are_compiled_and_keep_them() {
    let calls = alone("rtx context", RELEASES[2], "");
    calls.check_lifecycle();
    for call in [
        "setDynamicShapesKernelSpecializationStrategy(1)",
        "setCudaGraphStrategy(1)",
        "setExecutionContextAllocationStrategy(0)",
        "deserialize(7)",
    ] {
        assert!(calls.has(call), "no {call} in {calls:#?}");
    }
    let deleted = deleted(&calls);
    assert_eq!(
        deleted[..6],
        ["host memory", "context", "runtime config", "context", "runtime config", "runtime cache"]
    );
}

#[test]
fn kernels_that_are_refused_make_no_cache() {
    let calls = alone("kernels refused", RELEASES[2], "kernels-refused");
    calls.check_lifecycle();
    assert_eq!(deleted(&calls)[..2], ["runtime cache", "runtime config"]);
}

fn rtx_context_is_refused(api: &Arc<Api>, plan: &[u8], says: &str) {
    let failure = load(api, plan).rtx_context(&RtxContext::default()).err().unwrap();
    assert!(failure.message.contains(says), "{failure}");
}

#[test]
fn what_only_tensorrt_rtx_has_is_refused_by_the_others_without_a_call() {
    for (check, file) in [("no rtx context", RELEASES[1]), ("older", "libnvinfer.so.10.9.0")] {
        let calls = alone(check, file, "");
        calls.check_lifecycle();
        assert!(!calls.0.iter().any(|(_, c)| c.contains("setDynamicShapes")), "{calls:#?}");
    }
}
