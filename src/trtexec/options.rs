//! Sorts the options of trtexec that somebody wrote: which it builds with, which it runs with, and which cannot be. Pure.
//!
//! Names are those of the program's own help, from 8.5 to 11.4. What is not listed is an option of the build: where a
//! version does not know it, trtexec says so itself.

use super::version::{Refused, TrtexecVersion};

/// When an option is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrtexecPhase {
    /// While the engine is built.
    Build,
    /// While it is measured.
    Run,
}

/// Options that leave the engine as it is and change how it is run, so that they are part of what is asked: the share
/// of the GPU (11.4), which weights are on it, persisting L2 lines, memory of activations and of bindings.
const RUN: [&str; 5] = [
    "--greenContext",
    "--weightStreamingBudget",
    "--persistentCacheRatio",
    "--allocationStrategy",
    "--useManagedMemory",
];
/// Options without which an engine that was built with them does not load.
const BOTH: [&str; 7] = [
    "--plugins",
    "--staticPlugins",
    "--dynamicPlugins",
    "--useDLACore",
    "--dlaWorkspaceAllocationStrategy",
    "--tempdir",
    "--tempfileControls",
];
/// Options that are gone in 11.0.
const PRECISION: [&str; 10] = [
    "--fp16",
    "--bf16",
    "--int8",
    "--fp8",
    "--int4",
    "--best",
    "--calib",
    "--precisionConstraints",
    "--layerPrecisions",
    "--layerOutputTypes",
];
/// Options that this tool sets itself: if one were given twice, one of the two would be lost in silence.
const OURS: [&str; 33] = [
    "--onnx",
    "--saveEngine",
    "--loadEngine",
    "--skipInference",
    "--buildOnly",
    "--device",
    "--shapes",
    "--minShapes",
    "--optShapes",
    "--maxShapes",
    "--profile",
    "--useProfile",
    "--exportTimes",
    "--exportProfile",
    "--streams",
    "--infStreams",
    "--iterations",
    "--duration",
    "--warmUp",
    "--sleepTime",
    "--idleTime",
    "--exposeDMA",
    "--noDataTransfers",
    "--includeDataTransfers",
    "--useSpinWait",
    "--noSpinWait",
    "--useCudaGraph",
    "--noCudaGraph",
    "--loadInputs",
    "--dumpProfile",
    "--separateProfileRun",
    "--threads",
    "--help",
];
/// Options that copy outputs back or look at them while it measures.
const OUTPUTS: [&str; 11] = [
    "--loadRefOutputs",
    "--refPair",
    "--accuracyAlgorithm",
    "--accuracyThreshold",
    "--atol",
    "--rtol",
    "--saveDebugTensors",
    "--saveAllDebugTensors",
    "--dumpOutput",
    "--exportOutput",
    "--dumpRawBindingsToFile",
];
/// Options of the tuner (11.1), which forks a trtexec for each engine that it tries.
const TUNER: [&str; 10] = [
    "--tuneBuildRoutes",
    "--tuneBuildRouteFile",
    "--tuningSearch",
    "--tuningCacheFile",
    "--tuningTimeOut",
    "--tuningResultFile",
    "--saveAllEngines",
    "--continue",
    "--dryRun",
    "--helpBuildRoute",
];
/// What the tuner found.
const ROUTE: &str = "--setBuildRoute";
/// Options of safety engines and standalone loadables, by their names before and since they were renamed in 11.x.
const SAFETY: [&str; 15] = [
    "--safe",
    "--restricted",
    "--safetyPlugins",
    "--remoteAutoTuningConfig",
    "--remoteConfig",
    "--cpuOnly",
    "--monitorMemory",
    "--dumpKernelText",
    "--dumpCheckerBlob",
    "--loadCheckerBlob",
    "--reference",
    "--consistency",
    "--saveEngineSo",
    "--loadEngineSo",
    "--buildDLAStandalone",
];
/// Options with which it ends before it measures.
const ENDS: [&str; 2] = ["--getPlanVersionOnly", "--timeDeserialize"];

/// The options among `args` that it is run with, sorted, because their order changes nothing: part of what is asked.
pub fn run_options(args: &[String]) -> Vec<&str> {
    let mut options: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| RUN.contains(&name(arg))).collect();
    options.sort_unstable();
    options
}

/// The options among `args` that are passed in a phase, as they were written.
pub fn options_for(phase: TrtexecPhase, args: &[String]) -> Vec<&str> {
    let passed =
        |arg: &&str| BOTH.contains(&name(arg)) || RUN.contains(&name(arg)) == (phase == TrtexecPhase::Run);
    args.iter().map(String::as_str).filter(passed).collect()
}

