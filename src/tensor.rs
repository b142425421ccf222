//! Holds named tensors and reads and writes them as `.npy`: model inputs, outputs, and files of samples.
//!
//! This is the only file that knows the format (numpy.lib.format, versions 1.0 to 3.0, little-endian, C order).

use crate::error::{Failure, FailureKind, Result};
use crate::file;
use half::f16;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::path::Path;

/// The element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 16-bit floating point, IEEE 754 binary16.
    F16,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 64-bit unsigned integer, as in files of samples.
    U64,
    /// One byte: 0 is false, anything else is true.
    Bool,
}

impl DType {
    const ALL: [(DType, &'static str, usize); 9] = [
        (DType::F16, "f2", 2),
        (DType::F32, "f4", 4),
        (DType::F64, "f8", 8),
        (DType::I8, "i1", 1),
        (DType::U8, "u1", 1),
        (DType::I32, "i4", 4),
        (DType::I64, "i8", 8),
        (DType::U64, "u8", 8),
        (DType::Bool, "b1", 1),
    ];

    fn row(self) -> (DType, &'static str, usize) {
        Self::ALL[self as usize]
    }

    /// Bytes per element.
    pub fn size(self) -> usize {
        self.row().2
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// A tensor: little-endian elements in C order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Element type.
    pub dtype: DType,
    /// Its dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// All elements, little-endian, the last dimension fastest.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A tensor of `values`, as many as `shape` has elements.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { dtype: DType::F32, shape, data }
    }

    /// A tensor of `values`, as many as `shape` has elements.
    pub fn from_i32(shape: Vec<usize>, values: &[i32]) -> Self {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { dtype: DType::I32, shape, data }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Every element as f64 (i64 and u64 beyond 2⁵³ lose their last digits).
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let dtype = self.dtype;
        self.data.chunks_exact(dtype.size()).map(move |c| element(dtype, c))
    }
}

/// One little-endian element as f64; `c` has exactly `dtype.size()` bytes.
fn element(dtype: DType, c: &[u8]) -> f64 {
    let mut eight = [0u8; 8];
    eight[..c.len()].copy_from_slice(c);
    let raw = u64::from_le_bytes(eight);
    match dtype {
        DType::F16 => f16::from_bits(raw as u16).to_f64(),
        DType::F32 => f64::from(f32::from_bits(raw as u32)),
        DType::F64 => f64::from_bits(raw),
        DType::I8 => f64::from(raw as u8 as i8),
        DType::U8 => f64::from(raw as u8),
        DType::I32 => f64::from(raw as u32 as i32),
        DType::I64 => raw as i64 as f64,
        DType::U64 => raw as f64,
        DType::Bool => f64::from(u8::from(raw != 0)),
    }
}

const NPY_MAGIC: &[u8] = b"\x93NUMPY";

/// Reads a `.npy` file.
pub fn read_npy(path: &Path) -> Result<Tensor> {
    let bytes = file::read(path, &file::NPY)?;
    parse_npy(&bytes).map_err(|why| {
        Failure::new(FailureKind::Format, format!("{} is not a usable .npy file: {why}", path.display()))
            .next("write it with numpy.save(), little-endian, C order, without pickled objects")
    })
}

/// The tensor in the bytes of a `.npy` file, or what is wrong with them.
pub fn parse_npy(bytes: &[u8]) -> Result<Tensor, String> {
    let rest = bytes.strip_prefix(NPY_MAGIC).ok_or("it does not start with the .npy magic")?;
    let (major, len_bytes) = match rest {
        [1, _, a, b, ..] => (1, u32::from(u16::from_le_bytes([*a, *b]))),
        [m @ (2 | 3), _, a, b, c, d, ..] => (*m, u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err("its format version is unknown or the file is cut off".into()),
    };
    let start = if major == 1 { 4 } else { 6 };
    let end = start + len_bytes as usize;
    let header = rest.get(start..end).ok_or("its header is cut off")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    let (dtype, shape) = parse_header(header)?;
    let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).ok_or("its shape overflows")?;
    let want = count.checked_mul(dtype.size()).ok_or("its shape overflows")?;
    let data = &rest[end..];
    if data.len() != want {
        return Err(format!("it holds {} bytes of data where its shape needs {want}", data.len()));
    }
    Ok(Tensor { dtype, shape, data: data.to_vec() })
}

/// The Python dictionary literal of a `.npy` header; only the three keys the format defines.
fn parse_header(header: &str) -> Result<(DType, Vec<usize>), String> {
    let after = |key: &str| {
        let at = header.find(&format!("'{key}'")).ok_or(format!("its header has no '{key}'"))?;
        let tail = &header[at + key.len() + 2..];
        Ok::<&str, String>(tail.trim_start().strip_prefix(':').ok_or("its header is malformed")?.trim_start())
    };
    let descr = after("descr")?.strip_prefix('\'').and_then(|d| d.split('\'').next()).unwrap_or_default();
    let (order, kind) = descr.split_at(descr.chars().next().map_or(0, char::len_utf8));
    let dtype = DType::ALL.iter().find(|(_, k, _)| *k == kind).map(|(d, ..)| *d);
    let ("<" | "|" | "=", Some(dtype)) = (order, dtype) else {
        return Err(format!("its element type `{descr}` is not supported"));
    };
    if !after("fortran_order")?.starts_with("False") {
        return Err("it is in Fortran order".into());
    }
    let dims = after("shape")?
        .strip_prefix('(')
        .and_then(|s| s.split(')').next())
        .ok_or("its shape is malformed")?;
    let shape: Result<Vec<usize>, _> =
        dims.split(',').map(str::trim).filter(|d| !d.is_empty()).map(str::parse).collect();
    Ok((dtype, shape.map_err(|_| "its shape is malformed")?))
}

/// The bytes of a `.npy` file (version 1.0) with `dtype`, `shape` and raw `data`.
fn npy_header(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    let dims = if dims.len() == 1 { format!("{},", dims[0]) } else { dims.join(", ") };
    let order = if dtype.size() == 1 { '|' } else { '<' };
    let mut dict =
        format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({dims}), }}", dtype.row().1);
    // The data starts at a multiple of 64 bytes, as the format asks.
    let pad = 64 - (NPY_MAGIC.len() + 4 + dict.len() + 1) % 64;
    dict.extend(std::iter::repeat_n(' ', pad % 64));
    dict.push('\n');
    let mut out = NPY_MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((dict.len() as u16).to_le_bytes());
    out.extend(dict.as_bytes());
    out
}

