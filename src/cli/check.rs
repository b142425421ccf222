//! The `check` verb: compares two commits, settings or engines, and fails where the head is worse.

use super::args::{self, LaneArgs, MessageFormat, SettingArgs};
use super::cases::CaseArgs;
use super::exit::{Exit, ExitPolicy};
use super::html::write_page;
use super::show::Show;
use super::{note, now_s, out, out_message, project, shown, stopped, width, write_report};
use crate::case::Case;
use crate::config::{Overrides, Project, parse_override};
use crate::error::{Failure, Result};
use crate::message::Message;
use crate::outcome::{Event, OnMissing, Tally};
use crate::report::{CheckReport, github, html, json, junit, markdown, terminal};
use crate::session::check::{Asked, Between, CheckPlan, Named, check, find_arms};
use crate::session::details;
use crate::session::expected::ExpectedTime;
use crate::session::looks::Looks;
use crate::session::{Machine, Setup, machines_of, only_kind};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Measure this work tree against its base in one session, and fail on a confirmed regression
///
/// Both are measured as pairs of fresh processes. The base is --base, or what the CI event means, or the merge base
/// with the default branch, or the previous commit with a record. Its sources come out of git; the work tree is not
/// touched. The base's definitions and settings judge both: a case that is gone, redefined or not comparable fails the
/// check until it is accepted (`cargo trt-perf baseline accept`).
#[derive(Args)]
#[command(mut_arg("filters", |arg| arg.value_name("FILTER").help("Cases whose id contains one of these")))]
pub struct CheckArgs {
    #[command(flatten)]
    cases: CaseArgs,
    /// The base revision
    #[arg(long, value_name = "REV", conflicts_with_all = ["base_config", "head_config"])]
    base: Option<String>,
    /// A setting of the base arm only; both arms then are this work tree (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    base_config: Vec<String>,
    /// A setting of the head arm only; both arms then are this work tree (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    head_config: Vec<String>,
    /// An engine file as the base arm; nothing is built and no commit is looked for
    #[arg(long, value_name = "FILE", requires = "head_engine", conflicts_with_all = ["base", "base_config", "head_config", "filters"])]
    base_engine: Option<PathBuf>,
    /// An engine file as the head arm
    #[arg(long, value_name = "FILE", requires = "base_engine")]
    head_engine: Option<PathBuf>,
    /// Build every engine, also those that an earlier check of yours built
    #[arg(long)]
    no_cache: bool,
    /// Exactly this many pairs per case, instead of looks at 5, 8, 12 and 20
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// Begin no look of a case that would end after this, judged by its first pair
    #[arg(long, value_name = "TIME")]
    max_time: Option<crate::units::Nanos>,
    /// Two-sided error rate over all looks: 0.05 or 0.01
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Seed of the order of the arms (default: from the clock; it is printed)
    #[arg(long, value_name = "N")]
    order_seed: Option<u64>,
    /// When something is missing to compare: the base cannot be measured, or a case is gone, redefined or not comparable
    #[arg(long, value_enum, default_value = "fail", value_name = "WHAT")]
    on_missing: Missing,
    /// Measure the layers of both arms of every case, and print the three that explain most; without it, where a case
    /// regressed (backend tensorrt)
    #[arg(long)]
    explain: bool,
    /// Also exit with 102 when a case is inconclusive
    #[arg(long)]
    strict: bool,
    /// Write the report as markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the cases as JUnit XML, too: what fails the check is a failure or an error there
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as one HTML page with pictures, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the result as JSON lines, too: what --message-format json says of it, without the progress
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the table at the end, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    lanes: LaneArgs,
    #[command(flatten)]
    settings: SettingArgs,
}

/// What to do where something is missing to compare.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Missing {
    /// Exit with 4
    Fail,
    /// Say so and go on
    Warn,
    /// Where the base cannot be measured, measure head alone, so that its record can become a baseline, and go on
    Measure,
}

