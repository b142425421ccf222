//! Reads from an ONNX file what the build worker needs to know, and names what is wrong with it.
//!
//! It runs in the build worker only: a damaged file may make any parser slow or greedy, and a worker has a time limit.
//! The model is not run.

mod external;

use crate::case::sha256_hex;
use crate::config::Shape;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::tensor::DType;
use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// A dimension as the model declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelDim {
    /// Always this extent.
    Fixed(u64),
    /// Decided at run time; the name may be empty.
    Dynamic(String),
}

/// A model input as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInput {
    /// Its name in the model.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// `None`: the model does not even say the rank.
    pub dims: Option<Vec<ModelDim>>,
    /// Integer inputs that select rows of a table: the number of rows.
    pub index_bound: Option<u64>,
    /// The shapes it serves, where the model is built already (a plan): its best one is taken where none is given.
    pub served: Option<Shape>,
}

/// A model file with everything it refers to.
#[derive(Debug)]
pub struct ModelFile {
    /// The contents of the file.
    pub bytes: Vec<u8>,
    /// SHA-256 of the contents.
    pub sha256: String,
    /// External weight files by the location the model names them with.
    pub external: BTreeMap<String, Vec<u8>>,
    /// The inputs that can be fed. Constants, which old models list as inputs too, are left out.
    pub inputs: Vec<ModelInput>,
    /// Names of the outputs, in the order of the model.
    pub outputs: Vec<String>,
    /// How often each operator occurs, subgraphs included.
    pub operators: BTreeMap<String, u64>,
}

/// Reads and checks the model at `path`.
pub fn read(path: &Path) -> Result<ModelFile> {
    let bytes = file::read(path, &file::MODEL)?;
    let refuse = |what: String| {
        Failure::new(FailureKind::Build, format!("{} is not a usable ONNX model: {what}", path.display()))
    };
    if bytes.is_empty() {
        return Err(refuse("the file is empty".into()).next("export the model again"));
    }
    let model = ModelProto::parse_buf(&bytes).map_err(|e| {
        refuse(format!("it cannot be parsed ({e})"))
            .next("the file may be cut off or damaged; export it again")
    })?;
    if !is_whole(&bytes) {
        return Err(refuse("it is cut off".into()).next("copy or export it again"));
    }
    let graph = model
        .graph
        .as_ref()
        .ok_or_else(|| refuse("it has no graph; this is not an ONNX file, or only part of one".into()))?;
    if model.opset_import.is_empty() {
        return Err(refuse("it names no operator set, so it may be cut off".into()).next("export it again"));
    }
    check_graph(graph, &HashSet::new()).map_err(|what| {
        refuse(what).next("check the model with `python -m onnx.checker` or export it again")
    })?;
    let inputs = inputs(graph).map_err(&refuse)?;
    let outputs: Vec<String> = graph.output.iter().filter_map(|o| o.name.clone()).collect();
    if inputs.is_empty() || outputs.is_empty() {
        let what = if outputs.is_empty() { "outputs" } else { "inputs" };
        return Err(refuse(format!("it has no {what}, so there is nothing to measure")));
    }
    let external = external::files(graph, path)?;
    let mut operators = BTreeMap::new();
    count_operators(graph, &mut operators);
    Ok(ModelFile { sha256: sha256_hex(&bytes), bytes, external, inputs, outputs, operators })
}

/// Whether the fields of the outermost message end where the file does. The parser takes the end of the file for the
/// end of whatever it reads, so that a file cut off between two nodes would pass for a smaller model.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(key) = varint(&mut rest) else { return false };
        let length = match key & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => None,
        };
        match length.and_then(|n| rest.get(usize::try_from(n).ok()?..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// Takes a protobuf varint off the front of `bytes`; `None` where there is none.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let len = bytes.iter().take(10).position(|b| b & 0x80 == 0)? + 1;
    let (head, rest) = bytes.split_at(len);
    *bytes = rest;
    Some(head.iter().rev().fold(0, |n, b| n << 7 | u64::from(b & 0x7f)))
}

/// A node as messages name it.
fn node_label(node: &NodeProto, index: usize) -> String {
    let op = node.op_type.as_deref().unwrap_or("?");
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => format!("node `{name}` ({op})"),
        _ => format!("node #{index} ({op})"),
    }
}

/// Every tensor a node reads must exist, be made once, and not depend on the node itself.
fn check_graph(graph: &GraphProto, outer: &HashSet<&str>) -> Result<(), String> {
    let mut known: HashSet<&str> = outer.clone();
    known.extend(graph.initializer.iter().filter_map(|t| t.name.as_deref()));
    known.extend(graph.input.iter().filter_map(|v| v.name.as_deref()));
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        for out in node.output.iter().filter(|o| !o.is_empty()) {
            if let Some(first) = maker.insert(out, i) {
                return Err(format!(
                    "tensor `{out}` is made twice, by {} and {}",
                    node_label(&graph.node[first], first),
                    node_label(node, i)
                ));
            }
        }
    }
    order_nodes(graph, &mut known, &maker)?;
    for (i, node) in graph.node.iter().enumerate() {
        for sub in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            check_graph(sub, &known).map_err(|e| format!("in a subgraph of {}: {e}", node_label(node, i)))?;
        }
    }
    match graph.output.iter().filter_map(|o| o.name.as_deref()).find(|o| !known.contains(o)) {
        Some(out) => Err(format!("nothing makes its output `{out}`")),
        None => Ok(()),
    }
}

