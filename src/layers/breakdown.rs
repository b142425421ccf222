//! Joins what an engine tells of its layers with what processes measured of them. Pure.
//!
//! Every point estimate is a whole number of nanoseconds, and the residual is what they leave of the whole: so the parts
//! sum to it exactly.

use super::{EngineLayers, Layer, LayerTimes};
use crate::stats::{Interval, mean_interval};
use serde::{Deserialize, Serialize};

/// Confidence of all intervals here.
pub(super) const CONFIDENCE: f64 = 0.95;

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
}

impl Breakdown {
    /// Of the processes of one engine. Fails where they did not run the same layers. `engine`: what it tells of itself.
    pub fn of(engine: Option<&EngineLayers>, runs: &[LayerRun]) -> Result<Self, String> {
        let first = runs.first().ok_or("has no layer")?;
        let names: Vec<&str> = first.times.layers.iter().map(|l| l.name.as_str()).collect();
        if names.is_empty() {
            return Err("has no layer".into());
        }
        let other = runs
            .iter()
            .position(|run| !run.times.layers.iter().map(|l| l.name.as_str()).eq(names.iter().copied()));
        if let Some(at) = other {
            return Err(format!(
                "has other layers in run {} than in the first: that is not one engine",
                at + 1
            ));
        }
        let known = |name: &str| engine?.layers.iter().find(|layer| layer.name == name);
        if let Some(engine) = engine.filter(|_| names.iter().all(|name| known(name).is_none())) {
            let example = engine.layers.first().map_or("", |l| l.name.as_str());
            return Err(format!(
                "has no layer of the engine, whose first is `{example}`: that is another engine's"
            ));
        }
        let sums_ns: Vec<f64> =
            runs.iter().map(|run| run.times.layers.iter().map(|l| l.median_ns).sum()).collect();
        let sum = sums_ns.iter().sum::<f64>() / sums_ns.len() as f64;
        let rows = (0..names.len()).map(|at| {
            let medians_ns: Vec<f64> = runs.iter().map(|run| run.times.layers[at].median_ns).collect();
            let mean = medians_ns.iter().sum::<f64>() / medians_ns.len() as f64;
            LayerRow {
                layer: known(names[at]).cloned().unwrap_or_else(|| Layer::named(names[at])),
                time: LayerNs::of(&medians_ns),
                share_frac: if sum > 0.0 { mean / sum } else { 0.0 },
                calls: first.times.layers[at].calls,
                medians_ns,
            }
        });
        let gpu_ns: Option<Vec<f64>> = runs.iter().map(|run| run.gpu_ns).collect();
        Ok(Self {
            rows: rows.collect(),
            processes: runs.len(),
            requests: runs.iter().map(|run| run.times.requests).sum(),
            sums_ns,
            gpu_ns: gpu_ns.unwrap_or_default(),
            fingerprint: engine.and_then(|e| e.fingerprint.clone()),
            detailed: engine.is_some_and(|e| e.layers.iter().any(|l| !l.kind.is_empty())),
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
    pub(super) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Self { ns: mean.round() as i64, interval: mean_interval(values, CONFIDENCE).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{LayerTime, inspect};

    fn run(times: &[(&str, f64)], gpu_ns: Option<f64>) -> LayerRun {
        let layers =
            times.iter().map(|(name, ns)| LayerTime { name: (*name).into(), median_ns: *ns, calls: 1 });
        LayerRun { times: LayerTimes { requests: 10, layers: layers.collect() }, gpu_ns }
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
        let other = inspect(r#"{"Layers": ["x"]}"#).unwrap();
        assert!(Breakdown::of(Some(&other), &[one]).unwrap_err().contains("another engine's"));
    }
}
