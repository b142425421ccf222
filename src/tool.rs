//! Another program, such as a profiler, run to its end: where it is, and what it said. Runs in a worker of its own, so that
//! it is limited in time, and ended with all that it started, as every worker is.

use crate::error::{Failure, FailureKind, Result, last_words};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Run a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolJob {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All that it finds in its environment.
    pub environment: Vec<(String, String)>,
    /// The file for everything it prints.
    pub log: PathBuf,
}

/// Runs the program to its end. Fails where it does, with the last lines of what it said.
pub fn run(job: &ToolJob) -> Result<()> {
    let name = job.program.display();
    let fail = |what: String| Failure::new(FailureKind::Measure, format!("{name} {what}"));
    let status = command(job)?.status().map_err(|e| fail(format!("cannot be started: {e}")))?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read(&job.log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    // Bars of progress are drawn over themselves.
    Err(fail(format!("failed ({status}); it said: {}", last_words(said.split(['\n', '\r'])))))
}

/// Runs the program in this process's own time, ends it where it takes longer than `limit`, and does not care how it ends.
pub fn finish(job: &ToolJob, limit: Duration) -> Result<()> {
    let fail = |e| Failure::io("run", &job.program, &e);
    let mut child = command(job)?.spawn().map_err(fail)?;
    let start = Instant::now();
    while child.try_wait().map_err(fail)?.is_none() {
        if start.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).map_err(fail)?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn command(job: &ToolJob) -> Result<Command> {
    let log = File::create(&job.log).map_err(|e| Failure::io("create", &job.log, &e))?;
    let errors = log.try_clone().map_err(|e| Failure::io("open", &job.log, &e))?;
    let mut command = Command::new(&job.program);
    command
        .args(&job.arguments)
        .env_clear()
        .envs(job.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    Ok(command)
}

/// Where a program is: the file that `variable` names, then the `asked` folders, PATH, and `usual` folders, in which a
/// `*` stands for any version, the newest first. `Err`: every place that was looked at.
pub fn find(name: &str, variable: &str, asked: &[PathBuf], usual: &[&str]) -> Result<PathBuf, Vec<PathBuf>> {
    if let Some(named) = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) {
        // Named and not there is a mistake, never a reason to take another.
        return if is_program(&named) { Ok(named) } else { Err(vec![named]) };
    }
    let path = std::env::var_os("PATH").filter(|value| !value.is_empty());
    let path: Vec<PathBuf> = path.iter().flat_map(|path| std::env::split_paths(path)).collect();
    let usual: Vec<PathBuf> = usual.iter().flat_map(|folder| versions(folder)).collect();
    let mut looked: Vec<PathBuf> = Vec::new();
    for folder in [asked, &path, &usual].concat() {
        let place = folder.join(name);
        // A PATH may name a folder twice.
        if !looked.contains(&place) {
            looked.push(place);
        }
    }
    looked.iter().find(|file| is_program(file)).cloned().ok_or(looked)
}

/// The folders that a pattern means.
fn versions(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*") else { return vec![pattern.into()] };
    let entries = std::fs::read_dir(before).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.sort_by_key(|path| std::cmp::Reverse(numbers(path)));
    let rest = after.trim_start_matches('/');
    names.into_iter().map(|path| path.join(rest)).collect()
}

/// The numbers in a folder's name: 2025.10 is newer than 2025.9.
fn numbers(path: &Path) -> Vec<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_a_folder_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["2025.9.1", "2025.10.1", "2024.4"] {
            std::fs::create_dir_all(dir.path().join(name).join("bin")).unwrap();
        }
        let found = versions(&format!("{}/*/bin", dir.path().display()));
        let expected = ["2025.10.1", "2025.9.1", "2024.4"].map(|name| dir.path().join(name).join("bin"));
        assert_eq!(found, expected);
        assert_eq!(versions("/usr/local/cuda/bin"), [Path::new("/usr/local/cuda/bin")]);
    }

    #[test]
    fn folders_that_are_asked_for_come_before_path_and_the_usual_ones() {
        let asked = [PathBuf::from("/asked/bin"), PathBuf::from("/asked/bin")];
        let looked = find("no-such-program", "TRT_PERF_NO_SUCH_PROGRAM", &asked, &["/usual"]).unwrap_err();
        let [first, .., last] = &looked[..] else { panic!("{looked:?}") };
        assert_eq!(looked.iter().filter(|place| *place == first).count(), 1, "{looked:?}");
        assert_eq!(
            [first, last],
            [Path::new("/asked/bin/no-such-program"), Path::new("/usual/no-such-program")]
        );
        assert!(!is_program(Path::new("/")) && !is_program(Path::new("/etc/passwd")));
    }
}
