//! What fails a check, and how its rows are counted.

use super::*;
use crate::case::Margins;
use crate::outcome::Tally;
use crate::record::RecordDevice;

fn row(id: &str, verdict: Verdict, origin: RowOrigin) -> Row {
    Row::new(CaseComparison::bare(id, None, Margins::default(), None, verdict), origin)
}

/// A check with these rows, in any order of ids.
fn checked(rows: Vec<Row>) -> Checked {
    Checked {
        rows: rows.into_iter().map(|row| (row.comparison.id.clone(), row)).collect(),
        ..Checked::empty([nothing(), nothing()])
    }
}

fn nothing() -> Record {
    let device = RecordDevice { key: "d".into(), name: "d".into(), soft: BTreeMap::new() };
    Record::empty(0, device)
}

fn honoured() -> Option<AcceptanceStatus> {
    Some(AcceptanceStatus::Honoured { reason: "r".into(), by: "b".into() })
}

fn pairs() -> RowOrigin {
    RowOrigin::Pairs { pairs: 5, discarded: 0, confirmed: Some(true) }
}

fn changed(what: &str) -> Vec<Changed> {
    vec![Changed { what: what.into(), base: "1".into(), head: "2".into() }]
}

fn no_base() -> Verdict {
    Verdict::NotComparable(NotComparable::NoBase("x".into()))
}

fn removed(id: &str) -> Row {
    row(id, Verdict::NotComparable(NotComparable::Removed { likely: None }), RowOrigin::Removed)
}

#[test]
fn only_what_gates_is_a_regression_of_the_check() {
    let stored = RowOrigin::Stored { why: "x".into(), base: "y".into() };
    let found = checked(vec![
        row("a/unchanged", Verdict::Unchanged, RowOrigin::SameEngine),
        row("b/advice", Verdict::Regressed, stored),
        Row { accepted: honoured(), ..row("c/accepted", Verdict::Regressed, pairs()) },
        row("d/regressed", Verdict::Regressed, pairs()),
        row("e/improved", Verdict::Improved, pairs()),
    ]);
    let expected =
        Counts { regressed: 1, accepted: 1, advisory: 1, improved: 1, unchanged: 1, ..Counts::default() };
    assert_eq!(found.counts(), expected);
    // The base of the advice could not be measured, which is a gap of its own.
    assert_eq!(Tally::of_check(&found), Tally { regressed: 1, gaps: 1, ..Tally::default() });
    let order: Vec<&str> = found.worst_first().iter().map(|r| r.comparison.id.as_str()).collect();
    assert_eq!(order, ["d/regressed", "b/advice", "c/accepted", "e/improved", "a/unchanged"]);
}

#[test]
fn a_gap_fails_the_check_until_it_is_accepted_and_a_new_case_is_none() {
    let apart = Verdict::NotComparable(NotComparable::Backend { base: "a".into(), head: "b".into() });
    let redefined = Row { redefined: changed("seed"), ..row("c", Verdict::Unchanged, RowOrigin::SameEngine) };
    let rows = vec![
        removed("a"),
        row("b", apart, RowOrigin::NotMeasured),
        redefined,
        row("d", no_base(), RowOrigin::New),
        row("e", no_base(), RowOrigin::NoBase { why: "x".into() }),
    ];
    let mut found = checked(rows);
    let gaps: Vec<Option<Gap>> = found.rows.values().map(Row::gap).collect();
    let all = [Gap::Removed, Gap::NotComparable, Gap::Redefined].map(Some);
    assert_eq!(gaps, [&all[..], &[None, Some(Gap::NoBase)]].concat());
    let expected =
        Counts { removed: 1, redefined: 1, not_compared: 2, new: 1, unchanged: 1, ..Counts::default() };
    assert_eq!(found.counts(), expected);
    assert_eq!(Tally::of_check(&found).gaps, 4);
    found.on_missing = OnMissing::Measure;
    assert_eq!(Tally::of_check(&found).gaps, 3, "head was measured where the base could not be");
    found.on_missing = OnMissing::Warn;
    assert_eq!(Tally::of_check(&found).gaps, 0);
    found.on_missing = OnMissing::Fail;
    found.rows.values_mut().for_each(|row| row.gap_accepted = honoured());
    let counts = found.counts();
    assert_eq!((counts.removed, counts.redefined, counts.gaps_accepted), (0, 0, 4));
}

#[test]
fn a_redefined_case_that_regressed_is_both() {
    let row = Row { redefined: changed("seed"), ..row("a", Verdict::Regressed, pairs()) };
    let mut found = checked(vec![row]);
    let tally = Tally { regressed: 1, gaps: 1, ..Tally::default() };
    assert_eq!(Tally::of_check(&found), tally);
    found.rows.values_mut().for_each(|row| row.gap_accepted = honoured());
    assert_eq!(Tally::of_check(&found), Tally { gaps: 0, ..tally }, "the regression is another matter");
}

#[test]
fn a_setting_that_changed_is_told_once_with_all_its_cases() {
    let of = |id: &str, what: &str| Row { settings: changed(what), ..removed(id) };
    let found = checked(vec![of("a", "margin"), of("b", "margin"), of("c", "measure")]);
    let told: Vec<(String, Vec<&str>)> =
        found.settings_changed().into_iter().map(|s| (s.changed.to_string(), s.cases)).collect();
    assert_eq!(told, [("margin 1 → 2".into(), vec!["a", "b"]), ("measure 1 → 2".into(), vec!["c"])]);
}
