//! Reads tables of a SQLite file, which is how Nsight Systems exports a report. Only what such a file needs: whole tables,
//! in the order of the file, from bytes in memory.
//!
//! Bundling SQLite itself (rusqlite 0.37) was measured: 52 s more of compiling in a release build, C code that reads files
//! of others in this process, and 1.9 MB more of program. What is here follows <https://sqlite.org/fileformat2.html>.
//!
//! Invariant: whatever the bytes are, the answer is rows or an error. A table has no more pages and bytes than the file, so
//! none makes it loop or fill the memory.

use std::collections::BTreeMap;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// No value, or one of a kind that no table of ours has (a blob).
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
}

impl SqlValue {
    /// The whole number, if it is one.
    pub fn int(&self) -> Option<i64> {
        if let Self::Int(n) = self { Some(*n) } else { None }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A table: where it begins, and its columns.
#[derive(Debug)]
struct TablePlace {
    root: usize,
    columns: Vec<String>,
    /// The column that the row's number stands for (`INTEGER PRIMARY KEY`).
    row_id: Option<usize>,
}

/// A SQLite file in memory.
#[derive(Debug)]
pub struct Database<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    /// Of a page; the rest is reserved.
    usable: usize,
    tables: BTreeMap<String, TablePlace>,
}

const MAGIC: &[u8] = b"SQLite format 3\0";
/// The header of the file, before that of its first page.
const FILE_HEADER: usize = 100;
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

impl<'a> Database<'a> {
    /// Reads which tables there are. Says what is wrong with a file that is none, or damaged.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        if !bytes.starts_with(MAGIC) {
            return Err("is no SQLite database".into());
        }
        let page_bytes = match big_endian(bytes, 16, 2)? {
            1 => 1 << 16,
            n if n >= 512 && n.is_power_of_two() => n,
            n => return Err(format!("is damaged: its pages have {n} bytes")),
        };
        if big_endian(bytes, 56, 4)? != 1 {
            return Err("holds texts that are not UTF-8".into());
        }
        let usable = page_bytes - big_endian(bytes, 20, 1)?;
        if usable < 480 {
            return Err("is damaged: its pages are almost all reserved".into());
        }
        let mut database = Self { bytes, page_bytes, usable, tables: BTreeMap::new() };
        let schema = TablePlace { root: 1, columns: Vec::new(), row_id: None };
        // type, name, table, root page, SQL
        for row in database.read(&schema, &[Some(0), Some(1), Some(3), Some(4)])? {
            if let [SqlValue::Text(kind), SqlValue::Text(name), SqlValue::Int(root), SqlValue::Text(sql)] =
                &row[..]
                && kind == "table"
            {
                let (columns, row_id) = columns(sql);
                let root = usize::try_from(*root).unwrap_or(0);
                database.tables.insert(name.clone(), TablePlace { root, columns, row_id });
            }
        }
        Ok(database)
    }

    /// The `columns` of every row of a table; `None` where there is no such table. A column that is not there is null.
    pub fn rows(&self, table: &str, columns: &[&str]) -> Result<Option<Vec<Vec<SqlValue>>>, String> {
        let Some(place) = self.tables.get(table) else { return Ok(None) };
        let wanted: Vec<Option<usize>> = columns
            .iter()
            .map(|name| place.columns.iter().position(|c| c.eq_ignore_ascii_case(name)))
            .collect();
        self.read(place, &wanted).map(Some).map_err(|why| format!("{why} (table {table})"))
    }

    /// Walks a table's tree of pages, leaves from left to right.
    fn read(&self, table: &TablePlace, wanted: &[Option<usize>]) -> Result<Vec<Vec<SqlValue>>, String> {
        let mut rows = Vec::new();
        let mut ahead = vec![table.root];
        let mut left = self.bytes.len() / self.page_bytes;
        let mut unread = self.bytes.len();
        while let Some(number) = ahead.pop() {
            left = left.checked_sub(1).ok_or("is damaged: a table has more pages than the file")?;
            let (page, header) = self.page(number)?;
            let cells = big_endian(page, header + 3, 2)?;
            let kind = *page.get(header).ok_or_else(cut_short)?;
            let pointers = header + if kind == INTERIOR { 12 } else { 8 };
            let cell = |i: usize| big_endian(page, pointers + 2 * i, 2);
            match kind {
                INTERIOR => {
                    // The last one is read first from a stack, so they are put there from right to left.
                    ahead.push(big_endian(page, header + 8, 4)?);
                    for i in (0..cells).rev() {
                        ahead.push(big_endian(page, cell(i)?, 4)?);
                    }
                }
                LEAF => {
                    for i in 0..cells {
                        rows.push(self.row(page, cell(i)?, table.row_id, wanted, &mut unread)?);
                    }
                }
                other => return Err(format!("is damaged: a page of a table has the kind {other}")),
            }
        }
        Ok(rows)
    }

    /// The page of this number, counted from 1, and where its header begins.
    fn page(&self, number: usize) -> Result<(&'a [u8], usize), String> {
        let start =
            number.checked_sub(1).and_then(|n| n.checked_mul(self.page_bytes)).ok_or_else(cut_short)?;
        let page = self.bytes.get(start..start.saturating_add(self.page_bytes)).ok_or_else(cut_short)?;
        Ok((page, if number == 1 { FILE_HEADER } else { 0 }))
    }

    /// One row, which begins at `at` in its page.
    fn row(
        &self,
        page: &[u8],
        mut at: usize,
        row_id: Option<usize>,
        wanted: &[Option<usize>],
        unread: &mut usize,
    ) -> Result<Vec<SqlValue>, String> {
        let length = usize::try_from(varint(page, &mut at)?).unwrap_or(usize::MAX);
        *unread = unread.checked_sub(length).ok_or("is damaged: its rows are longer than the file")?;
        let number = varint(page, &mut at)?;
        let record = self.payload(page, at, length)?;
        let mut at = 0;
        let header = usize::try_from(varint(&record, &mut at)?).unwrap_or(usize::MAX);
        let (mut values, mut body) = (Vec::new(), header);
        while at < header {
            let kind = varint(&record, &mut at)?;
            let bytes = value_bytes(kind);
            values.push((kind, body));
            body = body.saturating_add(bytes);
        }
        wanted
            .iter()
            .map(|column| match column {
                None => Ok(SqlValue::Null),
                Some(_) if *column == row_id => Ok(SqlValue::Int(number)),
                // Columns that were added later are missing in earlier rows.
                Some(i) => values.get(*i).map_or(Ok(SqlValue::Null), |(kind, at)| value(&record, *kind, *at)),
            })
            .collect()
    }

    /// A row's bytes: what is in its page, and what is in the pages behind where it does not fit.
    fn payload(&self, page: &[u8], at: usize, length: usize) -> Result<Vec<u8>, String> {
        let (most, least) = (self.usable - 35, (self.usable - 12) * 32 / 255 - 23);
        let here = if length <= most {
            length
        } else {
            let fits = least + (length - least) % (self.usable - 4);
            if fits <= most { fits } else { least }
        };
        let mut record = page.get(at..at + here).ok_or_else(cut_short)?.to_vec();
        let mut next = if here < length { big_endian(page, at + here, 4)? } else { 0 };
        while record.len() < length {
            let (page, _) = self.page(next)?;
            next = big_endian(page, 0, 4)?;
            let rest = (length - record.len()).min(self.usable - 4);
            record.extend_from_slice(&page[4..4 + rest]);
        }
        Ok(record)
    }
}

