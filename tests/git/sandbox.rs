//! Makes throw-away repositories with the `git` command: no configuration but its own, fixed author, a clock that ticks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use trt_perf::git::Repo;

pub struct Sandbox {
    dir: TempDir,
    /// Seconds since 1970; each command is a minute later, so that the order of commits is known.
    clock: AtomicI64,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        Sandbox {
            dir: tempfile::tempdir().expect("a temporary folder"),
            clock: AtomicI64::new(1_700_000_000),
        }
    }

    /// A sandbox with an empty repository `repo` on branch `main`.
    pub fn with_repo() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        sandbox
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("the temporary folder").join(relative)
    }

    pub fn url(&self, relative: &str) -> String {
        format!("file://{}", self.path(relative).display())
    }

    /// Runs `git` in a folder of the sandbox; it must succeed. Returns its standard output without the last line end.
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let output = self.try_git(folder, args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {args:?} in {folder}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub fn try_git(&self, folder: &str, args: &[&str]) -> Output {
        self.command(folder).args(args).output().expect("git runs")
    }

    pub fn command(&self, folder: &str) -> Command {
        let date = format!("{} +0000", self.clock.fetch_add(60, Ordering::Relaxed));
        let mut command = Command::new("git");
        command.current_dir(self.path(folder));
        // A test run from a git hook must not act on the repository of that hook.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command.envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "C"),
            ("GIT_COMMITTER_EMAIL", "c@example.com"),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_DATE", &date),
        ]);
        command.args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "gc.auto=0",
        ]);
        command
    }

    pub fn write(&self, relative: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, contents).expect("a file");
    }

    /// Adds everything in `folder` and commits it; the new commit's id.
    pub fn commit(&self, folder: &str, message: &str) -> String {
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(folder, &["rev-parse", "HEAD"])
    }

    pub fn open(&self, folder: &str) -> Repo {
        Repo::discover(&self.path(folder)).expect("a usable repository").expect("a repository")
    }
}

/// Everything below `root` as lines: path, kind, executable or not, and the bytes or the link's target.
pub fn listing(root: &Path) -> Vec<String> {
    let (mut lines, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            let kind = path.symlink_metadata().expect("metadata");
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            if kind.is_symlink() {
                lines.push(format!("{name:?} link {:?}", fs::read_link(&path).expect("a link")));
            } else if kind.is_dir() {
                lines.push(format!("{name:?} folder"));
                folders.push(path);
            } else {
                use std::os::unix::fs::PermissionsExt;
                let executable = kind.permissions().mode() & 0o111 != 0;
                lines.push(format!("{name:?} file {executable} {:?}", fs::read(&path).expect("bytes")));
            }
        }
    }
    lines.sort();
    lines
}
