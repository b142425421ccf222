//! Measures commits of the past, each from a private tree of its own: nothing in the checkout is touched.
//!
//! All commits are asked what the work tree asks, or their numbers would not compare; what answers (model, backend, build
//! options, threads) is each commit's own. A commit from before there was a configuration answers with what the work tree
//! configures.

pub mod backfill;
pub mod bisect;

use super::check::{Private, Withheld, prepare, write_sources};
use super::source::source_of;
use super::{Event, Events, Setup, host, outside, tensor_sha256};
use crate::case::{self, Case};
use crate::config::{AD_HOC_PACKAGE, Overrides, Project};
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, Repo};
use crate::outcome::PastCommit;
use crate::pairing::{Pairing, pair};
use crate::record::{Source, short};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tempfile::TempDir;

/// What commits are asked.
pub struct PastAsked<'a> {
    /// The cases of the work tree.
    pub cases: &'a [Case],
    /// Only models of these packages; all, if none is named.
    pub packages: &'a [String],
    /// Settings of the command line, for every commit.
    pub overrides: Overrides,
    /// Whether engines of earlier checks may be used.
    pub use_cache: bool,
}

/// The repository, and the private folder that trees are written to.
struct Trees<'a> {
    asked: &'a PastAsked<'a>,
    project: &'a Project,
    repo: Repo,
    /// Where the project lies in the repository.
    root: PathBuf,
    private: Private,
    events: Events<'a>,
    /// What was said something about: that is done once, and not for each commit.
    said: RefCell<BTreeSet<String>>,
}

/// A commit's files, for as long as they are needed.
struct CommitTree {
    source: Source,
    /// Its configured cases; `None` where it has no configuration.
    configured: Option<Vec<Case>>,
    folder: TempDir,
}

impl<'a> Trees<'a> {
    fn open(setup: &Setup<'a>, asked: &'a PastAsked<'a>) -> Result<Self> {
        let Setup { project, events, .. } = *setup;
        let repo = Repo::discover(&project.root)?.ok_or_else(|| {
            Failure::usage(format!("{} is in no git repository, so it has no past", project.root.display()))
                .next("run `git init` and commit; or measure what is here with `cargo trt-perf run`")
        })?;
        let root = repo.relative(&project.root)?;
        let private = Private::make(&project.root, asked.use_cache, events)?;
        Ok(Self { asked, project, repo, root, private, events, said: RefCell::default() })
    }

    /// The files of a commit, prepared.
    fn tree(&self, commit: &Commit) -> Result<CommitTree> {
        let name = short(&commit.id);
        let folder = tempfile::Builder::new()
            .prefix("commit-")
            .tempdir_in(self.private.path())
            .map_err(|e| Failure::io("create a folder in", self.private.path(), &e))?;
        for Withheld { what, files } in write_sources(&self.repo, &commit.id, folder.path())? {
            self.say_once(what, &format!("{name} has {what}: {files} (other commits may, too)"));
        }
        let root = folder.path().join(&self.root);
        let configured = match Project::at(&root)?.filter(Project::is_configured) {
            Some(project) => {
                prepare(&project, name, self.events)?;
                Some(self.configured(&project)?)
            }
            None => None,
        };
        let source = source_of(&self.repo, commit.id.clone(), &self.project.baselines())?;
        Ok(CommitTree { source, configured, folder })
    }

    fn configured(&self, project: &Project) -> Result<Vec<Case>> {
        // Where only files are named, the configuration may say anything.
        if self.asked.cases.iter().all(is_ad_hoc) {
            return Ok(Vec::new());
        }
        Ok(case::cases(&project.models(self.asked.packages, &self.asked.overrides)?, host()))
    }

    /// A case of the work tree as a commit answers it.
    fn case_in(&self, tree: &CommitTree, asked: &Case) -> Result<Case> {
        let own = match tree.configured.as_ref().filter(|_| !is_ad_hoc(asked)) {
            Some(cases) => cases.iter().find(|c| c.id == asked.id).cloned().ok_or_else(|| {
                Failure::new(FailureKind::Nothing, format!("{} is not configured there", asked.id))
            })?,
            None => self.moved_to(tree, asked)?,
        };
        let Some(Pairing::Both(both)) =
            pair(std::slice::from_ref(asked), &[own], &tensor_sha256).into_iter().next()
        else {
            return Err(Failure::new(FailureKind::Nothing, format!("{} is not there", asked.id)));
        };
        if let Some(why) = both.apart {
            return Err(Failure::new(FailureKind::Nothing, format!("{}: {why}", asked.id)));
        }
        if !both.redefined.is_empty() {
            let what: Vec<String> = both.redefined.iter().map(ToString::to_string).collect();
            let said = format!("{}: commits asked something else ({})", asked.id, what.join(", "));
            self.say_once(&said, &format!("{said}; every commit is asked what the work tree asks"));
        }
        Ok(both.head)
    }

    /// The case with its model where a commit has it; a file that is not of the repository is the same for all.
    fn moved_to(&self, tree: &CommitTree, asked: &Case) -> Result<Case> {
        if let Some(text) = outside(&self.repo, &asked.model) {
            self.say_once(&text, &text);
        }
        let Some(place) = self.repo.place(&asked.model) else { return Ok(asked.clone()) };
        let model = tree.folder.path().join(&place);
        if asked.build.program.is_none() && !model.is_file() {
            let what = format!("{}: {} is not there", asked.id, place.display());
            return Err(Failure::new(FailureKind::Nothing, what));
        }
        Ok(Case { model, ..asked.clone() })
    }

    /// Says a text about something that nothing was said about before.
    fn say_once(&self, about: &str, text: &str) {
        if self.said.borrow_mut().insert(about.to_owned()) {
            (self.events)(Event::Note { text });
        }
    }
}

/// Its model was named on the command line.
fn is_ad_hoc(case: &Case) -> bool {
    case.id.strip_prefix(AD_HOC_PACKAGE).is_some_and(|rest| rest.starts_with('/'))
}

fn shown(commit: &Commit) -> PastCommit {
    PastCommit { id: commit.id.clone(), authored_s: commit.authored, subject: commit.summary.clone() }
}

/// Why a commit has no number, in one line.
fn reason(failure: &Failure) -> String {
    [&failure.message].into_iter().chain(&failure.parts).cloned().collect::<Vec<_>>().join("; ")
}
