//! The map in `lib.rs`: which modules there are, in which order they may use each other, and which are pure.

use super::source::Source;

/// A row of the map.
#[derive(Debug, PartialEq, Eq)]
pub struct Room {
    pub name: String,
    pub pure: bool,
    /// Only with the feature `cli`.
    pub cli: bool,
}

/// The rows of the table that begins with `| module |`.
pub fn read(lib: &str) -> Vec<Room> {
    let table = lib.lines().skip_while(|line| !line.starts_with("//! | module |")).skip(2);
    table
        .map_while(|line| {
            let cells: Vec<&str> = line.strip_prefix("//! |")?.split('|').map(str::trim).collect();
            let name = cells.first()?.split('`').nth(1)?.to_owned();
            Some(Room { name, pure: cells.get(3) == Some(&"pure"), cli: cells.get(4) == Some(&"`cli`") })
        })
        .collect()
}

/// Where the map and the modules of `lib.rs` differ.
pub fn differences(lib: &Source) -> Vec<String> {
    let rooms = read(&lib.text);
    let mut found = Vec::new();
    let mut declared = Vec::new();
    let mut before = "";
    for line in lib.code.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) {
            // Texts are blank in the code; there is only one feature that takes modules out.
            declared.push(Room {
                name: name.to_owned(),
                pure: false,
                cli: before.starts_with("#[cfg(feature"),
            });
        }
        before = line;
    }
    for Room { name, cli, .. } in &declared {
        match rooms.iter().find(|room| room.name == *name) {
            None => found.push(format!("`{name}` is not in the map")),
            Some(room) if room.cli != *cli => {
                found.push(format!("the map is wrong on the feature of `{name}`"));
            }
            Some(_) => {}
        }
    }
    let gone = rooms.iter().filter(|room| declared.iter().all(|d| d.name != room.name));
    found.extend(gone.map(|room| format!("`{}` is in the map and no module", room.name)));
    found
}

/// Uses of modules that come later in the map.
pub fn upward(source: &Source, rooms: &[Room]) -> Vec<String> {
    let place = |name: &str| rooms.iter().position(|room| room.name == name);
    let Some((own, at)) = source.room().and_then(|own| Some((own, place(own)?))) else { return Vec::new() };
    let mut found = Vec::new();
    for (number, used) in uses(&source.code) {
        if place(&used).is_some_and(|place| place > at) {
            found.push(format!("{}:{number}: `{own}` uses `{used}`, which comes later", source.path));
        }
    }
    if source.path == format!("src/{own}.rs") {
        let up = source.shipped.lines().enumerate().filter(|(_, line)| line.starts_with("use super::"));
        found.extend(up.map(|(i, _)| format!("{}:{}: write `crate::`, not `super::`", source.path, i + 1)));
    }
    found
}

/// Every module that is used as `crate::name`, with its line.
fn uses(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let line = code[..at].lines().count().max(1);
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            None => found.push((line, word(rest))),
            Some(list) => found.extend(names(list).into_iter().map(|name| (line, name))),
        }
    }
    found
}

/// The first word of each entry of a list in braces, whatever the entries have in braces themselves.
fn names(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && c.is_alphabetic() => {
                names.push(word(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

const LIB: &str = "//! | module | makes | from | pure | feature |\n//! |---|---|---|---|---|\n\
    //! | [`a`] | x | – | pure | |\n//! | [`b`](mod@b) | y | z | | `cli` |\n//!\n";

#[test]
fn the_map_is_read() {
    let room = |name: &str, pure, cli| Room { name: name.into(), pure, cli };
    assert_eq!(read(LIB), [room("a", true, false), room("b", false, true)]);
}

#[test]
fn a_map_that_differs_from_the_modules_is_found() {
    let lib = |modules: &str| differences(&Source::new("src/lib.rs", &format!("{LIB}{modules}")));
    assert!(lib("pub mod a;\n#[cfg(feature = \"cli\")]\npub mod b;\n").is_empty());
    assert!(lib("pub mod a;\npub mod b;\n")[0].contains("the feature of `b`"));
    assert!(lib("pub mod a;\n")[0].contains("`b` is in the map and no module"));
    assert!(lib("pub mod a;\npub mod c;\n")[0].contains("`c` is not in the map"));
}

#[test]
fn an_upward_use_is_found_however_it_is_written() {
    let found = |path: &str, text: &str| upward(&Source::new(path, text), &read(LIB));
    assert!(found("src/b/x.rs", "use crate::a::X;\n").is_empty());
    for text in ["use crate::b::X;\n", "use crate::{a::{X, b}, b};\n", "fn f() {\n    crate::b::f();\n}\n"] {
        assert_eq!(found("src/a/x.rs", text).len(), 1, "{text}");
    }
    assert!(found("src/a.rs", "use super::b;\n")[0].contains("super::"));
    assert!(found("src/a.rs", "// crate::b\nfn f() { g(\"crate::b\") }\n").is_empty());
}
