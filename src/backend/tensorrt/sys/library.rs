//! An opened TensorRT library: its release, its logger, and the functions it exports by name.
//!
//! To open a native library is to run its code, so only workers do it.

use super::abi::{Family, LibraryVersion, ObjectPointer, Release, Text};
use super::callbacks::{Logged, Logger};
use super::search::{LibraryCandidate, LibrarySearch, Surroundings, search};
use crate::error::{Failure, FailureKind, Result};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// `create…_INTERNAL(logger, version)`.
type Create = unsafe extern "C" fn(ObjectPointer, i32) -> ObjectPointer;
/// `createNvOnnxParser_INTERNAL(network, logger, version)`.
type CreateParser = unsafe extern "C" fn(ObjectPointer, ObjectPointer, i32) -> ObjectPointer;
/// `initLibNvInferPlugins(logger, namespace)`.
type InitPlugins = unsafe extern "C" fn(ObjectPointer, Text) -> bool;
type VersionFunction = unsafe extern "C" fn() -> i32;

/// The functions a library exports by name.
#[derive(Clone, Copy, Default)]
pub struct Exports {
    /// Makes a builder; a lean runtime has none.
    pub builder: Option<Create>,
    /// Makes a runtime.
    pub runtime: Option<Create>,
    /// With the parser's own version.
    pub parser: Option<(CreateParser, i32)>,
}

/// The opened library. Everything it makes holds it, so that its code stays in memory.
pub struct Api {
    /// What was opened.
    pub release: Release,
    /// Where it is.
    pub path: PathBuf,
    exports: Exports,
    logger: Logger,
    /// What was logged and stopped nothing.
    warnings: Mutex<Vec<String>>,
    /// Never closed: what a library registered for the end of a thread would run when it is gone.
    _libraries: ManuallyDrop<Vec<Library>>,
}

/// What the library is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To build engines, which a lean runtime cannot do.
    Build,
    /// A lean runtime will do.
    Run,
}

/// More warnings than this are not read.
const WARNINGS_KEPT: usize = 20;

/// Opens the library in `asked`, or the first one found.
pub fn open(asked: Option<&Path>, need: Need) -> Result<Arc<Api>> {
    let search = look(asked);
    let usable = search.candidates.iter().find(|c| need == Need::Run || !c.kind.lean);
    match usable {
        Some(candidate) => open_candidate(candidate, asked.is_some()),
        None => {
            let lean = search.first(asked)?;
            Err(Failure::usage(format!(
                "{} is a lean runtime, which cannot build engines, and nothing else was found",
                lean.path().display()
            ))
            .next("install the full TensorRT, or TensorRT-RTX, and name its folder with --tensorrt DIR"))
        }
    }
}

/// Every place that is looked at for `asked`.
pub fn look(asked: Option<&Path>) -> LibrarySearch {
    search(asked, &Surroundings::here(by_name))
}

/// Opens one library, and its parser from the same place. `named`: somebody said where it is.
pub fn open_candidate(candidate: &LibraryCandidate, named: bool) -> Result<Arc<Api>> {
    let path = candidate.path();
    let library = load(&path)?;
    let version = version(&library, &path)?;
    let release = Release { family: candidate.kind.family, version, lean: candidate.kind.lean };
    supported(&release, &path)?;
    if release.is_test_library() && !named {
        return Err(Failure::usage(format!(
            "{} is the {release}, which computes nothing; it is never used unless its folder is named",
            path.display()
        ))
        .next("take it away from there and install TensorRT; or, to test this tool, name its folder with --tensorrt DIR"));
    }
    let mut exports = Exports {
        builder: symbol(&library, "createInferBuilder_INTERNAL"),
        runtime: symbol(&library, "createInferRuntime_INTERNAL"),
        parser: None,
    };
    let mut libraries = vec![library];
    // A parser of another place could be of another version.
    let parser = candidate.kind.parser.map(|file| path.parent().unwrap_or(Path::new("")).join(file));
    if let Some(parser) = parser
        && (candidate.folder.is_none() || parser.is_file())
    {
        let library = load(&parser)?;
        // SAFETY: the function takes nothing and returns an int.
        let version = symbol::<VersionFunction>(&library, "getNvOnnxParserVersion").map(|f| unsafe { f() });
        exports.parser = symbol(&library, "createNvOnnxParser_INTERNAL").zip(version);
        libraries.push(library);
    }
    let path = mapped(candidate.kind.file).unwrap_or(path);
    Ok(Arc::new(Api::new(release, path, exports, libraries)))
}

