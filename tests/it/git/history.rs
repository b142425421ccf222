//! Ancestors, distances and merge bases, compared with what the `git` command says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use trt_perf::git::GitError;

use crate::support::Sandbox;

/// Makes commits whose parents and times are given, on branches `c0`, `c1`, …
fn graph(sandbox: &Sandbox, commits: &[(&[usize], i64)]) {
    let mut stream = String::new();
    for (n, (parents, time)) in commits.iter().enumerate() {
        let text = format!("commit {n}");
        write!(stream, "commit refs/heads/c{n}\nmark :{}\ncommitter C <c@example.com> {time} +0000\n", n + 1)
            .expect("text");
        write!(stream, "data {}\n{text}\n", text.len()).expect("text");
        for (k, parent) in parents.iter().enumerate() {
            let verb = if k == 0 { "from" } else { "merge" };
            writeln!(stream, "{verb} :{}", parent + 1).expect("text");
        }
        stream.push('\n');
    }
    let mut child = sandbox
        .git_command("repo")
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git runs");
    child.stdin.take().expect("a pipe").write_all(stream.as_bytes()).expect("written");
    assert!(child.wait().expect("an end").success());
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn ancestors_come_nearest_first_with_their_steps() {
    let sandbox = Sandbox::with_repo();
    // 0 - 1 - 2 ------- 5     a side branch 3 - 4 off 1, merged in 5
    graph(&sandbox, &[(&[], 10), (&[0], 20), (&[1], 30), (&[1], 40), (&[3], 50), (&[2, 4], 60)]);
    let repo = sandbox.open("repo");
    let mut walk = repo.ancestors("c5").expect("a commit");
    let found: Vec<(String, usize)> =
        walk.by_ref().map(|a| a.map(|a| (a.id, a.steps))).collect::<Result<_, _>>().expect("readable");
    let expected = [("c5", 0), ("c4", 1), ("c3", 2), ("c2", 1), ("c1", 2), ("c0", 3)];
    let expected: Vec<(String, usize)> =
        expected.iter().map(|(name, steps)| (sandbox.git("repo", &["rev-parse", name]), *steps)).collect();
    assert_eq!(found, expected);
    assert!(!walk.met_shallow_boundary());
}

#[test]
fn distance_counts_as_rev_list_does() {
    let sandbox = Sandbox::with_repo();
    graph(&sandbox, &[(&[], 10), (&[0], 20), (&[1], 30), (&[1], 40), (&[3], 50), (&[2, 4], 60)]);
    let repo = sandbox.open("repo");
    for (from, to, expected) in
        [("c1", "c5", 4), ("c2", "c5", 3), ("c5", "c5", 0), ("c5", "c0", 0), ("c0", "c4", 3), ("c2", "c4", 2)]
    {
        assert_eq!(repo.distance(from, to).expect("commits"), expected, "{from}..{to}");
        assert_eq!(
            sandbox.git("repo", &["rev-list", "--count", &format!("{from}..{to}")]),
            expected.to_string()
        );
    }
}

#[test]
fn the_merge_base_is_where_the_branches_part() {
    let sandbox = Sandbox::with_repo();
    graph(&sandbox, &[(&[], 10), (&[0], 20), (&[1], 30), (&[1], 40), (&[3], 50), (&[2, 4], 60), (&[4], 70)]);
    let repo = sandbox.open("repo");
    for (a, b, base, to_a, to_b) in [
        ("c2", "c4", "c1", 1, 2),
        ("c5", "c6", "c4", 2, 1),
        ("c1", "c4", "c1", 0, 2),
        ("c4", "c4", "c4", 0, 0),
    ] {
        let found = repo.merge_base(a, b).expect("a base");
        assert_eq!(found.commit.id, sandbox.git("repo", &["rev-parse", base]), "{a} {b}");
        assert_eq!((found.commits_to_a, found.commits_to_b), (to_a, to_b), "{a} {b}");
    }
}

#[test]
fn histories_without_a_common_commit_are_an_error_that_says_so() {
    let sandbox = Sandbox::with_repo();
    graph(&sandbox, &[(&[], 10), (&[], 20)]);
    let error = sandbox.open("repo").merge_base("c0", "c1").expect_err("unrelated");
    assert!(matches!(error, GitError::Unrelated { .. }), "{error}");
}

/// Long enough for the walk to stop well before the root.
#[test]
fn a_long_history_gives_the_same_answers() {
    const LENGTH: usize = 1_500;
    let sandbox = Sandbox::with_repo();
    let parents: Vec<Vec<usize>> =
        (0..LENGTH).map(|n| (n > 0).then(|| n - 1).into_iter().collect()).collect();
    let mut commits: Vec<(&[usize], i64)> =
        parents.iter().zip(0..).map(|(p, n)| (p.as_slice(), 60 * n)).collect();
    commits.push((&[LENGTH - 10], 60 * LENGTH as i64));
    graph(&sandbox, &commits);
    let repo = sandbox.open("repo");
    let found = repo.merge_base("c1499", "c1500").expect("a base");
    assert_eq!(found.commit.id, sandbox.git("repo", &["rev-parse", "c1490"]));
    assert_eq!((found.commits_to_a, found.commits_to_b), (9, 1));
    assert_eq!(repo.distance("c0", "c1499").expect("commits"), 1_499);
    assert_eq!(repo.distance("c1480", "c1499").expect("commits"), 19);
    assert_eq!(repo.ancestors("c1499").expect("a commit").count(), LENGTH);
}

/// Random graphs, half of them with random (wrong) clocks: everything must agree with git.
#[test]
fn random_graphs_agree_with_git() {
    const COMMITS: usize = 24;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for round in 0..8 {
        let sandbox = Sandbox::with_repo();
        let mut commits: Vec<(Vec<usize>, i64)> = Vec::new();
        for n in 0..COMMITS {
            let mut parents: Vec<usize> =
                (0..1 + below(2)).filter(|_| n > 0).map(|_| n - 1 - below(n.min(6))).collect();
            parents.dedup();
            let time = if round % 2 == 0 { 1_000 + 60 * n as i64 } else { 1_000 + 60 * below(40) as i64 };
            commits.push((parents, time));
        }
        let borrowed: Vec<(&[usize], i64)> = commits.iter().map(|(p, t)| (p.as_slice(), *t)).collect();
        graph(&sandbox, &borrowed);
        let repo = sandbox.open("repo");
        for _ in 0..10 {
            let (a, b) = (format!("c{}", below(COMMITS)), format!("c{}", below(COMMITS)));
            let context = format!("round {round}, {a} and {b}, {commits:?}");
            let bases = lines(&sandbox.git("repo", &["merge-base", "--all", &a, &b]));
            let found = repo.merge_base(&a, &b).expect(&context);
            assert!(bases.contains(&found.commit.id), "{context}: {} is none of {bases:?}", found.commit.id);
            let since = |from: &str, to: &str| {
                sandbox.git("repo", &["rev-list", "--count", &format!("{from}..{to}")])
            };
            assert_eq!(found.commits_to_a.to_string(), since(&found.commit.id, &a), "{context}");
            assert_eq!(found.commits_to_b.to_string(), since(&found.commit.id, &b), "{context}");
            assert_eq!(repo.distance(&a, &b).expect(&context).to_string(), since(&a, &b), "{context}");

            let walked: Vec<String> =
                repo.ancestors(&a).expect(&context).map(|x| x.expect(&context).id).collect();
            let (mut ours, mut theirs) = (walked.clone(), lines(&sandbox.git("repo", &["rev-list", &a])));
            if round % 2 == 0 {
                assert_eq!(ours, theirs, "{context}: the order, with right clocks");
            }
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{context}");
        }
    }
}
