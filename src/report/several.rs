//! Shows several records beside each other, a column each, as critcmp does: the factor to the best of the row, and the
//! value. Pure.

use super::style::{BOLD, RESET};
use super::table::TextTable;
use crate::compare::{SeveralCell, SeveralRow};
use crate::message::{Message, SeveralCompared, SeveralValue};
use crate::printable::line;

/// The table, in so many columns. `names` are those of the records, in the order of each row's cells.
pub fn text(names: &[String], rows: &[SeveralRow], width: usize) -> String {
    let header = ["case", "metric"].into_iter().map(str::to_owned);
    let mut table =
        TextTable::new(header.chain(names.iter().map(|name| line(name)))).numbers(2..2 + names.len());
    for row in rows {
        let cells = row.cells.iter().map(|cell| match *cell {
            SeveralCell::Nothing => "–".to_owned(),
            SeveralCell::OtherDefinition(value) => {
                format!("(asks something else) {}", row.metric.shown(value))
            }
            SeveralCell::Value(value, 1.0) => format!("{BOLD}1.00{RESET}  {}", row.metric.shown(value)),
            SeveralCell::Value(value, ratio) => format!("{ratio:.2}  {}", row.metric.shown(value)),
        });
        // Colours are ours; what is from outside is the id.
        table.row([line(&row.id), row.metric.name(None)].into_iter().chain(cells));
    }
    table.text(width)
}

/// The messages, one for each case. `ids` are those of the records.
pub fn messages(ids: &[String], rows: &[SeveralRow]) -> Vec<Message> {
    let value = |record: &String, cell: &SeveralCell| SeveralValue {
        record: record.clone(),
        value: match *cell {
            SeveralCell::Nothing => None,
            SeveralCell::OtherDefinition(value) | SeveralCell::Value(value, _) => Some(value),
        },
        ratio: match *cell {
            SeveralCell::Value(_, ratio) => Some(ratio),
            SeveralCell::Nothing | SeveralCell::OtherDefinition(_) => None,
        },
    };
    rows.iter()
        .map(|row| {
            Message::Several(SeveralCompared {
                case: row.id.clone(),
                metric: row.metric.name(None),
                records: ids.iter().zip(&row.cells).map(|(id, cell)| value(id, cell)).collect(),
            })
        })
        .collect()
}
