//! Simulated checks of whole cases, and what the rules of a check make of them: those of today, which are called, and
//! those before, which are written out here. Makes rates from a seed. Shared by `tests/it/decisions.rs`, which asserts a
//! small version, and `benches/decisions.rs`, which prints the table.

use trt_perf::case::Margins;
use trt_perf::compare::confirm::{Claimant, confirm, is_settled, second_pairs};
use trt_perf::compare::samples::compare_samples;
use trt_perf::compare::{CaseComparison, Design, Verdict};
use trt_perf::rng::Rng;
use trt_perf::stats::{Decision, Description, LOOKS, Ruling, benjamini_hochberg, describe, look_alpha};

const ALPHA: f64 = 0.05;
/// Pairs at the last look.
const MOST: usize = LOOKS[LOOKS.len() - 1];

/// How the processes of a case vary: standard deviations of logarithms.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// Of the level of a process, which its mean, median and p99 share.
    pub process: f64,
    /// Of p99 beyond that.
    pub tail: f64,
}

/// One check: its first case takes exp(`effect`) as long as before, all others as long as they did.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    pub noise: Noise,
    pub effect: f64,
    pub cases: usize,
}

/// What a rule made of many checks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Share of checks whose first case got the verdict that is true of it; of no change: no verdict.
    pub right: f64,
    /// Share of checks with any false verdict, on any case.
    pub wrong: f64,
    /// Mean number of pairs of the first case, the second set included.
    pub pairs: f64,
}

/// Both arms of one set of pairs.
struct Set {
    base: Vec<Description>,
    head: Vec<Description>,
}

impl Set {
    fn draw(noise: Noise, effect: f64, rng: &mut Rng) -> Self {
        let mut arm = |level: f64| (0..MOST).map(|_| process(noise, level, rng)).collect();
        Self { base: arm(0.0), head: arm(effect) }
    }

    fn judged(&self, pairs: usize, alpha: f64) -> CaseComparison {
        let design = Design::Pairs { alpha, first: &[], prior: &|_| None };
        compare_samples("c", &self.base[..pairs], &self.head[..pairs], Margins::default(), &design)
    }
}

/// One process of about 1 ms, with requests enough for p99.
fn process(noise: Noise, level: f64, rng: &mut Rng) -> Description {
    let level = level + noise.process * rng.normal();
    let mean_ns = 1e6 * level.exp();
    let median = mean_ns * (0.2 * noise.process * rng.normal()).exp();
    let p99 = 1.5 * mean_ns * (noise.tail * rng.normal()).exp();
    let any = describe(&[1, 2]).expect("two samples");
    let quantiles_ns = std::array::from_fn(|q| if q < 8 { median } else { p99 });
    Description { n: 2000, mean_ns, quantiles_ns, ..any }
}

/// A verdict on one case, and what it cost.
type Said = (Verdict, usize);

impl Checks {
    /// What today's rules and those before make of `checks` such checks: the same numbers for both.
    pub fn simulate(&self, checks: u32, seed: u64) -> (Rates, Rates) {
        let (mut now, mut before) = (Rates::default(), Rates::default());
        for i in 0..checks {
            let mut rng = Rng::stream(seed, u64::from(i));
            let effect = |case: usize| if case == 0 { self.effect } else { 0.0 };
            let mut draw = |case| [0, 1].map(|_| Set::draw(self.noise, effect(case), &mut rng));
            let all: Vec<[Set; 2]> = (0..self.cases).map(&mut draw).collect();
            self.count(&said_now(&all), &mut now, checks);
            self.count(&said_before(&all), &mut before, checks);
        }
        (now, before)
    }

    fn count(&self, said: &[Said], rates: &mut Rates, of: u32) {
        let is_verdict = |v: &Verdict| matches!(v, Verdict::Regressed | Verdict::Improved);
        let truth = match self.effect {
            e if e > 0.0 => Some(Verdict::Regressed),
            e if e < 0.0 => Some(Verdict::Improved),
            _ => None,
        };
        let right = truth.as_ref().map_or(!is_verdict(&said[0].0), |truth| said[0].0 == *truth);
        let wrong = is_verdict(&said[0].0) && !right || said[1..].iter().any(|(v, _)| is_verdict(v));
        let share = |hit: bool| f64::from(u32::from(hit)) / f64::from(of);
        rates.right += share(right);
        rates.wrong += share(wrong);
        rates.pairs += said[0].1 as f64 / f64::from(of);
    }
}

