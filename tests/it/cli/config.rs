//! Mistakes in the configuration: all of them at once, each with its package, table and key, and what was meant.

use crate::support::{QUICK, QUICK_ARGS, Sandbox, model};

#[test]
fn every_mistake_is_named_in_one_run() {
    let s = Sandbox::new();
    s.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\"]\n\
         [workspace.metadata.trt-perf]\nprocesses = 0\nmeazure = \"1s\"\n[[workspace.metadata.trt-perf.model]]\nname = \"m\"\n",
    );
    let variants = "[[package.metadata.trt-perf.model.variant]]\nname = \"v\"\n\
                    [[package.metadata.trt-perf.model.variant]]\nname = \"v\"\n\
                    [[package.metadata.trt-perf.model.variant]]\nbatches = []\n";
    let a = "[package.metadata.trt-perf]\nmax-latncy = \"5ms\"\nscenarios = [\"latncy\"]\n".to_owned()
        + &model("same", "mlp.onnx")
        + "max-latency = \"0ms\"\nbuild = { optimise = true }\n"
        + &model("same", "mpl.onnx")
        + "shapes = { x = [0], y = { min = [2], opt = [1], max = [3] } }\n"
        + "[[package.metadata.trt-perf.model]]\npath = 7\nbackend = \"tpu\"\n"
        + &model("with/slash", "mlp.onnx")
        + &model("varied", "mlp.onnx")
        + variants;
    let b =
        "[package.metadata.trt-perf]\npercentile = 101\nseed = -1\natol = -0.5\nallow-non-finite = \"yes\"\n"
            .to_owned()
            + &model("files", "../a/mlp.onnx")
            + "inputs = { x = \"none.npy\", y = true }\nexpect = \"all\"\nwarm-up = 5\n";
    s.add_package("a", "a", &a);
    s.add_package("b", "b", &b);
    s.copy("mlp.onnx", "a/mlp.onnx");
    let ran = s.run("b/src", &["run"]);
    ran.says(2, &["error: 25 problems:"]);
    let (root, a, b) = (s.path("Cargo.toml"), s.path("a/Cargo.toml"), s.path("b/Cargo.toml"));
    let workspace = format!("{}, [workspace.metadata.trt-perf], key ", root.display());
    let a_table = format!("package `a`, {}, [package.metadata.trt-perf], key ", a.display());
    let a_model = format!("package `a`, {}, [[package.metadata.trt-perf.model]] ", a.display());
    let b_table = format!("package `b`, {}, [package.metadata.trt-perf], key ", b.display());
    let b_model =
        format!("package `b`, {}, [[package.metadata.trt-perf.model]] \"files\", key ", b.display());
    let model = format!("{}, [[workspace.metadata.trt-perf.model]] \"m\", key ", root.display());
    let mut named =
        vec![format!("{model}`path`: is needed: a model has a name and the path of its .onnx file")];
    for (place, says) in [
        (&workspace, "`processes`: is the number 0, where a whole number of at least 1 is meant"),
        (&workspace, "`meazure`: is not a key of this table; did you mean `measure`?"),
        (&a_table, "`max-latncy`: is not a key of this table; did you mean `max-latency`?"),
        (&a_table, "`scenarios`: `latncy` is not a scenario; did you mean `latency`?"),
        (&a_model, "\"same\", key `max-latency`: `0ms` must be above zero, such as \"5ms\""),
        (&a_model, "\"same\" build, key `optimise`: is not a key of this table; did you mean `optimize`?"),
        (
            &a_model,
            "\"same\", key `name`: another model of this package has the same name; names must differ",
        ),
        (&a_model, "\"same\", key `shapes`: input `x` has 0 as a dimension; use 1 to 2147483647"),
        (&a_model, "#3, key `name`: is needed"),
        (&a_model, "#3, key `path`: is the number 7, where a text is meant"),
        (
            &a_model,
            "#3, key `backend`: `tpu` is not a backend; use auto, cpu, tensorrt, cuda, trtexec, command or gpu-command",
        ),
        (&a_model, "\"with/slash\", key `name`: is \"with/slash\"; a name is not empty and has no slash"),
        (&a_model, "\"varied\" variant, key `name`: another variant of this model has the same name"),
        (&a_model, "\"varied\" variant, key `name`: is needed: it becomes part of the case's id"),
        (&a_model, "\"varied\" variant, key `batches`: is an empty list"),
        (&b_table, "`percentile`: is 101; a percentile is from 50 to below 100"),
        (&b_table, "`seed`: is the number -1, where a whole number of at least 0 is meant"),
        (&b_table, "`atol`: is -0.5; a tolerance is zero or more"),
        (&b_table, "`allow-non-finite`: is the text \"yes\", where true or false is meant"),
        (
            &b_model,
            "`inputs`: tensor `y` is the boolean true, where a text is meant: the path of a .npy file",
        ),
        (&b_model, "`inputs`: there is no file "),
        (&b_model, "`expect`: is the text \"all\", where a table is meant"),
        (&b_model, "`warm-up`: `5` has no unit; write it like"),
    ] {
        named.push(format!("{place}{says}"));
    }
    let missing = format!(
        "{a_model}\"same\", key `path`: there is no file {}; did you mean mlp.onnx?",
        s.path("a/mpl.onnx").display()
    );
    named.push(missing);
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    for text in named {
        assert!(ran.err.contains(text), "no {text:?} in\n{ran}");
    }
    assert!(!s.path("target").exists(), "nothing is measured with a configuration in doubt");
}

