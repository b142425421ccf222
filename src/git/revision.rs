//! Finds the commits that names mean: HEAD, branches, tags, ids, `HEAD~3`.
//!
//! It does not guess: an unknown name is an error with suggestions, not the nearest match.

use git2::{BranchType, ErrorCode, Oid, Reference};

use super::{GitError, Repo};

/// Names at least this similar (Jaro-Winkler, 0 to 1) are worth suggesting: one or two slips in a short name.
const SIMILAR: f64 = 0.85;
const SUGGESTIONS: usize = 3;

/// A commit of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Full hexadecimal id.
    pub id: String,
    /// Committer's time, seconds since 1970: what orders history.
    pub time: i64,
    /// When its author wrote it, seconds since 1970.
    pub authored: i64,
    /// First line of the message; bytes that are not UTF-8 are replaced.
    pub summary: String,
    /// The branch that HEAD is on, or that the revision named (`main`, `origin/main`).
    pub branch: Option<String>,
}

/// The branch that work is merged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultBranch {
    /// What `resolve` takes: `origin/main`, or `main` where there is no remote one.
    pub name: String,
    /// What said so: `origin/HEAD`, `init.defaultBranch` or `the usual name`.
    pub found_by: String,
    /// The commit at its end.
    pub commit: Commit,
}

impl Repo {
    /// The commit that is checked out; `None` in a repository without commits.
    pub fn head(&self) -> Result<Option<Commit>, GitError> {
        let head = match self.inner.head() {
            Ok(head) => head,
            // A new repository: HEAD names a branch that has no commit yet.
            Err(e) if e.code() == ErrorCode::UnbornBranch => return Ok(None),
            Err(e) => return Err(self.failed("read HEAD")(e)),
        };
        self.commit_of(&head).map(Some)
    }

    /// Who commits here, as git is configured (`user.name`).
    pub fn user_name(&self) -> Option<String> {
        let name = self.inner.config().and_then(|c| c.get_string("user.name")).ok()?;
        Some(name.trim().to_owned()).filter(|n| !n.is_empty())
    }

    /// Any single revision that git understands, peeled to the commit it means.
    pub fn resolve(&self, rev: &str) -> Result<Commit, GitError> {
        let (object, reference) = self.inner.revparse_ext(rev).map_err(|e| self.explain(rev, e))?;
        let commit = object.peel_to_commit().map_err(|_| GitError::NotACommit {
            repo: self.workdir.clone(),
            rev: rev.to_owned(),
            kind: object.kind().map_or("thing", |kind| kind.str()).to_owned(),
        })?;
        // A symbolic one (HEAD, origin/HEAD) stands for the branch that it points to.
        let reference = reference.and_then(|r| r.resolve().ok());
        Ok(self.describe(&commit, reference.as_ref().and_then(branch_name)))
    }

