//! How the operating point of a case was chosen, as it is written in files. Usual values are left out, because a grid
//! has many cells.

use crate::case::OperatingPoint;
use crate::discover::{Axes, Cell, Discovery, Tried, TriedScore};
use crate::units::round5;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The grid that chose the point of this case.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DiscoveryV1 {
    axes: AxesV1,
    /// The cells of this case; those of other batches stand with theirs.
    cells: Vec<CellV1>,
    /// Whether no other batch of the grid was faster within the budget.
    overall: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AxesV1 {
    batch: Vec<u64>,
    streams: Vec<u64>,
    in_flight: Vec<u64>,
    cuda_graph: Vec<bool>,
    threads: Vec<u64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct CellV1 {
    streams: u64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    in_flight: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    cuda_graph: bool,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    threads: u64,
    /// Of the last trial; left out where the cell failed. The same for `tail_ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inferences_per_s: Option<f64>,
    /// The budget's percentile, or p99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail_ns: Option<f64>,
    /// On the Pareto front of the whole grid.
    #[serde(default, skip_serializing_if = "is_false")]
    front: bool,
}

fn one() -> u64 {
    1
}

fn is_one(n: &u64) -> bool {
    *n == 1
}

fn is_false(b: &bool) -> bool {
    !*b
}

/// As it is written.
pub fn to_wire(d: &Discovery) -> DiscoveryV1 {
    let a = d.axes.clone();
    DiscoveryV1 {
        axes: AxesV1 {
            batch: a.batch,
            streams: a.streams,
            in_flight: a.in_flight,
            cuda_graph: a.cuda_graph,
            threads: a.threads,
        },
        cells: d.cells.iter().map(cell_to_wire).collect(),
        overall: d.overall,
    }
}

fn cell_to_wire(t: &Tried) -> CellV1 {
    let p = t.cell.point;
    CellV1 {
        streams: p.streams,
        in_flight: p.in_flight,
        cuda_graph: p.cuda_graph,
        threads: t.cell.threads,
        inferences_per_s: t.score.map(|s| round5(s.inferences_per_s)),
        tail_ns: t.score.map(|s| round5(s.tail_ns)),
        front: t.front,
    }
}

/// `batch` is that of the case.
pub fn from_wire(d: DiscoveryV1, batch: u64) -> Discovery {
    let cell = |c: CellV1| Tried {
        cell: Cell {
            point: OperatingPoint {
                batch,
                streams: c.streams,
                in_flight: c.in_flight,
                cuda_graph: c.cuda_graph,
            },
            threads: c.threads,
        },
        score: c
            .inferences_per_s
            .zip(c.tail_ns)
            .map(|(inferences_per_s, tail_ns)| TriedScore { inferences_per_s, tail_ns }),
        front: c.front,
    };
    let a = d.axes;
    Discovery {
        axes: Axes {
            batch: a.batch,
            streams: a.streams,
            in_flight: a.in_flight,
            cuda_graph: a.cuda_graph,
            threads: a.threads,
        },
        cells: d.cells.into_iter().map(cell).collect(),
        overall: d.overall,
    }
}
