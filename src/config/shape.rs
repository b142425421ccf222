//! Reads input shapes as people write them: `[1, 3, 224, 224]`, `"1x3x224x224"`, `["batch", 128]`, or min/opt/max; and
//! for inputs whose values decide shapes, `{ values = [224, 224] }`.

mod values;

pub use values::Values;

use super::table::{describe, text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    Fixed(u64),
    /// The word `batch`: takes each value of `batches` in turn.
    Batch,
}

/// The shape of an input as configured: what is measured, and the range the engine must serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeSpec {
    /// The smallest extents that the engine must serve.
    pub min: Vec<Dim>,
    /// Measured, and what the engine is optimised for.
    pub opt: Vec<Dim>,
    /// The largest extents that the engine must serve.
    pub max: Vec<Dim>,
    /// What the input holds, where that is said.
    pub values: Option<Values>,
}

/// A [`ShapeSpec`] with the batch filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Shape {
    /// The smallest extents that the engine must serve.
    pub min: Vec<u64>,
    /// Measured, and what the engine is optimised for.
    pub opt: Vec<u64>,
    /// The largest extents that the engine must serve.
    pub max: Vec<u64>,
    /// What the input holds, where that is said: an engine must know it beforehand where it decides shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
}

impl Shape {
    /// One shape and no other.
    pub fn fixed(dims: Vec<u64>) -> Self {
        Self { min: dims.clone(), opt: dims.clone(), max: dims, values: None }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some(values) => values.fmt(f),
            None => f.write_str(&dims_text(&self.opt)),
        }
    }
}

/// `1x3x224x224`, or `scalar` for rank 0.
pub fn dims_text(dims: &[u64]) -> String {
    if dims.is_empty() {
        return "scalar".into();
    }
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join("x")
}

impl ShapeSpec {
    /// One shape and no other.
    pub fn fixed(dims: Vec<Dim>) -> Self {
        Self { min: dims.clone(), opt: dims.clone(), max: dims, values: None }
    }

    /// The input holds these values: a number alone is a scalar, a list has one dimension.
    fn holding((values, rank): (Values, usize)) -> Self {
        let dims = vec![Dim::Fixed(values.opt.len() as u64); rank];
        Self { values: Some(values), ..Self::fixed(dims) }
    }

    /// A list, a text with `x`, a table with min, opt and max, or a table with values.
    pub fn read(value: &Value) -> Result<Self, String> {
        let Value::Object(range) = value else {
            return dims(value).map(Self::fixed);
        };
        if let Some(values) = range.get("values") {
            return match range.len() {
                1 => Values::read(values).map(Self::holding),
                _ => Err("has `values`, whose number says the shape: nothing else goes with them".into()),
            };
        }
        let part = |key: &str| {
            range.get(key).ok_or(format!("has no `{key}`; a range needs min, opt and max")).and_then(dims)
        };
        if let Some(other) = range.keys().find(|k| !["min", "opt", "max"].contains(&k.as_str())) {
            return Err(format!(
                "has the key `{other}`; a range has min, opt and max; an input that decides shapes has values"
            ));
        }
        let spec = Self { min: part("min")?, opt: part("opt")?, max: part("max")?, values: None };
        if spec.min.len() != spec.opt.len() || spec.opt.len() != spec.max.len() {
            return Err("has min, opt and max of different rank".into());
        }
        let ordered = |a: &Dim, b: &Dim| !matches!((a, b), (Dim::Fixed(a), Dim::Fixed(b)) if a > b);
        let le = |a: &[Dim], b: &[Dim]| a.iter().zip(b).all(|(a, b)| ordered(a, b));
        if !le(&spec.min, &spec.opt) || !le(&spec.opt, &spec.max) {
            return Err("must have min ≤ opt ≤ max in every dimension".into());
        }
        Ok(spec)
    }

    /// The command-line form: `input:1x3x224x224`; `input:scalar` or `input:` for rank 0; `input:[224,224]` for values.
    pub fn parse_named(arg: &str) -> Result<(String, Self), String> {
        // Tensor names may hold colons (`serving_default_x:0`), shapes never do.
        let (name, dims) = arg
            .rsplit_once(':')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("`{arg}` is not NAME:SHAPE; write it like input:1x3x224x224"))?;
        let spec = match values::parse(dims) {
            Some(values) => Self::holding(values?),
            None => Self::fixed(parse_dims(dims)?),
        };
        Ok((name.to_owned(), spec))
    }

    /// The shape at one batch size.
    pub fn at(&self, batch: u64) -> Shape {
        let fill = |dims: &[Dim]| {
            dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { batch }).collect::<Vec<u64>>()
        };
        let values = self.values.clone();
        Shape { min: fill(&self.min), opt: fill(&self.opt), max: fill(&self.max), values }
    }

    /// Whether any dimension is the word `batch`.
    pub fn uses_batch(&self) -> bool {
        [&self.min, &self.opt, &self.max].into_iter().flatten().any(|d| *d == Dim::Batch)
    }
}

