//! Reads and writes the calibration of a device: `<device-key>/calibration.json` beside its records.
//!
//! A newer calibration replaces it, unlike a record, because it describes the machine as it is and not a commit. Its
//! name cannot be that of a record, so listing and pruning skip it.

use super::file;
use crate::calibration::{Calibration, wire};
use crate::error::{Failure, FailureKind, Result};
use crate::record::wire::document::CALIBRATION;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE: &str = "calibration.json";

/// The calibration of a device below `dir` (`baselines/`); `None` where there is none. What cannot be read, or
/// belongs to another device, is an error that names the file.
pub fn load_calibration(dir: &Path, device_key: &str) -> Result<Option<Calibration>> {
    let path = dir.join(device_key).join(FILE);
    let Some(calibration) = file::open_if_there(&path, &CALIBRATION, wire::read)? else { return Ok(None) };
    if calibration.device.key != device_key {
        let key = &calibration.device.key;
        let what = format!("{} is a calibration of {key}, in the folder of another device", path.display());
        return Err(Failure::new(FailureKind::Format, what).next(CALIBRATION.damaged));
    }
    Ok(Some(calibration))
}

/// The calibrations below `dir`, readable or not, by device key.
pub fn calibration_files(dir: &Path) -> BTreeMap<String, PathBuf> {
    let devices = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let of_device = |device: std::fs::DirEntry| {
        let path = device.path().join(FILE);
        path.is_file().then_some((device.file_name().into_string().ok()?, path))
    };
    devices.filter_map(of_device).collect()
}

/// Writes the calibration of its device below `dir`, in place of an older one, and returns its path. It gets its id.
pub fn save_calibration(dir: &Path, calibration: &mut Calibration) -> Result<PathBuf> {
    let text = wire::write(calibration);
    CALIBRATION.ensure_storable(&text)?;
    let path = dir.join(&calibration.device.key).join(FILE);
    file::write(&path, &CALIBRATION, &text, true)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Store;
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
        assert!(store.sizes().unwrap().records.is_empty());
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
