//! The two arms of a check: two commits, two settings of one work tree, or two engine files.
//!
//! The base's sources are extracted below the target folder; the work tree is never touched.

use super::CheckArgs;
use crate::base::{self, CiEvent};
use crate::baseline::Store;
use crate::case::{self, BackendKind, Case};
use crate::cli::{args, note, shown};
use crate::config::{Overrides, Project, parse_override};
use crate::engine;
use crate::error::{Failure, FailureKind, Result};
use crate::git::Repo;
use crate::record::{Source, short};
use crate::session::check::Side;
use crate::session::{host, source};
use crate::units::plural;
use std::path::{Path, PathBuf};

/// Base trees kept below the target folder.
const KEPT_TREES: usize = 3;

/// The arms that the options mean.
pub fn find(args: &CheckArgs, project: &Project) -> Result<Arms> {
    match (&args.base_engine, &args.head_engine) {
        (Some(base), Some(head)) => of_engines(args, project, base, head),
        _ if !args.base_config.is_empty() || !args.head_config.is_empty() => of_settings(args, project),
        _ => of_commits(args, project),
    }
}

/// Both sides of a check, and how to call them.
pub struct Arms {
    pub base: Side,
    pub head: Side,
    pub stored: PathBuf,
    pub base_label: String,
    pub head_label: String,
}

/// Two engine files, as they are.
fn of_engines(args: &CheckArgs, project: &Project, base: &Path, head: &Path) -> Result<Arms> {
    let overrides = args.settings.overrides()?;
    let name = head
        .file_stem()
        .map_or_else(|| "engine".into(), |s| s.to_string_lossy().chars().take(12).collect::<String>());
    let side = |path: &Path| -> Result<Side> {
        let mut model = project.ad_hoc(path, &overrides)?;
        // Both arms are one case, though their files have different names.
        model.name.clone_from(&name);
        let mut cases = case::cases(&[model], host());
        let kind = backend_of(path)?;
        cases.iter_mut().for_each(|c| {
            c.engine = Some(c.model.clone());
            c.target.kind = kind;
        });
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

/// The backend that an engine file was built by.
fn backend_of(path: &Path) -> Result<BackendKind> {
    let next = "name a file below target/trt-perf/engines";
    let (header, _) = engine::read(path).map_err(|f| f.next(next))?;
    BackendKind::of_word(&header.made_from.backend).ok_or_else(|| {
        let what = format!("the engine {} is of the backend {}", path.display(), header.made_from.backend);
        Failure::usage(format!("{what}, which this version has not")).next(next)
    })
}

/// Same sources, other settings.
fn of_settings(args: &CheckArgs, project: &Project) -> Result<Arms> {
    let source = match Repo::discover(&project.root)? {
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
fn of_commits(args: &CheckArgs, project: &Project) -> Result<Arms> {
    let repo = Repo::discover(&project.root)?.ok_or_else(|| {
        Failure::usage(format!("{} is in no git repository, so there is no base to check against", project.root.display()))
            .next("compare settings with --base-config and --head-config, or stored records with `cargo trt-perf compare`")
    })?;
    let head = repo.head()?.ok_or_else(|| {
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
    let exclude = repo.relative(&project.baselines())?;
    let base_source = Source {
        src_tree: repo.src_tree(&base.commit.id, &exclude)?,
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
        let extracted = repo.extract_tree(commit, tree)?;
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
    let root = repo.relative(&project.root)?;
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
        args::merge(
            &mut overrides.settings,
            parse_override(arg).map_err(|e| Failure::usage(e).context("--base-config or --head-config"))?,
        );
    }
    Ok(case::cases(&project.models(&args.package, &overrides)?, host()))
}
