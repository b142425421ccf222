//! Lays out tables without rules, for a terminal of some width. Pure.
//!
//! As wide as they are where they fit. Elsewhere cells of words are folded, then the first column gets lines of its own,
//! and at last each row becomes a list of its cells with their columns' names. No word and no number is broken.

use super::fold::{columns, fold, fold_at};
use crate::printable::row;
use std::ops::Range;

/// Between two columns.
const GAP: &str = "  ";

/// A table for people.
pub(super) struct TextTable {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// These columns hold numbers.
    numbers: Range<usize>,
}

impl TextTable {
    /// A table without rows.
    pub fn new<C: AsRef<str>>(header: impl IntoIterator<Item = C>) -> Self {
        let header = header.into_iter().map(|cell| row(cell.as_ref())).collect();
        Self { header, rows: Vec::new(), numbers: 0..0 }
    }

    /// Columns of numbers, which stand at the right and are never folded.
    pub fn numbers(self, numbers: Range<usize>) -> Self {
        Self { numbers, ..self }
    }

    /// A row whose cells stay cells, whatever they name.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(|cell| row(cell.as_ref())).collect());
    }

    /// The lines of the table, as wide as they may be.
    pub fn text(&self, width: usize) -> String {
        let all: Vec<usize> = (0..self.header.len()).collect();
        if let Some(widths) = self.widths(&all, width) {
            return self.lines().map(|cells| self.draw(cells, &all, &widths)).collect();
        }
        let (first, others) = (&all[..1.min(all.len())], all.get(1..).unwrap_or_default());
        match self.widths(others, width) {
            Some(widths) if !self.header[0].is_empty() => self
                .lines()
                .map(|cells| {
                    self.draw(cells, first, &[columns(&cells[0])]) + &self.draw(cells, others, &widths)
                })
                .collect(),
            _ => self.rows.iter().map(|cells| self.list(cells, width)).collect(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    /// How wide each of these columns may be; `None` where they do not fit.
    fn widths(&self, which: &[usize], width: usize) -> Option<Vec<usize>> {
        let widest = |of: &dyn Fn(&str) -> usize, column: usize| {
            self.lines().map(|cells| of(&cells[column])).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = which.iter().map(|c| widest(&columns, *c)).collect();
        let room = width.checked_sub(1 + GAP.len() * which.len().saturating_sub(1))?;
        let longest = |text: &str| text.split(' ').map(columns).max().unwrap_or(0);
        let least = |column: usize, natural: usize| {
            if self.numbers.contains(&column) { natural } else { widest(&longest, column) }
        };
        // The widest gives way first.
        loop {
            let over = widths.iter().sum::<usize>().saturating_sub(room);
            if over == 0 {
                return Some(widths);
            }
            let spare = |i: usize| widths[i] - least(which[i], widths[i]);
            let most = (0..widths.len()).filter(|i| spare(*i) > 0).max_by_key(|i| widths[*i])?;
            widths[most] -= over.min(spare(most)).min(8);
        }
    }

    /// One row, on as many lines as its tallest cell.
    fn draw(&self, cells: &[String], which: &[usize], widths: &[usize]) -> String {
        let folded: Vec<Vec<String>> = which
            .iter()
            .zip(widths)
            .map(|(c, width)| fold(&cells[*c], *width).split('\n').map(str::to_owned).collect())
            .collect();
        let height = folded.iter().map(Vec::len).max().unwrap_or(0);
        let mut out = String::new();
        for at in 0..height {
            let padded = folded.iter().zip(which).zip(widths).map(|((lines, column), width)| {
                let cell = lines.get(at).map_or("", String::as_str);
                let blank = " ".repeat(width.saturating_sub(columns(cell)));
                if self.numbers.contains(column) { blank + cell } else { cell.to_owned() + &blank }
            });
            let line = padded.collect::<Vec<_>>().join(GAP);
            out += &format!(" {}\n", line.trim_end());
        }
        out
    }

    /// A row where there is no room for columns: `id  time 1.2 ms  p99 1.4 ms`.
    fn list(&self, cells: &[String], width: usize) -> String {
        let named = self.header.iter().zip(cells).enumerate().filter(|(_, (_, cell))| !cell.is_empty());
        let pieces = named.map(|(i, (name, cell))| {
            let cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
            if i == 0 { format!(" {cell}") } else { format!("{name} {cell}").trim_start().to_owned() }
        });
        fold_at(&pieces.collect::<Vec<_>>().join(GAP), 4, width) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TextTable {
        let mut table = TextTable::new(["case", "time", "how", "verdict"]).numbers(1..2);
        table.row(["shop/ranker/default/latency", "1.2345 ms", "5 pairs, confirmed", "regressed"]);
        table.row(["shop/a/b/latency", "12.3 µs", "", "–"]);
        table
    }

    #[test]
    fn a_table_is_as_wide_as_it_is_where_it_fits() {
        assert_eq!(
            table().text(80),
            " case                              time  how                 verdict
 shop/ranker/default/latency  1.2345 ms  5 pairs, confirmed  regressed
 shop/a/b/latency               12.3 µs                      –
"
        );
        assert_eq!(table().text(usize::MAX), table().text(71));
    }

    #[test]
    fn words_give_way_first_and_then_columns() {
        assert_eq!(
            table().text(61),
            " case                              time  how        verdict
 shop/ranker/default/latency  1.2345 ms  5 pairs,   regressed
                                         confirmed
 shop/a/b/latency               12.3 µs             –
"
        );
        assert_eq!(
            table().text(42),
            " case
      time  how                 verdict
 shop/ranker/default/latency
 1.2345 ms  5 pairs, confirmed  regressed
 shop/a/b/latency
   12.3 µs                      –
"
        );
        assert_eq!(
            table().text(30),
            " shop/ranker/default/latency
    time 1.2345 ms
    how 5 pairs, confirmed
    verdict regressed
 shop/a/b/latency
    time 12.3 µs  verdict –
"
        );
    }

    #[test]
    fn colours_take_no_room_and_cells_stay_cells() {
        let mut table = TextTable::new(["", "a"]).numbers(1..2);
        table.row(["x", "\x1b[1m1\x1b[0m"]);
        table.row(["a\nb", "22"]);
        assert_eq!(table.text(80), "        a\n x      \x1b[1m1\x1b[0m\n a\\nb  22\n");
    }
}
