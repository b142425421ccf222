//! The command line: clap types, one small file per verb, and the only place that prints.

mod args;
mod backfill;
mod baseline;
mod bisect;
mod build;
mod calibrate;
mod called;
mod cases;
mod check;
mod compare;
mod discover;
pub mod doctor;
mod exit;
mod export;
mod files;
mod history;
mod import;
pub mod init;
mod keep;
mod layers;
mod memory;
mod merge;
mod profile;
mod rejudge;
mod report;
mod run;
mod shell;
mod show;
mod stopped;
mod verdict;

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::message::Message;
use crate::ours::ensure_ours;
use crate::printable::{self, BOLD_RED, RESET};
use crate::report::fold;
use crate::{child, worker};
use clap::error::{ContextKind, ContextValue};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use exit::Exit;
use files::write_file;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use stopped::LogStream;

/// Nothing can be read in fewer.
const LEAST_COLUMNS: usize = 20;

/// Did this commit make inference slower?
///
/// Builds inference engines in one phase, measures only the load-and-infer phase in fresh processes, keeps
/// baselines per git commit, and compares latency and throughput with statistics.
#[derive(Parser)]
#[command(name = "cargo-trt-perf", bin_name = "cargo trt-perf", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// The Cargo.toml of the workspace, or a trt-perf.toml (default: found from the current folder)
    #[arg(long, global = true, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// When to use colours (default: CARGO_TERM_COLOR, then where a terminal shows them)
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<ColorChoice>,
}

/// What each does is told where its arguments are.
#[derive(Subcommand)]
enum Verb {
    Run(Box<run::RunArgs>),
    Discover(Box<discover::DiscoverArgs>),
    Build(Box<build::BuildArgs>),
    Check(Box<check::CheckArgs>),
    Merge(merge::MergeArgs),
    Rejudge(rejudge::RejudgeArgs),
    Memory(Box<memory::MemoryArgs>),
    Compare(compare::CompareArgs),
    Profile(Box<profile::ProfileArgs>),
    /// Make records of what other programs measured
    #[command(subcommand)]
    Import(import::ImportVerb),
    /// Write what was recorded in the formats of other programs
    #[command(subcommand)]
    Export(export::ExportVerb),
    Layers(Box<layers::LayersArgs>),
    History(history::HistoryArgs),
    Backfill(Box<backfill::BackfillArgs>),
    Bisect(Box<bisect::BisectArgs>),
    Report(report::ReportArgs),
    /// Keep records in baselines/, to be committed
    #[command(subcommand)]
    Baseline(baseline::BaselineVerb),
    Calibrate(Box<calibrate::CalibrateArgs>),
    Doctor(doctor::DoctorArgs),
    Init(init::InitArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Parses the command line, does what it says, and returns the exit code.
pub fn main(mut args: Vec<OsString>) -> ExitCode {
    called::remember(&mut args);
    let command = called::in_help(Cli::command());
    let cli = match command.try_get_matches_from(args).and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(e) => {
            let e = suggesting(e);
            // A reader that closed the pipe wants no more.
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    colours(cli.color);
    let manifest = cli.manifest_path.as_deref();
    let outcome = match cli.verb {
        Verb::Run(args) => handle_signals().and_then(|()| run::run(&args, manifest)),
        Verb::Discover(args) => handle_signals().and_then(|()| discover::run(&args, manifest)),
        Verb::Build(args) => handle_signals().and_then(|()| build::run(&args, manifest)),
        Verb::Check(args) => handle_signals().and_then(|()| check::run(&args, manifest)),
        Verb::Merge(args) => merge::run(&args, manifest),
        Verb::Rejudge(args) => rejudge::run(&args, manifest),
        Verb::Memory(args) => handle_signals().and_then(|()| memory::run(&args, manifest)),
        Verb::Compare(args) => compare::run(&args, manifest),
        Verb::Profile(args) => handle_signals().and_then(|()| profile::run(&args, manifest)),
        Verb::Import(verb) => import::run(&verb, manifest),
        Verb::Export(verb) => export::run(&verb, manifest),
        Verb::Layers(args) => handle_signals().and_then(|()| layers::run(&args, manifest)),
        Verb::History(args) => history::run(&args, manifest),
        Verb::Backfill(args) => handle_signals().and_then(|()| backfill::run(&args, manifest)),
        Verb::Bisect(args) => handle_signals().and_then(|()| bisect::run(&args, manifest)),
        Verb::Report(args) => report::run(&args, manifest),
        Verb::Baseline(verb) => baseline::run(&verb, manifest),
        Verb::Calibrate(args) => handle_signals().and_then(|()| calibrate::run(&args, manifest)),
        Verb::Doctor(args) => doctor::run(&args, manifest),
        Verb::Init(args) => init::run(&args, manifest),
        Verb::Completions(args) => shell::completions(&args, called::in_help(Cli::command())),
        Verb::Man(args) => shell::man(&args, called::in_help(Cli::command())),
    };
    let mut exit = outcome.unwrap_or_else(|f| report_failure(&f));
    if let Some(e) = UNWRITTEN.get() {
        let failed = report_failure(&Failure::io("write", Path::new("standard output"), e));
        exit = if exit == Exit::Ok { failed } else { exit };
    }
    stopped::end();
    exit.into()
}

/// The error with the verb that is near the one that there is not, where clap sees none.
fn suggesting(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        let command = Cli::command();
        let near = did_you_mean(verb, command.get_subcommands().map(clap::Command::get_name));
        if let Some(near) = near.map(str::to_owned) {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
        }
    }
    error
}

/// Says when to use colours: the option, else the variable that cargo itself reads.
fn colours(option: Option<ColorChoice>) {
    let variable = || {
        let word = std::env::var("CARGO_TERM_COLOR").ok()?;
        ColorChoice::from_str(&word, true).ok()
    };
    match option.or_else(variable) {
        Some(ColorChoice::Always) => anstream::ColorChoice::Always.write_global(),
        Some(ColorChoice::Never) => anstream::ColorChoice::Never.write_global(),
        _ => {}
    }
}

/// The worker's side of the executable.
pub fn worker(args: &[OsString]) -> ExitCode {
    let way = match args {
        [job, reply] => child::Way::Files { job: job.into(), reply: reply.into() },
        _ => child::Way::Pipes(args.first().and_then(|p| p.to_str()).and_then(|p| p.parse().ok())),
    };
    match child::run(&way) {
        Ok(()) => ExitCode::SUCCESS,
        Err(f) => {
            // The parent reads it.
            eprintln!("{f}");
            ExitCode::FAILURE
        }
    }
}

/// The first Ctrl-C stops the session in good order; the second ends the process.
fn handle_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        if worker::INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(exit::INTERRUPTED.into());
        }
    })
    .map_err(|e| Failure::new(FailureKind::Io, format!("cannot listen for Ctrl-C: {e}")))
}

