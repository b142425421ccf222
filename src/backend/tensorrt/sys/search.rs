//! Searches for TensorRT's libraries: the places to look at, in order, and what each of them has.
//!
//! It looks at file names only. The one exception is the system loader's own search, which can be asked only by opening
//! the library.

use super::abi::Family;
use crate::backend::Looked;
use crate::error::{Failure, Result};
use std::path::{Path, PathBuf};

/// A library we know how to call, by its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryKind {
    /// Whose tables it has.
    pub family: Family,
    /// Whether it is a lean runtime, which cannot build.
    pub lean: bool,
    /// The name of its file.
    pub file: &'static str,
    /// Makes networks from ONNX; none beside a lean runtime.
    pub parser: Option<&'static str>,
}

/// In the order in which they are taken from one place.
pub const KINDS: [LibraryKind; 5] = [
    LibraryKind {
        family: Family::Trt11,
        lean: false,
        file: "libnvinfer.so.11",
        parser: Some("libnvonnxparser.so.11"),
    },
    LibraryKind {
        family: Family::Trt10,
        lean: false,
        file: "libnvinfer.so.10",
        parser: Some("libnvonnxparser.so.10"),
    },
    LibraryKind {
        family: Family::Rtx1,
        lean: false,
        file: "libtensorrt_rtx.so.1",
        parser: Some("libtensorrt_onnxparser_rtx.so.1"),
    },
    LibraryKind { family: Family::Trt11, lean: true, file: "libnvinfer_lean.so.11", parser: None },
    LibraryKind { family: Family::Trt10, lean: true, file: "libnvinfer_lean.so.10", parser: None },
];
/// Files of libraries of any version.
const NAMES: [(&str, &str); 3] = [
    ("libnvinfer.so.", "TensorRT"),
    ("libtensorrt_rtx.so.", "TensorRT-RTX"),
    ("libnvinfer_lean.so.", "the TensorRT lean runtime"),
];
/// Folders of NVIDIA's Python packages.
const PACKAGES: [&str; 3] = ["tensorrt_libs", "tensorrt_rtx_libs", "tensorrt_lean_libs"];

/// A library that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryCandidate {
    /// Which library it is.
    pub kind: LibraryKind,
    /// `None`: by name, through the loader's own search.
    pub folder: Option<PathBuf>,
}

impl LibraryCandidate {
    /// What `dlopen` is given.
    pub fn path(&self) -> PathBuf {
        self.folder.as_deref().map_or_else(|| self.kind.file.into(), |f| f.join(self.kind.file))
    }
}

/// What a search came to.
#[derive(Debug, Default)]
pub struct LibrarySearch {
    /// Every place, in order.
    pub looked: Vec<Looked>,
    /// In order of preference.
    pub candidates: Vec<LibraryCandidate>,
    /// Libraries of versions that do not work.
    pub refused: Vec<String>,
}

/// Everything the search depends on beside the file system, so that tests can say it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// `VIRTUAL_ENV` and `CONDA_PREFIX`, and the folder above that of the first python3 on the path.
    pub python: Vec<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// Before absolute paths; `/` but in tests.
    pub root: PathBuf,
    /// Opens a library by name through the loader's own search, and says where it was found.
    pub loader: Option<fn(&str) -> Option<PathBuf>>,
}

impl Surroundings {
    /// The surroundings of this process.
    pub fn here(loader: fn(&str) -> Option<PathBuf>) -> Self {
        let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let mut python: Vec<PathBuf> =
            ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable).collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let python3 = std::env::split_paths(&path).map(|d| d.join("python3")).find(|p| p.is_file());
        python.extend(python3.and_then(|p| Some(p.parent()?.parent()?.to_owned())));
        python.dedup();
        Self { python, home: variable("HOME"), root: "/".into(), loader: Some(loader) }
    }
}

/// Looks in `asked` alone, where it is given; otherwise everywhere.
pub fn search(asked: Option<&Path>, around: &Surroundings) -> LibrarySearch {
    let mut search = LibrarySearch::default();
    if let Some(asked) = asked {
        // A file in the folder is as good a name for it.
        let folder = if asked.is_file() { asked.parent().unwrap_or(asked) } else { asked };
        let below = ["", "lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"].map(PathBuf::from);
        for below in below.into_iter().chain(PACKAGES.map(PathBuf::from)) {
            let place = if below.as_os_str().is_empty() { folder.to_owned() } else { folder.join(&below) };
            if place.is_dir() || below.as_os_str().is_empty() {
                search.folder(&place);
            }
        }
        return search;
    }
    search.loader(around.loader);
    for prefix in &around.python {
        search.python(&prefix.join("lib"));
    }
    if let Some(home) = &around.home {
        search.python(&home.join(".local/lib"));
    }
    let root = &around.root;
    for folder in ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"] {
        search.folder(&root.join(folder));
    }
    let mut opt: Vec<PathBuf> = entries(&root.join("opt"))
        .into_iter()
        .filter(|name| name.to_lowercase().starts_with("tensorrt"))
        .map(|name| root.join("opt").join(name).join("lib"))
        .collect();
    // The newest first, by name.
    opt.sort();
    opt.reverse();
    opt.iter().for_each(|folder| search.folder(folder));
    search.folder(&root.join("usr/local/tensorrt/lib"));
    search
}

