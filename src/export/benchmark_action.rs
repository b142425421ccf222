//! What github-action-benchmark takes as `customSmallerIsBetter` and `customBiggerIsBetter`: an array of `name`, `unit`,
//! `value`, and `range` and `extra` as text. Which is better is said once for a whole file, so there are two.

use super::{Measure, MeasureUnit, measures};
use crate::discover::Cell;
use crate::printable;
use crate::record::{CaseRecord, Record};
use serde_json::{Value, json};

/// The two files, by name; one that would be empty is left out, because the action refuses it.
pub fn files(record: &Record) -> Vec<(&'static str, String)> {
    let entries: Vec<(MeasureUnit, Value)> = record
        .cases
        .iter()
        .flat_map(|(id, case)| measures(case).into_iter().map(|m| (m.unit, entry(id, case, &m))))
        .collect();
    [("smaller-is-better.json", false), ("bigger-is-better.json", true)]
        .into_iter()
        .filter_map(|(name, bigger)| {
            let of_file = entries.iter().filter(|(unit, _)| unit.bigger_is_better() == bigger);
            let array: Vec<Value> = of_file.map(|(_, entry)| entry.clone()).collect();
            let text = || printable::json(&Value::Array(array.clone()).to_string()) + "\n";
            (!array.is_empty()).then(|| (name, text()))
        })
        .collect()
}

fn entry(id: &str, case: &CaseRecord, measure: &Measure) -> Value {
    let unit = match measure.unit {
        MeasureUnit::Nanoseconds => "ns",
        MeasureUnit::InferencesPerSecond => "inferences/s",
        MeasureUnit::Bytes => "bytes",
    };
    let Cell { point, .. } = case.cell();
    let extra = format!(
        "{} processes on {}, batch {}, {} streams",
        case.processes.len(),
        case.engine.library,
        point.batch,
        point.streams
    );
    let mut entry = json!({
        "name": format!("{id} {}", measure.name),
        "unit": unit,
        "value": measure.figure.estimate(),
        "extra": extra,
    });
    if let Some([low, high]) = measure.bounds() {
        entry["range"] = format!("{low} to {high}").into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::super::measures::tests::record;
    use super::*;

    #[test]
    fn each_direction_has_a_file_and_none_is_empty() {
        let files = files(&record("p/m/latency", &[1000.0, 1010.0]));
        assert_eq!(
            files.iter().map(|f| f.0).collect::<Vec<_>>(),
            ["smaller-is-better.json", "bigger-is-better.json"]
        );
        for (name, text) in &files {
            let array: Vec<Value> = serde_json::from_str(text).expect("an array");
            for entry in &array {
                assert!(entry["name"].as_str().is_some_and(|n| n.starts_with("p/m/latency ")), "{entry}");
                assert!(entry["value"].is_number() && entry["range"].is_string(), "{entry}");
                assert_eq!(entry["unit"] == "inferences/s", *name == "bigger-is-better.json", "{entry}");
            }
        }
        assert!(super::files(&record("p/m/latency", &[])).is_empty(), "no process, no number, no file");
    }
}