#[test]
fn the_command_line_is_checked_like_a_table() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    for (args, says) in [
        (
            &["--config", "proceses=3"][..],
            "--config proceses: is not a key of this table; did you mean `processes`?",
        ),
        (&["--config", "build.optimise=true"], "did you mean `optimize`?"),
        (&["--config", "inputs.x=3"], "--config inputs: is not a key of this table"),
        (&["--config", "processes"], "--config: `processes` is not KEY=VALUE; write it like processes=10"),
        (
            &["--config", "#processes=3"],
            "--config: `#processes=3` is not a setting; write it like processes=10",
        ),
        (&["--processes", "0"], "--processes: is the number 0"),
        (&["--processes", "many"], "--processes: is the text \"many\""),
        (&["--measure", "5"], "--measure: `5` has no unit; write it like"),
        (&["--measure", "5 parsecs"], "`parsecs` is not a unit of time; use ns, us, ms, s, min or h"),
        (&["--max-latency", "-1ms"], "--max-latency: "),
        (&["--scenario", "speed"], "`speed` is not a scenario; use latency, throughput or capacity"),
        (&["--backend", "cpuu"], "did you mean `cpu`?"),
        (&["--input", "x"], "--input: `x` is not NAME=FILE"),
        (&["--expect", "=x"], "--expect: `=x` is not NAME=FILE"),
        (&["--quiet", "--verbose"], "cannot be used with"),
        (&["--no-such-option"], "unexpected argument"),
    ] {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        // A value that begins with a minus sign needs an equals sign.
        let joined = [format!("{}={}", args[0], args.get(1).map_or("", String::as_str))];
        let args = if args.len() == 2 && args[0] != "--quiet" { &joined[..] } else { &args[..] };
        let args: Vec<&str> = std::iter::once("run").chain(args.iter().map(String::as_str)).collect();
        s.run(".", &args).says(2, &[says]);
    }
    s.run(".", &["no-such-verb"]).says(2, &["unrecognized subcommand"]);
    s.run(".", &["--version"]).says(0, &[env!("CARGO_PKG_VERSION")]);
    s.run(".", &["run", "--help"]).says(0, &["--message-format", "--save-baseline"]);
    s.run(".", &["--help"]).says(0, &["Exit codes:", "130  stopped by Ctrl-C"]);
}

#[test]
fn a_manifest_that_cargo_cannot_read_is_passed_on() {
    let s = Sandbox::package("");
    s.write("Cargo.toml", "[package\nname = 3");
    let manifest = s.path("Cargo.toml").display().to_string();
    s.run(".", &["run"]).says(2, &["cargo cannot read this project", "next: run `cargo metadata --no-deps`"]);
    s.run("src", &["run", "--manifest-path", &manifest]).says(2, &["cargo cannot read this project"]);
    s.run(".", &["run", "--manifest-path", "none/Cargo.toml"]).says(2, &["none/Cargo.toml"]);
}

#[test]
fn a_manifest_elsewhere_can_be_named() {
    let s = Sandbox::new();
    s.add_package(
        "here",
        "demo",
        &format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{}", model("mlp", "mlp.onnx")),
    );
    s.copy("mlp.onnx", "here/mlp.onnx");
    s.run(".", &["run", "--list", "--manifest-path", "here/Cargo.toml"])
        .says(0, &["demo/mlp/default/latency"]);
}

#[test]
fn a_package_without_models_says_how_to_add_one() {
    let s = Sandbox::package("");
    s.run(".", &["run"]).says(4, &["no model is configured in this workspace", "cargo trt-perf init"]);
}

#[test]
fn the_nearest_setting_wins() {
    let s = Sandbox::new();
    s.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"a\"]\n[workspace.metadata.trt-perf]\nprocesses = 1\nthreads = 2\nscenarios = [\"latency\"]\nmeasure = \"30ms\"\nwarm-up = \"1ms\"\n");
    let tables = "[package.metadata.trt-perf]\nprocesses = 2\nmax-latency = \"1s\"\n".to_owned()
        + &model("plain", "half.onnx")
        + "shapes = { x = [1, 16] }\n"
        + &model("own", "half.onnx")
        + "max-latency = \"2s\"\nthreads = 1\nbatches = [1, 3]\n"
        + "[[package.metadata.trt-perf.model.variant]]\nname = \"v\"\nmax-latency = \"3s\"\nbatches = 2\nshapes = { x = [\"batch\", 16] }\n";
    s.add_package("a", "a", &tables);
    s.copy("half.onnx", "a/half.onnx");
    s.run(".", &["run", "--percentile", "95"]).says(0, &["2 cases"]);
    let record = s.record("target");
    for (id, processes, threads, budget_s, shape) in
        [("a/plain/default/latency", 2, 2, 1, "1x16"), ("a/own/v-b2/latency", 2, 1, 3, "2x16")]
    {
        let case = &record.cases[id];
        assert_eq!((case.processes.len(), case.engine.threads), (processes, threads), "{id}");
        let budget = case.budget.expect("a budget");
        assert_eq!((budget.max_ns, budget.quantile), (budget_s * 1_000_000_000, 0.95), "{id}");
        assert_eq!(case.shapes["x"], shape, "{id}");
    }
}

#[test]
fn batches_without_a_batch_to_fill_are_a_mistake_with_its_place() {
    let s = Sandbox::package(&(model("mlp", "mlp.onnx") + "batches = [1, 8]\n"));
    s.copy("mlp.onnx", "mlp.onnx");
    let place = format!(
        "package `demo`, {}, [[package.metadata.trt-perf.model]] \"mlp\": ",
        s.path("Cargo.toml").display()
    );
    s.run(".", &["run"]).says(
        2,
        &[&place, "`batches` is set, but no input has a batch to fill in", "next: take `batches` out"],
    );
    s.copy("half.onnx", "half.onnx");
    s.run(".", &[&["run", "half.onnx", "half.onnx"], &QUICK_ARGS[..]].concat())
        .says(2, &["two cases have the id files/half/default/latency"]);
}