impl Api {
    /// `libraries` are those that `exports` come from.
    pub fn new(release: Release, path: PathBuf, exports: Exports, libraries: Vec<Library>) -> Self {
        Self {
            release,
            path,
            exports,
            logger: Logger::new(release.family),
            warnings: Mutex::default(),
            _libraries: ManuallyDrop::new(libraries),
        }
    }

    /// The family whose tables it has.
    pub fn family(&self) -> Family {
        self.release.family
    }

    /// Whether there is an ONNX parser beside it.
    pub fn can_parse(&self) -> bool {
        self.exports.parser.is_some()
    }

    /// A failure with what the library logged since the last one.
    pub fn failed(&self, kind: FailureKind, what: &str) -> Failure {
        let errors = self.errors();
        let said = if errors.is_empty() { String::new() } else { format!(": {}", errors.join(" / ")) };
        let lower = said.to_lowercase();
        let whole = format!("{}: {what}{said}", self.release);
        // As CUDA says it, and as TensorRT's own code for it is called.
        if lower.contains("out of memory") || lower.contains("outofmemory") {
            return Failure::gpu_out_of_memory(whole);
        }
        let failure = Failure::new(kind, whole);
        if lower.contains("cuda") && !crate::backend::cuda::driver_present() {
            return failure.next(
                "there is no CUDA driver (libcuda) here; use a machine with an NVIDIA GPU and its driver",
            );
        }
        failure.next(
            "see with `cargo trt-perf doctor` which library says that; try another with --tensorrt DIR, or other options",
        )
    }

    /// The errors that were logged since the last look; the warnings are kept.
    pub fn errors(&self) -> Vec<String> {
        let (errors, warnings): (Vec<Logged>, Vec<Logged>) = self.logged().into_iter().partition(|l| l.error);
        warnings.into_iter().for_each(|w| self.keep(w.text));
        errors.into_iter().map(|l| l.text).collect()
    }

    /// Everything that was logged since the last look, without the noise.
    pub fn logged(&self) -> Vec<Logged> {
        let mut logged = self.logger.take();
        logged.iter_mut().for_each(|l| l.text = without_noise(&l.text));
        logged.retain(|l| !l.text.is_empty());
        logged
    }

    /// Keeps a warning for [`Self::warnings`].
    pub fn keep(&self, warning: String) {
        let mut all = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&warning) && all.len() < WARNINGS_KEPT {
            all.push(warning);
        }
    }

    /// Warnings since the library was opened.
    pub fn warnings(&self) -> Vec<String> {
        self.errors();
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A failure with what the library logged, where it did not accept what it was told.
    pub fn ensure_accepted(&self, accepted: bool, what: &str) -> Result<()> {
        if accepted { Ok(()) } else { Err(self.failed(FailureKind::Measure, what)) }
    }

    /// Has a library register its plugins itself: TensorRT's own library of them does, and a registry cannot load it.
    /// Whether it did; `None`: it is none that does, or cannot be opened, of which the registry tells more.
    pub fn init_plugins(self: &Arc<Self>, path: &Path) -> Option<bool> {
        // Never closed: what is registered is its code.
        let library = ManuallyDrop::new(load(path).ok()?);
        let init: InitPlugins = symbol(&library, "initLibNvInferPlugins")?;
        // It keeps the logger, so this lives as long as the process.
        std::mem::forget(Arc::clone(self));
        // SAFETY: the logger has the table of this family and lives on; the namespace is a text.
        Some(unsafe { init(self.logger.pointer(), c"".as_ptr()) })
    }

    pub(super) fn new_builder(&self) -> Result<ObjectPointer> {
        self.create(self.exports.builder, "builder")
    }

    pub(super) fn new_runtime(&self) -> Result<ObjectPointer> {
        self.create(self.exports.runtime, "runtime")
    }

    /// # Safety
    /// `network` is a live network of this library.
    pub(super) unsafe fn new_parser(&self, network: ObjectPointer) -> Result<ObjectPointer> {
        let Some((create, version)) = self.exports.parser else {
            return Err(Failure::new(
                FailureKind::Build,
                format!("there is no ONNX parser beside {}", self.path.display()),
            )
            .next("install it too (libnvonnxparser, or libtensorrt_onnxparser_rtx), in the same folder"));
        };
        // SAFETY: the caller's promise; the logger lives as long as the library, and the version is the parser's own.
        Ok(unsafe { create(network, self.logger.pointer(), version) })
    }

    fn create(&self, create: Option<Create>, what: &str) -> Result<ObjectPointer> {
        let Some(create) = create else {
            return Err(Failure::new(FailureKind::Build, format!("{} has no {what}", self.path.display())));
        };
        let v = self.release.version;
        let version = i32::try_from(v.major * 10_000 + v.minor * 100 + v.patch).unwrap_or(0);
        // SAFETY: the logger has the table of this family and lives as long as the library; the version is its own.
        Ok(unsafe { create(self.logger.pointer(), version) })
    }
}

