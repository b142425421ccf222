//! Finds the two arms of a check: two commits, two settings of one work tree, or two engine files.
//!
//! The base's sources are written into a private folder; the work tree is not touched.

use super::prepare::{difference, prepare};
use super::private::Private;
use super::trees::{Withheld, project_in, write_sources};
use crate::base::{self, BaseCommit, CiEvent};
use crate::baseline::Store;
use crate::case::{self, AskedCases, BackendKind, Case, Partition};
use crate::config::{Model, Overrides, Project, is_plan};
use crate::engine::{self, PlanHeader};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::git::{Commit, Repo};
use crate::record::{Source, short};
use crate::session::lock::lock_target;
use crate::session::source::{source, source_of};
use crate::session::{Event, Events, host, outside};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What somebody wants to check.
pub struct Asked<'a> {
    /// The cases that are meant, configured or named as files.
    pub cases: AskedCases,
    /// What is compared with what.
    pub between: Between<'a>,
    /// Whether engines of earlier checks may be used.
    pub use_cache: bool,
}

/// What is compared with what.
pub enum Between<'a> {
    /// This work tree with a commit: the named one, or the one that CI, the branches or the records mean.
    Commits {
        /// The revision that somebody named.
        base: Option<&'a str>,
        /// Settings of the command line, for both arms.
        overrides: Overrides,
    },
    /// This work tree with itself under other settings.
    Settings {
        /// The base's settings.
        base: Named<Overrides>,
        /// The head's settings.
        head: Named<Overrides>,
    },
    /// Two engine files, as they are.
    Engines {
        /// The base's file.
        base: Named<&'a Path>,
        /// The head's file.
        head: Named<&'a Path>,
        /// Settings of the command line, for both arms.
        overrides: Overrides,
    },
}

/// Something, and what a report calls it.
pub struct Named<T> {
    /// What a report calls it.
    pub name: String,
    /// The thing itself.
    pub what: T,
}

/// Both arms of a check.
#[derive(Clone)]
pub struct Arms {
    /// What is compared with.
    pub base: BaseArm,
    /// What is judged.
    pub head: HeadArm,
    /// Two commits, of which head is judged; otherwise an experiment.
    pub of_commits: bool,
    /// How the commands that prepare them differ, in words.
    pub prepare_differs: Option<String>,
    /// Where the base's sources and all engines are.
    pub(in crate::session) private: Arc<Private>,
}

impl Arms {
    /// The ids of all cases of either arm.
    pub fn ids(&self) -> BTreeSet<&str> {
        let base = self.base.cases.as_deref().unwrap_or_default();
        base.iter().chain(&self.head.cases).map(|case| case.id.as_str()).collect()
    }

    /// Those of a part; all without one.
    pub fn ids_of(&self, part: Option<Partition>) -> BTreeSet<&str> {
        let ids = self.ids();
        part.map_or_else(|| ids.clone(), |part| part.take(&ids))
    }

    /// Head's cases of a part; all without one.
    pub fn head_of(&self, part: Option<Partition>) -> Vec<Case> {
        let mine = self.ids_of(part);
        self.head.cases.iter().filter(|case| mine.contains(case.id.as_str())).cloned().collect()
    }

    /// The cases that say which machine is measured: the base's where head has none left.
    pub fn cases(&self) -> &[Case] {
        match self.head.cases.as_slice() {
            [] => self.base.cases.as_deref().unwrap_or_default(),
            cases => cases,
        }
    }
}

/// What is compared with.
#[derive(Clone)]
pub struct BaseArm {
    /// What a report calls it.
    pub name: String,
    /// Its commit and source tree; `None` where it has none.
    pub source: Option<Source>,
    /// Its cases, or why there are none.
    pub cases: Result<Vec<Case>>,
    /// The baselines of the base: what a pull request adds to its own must not judge it.
    pub stored: PathBuf,
}

/// What is judged.
#[derive(Clone)]
pub struct HeadArm {
    /// What a report calls it.
    pub name: String,
    /// Its commit and source tree; `None` where it has none.
    pub source: Option<Source>,
    /// Its cases.
    pub cases: Vec<Case>,
}

impl BaseArm {
    /// Why a case that only head has is not here.
    pub(super) fn why_not(&self) -> &str {
        self.cases.as_ref().err().map_or("the base has no such case", |f| f.message.as_str())
    }
}

