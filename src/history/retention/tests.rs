//! What stays, and for which reason.

use super::*;
use crate::discover::{Axes, Discovery};
use crate::history::series;
use crate::record::{Acceptance, ChangeKind, RecordDevice, Source, sample};
use crate::rng::Rng;

const A: &str = "p/a/default/latency";
const B: &str = "p/b/default/latency";

fn case(mean_ns: f64) -> CaseRecord {
    CaseRecord { processes: vec![sample::summary(mean_ns)], ..sample::case() }
}

/// The record of a day; its id is the day's number, its commit the same.
fn record(day: i64, cases: &[(&str, CaseRecord)]) -> Record {
    let device = RecordDevice { key: "cpu".into(), name: "CPU".into(), soft: BTreeMap::new() };
    let commit = day.to_string();
    Record {
        id: day.to_string(),
        source: Some(Source { src_tree: commit.clone(), commit, branch: None, dirty: false }),
        cases: cases.iter().map(|(id, case)| ((*id).to_owned(), case.clone())).collect(),
        ..Record::empty(day * 86_400, device)
    }
}

fn in_history<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeMap<String, CommitPlace> {
    let place = |r: &Record| {
        (r.id.clone(), CommitPlace { back: 10_000 - (r.created_s / 86_400) as usize, time_s: r.created_s })
    };
    records.into_iter().map(place).collect()
}

/// The days that stay, each with its reasons in short.
fn stay(records: &[Record], newest: usize, epochs: bool) -> Vec<String> {
    let why = kept(records, &in_history(records), Keep { newest, epochs });
    let short = |why: &WhyKept| match why {
        WhyKept::Cases(need, cases) => {
            let cases: Vec<&str> = cases.iter().filter_map(|id| id.split('/').nth(1)).collect();
            format!("{} {}", need.word(), cases.join("+"))
        }
        WhyKept::Accepts => "accepts".into(),
        WhyKept::Replaces(id) => format!("replaces {id}"),
        WhyKept::Unreadable(_) => "unreadable".into(),
    };
    let kept = records.iter().zip(&why).filter(|(_, why)| !why.is_empty());
    kept.map(|(r, why)| format!("{}: {}", r.id, why.iter().map(short).collect::<Vec<_>>().join(", ")))
        .collect()
}

#[test]
fn commits_count_and_not_when_they_were_measured() {
    // As `backfill` measures: the newest commit first.
    let records: Vec<Record> = (1..=4).map(|day| record(day, &[(A, case(1e6))])).collect();
    let place = |(day, back): (i32, usize)| (day.to_string(), CommitPlace { back, time_s: 0 });
    let places = [(0, 9), (1, 1), (2, 2), (3, 3), (4, 4)].map(place).into();
    let why = kept(&records, &places, Keep { newest: 1, epochs: false });
    let needs = |at: usize| -> Vec<CaseNeed> {
        let need = |why: &WhyKept| match why {
            WhyKept::Cases(need, _) => *need,
            other => panic!("{other:?}"),
        };
        why[at].iter().map(need).collect()
    };
    let both = [CaseNeed::Newest, CaseNeed::Oldest];
    assert_eq!(
        [0, 1, 2, 3].map(needs),
        [&both[..], &[], &[], &[]],
        "the first one that was measured is of HEAD"
    );
    let records = [&[record(0, &[(A, case(1e6))])], &records[..]].concat();
    let why = kept(&records, &places, Keep { newest: 1, epochs: false });
    assert_eq!(why[1], [WhyKept::Cases(CaseNeed::Newest, vec![A.into()])], "HEAD's");
}

#[test]
fn the_newest_of_each_case_stay_and_the_oldest_that_drift_is_measured_from() {
    let both = [(A, case(1e6)), (B, case(1e6))];
    let records: Vec<Record> =
        (1..=6).map(|day| record(day, if day < 4 { &both } else { &both[..1] })).collect();
    assert_eq!(stay(&records, 1, false), ["1: oldest a+b", "3: newest b", "6: newest a"]);
    assert_eq!(stay(&records, 0, false), stay(&records, 1, false), "without one nothing can be compared");
    assert_eq!(
        stay(&records, 2, false),
        ["1: oldest a+b", "2: newest b", "3: newest b", "5: newest a", "6: newest a"]
    );
    assert_eq!(stay(&[], 1, true), [""; 0]);
    let mut redefined = records;
    redefined[4].cases.values_mut().for_each(|case| case.definition_hash = "other".into());
    redefined[5].cases.values_mut().for_each(|case| case.definition_hash = "other".into());
    let days = stay(&redefined, 1, false);
    assert_eq!(days, ["1: oldest b", "3: newest b", "5: oldest a", "6: newest a"], "another question");
    let levels = stay(&redefined, 1, true);
    assert_eq!(levels.len(), 6, "the history of the former one, too, and all are recent: {levels:?}");
    assert_eq!(levels[3], "4: recent a");
}