/// Writes a tensor as a `.npy` file.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<()> {
    let bytes = [npy_header(tensor.dtype, &tensor.shape).as_slice(), &tensor.data].concat();
    std::fs::write(path, bytes).map_err(|e| Failure::io("write", path, &e))
}

/// Writes u64 samples (nanoseconds, in time order) as a one-dimensional `.npy` file.
pub fn write_samples(path: &Path, samples: &[u64]) -> Result<()> {
    let write = || {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        file.write_all(&npy_header(DType::U64, &[samples.len()]))?;
        for s in samples {
            file.write_all(&s.to_le_bytes())?;
        }
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    };
    write().map_err(|e| Failure::io("write", path, &e))
}

/// Reads samples written by [`write_samples`] (or by any harness: one-dimensional u64 or i64 nanoseconds).
pub fn read_samples(path: &Path) -> Result<Vec<u64>> {
    let t = read_npy(path)?;
    if t.shape.len() != 1 || !matches!(t.dtype, DType::U64 | DType::I64) {
        return Err(Failure::new(
            FailureKind::Format,
            format!(
                "{} holds {} of shape {:?}; samples are one-dimensional u64 nanoseconds",
                path.display(),
                t.dtype,
                t.shape
            ),
        )
        .next("write them with numpy.save(path, samples.astype('uint64')), one file per process"));
    }
    if t.dtype == DType::I64 && t.values().any(|v| v < 0.0) {
        return Err(Failure::new(
            FailureKind::Format,
            format!("{} holds negative durations", path.display()),
        )
        .next("write nanoseconds from a monotonic clock"));
    }
    let mut eight = [0u8; 8];
    Ok(t.data
        .chunks_exact(8)
        .map(|c| {
            eight.copy_from_slice(c);
            u64::from_le_bytes(eight)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(t: &Tensor) -> Vec<u8> {
        let mut out = npy_header(t.dtype, &t.shape);
        out.extend(&t.data);
        out
    }

    #[test]
    fn npy_round_trips_every_type_and_rank() {
        for (dtype, _, size) in DType::ALL {
            assert_eq!(dtype.row().0, dtype, "the table is in enum order");
            for shape in [vec![], vec![3], vec![2, 0], vec![2, 3, 4]] {
                let n: usize = shape.iter().product();
                let t = Tensor { dtype, shape, data: (0..n * size).map(|i| i as u8).collect() };
                let bytes = npy(&t);
                assert_eq!((bytes.len() - t.data.len()) % 64, 0);
                assert_eq!(parse_npy(&bytes).unwrap(), t);
            }
        }
    }

    #[test]
    fn damaged_files_are_refused_with_a_reason() {
        let good = npy(&Tensor::from_f32(vec![2, 2], &[1.0, 2.0, 3.0, 4.0]));
        for cut in 0..good.len() {
            assert!(parse_npy(&good[..cut]).is_err(), "cut at {cut}");
        }
        let fortran = String::from_utf8_lossy(&good).replace("False", "True ");
        assert!(parse_npy(fortran.as_bytes()).is_err());
        let text = |s: &str| String::from_utf8_lossy(s.as_bytes()).into_owned();
        assert!(parse_header(&text("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }")).is_err());
        assert!(parse_header(&text("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")).is_err());
    }

    #[test]
    fn samples_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.npy");
        write_samples(&path, &[3, 1, u64::MAX]).unwrap();
        assert_eq!(read_samples(&path).unwrap(), [3, 1, u64::MAX]);
        let signed = Tensor { dtype: DType::I64, shape: vec![1], data: (-7i64).to_le_bytes().to_vec() };
        std::fs::write(&path, npy(&signed)).unwrap();
        assert!(read_samples(&path).unwrap_err().message.contains("negative"));
        std::fs::write(&path, npy(&Tensor::from_f32(vec![1], &[1.0]))).unwrap();
        assert!(read_samples(&path).unwrap_err().next.contains("uint64"));
    }

    #[test]
    fn elements_read_as_numbers() {
        let t = Tensor { dtype: DType::F16, shape: vec![2], data: vec![0x00, 0x3c, 0x00, 0xc0] };
        assert_eq!(t.values().collect::<Vec<_>>(), [1.0, -2.0]);
        let t = Tensor { dtype: DType::I64, shape: vec![1], data: (-7i64).to_le_bytes().to_vec() };
        assert_eq!(t.values().collect::<Vec<_>>(), [-7.0]);
        assert_eq!(Tensor::from_i32(vec![1], &[-3]).values().next(), Some(-3.0));
    }
}
