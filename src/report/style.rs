//! The look of text for people: colours, tables without rules, and messages cut to their first words. Pure.

pub use crate::printable::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::printable::{message, row};
use comfy_table::{ContentArrangement, Table};

pub(super) fn paint(colour: &str, text: &str) -> String {
    format!("{colour}{text}{RESET}")
}

/// The beginning of a text that is too long for a table's cell; all of it has been shown before.
pub(super) fn clipped(text: &str) -> String {
    const WIDTH: usize = 60;
    let text = message(text);
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

pub(super) fn plain_table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// A row whose cells stay cells, whatever they name.
pub(super) fn add_row<C: AsRef<str>>(table: &mut Table, cells: impl IntoIterator<Item = C>) {
    table.add_row(cells.into_iter().map(|cell| row(cell.as_ref())));
}

pub(super) fn table_text(table: &Table) -> String {
    let text: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    text.join("\n") + "\n"
}
