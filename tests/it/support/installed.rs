//! The test library (`tests/testlib/`) installed as a release of TensorRT, and what it wrote down of the calls it got.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A release that the library can pass for, of each family.
pub const RELEASES: [&str; 3] = ["libnvinfer.so.10.13.3", "libnvinfer.so.11.4.0", "libtensorrt_rtx.so.1.7.1"];

/// The library's file: `TRT_PERF_TESTLIB`, or where cargo puts examples.
fn built() -> PathBuf {
    if let Some(path) = std::env::var_os("TRT_PERF_TESTLIB") {
        return path.into();
    }
    let exe = std::env::current_exe().expect("the path of this test");
    let profile = exe.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let path = profile.join("examples/libtrt_perf_testlib.so");
    assert!(path.is_file(), "{} is not there: cargo build --example trt_perf_testlib", path.display());
    path
}

/// A folder with the library under the names that a release has, and the list of its calls.
pub struct Installed {
    dir: TempDir,
}

impl Installed {
    /// `file`: the whole name, such as `libnvinfer.so.10.13.3`.
    pub fn new(file: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let lib = dir.path().join("lib");
        fs::create_dir(&lib).expect("a folder");
        // It is large; a second name costs nothing, where both are on one file system.
        if fs::hard_link(built(), lib.join(file)).is_err() {
            fs::copy(built(), lib.join(file)).expect("a copy of the test library");
        }
        let parser = match file.split_once(".so.") {
            Some(("libtensorrt_rtx", _)) => "libtensorrt_onnxparser_rtx",
            _ => "libnvonnxparser",
        };
        let (stem, version) = file.split_once(".so.").expect("a library's name");
        let major = version.split('.').next().expect("a major version");
        for name in [stem, parser] {
            symlink(file, lib.join(format!("{name}.so.{major}"))).expect("a link");
        }
        Self { dir }
    }

    /// What `--tensorrt` names.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("lib")
    }

    /// The library in the place of the driver too: two GPUs that do nothing. Only where there is no driver, which would be
    /// found first.
    pub fn with_driver(&self, command: &mut Command) {
        let lib = self.folder();
        symlink("libnvinfer.so.10", lib.join("libcuda.so.1")).expect("a link");
        command.env("LD_LIBRARY_PATH", lib);
    }

    /// Tells the library, through the program's environment, what goes wrong (nothing, where it is empty).
    pub fn tell(&self, command: &mut Command, fault: &str) {
        command
            .env("TRT_PERF_TESTLIB_FAULT", fault)
            .env("TRT_PERF_TESTLIB_CALLS", self.dir.path().join("calls"));
    }

    /// The calls so far.
    pub fn calls(&self) -> Calls {
        let text = fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default();
        let call = |line: &str| {
            let (process, call) = line.split_once(' ').expect("a process and a call");
            (process.parse().expect("a process id"), call.to_owned())
        };
        Calls(text.lines().map(call).collect())
    }
}

/// Process and call, in order.
#[derive(Debug)]
pub struct Calls(pub Vec<(u32, String)>);

impl Calls {
    /// Calls of one kind of object without its number, such as `setFlag(6)` of `config`.
    pub fn of(&self, class: &str) -> Vec<&str> {
        let start = format!("{class}#");
        let calls = self.0.iter().filter_map(|(_, call)| call.strip_prefix(&start)?.split_once(' '));
        calls.map(|(_, call)| call).collect()
    }

    pub fn has(&self, call: &str) -> bool {
        // Names of classes have spaces, and so have arguments.
        self.0.iter().any(|(_, c)| c == call || c.strip_suffix(call).is_some_and(|c| c.ends_with(' ')))
    }

    /// Nothing was misused: the library says so itself.
    #[track_caller]
    pub fn check(&self) -> &Self {
        let misused: Vec<_> = self.0.iter().filter(|(_, call)| call.contains("VIOLATION")).collect();
        assert!(misused.is_empty(), "{misused:#?}\n{self:#?}");
        self
    }

    /// The same, and everything that was made was deleted once, after the last call on it. Only for processes that
    /// came to their own end.
    #[track_caller]
    pub fn check_lifecycle(&self) -> &Self {
        self.check();
        let mut alive: BTreeMap<(u32, &str), usize> = BTreeMap::new();
        for (at, (process, call)) in self.0.iter().enumerate() {
            let Some((object, call)) = call.rsplit_once(' ').filter(|(object, _)| object.contains('#'))
            else {
                continue;
            };
            match call {
                "+" => assert!(alive.insert((*process, object), at).is_none(), "{object} is made twice"),
                "-" => assert!(alive.remove(&(*process, object)).is_some(), "{object} is deleted twice"),
                _ => {}
            }
        }
        assert!(!self.0.is_empty(), "nothing was called");
        assert!(alive.is_empty(), "never deleted: {alive:#?}\n{self:#?}");
        self
    }
}
