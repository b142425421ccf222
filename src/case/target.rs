//! Which backend a case is for, and on which GPU. Pure: whether it can be used here shows when it is opened.

use crate::config::BackendChoice;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A backend that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// rten, embedded.
    Cpu,
    /// Kernels with a set duration: a calibration workload, never a model.
    Cuda,
    /// NVIDIA's program, which measures itself.
    Trtexec,
}

impl BackendKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Trtexec => "trtexec",
        }
    }

    /// The backend of this name, as it stands in engines and records.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Cpu, Self::Cuda, Self::Trtexec].into_iter().find(|kind| kind.word() == word)
    }

    /// Whether its numbers belong to a GPU.
    pub fn on_gpu(self) -> bool {
        match self {
            Self::Cpu => false,
            Self::Cuda | Self::Trtexec => true,
        }
    }
}

/// The backend of a case, and what it needs to know to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub kind: BackendKind,
    /// The GPU, as CUDA numbers them; means nothing to `cpu`.
    pub gpu: u32,
}

/// Which backend a choice means for this model's file, and why.
pub(super) fn resolve(choice: BackendChoice, model: &Path) -> (BackendKind, &'static str) {
    let workload = model.extension().is_some_and(|e| e == "toml");
    match choice {
        BackendChoice::Cpu => (BackendKind::Cpu, "asked for"),
        BackendChoice::Cuda => (BackendKind::Cuda, "asked for"),
        BackendChoice::Trtexec => (BackendKind::Trtexec, "asked for"),
        BackendChoice::Auto if workload => (BackendKind::Cuda, "auto: a .toml file is a CUDA workload"),
        BackendChoice::Auto => (BackendKind::Cpu, "auto: the only backend for models in this version"),
    }
}
