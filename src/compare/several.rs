//! Several records beside each other: of each case one number per record, and how far each is from the best. No verdicts:
//! those are about two.

use super::Metric;
use super::metric::case_metrics;
use crate::record::{CaseRecord, Record};
use crate::stats::geometric_mean;
use std::collections::BTreeSet;

/// One case in several records.
#[derive(Clone, Debug, PartialEq)]
pub struct SeveralRow {
    /// The case's id.
    pub id: String,
    /// What is compared: what the scenario is about.
    pub metric: Metric,
    /// For each record, in their order.
    pub cells: Vec<SeveralCell>,
}

/// One case in one of several records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SeveralCell {
    /// The record does not hold the case, or a process has no value.
    Nothing,
    /// It asks something else than the first record that holds the case, so it does not compare.
    OtherDefinition(f64),
    /// A value over its processes, and by which factor it is worse than the best of the row: 1 or more.
    Value(f64, f64),
}

/// A row for each case that one of the records holds, by id.
pub fn several(records: &[&Record]) -> Vec<SeveralRow> {
    let ids: BTreeSet<&String> = records.iter().flat_map(|r| r.cases.keys()).collect();
    ids.into_iter().filter_map(|id| row(id, records)).collect()
}

fn row(id: &str, records: &[&Record]) -> Option<SeveralRow> {
    let first = records.iter().find_map(|r| r.cases.get(id))?;
    let metric = *case_metrics(first).first()?;
    let values: Vec<Option<(f64, bool)>> = records
        .iter()
        .map(|r| {
            let case = r.cases.get(id)?;
            Some((over_processes(case, metric)?, case.definition_hash == first.definition_hash))
        })
        .collect();
    let same = values.iter().flatten().filter(|(_, same)| *same).map(|(value, _)| *value);
    let best = same.reduce(if metric.is_rate() { f64::max } else { f64::min });
    let cell = |value: Option<(f64, bool)>| match (value, best) {
        (Some((value, true)), Some(best)) => {
            SeveralCell::Value(value, if metric.is_rate() { best / value } else { value / best })
        }
        (Some((value, _)), _) => SeveralCell::OtherDefinition(value),
        (None, _) => SeveralCell::Nothing,
    };
    Some(SeveralRow { id: id.to_owned(), metric, cells: values.into_iter().map(cell).collect() })
}

fn over_processes(case: &CaseRecord, metric: Metric) -> Option<f64> {
    let values = case.processes.iter().map(|s| metric.value(s, case.budget)).collect();
    let values: Option<Vec<f64>> = case.by_unit(values).into_iter().collect();
    geometric_mean(&values?).filter(|value| *value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scenario;
    use crate::record::{RecordDevice, sample};

    fn record(cases: &[(&str, f64)]) -> Record {
        let device = RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: Default::default() };
        let mut record = Record::empty(0, device);
        for (id, mean) in cases {
            let case = CaseRecord { processes: vec![sample::summary(*mean); 2], ..sample::case() };
            record.cases.insert((*id).to_owned(), case);
        }
        record
    }

    fn cells(rows: &[SeveralRow], id: &str) -> Vec<(i64, i64)> {
        let row = rows.iter().find(|r| r.id == id).expect("a row");
        let rounded = |cell: &SeveralCell| match cell {
            SeveralCell::Nothing => (0, 0),
            SeveralCell::OtherDefinition(value) => (value.round() as i64, -1),
            SeveralCell::Value(value, ratio) => (value.round() as i64, (ratio * 100.0).round() as i64),
        };
        row.cells.iter().map(rounded).collect()
    }

    #[test]
    fn each_record_is_a_column_and_the_best_of_a_row_is_one() {
        let all = [record(&[("a", 200.0)]), record(&[("a", 100.0), ("b", 50.0)]), record(&[("a", 150.0)])];
        let rows = several(&all.iter().collect::<Vec<_>>());
        assert_eq!(cells(&rows, "a"), [(200, 200), (100, 100), (150, 150)]);
        assert_eq!(cells(&rows, "b"), [(0, 0), (50, 100), (0, 0)]);
    }

    #[test]
    fn of_a_rate_more_is_better_and_another_definition_has_no_ratio() {
        let mut all = [record(&[("t", 100.0)]), record(&[("t", 200.0)]), record(&[("t", 1.0)])];
        for record in &mut all {
            record.cases.get_mut("t").expect("the case").scenario = Scenario::Throughput;
        }
        all[2].cases.get_mut("t").expect("the case").definition_hash = "other".into();
        let rows = several(&all.iter().collect::<Vec<_>>());
        assert_eq!(rows[0].metric, Metric::Throughput);
        assert_eq!(
            cells(&rows, "t"),
            [(10_000_000, 100), (5_000_000, 200), (1_000_000_000, -1)],
            "the third asks something else, so it is not the best"
        );
    }
}
