//! The place of an output whose size is known only while a request is enqueued: memory on the GPU and in pinned host
//! memory, which grows where a request needs more than all before it.

use super::driver::failed;
use super::kernel::address;
use crate::error::{Failure, FailureKind, Result};
use crate::tensor::{DType, Tensor};
use cudarc::driver::{CudaSlice, CudaStream, PinnedHostSlice, result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One output of one request in flight.
pub(crate) struct Growing {
    dtype: DType,
    /// That of the requests, which memory is given and taken on.
    stream: Arc<CudaStream>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    device: Option<CudaSlice<u8>>,
    host: Option<PinnedHostSlice<u8>>,
    /// Of the last request that was enqueued.
    dims: Vec<i64>,
}

impl State {
    fn capacity(&self) -> usize {
        self.device.as_ref().map_or(0, CudaSlice::len)
    }
}

impl Growing {
    /// No memory yet.
    pub fn new(stream: &Arc<CudaStream>, dtype: DType) -> Self {
        Self { dtype, stream: Arc::clone(stream), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of at least so many bytes on the GPU, which can be used at once; 0 where it has no more. The request
    /// that used this place before has completed.
    pub fn room(&self, bytes: u64) -> u64 {
        let mut state = self.state();
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        if state.capacity() < wanted {
            // First the old, so that both need not fit.
            state.device = None;
            let memory = self.stream.alloc_zeros(wanted).ok();
            // The library may write to it from streams of its own, which know nothing of the order of this one.
            state.device = memory.filter(|_| self.stream.synchronize().is_ok());
        }
        state.device.as_ref().map_or(0, |memory| address(memory, &self.stream))
    }

    /// The dimensions that the output has in the request that is being enqueued.
    pub fn has_shape(&self, dims: &[i64]) {
        self.state().dims = dims.to_vec();
    }

    /// Copies the output to the host, in the order of `stream`, once the request is enqueued.
    pub fn download(&self, stream: &CudaStream) -> Result<()> {
        let mut state = self.state();
        let (_, bytes) = self.extent(&state)?;
        let Some(from) = state.device.as_ref().map(|memory| address(memory, &self.stream)) else {
            return Ok(());
        };
        if state.host.as_ref().is_none_or(|host| host.len() < bytes) {
            let context = self.stream.context();
            // SAFETY: only what the copy below has written is read. No flags: see `buffers`.
            let memory = unsafe { context.alloc_pinned_with_flags::<u8>(bytes.max(1), 0) };
            state.host = Some(memory.map_err(|e| failed("allocate pinned memory", &e))?);
        }
        let Some(host) = &mut state.host else { return Ok(()) };
        let host = host.as_mut_slice().map_err(|e| failed("use pinned memory", &e))?;
        let Some(to) = host.get_mut(..bytes) else { return Ok(()) };
        // SAFETY: both hold so many bytes and live as long as the stream of requests; this place is used again only when
        // the request has completed.
        unsafe { result::memcpy_dtoh_async(to, from, stream.cu_stream()) }
            .map_err(|e| failed("copy an output from the GPU", &e))
    }

    /// The output as it is on the GPU.
    pub fn read(&self) -> Result<Tensor> {
        let state = self.state();
        let (shape, bytes) = self.extent(&state)?;
        let mut data = match &state.device {
            Some(memory) => self.stream.clone_dtoh(memory).map_err(|e| failed("read an output", &e))?,
            None => Vec::new(),
        };
        data.truncate(bytes);
        Ok(Tensor { dtype: self.dtype, shape, data })
    }

    /// Shape and bytes of the output, which must be within what the library asked for.
    fn extent(&self, state: &State) -> Result<(Vec<usize>, usize)> {
        extent(&state.dims, self.dtype, state.capacity()).ok_or_else(|| {
            let (dims, bytes) = (&state.dims, state.capacity());
            Failure::new(
                FailureKind::Measure,
                format!("the library says that an output of {bytes} bytes has the shape {dims:?}"),
            )
            .next("build the engine again; if it repeats, report it to NVIDIA with the model")
        })
    }
}

fn extent(dims: &[i64], dtype: DType, capacity: usize) -> Option<(Vec<usize>, usize)> {
    let shape: Vec<usize> = dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
    let bytes = shape.iter().try_fold(dtype.size(), |n, d| n.checked_mul(*d))?;
    (bytes <= capacity).then_some((shape, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_within_the_memory_that_was_asked_for() {
        assert_eq!(extent(&[2, 5], DType::I64, 100), Some((vec![2, 5], 80)));
        assert_eq!(extent(&[2, 0], DType::I64, 1), Some((vec![2, 0], 0)));
        assert_eq!(extent(&[], DType::F32, 4), Some((vec![], 4)));
        for dims in [&[2, 7][..], &[2, -1], &[i64::MAX, 4]] {
            assert_eq!(extent(dims, DType::I64, 100), None, "{dims:?}");
        }
    }
}
