//! Terminals of 80 and 100 columns: no line is longer, no word is broken.

use crate::support::{QUICK_ARGS, Ran, Sandbox, model};
use std::process::Command;

const ID: &str = "demo/ranker-of-products/default/latency";

/// A repository with a baseline and a change that a check sees.
fn measured() -> Sandbox {
    let s = Sandbox::package(&model("ranker-of-products", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run(".", &["run", "--save-baseline", "--max-latency", "1s"]).says(0, &[ID]);
    s.run(".", &["run", "--save-baseline=before", "--processes", "3"]).says(0, &[ID]);
    s.commit(".", "baseline");
    s.edit("Cargo.toml", "path = ", "debug-extra-work = \"300%\"\npath = ");
    s
}

fn at(s: &Sandbox, columns: usize, args: &[&str]) -> Ran {
    let mut command = s.command(".", args);
    command.env("COLUMNS", columns.to_string());
    Ran::of(command)
}

/// Every line has room, but for one that is a single word, or a word after its label.
#[track_caller]
fn fits(text: &str, columns: usize, what: &str) {
    for line in text.lines() {
        let long = line.chars().count();
        assert!(long <= columns || line.split_whitespace().count() == 1, "{long} columns of {what}: {line}");
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let s = measured();
    for columns in [80, 100] {
        for args in [
            &["run", "--verbose"][..],
            &["run", "--quiet", "--baseline", "before", "--max-latency", "1ns"],
            &["run", "--list"],
            &["check", "--base", "HEAD", "--pairs", "3"],
            &["discover", "--grid", "streams=1,2", "--max-latency", "1s", "--verbose"],
            &["discover", "--grid", "streams=1", "--shape", "featurs:1x64"],
            &["compare", "HEAD", "before"],
            &["compare", "HEAD", "before", "HEAD"],
            &["baseline", "list", "--long"],
            &["baseline", "show", "before"],
            &["baseline", "prune", "--keep", "1", "--dry-run"],
            &["history", "ranker"],
            &["memory"],
            &["build", "--verbose"],
            &["layers"],
            &["doctor"],
            &["init"],
            &["run", "--config", "procesess=3"],
            &["run", "rankre"],
        ] {
            let ran = at(&s, columns, args);
            ran.silent_on(&["panicked"]);
            for text in [&ran.out, &ran.err] {
                fits(text, columns, &args.join(" "));
            }
        }
    }
}

#[test]
fn folded_text_has_the_same_words() {
    let s = measured();
    for args in [
        &["run", "--config", "procesess=3"][..],
        &["run", "rankre"],
        &["compare", "HEAD", "nothing"],
        &["layers"],
        &["doctor"],
        &["baseline", "prune", "--keep", "1", "--dry-run"],
        &["run", "--shape", "featurs:1x64"],
    ] {
        let whole = s.run(".", args);
        for columns in [80, 100] {
            let folded = at(&s, columns, args);
            let both = [(&folded.out, &whole.out), (&folded.err, &whole.err)];
            for (folded, whole) in both.into_iter().filter(|_| args[0] != "doctor") {
                assert_eq!(words(folded), words(whole), "{args:?}");
            }
            // What doctor measures differs from run to run.
            assert!(folded.out.contains("backends") == whole.out.contains("backends"), "{folded}");
        }
    }
}

#[test]
fn help_fits_and_says_the_same() {
    let s = Sandbox::new();
    let verbs: Vec<String> = at(&s, 100, &["--help"])
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| words(line)[0].to_owned())
        .collect();
    assert!(verbs.len() > 15 && verbs.contains(&"check".to_owned()), "{verbs:?}");
    let of_verbs = verbs.iter().map(|verb| vec![verb.as_str(), "--help"]);
    let of_verbs = of_verbs.filter(|args| args[0] != "help");
    for args in of_verbs.chain([vec!["--help"], vec!["baseline", "accept", "--help"], vec!["run", "-h"]]) {
        let [narrow, wide] = [80, 100].map(|columns| {
            let ran = at(&s, columns, &args);
            ran.says(0, &["Usage: cargo trt-perf"]);
            fits(&ran.out, columns, &args.join(" "));
            ran.out
        });
        assert_eq!(words(&narrow), words(&wide), "{args:?}");
    }
}

/// Runs the program in a terminal of so many columns, and returns what that shows.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
try:
    while part := os.read(fd, 65536):
        shown += part
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
"#;

#[test]
fn a_real_terminal_gets_lines_of_its_width() {
    let s = measured();
    let python = Command::new("python3").arg("--version").output();
    if python.is_err() {
        return eprintln!("skipped: there is no python3");
    }
    for columns in ["80", "100"] {
        for args in
            [&["run", "--quiet", "--baseline", "before"][..], &["baseline", "list"], &["run", "rankre"]]
        {
            let program = crate::support::program();
            let mut command = Command::new("python3");
            command.args(["-c", TERMINAL, columns]).arg(program).arg("trt-perf").args(args);
            s.shield(&mut command, ".");
            let ran = Ran::of(command);
            let plain = anstream::adapter::strip_str(&ran.out).to_string();
            assert!(
                plain.contains("ranker-of-products") || plain.contains("1 case") || plain.contains("commit"),
                "{ran}"
            );
            fits(&plain, columns.parse().expect("a number"), &args.join(" "));
        }
    }
}

#[test]
fn how_long_it_takes_is_told_before_and_after_each_case() {
    let s = Sandbox::package(&(model("a", "mlp.onnx") + &model("b", "mlp.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    // Two processes of 40 ms each.
    let ran = s.run(".", &["run"]);
    ran.says(0, &["measuring takes about 1 s (40 ms a process), and building and loading on top"]);
    assert_eq!(ran.err.matches("1 of 2 done; about ").count(), 1, "{ran}");
    s.run(".", &["run", "--quiet"]).silent_on(&["takes", "left"]);
    let (ran, messages) = s.run_json(".", &["run"]);
    assert!(ran.err.is_empty() && messages.len() > 4, "{ran}");
    s.run(".", &["discover", "--grid", "streams=1", "--grid", "threads=1", "demo/a"])
        .says(0, &["measuring takes at most about 1 s (1 cell, 3 rounds; "]);
    s.run(
        ".",
        &[
            "calibrate",
            "demo/a/default/latency",
            "--sessions",
            "5",
            "--pairs",
            "3",
            "--measure",
            "5ms",
            "--warm-up",
            "0ms",
        ],
    )
    .says(0, &["measuring takes about 1 s (5 ms a process)"]);
    s.init_git(".");
    s.commit(".", "first");
    s.edit("Cargo.toml", "path = ", "debug-extra-work = \"300%\"\npath = ");
    let ran = s.run(".", &[&["check", "--base", "HEAD", "--pairs", "3"], &QUICK_ARGS[2..6]].concat());
    ran.says(100, &["measuring takes about 1 s (40 ms a process), and building, loading and confirming"]);
    assert_eq!(ran.err.matches("1 of 2 done; about ").count(), 1, "{ran}");
    s.run(".", &["check", "--base", "HEAD", "demo/a"])
        .says(100, &["measuring takes at most about 2 s (40 ms a process, 20 pairs a case"]);
}
