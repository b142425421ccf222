//! Searches on simulated commits: processes vary, and each commit has a level of its own.

use super::*;
use crate::rng::Rng;
use crate::stats::{Decision, LOOKS, Orientation, PairedQuestion, Rule, judge_pairs, look_alpha};
use proptest::prelude::*;

/// Steps of 16 commits.
const LAST: usize = 15;

/// Simulated commits: the logarithm of each one's level; `None`: it cannot be built.
struct Simulated {
    levels: Vec<Option<f64>>,
    engines: Vec<usize>,
    sd: f64,
    rng: Rng,
    processes: usize,
}

impl Simulated {
    /// Commits that take `change` longer from commit `first` on, each with an engine of its own.
    fn step(first: usize, change: f64, sd: f64, seed: u64) -> Self {
        let levels = (0..=LAST).map(|at| Some(if at >= first { change.ln_1p() } else { 0.0 })).collect();
        Self { levels, engines: (0..=LAST).collect(), sd, rng: Rng::new(seed), processes: 0 }
    }

    fn process(&mut self, at: usize) -> f64 {
        self.processes += 1;
        self.levels[at].expect("it can be measured") + self.sd * self.rng.normal()
    }

    /// Compares the ends as a check does; the ratios of the pairs and the change, where that is decided.
    fn ends(&mut self) -> Option<(Vec<f64>, f64)> {
        let (mut base, mut head) = (Vec::new(), Vec::new());
        for pairs in LOOKS {
            while base.len() < pairs {
                base.push(self.process(0).exp());
                head.push(self.process(LAST).exp());
            }
            let question = PairedQuestion {
                orientation: Orientation::LowerIsBetter,
                rule: Rule::new(0.01_f64.ln_1p()).at_alpha(look_alpha(0.05).expect("simulated")),
                resolution_sd: 0.0,
                prior: None,
                first: &[],
            };
            let ruling = judge_pairs(&base, &head, &question).expect("usable").ruling;
            if matches!(ruling.decision, Decision::Regressed | Decision::Improved) {
                let ratios = base.iter().zip(&head).map(|(b, h)| (h / b).ln()).collect();
                return Some((ratios, ruling.interval.est));
            }
        }
        None
    }

    /// The whole search; `None` where the ends are not told apart.
    fn search(&mut self) -> Option<Narrowed> {
        let (ratios, change) = self.ends()?;
        let ends = Ends { change, margin: 0.01_f64.ln_1p(), ratios: &ratios };
        Some(search(LAST, &ends, self).expect("nothing fails"))
    }
}

impl Bench for Simulated {
    fn engine(&mut self, at: usize, _: [usize; 2]) -> Result<Option<String>> {
        Ok(self.levels[at].map(|_| self.engines[at].to_string()))
    }

    fn pairs(&mut self, base: usize, head: usize, pairs: usize) -> Result<Option<Vec<f64>>> {
        Ok(Some((0..pairs).map(|_| -self.process(base) + self.process(head)).collect()))
    }

    fn placed(&mut self, _: &Narrowed) {}
}

/// Processes that a search may take, and what a check of each step with as many pairs as the ends took would.
fn cost(simulated: &Simulated, ends: usize) -> (usize, usize) {
    // The change that was found is measured once more.
    let confirm = 2 * crate::compare::confirm::second_pairs(ends);
    (simulated.processes + confirm, LAST * 2 * ends)
}

#[test]
fn five_percent_in_sixteen_commits_is_found_with_less_than_half_of_the_measurements() {
    const SEARCHES: usize = 200;
    for (sd, least_right) in [(0.005, 0.99), (0.01, 0.98), (0.02, 0.95)] {
        let (mut right, mut told, mut spent, mut all) = (0, 0, 0, 0);
        for seed in 0..SEARCHES {
            let first = 1 + seed % LAST;
            let mut simulated = Simulated::step(first, 0.05, sd, seed as u64);
            let Some((ratios, change)) = simulated.ends() else { continue };
            told += 1;
            let ends = Ends { change, margin: 0.01_f64.ln_1p(), ratios: &ratios };
            let narrowed = search(LAST, &ends, &mut simulated).expect("nothing fails");
            right += usize::from(narrowed.commit() == Some(first));
            let (took, would_take) = cost(&simulated, ratios.len());
            (spent, all) = (spent + took, all + would_take);
        }
        let share = right as f64 / told as f64;
        println!("sd {sd}: {told} told, right {share:.3}, {spent} of {all} processes");
        assert!(told >= SEARCHES * 99 / 100, "sd {sd}: the ends were told apart in {told}");
        assert!(share >= least_right, "sd {sd}: {share} right");
        assert!(2 * spent <= all, "sd {sd}: {spent} of {all} processes");
    }
}

#[test]
fn an_improvement_is_found_as_well() {
    for first in 1..=LAST {
        let mut simulated = Simulated::step(first, -0.1, 0.01, first as u64);
        assert_eq!(simulated.search().expect("told").commit(), Some(first));
    }
}

