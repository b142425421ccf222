//! Folds lines that are too long for a terminal, between words and never inside one. Pure.
//!
//! Terminals break a line wherever their last column is, also inside a number.

use crate::printable::plain;
use unicode_width::UnicodeWidthStr;

/// What is longer and ends in a colon is a name.
const LONGEST_LABEL: usize = 10;

/// Columns that `text` takes; our colours take none.
pub(super) fn columns(text: &str) -> usize {
    if text.contains('\x1b') { plain(text).width() } else { text.width() }
}

/// `text` with no line longer than `width`, but for single words that are.
pub fn fold(text: &str, width: usize) -> String {
    let folded: Vec<String> = text.split('\n').map(|line| fold_line(line, width)).collect();
    folded.join("\n")
}

/// What does not fit goes on below the beginning of the line's text.
fn fold_line(line: &str, width: usize) -> String {
    if columns(line) <= width {
        line.to_owned()
    } else {
        fold_at(line, hang(&plain(line)).min(width / 2), width)
    }
}

/// Where the text of a line begins: after its indent, after a label such as `time:`, and after what stands alone before a
/// gap: a word, or words without a digit.
fn hang(line: &str) -> usize {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let Some((lead, rest)) = text.split_once("  ").filter(|_| label(text) == 0) else {
        return indent + label(text);
    };
    let rest = rest.trim_start();
    if rest.is_empty() || lead.contains(' ') && lead.contains(|c: char| c.is_ascii_digit()) {
        return indent;
    }
    line.width() - rest.width() + label(rest)
}

/// Columns of the label that a text begins with, and of the spaces after it.
fn label(text: &str) -> usize {
    let Some((word, rest)) = text.split_once(' ') else { return 0 };
    let columns = text.width() - rest.trim_start().width();
    if word.ends_with(':') && columns <= LONGEST_LABEL { columns } else { 0 }
}

/// A word, or a number with its unit.
struct FoldedWord {
    /// Spaces before it.
    gap: usize,
    text: String,
    columns: usize,
}

fn words(line: &str) -> Vec<FoldedWord> {
    let (mut words, mut gap): (Vec<FoldedWord>, usize) = (Vec::new(), 0);
    for (i, text) in line.split(' ').enumerate() {
        gap += usize::from(i > 0);
        if text.is_empty() {
            continue;
        }
        match words.last_mut() {
            Some(number) if gap == 1 && ends_in_digit(&number.text) && is_unit(text) => {
                number.text += &format!(" {text}");
                number.columns += 1 + columns(text);
            }
            _ => words.push(FoldedWord { gap, text: text.to_owned(), columns: columns(text) }),
        }
        gap = 0;
    }
    words
}

fn ends_in_digit(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit())
}

fn is_unit(text: &str) -> bool {
    let text = plain(text);
    let unit = text.trim_end_matches([',', ';', ':', '.', ')', ']']);
    let units = ["ns", "µs", "us", "ms", "s", "min", "B", "KiB", "MiB", "GiB", "W", "MHz", "°C", "mJ"];
    units.contains(&unit) || unit.ends_with("inf/s")
}

/// The line, going on after `hang` spaces. Where words stand in groups with gaps between them, groups stay whole if they
/// can.
pub(super) fn fold_at(line: &str, hang: usize, width: usize) -> String {
    let words = words(line);
    let (mut out, mut used) = (String::new(), 0);
    for (i, word) in words.iter().enumerate() {
        let more = words[i + 1..].iter().take_while(|w| w.gap == 1).map(|w| 1 + w.columns).sum::<usize>();
        let group = word.columns + if word.gap > 1 { more } else { 0 };
        let needed = if hang + group <= width { group } else { word.columns };
        if i > 0 && used + word.gap + needed > width {
            // A word that fits alone gets as much of the indent as it leaves.
            used = hang.min(width.saturating_sub(word.columns));
            out += &format!("\n{}", " ".repeat(used));
        } else {
            out += &" ".repeat(word.gap);
            used += word.gap;
        }
        out += &word.text;
        used += word.columns;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::{BOLD, RESET};
    use proptest::prelude::*;

    #[test]
    fn lines_go_on_below_their_text() {
        for (line, folded) in [
            ("one two three four", "one two\nthree four"),
            ("  one two three", "  one two\n  three"),
            ("ab      time: [1 2 3]", "ab\n     time:\n     [1 2\n     3]"),
            ("short", "short"),
            ("averyveryverylongword x", "averyveryverylongword\nx"),
        ] {
            assert_eq!(fold(line, 10), folded, "{line}");
        }
        let block = "case/a  change: p99 1.2 ms to 1.3 ms [+1% +2% +3%] (p = 0.01)";
        assert_eq!(
            fold(block, 40),
            "case/a  change: p99 1.2 ms to 1.3 ms\n                [+1% +2% +3%] (p = 0.01)"
        );
        let label = "case/a  time:   [1.0 ms 2.0 ms 3.0 ms]";
        assert_eq!(fold(label, 34), "case/a  time:   [1.0 ms 2.0 ms\n                3.0 ms]");
        let numbers = "    p50 1.2 ms  p90 1.4 ms  p99 1.8 ms";
        assert_eq!(fold(numbers, 24), "    p50 1.2 ms\n    p90 1.4 ms\n    p99 1.8 ms");
        let coloured = format!("{BOLD}one two{RESET} three");
        assert_eq!(fold(&coloured, 13), coloured, "colours take no columns");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_broken(text in "[a-zµ→ :.0-9\n]{0,200}", width in 8usize..60) {
            let folded = fold(&text, width);
            prop_assert!(folded.split_whitespace().eq(text.split_whitespace()), "{folded:?}");
            for line in folded.lines() {
                prop_assert!(columns(line) <= width || words(line).len() == 1, "{line:?} of {folded:?}");
            }
            prop_assert_eq!(fold(&folded, width), folded);
        }
    }
}
