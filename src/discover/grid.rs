//! Lists the cells of a grid, one grid per model variant: from its settings, the machine, and what was asked for.

use super::Cell;
use crate::case::{self, Case, Host, OperatingPoint};
use crate::config::{AD_HOC_PACKAGE, Model, Scenario, Settings, ShapeSpec, Variant};
use crate::error::{Failure, Result, did_you_mean};
use std::collections::BTreeSet;

/// A larger grid is a mistake: at a second per cell and round it takes an hour.
pub const MAX_CELLS: usize = 1000;

/// The values that are tried, each ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    /// Inferences per request.
    pub batch: Vec<u64>,
    /// Concurrent streams.
    pub streams: Vec<u64>,
    /// Requests in flight per stream.
    pub in_flight: Vec<u64>,
    /// Whether requests replay a CUDA graph.
    pub cuda_graph: Vec<bool>,
    /// Intra-op threads per session.
    pub threads: Vec<u64>,
}

/// The axes that `--grid KEY=A,B` replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedAxes {
    batch: Option<Vec<u64>>,
    streams: Option<Vec<u64>>,
    in_flight: Option<Vec<u64>>,
    cuda_graph: Option<Vec<bool>>,
    threads: Option<Vec<u64>>,
}

const KEYS: [&str; 5] = ["batch", "streams", "in-flight", "cuda-graph", "threads"];

impl AskedAxes {
    /// Each of `args` is `KEY=A,B,…`.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut asked = Self::default();
        for arg in args {
            asked.add(arg).map_err(|f| f.context("--grid"))?;
        }
        Ok(asked)
    }

    fn add(&mut self, arg: &str) -> Result<()> {
        let (key, values) = arg.split_once('=').ok_or_else(|| {
            Failure::usage(format!("`{arg}` is not KEY=A,B")).next("write it like --grid streams=1,2,4")
        })?;
        let twice = match key.trim() {
            "batch" => self.batch.replace(list(arg, values, whole)?).is_some(),
            "streams" => self.streams.replace(list(arg, values, whole)?).is_some(),
            "in-flight" => self.in_flight.replace(list(arg, values, whole)?).is_some(),
            "cuda-graph" => self.cuda_graph.replace(list(arg, values, switch)?).is_some(),
            "threads" => self.threads.replace(list(arg, values, whole)?).is_some(),
            other => {
                let near = did_you_mean(other, KEYS).map(|k| format!("; did you mean `{k}`?"));
                let what = format!("`{other}` in `{arg}` is no axis{}", near.unwrap_or_default());
                return Err(Failure::usage(what).next(format!("the axes are {}", KEYS.join(", "))));
            }
        };
        if twice {
            return Err(Failure::usage(format!("`{}` is given twice", key.trim()))
                .next("give all its values at once, like --grid streams=1,2,4"));
        }
        Ok(())
    }
}

fn list<T: Ord>(arg: &str, values: &str, one: fn(&str) -> Result<T, &'static str>) -> Result<Vec<T>> {
    let read = |value: &str| {
        one(value.trim()).map_err(|meant| {
            Failure::usage(format!("`{}` in `{arg}` is not {meant}", value.trim()))
                .next("write it like --grid streams=1,2,4 or --grid cuda-graph=off,on")
        })
    };
    Ok(values.split(',').map(read).collect::<Result<BTreeSet<T>>>()?.into_iter().collect())
}

fn whole(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|n| *n > 0).ok_or("a whole number of at least 1")
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "off" | "false" => Ok(false),
        "on" | "true" => Ok(true),
        _ => Err("on or off"),
    }
}

/// The grid of one model variant.
#[derive(Clone, Debug)]
pub struct Grid {
    /// `package/model`, and `/variant` where it has a name.
    pub name: String,
    /// The values that its cells are made of.
    pub axes: Axes,
    /// A throughput case each; cells of one batch share the id.
    pub cells: Vec<Case>,
    /// Where its settings stand: `None` for a model that was named on the command line.
    pub written: Option<Written>,
}

/// Where the settings of a grid's cases are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub manifest: std::path::PathBuf,
    pub model: String,
    pub variant: Option<String>,
}

impl Grid {
    /// Leaves out cells, and the batches that no cell is left of.
    pub fn retain(&mut self, keep: impl Fn(&Case) -> bool) {
        self.cells.retain(keep);
        let cells = &self.cells;
        self.axes.batch.retain(|batch| cells.iter().any(|c| c.point.batch == *batch));
    }
}

/// A grid for each variant of `models`, in configuration order.
pub fn grids(models: &[Model], asked: &AskedAxes, host: Host) -> Result<Vec<Grid>> {
    let variants = models.iter().flat_map(|m| m.variants.iter().map(move |v| (m, v)));
    variants.map(|(model, variant)| grid(model, variant, asked, host)).collect()
}

