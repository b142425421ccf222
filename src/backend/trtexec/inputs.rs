//! Writes a case's inputs in the form that trtexec takes: shapes as options, values as raw files.

use super::is_dynamic;
use crate::config::{Shape, Values};
use crate::engine::InputSpec;
use crate::error::{Failure, FailureKind, Result};
use crate::onnx::ModelInput;
use crate::tensor::{DType, Tensor};
use crate::trtexec::TrtexecVersion;
use std::path::Path;

/// `'x':1x3x8x8,'sizes':224x224` for the inputs whose shapes are not fixed, and for those whose values are given, which
/// trtexec takes in the same form; empty where there are none.
pub(super) fn shapes<'a>(
    declared: &[ModelInput],
    specs: &'a [InputSpec],
    dims: impl Fn(&'a Shape) -> &'a Vec<u64>,
    values: impl Fn(&'a Values) -> &'a Vec<i64>,
) -> String {
    let given = |s: &&InputSpec| {
        s.shape.values.is_some() || declared.iter().any(|d| d.name == s.name && is_dynamic(d))
    };
    let shapes: Vec<String> = specs
        .iter()
        .filter(given)
        .map(|spec| {
            let dims: Vec<String> = match &spec.shape.values {
                Some(all) => values(all).iter().map(i64::to_string).collect(),
                None => dims(&spec.shape).iter().map(u64::to_string).collect(),
            };
            // A name may hold a colon, which the quotes keep apart from the shape.
            let text = if dims.is_empty() { "scalar".into() } else { dims.join("x") };
            format!("'{}':{text}", spec.name)
        })
        .collect();
    shapes.join(",")
}

/// Writes each input as raw values and returns the option that names the files; none for a model without inputs.
pub(super) fn files(
    inputs: &[(String, Tensor)],
    version: TrtexecVersion,
    folder: &Path,
) -> Result<Option<String>> {
    if folder.to_string_lossy().contains([',', ':', '\'']) {
        return Err(Failure::new(
            FailureKind::Measure,
            format!(
                "{} holds a comma, a colon or a quote, which trtexec takes for its own",
                folder.display()
            ),
        )
        .next("point CARGO_TARGET_DIR at a folder without them"));
    }
    let mut named = Vec::new();
    for (i, (name, tensor)) in inputs.iter().enumerate() {
        let path = folder.join(format!("input{i}.bin"));
        let bytes = raw(tensor, version).map_err(|f| f.context(format!("input `{name}`")))?;
        std::fs::write(&path, bytes).map_err(|e| Failure::io("write the input", &path, &e))?;
        named.push(format!("'{name}':{}", path.display()));
    }
    Ok((!named.is_empty()).then(|| format!("--loadInputs={}", named.join(","))))
}

/// The bytes as the engine takes them: before version 10, engines have no 64-bit integers and take 32 bits instead.
fn raw(tensor: &Tensor, version: TrtexecVersion) -> Result<Vec<u8>> {
    if tensor.dtype != DType::I64 || version.major >= 10 {
        return Ok(tensor.data.clone());
    }
    let mut bytes = Vec::with_capacity(tensor.data.len() / 2);
    for word in tensor.data.as_chunks::<8>().0 {
        let value = i64::from_le_bytes(*word);
        let narrow = i32::try_from(value).map_err(|_| {
            Failure::new(
                FailureKind::Measure,
                format!("holds {value}; engines of TensorRT {version} take 32 bits"),
            )
        })?;
        bytes.extend(narrow.to_le_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V8: TrtexecVersion = TrtexecVersion { major: 8, minor: 6, patch: 1 };
    const V10: TrtexecVersion = TrtexecVersion { major: 10, minor: 0, patch: 0 };

    #[test]
    fn long_integers_are_narrowed_for_old_engines_only() {
        let data: Vec<u8> = [7_i64, -2].iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = Tensor { dtype: DType::I64, shape: vec![2], data: data.clone() };
        assert_eq!(
            raw(&tensor, V8).unwrap(),
            [7_i32, -2].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()
        );
        assert_eq!(raw(&tensor, V10).unwrap(), data);
        let large = Tensor { dtype: DType::I64, shape: vec![1], data: (1_i64 << 40).to_le_bytes().to_vec() };
        assert!(raw(&large, V8).unwrap_err().message.contains("32 bits"));
    }

    #[test]
    fn values_that_are_given_stand_in_the_place_of_a_shape() {
        let spec = |name: &str, shape| InputSpec {
            name: name.into(),
            dtype: DType::I64,
            shape,
            range: crate::inputs::ValueRange::Full,
        };
        let range = Values { min: vec![1, 8], opt: vec![1, 16], max: vec![1, 64] };
        let sizes = Shape { values: Some(range), ..Shape::fixed(vec![2]) };
        let specs = [spec("fixed", Shape::fixed(vec![4])), spec("sizes", sizes)];
        assert_eq!(shapes(&[], &specs, |s| &s.max, |v| &v.max), "'sizes':1x64");
    }

    #[test]
    fn files_are_named_in_quotes() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = [("a:0".to_owned(), Tensor::from_f32(vec![1], &[1.0]))];
        let option = files(&inputs, V10, dir.path()).unwrap().unwrap();
        assert_eq!(option, format!("--loadInputs='a:0':{}/input0.bin", dir.path().display()));
        assert!(files(&inputs, V10, Path::new("/a,b")).is_err());
        assert_eq!(files(&[], V10, dir.path()).unwrap(), None);
    }
}
