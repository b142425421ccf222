//! The build phase in every family: the right slots, the right values, and nothing left over.

use super::{build, build_in, failure, has_driver, program};
use crate::support::installed::{Calls, Installed};
use crate::support::{Ran, Sandbox, sample};
use trt_perf::engine;

/// The first release of each family, and the number that it gives itself.
const FIRST: [(&str, u32); 3] = [
    ("libnvinfer.so.10.0.0", 100_000),
    ("libnvinfer.so.11.0.0", 110_000),
    ("libtensorrt_rtx.so.1.5.0", 10_500),
];

/// A model with one dynamic input `x`.
const MODEL: &str = "half.onnx";
const SHAPE: [&str; 2] = ["--shape", "x:4x16"];

/// Builds the model with build options.
fn with(installed: &Installed, options: &[&str], fault: &str) -> Ran {
    let options = options.iter().flat_map(|o| ["--build", o]);
    build(installed, MODEL, &SHAPE.into_iter().chain(options).collect::<Vec<_>>(), fault)
}

/// The calls of a build with options, which must work.
#[track_caller]
fn calls_with(file: &str, options: &[&str]) -> Calls {
    let installed = Installed::new(file);
    with(&installed, options, "").says(0, &[]);
    let calls = installed.calls();
    calls.check_lifecycle();
    calls
}

/// A call without the number of its object.
fn plain(call: &str) -> String {
    match call.split_once('#') {
        Some((class, rest)) => class.to_owned() + rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => call.to_owned(),
    }
}

#[test]
fn a_plan_comes_out_in_every_family_and_everything_is_deleted_in_order() {
    for (file, number) in FIRST {
        let (installed, s) = (Installed::new(file), Sandbox::new());
        let ran = build_in(&s, &installed, MODEL, &SHAPE, "");
        let path = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
        let (header, parts) = engine::read(&s.path(path)).expect("an engine");
        assert_eq!(parts.len(), 1, "{file}");
        assert!(parts[0][28..].starts_with(b"plan of the test library"), "{file}");
        assert_eq!(header.facts["profiles"], "1");
        assert_eq!(header.facts["warnings"], "the test library builds nothing");
        let calls = installed.calls();
        let told: Vec<String> = calls.0.iter().map(|(_, c)| plain(c)).collect();
        let wanted = |c: &&String| {
            let last = c.rsplit(' ').next();
            c.starts_with("createInferBuilder")
                || c.contains("parse(")
                || c.contains("setDimensions")
                || last == Some("-")
        };
        let told: Vec<&String> = told.iter().filter(wanted).collect();
        let bytes = std::fs::metadata(sample(MODEL)).expect("the model").len();
        let expected = [
            format!("createInferBuilder({number})"),
            format!("parser parse({bytes}, {})", sample(MODEL).display()),
            "profile setDimensions(x, 0, [4, 16])".into(),
            "profile setDimensions(x, 1, [4, 16])".into(),
            "profile setDimensions(x, 2, [4, 16])".into(),
            "host memory -".into(),
            "config -".into(),
            "parser -".into(),
            "network -".into(),
            "builder -".into(),
        ];
        assert_eq!(told, expected.iter().collect::<Vec<_>>(), "{file}");
        // TensorRT 10 is weakly typed unless asked; the others have only the one kind, whose bit is another one.
        let flags = if number == 100_000 { 0 } else { 1 };
        assert!(calls.has(&format!("createNetworkV2({flags})")), "{file}: {calls:#?}");
    }
}

#[test]
fn options_reach_the_slots_and_values_of_each_family() {
    let options = [
        "strongly-typed=true",
        "version-compatible=true",
        "tf32=false",
        "workspace=1GiB",
        "max-aux-streams=3",
        "profiles=[{x=[2,16]}]",
    ];
    for ((file, _), (typed, compatible)) in FIRST.into_iter().zip([(2, 13), (1, 12), (1, 12)]) {
        let calls = calls_with(file, &options);
        for call in [
            format!("createNetworkV2({typed})"),
            format!("setFlag({compatible})"),
            "clearFlag(6)".into(),
            "setMemoryPoolLimit(0, 1073741824)".into(),
            "setMaxAuxStreams(3)".into(),
        ] {
            assert!(calls.has(&call), "{file}: no {call} in {calls:#?}");
        }
        assert_eq!(
            calls.of("config").iter().filter(|c| **c == "addOptimizationProfile").count(),
            2,
            "{file}"
        );
    }
}

#[test]
fn precisions_exist_in_tensorrt_10_alone() {
    assert!(calls_with(FIRST[0].0, &["precisions=[\"fp16\"]"]).has("setFlag(0)"));
    for (file, _) in &FIRST[1..] {
        let (_, message, _) = failure(&with(&Installed::new(file), &["precisions=[\"fp16\"]"], ""));
        assert!(message.contains("build option `precisions`"), "{message}");
        assert!(message.contains("is strongly typed"), "{message}");
    }
}

