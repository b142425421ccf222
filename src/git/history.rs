//! Answers questions about the commit graph: ancestors, distances and merge bases.
//!
//! It walks the graph itself because the walk has to stop cleanly at the end of a shallow clone, also in a linked
//! worktree, and because a merge base cannot be trusted where the clone is cut. An answer that would cross such a cut
//! says so.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use git2::{ErrorCode, Oid};

use super::{Commit, GitError, Repo};

const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const BOTH: u8 = LEFT | RIGHT;
/// Reachable from a common ancestor: cannot be a best one.
const STALE: u8 = 4;

/// How many commits more to visit once the answer looks settled: clocks can be wrong, so that a commit older than all
/// that matters has an ancestor that is newer. git itself visits 5.
const CLOCK_SLOP: usize = 256;

/// A commit met while walking back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Full hexadecimal id.
    pub id: String,
    /// Committer's time, seconds since 1970.
    pub time: i64,
    /// Fewest parent links from the start, which has 0. `Repo::distance` is the number of commits in between.
    pub steps: usize,
}

/// Where two histories part, trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeBase {
    /// The common ancestor.
    pub commit: Commit,
    /// Commits on the first side since the merge base (`git rev-list --count base..a`).
    pub commits_to_a: usize,
    /// Commits on the second side since the merge base.
    pub commits_to_b: usize,
}

