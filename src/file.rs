//! The bytes of one file that somebody else may have made: regular, of a bearable size, read without waiting.
//!
//! Whoever reads says what the file should be, how large it may be, and what to do where it is something else.
//!
//! Invariant: a pipe, a device, a folder or a file that is too large is an error that names it, before anything is read.

use crate::error::{Failure, FailureKind, Result};
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// What a file should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// As in messages: `model`.
    pub noun: &'static str,
    /// Bytes that it may have at most.
    pub most: u64,
    /// The next step where it is something else.
    pub next: &'static str,
    /// Whether the path may be a symbolic link.
    pub links: bool,
    /// Whether somebody names it: where it is not there, that is a mistake in what was asked.
    pub named: bool,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A message of protobuf, which a model is, has at most 2 GiB.
pub const MODEL: Expected = named("model", 2 * GIB, "name an .onnx file, or a workload's .toml file");
/// Of the backend that measures the harness.
pub const WORKLOAD: Expected = named("workload", MIB, "name a .toml file such as: duration = \"20us\"");
/// Weights that a model keeps beside itself.
pub const WEIGHTS: Expected =
    named("external weights", 64 * GIB, "put the weights beside the model, as regular files");
/// What the build phase makes.
pub const ENGINE: Expected = made("engine", 64 * GIB, "delete it; the next run builds it again");
/// What TensorRT's builder makes, as somebody else kept it.
pub const PLAN: Expected =
    named("plan", 64 * GIB, "name a plan, as `trtexec --saveEngine=model.plan` writes it");
/// What a library compiled for an engine while it loaded it.
pub const KERNELS: Expected = made("file of kernels", 4 * GIB, "delete it; the next run compiles them again");
/// Inputs, expected outputs, samples.
pub const NPY: Expected = named(".npy file", 16 * GIB, "name a file that numpy.save() wrote");
/// Recorded times of arrival, for an open loop.
pub const ARRIVALS: Expected = named("file of arrivals", 256 * MIB, "name a text file with a time a line");
/// A library with TensorRT's plugins.
pub const PLUGIN: Expected = named("plugin", 4 * GIB, "name a shared library, such as libplugins.so");
/// What TensorRT's builder remembers of earlier builds.
pub const TIMING_CACHE: Expected = named("timing cache", 4 * GIB, "name another file, or none");
/// What the layers of an engine took.
pub const LAYERS: Expected = Expected {
    noun: "file of layer times",
    most: GIB,
    next: "measure them again: cargo trt-perf layers",
    links: false,
    named: false,
};
/// What `import trtexec` reads.
pub const EXPORT: Expected = named("export of trtexec", GIB, "name a file that trtexec wrote");
/// What `memory` writes.
pub const MEMORY: Expected = named(
    "memory record",
    64 * MIB,
    "name a memory.json below target/trt-perf/memory/, or measure again: cargo trt-perf memory",
);
/// What `nsys export --type=sqlite` writes.
pub const NSYS_EXPORT: Expected = named(
    "export of Nsight Systems",
    4 * GIB,
    "name what `nsys export --type=sqlite REPORT.nsys-rep` writes",
);
/// A package's manifest.
pub const MANIFEST: Expected = made("Cargo.toml", 16 * MIB, "restore it from git");
/// The configuration of a project without Cargo.
pub const OWN_MANIFEST: Expected = made("trt-perf.toml", 16 * MIB, "restore it from git");
/// Why GitHub runs a job.
pub const CI_EVENT: Expected = made("CI event", 32 * MIB, "name the base yourself, with --base");
/// A `.gitignore`.
pub const IGNORED: Expected = made("list of ignored files", MIB, "make it a regular file");

/// A file that the user, or the configuration, names.
const fn named(noun: &'static str, most: u64, next: &'static str) -> Expected {
    Expected { noun, most, next, links: true, named: true }
}

/// A file that nobody names: an earlier phase made it, or it has its place.
const fn made(noun: &'static str, most: u64, next: &'static str) -> Expected {
    Expected { named: false, ..named(noun, most, next) }
}

/// All bytes of the file at `path`.
pub fn read(path: &Path, expected: &Expected) -> Result<Vec<u8>> {
    bytes(path, expected).map_err(|why| why.failure(path, expected))
}

/// The same; `None` where there is no such file.
pub fn read_if_there(path: &Path, expected: &Expected) -> Result<Option<Vec<u8>>> {
    match bytes(path, expected) {
        Err(Unread::Io(e)) if e.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(|why| why.failure(path, expected)),
    }
}