#[test]
fn commits_that_cannot_be_measured_are_stepped_over_and_may_leave_a_range() {
    let mut simulated = Simulated::step(6, 0.2, 0.005, 1);
    for at in [7, 8] {
        simulated.levels[at] = None;
    }
    let found = simulated.search().expect("told");
    assert_eq!(found.commit(), Some(6));
    assert!(found.steps.iter().any(|s| s.side == Side::Unmeasurable && s.pairs == 0));
    for at in [5, 6] {
        simulated.levels[at] = None;
    }
    let range = simulated.search().expect("told");
    assert_eq!((range.good, range.bad, range.commit()), (4, 9, None));
}

#[test]
fn the_same_engine_is_never_measured() {
    let mut simulated = Simulated::step(10, 0.2, 0.005, 2);
    simulated.engines = (0..=LAST).map(|at| usize::from(at >= 10)).collect();
    let (ratios, change) = simulated.ends().expect("told");
    let before = simulated.processes;
    let ends = Ends { change, margin: 0.01, ratios: &ratios };
    let found = search(LAST, &ends, &mut simulated).expect("nothing fails");
    assert_eq!((found.commit(), simulated.processes), (Some(10), before));
    assert!(found.steps.iter().all(|s| s.pairs == 0 && s.side.is_bad().is_some()));
}

#[test]
fn of_two_changes_the_larger_is_found_and_that_there_are_two_is_seen() {
    let mut seen = 0;
    for seed in 0..20 {
        let mut simulated = Simulated::step(12, 0.1, 0.005, seed);
        // A third of it comes earlier: the middle is like neither end.
        (3..12).for_each(|at| simulated.levels[at] = Some(0.1_f64.ln_1p() / 3.0));
        let found = simulated.search().expect("told");
        assert_eq!(found.commit(), Some(12), "{found:?}");
        seen += usize::from(found.saw_several());
    }
    assert!(seen >= 18, "seen in {seen} of 20");
}

#[test]
fn one_process_of_ten_times_the_time_does_not_lead_astray() {
    let mut right = 0;
    for seed in 0..50 {
        let mut simulated = Simulated::step(5, 0.05, 0.005, seed);
        let (ratios, change) = simulated.ends().expect("told");
        let ends = Ends { change, margin: 0.01, ratios: &ratios };
        let mut bench = OneOutlier { inner: simulated, left: seed as usize % 7 };
        right += usize::from(search(LAST, &ends, &mut bench).expect("nothing fails").commit() == Some(5));
    }
    assert!(right >= 48, "{right} of 50");
}

/// One of the first pairs has a process that was held up.
struct OneOutlier {
    inner: Simulated,
    left: usize,
}

impl Bench for OneOutlier {
    fn engine(&mut self, at: usize, ends: [usize; 2]) -> Result<Option<String>> {
        self.inner.engine(at, ends)
    }

    fn pairs(&mut self, base: usize, head: usize, pairs: usize) -> Result<Option<Vec<f64>>> {
        let mut ratios = self.inner.pairs(base, head, pairs)?.unwrap_or_default();
        if self.left == 0 {
            ratios[0] += 10.0_f64.ln();
        }
        self.left = self.left.wrapping_sub(1);
        Ok(Some(ratios))
    }

    fn placed(&mut self, _: &Narrowed) {}
}

#[test]
fn what_the_noise_hides_stays_open() {
    let mut simulated = Simulated::step(8, 0.05, 0.005, 3);
    let (ratios, change) = simulated.ends().expect("told");
    // From here on the machine is busy.
    simulated.sd = 0.5;
    let ends = Ends { change, margin: 0.01, ratios: &ratios };
    let found = search(LAST, &ends, &mut simulated).expect("nothing fails");
    let open = found.steps.iter().filter(|s| s.side == Side::Open && s.pairs == MOST_VOTES);
    assert!(open.count() > 0 && found.commit().is_none(), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_search_ends_between_its_ends_whatever_is_measured(
        levels in proptest::collection::vec(proptest::option::weighted(0.8, -0.2..0.2_f64), LAST + 1),
        ratios in proptest::collection::vec(-0.3..0.3_f64, 0..8),
        change in prop_oneof![-0.3..-0.001_f64, 0.001..0.3_f64],
        seed: u64,
    ) {
        let mut simulated = Simulated::step(1, 0.0, 0.02, seed);
        simulated.levels = levels;
        (simulated.levels[0], simulated.levels[LAST]) = (Some(0.0), Some(change));
        let ends = Ends { change, margin: 0.01, ratios: &ratios };
        let found = search(LAST, &ends, &mut simulated).expect("nothing fails");
        prop_assert!(found.good < found.bad && found.bad <= LAST);
        let mut seen: Vec<usize> = found.steps.iter().map(|s| s.at).collect();
        seen.sort_unstable();
        let looked_at = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), looked_at, "no commit is looked at twice");
        prop_assert!(found.steps.iter().all(|s| s.pairs <= MOST_VOTES));
    }
}
