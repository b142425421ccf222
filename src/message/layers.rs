//! The messages about layers of engines.

use super::Number;
use crate::layers::{Correspondence, LayerRole};
use schemars::JsonSchema;
use serde::Serialize;

/// The layers of an engine, slowest first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerNumbers {
    /// The case's id; null for exports.
    pub case: Option<String>,
    /// Measuring processes.
    pub processes: usize,
    /// Requests of all of them whose layers were timed.
    pub requests: u64,
    /// Types, shapes and tactics are known.
    pub detailed: bool,
    /// Equal for engines that run the same tactics; null where the engine does not tell.
    pub tactics_sha256: Option<String>,
    /// The layers are of requests without the CUDA graph that others replay: the library tells none of a graph.
    pub without_graph: bool,
    /// The sum of the layers.
    pub sum_ns: Number,
    /// A whole request on the GPU that nobody looked into; null where it was not measured.
    pub gpu_ns: Option<Number>,
    /// What the layers leave of it.
    pub residual_ns: Option<Number>,
    /// An estimate of how much the GPU allows; null where the engine tells no shapes and types.
    pub roofline: Option<RooflineSaid>,
    /// Every layer.
    pub layers: Vec<LayerSaid>,
}

/// An estimate: what layers compute and move, and the least time in which the GPU can do that. Data that stays in its
/// caches need not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RooflineSaid {
    /// Operations of products and convolutions; a multiplication and an addition are two.
    pub flops: f64,
    /// Bytes of inputs, outputs and weights.
    pub bytes: f64,
    /// The time that the GPU allows for both; null where nothing tells its limits.
    pub allowed_ns: Option<f64>,
    /// That time as a part of the measured one: `gpu_ns`, or else `sum_ns`.
    pub share_frac: Option<f64>,
    /// Layers without an estimate, which are in no number here.
    pub unknown: usize,
}

/// The same estimate for one layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerRooflineSaid {
    /// Operations of products and convolutions.
    pub flops: f64,
    /// Bytes of inputs, outputs and weights.
    pub bytes: f64,
    /// The time that the GPU allows for both; null where nothing tells its limits.
    pub allowed_ns: Option<f64>,
}

/// A layer of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerSaid {
    /// TensorRT's name.
    pub name: String,
    /// What TensorRT calls it; empty where the engine does not tell, as the next ones.
    pub kind: String,
    /// What it is there for.
    pub role: LayerRole,
    /// The types that it reads and writes.
    pub types: String,
    /// The implementation.
    pub tactic: String,
    /// The nodes of the model that it computes.
    pub nodes: Vec<String>,
    /// The stream of the engine it runs in; 0 is the caller's.
    pub stream: u64,
    /// How often it runs in a request.
    pub calls: u64,
    /// Mean over processes of the median over requests.
    pub time_ns: Number,
    /// Share of the sum of all layers.
    pub share_frac: f64,
    /// What it computes and moves; null where the engine does not tell enough.
    pub roofline: Option<LayerRooflineSaid>,
}

/// Which layers explain the change between two engines, the largest contribution first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerChanges {
    /// The case's id; null for exports.
    pub case: Option<String>,
    /// The whole request on the GPU; where that was not measured in both, the sum of the layers.
    pub whole: NsChangeSaid,
    /// What is in no layer; null where the whole was not measured in both. All groups and this sum to the whole.
    pub residual: Option<NsChangeSaid>,
    /// Layers that compute nodes of the model, over both engines.
    pub computing: usize,
    /// How many of these have a partner.
    pub aligned: usize,
    /// Whether both run the same tactics; null where one does not tell.
    pub same_tactics: Option<bool>,
    /// Every layer of both is in one.
    pub groups: Vec<LayerGroupSaid>,
}

/// Layers that do the same in both engines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerGroupSaid {
    /// How they correspond.
    pub correspondence: Correspondence,
    /// Names of the base's.
    pub base: Vec<String>,
    /// Names of head's.
    pub head: Vec<String>,
    /// What changed in them, in words.
    pub changes: Vec<String>,
    /// What they take.
    pub time: NsChangeSaid,
}

/// A time in both engines, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NsChangeSaid {
    /// In the base.
    pub base_ns: i64,
    /// In head.
    pub head_ns: i64,
    /// Head less base.
    pub change_ns: Number,
}
