//! One source file, taken apart as far as the rules need it: code, comments, and the code that is not for tests.
//!
//! Invariant: every part has the lines of the file, so that a place in one is the same place in the others.

use std::path::Path;

/// A source file.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without comments, and with empty texts in quotes.
    pub code: String,
    /// Nothing but the comments, with their `//`.
    pub comments: String,
    /// [`Source::code`] without what is only compiled for tests.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = apart(text);
        let shipped = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments, shipped }
    }

    /// The module of the map it belongs to: `stats` of `src/stats/welch.rs`. `None` for `main.rs` and `lib.rs`, and for
    /// what is not below `src`.
    pub fn room(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?;
        Some(first.trim_end_matches(".rs")).filter(|name| !["main", "lib"].contains(name))
    }

    /// The files that only tests compile: `#[cfg(test)] mod tests;` names a file and a folder.
    pub fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/lib.rs") {
            Some(folder) => folder.to_owned(),
            None => self.path.trim_end_matches(".rs").to_owned(),
        };
        let mut names = Vec::new();
        for (at, _) in self.code.match_indices(CFG_TEST) {
            let item = item(&self.code[at + CFG_TEST.len()..]);
            let name = item.strip_suffix(';').and_then(|item| item.split("mod ").nth(1));
            names.extend(name.map(|name| format!("{folder}/{}", name.trim())));
        }
        names
    }
}

/// Every `.rs` file below the folders, without the files that only tests compile.
pub fn below(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        read(root, &root.join(folder), &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty(), "no sources below {}", root.display());
    sources
}

fn read(root: &Path, folder: &Path, into: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(root, &path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            into.push(Source::new(&name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}

const CFG_TEST: &str = "#[cfg(test)]";

/// The code with everything blank that is only compiled for tests.
fn without_tests(code: &str) -> String {
    let mut left = code.to_owned();
    while let Some(at) = left.find(CFG_TEST) {
        let end = at + CFG_TEST.len() + item(&left[at + CFG_TEST.len()..]).len();
        let blank: String = left[at..end].chars().map(blank).collect();
        left.replace_range(at..end, &blank);
    }
    left
}

/// The item that `code` begins with: up to its `;`, or the end of its braces.
fn item(code: &str) -> &str {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return &code[..=at];
        }
    }
    code
}

/// A character that takes as much room as `c` and says nothing.
fn blank(c: char) -> char {
    if c == '\n' { c } else { ' ' }
}

/// Code and comments of a text, each with blanks where the other is. What is in quotes is in neither.
fn apart(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (len, kind) = token(&chars[at..]);
        for (i, c) in chars[at..at + len].iter().enumerate() {
            let keep = match kind {
                Kind::Code => true,
                // The quotes stay, so that a text is still an argument.
                Kind::Quoted => i == 0 || i + 1 == len,
                Kind::Comment => false,
            };
            code.push(if keep { *c } else { blank(*c) });
            comments.push(if matches!(kind, Kind::Comment) { *c } else { blank(*c) });
        }
        at += len;
    }
    (code, comments)
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Quoted,
    Comment,
}

/// How many characters belong together at the front, and what they are.
fn token(rest: &[char]) -> (usize, Kind) {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    let until = |end: &str, from: usize| {
        let end: Vec<char> = end.chars().collect();
        (from..rest.len()).find(|i| rest[*i..].starts_with(&end)).map_or(rest.len(), |i| i + end.len())
    };
    if starts("//") {
        return (rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if starts("/*") {
        return (until("*/", 2), Kind::Comment);
    }
    if rest[0] == 'r' {
        let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
        if rest.get(1 + hashes) == Some(&'"') {
            return (until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes), Kind::Quoted);
        }
    }
    match rest[0] {
        '"' => (quoted(rest, '"'), Kind::Quoted),
        // A character, not a lifetime.
        '\'' if rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'') => {
            (quoted(rest, '\''), Kind::Quoted)
        }
        // A word is taken whole, so that its last letter is not taken for the `r` of a raw text.
        c if c.is_alphanumeric() || c == '_' => {
            (rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count(), Kind::Code)
        }
        _ => (1, Kind::Code),
    }
}

/// The length of what stands in `quote`s, with both of them.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

#[test]
fn code_comments_and_texts_are_told_apart() {
    let source = Source::new(
        "src/a.rs",
        "//! \"head\"\nfn f<'a>() { g(\"a // {\", '\\'', r#\"\"{\"#); } // end\n#[cfg(test)]\nmod tests { fn t() { h(); } }\nfn k() {}\n",
    );
    assert_eq!(source.comments.lines().next(), Some("//! \"head\""));
    assert!(source.comments.contains("// end") && !source.comments.contains("a //"));
    assert_eq!(source.code.matches('{').count(), 4, "{}", source.code);
    assert!(source.code.contains("h();") && !source.shipped.contains("h();"), "{}", source.shipped);
    assert!(source.shipped.contains("fn k() {}"));
    assert!([&source.code, &source.comments, &source.shipped].iter().all(|t| t.lines().count() == 5));
}

#[test]
fn a_module_for_tests_in_a_file_of_its_own_is_found() {
    let source = Source::new("src/a/b.rs", "#[cfg(test)]\npub(crate) mod sample;\nmod c;\n");
    assert_eq!(source.test_modules(), ["src/a/b/sample"]);
    assert_eq!(Source::new("src/lib.rs", "#[cfg(test)] mod x;").test_modules(), ["src/x"]);
    assert_eq!(source.room(), Some("a"));
}
