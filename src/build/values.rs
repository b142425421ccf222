//! What an engine must know of the values of its inputs: those that the configuration gives, those of a file, or those that
//! a plan was built for.

use super::BuildJob;
use crate::case::BackendKind;
use crate::config::{Shape, Values};
use crate::error::{Failure, Result};
use crate::inputs;
use crate::onnx::ModelInput;
use crate::tensor::DType;
use std::path::Path;

/// TensorRT takes no more values that decide shapes from one input.
const MOST_VALUES: usize = 64;

/// The shape of an input with the values that it holds, where they are given or may decide shapes.
pub(super) fn of_input(job: &BuildJob, input: &ModelInput, shape: Shape) -> Result<Shape> {
    let count = usize::try_from(shape.opt.first().copied().unwrap_or(1)).unwrap_or(usize::MAX);
    for values in shape.values.iter().flat_map(|v| [&v.min, &v.opt, &v.max]) {
        inputs::from_values(&input.name, values, input.dtype, vec![count])?;
    }
    let whole = matches!(input.dtype, DType::I32 | DType::I64 | DType::Bool);
    let may_decide = whole && shape.opt.len() < 2 && count <= MOST_VALUES;
    if !(may_decide && job.target.kind == BackendKind::Tensorrt) {
        return Ok(shape);
    }
    let served = input.served.as_ref().and_then(|served| served.values.clone());
    let file = job.inputs.get(&input.name);
    let fed = file.map(|path| of_file(input, path, vec![count; shape.opt.len()])).transpose()?;
    let given = [shape.values.as_ref().map(|v| &v.opt), fed.as_ref()];
    for (given, range) in [(given[0], &served), (given[1], &served), (given[1], &shape.values)] {
        given.zip(range.as_ref()).map_or(Ok(()), |(given, range)| ensure_within(input, given, range))?;
    }
    let values = shape.values.or(served).or(fed.map(Values::fixed));
    Ok(Shape { values, ..shape })
}

fn of_file(input: &ModelInput, path: &Path, shape: Vec<usize>) -> Result<Vec<i64>> {
    let fed = inputs::from_file(&input.name, path, DType::I64, &shape)?;
    Ok(fed.values().map(|value| value as i64).collect())
}

fn ensure_within(input: &ModelInput, given: &[i64], range: &Values) -> Result<()> {
    let mut bounds = given.iter().zip(range.min.iter().zip(&range.max));
    if given.len() == range.min.len() && bounds.all(|(v, (min, max))| (min..=max).contains(&v)) {
        return Ok(());
    }
    let Values { min, max, .. } = range;
    let what = format!("the values {given:?} of input `{}` are outside of {min:?} to {max:?}", input.name);
    Err(Failure::usage(what).next(
        "give others, or an engine that serves them: shapes = { NAME = { values = { min, opt, max } } }",
    ))
}
