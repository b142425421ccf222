//! Bencher's metric format (<https://bencher.dev/docs/reference/bencher-metric-format>): an object of benchmarks, each an
//! object of measures, each `value` with `lower_value` and `upper_value`.
//!
//! The format has no unit. Bencher has measures `latency` (ns) and `throughput` (operations per second) of its own; the
//! names of the others hold their unit.

use super::{Measure, MeasureUnit, measures};
use crate::printable;
use crate::record::Record;
use serde_json::{Map, Value, json};

/// The text of the file.
pub fn text(record: &Record) -> String {
    let cases: Map<String, Value> = record
        .cases
        .iter()
        .map(|(id, case)| (id.clone(), measures(case).iter().map(|m| (name(m), metric(m))).collect()))
        .collect();
    printable::json(&Value::Object(cases).to_string()) + "\n"
}

fn name(measure: &Measure) -> String {
    let unit = match measure.unit {
        _ if ["latency", "throughput"].contains(&measure.name) => "",
        MeasureUnit::Nanoseconds => "-ns",
        MeasureUnit::InferencesPerSecond => "-per-second",
        MeasureUnit::Bytes => "-bytes",
    };
    format!("{}{unit}", measure.name)
}

fn metric(measure: &Measure) -> Value {
    let value = measure.figure.estimate();
    match measure.bounds() {
        Some([lower, upper]) => json!({"value": value, "lower_value": lower, "upper_value": upper}),
        None => json!({"value": value}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::measures::tests::record;
    use super::*;

    /// What Bencher's JSON schema asks: objects of objects of objects with a number `value`, and perhaps two others.
    fn check(file: &Value) {
        for (benchmark, measures) in file.as_object().expect("benchmarks") {
            assert!((1..=1024).contains(&benchmark.len()), "{benchmark}");
            for (measure, metric) in measures.as_object().expect("measures") {
                assert!((1..=64).contains(&measure.len()), "{measure}");
                let metric = metric.as_object().expect("a metric");
                assert!(metric.get("value").is_some_and(Value::is_number), "{measure}");
                let known = ["value", "lower_value", "upper_value"];
                assert!(
                    metric.iter().all(|(key, v)| known.contains(&key.as_str()) && v.is_number()),
                    "{metric:?}"
                );
            }
        }
    }

    #[test]
    fn the_file_is_as_benchers_schema_asks() {
        for means in [&[1000.0, 2000.0][..], &[1500.0]] {
            let text = text(&record("p/m\x1b/latency", means));
            assert!(!text.contains('\x1b'), "{text}");
            let file: Value = serde_json::from_str(&text).expect("JSON");
            check(&file);
            let case = &file["p/m\x1b/latency"];
            let latency = &case["latency"];
            let value = latency["value"].as_f64().expect("a number");
            assert_eq!(latency["lower_value"].as_f64().is_some_and(|low| low < value), means.len() > 1);
            assert!(case["latency-p99-ns"].is_object() && case["throughput"].is_object(), "{text}");
        }
    }
}
