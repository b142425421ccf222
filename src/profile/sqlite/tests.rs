//! Tables read from a file that SQLite itself wrote (`tests/nsys/small.sql` says how), and from damaged ones.

use super::*;

const SMALL: &[u8] = include_bytes!("../../../tests/nsys/small.sqlite");

fn rows(table: &str, columns: &[&str]) -> Vec<Vec<SqlValue>> {
    Database::open(SMALL).unwrap().rows(table, columns).unwrap().unwrap()
}

#[test]
fn every_kind_of_number_is_read() {
    let rows = rows("NUMBERS", &["n", "x", "T", "b", "none"]);
    let ints: Vec<Option<i64>> = rows.iter().map(|row| row[0].int()).collect();
    let powers = [8, 16, 24, 32, 48].map(|bits| Some(-(1 << (bits - 1))));
    assert_eq!(ints[..6], [&[Some(-1)][..], &powers].concat());
    assert_eq!(ints[6..], [Some(i64::MIN), Some(0), None]);
    let text = |text: &str| SqlValue::Text(text.into());
    // A real without a fraction is stored as a whole number.
    assert_eq!(rows[0], [SqlValue::Int(-1), SqlValue::Real(0.5), text("ä"), SqlValue::Null, SqlValue::Null]);
    assert_eq!(
        (&rows[1][1], &rows[1][2], &rows[2][1]),
        (&SqlValue::Real(-2.25), &text(""), &SqlValue::Real(1e300))
    );
}

#[test]
fn a_table_of_many_pages_is_read_in_order_and_a_long_row_whole() {
    let texts = rows("StringIds", &["value", "id"]);
    assert_eq!(texts.len(), 306);
    assert_eq!(texts[305], [SqlValue::Text("text 399".into()), SqlValue::Int(399)]);
    assert!(texts.is_sorted_by_key(|row| row[1].int()), "row numbers stand for the key");
    let long = rows("NVTX_EVENTS", &["jsonText"]);
    assert_eq!(long[6][0], SqlValue::Text("0".repeat(4000)));
    assert!(
        Database::open(SMALL).unwrap().rows("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", &["start"]).unwrap().is_none()
    );
}

#[test]
fn what_is_no_database_is_refused() {
    for (bytes, says) in [
        (&b""[..], "no SQLite database"),
        (b"[{\"name\": \"timeline\"}]", "no SQLite database"),
        (&SMALL[..16], "is damaged: "),
        (&SMALL[..100], "is damaged: "),
        (&SMALL[..600], "is damaged: "),
    ] {
        let why = Database::open(bytes).and_then(|d| d.rows("StringIds", &["id"]).map(|_| ()));
        assert!(why.as_ref().is_err_and(|w| w.contains(says)), "{says}: {why:?}");
    }
}

#[test]
fn a_damaged_file_is_an_error_or_rows_and_never_an_endless_loop() {
    // Each byte of the trees in turn is something else.
    let mut damaged = SMALL.to_vec();
    for at in (16..SMALL.len()).step_by(37) {
        for byte in [0, 0x05, 0x0d, 0xff] {
            damaged[at] = byte;
            if let Ok(database) = Database::open(&damaged) {
                for table in ["StringIds", "NVTX_EVENTS", "NUMBERS"] {
                    let rows = database.rows(table, &["start"]).ok().flatten();
                    assert!(rows.is_none_or(|rows| rows.len() < SMALL.len()));
                }
            }
        }
        damaged[at] = SMALL[at];
    }
}