/// Finds what is to be compared. The sources of a commit are extracted and prepared for that, which can take a while.
pub fn find_arms(asked: &Asked, project: &Project, events: Events) -> Result<Arms> {
    let private = Arc::new(Private::make(&project.root, asked.use_cache, events)?);
    let finder = Finder { asked, project, private, events };
    match &asked.between {
        Between::Commits { base, overrides } => finder.of_commits(*base, overrides),
        Between::Settings { base, head } => finder.of_settings(base, head),
        Between::Engines { base, head, overrides } => finder.of_engines(base, head, overrides),
    }
}

struct Finder<'a> {
    asked: &'a Asked<'a>,
    project: &'a Project,
    private: Arc<Private>,
    events: Events<'a>,
}

/// The backend that built an engine file.
fn built_by(path: &Path) -> Result<BackendKind> {
    let next = "name an engine file, as `cargo trt-perf build` writes and names them";
    let (header, _) = engine::read(path).map_err(|f| f.next(next))?;
    BackendKind::of_word(&header.made_from.backend).ok_or_else(|| {
        let what = format!("the engine {} is of the backend {}", path.display(), header.made_from.backend);
        Failure::usage(format!("{what}, which this version has not")).next(next)
    })
}

/// Whether it is named as a plan and begins as one; our own engine files have the same ending.
fn is_foreign_plan(path: &Path) -> Result<bool> {
    Ok(is_plan(path) && PlanHeader::of(&file::read(path, &file::PLAN)?).is_ok())
}

