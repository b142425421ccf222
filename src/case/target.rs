//! Says which backend a case is for, and on which GPU. Pure: whether it can be used here shows when it is opened.

use crate::config::{BackendChoice, BackendKind, is_plan};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The backend of a case, and what it needs to know to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which backend.
    pub kind: BackendKind,
    /// The folder of TensorRT's libraries; `None`: searched for.
    pub tensorrt: Option<PathBuf>,
    /// The GPU, as CUDA numbers them; means nothing to `cpu`.
    pub gpu: u32,
    /// It is a lane beside others: programs are told to use no other GPU.
    #[serde(default)]
    pub lane: bool,
}

/// What this machine has that decides what `auto` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// CPUs this process may use.
    pub cpus: u64,
    /// Whether an NVIDIA GPU is here.
    pub gpu: bool,
    /// Whether a TensorRT library is in one of the usual places.
    pub tensorrt: bool,
}

/// Which backend a choice means for this model's file, and why. `program`: whether it is a program instead; `tensorrt`:
/// whether TensorRT's folder was named.
pub(super) fn resolve(
    choice: BackendChoice,
    model: &Path,
    (program, tensorrt): (bool, bool),
    host: Host,
) -> (BackendKind, &'static str) {
    if program {
        return match choice {
            BackendChoice::Named(kind) if kind.is_command() => (kind, "asked for"),
            _ if host.gpu => (BackendKind::GpuCommand, "a program; a GPU is here, whose state is watched"),
            _ => (BackendKind::Command, "a program"),
        };
    }
    let workload = model.extension().is_some_and(|e| e == "toml");
    match choice {
        BackendChoice::Named(kind) => (kind, "asked for"),
        BackendChoice::Auto if workload => (BackendKind::Cuda, "auto: a .toml file is a CUDA workload"),
        BackendChoice::Auto if is_plan(model) => {
            (BackendKind::Tensorrt, "auto: the model is a plan of TensorRT")
        }
        BackendChoice::Auto if host.gpu && (tensorrt || host.tensorrt) => {
            (BackendKind::Tensorrt, "auto: a GPU and a TensorRT library are here")
        }
        BackendChoice::Auto if host.gpu => (BackendKind::Cpu, "auto: a GPU is here, but no TensorRT library"),
        BackendChoice::Auto => (BackendKind::Cpu, "auto: no NVIDIA GPU is here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_tensorrt_where_it_can_run_and_never_otherwise() {
        let host = |gpu, tensorrt| Host { cpus: 2, gpu, tensorrt };
        let auto =
            |file: &str, named, host| resolve(BackendChoice::Auto, Path::new(file), (false, named), host).0;
        assert_eq!(auto("m.onnx", false, host(true, true)), BackendKind::Tensorrt);
        assert_eq!(auto("m.onnx", true, host(true, false)), BackendKind::Tensorrt);
        assert_eq!(auto("m.onnx", false, host(true, false)), BackendKind::Cpu);
        assert_eq!(auto("m.onnx", true, host(false, true)), BackendKind::Cpu);
        assert_eq!(auto("m.plan", false, host(false, false)), BackendKind::Tensorrt);
        assert_eq!(auto("k.toml", false, host(false, false)), BackendKind::Cuda);
        let asked = resolve(
            BackendChoice::Named(BackendKind::Tensorrt),
            Path::new("m.onnx"),
            (false, false),
            host(false, false),
        );
        assert_eq!(asked, (BackendKind::Tensorrt, "asked for"));
        let program =
            |choice, gpu| resolve(choice, Path::new("trt-perf.toml"), (true, false), host(gpu, gpu)).0;
        assert_eq!(program(BackendChoice::Auto, false), BackendKind::Command);
        assert_eq!(program(BackendChoice::Auto, true), BackendKind::GpuCommand);
        assert_eq!(program(BackendChoice::Named(BackendKind::Command), true), BackendKind::Command);
    }

    #[test]
    fn every_backend_is_known_by_its_word() {
        for kind in BackendKind::ALL {
            assert_eq!(BackendKind::of_word(kind.word()), Some(kind));
        }
        assert_eq!(BackendKind::of_word("tpu"), None);
    }
}
