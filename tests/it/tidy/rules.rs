//! Rules of one file. Each gives what breaks it, as `path:line: what`.

use super::source::Source;

/// Longer files are split into rooms of their own.
const MAX_LINES: usize = 400;
/// Longer functions are hard to hold in mind.
const MAX_FUNCTION: usize = 60;
/// Written by a program, from NVIDIA's headers.
const GENERATED: [&str; 1] = ["src/backend/tensorrt/sys/tables.rs"];

/// What would make a pure room depend on anything but its arguments.
const IO: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "println!",
    "print!",
    "stdout()",
    "stderr()",
];

pub fn pure(source: &Source) -> Vec<String> {
    let mut found = hits(source, &source.shipped, &IO, "a pure room uses");
    // `use std::{fs, env}` is the same in other words.
    for list in source.shipped.split("use std::{").skip(1) {
        let list = list.split(';').next().unwrap_or_default();
        let words = list.split(|c: char| !c.is_alphanumeric());
        found.extend(
            words
                .filter(|w| ["fs", "net", "process", "env", "thread"].contains(w))
                .map(|word| format!("{}: a pure room uses std::{word}", source.path)),
        );
    }
    found
}

/// Native code is called below `backend` only.
pub fn safe(source: &Source) -> Vec<String> {
    let below = source.path.starts_with("src/backend/");
    if below { Vec::new() } else { words(source, &source.code, &["unsafe"], "outside of src/backend stands") }
}

/// Who prints, beside `cli`, and why.
const PRINTERS: [(&str, &str); 4] = [
    ("src/worker/reply.rs", "a worker's messages go where its standard output went"),
    ("src/main.rs", "it belongs to the command line"),
    ("src/session/check/prepare.rs", "it hands standard error to the command that a project wants to be run"),
    ("src/backend/tensorrt/sys/callbacks.rs", "a worker's standard error takes what the library says"),
];

pub fn silent(source: &Source) -> Vec<String> {
    let prints = source.room() == Some("cli") || PRINTERS.iter().any(|(path, _)| source.path == *path);
    let printing = ["println!", "print!", "eprintln!", "eprint!", "stdout()", "stderr()"];
    if prints { Vec::new() } else { hits(source, &source.shipped, &printing, "outside of src/cli stands") }
}

pub fn short(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let long = lines > MAX_LINES && !GENERATED.contains(&source.path.as_str());
    long.then(|| format!("{}: {lines} lines are more than {MAX_LINES}", source.path)).into_iter().collect()
}

pub fn short_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let named = line.split('(').next().unwrap_or_default().split_whitespace().any(|word| word == "fn");
        if !named {
            continue;
        }
        // rustfmt closes a body where the function began, and a function without one ends in a semicolon.
        let ends = |l: &&str| {
            indent(l) == indent(line) && l.trim_start().starts_with('}')
                || l.ends_with(';') && indent(l) <= indent(line)
        };
        let length = lines[at..].iter().position(|l| ends(&l.trim_end())).map_or(0, |end| end + 1);
        if length > MAX_FUNCTION {
            let what = format!("a function of {length} lines, more than {MAX_FUNCTION}");
            found.push(format!("{}:{}: {what}", source.path, at + 1));
        }
    }
    found
}

/// A header says in one sentence what the file is for.
pub fn header(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let Some(first) = lines.first().and_then(|l| l.strip_prefix("//! ")) else {
        return vec![format!("{}:1: there is no header (`//! …`)", source.path)];
    };
    let of = |words: &str| format!("{}:1: the header begins with \"{words}\"", source.path);
    ["Makes"].into_iter().filter(|words| first.starts_with(words)).map(of).collect()
}

/// Words that say less than they seem to, and what was left for later.
pub fn words_of_comments(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in source.comments.lines().enumerate() {
        let lower = line.to_lowercase();
        let dangling = [("must never", &lower), ("TODO", &line.to_owned()), ("FIXME", &line.to_owned())]
            .into_iter()
            .find(|(word, line)| line.contains(word))
            .map(|(word, _)| word);
        found.extend(dangling.map(|word| format!("{}:{}: a comment says \"{word}\"", source.path, i + 1)));
    }
    found.extend(hits(source, &source.code, &["dbg!", "todo!", "unimplemented!"], "left behind is"));
    found
}

