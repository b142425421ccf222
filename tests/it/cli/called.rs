//! The names that the program has: it behaves the same under each, and calls itself as it was called.

use crate::support::{QUICK_ARGS, Ran, Sandbox, model, program};
use std::os::unix::fs::symlink;
use std::process::Command;

fn mlp() -> Sandbox {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    symlink(program(), s.path("trt-perf")).expect("a link");
    symlink(program(), s.path("cargo-trt-perf")).expect("a link");
    s
}

/// The program in a file of the sandbox, with these arguments and none of cargo's.
fn named(s: &Sandbox, file: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(s.path(file));
    command.args(args);
    s.shield(&mut command, ".");
    Ran::of(command)
}

#[test]
fn every_name_does_the_same_and_hints_can_be_typed() {
    let s = mlp();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["check", "--help"],
        &["run", "--list"],
        &["run", "nothing"],
        &["run", "--porcesses", "3"],
        &["cehck"],
        &["baseline", "list"],
        &["history", "mlp"],
        &["completions", "bash"],
        &["man"],
    ] {
        let by_cargo = s.run(".", args);
        for name in ["cargo-trt-perf", "trt-perf"] {
            let ran = named(&s, name, args);
            assert_eq!(ran.code, by_cargo.code, "{args:?}\n{ran}");
            // Names differ in length, so lines of the help break elsewhere.
            let words = |ran: &Ran| {
                let text = format!("{} {}", ran.out, ran.err);
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            if !matches!(args[0], "completions" | "man") {
                assert_eq!(words(&ran), words(&by_cargo).replace("cargo trt-perf", name), "{name} {args:?}");
            }
            ran.silent_on(&["cargo trt-perf"]);
        }
    }
    named(&s, "trt-perf", &["run", "nothing"]).says(4, &["list them with `trt-perf run --list`"]);
    named(&s, "trt-perf", &["check", "--help"]).says(0, &["Usage: trt-perf check", "`trt-perf baseline"]);
    named(&s, "cargo-trt-perf", &["cehck"])
        .says(2, &["a similar subcommand exists: 'check'", "Usage: cargo-trt-perf"]);
    named(&s, "trt-perf", &["completions", "bash"]).says(0, &["complete -F ", " trt-perf\n"]);
    named(&s, "trt-perf", &["man", "pages"]).says(0, &[]);
    assert!(s.path("pages/trt-perf-check.1").is_file());
}

#[test]
fn a_copy_measures_without_cargo() {
    let s = mlp();
    std::fs::remove_file(s.path("trt-perf")).expect("the link");
    std::fs::copy(program(), s.path("trt-perf")).expect("a copy");
    named(&s, "trt-perf", &[&["run", "mlp.onnx"], &QUICK_ARGS[..]].concat())
        .says(0, &["files/mlp/default/latency", "nothing to compare with: "]);
}

#[test]
fn cargo_finds_it() {
    // Only where cargo runs this test.
    let Some(cargo) = std::env::var_os("CARGO") else { return eprintln!("skipped: there is no cargo") };
    let s = mlp();
    let mut command = Command::new(cargo);
    command.args(["trt-perf", "run", "nothing"]);
    s.shield(&mut command, ".");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", s.path(".").display()));
    Ran::of(command).says(4, &["list them with `cargo trt-perf run --list`"]);
}