/// At most `most` bytes of the file's end; `None` where it cannot be read, or is not what it should be.
pub fn tail(path: &Path, expected: &Expected, most: u64) -> Option<Vec<u8>> {
    let (mut file, size) = open(path, expected).ok()?;
    file.seek(SeekFrom::Start(size.saturating_sub(most))).ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The file at `path` as text.
pub fn text(path: &Path, expected: &Expected) -> Result<String> {
    let bytes = read(path, expected)?;
    String::from_utf8(bytes).map_err(|_| not(path, "is not text", expected))
}

/// Says that a file is not what it should be, and why.
pub fn not(path: &Path, why: &str, expected: &Expected) -> Failure {
    let what = format!("{} {why}, so it is no {}", path.display(), expected.noun);
    Failure::new(FailureKind::Format, what).next(expected.next)
}

/// How a pointer of Git LFS begins, which stands in a large file's place until Git LFS fetches that.
pub const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1";

/// Why a file was not read.
enum Unread {
    LfsPointer,
    Io(Error),
    Is(&'static str),
    TooLarge,
}

impl Unread {
    fn failure(self, path: &Path, expected: &Expected) -> Failure {
        match self {
            Self::LfsPointer => {
                let what = format!(
                    "{} is a pointer of Git LFS, and not the {} itself",
                    path.display(),
                    expected.noun
                );
                Failure::new(FailureKind::Format, what).next("fetch it: git lfs pull")
            }
            Self::Io(e) if expected.named && e.kind() == ErrorKind::NotFound => {
                let what = format!("there is no {} {}", expected.noun, path.display());
                Failure::usage(what).next(expected.next)
            }
            Self::Io(e) => Failure::io(&format!("read the {}", expected.noun), path, &e),
            Self::Is(what) => not(path, &format!("is {what}"), expected),
            Self::TooLarge => not(path, &format!("has more than {} bytes", expected.most), expected),
        }
    }
}

fn bytes(path: &Path, expected: &Expected) -> Result<Vec<u8>, Unread> {
    let (file, size) = open(path, expected)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX)).map_err(|_| {
        Unread::Io(Error::new(ErrorKind::OutOfMemory, format!("there is no memory for its {size} bytes")))
    })?;
    // It may grow while it is read.
    file.take(expected.most + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > expected.most {
        Err(Unread::TooLarge)
    } else if bytes.starts_with(LFS_POINTER.as_bytes()) {
        Err(Unread::LfsPointer)
    } else {
        Ok(bytes)
    }
}

/// The open file and its size.
fn open(path: &Path, expected: &Expected) -> Result<(File, u64), Unread> {
    // To open a pipe would wait for whoever writes into it, and some devices act when they are opened.
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, !expected.links);
    let opened = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) if path.is_symlink() && !expected.links => {
            return Err(Unread::Is("a symbolic link"));
        }
        // What a socket says.
        Err(rustix::io::Errno::NXIO) => return Err(Unread::Is("a socket")),
        opened => opened.map_err(|e| Unread::Io(e.into()))?,
    };
    let stat = rustix::fs::fstat(&opened).map_err(|e| Unread::Io(e.into()))?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if size > expected.most => Err(Unread::TooLarge),
        FileType::RegularFile => Ok((opened.into(), size)),
        FileType::Directory => Err(Unread::Is("a folder")),
        FileType::Fifo => Err(Unread::Is("a named pipe")),
        FileType::Socket => Err(Unread::Is("a socket")),
        _ => Err(Unread::Is("a device")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const NOTES: Expected = Expected {
        noun: "list of notes",
        most: 256 << 10,
        next: "write another",
        links: false,
        named: false,
    };

    #[test]
    fn only_regular_files_of_a_bearable_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("good"), "text").unwrap();
        symlink(at("good"), at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        let linked = Expected { links: true, ..NOTES };
        assert_eq!(read(&at("good"), &NOTES).unwrap(), b"text");
        assert_eq!(text(&at("link"), &linked).unwrap(), "text");
        assert_eq!(read_if_there(&at("none"), &NOTES), Ok(None));
        for (name, expected, why) in [
            ("link", NOTES, "is a symbolic link"),
            ("zero", NOTES, "is a symbolic link"),
            ("zero", linked, "is a device"),
            ("folder", NOTES, "is a folder"),
            ("pipe", NOTES, "is a named pipe"),
            ("socket", NOTES, "is a socket"),
            ("sparse", NOTES, "has more than 262144 bytes"),
        ] {
            let error = read(&at(name), &expected).unwrap_err();
            let said = format!("{} {why}, so it is no list of notes", at(name).display());
            assert_eq!((error.message, &*error.next), (said, "write another"));
            assert!(read_if_there(&at(name), &expected).is_err(), "{name}");
        }
        assert!(read(&at("none"), &NOTES).unwrap_err().message.contains("No such file"));
    }

    #[test]
    fn a_pointer_of_git_lfs_is_named_with_the_way_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.onnx");
        std::fs::write(&path, format!("{LFS_POINTER}\noid sha256:{}\nsize 5\n", "0".repeat(64))).unwrap();
        let error = read(&path, &MODEL).unwrap_err();
        assert!(
            error.message.ends_with("m.onnx is a pointer of Git LFS, and not the model itself"),
            "{error}"
        );
        assert_eq!(error.next, "fetch it: git lfs pull");
    }
}