impl Repo {
    /// `rev` itself and then its ancestors, nearest first: by time, and a parent never before the child that led to it.
    /// (With wrong clocks a parent can come before another of its children, as in `git log`.)
    /// Lazy, so that finding something near is cheap in a long history.
    pub fn ancestors(&self, rev: &str) -> Result<Ancestors<'_>, GitError> {
        let start = self.commit_oid(rev)?;
        let mut walk = Ancestors {
            repo: self,
            queue: BinaryHeap::new(),
            steps: HashMap::new(),
            cut: false,
            failed: false,
        };
        let (time, parents) = self.time_and_parents(start)?;
        walk.steps.insert(start, 0);
        walk.queue.push((time, Reverse(0), start, parents));
        Ok(walk)
    }

    /// How many commits `descendant` has that `ancestor` does not (`git rev-list --count ancestor..descendant`).
    pub fn distance(&self, ancestor: &str, descendant: &str) -> Result<usize, GitError> {
        let (hide, tip) = (self.commit_oid(ancestor)?, self.commit_oid(descendant)?);
        Ok(self.commits_since(hide, tip)?.len())
    }

    /// `tip` and the first parents behind it that `hide` does not reach, newest first (`git rev-list --first-parent
    /// hide..tip`): what was merged counts as one commit. Fails where a shallow clone ends before `hide`.
    pub fn first_parents(&self, hide: &str, tip: &str) -> Result<Vec<Commit>, GitError> {
        let (hide_oid, mut at) = (self.commit_oid(hide)?, self.commit_oid(tip)?);
        let since = self.commits_since(hide_oid, at)?;
        let mut commits = Vec::new();
        while since.contains(&at) {
            if self.shallow.contains(&at) {
                return Err(self.shallow_error(hide, tip, at, format!("before it meets {hide}")));
            }
            commits.push(self.commit(at)?);
            let (_, parents) = self.time_and_parents(at)?;
            let Some(first) = parents.first() else { break };
            at = *first;
        }
        Ok(commits)
    }

    /// The commit before `rev` on its line: its first parent. `None` for the first commit, and where a shallow clone ends.
    pub fn first_parent(&self, rev: &str) -> Result<Option<Commit>, GitError> {
        let (_, parents) = self.time_and_parents(self.commit_oid(rev)?)?;
        parents.first().map(|oid| self.commit(*oid)).transpose()
    }

    /// The best common ancestor M of two revisions; the newest of them if there are several.
    ///
    /// In a shallow clone a common ancestor can be hidden behind the cut, and an older one be found instead (`git
    /// merge-base` then answers wrongly, with exit code 0). So M counts only if no shallow commit lies in M..a or
    /// M..b.
    pub fn merge_base(&self, a: &str, b: &str) -> Result<MergeBase, GitError> {
        let (a_oid, b_oid) = (self.commit_oid(a)?, self.commit_oid(b)?);
        let Some(base) = self.best_common_ancestor(a_oid, b_oid)? else {
            let mut seen = self.paint(a_oid, b_oid)?.flags.into_keys();
            return match seen.find(|oid| self.shallow.contains(oid)) {
                Some(cut) => Err(self.shallow_error(a, b, cut, "before the two histories meet".to_owned())),
                None => {
                    Err(GitError::Unrelated { repo: self.workdir.clone(), a: a.to_owned(), b: b.to_owned() })
                }
            };
        };
        let to_a = self.commits_since(base, a_oid)?;
        let to_b = self.commits_since(base, b_oid)?;
        if let Some(cut) = to_a.iter().chain(&to_b).find(|oid| self.shallow.contains(oid)) {
            let found =
                format!("so that the newest common ancestor it has, {base}, may be older than the real one");
            return Err(self.shallow_error(a, b, *cut, found));
        }
        Ok(MergeBase { commit: self.commit(base)?, commits_to_a: to_a.len(), commits_to_b: to_b.len() })
    }

    fn shallow_error(&self, a: &str, b: &str, boundary: Oid, found: String) -> GitError {
        let remote = self.remote().ok().flatten().unwrap_or_else(|| "origin".to_owned());
        let command = format!("git fetch --unshallow {remote}   (or, less: git fetch --deepen=200 {remote})");
        GitError::ShallowMergeBase {
            a: a.to_owned(),
            b: b.to_owned(),
            boundary: boundary.to_string(),
            found,
            command,
        }
    }

    fn best_common_ancestor(&self, a: Oid, b: Oid) -> Result<Option<Oid>, GitError> {
        let painted = self.paint(a, b)?;
        let mut best: Vec<(i64, Oid)> = painted.common;
        best.retain(|(_, oid)| painted.flags.get(oid).is_some_and(|f| f & STALE == 0));
        // With wrong clocks a common ancestor can be met before its own descendant: drop those that another one
        // reaches.
        for (time, candidate) in best.clone() {
            let others: Vec<Oid> = best.iter().map(|(_, oid)| *oid).filter(|oid| *oid != candidate).collect();
            for other in others {
                let reached =
                    self.paint(other, candidate)?.flags.get(&candidate).is_some_and(|f| f & LEFT != 0);
                if reached {
                    best.retain(|kept| *kept != (time, candidate));
                    break;
                }
            }
        }
        Ok(best.into_iter().max().map(|(_, oid)| oid))
    }

    /// The commits that `tip` reaches and `hide` does not.
    fn commits_since(&self, hide: Oid, tip: Oid) -> Result<HashSet<Oid>, GitError> {
        let painted = self.paint(hide, tip)?.flags;
        Ok(painted.into_iter().filter(|(_, flags)| flags & BOTH == RIGHT).map(|(oid, _)| oid).collect())
    }

    /// Walks back from both commits, newest first, marking what each of them reaches, until everything still to visit
    /// is reached by both and is older than all that is reached by one only (and a little further).
    fn paint(&self, left: Oid, right: Oid) -> Result<Painted, GitError> {
        let mut walk = Painted::default();
        walk.mark(left, LEFT, self)?;
        walk.mark(right, RIGHT, self)?;
        let mut settled = 0;
        while let Some((time, oid)) = walk.queue.pop() {
            let changes_nothing =
                walk.open.is_empty() && walk.oldest_one_sided.is_none_or(|oldest| time < oldest);
            settled = if changes_nothing { settled + 1 } else { 0 };
            if settled > CLOCK_SLOP {
                break;
            }
            walk.open.remove(&oid);
            let mut flags = walk.flags.get(&oid).copied().unwrap_or_default();
            if flags & BOTH == BOTH {
                if flags & STALE == 0 && !walk.common.contains(&(time, oid)) {
                    walk.common.push((time, oid));
                }
                flags |= STALE;
            } else {
                walk.oldest_one_sided = Some(walk.oldest_one_sided.map_or(time, |oldest| oldest.min(time)));
            }
            let (_, parents) = self.time_and_parents(oid)?;
            for parent in parents {
                walk.mark(parent, flags, self)?;
            }
        }
        Ok(walk)
    }

    /// A commit's time and its parents; a shallow commit has none, whatever it says.
    fn time_and_parents(&self, oid: Oid) -> Result<(i64, Vec<Oid>), GitError> {
        let commit = self.inner.find_commit(oid).map_err(|e| match e.code() {
            ErrorCode::NotFound => GitError::MissingObject {
                repo: self.workdir.clone(),
                id: oid.to_string(),
                needed_for: "a commit of the history".to_owned(),
                next: "`git fsck` says what is damaged; `git fetch --refetch` gets it again".to_owned(),
            },
            _ => self.failed(format!("read commit {oid}"))(e),
        })?;
        let cut = self.shallow.contains(&oid);
        let parents = if cut { Vec::new() } else { commit.parent_ids().collect() };
        Ok((commit.time().seconds(), parents))
    }
}

