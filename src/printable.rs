//! Text from outside made fit to be shown: what could steer a terminal, hide or reorder words, or begin a command of
//! GitHub's log is written as an escape that everybody can see. Pure.
//!
//! Names from models, records, git, files and other programs are data. Whoever shows one uses [`line()`]; [`row`] and
//! [`page`] hold where somebody forgot to: `cli` prints nothing else.
//!
//! Invariant: no function here returns a control, bidirectional or invisible character, but the line ends and our own
//! colours that [`page`] and [`row`] keep. Each is idempotent.

use std::fmt::Write;

/// Red text from here on.
pub const RED: &str = "\x1b[31m";
/// Green text from here on.
pub const GREEN: &str = "\x1b[32m";
/// Yellow text from here on.
pub const YELLOW: &str = "\x1b[33m";
/// Bold text from here on.
pub const BOLD: &str = "\x1b[1m";
/// Bold red text from here on.
pub const BOLD_RED: &str = "\x1b[1;31m";
/// Faint text from here on.
pub const DIM: &str = "\x1b[2m";
/// Plain text from here on.
pub const RESET: &str = "\x1b[0m";

/// Every escape sequence that we write ourselves.
const OWN_COLOURS: [&str; 7] = [RED, GREEN, YELLOW, BOLD, BOLD_RED, DIM, RESET];

/// Characters of a name or a reason that are shown.
const LONGEST_LINE: usize = 600;
/// Characters of a message that are shown: it may hold several names.
const LONGEST_MESSAGE: usize = 6_000;

/// Ranges of characters that are not seen, or that change how others are seen, beside the control characters: Unicode's
/// category Cf, fillers that look like nothing, separators of lines, and what is no character.
const UNSEEN: [(u32, u32); 31] = [
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfdd0, 0xfdef),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0xfffe, 0xffff),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0x1fffe, 0x1ffff),
    (0x2fffe, 0x2ffff),
    (0x3fffe, 0x3ffff),
    (0xe0000, 0xe0fff),
    (0xefffe, 0xf_ffff),
    (0x10_0000, 0x10_ffff),
];

/// Whether a character must not reach a reader as it is.
fn unsafe_to_show(c: char) -> bool {
    c.is_control() || UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

/// A name, a reason, a path: on one line, of a bearable length.
pub fn line(text: &str) -> String {
    cut(escaped(text), LONGEST_LINE)
}

/// A whole message, which names several things: on one line.
pub fn message(text: &str) -> String {
    cut(escaped(text), LONGEST_MESSAGE)
}

/// A line that we made, with our colours in it.
pub fn row(text: &str) -> String {
    coloured(text, escaped)
}

/// Everything that is printed: our lines, our colours, and nothing at the beginning of a line that GitHub would take
/// for a command.
pub fn page(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| without_command(&row(line))).collect();
    lines.join("\n")
}

/// The same data as JSON, with the unseen characters as escapes: they can only stand in texts, and so can the `##[` that
/// begins a command of GitHub's log.
pub fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '[' && out.ends_with("##") {
            out.push_str("\\u005b");
        } else if unsafe_to_show(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if unsafe_to_show(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

fn cut(text: String, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text,
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// `text` with `change` made to everything but our own colours.
fn coloured(text: &str, change: impl Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\x1b') {
        let (before, escape) = rest.split_at(at);
        out += &change(before);
        let own = OWN_COLOURS.iter().find(|colour| escape.starts_with(**colour));
        let length = own.map_or(1, |colour| colour.len());
        out += &own.map_or_else(|| change(&escape[..1]), |colour| (*colour).to_owned());
        rest = &escape[length..];
    }
    out + &change(rest)
}

/// A line that GitHub's log shows and does not obey: `::command::` at its beginning, `##[command]` anywhere in it.
fn without_command(line: &str) -> String {
    // As it is where colours are taken out, which could hide that it is one.
    let plain = plain(line);
    let (begins, holds) = (plain.trim_start().starts_with("::"), plain.contains("##["));
    match (begins, holds) {
        (false, false) => line.to_owned(),
        (false, true) => plain.replace("##[", "##\\u{5b}"),
        (true, _) => plain.replacen("::", "\\u{3a}:", 1).replace("##[", "##\\u{5b}"),
    }
}

/// `text` without our colours.
pub(crate) fn plain(text: &str) -> String {
    OWN_COLOURS.iter().fold(text.to_owned(), |text, colour| text.replace(colour, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOSTILE: &str = "a\x1b]0;title\x07\n::error::x\u{202e}\u{200b}\u{e0041}\r\t\u{9b}31m";

    #[test]
    fn names_are_shown_on_one_line_with_escapes_that_can_be_read() {
        assert_eq!(line(HOSTILE), r"a\u{1b}]0;title\u{7}\n::error::x\u{202e}\u{200b}\u{e0041}\r\t\u{9b}31m");
        assert_eq!(line("Größe-µ→模型 (x[1]) 🟢"), "Größe-µ→模型 (x[1]) 🟢");
        assert_eq!((line(&"x".repeat(9000)).chars().count(), message(&"x".repeat(9000)).len()), (600, 6002));
    }

    #[test]
    fn only_our_colours_and_line_ends_are_kept() {
        let text = format!("{BOLD}{RED}x\x1b[8m{RESET}\ny\x1b]8;;z\x1b");
        assert_eq!(page(&text), format!("{BOLD}{RED}x\\u{{1b}}[8m{RESET}\ny\\u{{1b}}]8;;z\\u{{1b}}"));
        assert_eq!(row("a\nb"), "a\\nb");
    }

    #[test]
    fn no_line_is_a_command_of_github() {
        let shown = page(&format!("a\n ::error::b\n{RED}::stop-commands::c{RESET}\nd ::e ##[error]f"));
        let expected = "a\n \\u{3a}:error::b\n\\u{3a}:stop-commands::c\nd ::e ##\\u{5b}error]f";
        assert_eq!(shown, expected);
        assert_eq!(page(&shown), expected);
    }

    fn is_shown(text: &str) -> bool {
        !text.chars().any(unsafe_to_show)
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            prop::sample::select(&UNSEEN[..])
                .prop_filter_map("a character", |(first, _)| char::from_u32(first).map(String::from)),
            prop::sample::select(vec![
                "\x1b[31m",
                "\x1b[0m",
                "\x1b]0;",
                "::error::",
                "##[",
                "\n",
                "#",
                "\\",
                " "
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_text_can_be_shown(text in hostile()) {
            for show in [line, message] {
                let shown = show(&text);
                prop_assert!(is_shown(&shown), "{shown:?}");
                prop_assert_eq!(&show(&shown), &shown);
                prop_assert!(shown.chars().count() <= LONGEST_MESSAGE);
            }
            let shown = page(&text);
            let plain = plain(&shown);
            prop_assert!(is_shown(&plain.replace('\n', "")), "{plain:?}");
            prop_assert!(!plain.lines().any(|l| l.trim_start().starts_with("::") || l.contains("##[")), "{plain:?}");
            prop_assert_eq!(&page(&shown), &shown);
            prop_assert_eq!(text.split('\n').count(), shown.split('\n').count());
        }

        #[test]
        fn json_stays_the_same_data(text in hostile()) {
            let value = serde_json::json!({ "key": [text.clone()], &text: 1 });
            let shown = json(&value.to_string());
            prop_assert!(is_shown(&shown) && !shown.contains("##["), "{shown:?}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