impl LibrarySearch {
    /// The failure where nothing can be opened.
    pub fn nothing(&self, asked: Option<&Path>) -> Failure {
        let place = asked.map_or_else(|| "on this machine".to_owned(), |p| format!("in {}", p.display()));
        let works = Family::supported();
        if self.refused.is_empty() {
            let next = "install TensorRT, or `pip install tensorrt-rtx-cu13-libs`; name its folder with --tensorrt DIR. \
                        `cargo trt-perf doctor` lists the places that are looked at";
            return Failure::usage(format!("there is no TensorRT library {place}")).next(next);
        }
        Failure::usage(format!(
            "no TensorRT library {place} has a version that works here: {}; {works} do",
            self.refused.join(", ")
        ))
        .next("install one of those, and name its folder with --tensorrt DIR")
    }

    /// The first candidate, or the failure.
    pub fn first(&self, asked: Option<&Path>) -> Result<&LibraryCandidate> {
        self.candidates.first().ok_or_else(|| self.nothing(asked))
    }

    fn folder(&mut self, folder: &Path) {
        let names = entries(folder);
        let mut found = Vec::new();
        for kind in KINDS.into_iter().filter(|k| names.iter().any(|n| n == k.file)) {
            found.push(kind.file.to_owned());
            self.candidates.push(LibraryCandidate { kind, folder: Some(folder.to_owned()) });
        }
        for name in &names {
            let other =
                NAMES.into_iter().find_map(|(start, product)| Some((name.strip_prefix(start)?, product)));
            // `libnvinfer.so.10.3.0` is what `libnvinfer.so.10` points to.
            if let Some((version, product)) = other
                && !version.contains('.')
                && !KINDS.iter().any(|k| k.file == name)
            {
                found.push(format!("{name}, which is too {}", age(product, version)));
                self.refused.push(format!("{product} {version} ({})", folder.join(name).display()));
            }
        }
        let found = match (found.is_empty(), folder.is_dir()) {
            (false, _) => found.join(", "),
            (true, true) => "no TensorRT library".to_owned(),
            (true, false) => "no such folder".to_owned(),
        };
        self.looked.push(Looked { place: folder.display().to_string(), found });
    }

    fn loader(&mut self, open: Option<fn(&str) -> Option<PathBuf>>) {
        let Some(open) = open else { return };
        // One is enough: each that is opened stays in memory.
        let found = KINDS.into_iter().find_map(|kind| Some((kind, open(kind.file)?)));
        if let Some((kind, _)) = &found {
            self.candidates.push(LibraryCandidate { kind: *kind, folder: None });
        }
        let found =
            found.map_or_else(|| "no TensorRT library".to_owned(), |(_, path)| path.display().to_string());
        self.looked
            .push(Looked { place: "the loader's own search (LD_LIBRARY_PATH, ld.so)".to_owned(), found });
    }

    /// `lib/python3.*/site-packages` (Debian: `dist-packages`).
    fn python(&mut self, lib: &Path) {
        let mut versions: Vec<String> =
            entries(lib).into_iter().filter(|n| n.starts_with("python3")).collect();
        versions.sort();
        for version in versions {
            for packages in ["site-packages", "dist-packages"].map(|p| lib.join(&version).join(p)) {
                let folders = PACKAGES.map(|name| packages.join(name));
                let there: Vec<&PathBuf> = folders.iter().filter(|f| f.is_dir()).collect();
                there.iter().for_each(|folder| self.folder(folder));
                if there.is_empty() && packages.is_dir() {
                    let found = format!("none of {}", PACKAGES.join(", "));
                    self.looked.push(Looked { place: packages.display().to_string(), found });
                }
            }
        }
    }
}

fn age(product: &str, version: &str) -> &'static str {
    let newest = if product == "TensorRT-RTX" { 1 } else { 11 };
    if version.parse::<u32>().is_ok_and(|v| v > newest) { "new" } else { "old" }
}

/// The names in a folder; none where there is no such folder.
fn entries(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .map(|all| all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default()
}
