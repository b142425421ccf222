//! What this library keeps of a model: the names, types and shapes of its inputs and outputs, as text between a magic
//! word and nothing, behind a header as NVIDIA's plans have it. A plan holds no code.

use crate::told::release;
use rten_onnx::onnx::{DataType, ModelProto, ValueInfoProto};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use trt_perf::backend::tensorrt::sys::abi::{Dims, Family};
use trt_perf::backend::tensorrt::sys::tables::{data_type, parser_error_code};

const MAGIC: &str = "plan of the test library, which computes nothing\n";
/// Bytes of the header: letters, layout, a number that nobody reads, how long the plan is, and the version.
const HEADER: usize = 28;

fn header(length: usize) -> Vec<u8> {
    let (release, length) = (release(), u64::try_from(HEADER + length).unwrap_or(u64::MAX));
    let letters = if release.family == Family::Rtx1 { b"vtrt" } else { b"ftrt" };
    let version = [release.version.major, release.version.minor, release.version.patch, 0];
    let version = version.map(|n| u8::try_from(n).unwrap_or(u8::MAX));
    [&letters[..], &[0; 4], &2_u64.to_le_bytes(), &length.to_le_bytes(), &version].concat()
}

/// A dimension as the model declares it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    Fixed(i64),
    /// Decided at run time; dimensions of one name are equal, `sizes[2]` is a value of the input `sizes`, and one without
    /// a name depends on the values of the first input.
    Named(String),
}

/// An input or an output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Io {
    pub name: CString,
    pub input: bool,
    /// TensorRT's number.
    pub dtype: i32,
    pub element_bytes: usize,
    pub shape: Vec<Dim>,
    /// Its values decide shapes, so it lies in host memory.
    pub decides: bool,
}

impl Io {
    /// -1 where it is dynamic.
    pub fn dims(&self) -> Vec<i64> {
        let dim = |d: &Dim| if let Dim::Fixed(n) = d { *n } else { -1 };
        self.shape.iter().map(dim).collect()
    }
}

/// Smallest, best and largest shape, by input; and values, by the input's name after an equals sign.
pub type Profile = BTreeMap<String, [Vec<i64>; 3]>;

/// Where a profile holds an input's values.
pub fn values_of(name: &str) -> String {
    format!("={name}")
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What built it, without the build number.
    pub release: String,
    pub tensors: Vec<Io>,
    pub layers: Vec<String>,
    pub profiles: Vec<Profile>,
    /// What the builder was told.
    pub settings: BTreeMap<String, i64>,
}

impl Plan {
    pub fn bytes(&self) -> Vec<u8> {
        let text = MAGIC.to_owned() + &serde_json::to_string(self).expect("plain data");
        [header(text.len()), text.into_bytes()].concat()
    }

    pub fn of_bytes(bytes: &[u8]) -> Result<Self, String> {
        let text = bytes.get(HEADER..).and_then(|b| std::str::from_utf8(b).ok());
        let text = text.and_then(|t| t.strip_prefix(MAGIC));
        let text = text.ok_or("the magic tag does not match")?;
        let plan: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let (built, here) = (&plan.release, release().to_string());
        if *built == here { Ok(plan) } else { Err(format!("the plan is of {built}, this is {here}")) }
    }
}

/// What the parser has against a node.
pub struct Refusal {
    pub code: i32,
    pub node: i32,
    pub name: CString,
    pub operator: CString,
    pub words: CString,
}

/// A node by its place, name and operator.
pub fn refusal(model: &ModelProto, index: usize, words: &str) -> Refusal {
    let node = model.graph.as_ref().and_then(|g| g.node.get(index));
    let text = |t: Option<&String>| CString::new(t.cloned().unwrap_or_default()).unwrap_or_default();
    Refusal {
        code: parser_error_code::UNSUPPORTED_NODE.of(release().family).unwrap_or(0),
        node: i32::try_from(index).unwrap_or(-1),
        name: text(node.and_then(|n| n.name.as_ref())),
        operator: text(node.and_then(|n| n.op_type.as_ref())),
        words: CString::new(words).unwrap_or_default(),
    }
}

/// One that names neither the node nor a code of the headers.
pub fn nameless_refusal() -> Refusal {
    let (name, operator, words) = (c"".into(), c"Loop".into(), c"too deep".into());
    Refusal { code: 99, node: 7, name, operator, words }
}

/// Tensors and layers of a model, or what is wrong with it.
pub fn read(model: &ModelProto) -> Result<(Vec<Io>, Vec<String>), String> {
    let graph = model.graph.as_ref().ok_or("no graph")?;
    let constant = |v: &ValueInfoProto| graph.initializer.iter().any(|t| t.name == v.name);
    let inputs = graph.input.iter().filter(|v| !constant(v)).map(|v| io(v, true));
    let mut tensors =
        inputs.chain(graph.output.iter().map(|v| io(v, false))).collect::<Result<Vec<_>, _>>()?;
    for tensor in tensors.iter_mut().filter(|t| t.input) {
        let name = tensor.name.to_string_lossy();
        tensor.decides = graph.node.iter().any(|node| {
            let place = match node.op_type.as_deref() {
                Some("Resize") => 3,
                Some("Reshape" | "Expand") => 1,
                _ => return false,
            };
            node.input.get(place).is_some_and(|input| *input == name)
        });
    }
    let layers = graph.node.iter().map(|n| n.name.clone().unwrap_or_default()).collect();
    Ok((tensors, layers))
}

fn io(value: &ValueInfoProto, input: bool) -> Result<Io, String> {
    let name = value.name.clone().unwrap_or_default();
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| format!("`{name}` is no tensor"))?;
    let (value, element_bytes) = match tensor.elem_type {
        Some(DataType::FLOAT) => (data_type::FLOAT, 4),
        Some(DataType::FLOAT16) => (data_type::HALF, 2),
        Some(DataType::INT8) => (data_type::INT8, 1),
        Some(DataType::UINT8) => (data_type::UINT8, 1),
        Some(DataType::INT32) => (data_type::INT32, 4),
        Some(DataType::INT64) => (data_type::INT64, 8),
        Some(DataType::BOOL) => (data_type::BOOL, 1),
        other => return Err(format!("`{name}` has the type {other:?}")),
    };
    let shape = tensor.shape.as_ref().ok_or_else(|| format!("`{name}` has no shape"))?;
    let shape = shape.dim.iter().map(|d| match (d.dim_value, &d.dim_param) {
        (Some(n), _) => Dim::Fixed(n),
        (None, named) => Dim::Named(named.clone().unwrap_or_default()),
    });
    let dtype = value.of(release().family).ok_or("a type that this family does not have")?;
    let shape: Vec<Dim> = shape.collect();
    let name = CString::new(name).map_err(|e| e.to_string())?;
    Ok(Io { name, input, dtype, element_bytes, shape, decides: false })
}

/// What a caller gives by address.
pub fn extents(dims: *const Dims) -> Vec<i64> {
    // SAFETY: the caller gives the address of dimensions that live through the call.
    unsafe { dims.as_ref() }.map_or_else(Vec::new, |d| d.as_slice().to_vec())
}