    /// The branch that work is merged into: the remote's HEAD, else `init.defaultBranch`, `main` or `master` (each at
    /// the remote first, because that is what a pull request is merged into). `None` when there is none of these.
    pub fn default_branch(&self) -> Result<Option<DefaultBranch>, GitError> {
        let remote = self.remote()?;
        if let Some(remote) = &remote
            && let Ok(reference) = self.inner.find_reference(&format!("refs/remotes/{remote}/HEAD"))
            && let Ok(target) = reference.resolve()
        {
            return self.default_from(&target, format!("{remote}/HEAD")).map(Some);
        }
        let configured = self.inner.config().and_then(|c| c.get_string("init.defaultBranch")).ok();
        let usual = ["main", "master"].map(|name| (name.to_owned(), "the usual name"));
        let named = configured.into_iter().map(|name| (name, "init.defaultBranch"));
        for (name, found_by) in named.chain(usual) {
            let at_remote = remote.as_ref().map(|remote| format!("refs/remotes/{remote}/{name}"));
            for full in at_remote.into_iter().chain([format!("refs/heads/{name}")]) {
                if let Ok(reference) = self.inner.find_reference(&full) {
                    return self.default_from(&reference, found_by.to_owned()).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The id of a commit named by its full id (fast) or any revision.
    pub(super) fn commit_oid(&self, rev: &str) -> Result<Oid, GitError> {
        if let Ok(oid) = Oid::from_str(rev)
            && rev.len() == 40
            && self.inner.find_commit(oid).is_ok()
        {
            return Ok(oid);
        }
        let commit = self.resolve(rev)?;
        Oid::from_str(&commit.id).map_err(self.failed(format!("read the commit id {}", commit.id)))
    }

    pub(super) fn commit(&self, oid: Oid) -> Result<Commit, GitError> {
        let commit = self.inner.find_commit(oid).map_err(self.failed(format!("read commit {oid}")))?;
        Ok(self.describe(&commit, None))
    }

    /// The remote to compare with and to fetch from: `origin`, or the only one there is.
    pub(super) fn remote(&self) -> Result<Option<String>, GitError> {
        let names = self.inner.remotes().map_err(self.failed("list the remotes"))?;
        let mut names: Vec<String> =
            names.iter_bytes().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
        Ok(match names.iter().position(|name| name == "origin") {
            Some(origin) => Some(names.swap_remove(origin)),
            None if names.len() == 1 => names.pop(),
            None => None,
        })
    }

    fn default_from(&self, reference: &Reference<'_>, found_by: String) -> Result<DefaultBranch, GitError> {
        let name = String::from_utf8_lossy(reference.shorthand_bytes()).into_owned();
        Ok(DefaultBranch { name, found_by, commit: self.commit_of(reference)? })
    }

    fn commit_of(&self, reference: &Reference<'_>) -> Result<Commit, GitError> {
        let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
        let commit = reference
            .peel_to_commit()
            .map_err(self.failed(format!("read the commit that {name} points to")))?;
        Ok(self.describe(&commit, branch_name(reference)))
    }

    fn describe(&self, commit: &git2::Commit<'_>, branch: Option<String>) -> Commit {
        Commit {
            id: commit.id().to_string(),
            time: commit.time().seconds(),
            authored: commit.author().when().seconds(),
            summary: commit
                .summary_bytes()
                .map(|s| String::from_utf8_lossy(s).into_owned())
                .unwrap_or_default(),
            branch,
        }
    }

    fn explain(&self, rev: &str, error: git2::Error) -> GitError {
        let (repo, rev_owned) = (self.workdir.clone(), rev.to_owned());
        match error.code() {
            ErrorCode::Ambiguous => GitError::AmbiguousRevision { repo, rev: rev_owned },
            ErrorCode::InvalidSpec | ErrorCode::Invalid => GitError::InvalidRevision { rev: rev_owned },
            ErrorCode::Peel => {
                GitError::NotACommit { repo, rev: rev_owned, kind: "different kind of object".to_owned() }
            }
            ErrorCode::UnbornBranch => GitError::NoCommits { repo },
            ErrorCode::NotFound if matches!(self.head(), Ok(None)) && rev.starts_with("HEAD") => {
                GitError::NoCommits { repo }
            }
            ErrorCode::NotFound => GitError::UnknownRevision { repo, rev: rev_owned, hint: self.hint(rev) },
            _ => self.failed(format!("read revision `{rev}`"))(error),
        }
    }

    /// What the user may have meant by a name that does not exist, and what to do.
    fn hint(&self, rev: &str) -> String {
        let near = self.near_names(rev);
        let meant = match near.as_slice() {
            [] => String::new(),
            names => format!("did you mean {}? ", names.join(" or ")),
        };
        format!("{meant}{}", self.next_step(rev))
    }

    fn next_step(&self, rev: &str) -> String {
        let Some(remote) = self.remote().ok().flatten() else {
            return "`git branch --all` and `git tag` list the names that exist".to_owned();
        };
        let deepen = if self.is_shallow() { "--unshallow " } else { "" };
        let is_id = rev.len() >= 7 && rev.bytes().all(|b| b.is_ascii_hexdigit());
        let is_name =
            Reference::is_valid_name(&format!("refs/heads/{rev}")) && !rev.starts_with('-') && rev != "HEAD";
        // The clones of CI have one branch only, so the command says where to put another.
        let branch = rev.strip_prefix(&format!("{remote}/")).unwrap_or(rev);
        match (is_id, is_name) {
            (false, true) => format!(
                "if it is a branch of {remote}: git fetch {deepen}{remote} {branch}:refs/remotes/{remote}/{branch}, \
                 and call it {remote}/{branch}"
            ),
            _ if self.is_shallow() => {
                format!("this clone is shallow, so it may lie behind the cut: git fetch --unshallow {remote}")
            }
            _ => format!(
                "`git log --all --oneline` lists the commits that are here; git fetch {remote} gets newer ones"
            ),
        }
    }

    /// Branches and tags spelled like `rev`, best first; a suggestion that cannot be read is left out.
    fn near_names(&self, rev: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for kind in [BranchType::Local, BranchType::Remote] {
            if let Ok(branches) = self.inner.branches(Some(kind)) {
                names.extend(branches.flatten().filter_map(|(b, _)| Some(b.name().ok()??.to_owned())));
            }
        }
        if let Ok(tags) = self.inner.tag_names(None) {
            names.extend(tags.iter().flatten().flatten().map(str::to_owned));
        }
        // `main` for `origin/main` is the commonest slip in CI, where only the remote's branches exist.
        let likeness = |name: &str| {
            let tail = name.split_once('/').map_or(name, |(_, tail)| tail);
            [name, tail].map(|n| strsim::jaro_winkler(n, rev)).into_iter().fold(0.0, f64::max)
        };
        let mut scored: Vec<(f64, String)> =
            names.into_iter().map(|n| (likeness(&n), n)).filter(|(s, _)| *s >= SIMILAR).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored.dedup_by(|a, b| a.1 == b.1);
        scored.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
    }
}

fn branch_name(reference: &Reference<'_>) -> Option<String> {
    let is_branch = reference.is_branch() || reference.is_remote();
    is_branch.then(|| String::from_utf8_lossy(reference.shorthand_bytes()).into_owned())
}