/// A message without the lines that TensorRT adds to every error where there is no driver, and to some messages where
/// no build is going on.
pub fn without_noise(message: &str) -> String {
    let noise = |line: &str| {
        line.contains("checkMacros.cpp::catchCudaError")
            || line.starts_with("Thread context has not been set!")
    };
    message.lines().filter(|l| !noise(l)).collect::<Vec<_>>().join(" ")
}

/// Whether this release's tables are known.
fn supported(release: &Release, path: &Path) -> Result<()> {
    let ((major, first), _) = release.family.releases();
    if release.version.major == major && release.version.minor >= first {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is {release}, which does not work here; {} do",
        path.display(),
        Family::supported()
    ))
    .next("install one of those, and name its folder with --tensorrt DIR"))
}

fn load(path: &Path) -> Result<Library> {
    // SAFETY: opening runs the library's initialisers. We are in a worker, whose end is only a message.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| {
        let text = e.to_string();
        Failure::new(FailureKind::Build, format!("{} cannot be opened: {text}", path.display()))
            .next("check that it is whole, for this kind of processor, and that the libraries it names are installed")
    })
}

fn symbol<F: Copy>(library: &Library, name: &str) -> Option<F> {
    // SAFETY: NVIDIA's headers declare these C functions with the signatures of the types they are read into; the
    // pointers are only used while the library is held.
    unsafe { library.get::<F>(name.as_bytes()) }.ok().map(|s| *s)
}

/// The version that the library says it has.
fn version(library: &Library, path: &Path) -> Result<LibraryVersion> {
    let number = |name| {
        // SAFETY: the function takes nothing and returns an int.
        symbol::<VersionFunction>(library, name).map(|f| unsafe { f() }).and_then(|n| u32::try_from(n).ok())
    };
    let whole = number("getInferLibVersion").ok_or_else(|| {
        Failure::new(
            FailureKind::Build,
            format!("{} does not tell its version; it is no TensorRT", path.display()),
        )
    })?;
    // Before version 10 a thousand stood for the major version.
    let (major, rest) =
        if whole < 10_000 { (whole / 1000, whole % 1000) } else { (whole / 10_000, whole % 10_000) };
    Ok(LibraryVersion {
        major: number("getInferLibMajorVersion").unwrap_or(major),
        minor: number("getInferLibMinorVersion").unwrap_or(rest / 100),
        patch: number("getInferLibPatchVersion").unwrap_or(rest % 100),
        build: number("getInferLibBuildVersion").unwrap_or(0),
    })
}

/// Opens by name, leaves it open, and says where it was found.
fn by_name(file: &str) -> Option<PathBuf> {
    let library = load(Path::new(file)).ok()?;
    // It is about to be used; closing and opening it again would run its initialisers twice.
    std::mem::forget(library);
    mapped(file)
}

/// Where a library in this process's memory came from.
fn mapped(file: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let paths = maps.lines().filter_map(|l| l.find('/').map(|at| Path::new(l.get(at..).unwrap_or(""))));
    // `libnvinfer.so.10` is a link to `libnvinfer.so.10.3.0`.
    let names = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(file));
    paths.into_iter().find(|p| names(p)).map(Path::to_owned)
}
