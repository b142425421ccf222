//! What is asked of both arms where head says otherwise.

use super::*;
use crate::case::{BackendKind, Budget, Effort, Margins, Mode, OperatingPoint, Target, TimeFrom};
use crate::config::{BuildOptions, Place, Scenario, Shape};
use crate::units::Nanos;
use std::collections::BTreeMap;

fn case(id: &str) -> Case {
    Case {
        id: id.into(),
        model: "/base/m.onnx".into(),
        trust_plan: false,
        scenario: if id.ends_with("latency") { Scenario::Latency } else { Scenario::Throughput },
        shapes: BTreeMap::from([("x".into(), Shape::fixed(vec![1, 16]))]),
        batch_asked: false,
        batch_in_shapes: false,
        point: OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false },
        mode: Mode::default(),
        budget: Some(Budget { max_ns: 5_000_000, quantile: 0.99 }),
        max_memory: None,
        open: None,
        inputs: BTreeMap::new(),
        expect: BTreeMap::new(),
        rtol: 1e-3,
        atol: 1e-4,
        allow_non_finite: false,
        outputs: None,
        seed: 1,
        target: Target { kind: BackendKind::Cpu, tensorrt: None, gpu: 0, lane: false },
        target_why: "asked for",
        build: BuildOptions::default(),
        threads: 1,
        point_asked: false,
        meaningless: Vec::new(),
        effort: Effort {
            processes: 5,
            builds: 1,
            warm_up: Nanos(200_000_000),
            measure: Nanos(1_000_000_000),
            measure_from: TimeFrom::BuiltIn,
            time_limit: Nanos(600_000_000_000),
        },
        margins: Margins::default(),
        engine: None,
        place: Place::command_line(),
    }
}

const ID: &str = "shop/small/default/latency";

/// A file holds its own path, but for the first folder: the same file in both trees is the same.
fn contents(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    Some(text.trim_start_matches("/base").trim_start_matches("/head").to_owned())
}

fn only(base: Case, head: Case) -> Both {
    let found = pair(&[base], &[head], &contents);
    let [Pairing::Both(both)] = found.as_slice() else { panic!("{found:?}") };
    (**both).clone()
}

