//! The embedded CPU backend. It runs models with rten, a pure Rust library.
//!
//! The engine's payload is the checked ONNX file and its external weights. rten has no file format of its own, so it
//! optimises the graph each time it loads the model, and that time counts as loading.

use super::{Backend, BuildRequest, LoadSetup, Loaded, Opened, Payload, Stream, refuse_options_of_others};
use crate::case::BackendKind;
use crate::config::{BuildOptions, Wait};
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::memory::MemoryPhase;
use crate::onnx::nodes_with;
use crate::tensor::{DType, Tensor};
use crate::units::nanos;
use rten::{
    DataType, LoadError, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueType,
};
use rten_tensor::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Kept beside the version requirement in Cargo.toml; a test compares it with Cargo.lock.
pub(super) const LIBRARY: &str = "rten 0.27.0";

/// Builds and runs engines with rten.
pub struct Cpu;

impl Backend for Cpu {
    fn library(&self) -> Result<String> {
        Ok(LIBRARY.into())
    }

    fn build(&self, request: BuildRequest) -> Result<Payload> {
        let (model, options) = (request.model, request.options);
        refuse_options_of_others(BackendKind::Cpu, options)?;
        let mut parts = vec![("model.onnx".to_owned(), model.bytes)];
        parts.extend(model.external);
        let bytes: Vec<Vec<u8>> = parts.iter().map(|(_, b)| b.clone()).collect();
        let names: Vec<&str> = parts.iter().map(|(n, _)| n.as_str()).collect();
        // Loading is the check that every operator, attribute and weight is one the backend knows.
        load_model(&names, bytes, options).map_err(|e| explain(&e, &parts[0].1))?;
        Ok(Payload { parts, facts: BTreeMap::new() })
    }

    fn load(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &LoadSetup,
        inputs: &[(String, Tensor)],
    ) -> Result<Loaded> {
        gpu_settings(setup)?;
        let names: Vec<&str> = engine.parts.iter().map(|(n, _)| n.as_str()).collect();
        let start = Instant::now();
        let model = load_model(&names, parts, &engine.made_from.build)
            .map_err(|e| Failure::new(FailureKind::Measure, format!("the engine does not load: {e}")))?;
        let load_ns = nanos(start.elapsed());
        setup.phase(MemoryPhase::Context);
        let model = Arc::new(model);
        let threads = usize::try_from(engine.made_from.threads).unwrap_or(1);
        let streams = (0..setup.point.streams)
            .map(|_| CpuStream::new(&model, engine, inputs, threads).map(|s| Box::new(s) as Box<dyn Stream>))
            .collect::<Result<_>>()?;
        Ok(Loaded::Streams(Box::new(Opened {
            streams,
            load_ns,
            steps: Vec::new(),
            plain: None,
            gpu: None,
            kernels: None,
            note: None,
        })))
    }
}

/// Settings that mean nothing on a CPU are refused, so that no number is said to be of a setting that had no effect.
fn gpu_settings(setup: &LoadSetup) -> Result<()> {
    let only_gpu = if setup.point.in_flight > 1 {
        "in-flight above 1"
    } else if setup.point.cuda_graph {
        "cuda-graph"
    } else if !setup.mode.transfers {
        "transfers = false (--no-transfers)"
    } else if setup.mode.wait == Wait::Block {
        "wait = \"block\""
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{only_gpu} needs a GPU; the cpu backend has no such thing"))
        .next("take it out, or set it only where the backend is not cpu"))
}

fn load_model(names: &[&str], mut parts: Vec<Vec<u8>>, options: &BuildOptions) -> Result<Model, LoadError> {
    let mut load = ModelOptions::with_all_ops();
    load.enable_optimization(options.optimize).prepack_weights(options.prepack_weights);
    for (name, bytes) in names.iter().zip(&mut parts).skip(1) {
        load.external_data(name, std::mem::take(bytes));
    }
    load.load(parts.swap_remove(0))
}

/// rten's error with the node it is about.
fn explain(error: &LoadError, onnx: &[u8]) -> Failure {
    let text = error.to_string();
    // An operator rten does not know is named by type only; say which nodes those are.
    let unknown: BTreeSet<String> = text.split(['"', '`', ' ', '\'']).map(str::to_owned).collect();
    let nodes = nodes_with(onnx, &unknown);
    let mut message = format!("the cpu backend cannot run this model: {text}");
    if let Some(first) =
        nodes.first().filter(|n| !error.node().is_some_and(|name| n.contains(name) && text.contains(name)))
    {
        message = format!("{message} — {first}");
        if nodes.len() > 1 {
            message = format!("{message} and {} more", nodes.len() - 1);
        }
    }
    Failure::new(FailureKind::Build, message)
        .next("export the model without that operator (another opset often helps), or measure it with another backend")
}

