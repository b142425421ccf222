//! Gives the tensors that a case feeds: random ones of the right type and range, or the contents of `.npy` files.
//!
//! Invariant: the same seed gives the same bytes (`seeded_inputs_repeat_and_differ_by_name_and_seed`), so that both
//! arms of a comparison get the same inputs.

use crate::case::sha256_hex;
use crate::error::{Failure, FailureKind, Result};
use crate::rng::Rng;
use crate::tensor::{DType, Tensor, read_npy};
use half::f16;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The values that the elements of a random input are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueRange {
    /// Uniform in [-1, 1).
    UnitFloat,
    /// Uniform over 0 to n−1.
    Below(u64),
    /// All ones: masks, where random values would hide everything.
    Ones,
    /// Every value of the type.
    Full,
}

/// A range of values that makes sense for an input with nothing else known about it.
///
/// Indices into a table stay inside it (`index_bound`); masks are all ones; bytes take every value; other
/// integers are 0 or 1, which is valid for token types, flags and small tables alike.
pub fn sensible_range(name: &str, dtype: DType, index_bound: Option<u64>) -> ValueRange {
    let mask = name.to_lowercase().contains("mask");
    match dtype {
        _ if dtype.is_float() => ValueRange::UnitFloat,
        DType::Bool | DType::I32 | DType::I64 | DType::U64 if mask => ValueRange::Ones,
        DType::I32 | DType::I64 | DType::U64 => ValueRange::Below(index_bound.unwrap_or(2).max(1)),
        DType::Bool => ValueRange::Below(2),
        _ => ValueRange::Full,
    }
}

/// No process can address more bytes (47 bits on x86-64). What only this machine lacks is told as a lack of memory.
const ADDRESSABLE: usize = 1 << 47;