/// The state, and then the result, of walking back from two commits at once.
#[derive(Default)]
struct Painted {
    flags: HashMap<Oid, u8>,
    /// Newest first.
    queue: BinaryHeap<(i64, Oid)>,
    /// Queued commits that are not stale: while there are any, the answer can change.
    open: HashSet<Oid>,
    /// Common ancestors that no earlier one reached, as far as was known when they were met.
    common: Vec<(i64, Oid)>,
    oldest_one_sided: Option<i64>,
}

impl Painted {
    fn mark(&mut self, oid: Oid, flags: u8, repo: &Repo) -> Result<(), GitError> {
        let marked = self.flags.entry(oid).or_default();
        if *marked & flags == flags {
            return Ok(());
        }
        *marked |= flags;
        if *marked & STALE == 0 {
            self.open.insert(oid);
        } else {
            self.open.remove(&oid);
        }
        let (time, _) = repo.time_and_parents(oid)?;
        self.queue.push((time, oid));
        Ok(())
    }
}

/// Iterates over a commit and its ancestors; see [`Repo::ancestors`].
pub struct Ancestors<'repo> {
    repo: &'repo Repo,
    /// Newest first, and among equals the one met first.
    queue: BinaryHeap<(i64, Reverse<usize>, Oid, Vec<Oid>)>,
    steps: HashMap<Oid, usize>,
    cut: bool,
    failed: bool,
}

impl Ancestors<'_> {
    /// Whether the walk, as far as it went, met a commit whose parents a shallow clone does not have:
    /// not finding something then does not mean that it is not there.
    pub fn met_shallow_boundary(&self) -> bool {
        self.cut
    }

    fn visit(&mut self, oid: Oid, parents: &[Oid]) -> Result<(), GitError> {
        self.cut |= self.repo.shallow.contains(&oid);
        let steps = self.steps.get(&oid).copied().unwrap_or_default() + 1;
        for parent in parents {
            if let Some(known) = self.steps.get_mut(parent) {
                *known = steps.min(*known);
                continue;
            }
            let (time, grandparents) = self.repo.time_and_parents(*parent)?;
            let met = self.steps.len();
            self.steps.insert(*parent, steps);
            self.queue.push((time, Reverse(met), *parent, grandparents));
        }
        Ok(())
    }
}

impl Iterator for Ancestors<'_> {
    type Item = Result<Ancestor, GitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let (time, _, oid, parents) = self.queue.pop()?;
        if let Err(e) = self.visit(oid, &parents) {
            self.failed = true;
            return Some(Err(e));
        }
        let steps = self.steps.get(&oid).copied().unwrap_or_default();
        Some(Ok(Ancestor { id: oid.to_string(), time, steps }))
    }
}
