//! What README and the guide show is what the program takes: every command, every configuration, and the tutorial.

mod tutorial;

use crate::support::{Ran, Sandbox, program, sample};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page.
struct Block {
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of a page, in order.
fn blocks(page: &str) -> Vec<Block> {
    let parts = page.split("\n```").skip(1).step_by(2);
    parts
        .map(|part| {
            let (language, text) = part.split_once('\n').expect("a block has lines");
            Block { language: language.to_owned(), text: text.to_owned() + "\n" }
        })
        .collect()
}

/// README and the chapters of the guide, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let chapters = std::fs::read_dir(root().join("src/guide")).expect("the guide");
    let mut paths: Vec<PathBuf> = chapters.map(|entry| entry.expect("a chapter").path()).collect();
    // Beside the chapters lies a picture.
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    paths.push(root().join("README.md"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).expect("text"))).collect()
}

/// The commands of this program in a page: in shell blocks and other blocks, and between backticks.
fn commands(page: &str) -> Vec<String> {
    let lines = blocks(page).into_iter().flat_map(|b| b.text.lines().map(str::to_owned).collect::<Vec<_>>());
    let spans = page.split('`').skip(1).step_by(2).map(str::to_owned);
    let command = |text: String| {
        let text = text.trim_start_matches(['$', '-', ' ']).trim_start_matches("run: ");
        let rest = ["cargo trt-perf ", "cargo-trt-perf "].iter().find_map(|name| text.strip_prefix(name))?;
        let rest =
            [" #", " || "].iter().fold(rest, |rest, end| rest.split(end).next().unwrap_or(rest)).trim();
        (!rest.contains('…') && !rest.contains('\n')).then(|| rest.to_owned())
    };
    lines.chain(spans).filter_map(command).collect()
}

#[test]
fn every_command_that_is_shown_is_taken() {
    let s = Sandbox::new();
    let mut seen = 0;
    for (path, page) in pages() {
        for command in commands(&page) {
            // Help is given only where everything before it makes sense.
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec \"$0\" {command} --help")]).arg(program());
            s.shield(&mut shell, ".");
            // As in a matrix job.
            shell.env("PART", "1");
            let ran = Ran::of(shell);
            assert_eq!(ran.code, Some(0), "{}: {command}\n{ran}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} commands");
}

#[test]
fn every_configuration_that_is_shown_is_taken() {
    let mut seen = 0;
    for (path, page) in pages() {
        for block in blocks(&page).iter().filter(|block| block.language == "toml") {
            let s = Sandbox::with_repo();
            let model = std::fs::read(sample("cnn.onnx")).expect("a sample");
            s.write("repo/models/resnet50.onnx", model);
            if block.text.contains("[package.metadata") {
                let model =
                    "\n[[package.metadata.trt-perf.model]]\nname = \"m\"\npath = \"models/resnet50.onnx\"\n";
                s.add_package("repo", "demo", &(block.text.clone() + model));
            } else {
                s.write("repo/trt-perf.toml", &block.text);
            }
            let ran = s.run("repo", &["run", "--list"]);
            assert!(ran.code == Some(0) && ran.out.contains("/latency"), "{}: {ran}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} configurations");
}
