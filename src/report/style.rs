//! The look of text for people: colours, tables without rules, and messages cut to their first words. Pure.

use comfy_table::{ContentArrangement, Table};

/// Red text from here on.
pub const RED: &str = "\x1b[31m";
/// Green text from here on.
pub const GREEN: &str = "\x1b[32m";
/// Yellow text from here on.
pub const YELLOW: &str = "\x1b[33m";
/// Bold text from here on.
pub const BOLD: &str = "\x1b[1m";
/// Faint text from here on.
pub const DIM: &str = "\x1b[2m";
/// Plain text from here on.
pub const RESET: &str = "\x1b[0m";

pub(super) fn paint(colour: &str, text: &str) -> String {
    format!("{colour}{text}{RESET}")
}

/// The beginning of a text that is too long for a table's cell; all of it has been shown before.
pub(super) fn clipped(text: &str) -> String {
    const WIDTH: usize = 60;
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

pub(super) fn plain_table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

pub(super) fn table_text(table: &Table) -> String {
    let text: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    text.join("\n") + "\n"
}