/// The project that a command is about; its folders are its own.
fn project(manifest: Option<&Path>) -> Result<Project> {
    let project = Project::find(manifest)?;
    ensure_ours(&project)?;
    Ok(project)
}

fn report_failure(f: &Failure) -> Exit {
    err(&format!("{BOLD_RED}error{RESET}: {f}"));
    Exit::of(f.kind)
}

/// Columns of the terminal that a stream is; elsewhere what COLUMNS says, and else as many as there are.
fn columns(stream: impl AsFd) -> usize {
    let terminal = rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    let variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    let known = terminal.filter(|n| *n > 0).or_else(variable).filter(|n: &usize| *n > 0);
    known.map_or(usize::MAX, |n| n.max(LEAST_COLUMNS))
}

/// Columns for tables on standard output.
fn width() -> usize {
    columns(std::io::stdout())
}

/// As it is shown: with the name that the program has here, safe, and folded between words.
fn page(text: &str, width: usize) -> String {
    fold(&printable::page(&called::in_text(text)), width)
}

/// Prints text for people to standard output; a reader that went away (`| head`) is no error.
fn out(text: &str) {
    stopped::at(LogStream::Out);
    let mut to = anstream::stdout();
    written(write!(to, "{}", page(text, width())).and_then(|()| to.flush()));
}

/// Why standard output was not written. It is told at the end: what goes into files is written all the same.
static UNWRITTEN: OnceLock<std::io::Error> = OnceLock::new();

/// A reader that went away is no error; a disk that is full is one.
fn written(done: std::io::Result<()>) {
    if let Err(e) = done
        && e.kind() != ErrorKind::BrokenPipe
    {
        // The first is told.
        let _ = UNWRITTEN.set(e);
    }
}

/// Prints a message for machines to standard output.
fn out_message(message: &Message) {
    out_json(&message.line());
}

/// Prints a line for machines to standard output.
fn out_json(line: &str) {
    out_bytes(format!("{line}\n").as_bytes());
}

/// Prints bytes to standard output as they are.
fn out_bytes(bytes: &[u8]) {
    let mut to = std::io::stdout();
    written(to.write_all(bytes).and_then(|()| to.flush()));
}

/// Prints a remark to standard error: a line, and what belongs to it on indented ones.
fn note(text: &str) {
    let lines: Vec<String> = text.split("\n  ").map(printable::row).collect();
    err(&lines.join("\n  "));
}

/// Prints lines to standard error.
fn err(text: &str) {
    stopped::at(LogStream::Err);
    let _ = writeln!(anstream::stderr(), "{}", page(text, columns(std::io::stderr())));
}

/// The time of a session: seconds since 1970.
fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A path as people type it: relative to the current folder where it is below it.
fn shown(path: &Path) -> String {
    let cwd = std::env::current_dir().ok();
    let below = cwd.as_deref().and_then(|c| path.strip_prefix(c).ok());
    let path = below.filter(|p| !p.as_os_str().is_empty()).unwrap_or(path);
    printable::line(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_the_long_help_says_more() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some_and(|text| !text.to_string().is_empty()), "{name}");
            let verbs_of_its_own = command.has_subcommands() || name == "doctor";
            assert!(verbs_of_its_own || command.get_long_about().is_some(), "{name} has no long help");
        }
    }
}
