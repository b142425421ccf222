//! `cargo trt-perf check`: the gate.

use super::args::{MessageFormat, SettingArgs};
use super::exit::{Exit, Tally};
use super::show::Show;
use super::{note, out, shown};
use crate::acceptance::Standing;
use crate::base::{self, CiEvent};
use crate::baseline::Store;
use crate::case::{self, Case};
use crate::config::{Overrides, Project, parse_override};
use crate::device::{self, Device};
use crate::error::{Failure, FailureKind, Result};
use crate::git::Repo;
use crate::record::{Source, short};
use crate::report::{CheckReport, github, json, markdown, terminal};
use crate::session::check::{How, OnMissing, Plan, Side, check};
use crate::session::pairs::Looks;
use crate::session::source;
use crate::units::plural;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Base trees kept below the target folder.
const KEPT_TREES: usize = 3;

/// Measures this work tree against its base, as pairs of fresh processes, and fails on a confirmed regression.
///
/// The base is --base, or what the CI event means, or the merge base with the default branch, or the previous commit
/// with a record. Its sources come out of git; the work tree is not touched.
#[derive(Args)]
pub struct CheckArgs {
    /// Cases whose id contains one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Filters must equal the whole id
    #[arg(long)]
    exact: bool,
    /// Only models of this package (may be repeated)
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,
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
    /// Exactly this many pairs per case, instead of looks at 5, 8, 12 and 20
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// Begin no further look of a case that would end after this
    #[arg(long, value_name = "TIME")]
    max_time: Option<crate::units::Nanos>,
    /// Two-sided error rate over all looks: 0.05 or 0.01
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Seed of the order of the arms (default: from the clock; it is printed)
    #[arg(long, value_name = "N")]
    order_seed: Option<u64>,
    /// When the base can neither be measured nor has stored numbers
    #[arg(long, value_enum, default_value = "fail", value_name = "WHAT")]
    on_missing: Missing,
    /// Also exit with 102 when a case is inconclusive
    #[arg(long)]
    strict: bool,
    /// Write the report as markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Only the table at the end, and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// What to do without a base.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Missing {
    /// Exit with 4
    Fail,
    /// Say so and go on
    Warn,
    /// Measure head alone, so that its record can become a baseline
    Measure,
}

pub fn run(args: &CheckArgs, manifest: Option<&Path>) -> Result<Exit> {
    let project = Project::find(manifest)?;
    let looks = Looks {
        pairs: args.pairs,
        max_time: args.max_time.map(|n| n.duration()),
        alpha: args.alpha,
        seed: args.order_seed.unwrap_or_else(clock_seed),
    };
    looks.check()?;
    let device = Device::with_gpus(Vec::new());
    let mut show = Show::new(args.message_format, args.quiet, false);
    let arms = match (&args.base_engine, &args.head_engine) {
        (Some(base), Some(head)) => arms_of_engines(args, &project, base, head)?,
        _ if !args.base_config.is_empty() || !args.head_config.is_empty() => {
            arms_of_settings(args, &project)?
        }
        _ => arms_of_commits(args, &project)?,
    };
    let plan = Plan {
        project: &project,
        base: arms.base,
        head: arms.head,
        stored: arms.stored,
        device: &device,
        looks,
        on_missing: match args.on_missing {
            Missing::Fail => OnMissing::Fail,
            Missing::Warn => OnMissing::Warn,
            Missing::Measure => OnMissing::Measure,
        },
        now_s: jiff::Timestamp::now().as_second(),
    };
    if args.message_format == MessageFormat::Human && !args.quiet {
        note(&format!("base: {}\nhead: {}", arms.base_label, arms.head_label));
    }
    let checked = check(&plan, &mut |event| show.event(&event))?;
    show.done();
    let tally = tally(args, &checked);
    let report = CheckReport {
        base: &arms.base_label,
        head: &arms.head_label,
        device: &device.key,
        seed: looks.seed,
        checked: &checked,
    };
    publish(args, &project, &report, plan.head.cases.as_deref().unwrap_or_default())?;
    let exit = if tally.exit() == Exit::Ok && missing(args, &checked) { Exit::Nothing } else { tally.exit() };
    if args.message_format == MessageFormat::Json {
        let fields = serde_json::json!({
            "records": checked.written, "failed": tally.failed, "regressed": tally.regressed,
            "accepted": checked.rows.values().filter(|r| matches!(r.accepted, Some(Standing::Honoured { .. }))).count(), "inconclusive": tally.inconclusive,
            "invalid": tally.invalid, "interrupted": tally.interrupted, "exit_code": exit.code(),
        });
        out(&format!("{}\n", json::message("check-finished", fields)));
    }
    Ok(exit)
}

/// A different order each time, unless it is asked for.
pub fn clock_seed() -> u64 {
    jiff::Timestamp::now().as_nanosecond() as u64
}