fn cut_short() -> String {
    "is damaged: it ends too early".into()
}

/// A number of at most four bytes.
fn big_endian(bytes: &[u8], at: usize, length: usize) -> Result<usize, String> {
    let bytes = bytes.get(at..at.saturating_add(length)).ok_or_else(cut_short)?;
    Ok(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
}

/// A number of one to nine bytes, each but the ninth with seven bits of it.
fn varint(bytes: &[u8], at: &mut usize) -> Result<i64, String> {
    let mut value = 0u64;
    for i in 0..9 {
        let byte = *bytes.get(*at).ok_or_else(cut_short)?;
        *at += 1;
        if i == 8 {
            value = value << 8 | u64::from(byte);
        } else {
            value = value << 7 | u64::from(byte & 0x7f);
            if byte < 0x80 {
                break;
            }
        }
    }
    Ok(value.cast_signed())
}

/// How many bytes a value of this kind has.
fn value_bytes(kind: i64) -> usize {
    match kind {
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        12.. => usize::try_from((kind - 12) / 2).unwrap_or(usize::MAX),
        _ => 0,
    }
}

fn value(record: &[u8], kind: i64, at: usize) -> Result<SqlValue, String> {
    let bytes = record.get(at..at.saturating_add(value_bytes(kind))).ok_or_else(cut_short)?;
    let whole = || {
        let negative = bytes.first().is_some_and(|b| *b >= 0x80);
        bytes.iter().fold(if negative { -1 } else { 0 }, |n: i64, byte| n << 8 | i64::from(*byte))
    };
    Ok(match kind {
        1..=6 => SqlValue::Int(whole()),
        7 => SqlValue::Real(f64::from_bits(whole().cast_unsigned())),
        8 | 9 => SqlValue::Int(kind - 8),
        13.. if kind % 2 == 1 => SqlValue::Text(String::from_utf8_lossy(bytes).into_owned()),
        _ => SqlValue::Null,
    })
}

/// The columns that a `CREATE TABLE` names, and the one that the row's number stands for.
fn columns(sql: &str) -> (Vec<String>, Option<usize>) {
    let plain: String = sql
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join(" ");
    let list = plain.split_once('(').map_or("", |(_, rest)| rest);
    let (mut columns, mut row_id, mut depth) = (Vec::new(), None, 0);
    let outer = list.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    for definition in outer {
        let mut words = definition.split_whitespace();
        let name = words.next().unwrap_or_default().trim_matches(['"', '`', '[', ']']);
        let upper = words.collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        if ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"]
            .contains(&name.to_ascii_uppercase().as_str())
        {
            continue;
        }
        if upper.starts_with("INTEGER") && upper.contains("PRIMARY KEY") {
            row_id = Some(columns.len());
        }
        columns.push(name.to_owned());
    }
    (columns, row_id)
}

#[cfg(test)]
mod tests;