fn name(arg: &str) -> &str {
    arg.split('=').next().unwrap_or(arg)
}

impl TrtexecVersion {
    /// Checks options that somebody wrote; the error says what to do instead.
    pub fn check_options(self, args: &[String]) -> Result<(), Refused> {
        args.iter().try_for_each(|arg| self.check_option(arg))
    }

    fn check_option(self, arg: &str) -> Result<(), Refused> {
        let name = name(arg);
        let refuse = |what: String, next: &str| Err(Refused { what, next: next.into() });
        let holds = |why: &str| format!("build.trtexec-args holds `{name}`, which {why}");
        if !name.starts_with("--") {
            return refuse(
                format!("build.trtexec-args holds `{arg}`, which is no option of trtexec"),
                "write one option an item, with its value: [\"--fp16\", \"--memPoolSize=workspace:1024\"]",
            );
        }
        if OURS.contains(&name) {
            return refuse(
                holds("this tool sets itself"),
                "use its settings: shapes, streams, in-flight, transfers, wait, cuda-graph, warm-up, measure, device",
            );
        }
        if OUTPUTS.contains(&name) {
            return refuse(
                holds("makes trtexec look at outputs while it measures"),
                "take it out: the settings expect, rtol and atol of this tool compare outputs before and after",
            );
        }
        if TUNER.contains(&name) {
            return refuse(
                holds("tries many engines in processes of its own"),
                "run the tuner by hand, and build with the route it found: [\"--setBuildRoute=…\"]",
            );
        }
        if SAFETY.contains(&name) {
            return refuse(
                holds("makes or needs an engine that trtexec does not measure here"),
                "measure a standard engine, or measure on the target by hand and `cargo trt-perf import trtexec`",
            );
        }
        if ENDS.contains(&name) {
            return refuse(holds("ends trtexec before it measures"), "take it out");
        }
        if name == ROUTE && (self.major, self.minor) < (11, 1) {
            return refuse(
                format!("trtexec {self} has no {name}: it came with 11.1"),
                "use TensorRT 11.1 or later",
            );
        }
        if self.flipped() && PRECISION.contains(&name) {
            return refuse(
                format!("trtexec {self} has no {name}: since 11.0 the types in the model decide"),
                "take it out and convert the model (NVIDIA ModelOpt AutoCast), or use TensorRT 10",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(major: u32, minor: u32, arg: &str) -> Option<String> {
        let version = TrtexecVersion { major, minor, patch: 0 };
        version.check_options(&[arg.to_owned()]).err().map(|r| r.what)
    }

    #[test]
    fn options_that_cannot_be_are_refused_with_the_reason() {
        for (minor, arg) in [
            (0, "--memPoolSize=workspace:64"),
            (1, "--setBuildRoute=-kgen:tiling=1"),
            (4, "--greenContext=sm:64"),
        ] {
            assert_eq!(refused(11, minor, arg), None, "{arg}");
        }
        assert_eq!(refused(10, 0, "--fp16"), None);
        for (minor, arg, says) in [
            (0, "--fp16", "has no --fp16"),
            (0, "--layerPrecisions=*:fp16", "has no --layerPrecisions"),
            (0, "--setBuildRoute=-a=1", "came with 11.1"),
            (1, "--duration=3", "sets itself"),
            (1, "fp16", "no option"),
            (1, "--tuneBuildRoutes=-a=[1|2]", "many engines"),
            (2, "--accuracyAlgorithm=cos", "look at outputs"),
            (2, "--dumpOutput", "look at outputs"),
            (3, "--remoteAutoTuningConfig=ssh://x", "does not measure here"),
            (4, "--remoteConfig=ssh://x", "does not measure here"),
            (4, "--dumpCheckerBlob", "does not measure here"),
            (4, "--getPlanVersionOnly", "before it measures"),
        ] {
            assert!(refused(11, minor, arg).is_some_and(|why| why.contains(says)), "{arg}");
        }
    }

    #[test]
    fn each_option_is_passed_where_it_matters() {
        let args = ["--fp16", "--useDLACore=0", "--weightStreamingBudget=50%", "--greenContext=sm:64"]
            .map(String::from);
        assert_eq!(options_for(TrtexecPhase::Build, &args), ["--fp16", "--useDLACore=0"]);
        assert_eq!(
            options_for(TrtexecPhase::Run, &args),
            ["--useDLACore=0", "--weightStreamingBudget=50%", "--greenContext=sm:64"]
        );
        assert_eq!(run_options(&args), ["--greenContext=sm:64", "--weightStreamingBudget=50%"]);
        assert_eq!(run_options(&["Precision: FP16".to_owned()]), Vec::<&str>::new());
    }
}
