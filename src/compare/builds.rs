//! Compares cases whose engines were built several times. Pure.
//!
//! Builds are what is compared then, whatever they turn out to differ by (`record::builds` says why); a rule that looked
//! first whether they differ would be wrong more often than it says. The mean of the processes of a build is one value, of
//! pairs that loaded the same builds one pair: in a check pair i loads build i of both arms, in turn, so that the ratios
//! of build means are independent. They are at each look, and for the second set of pairs both arms are built anew.
//!
//! Simulated (`builds_that_differ_are_no_change`; builds differ by 2 %, processes of a build by 0.5 %, nothing changed,
//! looks at up to 20 pairs, before any is confirmed): with one build of each arm 63 % of the checks call the case changed,
//! counting the pairs of three builds 15 %; counting builds, 0.6 % with three and with five of them, and 0.4 % with eight.
//! With five builds head 5 % slower is seen in 41 %, 10 % slower in 98 %.

use super::clock::Reading;
use super::{Design, Metric, MetricComparison, NotJudged, basis, compare_units};
use crate::case::Margins;
use crate::record::CaseRecord;
use crate::stats::Rule;
use crate::stats::decide::MIN_UNITS;

/// Each arm with a value per process. A tail needs its processes; what is judged then are builds, whose order and usual
/// spread nobody knows.
pub(super) fn compare(
    metric: Metric,
    arms: [(&CaseRecord, &[Option<f64>]); 2],
    clock: &[Reading],
    margins: Margins,
    design: &Design,
) -> MetricComparison {
    let plain = match design {
        Design::Pairs { alpha, .. } => Design::Pairs { alpha: *alpha, first: &[], prior: &|_| None },
        Design::Stored(sessions) => Design::Stored(*sessions),
    };
    let of_processes = basis(metric, design);
    let rule = metric.rule(margins);
    let (need, have) = (rule.min_units, arms[0].1.len().min(arms[1].1.len()));
    let rule = Rule { min_units: need.min(MIN_UNITS), ..rule };
    let [base, head] = arms.map(|(case, values)| case.by_build(values));
    let shown = compare_units(metric, [&base, &head], clock, (rule, of_processes.of_builds()), &plain);
    if have >= need {
        return shown;
    }
    let few = NotJudged::NeedsUnits { unit: of_processes.unit(), need, have };
    MetricComparison { ruling: Err(few), change: None, ..shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{CaseComparison, Inconclusive, Sessions, Verdict, compare_case};
    use crate::record::sample;
    use crate::rng::Rng;
    use crate::stats::{SessionSpread, look_alpha, next_look};
    use crate::summarize::Summary;

    const BUILD_SD: f64 = 0.02;
    const PROCESS_SD: f64 = 0.005;

    /// An arm whose processes load `builds` builds in turn.
    struct World {
        levels: Vec<f64>,
        rng: Rng,
    }

    impl World {
        fn new(builds: usize, effect: f64, seed: u64) -> Self {
            let mut rng = Rng::new(seed);
            Self { levels: (0..builds).map(|_| effect + BUILD_SD * rng.normal()).collect(), rng }
        }

        fn process(&mut self, number: usize, told: bool) -> Summary {
            let build = number % self.levels.len();
            let mean = 1e6 * (self.levels[build] + PROCESS_SD * self.rng.normal()).exp();
            Summary { build: told.then_some(build as u32 + 1), ..sample::summary(mean) }
        }
    }

    fn arm(processes: &[Summary]) -> CaseRecord {
        CaseRecord { processes: processes.to_vec(), ..sample::case() }
    }

    /// What a check says that looks at its pairs as checks do. `told`: whether it knows of the builds.
    fn checked(builds: usize, effect: f64, told: bool, seed: u64) -> Verdict {
        let mut worlds = [World::new(builds, 0.0, 2 * seed), World::new(builds, effect, 2 * seed + 1)];
        let mut arms: [Vec<Summary>; 2] = Default::default();
        let alpha = look_alpha(0.05).expect("a simulated rate");
        let mut verdict = Verdict::Inconclusive(Inconclusive::NothingToJudge);
        while let Some(until) = next_look(arms[0].len()) {
            for number in arms[0].len()..until {
                for (arm, world) in arms.iter_mut().zip(&mut worlds) {
                    arm.push(world.process(number, told));
                }
            }
            let design = Design::Pairs { alpha, first: &[], prior: &|_| None };
            verdict = compared([&arms[0], &arms[1]], &design).verdict;
            if matches!(verdict, Verdict::Regressed | Verdict::Improved) {
                break;
            }
        }
        verdict
    }

    fn compared(arms: [&[Summary]; 2], design: &Design) -> CaseComparison {
        compare_case("c", &arm(arms[0]), &arm(arms[1]), Margins::default(), design)
    }

    /// The share of simulated checks that end in one of two verdicts.
    fn share(builds: usize, effect: f64, told: bool, verdicts: [Verdict; 2]) -> f64 {
        const CHECKS: u64 = 500;
        let ends = |seed: &u64| verdicts.contains(&checked(builds, effect, told, *seed));
        (0..CHECKS).filter(ends).count() as f64 / CHECKS as f64
    }

    #[test]
    fn builds_that_differ_are_no_change() {
        let changed = [Verdict::Regressed, Verdict::Improved];
        let blind = [1, 3].map(|builds| share(builds, 0.0, false, changed.clone()));
        let rates = [3, 5, 8].map(|builds| share(builds, 0.0, true, changed.clone()));
        println!("counting pairs of 1 and 3 builds {blind:?}, counting 3, 5 and 8 builds {rates:?}");
        assert!(rates.iter().all(|rate| *rate <= 0.05), "{rates:?}");
        assert!(blind[0] > 0.5 && blind[1] > 0.1, "counting pairs calls builds a change: {blind:?}");
        let slower = [0.05, 0.1].map(|by| share(5, by, true, [Verdict::Regressed, Verdict::Regressed]));
        println!("5 and 10 % with 5 builds {slower:?}");
        assert!(slower[1] > 0.8, "what is far beyond the builds is seen: {slower:?}");
    }

    #[test]
    fn too_few_builds_are_shown_and_say_what_is_missing() {
        let mut worlds = [World::new(2, 0.0, 1), World::new(2, 0.5, 2)];
        let [base, head]: [Vec<Summary>; 2] =
            std::array::from_fn(|arm| (0..8).map(|n| worlds[arm].process(n, true)).collect());
        let pairs = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };
        let found = compared([&base, &head], &pairs);
        assert_eq!(
            found.verdict.reason().as_deref(),
            Some("mean: needs 3 builds, has 2 (`--builds 3` measures them)")
        );
        let stored = Design::Stored(&|_| Sessions::Known(SessionSpread::NONE));
        let found = compared([&base, &head], &stored);
        assert!(found.verdict.reason().is_some_and(|why| why.contains("needs 4 builds, has 2")), "{found:?}");
    }

    #[test]
    fn a_tail_needs_its_processes_and_a_record_of_one_build_is_one_value() {
        let mut world = World::new(3, 0.0, 1);
        let five: Vec<Summary> = (0..5).map(|n| world.process(n, true)).collect();
        let pairs = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };
        let found = compared([&five, &five], &pairs);
        let why = found.metrics[2].ruling.as_ref().expect_err("p99 from 8 pairs on");
        assert_eq!(why.to_string(), "needs 8 pairs, has 5");
        let one: Vec<Summary> = (0..8).map(|n| Summary { build: None, ..world.process(n, true) }).collect();
        let stored = Design::Stored(&|_| Sessions::Known(SessionSpread::NONE));
        let many: Vec<Summary> = (0..24).map(|n| world.process(n, true)).collect();
        let found = compared([&one, &many], &stored);
        assert!(found.verdict.reason().is_some_and(|why| why.contains("builds, has 1")), "{found:?}");
    }
}
