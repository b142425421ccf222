//! Lets only one session run at a time: per target folder, whose files two sessions would mix up, and per GPU (or
//! lane), whose numbers they would disturb.

use super::lanes::Lane;
use super::{Event, Events};
use crate::cache::keep_newest;
use crate::config::Folders;
use crate::device::Device;
use crate::error::{Failure, Result};
use crate::worker::check_interrupt;
use std::collections::BTreeSet;
use std::fs::{DirEntry, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Sessions whose raw samples, events of memory or profiles are kept.
const KEPT_SAMPLES: usize = 50;

/// Of these sizes together the newest engines are kept, beside those that the last session used.
const KEPT_ENGINES: u64 = 10 << 30;
/// File systems tell the time of a change less exactly than clocks do.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Held until it is dropped.
pub(super) struct Lock {
    engines: PathBuf,
    since: SystemTime,
    _target: File,
    _devices: Vec<File>,
}

/// At the end, when it is known which engines a session used: those would have to be built again next time.
impl Drop for Lock {
    fn drop(&mut self) {
        keep_newest(&self.engines, KEPT_ENGINES, self.since.checked_sub(CLOCK_SLACK));
    }
}

/// Waits until no other session has the folder or one of the devices.
pub(super) fn lock(folders: &Folders, device: &Device, lanes: &[Lane], events: Events) -> Result<Lock> {
    let _target = lock_target(folders, events)?;
    let (engines, since) = (folders.engines(), SystemTime::now());
    tidy(folders);
    let devices = places(device, lanes);
    let _devices = devices.iter().map(|path| acquire(path, path, events)).collect::<Result<_>>()?;
    Ok(Lock { engines, since, _target, _devices })
}

/// Waits until no session has the folder. One process may hold it once only: it would wait for itself.
pub(super) fn lock_target(folders: &Folders, events: Events) -> Result<File> {
    let target = folders.target();
    std::fs::create_dir_all(target).map_err(|e| Failure::io("create the folder", target, &e))?;
    if let Some(path) = folders.ignore_file().filter(|path| !path.exists()) {
        std::fs::write(&path, "*\n").map_err(|e| Failure::io("write", &path, &e))?;
    }
    acquire(&folders.lock(), target, events)
}

/// The files that stand for the devices, for all users and projects of this machine. In one order for all sessions, so that
/// no two wait for each other; each once, as several instances of one GPU are one.
fn places(device: &Device, lanes: &[Lane]) -> BTreeSet<PathBuf> {
    let alone = device.measured_gpu.as_ref().filter(|_| lanes.is_empty()).map(|gpu| (&gpu.key, gpu.index));
    let side_by_side = lanes.iter().map(|lane| match &lane.gpu {
        Some(gpu) => (&gpu.key, gpu.index),
        None => (&device.key, lane.number),
    });
    let path = |(key, index)| std::env::temp_dir().join(format!("cargo-trt-perf-{key}-{index}.lock"));
    alone.into_iter().chain(side_by_side).map(path).collect()
}

/// Locks the file at `path`; says once that it waits, naming `shown`.
fn acquire(path: &Path, shown: &Path, events: Events) -> Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = File::options();
    options.write(true).custom_flags(flags);
    let mut file = options.clone().create_new(true).open(path).and_then(|file| {
        // Whatever our umask: to lock it, other users must be able to read it.
        file.set_permissions(Permissions::from_mode(0o644)).map(|()| file)
    });
    if file.as_ref().is_err_and(|e| e.kind() == ErrorKind::AlreadyExists) {
        file = options.open(path);
    }
    if file.as_ref().is_err_and(|e| e.kind() == ErrorKind::PermissionDenied) {
        // Another user's file: to lock it, reading is enough.
        file = File::options().read(true).custom_flags(flags).open(path);
    }
    let file = file.map_err(|e| Failure::io("open the lock", path, &e))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                if !said {
                    events(Event::Waiting { folder: shown });
                    said = true;
                }
                check_interrupt()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(Failure::io("lock", path, &e)),
        }
    }
}

