//! Profiles one case: the engine as `run` has it, then one worker with a profiler around it, then what the report says.
//!
//! Nothing of it becomes a record: a profiler makes requests slower.

mod tool;

use super::Setup;
use super::context::Session;
use super::stages::{build_case, load_job};
use crate::backend::nvtx;
use crate::case::{BackendKind, Case};
use crate::config::case_folder;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::measure::ProfileJob;
use crate::measured::ProfiledRun;
use crate::profile::{KernelTable, Nsys, NsysTrace, NvtxDetail, Profiled, ProfilerTool, ncu_command, quoted};
use crate::units::plural;
use crate::worker::protocol::{Job, WorkerMessage};
use crate::worker::{WORKER_ARG, executable};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tool::InstalledProfiler;

/// How a case is to be profiled.
#[derive(Clone, Debug)]
pub struct ProfileHow {
    /// The profiler.
    pub tool: ProfilerTool,
    /// Requests of each stream.
    pub requests: u64,
    /// What TensorRT marks in them.
    pub nvtx: NvtxDetail,
    /// Whether the GPU's counters are sampled, if that is allowed.
    pub gpu_metrics: bool,
    /// Where the report goes; `None`: below the target folder.
    pub output: Option<PathBuf>,
    /// Only prepare everything, and say what would be run.
    pub print_only: bool,
}

/// What a profiled case came to.
#[derive(Clone, Debug)]
pub struct CaseProfile {
    /// What was run, or is to be run, as a shell takes it.
    pub command: String,
    /// What the profiler says its version is.
    pub version: String,
    /// What was recorded; `None` where the command is only to be printed.
    pub recorded: Option<RecordedProfile>,
}

/// A report, and what is in it.
#[derive(Clone, Debug)]
pub struct RecordedProfile {
    /// The profiler's report.
    pub report: PathBuf,
    /// What the worker did meanwhile.
    pub run: ProfiledRun,
    /// The report as a SQLite file, and its kernels; `None` where the profiler has no such.
    pub tables: Option<(PathBuf, KernelTable)>,
}

/// Where a profiler is, and what it says its version is.
pub fn installed(tool: ProfilerTool) -> Result<(PathBuf, String)> {
    InstalledProfiler::find(tool).map(|found| (PathBuf::from(found.name()), found.version().to_owned()))
}

/// Builds and profiles `case`.
pub fn profile(setup: &Setup, case: &Case, how: &ProfileHow) -> Result<CaseProfile> {
    // Before minutes are spent on an engine.
    let profiler = InstalledProfiler::find(how.tool)?;
    ensure_profilable(case, &profiler)?;
    let asked = std::slice::from_ref(case);
    let session = Session::open(setup, asked, Some(1))?;
    let (cases, _) = session.pinned(asked);
    let case = cases.first().unwrap_or(case);
    let case = &told(&session, case, how);
    let built = build_case(&session, case)?;
    let files = ProfileFiles::new(&session, case, how)?;
    files.write_job(&session, case, &built, how)?;
    let plan = plan(&session, case, &profiler, &files, how)?;
    let command = quoted(profiler.environment(), &profiler.words(&plan));
    let version = profiler.version().to_owned();
    if how.print_only {
        return Ok(CaseProfile { command, version, recorded: None });
    }
    let requests = plural(usize::try_from(how.requests).unwrap_or(usize::MAX), "request");
    session.note(&format!("{}: {} records {requests} of each stream", case.id, how.tool.program()));
    if case.open.is_some() {
        session
            .note(&format!("{}: its requests follow each other here, and do not arrive at a rate", case.id));
    }
    let limit = case.effort.time_limit.duration();
    let report = files.report.with_added_extension(how.tool.extension());
    // One that was there before must not pass for the new one.
    remove(&report)?;
    profiler.record(&plan, &files.session, &files.log, limit)?;
    let run = files.reply(&profiler)?;
    if !report.is_file() {
        return Err(nothing_written(&profiler, &report, &files.log));
    }
    let tables = match how.tool {
        ProfilerTool::Nsys => Some(tables(&profiler, &report, &files, limit)?),
        ProfilerTool::Ncu => None,
    };
    Ok(CaseProfile { command, version, recorded: Some(RecordedProfile { report, run, tables }) })
}

/// Says early what cannot be profiled.
fn ensure_profilable(case: &Case, profiler: &InstalledProfiler) -> Result<()> {
    let gpu = case.target.kind.on_gpu();
    if case.target.kind == BackendKind::Trtexec {
        let what = format!("{}: trtexec runs its requests itself, between no marks of a profiler", case.id);
        return Err(Failure::usage(what).next("profile it with --backend tensorrt"));
    }
    if !gpu && profiler.nsys().is_none() {
        let what = format!("{} looks at kernels of a GPU, and {} runs on the CPU", profiler.name(), case.id);
        return Err(Failure::usage(what).next("use --tool nsys, or --backend tensorrt"));
    }
    if !gpu && !nvtx::IS_HERE {
        let what =
            "this program was built without the feature `tensorrt`, which marks requests for profilers";
        return Err(
            Failure::usage(what).next("install it with `cargo install cargo-trt-perf --features tensorrt`")
        );
    }
    Ok(())
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Failure::io("replace", file, &e)),
        _ => Ok(()),
    }
}

