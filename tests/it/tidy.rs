//! The rules of the house, read off the sources: each rule is a function with a test that shows how it fails.

mod map;
mod rules;
mod source;

use map::Room;
use source::{Source, below};
use std::collections::BTreeMap;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is below `src`, without the files that only tests compile.
fn shipped() -> Vec<Source> {
    let sources = below(root(), &["src"]);
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    let is_test = |path: &str| {
        let name = path.trim_end_matches(".rs");
        tests
            .iter()
            .any(|test| name == test || name.strip_prefix(test.as_str()).is_some_and(|r| r.starts_with('/')))
    };
    sources.into_iter().filter(|source| !is_test(&source.path)).collect()
}

fn everything() -> Vec<Source> {
    below(root(), &["src", "tests", "benches"])
}

fn rooms() -> Vec<Room> {
    map::read(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap())
}

fn nothing_found(sources: &[Source], rule: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(found.is_empty(), "{} finding(s):\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_map_has_every_module() {
    let lib: Vec<Source> = shipped().into_iter().filter(|s| s.path == "src/lib.rs").collect();
    nothing_found(&lib, map::differences);
}

#[test]
fn files_use_what_comes_before_them_in_the_map() {
    let rooms = rooms();
    nothing_found(&shipped(), |source| map::upward(source, &rooms));
}

#[test]
fn pure_rooms_do_no_io() {
    let rooms = rooms();
    let is_pure = |source: &Source| rooms.iter().any(|room| room.pure && source.room() == Some(&room.name));
    let pure: Vec<Source> = shipped().into_iter().filter(is_pure).collect();
    assert!(pure.len() > 50, "{} files are pure", pure.len());
    nothing_found(&pure, rules::pure);
}

#[test]
fn only_backends_call_native_code() {
    nothing_found(&below(root(), &["src"]), rules::safe);
}

#[test]
fn only_the_command_line_prints() {
    nothing_found(&shipped(), rules::silent);
}

#[test]
fn files_and_functions_are_short() {
    nothing_found(&everything(), rules::short);
    // A test may be one long table.
    nothing_found(&below(root(), &["src", "benches"]), rules::short_functions);
}

#[test]
fn headers_and_comments_say_it_plainly() {
    nothing_found(&everything(), rules::header);
    nothing_found(&everything(), rules::words_of_comments);
}

/// Has the names of what it stands for, in programs without that.
const STAND_IN: &str = "src/backend/absent.rs";

#[test]
fn a_type_name_is_used_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in shipped().iter().filter(|source| source.path != STAND_IN) {
        for name in rules::types(source) {
            places.entry(name).or_default().push(source.path.clone());
        }
    }
    let twice: Vec<String> = places
        .into_iter()
        .filter(|(_, paths)| paths.len() > 1)
        .map(|(name, paths)| format!("{name}: {}", paths.join(", ")))
        .collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
