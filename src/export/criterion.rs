//! Criterion's layout, `<benchmark>/<baseline>/{benchmark,estimates}.json`, which `critcmp` reads.
//!
//! Criterion measures iterations, and we measure processes: the sample of each estimate is one value per process (per
//! build, where there are several). Its mean is the geometric one, so that the ratio of two baselines is the one that
//! `compare` tells. The other estimates are criterion's, with intervals by its method, the bootstrap.

use crate::compare::Metric;
use crate::config::Scenario;
use crate::outcome::{CONFIDENCE, Figure};
use crate::printable;
use crate::record::{CaseRecord, Record, is_plain_name};
use crate::rng::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How often a sample is drawn again: the standard error of an interval's end is a few per cent of the interval.
const RESAMPLES: usize = 2000;
/// Makes the median absolute deviation of normal values their standard deviation; criterion does the same.
const MAD_TO_SD: f64 = 1.4826;

/// A file below criterion's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriterionFile {
    /// Relative, its parts joined by `/`, and made of plain characters whatever an id holds.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The files of a record, and the ids of cases that have no value to export.
pub fn files(record: &Record, baseline: &str) -> (Vec<CriterionFile>, Vec<String>) {
    let (mut files, mut without, mut folders) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (id, case) in &record.cases {
        let Some((values, mean)) = sample(case) else {
            without.push(id.clone());
            continue;
        };
        let mut folder = plain(id);
        while !folders.insert(folder.clone()) {
            folder.push('_');
        }
        let json = |value: &Value| printable::json(&value.to_string()) + "\n";
        let file = |name: &str, value: &Value| CriterionFile {
            path: format!("{folder}/{baseline}/{name}.json"),
            text: json(value),
        };
        files.push(file("benchmark", &benchmark(id, case, &folder)));
        files.push(file("estimates", &estimates(&values, mean)));
    }
    (files, without)
}

/// Why this cannot be a baseline's name; `None` where it can.
pub fn bad_baseline(name: &str) -> Option<&'static str> {
    if name == "change" {
        Some("criterion keeps its own comparisons under this name, and critcmp skips it")
    } else if !is_plain_name(name) {
        Some(
            "it becomes a folder, so it is made of letters, digits, `-`, `_` and `.`, and does not begin with a dot",
        )
    } else {
        None
    }
}

/// Nanoseconds of each process, and their mean. Where a rate is what the scenario is about, the time is that in which one
/// batch is answered at this rate, and not how long a request takes.
fn sample(case: &CaseRecord) -> Option<(Vec<f64>, Figure)> {
    let batch = case.point.batch as f64;
    let rate = match case.scenario {
        Scenario::Latency => None,
        Scenario::Throughput => Some(Metric::Throughput),
        Scenario::Capacity => Some(Metric::Capacity),
    };
    let values = case.processes.iter().map(|s| match rate {
        None => Some(s.mean_ns),
        Some(rate) => rate.value(s, case.budget).filter(|r| *r > 0.0).map(|r| batch * 1e9 / r),
    });
    let values: Vec<f64> = case.by_unit(values.collect()).into_iter().collect::<Option<_>>()?;
    let mean = Figure::of(&values)?;
    Some((values, mean))
}

fn benchmark(id: &str, case: &CaseRecord, folder: &str) -> Value {
    let (group, scenario) = id.rsplit_once('/').unwrap_or((id, ""));
    json!({
        "group_id": group,
        "function_id": (!scenario.is_empty()).then_some(scenario),
        "value_str": null,
        "throughput": {"Elements": case.point.batch},
        "full_id": id,
        "directory_name": folder,
        "title": id,
    })
}

fn estimates(values: &[f64], mean: Figure) -> Value {
    let [low, high] = match mean {
        Figure::Interval(i) => [i.lo, i.hi],
        Figure::Single(v) => [v, v],
    };
    let standard_error = deviation(values) / (values.len() as f64).sqrt();
    json!({
        "mean": estimate(mean.estimate(), [low, high], standard_error),
        "median": bootstrapped(values, median),
        "median_abs_dev": bootstrapped(values, median_deviation),
        "slope": null,
        "std_dev": bootstrapped(values, deviation),
    })
}

fn estimate(point: f64, [lower, upper]: [f64; 2], standard_error: f64) -> Value {
    json!({
        "confidence_interval": {"confidence_level": CONFIDENCE, "lower_bound": lower, "upper_bound": upper},
        "point_estimate": point,
        "standard_error": standard_error,
    })
}

