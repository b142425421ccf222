//! Holds the settings that are one of a few words.

use crate::error::did_you_mean;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How requests are offered.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One request in flight.
    Latency,
    /// A closed loop at a fixed operating point: every stream always has a request in flight.
    Throughput,
    /// An open loop: requests arrive by themselves, and the highest rate that keeps the budget is looked for.
    Capacity,
}

impl Scenario {
    /// Its word in configuration, case ids and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Capacity => "capacity",
        }
    }
}

impl FromStr for Scenario {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let all = [Self::Latency, Self::Throughput, Self::Capacity];
        all.into_iter()
            .find(|v| v.word() == s)
            .ok_or_else(|| unknown_word(s, "scenario", &all.map(Self::word)))
    }
}

/// A backend that exists. Its word names it wherever a backend is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// rten, embedded.
    Cpu,
    /// NVIDIA TensorRT or TensorRT-RTX, opened at run time.
    Tensorrt,
    /// Kernels with a set duration, described in a .toml file: a calibration workload, no model.
    Cuda,
    /// NVIDIA's program, which builds and measures itself.
    Trtexec,
    /// A program of the project's own.
    Command,
    /// The same, where its numbers belong to the GPU.
    GpuCommand,
}

impl BackendKind {
    /// Every backend.
    pub const ALL: [Self; 6] =
        [Self::Cpu, Self::Tensorrt, Self::Cuda, Self::Trtexec, Self::Command, Self::GpuCommand];

    /// Its name in configuration, engines and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Tensorrt => "tensorrt",
            Self::Cuda => "cuda",
            Self::Trtexec => "trtexec",
            Self::Command => "command",
            Self::GpuCommand => "gpu-command",
        }
    }

    /// The backend of this name, as it stands in engines and records.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether its numbers belong to a GPU.
    pub fn on_gpu(self) -> bool {
        match self {
            Self::Cpu | Self::Command => false,
            Self::Tensorrt | Self::Cuda | Self::Trtexec | Self::GpuCommand => true,
        }
    }

    /// Whether it runs a program of the project's own.
    pub fn is_command(self) -> bool {
        matches!(self, Self::Command | Self::GpuCommand)
    }
}

/// Which backend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    /// The best one that is usable here.
    Auto,
    /// This one.
    Named(BackendKind),
}

impl FromStr for BackendChoice {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        const AUTO: &str = "auto";
        if s == AUTO {
            return Ok(Self::Auto);
        }
        BackendKind::of_word(s).map(Self::Named).ok_or_else(|| {
            let words: Vec<&str> =
                [AUTO].into_iter().chain(BackendKind::ALL.map(BackendKind::word)).collect();
            unknown_word(s, "backend", &words)
        })
    }
}

/// How the host waits for the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Asks over and over: the shortest latency, and a CPU core that is busy all the while.
    #[default]
    Spin,
    /// Sleeps until the GPU interrupts: later by some microseconds, and the core is free.
    Block,
}

impl FromStr for Wait {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "spin" => Ok(Self::Spin),
            "block" => Ok(Self::Block),
            _ => Err(unknown_word(s, "way to wait", &["spin", "block"])),
        }
    }
}

fn unknown_word(word: &str, what: &str, known: &[&str]) -> String {
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => format!("`{word}` is not a {what}; did you mean `{near}`?"),
        None => {
            let (last, others) = known.split_last().unwrap_or((&"", &[]));
            format!("`{word}` is not a {what}; use {} or {last}", others.join(", "))
        }
    }
}

/// Whether a model's file is named as people name plans of TensorRT.
pub fn is_plan(model: &Path) -> bool {
    model.extension().is_some_and(|e| ["plan", "engine", "trt"].iter().any(|ending| e == *ending))
}

/// When requests arrive in `capacity`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrivalsChoice {
    /// They come at random and independently of each other, as from many users.
    #[default]
    Poisson,
    /// They come with equal gaps.
    Uniform,
    /// They come as in this file (one time in seconds a line), stretched to the rate that is tried.
    File(PathBuf),
}

impl ArrivalsChoice {
    /// A word, or the path of a file, which has a dot or a slash in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "poisson" => Ok(Self::Poisson),
            "uniform" => Ok(Self::Uniform),
            _ if text.contains(['.', '/']) => Ok(Self::File(text.into())),
            _ => {
                let why = unknown_word(text, "kind of arrivals", &["poisson", "uniform"]);
                Err(format!("{why}; or the path of a file with arrival times"))
            }
        }
    }
}