/// Adds what every node makes to `known`, in an order in which inputs come first (Kahn's algorithm).
fn order_nodes<'a>(
    graph: &'a GraphProto,
    known: &mut HashSet<&'a str>,
    maker: &HashMap<&'a str, usize>,
) -> Result<(), String> {
    let mut waiting: Vec<usize> = vec![0; graph.node.len()];
    let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        for input in node.input.iter().map(String::as_str).filter(|n| !n.is_empty() && !known.contains(n)) {
            if !maker.contains_key(input) {
                return Err(format!("{} reads `{input}`, which nothing makes", node_label(node, i)));
            }
            waiting[i] += 1;
            readers.entry(input).or_default().push(i);
        }
    }
    let mut ready: Vec<usize> = (0..graph.node.len()).filter(|i| waiting[*i] == 0).collect();
    let mut done = 0;
    while let Some(i) = ready.pop() {
        done += 1;
        for out in graph.node[i].output.iter().map(String::as_str) {
            known.insert(out);
            for reader in readers.remove(out).unwrap_or_default() {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    ready.push(reader);
                }
            }
        }
    }
    match (0..graph.node.len()).find(|i| waiting[*i] > 0) {
        Some(i) if done < graph.node.len() => {
            Err(format!("{} is part of a cycle: it needs its own result", node_label(&graph.node[i], i)))
        }
        _ => Ok(()),
    }
}

fn inputs(graph: &GraphProto) -> Result<Vec<ModelInput>, String> {
    let constants: HashMap<&str, &TensorProto> =
        graph.initializer.iter().filter_map(|t| t.name.as_deref().map(|n| (n, t))).collect();
    graph
        .input
        .iter()
        // Before IR version 4 initializers were listed as inputs too.
        .filter(|v| !constants.contains_key(v.name.as_deref().unwrap_or_default()))
        .map(|v| input(v, graph, &constants))
        .collect()
}

fn input(
    value: &ValueInfoProto,
    graph: &GraphProto,
    constants: &HashMap<&str, &TensorProto>,
) -> Result<ModelInput, String> {
    let name = value.name.clone().filter(|n| !n.is_empty()).ok_or("it has an input without a name")?;
    let tensor = value
        .r#type
        .as_ref()
        .and_then(|t| t.tensor_type.as_ref())
        .ok_or(format!("its input `{name}` is not a tensor"))?;
    let elem = tensor.elem_type.ok_or(format!("its input `{name}` has no element type"))?;
    let dtype =
        dtype(elem).ok_or(format!("its input `{name}` has element type {elem}, which cannot be fed"))?;
    let dims = tensor.shape.as_ref().map(|shape| {
        shape
            .dim
            .iter()
            .map(|d| match d.dim_value {
                Some(n) if n > 0 => ModelDim::Fixed(n as u64),
                _ => ModelDim::Dynamic(d.dim_param.clone().unwrap_or_default()),
            })
            .collect()
    });
    let index_bound = index_bound(&name, graph, constants);
    Ok(ModelInput { name, dtype, dims, index_bound, served: None })
}

/// Rows of the smallest table that `input` selects from directly (`Gather` over an initializer).
fn index_bound(input: &str, graph: &GraphProto, constants: &HashMap<&str, &TensorProto>) -> Option<u64> {
    let gathers = graph
        .node
        .iter()
        .filter(|n| n.op_type.as_deref() == Some("Gather") && n.input.get(1).is_some_and(|i| i == input));
    gathers
        .filter_map(|n| {
            let table = constants.get(n.input.first()?.as_str())?;
            let axis =
                n.attribute.iter().find(|a| a.name.as_deref() == Some("axis")).and_then(|a| a.i).unwrap_or(0);
            let axis = if axis < 0 { axis + table.dims.len() as i64 } else { axis };
            u64::try_from(*table.dims.get(usize::try_from(axis).ok()?)?).ok()
        })
        .min()
}

fn dtype(elem: DataType) -> Option<DType> {
    Some(match elem {
        DataType::FLOAT => DType::F32,
        DataType::FLOAT16 => DType::F16,
        DataType::DOUBLE => DType::F64,
        DataType::INT8 => DType::I8,
        DataType::UINT8 => DType::U8,
        DataType::INT32 => DType::I32,
        DataType::INT64 => DType::I64,
        DataType::BOOL => DType::Bool,
        _ => return None,
    })
}

fn count_operators(graph: &GraphProto, into: &mut BTreeMap<String, u64>) {
    for node in &graph.node {
        *into.entry(node.op_type.clone().unwrap_or_default()).or_default() += 1;
        for sub in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            count_operators(sub, into);
        }
    }
}

/// Labels of all nodes with the given operator, for messages.
pub fn nodes_with(bytes: &[u8], wanted: &BTreeSet<String>) -> Vec<String> {
    let Ok(model) = ModelProto::parse_buf(bytes) else { return Vec::new() };
    let nodes = model.graph.iter().flat_map(|g| g.node.iter().enumerate());
    nodes
        .filter(|(_, n)| n.op_type.as_ref().is_some_and(|op| wanted.contains(op)))
        .map(|(i, n)| node_label(n, i))
        .collect()
}

#[cfg(test)]
mod tests;
