//! The look of text for people: colours, and messages cut to their first words. Pure.

use crate::printable::message;
pub use crate::printable::{BOLD, DIM, GREEN, RED, RESET, YELLOW};

pub(super) fn paint(colour: &str, text: &str) -> String {
    format!("{colour}{text}{RESET}")
}

/// The beginning of a text that is too long for a table's cell, without half a word; all of it is shown elsewhere.
pub(super) fn clipped(text: &str) -> String {
    const WIDTH: usize = 60;
    let text = message(text);
    let Some((end, _)) = text.char_indices().nth(WIDTH) else { return text };
    // A name may be one long word.
    let end = text[..end].rfind(' ').filter(|space| *space > end / 2).unwrap_or(end);
    format!("{}…", text[..end].trim_end())
}

/// Loud, so that nobody takes such a number for a result.
pub fn no_result(why: &str) -> String {
    format!("{RED}{BOLD}NOT A REAL RESULT: {why}{RESET}")
}
