//! The command lines of Nsight Systems (`nsys`) and Nsight Compute (`ncu`) around a worker.
//!
//! Options changed their names over the years. Which a version has is what its own help says, so no list of versions can
//! be wrong about one that came later.

use super::kernels::{DOMAIN, REQUESTS};
use std::path::Path;

/// Which profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfilerTool {
    /// Nsight Systems: when each kernel ran.
    Nsys,
    /// Nsight Compute: how well each kernel used the GPU.
    Ncu,
}

impl ProfilerTool {
    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Nsys => "nsys",
            Self::Ncu => "ncu",
        }
    }

    /// The variable that names it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Nsys => "NSYS",
            Self::Ncu => "NCU",
        }
    }

    /// The package that has it, in NVIDIA's repositories for Debian, Ubuntu and RHEL.
    pub fn package(self) -> &'static str {
        match self {
            Self::Nsys => "nsight-systems-cli",
            Self::Ncu => "nsight-compute",
        }
    }

    /// Folders that packages put it in; `*` is any version.
    pub fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Nsys => &[
                "/opt/nvidia/nsight-systems-cli/*/bin",
                "/opt/nvidia/nsight-systems/*/bin",
                "/usr/local/cuda/bin",
            ],
            Self::Ncu => &["/opt/nvidia/nsight-compute/*", "/usr/local/cuda/bin"],
        }
    }

    /// How its reports' names end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Nsys => "nsys-rep",
            Self::Ncu => "ncu-rep",
        }
    }
}

/// What TensorRT marks with NVTX in each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NvtxDetail {
    /// Nothing.
    None,
    /// Each layer, as the engine was built to tell of it: by its name, unless the configuration says otherwise.
    #[default]
    Layers,
    /// Each layer with its inputs, outputs and tactic.
    Detailed,
}

/// What is profiled.
#[derive(Clone, Debug)]
pub struct Profiled<'a> {
    /// The worker's command line.
    pub worker: [String; 4],
    /// Whether it runs on a GPU.
    pub gpu: bool,
    /// Whether it launches CUDA graphs.
    pub cuda_graph: bool,
    /// Whether it runs on a deep learning accelerator (DLA).
    pub dla: bool,
    /// Whether the GPU's own counters are sampled; only after asking whether that is allowed.
    pub gpu_metrics: bool,
    /// The name of the session, by which it can be ended from outside.
    pub session: &'a str,
    /// The report, without the end of its name.
    pub report: &'a Path,
}