fn grid(model: &Model, variant: &Variant, asked: &AskedAxes, host: Host) -> Result<Grid> {
    let name = match &variant.name {
        Some(variant) => format!("{}/{}/{variant}", model.package, model.name),
        None => format!("{}/{}", model.package, model.name),
    };
    let settings = &variant.settings;
    // Which backend it is for does not depend on the point.
    let on_gpu = cell(model, variant, None, None, host).is_some_and(|c| c.target.kind.on_gpu());
    let axes = axes(variant, asked, on_gpu, host.cpus);
    let batches = settings.batches.is_some() || asked.batch.is_some() || axes.batch.len() > 1;
    let mut cells = Vec::new();
    for place in axes.product() {
        if on_gpu || place.fits(settings, asked, host.cpus) {
            let batch = batches.then_some(place.point.batch);
            cells.extend(cell(model, variant, batch, Some(place), host));
        }
        if cells.len() > MAX_CELLS {
            return Err(Failure::usage(format!("the grid of {name} has more than {MAX_CELLS} cells"))
                .next("try fewer values, such as --grid batch=1,8 --grid streams=1,2"));
        }
    }
    let written = (model.package != AD_HOC_PACKAGE).then(|| Written {
        manifest: model.place.manifest.clone(),
        model: model.name.clone(),
        variant: variant.name.clone(),
    });
    Ok(Grid { name, axes, cells, written })
}

/// The case of one cell: that of a configuration which asks for throughput at this point and nothing else.
fn cell(model: &Model, variant: &Variant, batch: Option<u64>, at: Option<Cell>, host: Host) -> Option<Case> {
    let mut variant = variant.clone();
    let s = &mut variant.settings;
    s.scenarios = vec![Scenario::Throughput];
    s.batches = batch.map(|b| vec![b]);
    if let Some(at) = at {
        s.streams = Some(at.point.streams);
        s.in_flight = Some(at.point.in_flight);
        s.cuda_graph = at.point.cuda_graph;
        s.threads = at.threads;
    }
    let model = Model { variants: vec![variant], ..model.clone() };
    case::cases(&[model], host).pop()
}

/// What is tried: what was asked for, else what the machine suggests together with what is configured.
fn axes(variant: &Variant, asked: &AskedAxes, on_gpu: bool, cpus: u64) -> Axes {
    let s = &variant.settings;
    let with = |asked: &Option<Vec<u64>>, usual: Vec<u64>, configured: Option<u64>| {
        asked.clone().unwrap_or_else(|| ascending(usual.into_iter().chain(configured)))
    };
    let batch = match &s.batches {
        Some(batches) => ascending(batches.iter().copied()),
        None if variant.shapes.values().any(ShapeSpec::uses_batch) => vec![1, 2, 4, 8],
        None => vec![1],
    };
    let doubled = doubled_up_to(cpus);
    let (streams, in_flight, threads) =
        if on_gpu { (vec![1, 2, 4], vec![1, 2], vec![1]) } else { (doubled.clone(), vec![1], doubled) };
    let graph = if on_gpu { vec![false, true] } else { ascending([false, s.cuda_graph]) };
    Axes {
        batch: with(&asked.batch, batch, None),
        streams: with(&asked.streams, streams, s.streams),
        in_flight: with(&asked.in_flight, in_flight, s.in_flight),
        cuda_graph: asked.cuda_graph.clone().unwrap_or(graph),
        threads: with(&asked.threads, threads, Some(s.threads)),
    }
}

/// 1, 2, 4 … and `most` itself.
fn doubled_up_to(most: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some(1_u64), |n| n.checked_mul(2)).take_while(|n| *n < most);
    ascending(powers.chain([most.max(1)]))
}

fn ascending<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    values.into_iter().collect::<BTreeSet<T>>().into_iter().collect()
}

impl Axes {
    /// Every combination, the batch slowest.
    fn product(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for batch in &self.batch {
            for streams in &self.streams {
                for in_flight in &self.in_flight {
                    for cuda_graph in &self.cuda_graph {
                        let point = OperatingPoint {
                            batch: *batch,
                            streams: *streams,
                            in_flight: *in_flight,
                            cuda_graph: *cuda_graph,
                        };
                        cells.extend(self.threads.iter().map(|threads| Cell { point, threads: *threads }));
                    }
                }
            }
        }
        cells
    }
}

impl Cell {
    /// Whether its sessions have a CPU for each of their threads, or somebody asked for just that.
    fn fits(&self, settings: &Settings, asked: &AskedAxes, cpus: u64) -> bool {
        let (streams, threads) = (self.point.streams, self.threads);
        let configured = settings.streams == Some(streams) && settings.threads == threads;
        let wanted = match (asked.streams.is_some(), asked.threads.is_some()) {
            (true, true) => true,
            (true, false) => threads == 1,
            (false, true) => streams == 1,
            (false, false) => configured,
        };
        wanted || streams.saturating_mul(threads) <= cpus
    }
}

#[cfg(test)]
mod tests;
