//! Finds the trtexec program. It looks at files only and starts nothing.

use crate::error::{Failure, FailureKind, Result};
use crate::tool;
use std::path::{Path, PathBuf};

/// Where NVIDIA's packages put it, and where its archives are commonly unpacked.
const USUAL: [&str; 4] =
    ["/usr/src/tensorrt/bin", "/usr/local/tensorrt/bin", "/opt/tensorrt/bin", "/usr/local/bin"];

/// The program: `TRT_PERF_TRTEXEC`, then the TensorRT folder that is `asked` for, PATH, and the usual places.
pub(super) fn program(asked: Option<&Path>) -> Result<PathBuf> {
    tool::find("trtexec", "TRT_PERF_TRTEXEC", &folders(asked), &USUAL).map_err(|looked| missing(&looked))
}

/// Whether it is here, for people.
pub fn found(asked: Option<&Path>) -> std::result::Result<String, String> {
    match program(asked) {
        Ok(path) => Ok(path.display().to_string()),
        Err(_) => {
            Err("trtexec is not on PATH, not below /usr/src/tensorrt, and TRT_PERF_TRTEXEC names none".into())
        }
    }
}

/// `tensorrt` is a folder of TensorRT: of everything, of libraries or of programs.
fn folders(tensorrt: Option<&Path>) -> Vec<PathBuf> {
    let all = tensorrt.map(|dir| [dir.join("bin"), dir.to_owned(), dir.join("../bin")]);
    all.into_iter().flatten().collect()
}

fn missing(looked: &[PathBuf]) -> Failure {
    let text: Vec<String> = looked.iter().map(|p| p.display().to_string()).collect();
    Failure::new(FailureKind::Usage, format!("there is no trtexec; looked for {}", text.join(", ")))
        .next("install TensorRT, or name the program: TRT_PERF_TRTEXEC=/path/to/trtexec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensorrt_folder_may_be_that_of_everything_of_libraries_or_of_programs() {
        let all = folders(Some(Path::new("/t/lib")));
        assert_eq!(all, ["/t/lib/bin", "/t/lib", "/t/lib/../bin"].map(PathBuf::from));
        assert!(folders(None).is_empty());
    }
}
