//! The `profile` verb: shows which kernels a case runs, with NVIDIA's profilers around one worker.

use super::args::{MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::Exit;
use super::show::Show;
use super::{note, now_s, out, out_json, out_message, project, shown, width};
use crate::case::Case;
use crate::error::{Failure, Result};
use crate::message::{CaseProfiled, Message};
use crate::outcome::Event;
use crate::printable;
use crate::profile::{KernelTable, NvtxDetail, ProfilerTool};
use crate::report::{json, profile as report};
use crate::session::profile::{CaseProfile, ProfileHow};
use crate::session::{self, Setup};
use crate::units::plural;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Show which kernels a case runs, with Nsight Systems (nsys) or Nsight Compute (ncu) around its requests
///
/// The engine is the one that `run` measures. One worker loads it and warms up; then the profiler records a fixed number
/// of requests and nothing else. Numbers of a profiled process are no measurements: none becomes a record.
///
/// A report holds the environment of the profiled process. Worker and profiler therefore keep only PATH, HOME, LANG,
/// LC_ALL, TMPDIR, LD_LIBRARY_PATH, VIRTUAL_ENV, CONDA_PREFIX, XDG_CACHE_HOME, CUDA_* and TRT_PERF_*. This program uploads
/// nothing.
///
/// With a CUDA graph the layers are marked while the graph is captured. It is therefore captured where the profiler
/// records already, unless --nvtx none says that layers do not matter.
#[derive(Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// The profiler; looked for as $NSYS or $NCU, on PATH, below /opt/nvidia and /usr/local/cuda
    #[arg(long, value_enum, default_value_t, value_name = "TOOL")]
    tool: ToolArg,
    /// Requests that are recorded, of each stream (default: 10 with nsys, 1 with ncu)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    iterations: Option<u64>,
    /// What TensorRT marks: nothing, each layer, or each layer in detail (which builds an engine of its own)
    #[arg(long, value_enum, default_value_t, value_name = "DETAIL")]
    nvtx: NvtxArg,
    /// Also sample the GPU's own counters, where that is allowed (nsys)
    #[arg(long)]
    gpu_metrics: bool,
    /// Build the engine, write the worker's job, print the command that profiles it, and stop
    #[arg(long)]
    print_command: bool,
    /// Where the report goes (default: below target/trt-perf/profiles)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show an existing report instead: what `nsys export --type=sqlite` writes
    #[arg(long, value_name = "FILE.sqlite", conflicts_with_all = ["filters", "tool", "iterations", "nvtx", "gpu_metrics", "print_command", "output"])]
    report: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the kernels, and errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Every kernel, not only the longest
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ToolArg {
    /// Nsight Systems: when each kernel ran, and how long
    #[default]
    Nsys,
    /// Nsight Compute: how well each kernel uses the GPU
    Ncu,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum NvtxArg {
    /// Nothing
    None,
    /// Each layer
    #[default]
    Layers,
    /// Each layer with its inputs, outputs and tactic
    Detailed,
}

/// Runs the verb.
pub fn run(args: &ProfileArgs, manifest: Option<&Path>) -> Result<Exit> {
    if let Some(file) = &args.report {
        return existing(args, file);
    }
    let project = project(manifest)?;
    let cases = args.cases.select(&args.settings, &project)?;
    let case = the_one(&cases)?;
    let device = session::machine_of(&cases)?;
    let show = Show::new(args.message_format, args.quiet, args.verbose);
    let events = |event: Event| show.event(&event);
    let setup = Setup { project: &project, device: &device, lanes: &[], now_s: now_s(), events: &events };
    let profile = session::profile::profile(&setup, case, &how(args))?;
    show.done();
    if args.message_format == MessageFormat::Json {
        out_message(&Message::Profiled(Box::new(said(&case.id, &profile))));
    } else {
        print(args, &profile);
    }
    Ok(Exit::Ok)
}

fn how(args: &ProfileArgs) -> ProfileHow {
    let (tool, requests) = match args.tool {
        ToolArg::Nsys => (ProfilerTool::Nsys, 10),
        ToolArg::Ncu => (ProfilerTool::Ncu, 1),
    };
    ProfileHow {
        tool,
        requests: args.iterations.unwrap_or(requests),
        nvtx: match args.nvtx {
            NvtxArg::None => NvtxDetail::None,
            NvtxArg::Layers => NvtxDetail::Layers,
            NvtxArg::Detailed => NvtxDetail::Detailed,
        },
        gpu_metrics: args.gpu_metrics,
        output: args.output.clone(),
        print_only: args.print_command,
    }
}

/// A profiler looks at one process.
fn the_one(cases: &[Case]) -> Result<&Case> {
    match cases {
        [case] => Ok(case),
        [] => Err(Failure::usage("no case to profile").next("name one, or a model's file")),
        many => {
            let ids = many.iter().map(|case| case.id.clone()).collect();
            Err(Failure::usage(format!("{} cases are selected, and one is profiled at a time", many.len()))
                .parts(ids)
                .next("name one of them with --exact, or choose with --scenario latency"))
        }
    }
}

fn print(args: &ProfileArgs, profile: &CaseProfile) {
    let Some(recorded) = &profile.recorded else {
        // To be copied, so it stays one line.
        out_json(&printable::row(&profile.command));
        return;
    };
    match &recorded.tables {
        Some((_, table)) => out(&report::kernels(table, args.verbose, width())),
        None => out(&format!("the report: ncu --import {}\n", shown(&recorded.report))),
    }
    if args.quiet {
        return;
    }
    note(&format!("{}, around {}", profile.version, requests(recorded.run.requests)));
    if recorded.run.captured_in_profile {
        note(
            "the CUDA graph was captured while the profiler recorded, so that its kernels have layers; \
              the first launch is in the report, too",
        );
    }
    note(&format!("report: {}", shown(&recorded.report)));
    if let Some((database, _)) = &recorded.tables {
        note(&format!("as tables: {}", shown(database)));
    }
}

fn requests(n: u64) -> String {
    plural(usize::try_from(n).unwrap_or(usize::MAX), "request")
}

fn said(id: &str, profile: &CaseProfile) -> CaseProfiled {
    let recorded = profile.recorded.as_ref();
    let tables = recorded.and_then(|recorded| recorded.tables.as_ref());
    CaseProfiled {
        case: Some(id.to_owned()),
        command: Some(profile.command.clone()),
        version: Some(profile.version.clone()),
        report: recorded.map(|recorded| json::path(&recorded.report)),
        database: tables.map(|(database, _)| json::path(database)),
        kernels: tables.map(|(_, table)| table.into()),
    }
}

/// A report that was made before.
fn existing(args: &ProfileArgs, file: &Path) -> Result<Exit> {
    let table = KernelTable::of(&session::profile::read(file)?);
    if args.message_format == MessageFormat::Json {
        out_message(&Message::Profiled(Box::new(CaseProfiled {
            case: None,
            command: None,
            version: None,
            report: None,
            database: Some(json::path(file)),
            kernels: Some((&table).into()),
        })));
    } else {
        out(&report::kernels(&table, args.verbose, width()));
    }
    Ok(Exit::Ok)
}