/// The types a file names at its outermost level, outside of test modules.
pub fn types(source: &Source) -> Vec<String> {
    let kinds = ["struct", "enum", "trait", "type", "union"];
    let name = |line: &str| {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
        let declares = !line.starts_with([' ', '}', '#']) && words.any(|word| kinds.contains(&word));
        words.next().filter(|_| declares).map(str::to_owned)
    };
    source
        .shipped
        .lines()
        .filter(|line| !line.contains(" fn ") && !line.starts_with("impl"))
        .filter_map(name)
        .collect()
}

/// Places in `text`, a part of the source, where one of `needles` begins a word.
fn hits(source: &Source, text: &str, needles: &[&str], what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let hit = needles.iter().find(|needle| {
            line.match_indices(*needle)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        });
        found.extend(hit.map(|needle| format!("{}:{}: {what} `{needle}`", source.path, i + 1)));
    }
    found
}

/// Places where one of `needles` is a whole word.
fn words(source: &Source, text: &str, needles: &[&str], what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let mut all = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let hit = all.find(|word| needles.contains(word));
        found.extend(hit.map(|word| format!("{}:{}: {what} `{word}`", source.path, i + 1)));
    }
    found
}

fn source(text: &str) -> Source {
    Source::new("src/stats/a.rs", text)
}

#[test]
fn io_in_a_pure_room_is_found() {
    for text in [
        "fn f() { std::fs::read(p) }",
        "use std::{fmt, env};",
        "use std::time::Instant;",
        "fn f() { jiff::Timestamp::now() }",
        "fn f() { println!(\"x\") }",
    ] {
        assert_eq!(pure(&source(text)).len(), 1, "{text}");
    }
    assert!(
        pure(&source("// std::fs\nuse std::{fmt, path};\n#[cfg(test)]\nmod t { use std::fs; }")).is_empty()
    );
}

#[test]
fn unsafe_code_and_printing_in_the_wrong_place_are_found() {
    assert_eq!(safe(&source("fn f() { unsafe { g() } }")).len(), 1);
    assert!(safe(&source("fn unsafe_looking() {} // unsafe")).is_empty());
    assert!(safe(&Source::new("src/backend/a.rs", "unsafe {}")).is_empty());
    assert_eq!(silent(&source("fn f() { eprintln!(\"x\") }")).len(), 1);
    assert_eq!(silent(&source("fn f() { std::io::stdout().lock() }")).len(), 1);
    assert!(silent(&Source::new("src/cli/a.rs", "fn f() { println!() }")).is_empty());
}

#[test]
fn long_files_and_functions_are_found() {
    assert!(short(&source(&"\n".repeat(400))).is_empty());
    assert_eq!(short(&source(&"\n".repeat(401))).len(), 1);
    let function = |lines: usize| {
        format!("impl A {{\n    pub fn f(\n    ) {{\n{}    }}\n}}\n", "        g();\n".repeat(lines))
    };
    assert!(short_functions(&source(&function(57))).is_empty());
    assert_eq!(short_functions(&source(&function(58))).len(), 1);
    let declared = format!("trait A {{\n    fn f(\n    );\n{}}}\n", "\n".repeat(60));
    assert!(short_functions(&source(&declared)).is_empty());
}

#[test]
fn headers_and_words_that_say_little_are_found() {
    assert!(header(&source("//! What it is.\n")).is_empty());
    assert_eq!(header(&source("//! Makes a record.\n")).len(), 1);
    assert_eq!(header(&source("use a;\n")).len(), 1);
    for text in
        ["// TODO: later", "/// It Must never fail.", "fn f() { todo!() }", "// FIXME", "fn f() { dbg!(x) }"]
    {
        assert_eq!(words_of_comments(&source(text)).len(), 1, "{text}");
    }
    assert!(words_of_comments(&source("fn f() { g(\"TODO must never\") }")).is_empty());
}

#[test]
fn the_types_of_a_file_are_those_it_ships() {
    let text = "pub(crate) struct A<T>(T);\nenum B {}\nimpl X for A {\n    type Item = u8;\n}\nfn f() -> impl Fn(A) {}\n\
        pub type C = u8;\n#[cfg(test)]\nmod tests {\nstruct D;\n}\n";
    assert_eq!(types(&source(text)), ["A", "B", "C"]);
}