/// A seeded tensor; fails where no memory could hold it. The stream depends on `seed` and on the input's `name`, not on the order of inputs.
pub fn seeded(name: &str, dtype: DType, shape: Vec<usize>, range: ValueRange, seed: u64) -> Result<Tensor> {
    let mut stream = seed;
    for byte in name.bytes() {
        // FNV-1a: two inputs of one model must not get the same numbers.
        stream = (stream ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut rng = Rng::new(stream);
    let too_large = || {
        Failure::usage(format!("input `{name}`: a {dtype} tensor of shape {shape:?} has no room in memory"))
            .next("give it a smaller shape, or a smaller batch")
    };
    let count = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).ok_or_else(too_large)?;
    let size = count.checked_mul(dtype.size()).filter(|size| *size < ADDRESSABLE).ok_or_else(too_large)?;
    let mut data = Vec::with_capacity(size);
    for _ in 0..count {
        push(&mut data, dtype, range, &mut rng);
    }
    Ok(Tensor { dtype, shape, data })
}

fn push(data: &mut Vec<u8>, dtype: DType, range: ValueRange, rng: &mut Rng) {
    let whole = match range {
        ValueRange::UnitFloat => 0,
        ValueRange::Below(n) => rng.below(n),
        ValueRange::Ones => 1,
        ValueRange::Full => rng.next_u64(),
    };
    match dtype {
        DType::F16 => data.extend(f16::from_f64(unit(rng)).to_le_bytes()),
        DType::F32 => data.extend((unit(rng) as f32).to_le_bytes()),
        DType::F64 => data.extend(unit(rng).to_le_bytes()),
        DType::I8 | DType::U8 => data.push(whole as u8),
        DType::Bool => data.push(u8::from(whole != 0)),
        DType::I32 => data.extend((whole as u32).to_le_bytes()),
        DType::I64 | DType::U64 => data.extend(whole.to_le_bytes()),
    }
}

/// Uniform in [-1, 1).
fn unit(rng: &mut Rng) -> f64 {
    rng.f64() * 2.0 - 1.0
}

/// The tensor in a `.npy` file, fitted to what the model asks for.
///
/// Widening and narrowing between number types is allowed where every value survives; shapes must be equal.
pub fn from_file(name: &str, path: &Path, dtype: DType, shape: &[usize]) -> Result<Tensor> {
    let refuse = |what: String| {
        Failure::new(FailureKind::Format, format!("input `{name}` from {}: {what}", path.display()))
    };
    let tensor = read_npy(path)?;
    if tensor.shape != shape {
        return Err(refuse(format!("its shape is {:?}, the case asks for {shape:?}", tensor.shape))
            .next("give the file's shape in the configuration or with --shape, or write another file"));
    }
    if tensor.dtype == dtype {
        return Ok(tensor);
    }
    let data = fitted(tensor.values(), dtype).map_err(|value| {
        refuse(format!("it holds {} and the value {value} does not fit the model's {dtype}", tensor.dtype))
    })?;
    Ok(Tensor { dtype, shape: tensor.shape, data })
}

/// A tensor of values that the configuration gives.
pub fn from_values(name: &str, values: &[i64], dtype: DType, shape: Vec<usize>) -> Result<Tensor> {
    let refuse = |what: String| {
        Failure::usage(format!("input `{name}`: {what}")).next("give other values, or a file with --input")
    };
    if shape.iter().product::<usize>() != values.len() {
        return Err(refuse(format!("{} values are given for the shape {shape:?}", values.len())));
    }
    let data = fitted(values.iter().map(|v| *v as f64), dtype)
        .map_err(|value| refuse(format!("the value {value} does not fit the model's {dtype}")))?;
    Ok(Tensor { dtype, shape, data })
}

/// The bytes of values as a type, or the first that it cannot hold.
fn fitted(values: impl Iterator<Item = f64>, dtype: DType) -> std::result::Result<Vec<u8>, f64> {
    let mut data = Vec::new();
    for value in values {
        let fits = match dtype {
            DType::F16 | DType::F32 | DType::F64 => true,
            DType::Bool => value == 0.0 || value == 1.0,
            DType::I8 => fits_in(value, i8::MIN.into(), i8::MAX.into()),
            DType::U8 => fits_in(value, 0.0, u8::MAX.into()),
            DType::I32 => fits_in(value, i32::MIN.into(), i32::MAX.into()),
            // 2⁵³: beyond it the f64 on the way here would lose digits.
            DType::I64 => fits_in(value, -9_007_199_254_740_992.0, 9_007_199_254_740_992.0),
            DType::U64 => fits_in(value, 0.0, 9_007_199_254_740_992.0),
        };
        if !fits {
            return Err(value);
        }
        push_value(&mut data, dtype, value);
    }
    Ok(data)
}

fn fits_in(value: f64, min: f64, max: f64) -> bool {
    value.fract() == 0.0 && value >= min && value <= max
}

fn push_value(data: &mut Vec<u8>, dtype: DType, value: f64) {
    match dtype {
        DType::F16 => data.extend(f16::from_f64(value).to_le_bytes()),
        DType::F32 => data.extend((value as f32).to_le_bytes()),
        DType::F64 => data.extend(value.to_le_bytes()),
        DType::I8 => data.push(value as i8 as u8),
        DType::U8 => data.push(value as u8),
        DType::Bool => data.push(u8::from(value != 0.0)),
        DType::I32 => data.extend((value as i32).to_le_bytes()),
        DType::I64 => data.extend((value as i64).to_le_bytes()),
        DType::U64 => data.extend((value as u64).to_le_bytes()),
    }
}

/// SHA-256 over type, shape and bytes of a tensor: two outputs with the same hash are the same.
pub fn tensor_hash(t: &Tensor) -> String {
    let mut bytes = format!("{} {:?} ", t.dtype, t.shape).into_bytes();
    bytes.extend(&t.data);
    sha256_hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_inputs_repeat_and_differ_by_name_and_seed() {
        let make =
            |name: &str, seed| seeded(name, DType::F32, vec![4, 4], ValueRange::UnitFloat, seed).unwrap();
        assert_eq!(make("a", 1), make("a", 1));
        assert_ne!(make("a", 1), make("b", 1));
        assert_ne!(make("a", 1), make("a", 2));
        assert!(make("a", 1).values().all(|v| (-1.0..1.0).contains(&v)));
    }

    #[test]
    fn ranges_are_sensible_per_type() {
        assert_eq!(sensible_range("input_ids", DType::I64, Some(100)), ValueRange::Below(100));
        assert_eq!(sensible_range("attention_mask", DType::I64, None), ValueRange::Ones);
        assert_eq!(sensible_range("flags", DType::Bool, None), ValueRange::Below(2));
        let ids = seeded("ids", DType::I64, vec![1000], ValueRange::Below(7), 1).unwrap();
        let values: Vec<f64> = ids.values().collect();
        assert!(values.iter().all(|v| (0.0..7.0).contains(v)) && values.contains(&6.0));
        let mask = seeded("m", DType::Bool, vec![9], ValueRange::Ones, 1).unwrap();
        assert!(mask.values().all(|v| v == 1.0));
        let image = seeded("u", DType::U8, vec![4096], ValueRange::Full, 1).unwrap();
        assert!(image.values().any(|v| v > 250.0) && image.values().any(|v| v < 5.0));
    }

    #[test]
    fn a_tensor_without_room_is_refused_by_name() {
        for shape in [vec![usize::MAX, 2], vec![1 << 62, 1 << 3], vec![1 << 62], vec![1 << 50, 1 << 9]] {
            let refused = seeded("wide", DType::F64, shape, ValueRange::UnitFloat, 1).unwrap_err();
            assert!(refused.message.starts_with("input `wide`: a f64 tensor of shape ["), "{refused}");
        }
        // Nothing in it: the other sizes do not matter.
        assert!(seeded("none", DType::F64, vec![0, 1 << 62], ValueRange::UnitFloat, 1).is_ok());
    }

    #[test]
    fn files_are_fitted_or_refused_with_the_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        crate::tensor::write_samples(&path, &[1, 300]).unwrap();
        let t = from_file("x", &path, DType::I32, &[2]).unwrap();
        assert_eq!(t.values().collect::<Vec<_>>(), [1.0, 300.0]);
        let e = from_file("x", &path, DType::U8, &[2]).unwrap_err().to_string();
        assert!(e.contains("300") && e.contains("u8"), "{e}");
        assert!(from_file("x", &path, DType::I32, &[3]).unwrap_err().to_string().contains("shape"));
    }

    #[test]
    fn values_are_fitted_or_refused() {
        let sizes = from_values("s", &[224, -1], DType::I32, vec![2]).unwrap();
        assert_eq!(sizes.values().collect::<Vec<_>>(), [224.0, -1.0]);
        let refused = |values: &[i64], dtype| from_values("s", values, dtype, vec![2]).unwrap_err().message;
        assert_eq!(refused(&[224, -1], DType::U64), "input `s`: the value -1 does not fit the model's u64");
        assert_eq!(refused(&[1], DType::I64), "input `s`: 1 values are given for the shape [2]");
    }
}