struct CpuStream {
    model: Arc<Model>,
    inputs: Vec<(NodeId, Value)>,
    outputs: Vec<NodeId>,
    pool: Arc<ThreadPool>,
    last: Vec<Value>,
}

impl CpuStream {
    fn new(
        model: &Arc<Model>,
        engine: &EngineHeader,
        inputs: &[(String, Tensor)],
        threads: usize,
    ) -> Result<Self> {
        let id = |name: &str| {
            model.node_id(name).map_err(|e| {
                Failure::new(FailureKind::Measure, format!("the engine has no tensor `{name}`: {e}"))
            })
        };
        let inputs = inputs
            .iter()
            .map(|(name, tensor)| {
                let id = id(name)?;
                Ok((id, value(model, id, tensor).map_err(|e| e.context(format!("input `{name}`")))?))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            model: Arc::clone(model),
            inputs,
            outputs: engine.outputs.iter().map(|n| id(n)).collect::<Result<_>>()?,
            pool: Arc::new(ThreadPool::with_num_threads(threads)),
            last: Vec::new(),
        })
    }
}

impl Stream for CpuStream {
    /// The whole request: a CPU has nobody to hand it to.
    fn submit(&mut self) -> Result<()> {
        let inputs = self.inputs.iter().map(|(id, v)| (*id, ValueOrView::View(v.as_view()))).collect();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        self.last = self.model.run(inputs, &self.outputs, Some(options)).map_err(|e| {
            Failure::new(FailureKind::Measure, format!("inference failed: {e}"))
                .next("check the shapes and values of the inputs; give real ones with --input NAME=FILE.npy")
        })?;
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        Ok(())
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        self.last.iter().map(tensor).collect()
    }
}

/// A tensor as rten wants it: int64 and bool run as i32 there, f16 and f64 as f32.
fn value(model: &Model, id: NodeId, t: &Tensor) -> Result<Value> {
    let bad = || {
        Failure::new(FailureKind::Measure, format!("has shape {:?}, which does not fit its data", t.shape))
    };
    let wanted = model.node_info(id).and_then(|n| n.dtype());
    let wanted = match wanted {
        Some(ValueType::Tensor(d)) => d,
        _ if t.dtype.is_float() => DataType::Float,
        _ => DataType::Int32,
    };
    let shape = t.shape.as_slice();
    match wanted {
        DataType::Float => {
            Value::from_shape(shape, t.values().map(|v| v as f32).collect::<Vec<_>>()).map_err(|_| bad())
        }
        DataType::Int32 => {
            let values = t.values().map(|v| {
                if v < f64::from(i32::MIN) || v > f64::from(i32::MAX) {
                    return Err(Failure::new(
                        FailureKind::Measure,
                        format!("holds {v}; the cpu backend computes integers in 32 bits"),
                    ));
                }
                Ok(v as i32)
            });
            Value::from_shape(shape, values.collect::<Result<Vec<_>>>()?).map_err(|_| bad())
        }
        DataType::Int8 => {
            Value::from_shape(shape, t.values().map(|v| v as i8).collect::<Vec<_>>()).map_err(|_| bad())
        }
        DataType::UInt8 => {
            Value::from_shape(shape, t.values().map(|v| v as u8).collect::<Vec<_>>()).map_err(|_| bad())
        }
        other => Err(Failure::new(
            FailureKind::Measure,
            format!("has the element type {other:?}, which the cpu backend cannot be fed"),
        )),
    }
}

fn tensor(value: &Value) -> Result<Tensor> {
    Ok(match value {
        Value::FloatTensor(t) => Tensor::from_f32(t.shape().to_vec(), &t.to_vec()),
        Value::Int32Tensor(t) => Tensor::from_i32(t.shape().to_vec(), &t.to_vec()),
        Value::Int8Tensor(t) => {
            Tensor { dtype: DType::I8, shape: t.shape().to_vec(), data: t.iter().map(|v| *v as u8).collect() }
        }
        Value::UInt8Tensor(t) => Tensor { dtype: DType::U8, shape: t.shape().to_vec(), data: t.to_vec() },
        _ => {
            return Err(Failure::new(
                FailureKind::Measure,
                "an output is no plain tensor, which cannot be checked",
            )
            .next("export the model with tensor outputs"));
        }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_recorded_library_version_is_the_one_compiled_in() {
        let lock = include_str!("../../Cargo.lock");
        let version = super::LIBRARY.split(' ').nth(1).unwrap_or_default();
        let entry = format!("name = \"rten\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "update LIBRARY to the version in Cargo.lock");
    }
}