fn first_set(set: &Set, is_done: impl Fn(&CaseComparison) -> bool) -> (CaseComparison, usize) {
    let alpha = look_alpha(ALPHA).expect("a simulated rate");
    let looks = LOOKS.into_iter().map(|n| (set.judged(n, alpha), n));
    let mut last = None;
    for (c, n) in looks {
        let done = is_done(&c);
        last = Some((c, n));
        if done {
            break;
        }
    }
    last.expect("a look")
}

fn said_now(all: &[[Set; 2]]) -> Vec<Said> {
    let mut said: Vec<(CaseComparison, usize)> =
        all.iter().map(|[first, _]| first_set(first, is_settled)).collect();
    let mut seconds = Vec::new();
    for ((c, pairs), [_, second]) in said.iter_mut().zip(all) {
        if matches!(c.verdict, Verdict::Regressed | Verdict::Improved) {
            let more = second_pairs(*pairs);
            *pairs += more;
            seconds.push((c, second.judged(more, ALPHA)));
        }
    }
    let mut claimants: Vec<Claimant> =
        seconds.iter_mut().map(|(first, second)| Claimant { first, second }).collect();
    confirm(&mut claimants, ALPHA).expect("p values");
    said.into_iter().map(|(c, pairs)| (c.verdict, pairs)).collect()
}

/// Before: looks until every metric is decided, Benjamini–Hochberg over all metrics of the run with p times the number
/// of looks, then a second set with looks of its own that has to come to the same verdict.
fn said_before(all: &[[Set; 2]]) -> Vec<Said> {
    let decided = |c: &CaseComparison| {
        c.metrics.iter().all(|m| m.ruling.as_ref().is_ok_and(|r| r.decision != Decision::Inconclusive))
    };
    let mut firsts: Vec<(CaseComparison, usize)> =
        all.iter().map(|[set, _]| first_set(set, decided)).collect();
    withhold(&mut firsts);
    let said = firsts.iter().zip(all).map(|((c, pairs), [_, second])| match former_verdict(c) {
        None => (Verdict::Unchanged, *pairs),
        Some(claim) => {
            let (again, more) = first_set(second, decided);
            let holds = former_verdict(&again).as_ref() == Some(&claim);
            (if holds { claim } else { Verdict::Unchanged }, pairs + more)
        }
    });
    said.collect()
}

fn withhold(cases: &mut [(CaseComparison, usize)]) {
    let mut rulings: Vec<&mut Ruling> = cases
        .iter_mut()
        .flat_map(|(c, _)| c.metrics.iter_mut().filter_map(|m| m.ruling.as_mut().ok()))
        .collect();
    let family = |claim: Decision, p: fn(&Ruling) -> f64| {
        let p =
            |r: &&mut Ruling| if r.decision == claim { (p(r) * LOOKS.len() as f64).min(1.0) } else { 1.0 };
        benjamini_hochberg(&rulings.iter().map(p).collect::<Vec<_>>()).expect("p values")
    };
    let worse = family(Decision::Regressed, |r| r.p_regressed);
    let better = family(Decision::Improved, |r| r.p_improved);
    for (r, (worse, better)) in rulings.iter_mut().zip(worse.into_iter().zip(better)) {
        let p = if r.decision == Decision::Regressed { worse } else { better };
        if matches!(r.decision, Decision::Regressed | Decision::Improved) && p > ALPHA {
            r.decision = Decision::Inconclusive;
        }
    }
}

/// Every judged metric had to be decided before anything counted as improved.
fn former_verdict(c: &CaseComparison) -> Option<Verdict> {
    let has = |d| c.metrics.iter().any(|m| m.ruling.as_ref().is_ok_and(|r| r.decision == d));
    if has(Decision::Regressed) {
        Some(Verdict::Regressed)
    } else if has(Decision::Inconclusive) || !has(Decision::Improved) {
        None
    } else {
        Some(Verdict::Improved)
    }
}
