//! The tutorial as a newcomer types it: its shell blocks in order, in an empty folder, with the exit codes and the lines
//! that it shows. Numbers and their units are free; lines with `…` alone stand for anything.

use super::{Block, blocks, root};
use crate::support::{Ran, Sandbox, program};
use std::os::unix::fs::symlink;
use std::process::Command;

/// The chapter's folder for its repository.
const SHOP: &str = "shop";

/// Runs a block, in the repository as soon as it is there.
fn run(s: &Sandbox, block: &Block) -> Ran {
    let folder = if s.path(SHOP).exists() { SHOP } else { "." };
    let path = std::env::var("PATH").expect("a PATH");
    let mut bash = Command::new("bash");
    s.shield(&mut bash, folder);
    bash.args(["-e", "-c", &block.text]);
    bash.env("PATH", format!("{}:{path}", s.path("bin").display())).env("GIT_CONFIG_GLOBAL", "/dev/null");
    Ran::of(bash)
}

/// The exit code that a block says its last command has.
fn code(block: &Block) -> i32 {
    let stated = block.text.split("# exit code ").nth(1);
    stated.map_or(0, |rest| rest.trim().parse().expect("a number ends the block"))
}

/// A line as words, with one `#` for everything that differs from run to run.
fn words(line: &str) -> Vec<&str> {
    const FREE: [&str; 13] =
        ["ns", "µs", "ms", "s", "%", "KiB", "MiB", "inf/s", "Kinf/s", "→", "=", "<", "mean"];
    let free = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit()) || FREE.contains(&word.trim_end_matches([']', ')', ',']))
    };
    let mut words: Vec<&str> = line.split_whitespace().map(|w| if free(w) { "#" } else { w }).collect();
    words.dedup_by(|a, b| *a == "#" && a == b);
    words
}

/// Whether `said` is what was `shown`: the end of it where that begins with `…`, the beginning where it ends so.
fn alike(shown: &str, said: &str) -> bool {
    if let Some(end) = shown.strip_prefix('…') {
        return said.ends_with(end);
    }
    let (shown, said) = (words(shown), words(said));
    match shown.split_last() {
        Some((&"…", start)) => said.starts_with(start),
        _ => shown == said,
    }
}

/// Follows the chapter in an empty folder; what is not as it says, and what the program said then.
fn follow(page: &str) -> Result<(), (String, Ran)> {
    let s = Sandbox::new();
    s.write("bin/.keep", "");
    symlink(program(), s.path("bin/cargo-trt-perf")).expect("a link");
    let (mut ran, mut shown) = (None, 0);
    for block in blocks(page) {
        match (&*block.language, &ran) {
            ("sh", _) => {
                let now = run(&s, &block);
                if now.code != Some(code(&block)) {
                    return Err((format!("not exit code {} of {}", code(&block), block.text), now));
                }
                if ran.is_none() {
                    // Readers have a name.
                    s.git(SHOP, &["config", "user.name", "Ada Lovelace"]);
                    s.git(SHOP, &["config", "user.email", "ada@example.com"]);
                }
                ran = Some(now);
            }
            ("text", Some(said)) => {
                for line in block.text.lines().filter(|line| line.trim() != "…") {
                    if !said.out.lines().chain(said.err.lines()).any(|said| alike(line, said)) {
                        return Err((format!("nothing is like {line:?}"), ran.expect("what was said")));
                    }
                    shown += 1;
                }
            }
            (language, _) => panic!("a block of {language:?} is neither a command nor what one says"),
        }
    }
    assert!(shown > 12, "{shown} lines are shown");
    // The page is there, and none of it made the work tree dirty.
    assert!(s.path("shop/.trt-perf/page.html").is_file());
    assert_eq!(s.git(SHOP, &["status", "--porcelain", "--untracked-files=all"]), "");
    Ok(())
}

#[test]
fn the_tutorial_is_what_happens() {
    for needed in ["bash", "python3"] {
        if Command::new(needed).arg("--version").output().is_err() {
            eprintln!("skipped: {needed} is not here");
            return;
        }
    }
    let page = std::fs::read_to_string(root().join("src/guide/tutorial.md")).expect("the chapter");
    let noisy = ["inconclusive", "stale acceptance"];
    for again in [true, true, true, true, false] {
        match follow(&page) {
            Ok(()) => return,
            // Beside many other programs it is right that nothing can be decided, or that a change is not what was
            // accepted; nothing else is tried again.
            Err((what, ran)) if again && noisy.iter().any(|said| ran.out.contains(said)) => {
                eprintln!("{what}\n{ran}");
            }
            Err((what, ran)) => panic!("{what}\n{ran}"),
        }
    }
}

#[test]
fn lines_are_alike_when_only_their_numbers_differ() {
    for (shown, said, same) in [
        ("p50 39.6 µs → 1.2 ms [+2.0% +3%]", "p50  41 ms → 2 s  [-1% +9%]", true),
        ("1 regressed (base 83c3)", "2 regressed (base 1234)", true),
        ("1 regressed", "1 improved", false),
        ("time: [1 µs 2 µs 3 µs]", "time: [1 µs 2 µs 3 ms]", true),
        ("…/shop/trt-perf.toml: created", "/tmp/x/shop/trt-perf.toml: created", true),
        ("accepts a regression against 83c3: …", "accepts a regression against 1f: mean +3%. Fine", true),
        ("accepts a regression against 83c3: …", "accepts a regression", false),
    ] {
        assert_eq!(alike(shown, said), same, "{shown} / {said}");
    }
}
