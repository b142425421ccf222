//! Finds the trtexec program. It looks at files only and starts nothing.

use crate::error::{Failure, FailureKind, Result};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "trtexec";
/// Where NVIDIA's packages put it, and where its archives are commonly unpacked.
const USUAL: [&str; 4] =
    ["/usr/src/tensorrt/bin", "/usr/local/tensorrt/bin", "/opt/tensorrt/bin", "/usr/local/bin"];

/// The program: `TRT_PERF_TRTEXEC`, then the TensorRT folder that is `asked` for, PATH, and the usual places.
pub(super) fn program(asked: Option<&Path>) -> Result<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    if let Some(named) = var("TRT_PERF_TRTEXEC").map(PathBuf::from) {
        // Named and not there is a mistake, never a reason to take another.
        return if is_program(&named) { Ok(named) } else { Err(missing(&[named])) };
    }
    let looked = places(asked, var("PATH"));
    looked.iter().find(|p| is_program(p)).cloned().ok_or_else(|| missing(&looked))
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

/// Every file it may be, in order. `tensorrt` is a folder of TensorRT: of everything, of libraries or of programs.
fn places(tensorrt: Option<&Path>, path: Option<OsString>) -> Vec<PathBuf> {
    let own = tensorrt.map(|dir| [dir.join("bin"), dir.to_owned(), dir.join("../bin")]);
    let path = path.map(|p| std::env::split_paths(&p).collect::<Vec<_>>()).unwrap_or_default();
    let folders = own.into_iter().flatten().chain(path).chain(USUAL.map(PathBuf::from));
    folders.map(|dir| dir.join(NAME)).collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
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
    fn a_tensorrt_folder_comes_before_path_and_the_usual_places() {
        let all = places(Some(Path::new("/t/lib")), Some("/a:/b".into()));
        let text: Vec<String> = all.iter().map(|p| p.display().to_string()).collect();
        assert_eq!(
            text[..5],
            ["/t/lib/bin/trtexec", "/t/lib/trtexec", "/t/lib/../bin/trtexec", "/a/trtexec", "/b/trtexec"]
        );
        assert!(text.contains(&"/usr/src/tensorrt/bin/trtexec".to_owned()));
        assert!(!is_program(Path::new("/")) && !is_program(Path::new("/etc/passwd")));
    }
}
