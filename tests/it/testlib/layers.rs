//! What an engine tells of its layers, with a library that tells it as NVIDIA's.

use super::program;
use crate::support::installed::{Installed, RELEASES};
use crate::support::{Ran, Sandbox, sample};
use std::collections::BTreeMap;
use trt_perf::engine;

/// Facts and plan of an engine built with these options.
fn built(file: &str, options: &[&str]) -> (BTreeMap<String, String>, Vec<u8>) {
    let (installed, s) = (Installed::new(file), Sandbox::new());
    let (model, folder) =
        (sample("mlp.onnx").display().to_string(), installed.folder().display().to_string());
    let options = options.iter().flat_map(|o| ["--build", o]);
    let args = ["build", &model, "--backend", "tensorrt", "--tensorrt", &folder, "--message-format", "json"];
    let mut command = program(&installed, &s, &args.into_iter().chain(options).collect::<Vec<_>>(), "");
    command.env("TRT_PERF_TESTLIB_HOST", "1");
    let ran = Ran::of(command);
    let path = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
    let (header, mut parts) = engine::read(&s.path(path)).expect("an engine");
    installed.calls().check_lifecycle();
    (header.facts, parts.remove(0))
}

#[test]
fn engines_with_details_are_known_by_their_tactics() {
    const DETAILED: &str = "profiling-verbosity=detailed";
    for file in RELEASES {
        let (one, plan) = built(file, &[DETAILED]);
        let (two, other_plan) = built(file, &[DETAILED, "workspace=1048576"]);
        assert_ne!(plan, other_plan, "{file}: the bytes differ");
        assert_eq!(one.get(engine::TACTICS).map(String::len), Some(64), "{file}: {one:?}");
        assert_eq!(one[engine::TACTICS], two[engine::TACTICS], "{file}: the tactics do not");
        let (without, _) = built(file, &[]);
        assert!(!without.keys().any(|fact| fact.contains(engine::TACTICS)), "{file}: {without:?}");
    }
}
