//! A profiler that is installed here: its version, its environment, and how it is run.

use crate::error::{Failure, FailureKind, Result};
use crate::profile::{Nsys, ProfilerTool, environment, gpu_metrics_allowed};
use crate::tool::{self, ToolJob};
use crate::worker::protocol::Job;
use crate::worker::run as run_worker;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long a profiler may think about a question.
const QUESTION: Duration = Duration::from_secs(60);

pub(super) struct InstalledProfiler {
    tool: ProfilerTool,
    program: PathBuf,
    version: String,
    nsys: Option<Nsys>,
    environment: Vec<(String, String)>,
    /// What it leaves behind where it is ended early goes with this.
    scratch: TempDir,
}

impl InstalledProfiler {
    /// The profiler that is installed, which has said its version.
    pub fn find(tool: ProfilerTool) -> Result<Self> {
        let program = tool::find(tool.program(), tool.variable(), &[], tool.folders()).map_err(|looked| {
            let looked: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
            Failure::usage(format!("there is no {} here", tool.program())).parts(looked).next(format!(
                "install NVIDIA's package {}, or name the program: {}=/path/to/{}",
                tool.package(),
                tool.variable(),
                tool.program()
            ))
        })?;
        let scratch =
            tempfile::tempdir().map_err(|e| Failure::io("create", "a temporary folder".as_ref(), &e))?;
        let all =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let mut found = Self {
            tool,
            program,
            version: String::new(),
            nsys: None,
            environment: environment(all),
            scratch,
        };
        let said = found.ask(&["--version".to_owned()])?;
        let version = said.lines().find(|line| line.to_ascii_lowercase().contains("version"));
        found.version =
            version.filter(|_| said.contains("Nsight")).map(|line| line.trim().to_owned()).ok_or_else(
                || {
                    Failure::usage(format!("{} is not NVIDIA's {}", found.name(), tool.program())).next(
                        format!("name another program: {}=/path/to/{}", tool.variable(), tool.program()),
                    )
                },
            )?;
        if tool == ProfilerTool::Nsys {
            let help = found.ask(&["profile".to_owned(), "--help".to_owned()])?;
            found.nsys = Some(Nsys::of(&help).map_err(|why| {
                Failure::usage(format!("{} ({}) {why}", found.name(), found.version))
                    .next(format!("install a newer {}", tool.package()))
            })?);
        }
        Ok(found)
    }

    pub fn name(&self) -> String {
        self.program.display().to_string()
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The whole command.
    pub fn words(&self, arguments: &[String]) -> Vec<String> {
        [self.name()].into_iter().chain(arguments.iter().cloned()).collect()
    }

    /// How this version wants to be told; `None` where it is not nsys.
    pub fn nsys(&self) -> Option<Nsys> {
        self.nsys
    }

    /// Whether the GPU's counters may be sampled; otherwise why not.
    pub fn gpu_metrics(&self, nsys: Nsys) -> Result<(), String> {
        let question = nsys.ask_gpu_metrics().ok_or("this nsys has no option for them")?;
        gpu_metrics_allowed(&self.ask(&question).map_err(|f| f.message)?)
    }

    /// Records; whatever goes wrong, nothing of it is left running.
    pub fn record(&self, arguments: &[String], session: &str, log: &Path, limit: Duration) -> Result<()> {
        self.run(arguments, log, limit).inspect_err(|_| {
            if self.tool == ProfilerTool::Nsys {
                self.shut_down(session);
            }
        })
    }

    /// The agent of nsys has left the group of processes that is ended with its worker. Asked directly, because a worker is
    /// no longer started once the user asked to stop.
    fn shut_down(&self, session: &str) {
        let job = self.job(&Nsys::shut_down(session), &self.scratch.path().join("shutdown"));
        // It may be gone already.
        let _ = tool::finish(&job, QUESTION);
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[String], log: &Path, limit: Duration) -> Result<()> {
        let ran = run_worker(&Job::Tool(self.job(arguments, log)), limit, &mut |_| {});
        ran.map(drop).map_err(|f| match f.kind {
            FailureKind::TimedOut => {
                let what = format!("{} did not come to its end: {}", self.name(), f.message);
                let said = format!("{}; what it said: {}", f.next, log.display());
                Failure::new(f.kind, what).next(said)
            }
            _ if f.next.is_empty() => f.next(format!("all it said: {}", log.display())),
            _ => f,
        })
    }

    fn ask(&self, arguments: &[String]) -> Result<String> {
        let log = self.scratch.path().join("answer");
        let asked = self.run(arguments, &log, QUESTION);
        // Some versions answer and fail all the same; what they said counts.
        let said = std::fs::read(&log).map(|said| String::from_utf8_lossy(&said).into_owned());
        match said {
            Ok(said) if !said.trim().is_empty() => Ok(said),
            _ => asked.map(|()| String::new()),
        }
    }

    fn job(&self, arguments: &[String], log: &Path) -> ToolJob {
        let scratch = ("TMPDIR".to_owned(), self.scratch.path().display().to_string());
        let kept = self.environment.iter().filter(|(name, _)| name != "TMPDIR").cloned();
        ToolJob {
            program: self.program.clone(),
            arguments: arguments.to_vec(),
            environment: kept.chain([scratch]).collect(),
            log: log.to_owned(),
        }
    }
}
