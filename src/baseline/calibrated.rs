//! The calibration of a device: `<device-key>/calibration.json` beside its records, one for each device.
//!
//! Unlike a record it is replaced by a newer one: it describes the machine as it is, not a commit. Its name can
//! never be that of a record, so listing and pruning pass it by.

use super::{MAX_BYTES, write_file};
use crate::calibration::{Calibration, wire};
use crate::error::{Failure, FailureKind, Result};
use std::path::{Path, PathBuf};

const FILE: &str = "calibration.json";

/// The calibration of a device below `dir` (`baselines/`); `None` where there is none. What cannot be read, or
/// belongs to another device, is an error that names the file.
pub fn load_calibration(dir: &Path, device_key: &str) -> Result<Option<Calibration>> {
    let path = dir.join(device_key).join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Failure::new(
                FailureKind::Format,
                format!("{} is not text, so it is no calibration", path.display()),
            ));
        }
        Err(e) => return Err(Failure::io("read the calibration", &path, &e)),
    };
    let named = |f: Failure| Failure { message: format!("{} {}", path.display(), f.message), ..f };
    let calibration = wire::read(&text).map_err(named)?;
    if calibration.device.key != device_key {
        let what = format!("is a calibration of {}, in the folder of another device", calibration.device.key);
        return Err(named(Failure::new(FailureKind::Format, what).next(wire::ANEW)));
    }
    Ok(Some(calibration))
}

/// Writes the calibration of its device below `dir`, in place of an older one, and returns its path. It gets its id.
pub fn save_calibration(dir: &Path, calibration: &mut Calibration) -> Result<PathBuf> {
    let text = wire::write(calibration);
    if text.len() > MAX_BYTES {
        return Err(Failure::new(
            FailureKind::Format,
            format!(
                "this calibration has {} bytes; the largest that may be stored has {MAX_BYTES}",
                text.len()
            ),
        )
        .next("calibrate fewer cases: `cargo trt-perf calibrate FILTER`"));
    }
    let path = dir.join(&calibration.device.key).join(FILE);
    write_file("write the calibration", &path, &text, true)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{Store, prunable};
    use crate::calibration::tests::example;

    #[test]
    fn it_is_stored_replaced_and_never_taken_for_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = example();
        assert_eq!(load_calibration(dir.path(), &first.device.key), Ok(None));
        let path = save_calibration(dir.path(), &mut first).unwrap();
        let stored = || load_calibration(dir.path(), "cpu-example-2c").unwrap().unwrap();
        assert_eq!((stored().id, stored().cases.len()), (first.id.clone(), 3));
        let mut second = Calibration { created_s: first.created_s + 86_400, ..first.clone() };
        assert_eq!(save_calibration(dir.path(), &mut second).unwrap(), path);
        assert_ne!(first.id, second.id);
        assert_eq!((stored().id, stored().created_s), (second.id, second.created_s));
        let store = Store::new(dir.path().to_owned());
        assert_eq!(store.list(), Ok(vec![]));
        assert_eq!(prunable(&store, 0), Ok(vec![]));
        assert!(path.is_file());
    }

    #[test]
    fn a_calibration_of_another_device_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = save_calibration(dir.path(), &mut example()).unwrap();
        let other = dir.path().join("cpu-other-1c");
        std::fs::create_dir(&other).unwrap();
        std::fs::rename(path, other.join(FILE)).unwrap();
        let error = load_calibration(dir.path(), "cpu-other-1c").unwrap_err().to_string();
        assert!(error.contains("calibration.json is a calibration of cpu-example-2c"), "{error}");
    }
}
