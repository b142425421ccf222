//! Finds which trtexec it is, and gives the arguments that this version takes for what is asked. Pure.
//!
//! What changed, as NVIDIA's migration guides and the program's own help say it:
//! - 8.6: `--skipInference` in place of `--buildOnly`, `--infStreams` in place of `--streams`; the warm-up is no longer
//!   exported.
//! - 11.0: no transfers, CUDA graph and spinning are the default; the options that turned them on do nothing and
//!   `--includeDataTransfers`, `--noCudaGraph` and `--noSpinWait` turn them round. Precision options are gone, because
//!   all networks are strongly typed.
//!
//! So every setting is passed in the words of the version, whatever its default is.

use super::RunSettings;
use std::fmt;

/// A version of TensorRT, as its trtexec says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrtexecVersion {
    /// The 8 of 8.6.1.
    pub major: u32,
    /// The 6 of 8.6.1.
    pub minor: u32,
    /// The 1 of 8.6.1.
    pub patch: u32,
}

/// What a version cannot do: what, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is refused.
    pub what: String,
    /// The next step for the reader.
    pub next: String,
}

/// The oldest version whose options these are.
const OLDEST: TrtexecVersion = TrtexecVersion { major: 8, minor: 5, patch: 0 };
/// The newest major version whose options are known.
const NEWEST_MAJOR: u32 = 11;
/// Whether the banner is that of TensorRT-RTX's own program, which counts its versions from 1.
pub(super) fn is_rtx(text: &str) -> bool {
    text.contains("&&&& RUNNING TensorRT-RTX")
}

impl TrtexecVersion {
    /// Finds the version in the banner (`[TensorRT v8601]`, `[TensorRT v101300]`), or from `TensorRT version: 8.6.1`.
    pub fn find(text: &str) -> Option<Self> {
        let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
        if let Some(rest) = after("[TensorRT v") {
            return Self::of_number(rest.split(']').next()?.trim().parse().ok()?, is_rtx(text));
        }
        let rest = after("TensorRT version: ")?;
        let word = rest.split_whitespace().next()?;
        let mut parts = word.split('.').map(|p| p.parse::<u32>().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Self { major, minor, patch: parts.next().flatten().unwrap_or(0) })
    }

    /// `NV_TENSORRT_VERSION`: thousands of the major version before 10, ten thousands since, and in TensorRT-RTX.
    fn of_number(n: u32, rtx: bool) -> Option<Self> {
        let (major, minor) =
            if rtx || n >= 100_000 { (n / 10_000, n / 100 % 100) } else { (n / 1000, n / 100 % 10) };
        (n >= 1000).then_some(Self { major, minor, patch: n % 100 })
    }

    /// Whether its options are known.
    pub fn check(self) -> Result<(), Refused> {
        if self >= OLDEST && self.major <= NEWEST_MAJOR {
            return Ok(());
        }
        Err(Refused {
            what: format!(
                "this is trtexec {self}; this tool knows the options of {OLDEST} to {NEWEST_MAJOR}.x"
            ),
            next: "install one of those, or name it with TRT_PERF_TRTEXEC=/path/to/trtexec".into(),
        })
    }

    /// Whether the defaults of 11.0 hold.
    pub(super) fn flipped(self) -> bool {
        self.major >= 11
    }

