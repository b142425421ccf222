//! What a layer computes and moves, from the extents and types of its tensors. Pure.

use crate::layers::{Layer, LayerRole, LayerTensor};

/// What one layer does.
#[derive(Clone, Debug, PartialEq, Copy)]
pub struct LayerWork {
    /// Floating-point (or integer) operations of products and convolutions; a multiplication and an addition are two.
    pub flops: f64,
    /// Bytes of inputs, outputs and weights.
    pub bytes: f64,
    /// Element type of the arithmetic, such as `fp16`.
    pub dtype: ArithmeticType,
}

/// Types that GPUs have a rate of their own for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticType {
    /// `fp32`: on tensor cores as TF32, where they have that.
    Fp32,
    /// `fp16` and `bf16`, which have one rate.
    Fp16,
    /// `fp8`.
    Fp8,
    /// `fp4`.
    Fp4,
    /// `int8`.
    Int8,
    /// Others, and none.
    Other,
}

/// What a layer does each time it runs; `None` where that cannot be told.
pub fn work(layer: &Layer) -> Option<LayerWork> {
    let nothing = LayerWork { flops: 0.0, bytes: 0.0, dtype: ArithmeticType::Other };
    match layer.role {
        LayerRole::Sync => return Some(nothing),
        LayerRole::Loop | LayerRole::Region => return None,
        LayerRole::Compute | LayerRole::Reformat => {}
    }
    // It gives a tensor another name.
    if layer.kind == "NoOp" {
        return Some(nothing);
    }
    if layer.kind.is_empty() || layer.outputs.is_empty() {
        return None;
    }
    let tensors = layer.inputs.iter().chain(&layer.outputs).chain(&layer.weights);
    let bytes = tensors.map(bytes).sum::<Option<f64>>()?;
    let dtype = arithmetic(layer.weights.first().or(layer.inputs.first()));
    match is_product(layer) {
        None => None,
        Some(false) => Some(LayerWork { bytes, ..nothing }),
        Some(true) => Some(LayerWork { flops: 2.0 * multiplications(layer)?, bytes, dtype }),
    }
}

/// Whether it is a product of matrices or a convolution; `None` where it holds several (attention).
fn is_product(layer: &Layer) -> Option<bool> {
    let kind = layer.kind.to_ascii_lowercase();
    let name = layer.name.to_ascii_lowercase();
    if kind.contains("mha") || name.contains("_mha_") {
        return None;
    }
    let kinds = ["conv", "correlation", "gemm", "matrixmultiply", "matmul", "fullyconnected"];
    // Myelin puts what it fused into names: `__myl_FcAddRelu_myl0_34`.
    Some(kinds.iter().any(|word| kind.contains(word)) || fused(&layer.name).any(|word| word == "Fc"))
}

/// The words of `FcAddRelu` in such a name.
fn fused(name: &str) -> impl Iterator<Item = &str> {
    let words = name.strip_prefix("__myl_").and_then(|rest| rest.split('_').next()).unwrap_or("");
    let ends = words.char_indices().filter(|(_, c)| c.is_ascii_uppercase()).map(|(at, _)| at);
    let mut starts: Vec<usize> = ends.collect();
    starts.push(words.len());
    (1..starts.len()).map(move |i| &words[starts[i - 1]..starts[i]])
}

/// Multiplications of a product or convolution, each with its addition.
fn multiplications(layer: &Layer) -> Option<f64> {
    let output = layer.outputs.first()?;
    let largest = layer.weights.iter().filter(|w| is_matrix(w));
    let weights = largest.max_by(|a, b| elements(a).unwrap_or(0.0).total_cmp(&elements(b).unwrap_or(0.0)));
    let Some(weights) = weights else { return between_inputs(layer, output) };
    if weights.dims.len() < 4 {
        return with_matrix(layer, output, weights);
    }
    // Kernels are [outputs, inputs per group, height, width]; those of a deconvolution begin with its inputs.
    let deconvolution = layer.kind.to_ascii_lowercase().contains("deconv");
    let maps = if deconvolution { layer.inputs.first()? } else { output };
    let first = *weights.dims.first()?;
    let of_map = elements(weights)? / first as f64;
    (maps.dims.get(1) == Some(&first)).then_some(elements(maps)? * of_map)
}

/// Rows of an input with `k` elements become rows of the output with `m`.
fn with_matrix(layer: &Layer, output: &LayerTensor, weights: &LayerTensor) -> Option<f64> {
    let sides: Vec<f64> = weights.dims.iter().filter(|d| **d != 1).map(|d| *d as f64).collect();
    let &[a, b] = &sides[..] else { return None };
    let out = elements(output)?;
    let fits = |k: f64, m: f64| layer.inputs.iter().any(|i| elements(i).is_some_and(|n| n * m == out * k));
    [(a, b), (b, a)].into_iter().find(|(k, m)| fits(*k, *m)).map(|(k, _)| out * k)
}

/// Two inputs are multiplied, each as it is or turned.
fn between_inputs(layer: &Layer, output: &LayerTensor) -> Option<f64> {
    let [left, right, ..] = &layer.inputs[..] else { return None };
    let last = |t: &LayerTensor| <[i64; 2]>::try_from(t.dims.get(t.dims.len().checked_sub(2)?..)?).ok();
    let ([m, n], left, right) = (last(output)?, last(left)?, last(right)?);
    // The side that is not the output's.
    let other = |[a, b]: [i64; 2], side: i64| {
        if a == side {
            Some(b)
        } else if b == side {
            Some(a)
        } else {
            None
        }
    };
    let k = other(left, m)?;
    (other(right, n)? == k).then_some(elements(output)? * k as f64)
}