fn missing(args: &CheckArgs, checked: &crate::session::check::Checked) -> bool {
    matches!(args.on_missing, Missing::Fail)
        && checked.rows.values().any(|r| matches!(r.how, How::NoBase { new: false, .. }))
}

fn tally(args: &CheckArgs, checked: &crate::session::check::Checked) -> Tally {
    let mut tally = Tally {
        failed: checked.failed.len(),
        interrupted: checked.interrupted,
        fail_on_regression: true,
        strict: args.strict,
        ..Tally::default()
    };
    checked.rows.values().filter(|r| r.gates()).for_each(|r| tally.count(&r.comparison.verdict));
    // A gate must not pass on numbers that cannot be trusted.
    tally.strict |= tally.invalid > 0;
    tally
}

/// Text or JSON, markdown, and what GitHub shows.
fn publish(args: &CheckArgs, project: &Project, report: &CheckReport, cases: &[Case]) -> Result<()> {
    if args.message_format == MessageFormat::Human {
        out(&terminal::check(report, args.quiet));
        if !args.quiet {
            report.checked.written.iter().for_each(|p| note(&format!("record: {}", shown(p))));
        }
    } else {
        report
            .checked
            .rows
            .iter()
            .for_each(|(_, row)| out(&format!("{}\n", json::message("checked", json::row(row)))));
        for file in &report.checked.added {
            out(&format!("{}\n", json::message("added-baseline", json::added(file))));
        }
        for (id, (comparison, base)) in &report.checked.drifted {
            out(&format!(
                "{}\n",
                json::message(
                    "drift",
                    serde_json::json!({ "case": id, "base": base, "comparison": json::comparison(comparison, None) })
                )
            ));
        }
    }
    let text = markdown::check(report);
    if let Some(path) = &args.markdown {
        std::fs::write(path, &text).map_err(|e| Failure::io("write the report", path, &e))?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) {
            append(&path, github::summary(&text))
                .map_err(|e| Failure::io("append the summary to", &path, &e))?;
        }
        // Workflow commands are read from standard output; JSON readers get theirs undisturbed.
        if args.message_format == MessageFormat::Human {
            out(&github::annotations(report, cases, &project.root));
        }
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// Both sides of a check, and how to call them.
struct Arms {
    base: Side,
    head: Side,
    stored: PathBuf,
    base_label: String,
    head_label: String,
}

/// Two engine files, as they are.
fn arms_of_engines(args: &CheckArgs, project: &Project, base: &Path, head: &Path) -> Result<Arms> {
    let overrides = args.settings.overrides()?;
    let name = head
        .file_stem()
        .map_or_else(|| "engine".into(), |s| s.to_string_lossy().chars().take(12).collect::<String>());
    let side = |path: &Path| -> Result<Side> {
        let mut model = project.ad_hoc(path, &overrides)?;
        // Both arms are one case, though their files have different names.
        model.name.clone_from(&name);
        let mut cases = case::cases(&[model], device::usable_cpus());
        cases.iter_mut().for_each(|c| c.engine = Some(c.model.clone()));
        Ok(Side { source: None, cases: Ok(cases) })
    };
    Ok(Arms {
        base: side(base)?,
        head: side(head)?,
        stored: project.baselines(),
        base_label: shown(base),
        head_label: shown(head),
    })
}

/// Same sources, other settings.
fn arms_of_settings(args: &CheckArgs, project: &Project) -> Result<Arms> {
    let source = match Repo::discover(&project.root).map_err(git)? {
        Some(repo) => source(&repo, &project.baselines())?,
        None => None,
    };
    let side = |extra: &[String]| -> Result<Side> {
        let cases = case::select(cases(args, project, extra)?, &args.filters, args.exact)?;
        Ok(Side { source: source.clone(), cases: Ok(cases) })
    };
    let label = |extra: &[String]| {
        if extra.is_empty() {
            "this work tree".into()
        } else {
            format!("this work tree with {}", extra.join(", "))
        }
    };
    Ok(Arms {
        base: side(&args.base_config)?,
        head: side(&args.head_config)?,
        stored: project.baselines(),
        base_label: label(&args.base_config),
        head_label: label(&args.head_config),
    })
}

/// The base's sources out of git, against this work tree.
fn arms_of_commits(args: &CheckArgs, project: &Project) -> Result<Arms> {
    let repo = Repo::discover(&project.root).map_err(git)?.ok_or_else(|| {
        Failure::usage(format!("{} is in no git repository, so there is no base to check against", project.root.display()))
            .next("compare settings with --base-config and --head-config, or stored records with `cargo trt-perf compare`")
    })?;
    let head = repo.head().map_err(git)?.ok_or_else(|| {
        Failure::new(FailureKind::Nothing, "this repository has no commit yet").next("commit first")
    })?;
    let head_source = source(&repo, &project.baselines())?;
    let dirty = head_source.as_ref().is_some_and(|s| s.dirty);
    let base = base::find(
        &repo,
        &head,
        dirty,
        args.base.as_deref(),
        ci_event()?.as_ref(),
        &Store::new(project.baselines()),
    )?;
    prepare(project, "head")?;
    let head_cases = case::select(cases(args, project, &[])?, &args.filters, args.exact)?;
    let tree = project.target.join("trees").join(short(&base.commit.id));
    let base_project = extract(&repo, project, &base.commit.id, &tree);
    let stored = base_project.as_ref().map_or_else(|_| tree.join("baselines"), Project::baselines);
    let exclude = repo.relative(&project.baselines()).map_err(git)?;
    let base_source = Source {
        src_tree: repo.src_tree(&base.commit.id, &exclude).map_err(git)?,
        commit: base.commit.id.clone(),
        branch: None,
        dirty: false,
    };
    let base_cases = base_project.and_then(|p| {
        prepare(&p, "base")?;
        let all = cases(args, &p, &[])?;
        Ok(all.into_iter().filter(|c| c.matches(&args.filters, args.exact)).collect())
    });
    let changes = if dirty { " with changes beside it" } else { "" };
    Ok(Arms {
        base: Side { source: Some(base_source), cases: base_cases },
        head: Side { source: head_source, cases: Ok(head_cases) },
        stored,
        base_label: base.label(),
        head_label: format!("{}{changes}", short(&head.id)),
    })
}

fn git(e: crate::git::GitError) -> Failure {
    Failure::usage(e.to_string())
}

fn ci_event() -> Result<Option<CiEvent>> {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let (Some(name), Some(path)) = (var("GITHUB_EVENT_NAME"), var("GITHUB_EVENT_PATH")) else {
        return Ok(None);
    };
    let payload =
        std::fs::read_to_string(&path).map_err(|e| Failure::io("read the CI event", path.as_ref(), &e))?;
    Ok(Some(CiEvent { name, reference: var("GITHUB_REF").unwrap_or_default(), payload }))
}

/// The project as it was at `commit`, below the target folder. A tree that is there already is complete.
fn extract(repo: &Repo, project: &Project, commit: &str, tree: &Path) -> Result<Project> {
    if !tree.is_dir() {
        sweep(tree.parent().unwrap_or(tree));
        let extracted = repo.extract_tree(commit, tree).map_err(git)?;
        if !extracted.lfs_missing.is_empty() {
            let files: Vec<String> = extracted.lfs_missing.iter().map(|p| p.display().to_string()).collect();
            note(&format!(
                "note: the base's {} are in Git LFS and not here; run `git lfs fetch --all`",
                files.join(", ")
            ));
        }
        if !extracted.submodules.is_empty() {
            note(&format!(
                "note: the base's {} are not extracted",
                plural(extracted.submodules.len(), "submodule")
            ));
        }
    }
    let root = repo.relative(&project.root).map_err(git)?;
    let manifest = tree.join(root).join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::new(
            FailureKind::Nothing,
            "the base has no Cargo.toml where this project has one",
        ));
    }
    Project::find(Some(&manifest))
}