/// Runs the verb.
pub fn run(args: &CheckArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = project(manifest)?;
    let looks = Looks {
        pairs: args.pairs,
        max_time: args.max_time.map(crate::units::Nanos::duration),
        alpha: args.alpha,
        seed: args.order_seed.unwrap_or_else(clock_seed),
        after: 0,
    };
    looks.check()?;
    let show = Show::new(args.message_format, args.quiet, false);
    let arms = find_arms(&asked(args)?, &project, &|event: Event| show.event(&event))?;
    let machines = machines_of(arms.cases(), &args.lanes.devices)?;
    let Machine { device, lanes } = only_kind(machines, "a check gives one verdict")?;
    let show = show.expecting(ExpectedTime::of_check(&arms.head.cases, &looks).in_lanes(lanes.len()));
    let events = |event: Event| show.event(&event);
    if args.message_format == MessageFormat::Human && !args.quiet {
        note(&format!("base: {}", arms.base.name));
        note(&format!("head: {}", arms.head.name));
    }
    let setup = Setup { project: &project, device: &device, lanes: &lanes, now_s: now_s(), events: &events };
    let checked =
        check(&setup, &arms, CheckPlan { looks, on_missing: args.on_missing.into(), explain: args.explain })?;
    show.done();
    let tally = Tally::of_check(&checked);
    // A gate must not pass on numbers that cannot be trusted.
    let gate = ExitPolicy { fail_on_regression: true, strict: args.strict || tally.invalid > 0 };
    let report = CheckReport {
        base: &arms.base.name,
        head: &arms.head.name,
        device: &device.key,
        seed: looks.seed,
        checked: &checked,
    };
    let exit = gate.exit(tally);
    let mut messages = json::checked(&checked);
    messages.push(Message::CheckFinished(json::check_finished(&report, tally, exit.code())));
    publish(args, &project, &report, &arms.head.cases, &messages)?;
    // Last: who reads that the check finished has all its files.
    if args.message_format == MessageFormat::Json {
        messages.iter().for_each(out_message);
    }
    Ok(exit)
}

impl From<Missing> for OnMissing {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Fail => Self::Fail,
            Missing::Warn => Self::Warn,
            Missing::Measure => Self::Measure,
        }
    }
}

/// What the options ask for.
fn asked(args: &CheckArgs) -> Result<Asked<'_>> {
    let between = match (args.base_engine.as_deref(), args.head_engine.as_deref()) {
        (Some(base), Some(head)) => {
            let named = |path| Named { name: shown(path), what: path };
            let overrides = args.settings.overrides()?;
            Between::Engines { base: named(base), head: named(head), overrides }
        }
        _ if !args.base_config.is_empty() || !args.head_config.is_empty() => Between::Settings {
            base: with_settings(args, &args.base_config)?,
            head: with_settings(args, &args.head_config)?,
        },
        _ => Between::Commits { base: args.base.as_deref(), overrides: args.settings.overrides()? },
    };
    let (files, filter) = args.cases.split();
    Ok(Asked { filter, files, packages: &args.cases.package, between, use_cache: !args.no_cache })
}

/// This work tree with `extra` settings.
fn with_settings(args: &CheckArgs, extra: &[String]) -> Result<Named<Overrides>> {
    let mut overrides = args.settings.overrides()?;
    for arg in extra {
        let setting =
            parse_override(arg).map_err(|e| Failure::usage(e).context("--base-config or --head-config"))?;
        args::merge(&mut overrides.settings, setting);
    }
    let name = match extra {
        [] => "this work tree".to_owned(),
        _ => format!("this work tree with {}", extra.join(", ")),
    };
    Ok(Named { name, what: overrides })
}

/// A different order each time, unless it is asked for.
pub fn clock_seed() -> u64 {
    jiff::Timestamp::now().as_nanosecond() as u64
}

/// Text for people, files, and what GitHub shows.
fn publish(
    args: &CheckArgs,
    project: &Project,
    report: &CheckReport,
    cases: &[Case],
    messages: &[Message],
) -> Result<()> {
    if args.message_format == MessageFormat::Human {
        out(&terminal::check(report, args.quiet, width()));
        if !args.quiet {
            report.checked.written.iter().for_each(|p| note(&format!("record: {}", shown(p))));
        }
    }
    if let Some(path) = &args.json {
        let failed = json::failed(report.checked);
        let lines: String = failed.iter().chain(messages).map(|m| m.line() + "\n").collect();
        write_report(path, &lines)?;
    }
    let text = markdown::check(report);
    if let Some(path) = &args.markdown {
        write_report(path, &text)?;
    }
    if let Some(path) = &args.junit {
        write_report(path, &junit::check(report, args.strict))?;
    }
    if let Some(path) = &args.html {
        let details = details::of_check(&project.folders, report.checked);
        write_page(path, &html::check(report, &details)?)?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) {
            append(&path, github::summary(&text))
                .map_err(|e| Failure::io("append the summary to", &path, &e))?;
        }
        // Workflow commands are read from standard output; JSON readers get theirs undisturbed.
        if args.message_format == MessageFormat::Human {
            stopped::commands(&github::annotations(report, cases, &project.root));
        }
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
