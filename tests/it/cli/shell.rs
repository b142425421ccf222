//! What shells and `man` are told, and colours.

use crate::support::{QUICK_ARGS, Sandbox, files_below};

#[test]
fn completions_and_manual_pages_are_made_from_the_command_line() {
    let s = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        s.run(".", &["completions", shell]).says(0, &["check", "calibrate"]);
    }
    s.run(".", &["completions", "csh"]).says(2, &["possible values"]);
    s.run(".", &["man"]).says(0, &[".TH cargo-trt-perf 1", "completions"]);
    s.run(".", &["man", "pages"]).says(0, &[]);
    let pages = files_below(&s.path("pages"));
    assert!(pages.iter().any(|p| p.ends_with("cargo-trt-perf-check.1")) && pages.len() > 10, "{pages:?}");
    s.write("file", "");
    s.run(".", &["man", "file/pages"]).says(101, &["write manual pages in"]);
}

#[cfg(unix)]
#[test]
fn bash_takes_the_completions() {
    let s = Sandbox::new();
    let script = s.run(".", &["completions", "bash"]).out;
    s.write("c.bash", script);
    let bash = std::process::Command::new("bash").args(["-n", "c.bash"]).current_dir(s.path(".")).status();
    assert!(bash.expect("bash is there").success());
}

#[test]
fn colours_are_as_somebody_says() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    let run = |more: &[&str]| s.run(".", &[&["run", "mlp.onnx"], &QUICK_ARGS[..], more].concat());
    assert!(run(&["--color", "always"]).out.contains("\u{1b}["));
    for more in [&["--color", "never"][..], &[]] {
        assert!(!run(more).out.contains("\u{1b}["), "{more:?}: nothing here is a terminal");
    }
    run(&["--color", "blue"]).says(2, &["possible values: auto, always, never"]);
}
