//! Joins what an engine tells of its layers with what processes measured of them. Pure.
//!
//! Every point estimate is a whole number of nanoseconds, and the residual is what they leave of the whole: so the parts
//! sum to it exactly.

use super::{EngineLayers, GpuLimits, Layer, LayerTime, LayerTimes};
use crate::stats::{Interval, mean_interval};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Confidence of all intervals here.
pub(super) const CONFIDENCE: f64 = 0.95;

/// A layer that takes longer than 28 hours is none.
const MOST_NS: f64 = 1e14;

/// What one process measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerRun {
    /// Its layers.
    pub times: LayerTimes,
    /// Median time that the GPU computed for requests that nobody looked into; `None` where that was not measured.
    pub gpu_ns: Option<f64>,
}

/// A time over processes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNs {
    /// Mean of the processes' medians, or what others leave of one.
    pub ns: i64,
    /// `None` with a single process.
    pub interval: Option<Interval>,
}

/// A layer and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// The layer.
    pub layer: Layer,
    /// A value per process: its median.
    pub medians_ns: Vec<f64>,
    /// The time over all of them.
    pub time: LayerNs,
    /// Share of the sum of all layers, in [0, 1].
    pub share_frac: f64,
    /// How often it runs in a request.
    pub calls: u64,
}

/// The layers of an engine with their times.
#[derive(Clone, Debug, PartialEq)]
pub struct Breakdown {
    /// In the order in which they run.
    pub rows: Vec<LayerRow>,
    /// Measuring processes.
    pub processes: usize,
    /// Requests of all of them whose layers were timed.
    pub requests: u64,
    /// The sum of the layers, a value per process.
    pub sums_ns: Vec<f64>,
    /// The whole request on the GPU, a value per process; empty where it was not measured.
    pub gpu_ns: Vec<f64>,
    /// What the engine is known by where it tells its tactics.
    pub fingerprint: Option<String>,
    /// Whether types, shapes and tactics are known.
    pub detailed: bool,
    /// Whether the layers are of requests without the CUDA graph that others replay.
    pub without_graph: bool,
    /// What the GPU can do at most; `None` where nothing tells that.
    pub limits: Option<GpuLimits>,
}

impl Breakdown {
    /// Of the processes of one engine. Fails where they did not run the same layers, and where a time is none. `engine`:
    /// what it tells of itself.
    pub fn of(engine: Option<&EngineLayers>, runs: &[LayerRun]) -> Result<Self, String> {
        let first = runs.first().filter(|run| !run.times.layers.is_empty()).ok_or("has no layer")?;
        runs.iter().try_for_each(ensure_times)?;
        let known: HashMap<&str, &Layer> =
            engine.iter().flat_map(|e| e.layers.iter().rev()).map(|l| (l.name.as_str(), l)).collect();
        if let Some(engine) =
            engine.filter(|_| first.times.layers.iter().all(|l| !known.contains_key(&*l.name)))
        {
            let example = engine.layers.first().map_or("", |l| l.name.as_str());
            return Err(format!(
                "has no layer of the engine, whose first is `{example}`: that is another engine's"
            ));
        }
        let medians = medians(first, runs)?;
        let sums_ns: Vec<f64> = (0..runs.len()).map(|run| medians.iter().map(|m| m[run]).sum()).collect();
        let sum = mean(&sums_ns);
        let row = |(time, medians_ns): (&LayerTime, Vec<f64>)| LayerRow {
            layer: known.get(&*time.name).map_or_else(|| Layer::named(&time.name), |layer| (*layer).clone()),
            time: LayerNs::of(&medians_ns),
            share_frac: if sum > 0.0 { mean(&medians_ns) / sum } else { 0.0 },
            calls: time.calls,
            medians_ns,
        };
        let gpu_ns: Option<Vec<f64>> = runs.iter().map(|run| run.gpu_ns).collect();
        Ok(Self {
            rows: first.times.layers.iter().zip(medians).map(row).collect(),
            processes: runs.len(),
            requests: runs.iter().map(|run| run.times.requests).sum(),
            sums_ns,
            gpu_ns: gpu_ns.unwrap_or_default(),
            fingerprint: engine.and_then(|e| e.fingerprint.clone()),
            without_graph: runs.iter().any(|run| run.times.without_graph),
            detailed: engine.is_some_and(|e| e.layers.iter().any(|l| !l.kind.is_empty())),
            limits: None,
        })
    }

    /// The whole request on the GPU; `None` where it was not measured.
    pub fn gpu(&self) -> Option<LayerNs> {
        (!self.gpu_ns.is_empty()).then(|| LayerNs::of(&self.gpu_ns))
    }

    /// The sum of the layers.
    pub fn sum(&self) -> LayerNs {
        LayerNs { ns: self.rows.iter().map(|row| row.time.ns).sum(), ..LayerNs::of(&self.sums_ns) }
    }

    /// What the layers leave of the whole: gaps between them, or (negative) time that looking costs or that layers
    /// share. `None` where the whole was not measured.
    pub fn residual(&self) -> Option<LayerNs> {
        let gpu = self.gpu()?;
        Some(LayerNs { ns: gpu.ns - self.sum().ns, ..LayerNs::of(&self.residuals_ns()) })
    }

