//! Array files (`.npy`): ours survive, and any others are read or refused.

use proptest::prelude::*;
use std::fs;
use trt_perf::tensor::{parse_npy, read_npy, read_samples, write_samples};

#[test]
fn an_array_of_no_known_type_is_refused() {
    for kind in ["é4", "", "<", ">f4", "O", "<f3"] {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (), }}\n");
        let bytes =
            [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
        assert_eq!(parse_npy(&bytes), Err(format!("its element type `{kind}` is not supported")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_survive_being_written_and_read(samples in prop::collection::vec(any::<u64>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.npy");
        write_samples(&path, &samples).unwrap();
        prop_assert_eq!(read_samples(&path).unwrap(), samples);
        // Whatever is cut off is missed.
        let bytes = fs::read(&path).unwrap();
        let cut = bytes.len() - 1;
        prop_assert!(parse_npy(&bytes[..cut]).is_err());
        prop_assert!(read_npy(&path).is_ok());
    }

    #[test]
    fn arrays_of_any_bytes_are_read_or_refused(
        version in 0_u8..5,
        header in prop_oneof![".{0,120}".boxed(), array_header().boxed()],
        length in prop_oneof![Just(None), any::<u32>().prop_map(Some)],
        data in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        let length = length.unwrap_or(header.len() as u32);
        if version == 1 {
            bytes.extend((length as u16).to_le_bytes());
        } else {
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend(header.as_bytes());
        bytes.extend(&data);
        if let Ok(tensor) = parse_npy(&bytes) {
            prop_assert_eq!(tensor.values().count(), tensor.shape.iter().product::<usize>());
        }
        prop_assert!(parse_npy(&data).is_err());
    }
}

/// The dictionary of an array file, with any numbers in its shape.
fn array_header() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec![
        "<f4", "<f2", "|b1", "|u1", "<i8", "<u8", ">f4", "<f8", "O", "<", "é4", "",
    ]);
    let dims = prop::collection::vec(prop_oneof![0..6_u64, any::<u64>()], 0..4);
    (kinds, dims, any::<bool>()).prop_map(|(kind, dims, order)| {
        let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
        let order = if order { "False" } else { "True" };
        format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({}), }}\n", dims.join(", "))
    })
}