/// Removes what killed sessions left half-written, and the samples, events and profiles of old sessions. Only whoever
/// holds the lock may, and only names that a session gives.
fn tidy(folders: &Folders) {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = |entry: &DirEntry, fits: fn(&str) -> bool| entry.file_name().to_str().is_some_and(fits);
    let leftover = |e: &DirEntry| named(e, |n| n.starts_with(".tmp")) && e.path().is_file();
    for leftover in entries(&folders.engines()).filter(leftover) {
        // Only space is lost where this fails; the same below.
        let _ = std::fs::remove_file(leftover.path());
    }
    let session = |e: &DirEntry| named(e, is_session) && e.file_type().is_ok_and(|t| t.is_dir());
    for folder in [folders.samples(), folders.memory(), folders.profiles()] {
        let mut sessions: Vec<_> = entries(&folder)
            .filter(session)
            .map(|e| (e.metadata().and_then(|m| m.modified()).ok(), e.path()))
            .collect();
        sessions.sort();
        for (_, old) in sessions.iter().take(sessions.len().saturating_sub(KEPT_SAMPLES)) {
            let _ = std::fs::remove_dir_all(old);
        }
    }
}

/// As [`Folders::samples_since`] and its like name what is of one session.
fn is_session(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.split_once('-').is_some_and(|(time, process)| number(time) && number(process))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::touch;
    use crate::device::Gpu;
    use crate::units::hex;

    #[test]
    fn old_engines_beyond_a_limit_go_when_a_session_ends_and_those_that_it_used_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::below(dir.path().to_owned());
        std::fs::create_dir(folders.engines()).unwrap();
        let engine = |n: u8| folders.engines().join(format!("{}.engine", hex([n; 32])));
        for n in 1..=4 {
            let file = File::create(engine(n)).unwrap();
            file.set_len(KEPT_ENGINES / 2 + u64::from(n)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(n))).unwrap();
        }
        let session = || lock(&folders, &Device::with_gpus(vec![]), &[], &|_| {}).unwrap();
        let left = || [1, 2, 3, 4].map(|n| engine(n).exists());
        let held = session();
        [1, 2].iter().for_each(|n| touch(&engine(*n)));
        assert_eq!(left(), [true; 4], "whatever they take while the session runs");
        drop(held);
        assert_eq!(left(), [true, true, false, true]);
    }

    #[test]
    fn two_sessions_on_one_gpu_wait_for_each_other_and_on_two_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let on = |index| {
            let gpu =
                Gpu::without_nvml(index, "lock test", u64::from(std::process::id()) << 30, "9.0".into());
            Device::with_gpus(vec![]).on_gpu(gpu)
        };
        let below = |name: &str| Folders::below(dir.path().join(name));
        let held = lock(&below("a"), &on(0), &[], &|_| {}).unwrap();
        drop(lock(&below("b"), &on(1), &[], &|_| panic!("another GPU")).unwrap());
        let waits = std::thread::scope(|scope| {
            let (said, heard) = std::sync::mpsc::channel();
            let other = below("b");
            let device = on(0);
            scope.spawn(move || lock(&other, &device, &[], &|_| said.send(()).unwrap()).map(drop).unwrap());
            // The other thread can only go on once this one was told that it waits.
            let waits = heard.recv().is_ok();
            drop(held);
            waits
        });
        assert!(waits);
    }

    #[test]
    fn lanes_lock_each_device_once_and_in_the_order_of_all_sessions() {
        let lane = |number, index| {
            let gpu = Gpu::without_nvml(index, "lanes", 80 << 30, "9.0".into());
            Lane { number, gpu: Some(gpu) }
        };
        let names = |lanes: &[Lane]| -> Vec<String> {
            let places = places(&Device::with_gpus(vec![]), lanes).into_iter();
            places.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
        };
        let both = ["cargo-trt-perf-gpu-lanes-80g-0.lock", "cargo-trt-perf-gpu-lanes-80g-1.lock"];
        assert_eq!(names(&[lane(0, 0), lane(1, 1)]), both);
        assert_eq!(names(&[lane(1, 1), lane(0, 0)]), both, "no two sessions wait for each other");
        assert_eq!(names(&[lane(0, 1), lane(1, 1)]), both[1..], "two instances of one GPU");
        let program = names(&[Lane { number: 7, gpu: None }]);
        assert!(program.len() == 1 && program[0].ends_with("-7.lock"), "{program:?}");
    }
}