/// How this nsys wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nsys {
    /// `None`: it has no such option.
    gpu_metrics: Option<&'static str>,
    /// What traces a DLA: a name for `--trace`, or an option of its own.
    accelerators: Option<Accelerators>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accelerators {
    Trace(&'static str),
    Option(&'static str),
}

impl Nsys {
    /// By what `nsys profile --help` prints. Says what is missing where it is too old.
    pub fn of(help: &str) -> Result<Self, String> {
        if !help.contains("--capture-range-end") {
            return Err("has no --capture-range-end, so it would end the worker behind its requests".into());
        }
        let first = |options: &[&'static str]| options.iter().copied().find(|option| help.contains(option));
        let accelerators = match first(&["tegra-accelerators", "nvmedia"]) {
            Some(word) if !help.contains("--accelerator-trace") => Some(Accelerators::Trace(word)),
            Some("nvmedia") => Some(Accelerators::Option("--accelerator-trace=nvmedia")),
            Some(_) => Some(Accelerators::Option("--accelerator-trace=tegra-accelerators")),
            None => None,
        };
        Ok(Self { gpu_metrics: first(&["--gpu-metrics-devices", "--gpu-metrics-device"]), accelerators })
    }

    /// Asks whether the GPU's counters may be sampled; `None` where this version cannot.
    pub fn ask_gpu_metrics(self) -> Option<Vec<String>> {
        Some(vec!["profile".into(), format!("{}=help", self.gpu_metrics?)])
    }

    /// Whether it traces a DLA.
    pub fn traces_dla(self) -> bool {
        self.accelerators.is_some()
    }

    /// Records the worker's requests and nothing else.
    pub fn command(self, what: &Profiled) -> Vec<String> {
        let mut trace = if what.gpu { "cuda,nvtx".to_owned() } else { "nvtx".to_owned() };
        let mut options = Vec::new();
        match self.accelerators.filter(|_| what.dla) {
            Some(Accelerators::Trace(name)) => trace = format!("{trace},{name}"),
            Some(Accelerators::Option(option)) => options.push(option.to_owned()),
            None => {}
        }
        if what.gpu {
            options.push("--capture-range=cudaProfilerApi".into());
        } else {
            options.push("--capture-range=nvtx".into());
            options.push(format!("--nvtx-capture={REQUESTS}@{DOMAIN}"));
            // Otherwise only names count that were registered before.
            options.push("--env-var=NSYS_NVTX_PROFILER_REGISTER_ONLY=0".into());
        }
        // What it does otherwise is to end the program.
        options.push("--capture-range-end=stop".into());
        if what.cuda_graph {
            options.push("--cuda-graph-trace=node".into());
        }
        options.extend(self.gpu_metrics.filter(|_| what.gpu_metrics).map(|option| format!("{option}=all")));
        let first = [
            "profile".into(),
            format!("--session-new={}", what.session),
            format!("--trace={trace}"),
            // What the host's threads do is not what is asked, and costs the most.
            "--sample=none".into(),
            "--cpuctxsw=none".into(),
        ];
        let last = ["--force-overwrite=true".into(), format!("--output={}", literally(what.report))];
        first.into_iter().chain(options).chain(last).chain(what.worker.iter().cloned()).collect()
    }

    /// Turns a report into a SQLite file.
    pub fn export(report: &Path, to: &Path) -> Vec<String> {
        vec![
            "export".into(),
            "--type=sqlite".into(),
            "--force-overwrite=true".into(),
            format!("--output={}", to.display()),
            report.display().to_string(),
        ]
    }

    /// Ends a session with all its processes, some of which no longer belong to the one that was started.
    pub fn shut_down(session: &str) -> Vec<String> {
        vec!["shutdown".into(), "--kill=sigkill".into(), format!("--session={session}")]
    }
}

/// Whether what nsys answered to [`Nsys::ask_gpu_metrics`] allows it; otherwise why not.
pub fn gpu_metrics_allowed(answer: &str) -> Result<(), String> {
    let refusal = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["privilege", "permission", "not available", "not supported", "err_nvgpuctrperm"]
            .iter()
            .any(|word| line.contains(word))
    };
    match answer.lines().find(refusal) {
        Some(line) => Err(line.trim().to_owned()),
        None if answer.trim().is_empty() => Err("nsys did not answer".into()),
        None => Ok(()),
    }
}

/// A path in which nothing stands for something else: both tools replace what follows a percent sign.
fn literally(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// Nsight Compute's arguments: the same requests, each kernel by itself.
pub fn ncu_command(what: &Profiled) -> Vec<String> {
    let options = [
        "--profile-from-start=off".into(),
        "--graph-profiling=node".into(),
        // Clocks stay as they are when the case is measured.
        "--clock-control=none".into(),
        "--nvtx".into(),
        "--force-overwrite".into(),
        format!("--export={}", literally(what.report)),
    ];
    options.into_iter().chain(what.worker.iter().cloned()).collect()
}

/// What a profiler and its worker keep of the environment: a report holds all of it, so nothing that may be secret.
const KEPT: [&str; 9] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "XDG_CACHE_HOME",
];
/// The same for all whose names begin so.
const KEPT_PREFIXES: [&str; 2] = ["CUDA_", "TRT_PERF_"];

/// The variables that are kept.
pub fn environment(all: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let kept =
        |name: &str| KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let mut kept: Vec<_> = all.into_iter().filter(|(name, _)| kept(name)).collect();
    kept.sort();
    kept
}

/// A command as a shell takes it, in its environment.
pub fn quoted(environment: &[(String, String)], words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,:@+%".contains(c);
    let quote = |word: &str| match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    let variables = environment.iter().map(|(name, value)| quote(&format!("{name}={value}")));
    let all = ["env".to_owned(), "-i".to_owned()].into_iter().chain(variables);
    all.chain(words.iter().map(|word| quote(word))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2023.4.4 on x86-64 prints it, in part.
    const HELP_2023_4: &str = "\t--capture-range-end=\n\t--gpu-metrics-device=\n\t--nvtx-capture=\n";
    const HELP_2025_1: &str = "\t--capture-range-end=\n\t--gpu-metrics-devices=\n";
    const TEGRA_OLD: &str = "\t--capture-range-end=\n\t--gpu-metrics-device=\n\t-t, --trace=\n\t'nvmedia'\n";
    const TEGRA_NEW: &str = "\t--capture-range-end=\n\t--accelerator-trace=\n\t'none', 'tegra-accelerators'\n\t--gpu-metrics-devices=\n";

    fn command(help: &str, change: impl FnOnce(&mut Profiled)) -> String {
        let mut what = Profiled {
            worker: ["/bin/trt-perf", "__worker", "job", "reply"].map(str::to_owned),
            gpu: true,
            cuda_graph: false,
            dla: false,
            gpu_metrics: false,
            session: "s1",
            report: Path::new("/r/x"),
        };
        change(&mut what);
        Nsys::of(help).unwrap().command(&what).join(" ")
    }

    #[test]
    fn only_the_requests_are_recorded_and_the_program_goes_on() {
        assert_eq!(
            command(HELP_2023_4, |_| {}),
            "profile --session-new=s1 --trace=cuda,nvtx --sample=none --cpuctxsw=none \
             --capture-range=cudaProfilerApi --capture-range-end=stop --force-overwrite=true --output=/r/x \
             /bin/trt-perf __worker job reply"
        );
        let cpu = command(HELP_2023_4, |what| what.gpu = false);
        assert!(cpu.contains("--trace=nvtx --"), "{cpu}");
        assert!(cpu.contains("--capture-range=nvtx --nvtx-capture=requests@trt-perf --env-var="), "{cpu}");
        let percent = command(HELP_2023_4, |what| what.report = Path::new("/50%p"));
        assert!(percent.contains("--output=/50%%p "), "{percent}");
        assert!(command(HELP_2023_4, |what| what.cuda_graph = true).contains(" --cuda-graph-trace=node "));
        assert!(Nsys::of("usage: nsys profile").unwrap_err().contains("--capture-range-end"));
    }

    #[test]
    fn options_are_spelled_as_the_version_spells_them() {
        for (help, gpu_metrics, dla) in [
            (HELP_2023_4, "--gpu-metrics-device=all", None),
            (HELP_2025_1, "--gpu-metrics-devices=all", None),
            (TEGRA_OLD, "--gpu-metrics-device=all", Some("--trace=cuda,nvtx,nvmedia")),
            (TEGRA_NEW, "--gpu-metrics-devices=all", Some("--accelerator-trace=tegra-accelerators")),
        ] {
            let command = command(help, |what| (what.gpu_metrics, what.dla) = (true, true));
            let has = |word: &str| command.split(' ').any(|w| w == word);
            assert!(has(gpu_metrics), "{command}");
            assert_eq!(Nsys::of(help).unwrap().traces_dla(), dla.is_some());
            assert!(dla.is_none_or(has), "{command}");
        }
        let none = Nsys::of("--capture-range-end").unwrap();
        assert_eq!(none.ask_gpu_metrics(), None);
    }

    #[test]
    fn a_missing_permission_is_told_in_nsys_own_words() {
        let no =
            "Possible --gpu-metrics-device values are:\n\tNVIDIA GPUs not found, feature is not available\n";
        assert_eq!(gpu_metrics_allowed(no), Err("NVIDIA GPUs not found, feature is not available".into()));
        let no = "Insufficient privilege, see https://developer.nvidia.com/ERR_NVGPUCTRPERM\n";
        assert!(gpu_metrics_allowed(no).is_err() && gpu_metrics_allowed("").is_err());
        assert_eq!(
            gpu_metrics_allowed("Possible values are:\n\t0: NVIDIA H100\n\tall: Select all\n"),
            Ok(())
        );
    }

    #[test]
    fn nothing_that_may_be_secret_stays_in_the_environment() {
        let all = [
            "PATH",
            "GITHUB_TOKEN",
            "CUDA_VISIBLE_DEVICES",
            "TRT_PERF_TENSORRT",
            "AWS_SECRET_ACCESS_KEY",
            "XCUDA_",
        ];
        let kept = environment(all.map(|name| (name.to_owned(), "v".to_owned())));
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CUDA_VISIBLE_DEVICES", "PATH", "TRT_PERF_TENSORRT"]);
    }

    #[test]
    fn a_command_can_be_pasted() {
        let words = ["nsys".to_owned(), "--output=/a b/it's".to_owned(), String::new()];
        assert_eq!(
            quoted(&[("PATH".into(), "/bin:/usr/bin".into())], &words),
            r"env -i PATH=/bin:/usr/bin nsys '--output=/a b/it'\''s' ''"
        );
    }
}
