//! Prepares the inputs of a case.

use crate::engine::EngineHeader;
use crate::error::{Failure, Result};
use crate::inputs;
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The input tensors of the case: out of `files` by the input's name, the values that are given, otherwise random.
pub(super) fn feeds(
    files: &BTreeMap<String, PathBuf>,
    seed: u64,
    header: &EngineHeader,
) -> Result<Vec<(String, Tensor)>> {
    let specs = &header.made_from.inputs;
    if let Some(name) = files.keys().find(|n| !specs.iter().any(|s| s.name == **n)) {
        let names: Vec<&str> = specs.iter().map(|s| s.name.as_str()).collect();
        return Err(Failure::usage(format!("a file is given for `{name}`, which is no input of this model"))
            .next(format!("its inputs are {}", names.join(", "))));
    }
    specs
        .iter()
        .map(|spec| {
            let shape: Vec<usize> =
                spec.shape.opt.iter().map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect();
            let tensor = match (files.get(&spec.name), &spec.shape.values) {
                (Some(path), _) => inputs::from_file(&spec.name, path, spec.dtype, &shape)?,
                (None, Some(values)) => inputs::from_values(&spec.name, &values.opt, spec.dtype, shape)?,
                (None, None) => inputs::seeded(&spec.name, spec.dtype, shape, spec.range, seed)?,
            };
            Ok((spec.name.clone(), tensor))
        })
        .collect()
}