fn is_matrix(tensor: &LayerTensor) -> bool {
    tensor.dims.len() >= 4 || tensor.dims.iter().filter(|d| **d != 1).count() >= 2
}

/// `None` where an extent depends on the request.
fn elements(tensor: &LayerTensor) -> Option<f64> {
    tensor.dims.iter().map(|d| (*d >= 0).then_some(*d as f64)).product()
}

fn bytes(tensor: &LayerTensor) -> Option<f64> {
    let each = match tensor.dtype.as_str() {
        "int64" => 8.0,
        "fp32" | "int32" => 4.0,
        "fp16" | "bf16" => 2.0,
        "fp8" | "int8" | "uint8" | "bool" => 1.0,
        "fp4" | "int4" => 0.5,
        _ => return None,
    };
    Some(elements(tensor)? * each)
}

fn arithmetic(tensor: Option<&LayerTensor>) -> ArithmeticType {
    match tensor.map_or("", |t| t.dtype.as_str()) {
        "fp32" => ArithmeticType::Fp32,
        "fp16" | "bf16" => ArithmeticType::Fp16,
        "fp8" => ArithmeticType::Fp8,
        "fp4" => ArithmeticType::Fp4,
        "int8" => ArithmeticType::Int8,
        _ => ArithmeticType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[i64]) -> LayerTensor {
        LayerTensor { dims: dims.into(), dtype: "fp16".into(), format: String::new() }
    }

    fn layer(name: &str, kind: &str, inputs: &[&[i64]], weights: &[&[i64]], output: &[i64]) -> Layer {
        let all = |dims: &[&[i64]]| dims.iter().map(|d| tensor(d)).collect();
        Layer {
            kind: kind.into(),
            inputs: all(inputs),
            weights: all(weights),
            outputs: vec![tensor(output)],
            ..Layer::named(name)
        }
    }

    #[test]
    fn products_are_counted_by_their_weights_or_between_inputs() {
        let flops = |layer: &Layer| work(layer).map(|w| w.flops);
        for (name, kind, inputs, weights, output, expected) in [
            (
                "conv",
                "CaskConvolution",
                &[&[2, 3, 8, 8][..]][..],
                &[&[4, 3, 3, 3][..]][..],
                &[2, 4, 8, 8][..],
                512 * 27,
            ),
            ("depthwise", "correlation", &[&[1, 16, 8, 8]], &[&[16, 1, 3, 3]], &[1, 16, 8, 8], 1024 * 9),
            ("up", "CaskDeconvolutionV2", &[&[1, 8, 4, 4]], &[&[8, 2, 2, 2]], &[1, 2, 8, 8], 128 * 8),
            (
                "__myl_FcAdd_myl0_1",
                "runtime_fusion",
                &[&[1, 512, 784]],
                &[&[1, 256, 1], &[1, 256, 512]],
                &[1, 256, 784],
                256 * 784 * 512,
            ),
            ("fc", "gemm", &[&[1, 2048]], &[&[2048, 1000]], &[1, 1000], 2_048_000),
            (
                "scores",
                "MatrixMultiply",
                &[&[8, 128, 64], &[8, 128, 64]],
                &[],
                &[8, 128, 128],
                8 * 128 * 128 * 64,
            ),
            ("values", "gemm", &[&[8, 128, 100], &[8, 100, 64]], &[], &[8, 128, 64], 8 * 128 * 64 * 100),
        ] {
            assert_eq!(
                flops(&layer(name, kind, inputs, weights, output)),
                Some(2.0 * f64::from(expected)),
                "{name}"
            );
        }
        for (name, kind, inputs, weights, output) in [
            ("open", "gemm", &[&[-1, 2048][..]][..], &[&[2048, 1000][..]][..], &[-1, 1000][..]),
            ("other", "gemm", &[&[1, 7]], &[&[2048, 1000]], &[1, 3]),
            ("channels differ", "correlation", &[&[1, 3, 8, 8]], &[&[4, 3, 3, 3]], &[1, 5, 8, 8]),
            ("one input", "gemm", &[&[1, 7]], &[], &[1, 7]),
            ("_gemm_mha_v2_myl0_3", "kgen", &[&[8, 128, 64]], &[], &[8, 128, 64]),
            ("{ForeignNode[a...b]}", "Myelin", &[&[1, 7]], &[], &[1, 7]),
            ("names only", "", &[&[1, 7]], &[], &[1, 7]),
        ] {
            assert_eq!(flops(&layer(name, kind, inputs, weights, output)), None, "{name}");
        }
    }

    #[test]
    fn other_layers_move_bytes_and_some_do_nothing() {
        let moved = |name: &str, kind: &str| {
            work(&layer(name, kind, &[&[1, 4, 8, 8]], &[], &[1, 4, 4, 4])).map(|w| (w.flops, w.bytes))
        };
        assert_eq!(moved("pool", "CudaPooling"), Some((0.0, 640.0)));
        // Not "Convolution": joining tensors.
        assert_eq!(moved("__myl_MoveConc_myl0_0", "kgen"), Some((0.0, 640.0)));
        assert_eq!(moved("x", "NoOp"), Some((0.0, 0.0)));
        let wait = Layer { role: LayerRole::Sync, ..layer("w", "wait", &[], &[], &[]) };
        assert_eq!(work(&wait).map(|w| w.bytes), Some(0.0));
        let mut unknown = layer("pool", "CudaPooling", &[&[1, 4]], &[], &[1, 4]);
        unknown.inputs[0].dtype = String::new();
        assert_eq!(work(&unknown), None);
    }
}
