//! Prepares the inputs of a case, and checks its outputs.

use super::job::MeasureJob;
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::inputs;
use crate::measured::OutputFact;
use crate::tensor::{Tensor, read_npy};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The input tensors of the case: out of `files` by the input's name, otherwise random.
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
            let tensor = match files.get(&spec.name) {
                Some(path) => inputs::from_file(&spec.name, path, spec.dtype, &shape)?,
                None => inputs::seeded(&spec.name, spec.dtype, shape, spec.range, seed)?,
            };
            Ok((spec.name.clone(), tensor))
        })
        .collect()
}

/// Outputs must be finite, and equal to the expected ones within |a − b| ≤ atol + rtol·|b| (numpy's allclose).
pub(super) fn check_outputs(
    job: &MeasureJob,
    header: &EngineHeader,
    outputs: Vec<Tensor>,
) -> Result<Vec<OutputFact>> {
    if let Some(name) = job.expect.keys().find(|n| !header.outputs.contains(n)) {
        return Err(Failure::usage(format!(
            "a file is given for `{name}`, which is no output of this model"
        ))
        .next(format!("its outputs are {}", header.outputs.join(", "))));
    }
    let mut facts = Vec::new();
    for (name, tensor) in header.outputs.iter().zip(&outputs) {
        let odd = tensor.values().filter(|v| !v.is_finite()).count();
        if odd > 0 && !job.allow_non_finite {
            return Err(Failure::new(FailureKind::Measure, format!("output `{name}` holds {odd} values of {} that are not finite", tensor.len()))
                .next("give realistic inputs with --input NAME=FILE.npy, or set allow-non-finite = true if that is right for this model"));
        }
        if let Some(path) = job.expect.get(name) {
            compare(name, tensor, &read_npy(path)?, job)?;
        }
        facts.push(OutputFact {
            name: name.clone(),
            dtype: tensor.dtype.to_string(),
            shape: tensor.shape.clone(),
            sha256: inputs::tensor_hash(tensor),
        });
    }
    Ok(facts)
}

fn compare(name: &str, got: &Tensor, want: &Tensor, job: &MeasureJob) -> Result<()> {
    let refuse = |what: String| {
        Failure::new(FailureKind::Measure, format!("output `{name}` is not what was expected: {what}"))
            .next("check the inputs (--input), or widen the tolerances --rtol and --atol")
    };
    if got.shape != want.shape {
        return Err(refuse(format!("its shape is {:?}, expected {:?}", got.shape, want.shape)));
    }
    let worst = got
        .values()
        .zip(want.values())
        .enumerate()
        .filter(|(_, (g, w))| {
            // Equal covers equal infinities; NaN is never within a tolerance.
            let within = g == w || (g - w).abs() <= job.atol + job.rtol * w.abs();
            !within
        })
        .max_by(|(_, (a, b)), (_, (c, d))| (a - b).abs().total_cmp(&(c - d).abs()));
    match worst {
        None => Ok(()),
        Some((at, (g, w))) => {
            Err(refuse(format!("element {at} is {g}, expected {w} (rtol {}, atol {})", job.rtol, job.atol)))
        }
    }
}