    /// The same, a value per process.
    pub fn residuals_ns(&self) -> Vec<f64> {
        self.gpu_ns.iter().zip(&self.sums_ns).map(|(gpu, sum)| gpu - sum).collect()
    }

    /// The rows, slowest first.
    pub fn slowest(&self) -> Vec<&LayerRow> {
        let mut rows: Vec<&LayerRow> = self.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.time.ns));
        rows
    }
}

impl LayerNs {
    /// Of a value per process.
    fn of(values: &[f64]) -> Self {
        Self { ns: mean(values).round() as i64, interval: mean_interval(values, CONFIDENCE).ok() }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sums of such times, over all layers, are whole numbers that do not overflow.
fn ensure_times(run: &LayerRun) -> Result<(), String> {
    let is_time = |ns: f64| (0.0..=MOST_NS).contains(&ns);
    if let Some(layer) = run.times.layers.iter().find(|l| !is_time(l.median_ns)) {
        return Err(format!("has {} ns for layer `{}`, which is no time", layer.median_ns, layer.name));
    }
    match run.gpu_ns.filter(|ns| !is_time(*ns)) {
        Some(ns) => Err(format!("has {ns} ns for a request, which is no time")),
        None => Ok(()),
    }
}

/// Of each layer of `first` a value per process. Streams of an engine may end in any order, but not other layers.
fn medians(first: &LayerRun, runs: &[LayerRun]) -> Result<Vec<Vec<f64>>, String> {
    let mut medians = vec![Vec::new(); first.times.layers.len()];
    for (at, run) in runs.iter().enumerate() {
        let of: HashMap<&str, f64> =
            run.times.layers.iter().map(|l| (l.name.as_str(), l.median_ns)).collect();
        let found: Option<Vec<f64>> = first.times.layers.iter().map(|l| of.get(&*l.name).copied()).collect();
        let Some(found) = found.filter(|_| run.times.layers.len() == medians.len()) else {
            return Err(format!(
                "has other layers in run {} than in the first: that is not one engine",
                at + 1
            ));
        };
        for (all, ns) in medians.iter_mut().zip(found) {
            all.push(ns);
        }
    }
    Ok(medians)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::inspect;

    fn run(times: &[(&str, f64)], gpu_ns: Option<f64>) -> LayerRun {
        let layers =
            times.iter().map(|(name, ns)| LayerTime { name: (*name).into(), median_ns: *ns, calls: 1 });
        LayerRun {
            times: LayerTimes { requests: 10, layers: layers.collect(), ..LayerTimes::default() },
            gpu_ns,
        }
    }

    #[test]
    fn layers_and_the_residual_sum_to_the_whole() {
        let runs = [
            run(&[("a", 100.4), ("b", 300.4)], Some(450.0)),
            run(&[("a", 101.4), ("b", 300.4)], Some(451.0)),
        ];
        let engine = inspect(
            r#"{"Layers": [{"Name": "b", "LayerType": "Conv"}, {"Name": "unused", "LayerType": "x"}]}"#,
        );
        let found = Breakdown::of(Some(&engine.unwrap()), &runs).unwrap();
        assert_eq!((found.processes, found.requests, found.detailed), (2, 20, true));
        let slowest = found.slowest();
        assert_eq!((slowest[0].layer.name.as_str(), slowest[0].layer.kind.as_str()), ("b", "Conv"));
        assert!((slowest[0].share_frac - 0.75).abs() < 0.01 && slowest[0].time.interval.is_some());
        let sum: i64 = found.rows.iter().map(|r| r.time.ns).sum();
        assert_eq!(sum + found.residual().unwrap().ns, found.gpu().unwrap().ns);
    }

    #[test]
    fn runs_of_other_engines_are_refused_and_one_run_has_no_interval() {
        let one = run(&[("a", 1.0)], None);
        let alone = Breakdown::of(None, std::slice::from_ref(&one)).unwrap();
        assert_eq!((alone.rows[0].time.interval, alone.gpu(), alone.residual()), (None, None, None));
        assert!(
            Breakdown::of(None, &[one.clone(), run(&[("b", 1.0)], None)]).unwrap_err().contains("in run 2")
        );
        assert!(Breakdown::of(None, &[]).unwrap_err().contains("no layer"));
        let mut turned = [run(&[("a", 1.0), ("b", 2.0)], None), run(&[("b", 4.0), ("a", 3.0)], None)];
        let times: Vec<_> = Breakdown::of(None, &turned).unwrap().rows.iter().map(|r| r.time.ns).collect();
        assert_eq!(times, [2, 3]);
        for bad in [f64::NAN, f64::INFINITY, 1e15, -1.0] {
            turned[0].times.layers[1].median_ns = bad;
            assert!(Breakdown::of(None, &turned).unwrap_err().contains("for layer `b`, which is no time"));
            let whole = run(&[("a", 1.0)], Some(bad));
            assert!(Breakdown::of(None, &[whole]).unwrap_err().contains("for a request"));
        }
        let other = inspect(r#"{"Layers": ["x"]}"#).unwrap();
        assert!(Breakdown::of(Some(&other), &[one]).unwrap_err().contains("another engine's"));
    }
}
