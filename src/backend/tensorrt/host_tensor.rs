//! An input that TensorRT reads in host memory: one whose values decide shapes.

/// Host memory of a tensor, aligned for every element type. A raw pointer, because a box that is moved is the only way to
/// its memory, and the library keeps the address.
pub(super) struct HostTensor {
    /// Its memory.
    pub words: *mut [u128],
}

// SAFETY: the memory is owned by this alone, and only the library reads it.
unsafe impl Send for HostTensor {}

impl HostTensor {
    /// A copy of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            u128::from_ne_bytes(word)
        };
        Self { words: Box::into_raw(bytes.chunks(16).map(word).collect()) }
    }
}

impl Drop for HostTensor {
    fn drop(&mut self) {
        // SAFETY: made from a box in `new`, and freed only here.
        drop(unsafe { Box::from_raw(self.words) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_tensor_is_aligned_and_stays_where_it_is() {
        let bytes: Vec<u8> = (0..20).collect();
        let tensor = HostTensor::new(&bytes);
        let address = tensor.words.cast::<u8>();
        assert!(address.addr().is_multiple_of(16));
        let moved = std::convert::identity([tensor]);
        assert_eq!(moved[0].words.cast::<u8>(), address);
        // SAFETY: two words of sixteen bytes were allocated.
        assert_eq!(unsafe { std::slice::from_raw_parts(address, 20) }, bytes);
    }
}