/// The case with an engine that tells as much of its layers as is to be seen.
fn told(session: &Session, case: &Case, how: &ProfileHow) -> Case {
    let mut case = case.clone();
    let verbosity = &mut case.build.tensorrt.profiling_verbosity;
    let builds = case.target.kind == BackendKind::Tensorrt && case.engine.is_none();
    if how.nvtx == NvtxDetail::Detailed && builds && verbosity.as_deref() != Some("detailed") {
        *verbosity = Some("detailed".into());
        let what = "is built anew with profiling-verbosity = \"detailed\": its kernels may be others than `run` measures";
        session.note(&format!("{}: the engine {what}", case.id));
    }
    case
}

/// The files of one profile.
struct ProfileFiles {
    /// The report, without the end of its name.
    report: PathBuf,
    job: PathBuf,
    reply: PathBuf,
    log: PathBuf,
    /// By which the profiler can be told to stop.
    session: String,
}

impl ProfileFiles {
    fn new(session: &Session, case: &Case, how: &ProfileHow) -> Result<Self> {
        let folder = session.folders.profile_since(session.now_s);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create the folder", &folder, &e))?;
        let own = folder.join(case_folder(&case.id));
        let extension = how.tool.extension();
        let report = match &how.output {
            // The profiler adds the end of the name itself.
            Some(path) if path.extension().is_some_and(|e| e == extension) => path.with_extension(""),
            Some(path) => path.clone(),
            None => own.clone(),
        };
        Ok(Self {
            report: std::path::absolute(&report).map_err(|e| Failure::io("find", &report, &e))?,
            job: own.with_added_extension("job.json"),
            reply: own.with_added_extension("reply.jsonl"),
            log: own.with_added_extension("log"),
            session: format!("trt-perf-{}", std::process::id()),
        })
    }

    fn write_job(&self, session: &Session, case: &Case, built: &Built, how: &ProfileHow) -> Result<()> {
        let job = Job::Profile(ProfileJob {
            case: case.id.clone(),
            load: load_job(session, case, built),
            warm_up_ns: case.effort.warm_up.0,
            requests: how.requests,
            nvtx: how.nvtx,
        });
        let json = serde_json::to_vec(&job)
            .map_err(|e| Failure::new(FailureKind::Io, format!("cannot write the job as JSON: {e}")))?;
        std::fs::write(&self.job, json).map_err(|e| Failure::io("write", &self.job, &e))
    }

    /// What the worker said in the end.
    fn reply(&self, profiler: &InstalledProfiler) -> Result<ProfiledRun> {
        let text = std::fs::read_to_string(&self.reply).unwrap_or_default();
        match text.lines().last().and_then(|line| serde_json::from_str(line).ok()) {
            Some(WorkerMessage::Profiled(run)) => Ok(run),
            Some(WorkerMessage::Failed(failure)) => Err(failure),
            _ => {
                let what = format!("{} ended, and its worker had not come to its end", profiler.name());
                Err(Failure::new(FailureKind::Crash, what).next(format!(
                    "look at what it said: {}; `cargo trt-perf run` with the same case shows whether it works \
                     without a profiler",
                    self.log.display()
                )))
            }
        }
    }
}

/// The profiler's arguments.
fn plan(
    session: &Session,
    case: &Case,
    profiler: &InstalledProfiler,
    files: &ProfileFiles,
    how: &ProfileHow,
) -> Result<Vec<String>> {
    let exe = executable()?;
    let [exe, job, reply] = [&exe, &files.job, &files.reply].map(|path| path.display().to_string());
    let mut what = Profiled {
        worker: [exe, WORKER_ARG.to_owned(), job, reply],
        gpu: case.target.kind.on_gpu(),
        cuda_graph: case.point.cuda_graph,
        dla: case.build.tensorrt.dla_core.is_some(),
        gpu_metrics: false,
        session: &files.session,
        report: &files.report,
    };
    let Some(nsys) = profiler.nsys() else { return Ok(ncu_command(&what)) };
    if what.dla && !nsys.traces_dla() {
        session.note("this nsys does not trace the DLA: what runs there is missing in the report");
    }
    if how.gpu_metrics && what.gpu {
        match profiler.gpu_metrics(nsys) {
            Ok(()) => what.gpu_metrics = true,
            Err(why) => session.note(&format!("without the GPU's own counters: {why}")),
        }
    }
    Ok(nsys.command(&what))
}

/// The report as a SQLite file, and what it says.
fn tables(
    profiler: &InstalledProfiler,
    report: &Path,
    files: &ProfileFiles,
    limit: std::time::Duration,
) -> Result<(PathBuf, KernelTable)> {
    let database = files.report.with_added_extension("sqlite");
    remove(&database)?;
    let log = files.log.with_added_extension("export");
    let keep = |f: Failure| {
        let next = format!("the report itself is there: nsys-ui {}", report.display());
        Failure { next, ..f }
    };
    profiler.run(&Nsys::export(report, &database), &log, limit).map_err(keep)?;
    if !database.is_file() {
        return Err(keep(nothing_written(profiler, &database, &log)));
    }
    Ok((database.clone(), KernelTable::of(&read(&database)?)))
}

/// Reads the SQLite export of a report.
pub fn read(database: &Path) -> Result<NsysTrace> {
    let bytes = file::read(database, &file::NSYS_EXPORT)?;
    NsysTrace::read(&bytes).map_err(|why| file::not(database, &why, &file::NSYS_EXPORT))
}

fn nothing_written(profiler: &InstalledProfiler, file: &Path, log: &Path) -> Failure {
    let what = format!("{} said that all went well, and there is no {}", profiler.name(), file.display());
    Failure::new(FailureKind::Measure, what).next(format!("look at what it said: {}", log.display()))
}