#[test]
fn a_function_that_the_release_does_not_have_is_never_called() {
    let installed = Installed::new("libnvinfer.so.10.3.0");
    let (_, message, _) = failure(&with(&installed, &["max-tactics=5"], ""));
    assert!(message.contains("build option `max-tactics`"), "{message}");
    assert!(message.contains("TensorRT 10.3.0"), "{message}");
    assert!(message.contains("it needs TensorRT 10.4 or later"), "{message}");
    let calls = installed.calls();
    assert!(!calls.0.iter().any(|(_, c)| c.contains("setMaxNbTactics")), "{calls:#?}");
    assert!(calls_with("libnvinfer.so.10.4.0", &["max-tactics=5"]).has("setMaxNbTactics(5)"));
}

#[test]
fn what_the_parser_and_the_builder_say_is_the_failure() {
    for (file, _) in FIRST {
        let (_, message, _) = failure(&with(&Installed::new(file), &[], "parser-errors"));
        let says = "node `product/MatMul` (MatMul): the test library was told to refuse it [UNSUPPORTED_NODE]; \
                    node 7 (Loop): too deep [99]";
        assert!(message.contains(says), "{file}: {message}");

        let installed = Installed::new(file);
        let (_, message, _) = failure(&with(&installed, &[], "plan-null"));
        let says = "the engine was not built: Error Code 10: could not find any implementation";
        assert!(message.contains(says), "{file}: {message}");
        assert_eq!(installed.calls().0.last().map(|(_, c)| plain(c)).as_deref(), Some("builder -"), "{file}");
    }
}

#[test]
fn an_input_without_a_shape_in_a_profile_is_named() {
    let installed = Installed::new(FIRST[1].0);
    let (_, message, _) = failure(&with(&installed, &["profiles=[{other=[1,16]}]"], ""));
    assert!(message.contains("profile 1 has no shape for the dynamic input `x`"), "{message}");
}

#[test]
fn an_engine_that_is_there_already_knows_its_plugin_libraries_where_they_are_now() {
    let (installed, s) = (Installed::new(FIRST[0].0), Sandbox::new());
    let build_with = |plugin: &str| {
        s.write(plugin, "code");
        let option = format!("plugins={}", s.path(plugin).display());
        let more = [&SHAPE[..], &["--build", &option]].concat();
        let message = build_in(&s, &installed, MODEL, &more, "").says(0, &[]).message("engine");
        let (header, _) =
            engine::read(&s.path(message["engine"].as_str().expect("a path"))).expect("an engine");
        (message["cached"].as_bool(), header.facts["plugin 000"].clone())
    };
    let place = |plugin: &str| s.path(plugin).display().to_string();
    assert_eq!(build_with("old/plugin.so"), (Some(false), place("old/plugin.so")));
    std::fs::remove_file(s.path("old/plugin.so")).expect("removed");
    assert_eq!(build_with("new/plugin.so"), (Some(true), place("new/plugin.so")));
}

#[test]
fn a_library_that_registers_its_plugins_itself_is_not_given_to_the_registry() {
    // The test library exports what NVIDIA's library of plugins does.
    let installed = Installed::new(FIRST[0].0);
    let option = format!("plugins={}", installed.folder().join(FIRST[0].0).display());
    with(&installed, &[&option], "").says(0, &[]);
    let calls = installed.calls();
    calls.check_lifecycle();
    assert!(calls.has("initLibNvInferPlugins(\"\")"), "{calls:#?}");
    assert!(!calls.0.iter().any(|(_, c)| c.contains("loadLibrary")), "{calls:#?}");

    let (_, message, _) = failure(&with(&installed, &[&option], "plugins-refused"));
    let says = ["build option `plugins`", "was not loaded: no plugin, as the test library was told"];
    assert!(says.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn tactics_are_timed_on_the_gpu_that_the_engine_is_for() {
    if has_driver() {
        return;
    }
    for gpu in ["0", "1"] {
        let (installed, s) = (Installed::new(FIRST[0].0), Sandbox::new());
        let (model, folder) = (sample(MODEL).display().to_string(), installed.folder().display().to_string());
        let args = ["build", &model, "--backend", "tensorrt", "--tensorrt", &folder, "--device", gpu];
        let mut command = program(&installed, &s, &[&args[..], &SHAPE].concat(), "");
        installed.with_driver(&mut command);
        Ran::of(command).says(0, &[]);
        let calls = installed.calls();
        calls.check_lifecycle();
        assert!(calls.has(&format!("tactics on GPU {gpu}")), "{calls:#?}");
    }
}