#[test]
fn what_was_accepted_stays_and_what_replaced_a_record_that_stays() {
    let mut records: Vec<Record> = (1..=6).map(|day| record(day, &[(A, case(1e6))])).collect();
    // The oldest stays, because only it holds `b`; `a` was replaced in it, and so drift of `a` counts from the second.
    records[0] = record(1, &[(B, case(1e6))]);
    records[2].supersedes = vec!["1".into()];
    records[3].supersedes = vec!["3".into()];
    records[4].acceptance = Some(Acceptance {
        case: A.into(),
        kind: ChangeKind::Regression,
        reason: "r".into(),
        redefined: Vec::new(),
        broken_budget: None,
        changes: BTreeMap::new(),
        by: "b".into(),
        base_commit: "1".into(),
    });
    assert_eq!(
        stay(&records, 1, false),
        [
            "1: newest b, oldest b",
            "2: oldest a",
            "3: replaces 1",
            "4: replaces 3",
            "5: accepts",
            "6: newest a"
        ]
    );
    // A removal that was accepted is a record without numbers.
    records[4].cases.clear();
    assert!(stay(&records, 1, false).contains(&"5: accepts".to_owned()));
}

#[test]
fn a_pin_stays_and_extra_work_is_no_reference() {
    let mut pinned = case(1e6);
    let axes = Axes {
        batch: vec![1],
        streams: vec![1],
        in_flight: vec![1],
        cuda_graph: vec![false],
        threads: vec![1],
    };
    pinned.discovery = Some(Discovery { axes, cells: Vec::new(), overall: true });
    let mut slowed = case(1e6);
    slowed.engine.build.debug_extra_work_frac = Some(0.1);
    let records = [
        record(1, &[(A, case(1e6))]),
        record(2, &[(A, pinned.clone())]),
        record(3, &[(A, pinned)]),
        record(4, &[(A, case(1e6))]),
        record(5, &[(A, slowed.clone()), (B, slowed)]),
    ];
    let expected = ["1: oldest a", "3: pin a", "4: newest a", "5: newest b, oldest b"];
    assert_eq!(stay(&records, 1, false), expected);
}

#[test]
fn many_records_of_other_branches_leave_head_its_own() {
    let records: Vec<Record> = (1..=9).map(|day| record(day, &[(A, case(1e6))])).collect();
    let why = kept(&records, &in_history(&records[..4]), Keep { newest: 2, epochs: false });
    let days: Vec<&str> =
        records.iter().zip(&why).filter(|(_, why)| !why.is_empty()).map(|(r, _)| r.id.as_str()).collect();
    assert_eq!(days, ["1", "3", "4", "5", "8", "9"]);
}

/// A record a week for three years; it becomes slower by 5 % after a year, and as fast as before after another.
fn three_years(sd: f64) -> Vec<Record> {
    let mut rng = Rng::new(1);
    let level = |week: i64| [1.0, 1.05, 1.0][(week / 52) as usize];
    let record = |week| record(week * 7, &[(A, case(1e6 * level(week) * (sd * rng.normal()).exp()))]);
    (0..156).map(record).collect()
}

#[test]
fn what_stays_of_a_history_shows_the_same_changes_however_often_it_is_pruned() {
    for sd in [0.005, 0.01] {
        let all = three_years(sd);
        let places = in_history(&all);
        let changes = |records: &[Record]| -> Vec<i64> {
            let series = series(records, "cpu", A, None, &places).expect("held");
            let changes = series.changes.expect("searched");
            changes.iter().map(|c| series.points[c.first].created_s / 86_400 / 7).collect()
        };
        assert_eq!(changes(&all), [52, 104], "sd {sd}");
        let mut left: Vec<Record> = Vec::new();
        for (week, record) in all.iter().enumerate() {
            left.push(record.clone());
            if (week + 1) % 4 == 0 {
                let why = kept(&left, &places, Keep { newest: 3, epochs: true });
                let mut stays = why.iter().map(|why| !why.is_empty());
                left.retain(|_| stays.next().unwrap());
            }
        }
        assert_eq!(changes(&left), [52, 104], "sd {sd}");
        assert!(left.len() < 50, "{}", left.len());
        let why = kept(&left, &places, Keep { newest: 3, epochs: true });
        assert!(why.iter().all(|why| !why.is_empty()), "pruned once more, the same stays");
    }
}

#[test]
fn without_a_change_both_ends_stay_and_few_values_all() {
    let mut rng = Rng::new(2);
    let values: Vec<f64> = (0..26).map(|_| 1e6 * (0.01 * rng.normal()).exp()).collect();
    assert_eq!(level_ends(&values), [0, 25].into());
    assert_eq!(level_ends(&values[..7]).len(), 7);
    assert_eq!(level_ends(&[]), [].into());
    let stepped: Vec<f64> =
        values.iter().enumerate().map(|(i, v)| if i < 9 { *v } else { v * 1.1 }).collect();
    assert_eq!(level_ends(&stepped), [0, 8, 9, 25].into());
}

#[test]
fn the_newest_half_year_is_that_of_all_records_and_needs_no_value() {
    let former = |day| record(day, &[(A, CaseRecord { definition_hash: "former".into(), ..case(1e6) })]);
    let mut records: Vec<Record> = (0..20).map(|week| former(week * 7)).collect();
    records.extend((160..170).map(|week| record(week * 7, &[(A, case(1e6))])));
    // No process of it gave a number.
    records[24].cases.get_mut(A).expect("held").processes.clear();
    let days = stay(&records, 1, true);
    let of_former = days.iter().filter(|day| day.ends_with("level a")).count();
    assert_eq!(of_former, 2, "both ends of its only level: {days:?}");
    assert_eq!(days.iter().filter(|day| day.contains("recent a")).count(), 10, "{days:?}");
}
