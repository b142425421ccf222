//! The build phase with a fake library of each family: the right slots, the right values, and nothing left over.

use super::super::build::build;
use super::super::sys::abi::Family;
use super::fake::{PLAN, World};
use crate::backend::{BuildRequest, Payload, Progress};
use crate::config::{BuildOptions, Shape, TensorrtOptions};
use crate::engine::InputSpec;
use crate::error::Result;
use crate::inputs::ValueRange;
use crate::onnx::ModelFile;
use crate::tensor::DType;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

fn first(family: Family) -> (u32, u32) {
    family.releases().0
}

/// Builds a model of five bytes with one dynamic input; also what progress was told.
fn built(world: &World, version: (u32, u32), options: TensorrtOptions) -> (Result<Payload>, Vec<Progress>) {
    let model = ModelFile {
        bytes: b"model".to_vec(),
        sha256: String::new(),
        external: BTreeMap::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        operators: BTreeMap::new(),
    };
    let shape = Shape { min: vec![1, 3], opt: vec![4, 3], max: vec![8, 3] };
    let inputs = [InputSpec { name: "x".into(), dtype: DType::F32, shape, range: ValueRange::UnitFloat }];
    let options = BuildOptions { tensorrt: options, ..BuildOptions::default() };
    let told = Mutex::new(Vec::new());
    let tell = |progress: Progress| told.lock().unwrap().push(progress);
    let request = BuildRequest {
        model,
        path: Path::new("m.onnx"),
        inputs: &inputs,
        options: &options,
        scratch: Path::new("."),
        progress: &tell,
    };
    let payload = build(&world.open(version), &request);
    (payload, told.into_inner().unwrap())
}

#[test]
fn a_plan_comes_out_in_every_family_and_everything_is_deleted_in_order() {
    for family in Family::ALL {
        let world = World::new(family);
        let (payload, told) = built(&world, first(family), TensorrtOptions::default());
        let payload = payload.unwrap();
        assert_eq!(payload.parts, [("engine.plan".to_owned(), PLAN.to_vec())]);
        assert_eq!(payload.facts["profiles"], "1");
        assert_eq!(payload.facts["warnings"], "a warning");
        let (major, minor) = first(family);
        let expected = [
            format!("create builder {}", major * 10_000 + minor * 100),
            "parse 5 m.onnx".into(),
            "x 0 [1, 3]".into(),
            "x 1 [4, 3]".into(),
            "x 2 [8, 3]".into(),
            "delete plan".into(),
            "delete config".into(),
            "delete parser".into(),
            "delete network".into(),
            "delete builder".into(),
        ];
        assert_eq!(world.calls(), expected, "{family:?}");
        // TensorRT 10 is weakly typed unless asked; the others have only the one kind, whose bit is another one.
        assert_eq!(world.number("network flags"), Some(if family == Family::Trt10 { 0 } else { 1 }));
        let inner = told.iter().find(|p| p.steps == 8 && p.step == 4).unwrap();
        assert_eq!(inner.doing, "Building > Tactics");
    }
}

#[test]
fn options_reach_the_slots_and_values_of_each_family() {
    for (family, typed, compatible) in [(Family::Trt10, 2, 13), (Family::Trt11, 1, 12), (Family::Rtx1, 1, 12)]
    {
        let world = World::new(family);
        let options = TensorrtOptions {
            strongly_typed: Some(true),
            version_compatible: Some(true),
            tf32: Some(false),
            workspace: Some(1 << 30),
            max_aux_streams: Some(3),
            profiles: Some(vec![BTreeMap::from([("x".to_owned(), Shape::fixed(vec![2, 3]))])]),
            ..TensorrtOptions::default()
        };
        built(&world, first(family), options).0.unwrap();
        assert_eq!(world.number("network flags"), Some(typed), "{family:?}");
        assert_eq!(world.number(&format!("flag({compatible})")), Some(1), "{family:?}");
        assert_eq!(world.number("flag(6)"), Some(0));
        assert_eq!((world.number("pool(0)"), world.number("aux")), (Some(1 << 30), Some(3)));
        assert_eq!(world.number("profiles"), Some(2));
    }
}

#[test]
fn precisions_exist_in_tensorrt_10_alone() {
    let options = || TensorrtOptions { precisions: Some(vec!["fp16".into()]), ..TensorrtOptions::default() };
    let world = World::new(Family::Trt10);
    built(&world, (10, 0), options()).0.unwrap();
    assert_eq!(world.number("flag(0)"), Some(1));
    for family in [Family::Trt11, Family::Rtx1] {
        let world = World::new(family);
        let failure = built(&world, first(family), options()).0.err().unwrap();
        assert!(failure.message.contains("build option `precisions`"), "{failure}");
        assert!(failure.message.contains("is strongly typed"), "{failure}");
    }
}

#[test]
fn a_function_that_the_release_does_not_have_is_never_called() {
    let options = || TensorrtOptions { max_tactics: Some(5), ..TensorrtOptions::default() };
    let world = World::new(Family::Trt10);
    let failure = built(&world, (10, 3), options()).0.err().unwrap();
    assert!(failure.message.contains("build option `max-tactics`"), "{failure}");
    assert!(failure.message.contains("TensorRT 10.3.0.1"), "{failure}");
    assert!(failure.message.contains("it needs TensorRT 10.4 or later"), "{failure}");
    assert_eq!(world.number("tactics"), None);
    built(&world, (10, 4), options()).0.unwrap();
    assert_eq!(world.number("tactics"), Some(5));
}

#[test]
fn what_the_parser_and_the_builder_say_is_the_failure() {
    for family in Family::ALL {
        let mut world = World::new(family);
        world.parse_errors = vec![
            (c"conv_1".into(), c"Conv".into(), 8, c"no such kernel".into()),
            (c"".into(), c"Loop".into(), 99, c"too deep".into()),
        ];
        let failure = built(&world, first(family), TensorrtOptions::default()).0.err().unwrap();
        let says = "node `conv_1` (Conv): no such kernel [UNSUPPORTED_NODE]; node 7 (Loop): too deep [99]";
        assert!(failure.message.contains(says), "{failure}");

        let mut world = World::new(family);
        world.build_error = Some(c"Error Code 10: no implementation".into());
        let failure = built(&world, first(family), TensorrtOptions::default()).0.err().unwrap();
        let says = "the engine was not built: Error Code 10: no implementation";
        assert!(failure.message.contains(says), "{failure}");
        assert_eq!(world.calls().last().unwrap(), "delete builder");
    }
}

#[test]
fn an_input_without_a_shape_in_a_profile_is_named() {
    let world = World::new(Family::Trt11);
    let options = TensorrtOptions { profiles: Some(vec![BTreeMap::new()]), ..TensorrtOptions::default() };
    let failure = built(&world, (11, 0), options).0.err().unwrap();
    assert!(failure.message.contains("profile 1 has no shape for the dynamic input `x`"), "{failure}");
}
