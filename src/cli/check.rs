//! The `check` verb: compares two commits, settings or engines, and fails where the head is worse.

use super::args::{self, LaneArgs, SettingArgs};
use super::cases::CaseArgs;
use super::exit::Exit;
use super::show::Show;
use super::verdict::{ShownVerdict, VerdictArgs, publish};
use super::{note, now_s, project, shown};
use crate::case::Partition;
use crate::config::{Overrides, parse_override};
use crate::error::{Failure, Result};
use crate::outcome::{Event, OnMissing};
use crate::session::check::{Asked, Between, CheckPlan, Named, check, find_arms};
use crate::session::expected::ExpectedTime;
use crate::session::kept::KeptCheck;
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
    /// For each case: begin no look that would end after this, judged by its first pair
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
    /// Check this part of the cases: hash:K/N or count:K/N, K from 1; `merge` makes one verdict of all parts
    #[arg(long, value_name = "PART")]
    partition: Option<Partition>,
    /// Write what was measured to this file, too, which `merge` and `rejudge` read
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    #[command(flatten)]
    verdict: VerdictArgs,
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
    let show = Show::new(args.verdict.message_format, args.verdict.quiet, false);
    let arms = find_arms(&asked(args)?, &project, &|event: Event| show.event(&event))?;
    let machines = machines_of(arms.cases(), &args.lanes.devices)?;
    let Machine { device, lanes } = only_kind(machines, "a check gives one verdict")?;
    let expected = ExpectedTime::of_check(&arms.head_of(args.partition), &looks);
    let show = show.expecting(expected.in_lanes(lanes.len()));
    let events = |event: Event| show.event(&event);
    if args.verdict.talks() {
        note(&format!("base: {}", arms.base.name));
        note(&format!("head: {}", arms.head.name));
    }
    let setup = Setup { project: &project, device: &device, lanes: &lanes, now_s: now_s(), events: &events };
    let plan = CheckPlan {
        looks,
        on_missing: args.on_missing.into(),
        explain: args.explain,
        partition: args.partition,
        settings: settings(args)?,
    };
    let KeptCheck { evidence, checked, text, path, lost } = check(&setup, &arms, plan)?;
    show.done();
    let judged = ShownVerdict {
        evidence: &evidence,
        checked: &checked,
        path: path.as_deref(),
        lost: &lost,
        copy: args.result.as_deref().map(|to| (to, text.as_str())),
        remark: None,
    };
    Ok(publish(&args.verdict, &project.folders, &judged))
}

/// What the command line sets, as JSON. Where TensorRT lies is each machine's own.
fn settings(args: &CheckArgs) -> Result<String> {
    let mut settings = args.settings.overrides()?.settings;
    settings.remove("tensorrt");
    Ok(serde_json::Value::Object(settings).to_string())
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
    Ok(Asked { cases: args.cases.asked(), between, use_cache: !args.no_cache })
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