/// The `shapes = { input = … }` table.
pub fn read_shapes(map: Map<String, Value>) -> Result<Vec<(String, ShapeSpec)>, String> {
    map.into_iter()
        .map(|(name, v)| {
            ShapeSpec::read(&v).map(|s| (name.clone(), s)).map_err(|why| format!("input `{name}` {why}"))
        })
        .collect()
}

fn dims(value: &Value) -> Result<Vec<Dim>, String> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::String(s) => parse_dim(s),
                other => other
                    .as_u64()
                    .ok_or_else(|| format!("has {} as a dimension", describe(other)))
                    .and_then(fixed),
            })
            .collect(),
        other => parse_dims(&text(other)?),
    }
}

fn parse_dims(text: &str) -> Result<Vec<Dim>, String> {
    match text.trim() {
        "" | "scalar" => Ok(Vec::new()),
        dims => dims.split('x').map(parse_dim).collect(),
    }
}

fn parse_dim(text: &str) -> Result<Dim, String> {
    match text.trim() {
        "batch" => Ok(Dim::Batch),
        t => t
            .parse()
            .map_err(|_| format!("has `{t}` as a dimension; use a whole number or the word batch"))
            .and_then(fixed),
    }
}

/// A dimension TensorRT and ONNX can both express (a signed 32-bit extent).
fn fixed(n: u64) -> Result<Dim, String> {
    if n == 0 || n > i32::MAX as u64 {
        Err(format!("has {n} as a dimension; use 1 to {}", i32::MAX))
    } else {
        Ok(Dim::Fixed(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_write_a_shape() {
        let s = ShapeSpec::fixed(vec![Dim::Fixed(1), Dim::Fixed(3)]);
        assert_eq!(ShapeSpec::read(&json!([1, 3])), Ok(s.clone()));
        assert_eq!(ShapeSpec::read(&json!("1x3")), Ok(s.clone()));
        assert_eq!(ShapeSpec::parse_named("a:0:1x3"), Ok(("a:0".into(), s)));
        assert_eq!(ShapeSpec::parse_named("sr:scalar").unwrap().1.opt, []);
        let ranged =
            ShapeSpec::read(&json!({"min": [1, 8], "opt": ["batch", 64], "max": [32, 512]})).unwrap();
        assert!(ranged.uses_batch());
        let at = ranged.at(4);
        assert_eq!((at.min, at.opt, at.max), (vec![1, 8], vec![4, 64], vec![32, 512]));
    }

    #[test]
    fn values_say_the_shape() {
        let read = |value| ShapeSpec::read(&value).unwrap().at(7);
        let sizes = read(json!({"values": [224, -1]}));
        assert_eq!((&sizes.opt, &sizes.values), (&vec![2], &Some(Values::fixed(vec![224, -1]))));
        assert_eq!(sizes.to_string(), "[224, -1]");
        assert!(read(json!({"values": 0})).opt.is_empty());
        let range = read(json!({"values": {"min": [1, 1], "opt": [8, 8], "max": [64, 64]}}));
        assert_eq!(range.values.map(|v| (v.min, v.max)), Some((vec![1, 1], vec![64, 64])));
        assert_eq!(
            ShapeSpec::parse_named("s:0:[224, -1]").unwrap(),
            ("s:0".into(), ShapeSpec::read(&json!({"values": [224, -1]})).unwrap())
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            json!([0]),
            json!([-1]),
            json!("1xax3"),
            json!({"min": [2], "opt": [1], "max": [3]}),
            json!({"min": [1], "opt": [1]}),
            json!({"min": [1], "opt": [1], "max": [1], "mix": [1]}),
            json!({"min": [1], "opt": [1, 2], "max": [1]}),
            json!(7),
        ] {
            assert!(ShapeSpec::read(&bad).is_err(), "{bad}");
        }
        assert!(ShapeSpec::parse_named("1x3").is_err());
        assert!(ShapeSpec::parse_named("sizes:[1,x]").is_err());
        assert!(ShapeSpec::read(&json!({"values": [2], "opt": [1]})).is_err());
    }
}