impl Finder<'_> {
    fn of_engines(&self, base: &Named<&Path>, head: &Named<&Path>, overrides: &Overrides) -> Result<Arms> {
        let stem = head.what.file_stem();
        let name: String =
            stem.map_or_else(|| "engine".into(), |s| s.to_string_lossy().chars().take(12).collect());
        let cases = |path: &Path| -> Result<Vec<Case>> {
            let mut model = self.project.ad_hoc(path, overrides)?;
            // Both arms are one case, though their files have different names.
            model.name.clone_from(&name);
            let mut cases = case::cases(&[model], host());
            // A plan that somebody else made is a model like any other: the build phase makes an engine file of it.
            if is_foreign_plan(path)? {
                return Ok(cases);
            }
            let kind = built_by(path)?;
            for case in &mut cases {
                case.engine = Some(case.model.clone());
                (case.target.kind, case.target_why) = (kind, "it built the engine");
            }
            Ok(cases)
        };
        let base = BaseArm {
            name: base.name.clone(),
            source: None,
            cases: Ok(cases(base.what)?),
            stored: self.project.baselines(),
        };
        let head = HeadArm { name: head.name.clone(), source: None, cases: cases(head.what)? };
        Ok(self.arms(base, head, None))
    }

    fn arms(&self, base: BaseArm, head: HeadArm, prepare_differs: Option<String>) -> Arms {
        let of_commits = matches!(self.asked.between, Between::Commits { .. });
        Arms { base, head, of_commits, prepare_differs, private: Arc::clone(&self.private) }
    }

    fn of_settings(&self, base: &Named<Overrides>, head: &Named<Overrides>) -> Result<Arms> {
        let baselines = self.project.baselines();
        let source = match Repo::discover(&self.project.root)? {
            Some(repo) => source(&repo, &baselines)?,
            None => None,
        };
        let cases = |overrides| self.asked.cases.models(self.project, overrides)?.cases(host());
        let base = BaseArm {
            name: base.name.clone(),
            source: source.clone(),
            cases: Ok(cases(&base.what)?),
            stored: baselines,
        };
        let head = HeadArm { name: head.name.clone(), source, cases: cases(&head.what)? };
        Ok(self.arms(base, head, None))
    }

    fn of_commits(&self, base: Option<&str>, overrides: &Overrides) -> Result<Arms> {
        let (repo, head) = repo_and_head(self.project)?;
        let baselines = self.project.baselines();
        let source = source(&repo, &baselines)?;
        let dirty = source.as_ref().is_some_and(|s| s.dirty);
        let event = ci_event()?;
        let base = base::find(&repo, &head, dirty, base, event.as_ref(), &Store::new(baselines))?;
        self.prepare_head()?;
        // A shape that names one of head's models is of no input of the base's.
        let overrides = &overrides.knowing(self.project, &self.asked.cases.files);
        let asked = self.asked.cases.models(self.project, overrides)?;
        let (base, prepare_differs) = self.base_of_commit(&repo, &base, overrides, &asked.files)?;
        let cases = match asked.cases(host()) {
            // What head does not have any more must not hide that the base has it.
            Err(f) if f.kind == FailureKind::Nothing && base.cases.iter().flatten().next().is_some() => {
                asked.cases_there(host())?
            }
            selected => selected?,
        };
        let changes = if dirty { " with changes beside it" } else { "" };
        let head = HeadArm { name: format!("{}{changes}", short(&head.id)), source, cases };
        Ok(self.arms(base, head, prepare_differs))
    }

    /// Runs head's command in the checkout, whose models another session may be measuring. The lock is given back before the
    /// check takes it as a session.
    fn prepare_head(&self) -> Result<()> {
        let project = self.project;
        let _turn = project.prepare()?.map(|_| lock_target(&project.folders, self.events)).transpose()?;
        prepare(project, "head", self.events)
    }

    /// The base as it was committed, and how the command that prepares it differs from head's. Where its sources or models
    /// are missing there may still be stored numbers. `files`: those that are named, as head has them.
    fn base_of_commit(
        &self,
        repo: &Repo,
        base: &BaseCommit,
        overrides: &Overrides,
        files: &[Model],
    ) -> Result<(BaseArm, Option<String>)> {
        let commit = &base.commit.id;
        let (tree, root) = (self.private.base(), repo.relative(&self.project.root)?);
        let written = write_sources(repo, commit, &tree);
        let missing = written.iter().flatten().map(Withheld::of_the_base).collect::<Vec<_>>();
        missing.iter().for_each(|text| (self.events)(Event::Note { text }));
        let project = written.and_then(|_| project_in(&tree.join(&root), self.project));
        let stored = project.as_ref().map_or_else(|_| tree.join(root).join("baselines"), Project::baselines);
        let source = source_of(repo, commit.clone(), &self.project.baselines())?;
        let differs = project.as_ref().ok().and_then(|base| difference(base, self.project));
        differs.iter().for_each(|text| (self.events)(Event::Note { text }));
        let cases = project.and_then(|project| {
            prepare(&project, "base", self.events)?;
            let configured = self.asked.cases.configured(&project, overrides)?;
            let files = files.iter().filter_map(|model| self.in_base(repo, model)).collect();
            // A filter may well select none here.
            configured.with_files(files).cases_there(host())
        });
        if let Err(f) = &cases
            && f.kind == FailureKind::Interrupted
        {
            return Err(f.clone());
        }
        // What is missing may be why.
        let cases =
            cases.map_err(|f| Failure { message: [vec![f.message], missing].concat().join("; "), ..f });
        Ok((BaseArm { name: base.label(), source: Some(source), cases, stored }, differs))
    }

    /// A file of the work tree as the base's tree has it; `None` where that has none: the model is new.
    fn in_base(&self, repo: &Repo, model: &Model) -> Option<Model> {
        if let Some(text) = outside(repo, &model.path) {
            (self.events)(Event::Note { text: &text });
        }
        let Some(place) = repo.place(&model.path) else { return Some(model.clone()) };
        let path = self.private.base().join(place);
        path.is_file().then(|| Model { path, ..model.clone() })
    }
}

fn repo_and_head(project: &Project) -> Result<(Repo, Commit)> {
    let repo = Repo::discover(&project.root)?.ok_or_else(|| {
        Failure::usage(format!("{} is in no git repository, so there is no base to check against", project.root.display()))
            .next("compare settings with --base-config and --head-config, or stored records with `cargo trt-perf compare`")
    })?;
    let head = repo.head()?.ok_or_else(|| {
        Failure::new(FailureKind::Nothing, "this repository has no commit yet").next("commit first")
    })?;
    Ok((repo, head))
}

/// What GitHub Actions says of why it runs.
fn ci_event() -> Result<Option<CiEvent>> {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let (Some(name), Some(path)) = (var("GITHUB_EVENT_NAME"), var("GITHUB_EVENT_PATH")) else {
        return Ok(None);
    };
    let payload = file::text(path.as_ref(), &file::CI_EVENT)?;
    Ok(Some(CiEvent { name, reference: var("GITHUB_REF").unwrap_or_default(), payload }))
}