fn words(all: &[Changed]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn what_answers_is_heads_and_all_else_is_the_bases() {
    let mut head = case(ID);
    head.model = "/head/other.onnx".into();
    head.threads = 4;
    head.build.optimize = !head.build.optimize;
    head.shapes.get_mut("x").expect("there").max = vec![8, 16];
    let both = only(case(ID), head.clone());
    assert_eq!((&both.head.model, both.head.threads, &both.head.build), (&head.model, 4, &head.build));
    assert_eq!(both.head.shapes, head.shapes, "the range is how the engine is built");
    assert!(both.redefined.is_empty() && both.settings.is_empty() && both.apart.is_none());
}

#[test]
fn another_definition_is_told_and_not_asked() {
    type Edit = fn(&mut Case);
    let edits: [(Edit, &str); 9] = [
        (|c| c.budget = Some(Budget { max_ns: 50_000_000, quantile: 0.99 }), "max-latency 5 ms → 50 ms"),
        (|c| c.budget = None, "max-latency 5 ms → none"),
        (|c| c.budget = Some(Budget { max_ns: 5_000_000, quantile: 0.5 }), "percentile 99 → 50"),
        (|c| c.seed = 2, "seed 1 → 2"),
        (|c| c.point.streams = 2, "streams 1 → 2"),
        (|c| c.mode.transfers = false, "transfers true → false"),
        (|c| drop(c.inputs.insert("x".into(), "/head/x.npy".into())), "input x seeded → x.npy (/x.npy)"),
        (|c| drop(c.shapes.insert("x".into(), Shape::fixed(vec![1, 8]))), "shape of x 1x16 → 1x8"),
        (|c| c.shapes.clear(), "shape of x 1x16 → the model's"),
    ];
    for (edit, told) in edits {
        let mut head = case(ID);
        edit(&mut head);
        let both = only(case(ID), head);
        assert_eq!(words(&both.redefined), [told]);
        let (asked, base) = (&both.head, case(ID));
        assert_eq!((asked.budget, asked.seed, asked.point), (base.budget, base.seed, base.point), "{told}");
        assert_eq!((asked.mode, &asked.inputs, &asked.shapes), (base.mode, &base.inputs, &base.shapes));
    }
}

#[test]
fn another_judgement_is_told_and_not_used() {
    let mut head = case(ID);
    head.margins = Margins { value_frac: 0.99, tail_frac: 0.99 };
    head.effort.measure = Nanos(1_000_000);
    head.rtol = 1.0;
    let both = only(case(ID), head);
    let told = ["margin 1% → 99%", "tail-margin 3% → 99%", "measure 1 s → 1 ms", "rtol 0.001 → 1"];
    assert_eq!(words(&both.settings), told);
    assert!(both.redefined.is_empty());
    assert_eq!((both.head.margins, both.head.effort), (case(ID).margins, case(ID).effort));
}

#[test]
fn the_same_file_in_both_trees_is_no_change_and_another_under_its_name_is() {
    let with = |path: &str| {
        let mut case = case(ID);
        case.inputs.insert("x".into(), path.into());
        case
    };
    assert!(only(with("/base/x.npy"), with("/head/x.npy")).redefined.is_empty());
    let moved = only(with("/base/x.npy"), with("/head/y/x.npy"));
    assert_eq!(words(&moved.redefined), ["input x x.npy (/x.npy) → x.npy (/y/x.npy)"]);
    let unreadable = |_: &Path| None;
    let found = pair(&[with("/base/x.npy")], &[with("/head/x.npy")], &unreadable);
    let [Pairing::Both(both)] = found.as_slice() else { panic!("{found:?}") };
    assert!(both.redefined.is_empty(), "which of them fails is for the measurement to say");
}

#[test]
fn another_backend_or_gpu_is_clear_before_anything_is_measured() {
    let on = |kind, gpu| Case { target: Target { kind, tensorrt: None, gpu, lane: false }, ..case(ID) };
    let apart = |base, head| only(base, head).apart.map(|why| why.to_string());
    let tensorrt = |gpu| on(BackendKind::Tensorrt, gpu);
    let backend = apart(on(BackendKind::Cpu, 0), tensorrt(0));
    assert_eq!(backend.as_deref(), Some("backend tensorrt against cpu"));
    assert!(apart(tensorrt(0), tensorrt(1)).is_some());
    assert_eq!(apart(on(BackendKind::Cpu, 0), on(BackendKind::Cpu, 1)), None);
}

#[test]
fn a_case_that_is_gone_is_a_row_with_what_it_may_be_called_now() {
    let likely = |new: &[&str]| -> Option<String> {
        let head: Vec<Case> = new.iter().map(|id| case(id)).collect();
        let found = pair(&[case(ID)], &head, &|_: &Path| None);
        let gone = found.iter().find_map(|p| match p {
            Pairing::Removed { base, likely } if base.id == ID => Some(likely.clone()),
            _ => None,
        });
        assert_eq!(found.len(), new.len() + 1);
        gone.expect("a row")
    };
    assert_eq!(likely(&["shop/tiny/default/latency"]).as_deref(), Some("shop/tiny/default/latency"));
    assert_eq!(likely(&["store/small/default/latency"]).as_deref(), Some("store/small/default/latency"));
    let nearer = ["store/small/big/latency", "shop/small/big/latency"];
    assert_eq!(likely(&nearer).as_deref(), Some(nearer[1]));
    assert_eq!(likely(&["shop/small/default/throughput"]), None, "another scenario is another question");
    assert_eq!(likely(&[]), None);
}