/// The percentile bootstrap: the statistic of samples drawn from the sample (B. Efron, Annals of Statistics 7, 1979).
fn bootstrapped(values: &[f64], statistic: fn(&[f64]) -> f64) -> Value {
    let mut rng = Rng::new(0);
    let drawn = |rng: &mut Rng| {
        values.iter().map(|_| values[rng.below(values.len() as u64) as usize]).collect::<Vec<_>>()
    };
    let mut all: Vec<f64> = (0..RESAMPLES).map(|_| statistic(&drawn(&mut rng))).collect();
    all.sort_by(f64::total_cmp);
    let at = |q: f64| all[(q * (RESAMPLES - 1) as f64).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    estimate(statistic(values), [at(tail), at(1.0 - tail)], deviation(&all))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
    f64::midpoint(middle((sorted.len().max(1) - 1) / 2), middle(sorted.len() / 2))
}

fn median_deviation(values: &[f64]) -> f64 {
    let middle = median(values);
    MAD_TO_SD * median(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>())
}

/// The sample standard deviation; 0 for one value.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}

/// An id as the name of one folder.
fn plain(id: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = id.replace('/', "__").chars().map(kept).collect();
    // `.` and `..` are no names.
    if name.starts_with('.') { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::measures::tests::record;
    use super::*;
    use crate::stats::geometric_mean;

    fn parsed(files: &[CriterionFile], name: &str) -> Value {
        let file = files.iter().find(|f| f.path.ends_with(name)).expect(name);
        serde_json::from_str(&file.text).expect("JSON")
    }

    #[test]
    fn a_case_is_a_benchmark_with_what_critcmp_reads() {
        let values = [1000.0, 1100.0, 1300.0];
        let (files, without) = files(&record("p/m/v/latency", &values), "main");
        let paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["p__m__v__latency/main/benchmark.json", "p__m__v__latency/main/estimates.json"]);
        assert!(without.is_empty());
        let benchmark = parsed(&files, "benchmark.json");
        assert_eq!(
            (&benchmark["full_id"], &benchmark["group_id"]),
            (&json!("p/m/v/latency"), &json!("p/m/v"))
        );
        assert_eq!(benchmark["throughput"], json!({"Elements": 1}));
        let estimates = parsed(&files, "estimates.json");
        let point = |name: &str| estimates[name]["point_estimate"].as_f64().expect(name);
        assert!((point("mean") - geometric_mean(&values).expect("a mean")).abs() < 1e-6);
        assert_eq!((point("median"), point("median_abs_dev").round()), (1100.0, 148.0));
        assert!((point("std_dev") - 152.75).abs() < 0.01);
        for name in ["mean", "median", "median_abs_dev", "std_dev"] {
            let interval = &estimates[name]["confidence_interval"];
            let [low, high] = ["lower_bound", "upper_bound"].map(|end| interval[end].as_f64().expect(end));
            assert!(low <= point(name) && point(name) <= high && low < high, "{name}: {interval}");
        }
    }

    #[test]
    fn a_rate_is_the_time_of_a_batch_and_an_unknown_one_is_no_file() {
        let mut record = record("t", &[1e6, 1e6]);
        let case = record.cases.get_mut("t").expect("the case");
        (case.scenario, case.point.batch) = (Scenario::Throughput, 8);
        case.processes.iter_mut().for_each(|s| s.inferences_per_s = 4000.0);
        let mean = parsed(&files(&record, "b").0, "estimates.json")["mean"]["point_estimate"].as_f64();
        assert!((mean.expect("a mean") - 2e6).abs() < 1e-3, "8 inferences at 4000 a second");
        record.cases.get_mut("t").expect("the case").scenario = Scenario::Capacity;
        assert_eq!(files(&record, "b"), (Vec::new(), vec!["t".to_owned()]));
    }

    #[test]
    fn no_id_and_no_name_leads_out_of_the_folder() {
        for (id, folder) in [("../../x", "_..__..__x"), ("a b/ä", "a_b___"), (".", "_.")] {
            assert_eq!(plain(id), folder);
        }
        for bad in ["change", "", ".", "..", ".x", "a/b", "a b", "ä"] {
            assert!(bad_baseline(bad).is_some(), "{bad}");
        }
        assert!(["main", "v1.2-rc_3", "0123abcd"].into_iter().all(|good| bad_baseline(good).is_none()));
        let mut two = record("a/b", &[1.0]);
        two.cases.insert("a__b".into(), two.cases["a/b"].clone());
        let folders: BTreeSet<String> = files(&two, "x").0.into_iter().map(|f| f.path).collect();
        assert_eq!(folders.len(), 4, "none takes another's place: {folders:?}");
    }
}
