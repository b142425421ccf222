//! Tests which cells a grid has on made-up machines.

use super::*;
use crate::config::{Overrides, Project, parse_override};
use std::path::Path;

fn model(settings: &[&str], shape: &str) -> Model {
    let mut overrides = Overrides::default();
    settings.iter().for_each(|s| overrides.settings.extend(parse_override(s).unwrap()));
    overrides.shapes = vec![ShapeSpec::parse_named(shape).unwrap()];
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/cnn.onnx");
    Project::bare(file.parent().unwrap()).ad_hoc(&file, &overrides).unwrap()
}

fn host(cpus: u64) -> Host {
    Host { cpus, gpu: true, tensorrt: true }
}

fn one(settings: &[&str], shape: &str, asked: &[&str], cpus: u64) -> Result<Grid> {
    let asked = AskedAxes::parse(&asked.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())?;
    Ok(grids(&[model(settings, shape)], &asked, host(cpus))?.remove(0))
}

/// Streams × threads of the cells of the first batch.
fn pairs(grid: &Grid) -> Vec<(u64, u64)> {
    let first = grid.cells[0].point.batch;
    grid.cells.iter().filter(|c| c.point.batch == first).map(|c| (c.point.streams, c.threads)).collect()
}

#[test]
fn a_cpu_is_shared_by_sessions_and_their_threads() {
    let cpu = ["backend=cpu"];
    let fixed = "image:1x3x32x32";
    assert_eq!(pairs(&one(&cpu, fixed, &[], 1).unwrap()), [(1, 1)]);
    assert_eq!(pairs(&one(&cpu, fixed, &[], 2).unwrap()), [(1, 1), (1, 2), (2, 1)]);
    let six = pairs(&one(&cpu, fixed, &[], 6).unwrap());
    assert_eq!(six, [(1, 1), (1, 2), (1, 4), (1, 6), (2, 1), (2, 2), (4, 1), (6, 1)]);
    let asked = pairs(&one(&cpu, fixed, &["streams=3", "threads=1,2"], 2).unwrap());
    assert_eq!(asked, [(3, 1), (3, 2)], "who names both means it");
    assert_eq!(pairs(&one(&cpu, fixed, &["threads=4"], 2).unwrap()), [(1, 4)]);
    let configured = pairs(&one(&["backend=cpu", "streams=3", "threads=5"], fixed, &[], 2).unwrap());
    assert!(configured.contains(&(3, 5)), "what is configured is always tried: {configured:?}");
}

#[test]
fn batches_come_from_the_settings_or_from_shapes_that_name_one() {
    let batches = |settings: &[&str], shape, asked: &[&str]| {
        let grid = one(settings, shape, asked, 1).unwrap();
        let ids: Vec<String> = grid.cells.iter().map(|c| c.id.clone()).collect();
        (grid.axes.batch, ids[0].clone(), grid.cells[0].batch_asked)
    };
    let id = |segment: &str| format!("files/cnn/{segment}/throughput");
    let cpu = ["backend=cpu"];
    assert_eq!(batches(&cpu, "image:1x3x32x32", &[]), (vec![1], id("default"), false));
    assert_eq!(batches(&cpu, "image:batchx3x32x32", &[]), (vec![1, 2, 4, 8], id("b1"), true));
    let configured = ["backend=cpu", "batches=[16, 2]"];
    assert_eq!(batches(&configured, "image:batchx3x32x32", &[]), (vec![2, 16], id("b2"), true));
    assert_eq!(batches(&cpu, "image:1x3x32x32", &["batch=4"]), (vec![4], id("b4"), true));
}

#[test]
fn a_gpu_has_streams_requests_in_flight_and_graphs() {
    let grid = one(&["backend=tensorrt", "streams=3"], "image:1x3x32x32", &[], 2).unwrap();
    assert_eq!((grid.axes.streams.len(), grid.cells.len()), (4, 4 * 2 * 2));
    assert!(grid.cells.iter().any(|c| c.point.cuda_graph && c.point.in_flight == 2));
    assert_eq!(grid.axes.threads, [1]);
    let cpu = one(&["backend=cpu"], "image:1x3x32x32", &[], 2).unwrap();
    assert_eq!((cpu.axes.in_flight, cpu.axes.cuda_graph), (vec![1], vec![false]));
}

#[test]
fn what_makes_no_sense_is_named_with_its_place() {
    for (arg, says) in [
        ("streams", "`streams` is not KEY=A,B"),
        ("stream=1", "`stream` in `stream=1` is no axis; did you mean `streams`?"),
        ("batch=0", "`0` in `batch=0` is not a whole number of at least 1"),
        ("batch=1,,2", "`` in `batch=1,,2` is not"),
        ("cuda-graph=maybe", "`maybe` in `cuda-graph=maybe` is not on or off"),
    ] {
        let said = AskedAxes::parse(&[arg.to_owned()]).unwrap_err().to_string();
        assert!(said.contains("--grid") && said.contains(says), "{said}");
    }
    let twice = AskedAxes::parse(&["batch=1".into(), "batch=2".into()]).unwrap_err().to_string();
    assert!(twice.contains("given twice"), "{twice}");
    let many: Vec<String> = (1..=1001).map(|n| n.to_string()).collect();
    let asked = format!("batch={}", many.join(","));
    let said = one(&["backend=cpu"], "image:batchx3x32x32", &[&asked], 1).unwrap_err().to_string();
    assert!(said.contains("more than 1000 cells"), "{said}");
}
