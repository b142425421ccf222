//! The run phase's wrappers with a fake library of each family.

use super::super::context::{RtxContext, Specialization};
use super::super::runtime::Runtime;
use super::super::sys::abi::Family;
use super::super::sys::callbacks::Profiler;
use super::fake::{PLAN, World};
use crate::error::FailureKind;
use crate::tensor::DType;
use std::ptr::without_provenance_mut;
use std::sync::Arc;

#[test]
fn an_engine_is_loaded_described_and_executed_in_every_family() {
    for family in Family::ALL {
        let world = World::new(family);
        let api = world.open(family.releases().0);
        let runtime = Arc::new(Runtime::new(&api).unwrap());
        let engine = Arc::new(runtime.deserialize(PLAN).unwrap());
        assert_eq!(engine.layers(), Ok(1));
        let io = engine.io_tensors().unwrap();
        assert_eq!((io[0].name.as_c_str(), io[0].input, io[0].dtype), (c"x", true, Some(DType::F16)));
        assert_eq!((io[1].name.as_c_str(), io[1].input, io[1].dtype), (c"y", false, None));
        assert_eq!(
            (io[1].type_name, &io[1].dims[..], io[1].host, io[1].linear),
            ("kBF16", &[-1, 3][..], false, true)
        );
        let shape = engine.profile_shape(c"x", 0).unwrap();
        assert_eq!((shape.min, shape.opt, shape.max), (vec![1, 3], vec![11, 3], vec![21, 3]));
        // 10.0 has only the older function.
        assert_eq!(engine.device_memory_bytes(), Ok(if family == Family::Trt10 { 100 } else { 200 }));
        assert_eq!(engine.layer_information(None).unwrap(), "{\"Layers\": []}");
        let mut context = engine.context(true).unwrap();
        context.set_input_shape(c"x", &[4, 3]).unwrap();
        let failure = context.set_input_shape(c"x", &[9, 3]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Measure);
        assert!(failure.message.contains("dimension 0 is above the profile's maximum"), "{failure}");
        assert!(context.set_input_shape(c"x", &[1; 9]).is_err());
        assert_eq!(context.tensor_shape(c"y"), Ok(vec![4, 3]));
        let profiler = Arc::new(Profiler::new(family));
        context.set_profiler(&profiler, true).unwrap();
        // SAFETY: the fake library writes down addresses and streams, and uses none.
        unsafe {
            context.set_tensor_address(c"x", without_provenance_mut(64)).unwrap();
            context.enqueue(without_provenance_mut(5)).unwrap();
        }
        context.report().unwrap();
        assert_eq!(profiler.take(), [("conv".to_owned(), 0.25), ("relu".to_owned(), 0.5)]);
        assert_eq!(world.number("emits"), Some(0));
        // Whoever lets go first, the context goes before the engine, and that before the runtime.
        drop((runtime, engine));
        drop(context);
        assert_eq!(world.deleted(), ["inspector", "context", "engine", "runtime"], "{family:?}");
        let calls = world.calls();
        for call in ["context 2", "shape x [4, 3]", "address x 64", "enqueue 5"] {
            assert!(calls.iter().any(|c| c == call), "{call}: {calls:?}");
        }
    }
}

#[test]
fn a_foreign_plan_is_a_failure_with_the_librarys_own_words() {
    let world = World::new(Family::Trt11);
    let runtime = Arc::new(Runtime::new(&world.open((11, 4))).unwrap());
    let failure = runtime.deserialize(b"something else").err().unwrap();
    assert_eq!(failure.kind, FailureKind::Measure);
    assert!(failure.message.contains("the magic tag does not match"), "{failure}");
}

#[test]
fn a_null_pointer_that_was_moved_to_a_base_class_is_no_runtime() {
    let mut world = World::new(Family::Trt10);
    world.build_error = Some(c"CUDA initialization failure".into());
    let failure = Runtime::new(&world.open((10, 16))).err().unwrap();
    assert!(
        failure.message.contains("createInferRuntime gave nothing: CUDA initialization failure"),
        "{failure}"
    );
}

#[test]
fn contexts_of_tensorrt_rtx_say_when_kernels_are_compiled_and_keep_them() {
    let world = World::new(Family::Rtx1);
    let runtime = Arc::new(Runtime::new(&world.open((1, 7))).unwrap());
    let engine = Arc::new(runtime.deserialize(PLAN).unwrap());
    let how = RtxContext {
        specialization: Specialization::Eager,
        cuda_graph: true,
        user_memory: false,
        cache: Some(b"kernels".to_vec()),
    };
    let context = engine.rtx_context(&how).unwrap();
    assert_eq!((world.number("specialization"), world.number("graphs")), (Some(1), Some(1)));
    assert_eq!(world.number("allocation"), Some(0));
    assert!(world.calls().iter().any(|c| c == "read cache 7"));
    assert_eq!(context.runtime_cache().unwrap().as_deref(), Some(PLAN));
    drop(context);
    assert_eq!(world.deleted(), ["cache bytes", "context", "runtime config", "runtime cache"]);
    assert_eq!(engine.rtx_context(&RtxContext::default()).unwrap().runtime_cache(), Ok(None));
}

#[test]
fn what_only_tensorrt_rtx_has_is_refused_by_the_others_without_a_call() {
    let world = World::new(Family::Trt11);
    let runtime = Arc::new(Runtime::new(&world.open((11, 4))).unwrap());
    let engine = Arc::new(runtime.deserialize(PLAN).unwrap());
    let failure = engine.rtx_context(&RtxContext::default()).err().unwrap();
    assert!(failure.message.contains("it needs TensorRT-RTX 1.5"), "{failure}");
    let world = World::new(Family::Trt10);
    let runtime = Arc::new(Runtime::new(&world.open((10, 9))).unwrap());
    let engine = Arc::new(runtime.deserialize(PLAN).unwrap());
    let failure = engine.rtx_context(&RtxContext::default()).err().unwrap();
    assert!(failure.message.contains("it needs TensorRT 10.11 or later"), "{failure}");
}