/// Keeps the newest trees, whose `prepare` may have been costly; older ones and interrupted extractions go.
fn sweep(trees: &Path) {
    let entries = std::fs::read_dir(trees).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    found.sort();
    let hidden = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    let (unfinished, mut whole): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, p)| hidden(p));
    whole.truncate(whole.len().saturating_sub(KEPT_TREES));
    for (_, path) in unfinished.into_iter().chain(whole) {
        // Only space is lost where this fails.
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Runs the configured `prepare` command in a tree; its output goes to standard error.
fn prepare(project: &Project, arm: &str) -> Result<()> {
    let Some(command) = project.prepare()? else { return Ok(()) };
    let Some((program, rest)) = command.split_first() else { return Ok(()) };
    note(&format!("preparing {arm}: {}", command.join(" ")));
    let fail = |what: String| {
        Failure::new(
            FailureKind::Build,
            format!("the prepare command of {arm} ({}) {what}", command.join(" ")),
        )
        .next(format!("run it by hand in {}", project.root.display()))
    };
    let status = std::process::Command::new(program)
        .args(rest)
        .current_dir(&project.root)
        .env("TRT_PERF_ARM", arm)
        .stdin(std::process::Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|e| fail(format!("cannot be started: {e}")))?;
    if status.success() { Ok(()) } else { Err(fail(format!("failed: {status}"))) }
}

/// The cases of one side; `extra` are settings of this side only.
fn cases(args: &CheckArgs, project: &Project, extra: &[String]) -> Result<Vec<Case>> {
    let mut overrides: Overrides = args.settings.overrides()?;
    for arg in extra {
        super::args::merge(
            &mut overrides.settings,
            parse_override(arg).map_err(|e| Failure::usage(e).context("--base-config or --head-config"))?,
        );
    }
    Ok(case::cases(&project.models(&args.package, &overrides)?, device::usable_cpus()))
}