    /// The option that ends the program when the engine is built.
    pub fn build_only(self) -> &'static str {
        if (self.major, self.minor) >= (8, 6) { "--skipInference" } else { "--buildOnly" }
    }

    /// The arguments for a run with these settings; durations in nanoseconds.
    pub fn run_args(self, run: &RunSettings, measure_ns: u64) -> Vec<String> {
        let streams = if (self.major, self.minor) >= (8, 6) { "--infStreams" } else { "--streams" };
        let mut args = vec![
            format!("{streams}={}", run.streams),
            format!("--warmUp={}", run.warm_up_ms),
            format!("--duration={}", measure_ns as f64 / 1e9),
            // As many as this tool does at least, however slow the model.
            "--iterations=10".into(),
            "--sleepTime=0".into(),
            "--idleTime=0".into(),
        ];
        let mut flag = |on: bool, name: &str| {
            if on {
                args.push(name.to_owned());
            }
        };
        flag(!run.overlap, "--exposeDMA");
        if self.flipped() {
            flag(run.transfers, "--includeDataTransfers");
            flag(!run.spin, "--noSpinWait");
            flag(!run.cuda_graph, "--noCudaGraph");
        } else {
            flag(!run.transfers, "--noDataTransfers");
            flag(run.spin, "--useSpinWait");
            flag(run.cuda_graph, "--useCudaGraph");
        }
        args
    }
}

impl fmt::Display for TrtexecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(major: u32, minor: u32, patch: u32) -> TrtexecVersion {
        TrtexecVersion { major, minor, patch }
    }

    #[test]
    fn versions_as_banners_and_logs_give_them() {
        for (text, expected) in [
            ("&&&& RUNNING TensorRT.trtexec [TensorRT v8501] # trtexec --help", Some(v(8, 5, 1))),
            ("&&&& RUNNING TensorRT.trtexec [TensorRT v8601]", Some(v(8, 6, 1))),
            ("[TensorRT v9300] [b1]", Some(v(9, 3, 0))),
            ("&&&& RUNNING TensorRT.trtexec [TensorRT v101303] [b9] # trtexec", Some(v(10, 13, 3))),
            ("[TensorRT v110000]", Some(v(11, 0, 0))),
            ("[I] TensorRT version: 10.3.0", Some(v(10, 3, 0))),
            ("[I] TensorRT version: 8.5", Some(v(8, 5, 0))),
            (
                "&&&& RUNNING TensorRT-RTX.tensorrt_rtx [TensorRT v10601] [b120] # tensorrt_rtx",
                Some(v(1, 6, 1)),
            ),
            ("[TensorRT vx]", None),
            ("[TensorRT v12]", None),
            ("[TensorRT v99999999999]", None),
            ("TensorRT version: soon", None),
            ("bash: trtexec: command not found", None),
        ] {
            assert_eq!(TrtexecVersion::find(text), expected, "{text}");
        }
    }

    #[test]
    fn only_known_versions_are_driven() {
        for (version, known) in [
            (v(1, 6, 1), false),
            (v(8, 4, 3), false),
            (v(8, 5, 0), true),
            (v(10, 16, 1), true),
            (v(11, 5, 0), true),
            (v(12, 0, 0), false),
        ] {
            assert_eq!(version.check().is_ok(), known, "{version}");
        }
    }

    #[test]
    fn every_setting_is_said_in_the_words_of_the_version() {
        let run = RunSettings {
            streams: 2,
            overlap: true,
            spin: true,
            warm_up_ms: 200.0,
            ..RunSettings::default()
        };
        let args =
            |version: TrtexecVersion, run: &RunSettings| version.run_args(run, 1_500_000_000).join(" ");
        let old = args(v(8, 5, 3), &run);
        assert!(old.starts_with("--streams=2 --warmUp=200 --duration=1.5 "), "{old}");
        assert!(old.ends_with("--noDataTransfers --useSpinWait"), "{old}");
        let new = args(v(11, 0, 0), &run);
        assert!(new.contains("--infStreams=2") && new.ends_with("--noCudaGraph"), "{new}");
        let other = RunSettings { transfers: true, cuda_graph: true, spin: false, overlap: false, ..run };
        assert!(args(v(10, 3, 0), &other).ends_with("--exposeDMA --useCudaGraph"));
        assert!(args(v(11, 2, 0), &other).ends_with("--exposeDMA --includeDataTransfers --noSpinWait"));
        assert_eq!((v(8, 5, 3).build_only(), v(8, 6, 0).build_only()), ("--buildOnly", "--skipInference"));
    }
}
