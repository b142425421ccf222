//! A sandbox's repositories, made with the `git` command: no configuration but its own, fixed author, a clock that ticks.

use super::program::Ran;
use super::sandbox::Sandbox;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use trt_perf::git::Repo;

impl Sandbox {
    /// A sandbox with an empty repository `repo` on branch `main`.
    pub fn with_repo() -> Self {
        let sandbox = Self::new();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        sandbox
    }

    pub fn init_git(&self, folder: &str) {
        self.git(folder, &["init", "--quiet", "--initial-branch=main"]);
    }

    /// The time of the next command of git, in seconds since 1970.
    pub fn set_clock(&self, seconds: i64) {
        self.clock.store(seconds, Ordering::Relaxed);
    }

    pub fn url(&self, relative: &str) -> String {
        format!("file://{}", self.path(relative).display())
    }

    /// Runs `git` in a folder of the sandbox; it must succeed. Returns its standard output without the last line end.
    #[track_caller]
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let ran = self.try_git(folder, args);
        assert_eq!(ran.code, Some(0), "git {args:?} in {folder}: {}", ran.err);
        ran.out.trim_end().to_owned()
    }

    pub fn try_git(&self, folder: &str, args: &[&str]) -> Ran {
        let mut command = self.git_command(folder);
        command.args(args);
        Ran::of(command)
    }

    pub fn git_command(&self, folder: &str) -> Command {
        let date = format!("{} +0000", self.clock.fetch_add(60, Ordering::Relaxed));
        let mut command = Command::new("git");
        self.shield(&mut command, folder);
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
        for setting in ["init.defaultBranch=main", "protocol.file.allow=always", "gc.auto=0"] {
            command.args(["-c", setting]);
        }
        command
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
