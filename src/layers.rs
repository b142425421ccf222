//! Says what the layers of an engine are, how long each takes, and which of them explain a change. Pure.
//!
//! [`inspect`] reads what an engine tells of its layers (TensorRT's engine inspector, `trtexec --exportLayerInfo`), of
//! TensorRT 8 to 11 and TensorRT-RTX. [`profile()`] reads `trtexec --exportProfile`. A [`Breakdown`] joins both,
//! [`attribute()`] explains the difference of two of them, [`Breakdown::roofline`] estimates how much faster the GPU allows it.
//!
//! Invariant: what an engine does not tell is not guessed. An engine that was built without details has layers with
//! names and nothing else.

mod align;
mod attribute;
mod breakdown;
mod fingerprint;
mod inspector;
mod json;
mod names;
mod profile;
mod roofline;
pub mod wire;

pub use align::{Correspondence, LayerGroup, align};
pub use attribute::{Attribution, GroupChange, NsChange, attribute};
pub use breakdown::{Breakdown, LayerNs, LayerRow, LayerRun};
pub use inspector::{EngineLayers, inspect};
pub use profile::{LayerTime, LayerTimes, profile};
pub use roofline::{GpuLimits, LayerRoofline, LayerWork, Roofline};

use serde::{Deserialize, Serialize};

/// How to build an engine that tells of its layers.
pub const BUILD_WITH_DETAILS: &str = "build the engine with --build profiling-verbosity=detailed (trtexec --profilingVerbosity=detailed), which keeps types, shapes and tactics in it";

/// A layer of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Layer {
    /// TensorRT's name; fused layers have the names of all their parts.
    pub name: String,
    /// What TensorRT calls it, such as `CaskConvolution` or `kgen`; empty where the engine does not tell.
    pub kind: String,
    /// What it is there for.
    pub role: LayerRole,
    /// The nodes of the ONNX model that it computes.
    pub nodes: Vec<String>,
    /// What flows in.
    pub inputs: Vec<LayerTensor>,
    /// What flows out.
    pub outputs: Vec<LayerTensor>,
    /// Weights and other constants; a bias has one extent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<LayerTensor>,
    /// The implementation; empty where the engine does not tell.
    pub tactic: String,
    /// The stream of the engine it runs in: 0 is the caller's, others are auxiliary.
    pub stream: u64,
}

/// A tensor between two layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LayerTensor {
    /// The extents; -1 where they depend on the request.
    pub dims: Vec<i64>,
    /// Element type in the words of this tool, such as `fp16`; empty where it is not told.
    pub dtype: String,
    /// Type and order in memory, as TensorRT says it.
    pub format: String,
}

/// What a layer is there for.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayerRole {
    /// It computes nodes of the model.
    #[default]
    Compute,
    /// It writes a tensor in another type or order, because its neighbours want that.
    Reformat,
    /// It lets the streams of an engine wait for each other.
    Sync,
    /// A loop: its body runs several times, and has one time.
    Loop,
    /// A part of the model that was compiled as a whole (`ForeignNode`), and has one time.
    Region,
}

impl Layer {
    /// A layer of which nothing but the name is known.
    pub fn named(name: &str) -> Self {
        let role = names::role(name, "");
        Self { name: name.to_owned(), role, nodes: names::nodes(name, role), ..Self::default() }
    }

    /// The types that it reads and writes: `fp16`, or `fp32 → fp16`; empty where the engine does not tell.
    pub fn precision(&self) -> String {
        match (first_type(&self.inputs), first_type(&self.outputs)) {
            (read, written) if read == written || written.is_empty() => read.to_owned(),
            ("", written) => written.to_owned(),
            (read, written) => format!("{read} → {written}"),
        }
    }
}

fn first_type(tensors: &[LayerTensor]) -> &str {
    tensors.first().map_or("", |t| t.dtype.as_str())
}
