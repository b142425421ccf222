//! Simulated measurements and what different decision rules make of them. Makes rates of verdicts from a
//! seed. Shared by `tests/it/verdicts.rs`, which asserts a small version, and `benches/verdicts.rs`, which
//! prints the full table.
//!
//! The model is the one of the design: processes differ by `between`, iterations inside a process are
//! correlated. It holds no copy of our own rules: ours are called, theirs are written out here.

use super::claims::any_stays;
use trt_perf::rng::Rng;
use trt_perf::stats::{
    Decision, Orientation, PairedQuestion, Rule, Ruling, SessionSpread, describe, dist, fit_prior,
    judge_pairs, judge_unpaired, log_ratios, look_alpha, minimum_detectable_effect, moderate, paired_t,
    session_spread,
};

/// How measured times vary. Standard deviations as fractions.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Between processes of one arm.
    pub between: f64,
    /// Between iterations of one process.
    pub within: f64,
    /// Correlation of neighbouring iterations.
    pub rho: f64,
    pub iterations: usize,
    /// What both processes of a pair share: temperature, clocks, neighbours.
    pub shared: f64,
}

impl World {
    pub fn new(between: f64, rho: f64) -> Self {
        Self { between, within: 0.01, rho, iterations: 200, shared: 0.01 }
    }

    /// `pairs` pairs of processes; head takes exp(`effect`) as long as base.
    pub fn run(&self, pairs: usize, effect: f64, rng: &mut Rng) -> Arms {
        let mut arms = Arms { base: vec![], head: vec![] };
        for _ in 0..pairs {
            let shared = self.shared * rng.normal();
            arms.base.push(self.process(shared, rng));
            arms.head.push(self.process(shared + effect, rng));
        }
        arms
    }

    /// Iterations of about 1 ms, in nanoseconds.
    fn process(&self, level: f64, rng: &mut Rng) -> Vec<u64> {
        let mean_ns = 1e6 * (level + self.between * rng.normal()).exp();
        let fresh = (1.0 - self.rho * self.rho).sqrt();
        let mut noise = rng.normal();
        (0..self.iterations)
            .map(|_| {
                noise = self.rho * noise + fresh * rng.normal();
                (mean_ns * (1.0 + self.within * noise)).max(1.0) as u64
            })
            .collect()
    }
}

/// Samples of every process of both arms.
pub struct Arms {
    pub base: Vec<Vec<u64>>,
    pub head: Vec<Vec<u64>>,
}

impl Arms {
    fn summaries(arm: &[Vec<u64>], quantile: Option<f64>) -> Vec<f64> {
        let summary = |samples: &Vec<u64>| match quantile {
            // All that `describe` does for a mean, without its sort: most of the cells need no quantile.
            None => samples.iter().sum::<u64>() as f64 / samples.len() as f64,
            Some(q) => {
                let described = describe(samples).expect("a process has samples");
                described.quantile_ns(q).expect("a stored quantile")
            }
        };
        arm.iter().map(summary).collect()
    }

    pub fn judge(&self, rule: Rule, quantile: Option<f64>) -> Ruling {
        let question = question(rule);
        let (base, head) = (Self::summaries(&self.base, quantile), Self::summaries(&self.head, quantile));
        judge_pairs(&base, &head, &question).expect("simulated times are usable").ruling
    }
}

pub fn question(rule: Rule) -> PairedQuestion<'static> {
    PairedQuestion {
        orientation: Orientation::LowerIsBetter,
        rule,
        resolution_sd: 0.0,
        prior: None,
        first: &[],
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    pub hits: u32,
    pub of: u32,
}

impl Share {
    pub fn count(&mut self, hit: bool) {
        self.hits += u32::from(hit);
        self.of += 1;
    }

    pub fn rate(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.of.max(1))
    }

    /// Whether so many hits are within the central `level` of a binomial distribution with probability `p`
    /// (normal approximation with continuity correction; `of`·p is at least 100 wherever this is asked).
    pub fn is_plausible(&self, p: f64, level: f64) -> bool {
        let n = f64::from(self.of);
        let z = dist::normal_quantile(0.5 + level / 2.0);
        (f64::from(self.hits) - n * p).abs() <= z * (n * p * (1.0 - p)).sqrt() + 0.5
    }
}

/// How often each rule calls the same simulated comparisons changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Our test of zero, two-sided p ≤ α: says nothing about the margin.
    pub t: Share,
    /// Our verdicts.
    pub regressed: Share,
    pub improved: Share,
    pub settled: Share,
    /// Their rules, `None` of them run if not asked for.
    pub criterion_one_process: Share,
    pub criterion_pooled: Share,
    pub nvbench: Share,
    pub mann_whitney: Share,
}

/// One cell of the table: a world, a true effect, and how it is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub world: World,
    /// ln(head/base).
    pub effect: f64,
    pub rule: Rule,
    pub pairs: usize,
    /// `None` for the mean.
    pub quantile: Option<f64>,
}

impl Cell {
    /// No change, mean, δ = 1 %, five pairs.
    pub fn same_code(between: f64, rho: f64) -> Self {
        let rule = Rule::new(0.01_f64.ln_1p());
        Self { world: World::new(between, rho), effect: 0.0, rule, pairs: 5, quantile: None }
    }

    pub fn changed(between: f64, change: f64, margin: f64, pairs: usize) -> Self {
        let rule = Rule::new(margin.ln_1p());
        Self { effect: change.ln_1p(), rule, pairs, ..Self::same_code(between, 0.5) }
    }

    /// Simulates `comparisons`; `others` of them (the first) are put to the other rules too.
    pub fn simulate(&self, comparisons: u32, others: u32, seed: u64) -> Rates {
        let mut rates = Rates::default();
        for i in 0..comparisons {
            let mut rng = Rng::stream(seed, u64::from(i));
            let arms = self.world.run(self.pairs, self.effect, &mut rng);
            let ruling = arms.judge(self.rule, self.quantile);
            rates.t.count(ruling.p_zero <= self.rule.alpha);
            rates.regressed.count(ruling.decision == Decision::Regressed);
            rates.improved.count(ruling.decision == Decision::Improved);
            rates.settled.count(ruling.decision != Decision::Inconclusive);
            if i < others {
                rates.ask_others(&arms, &mut rng);
            }
        }
        rates
    }
}

impl Rates {
    /// Share of comparisons with a verdict of either direction: false ones if nothing changed.
    pub fn verdicts(&self) -> f64 {
        self.regressed.rate() + self.improved.rate()
    }

    fn ask_others(&mut self, arms: &Arms, rng: &mut Rng) {
        let floats = |samples: &[u64]| samples.iter().map(|&s| s as f64).collect::<Vec<f64>>();
        let (one_base, one_head) = (floats(&arms.base[0]), floats(&arms.head[0]));
        let (base, head) = (floats(&arms.base.concat()), floats(&arms.head.concat()));
        self.criterion_one_process.count(criterion_changed(&one_base, &one_head, rng));
        self.criterion_pooled.count(criterion_changed(&base, &head, rng));
        self.nvbench.count(nvbench_changed(&base, &head));
        self.mann_whitney.count(mann_whitney_changed(&base, &head));
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64
}

/// criterion.rs 0.8: 100 samples, each the average of a run of iterations; changed if the p of Welch's t
/// against a bootstrap of the pooled samples is below .05 and the bootstrap interval of the ratio of means
/// lies beyond ±1 % (its book, "analysis process", and `noise_threshold`). It resamples 100 000 times; 1000
/// settle a .05 well enough for a rate.
pub fn criterion_changed(base: &[f64], head: &[f64], rng: &mut Rng) -> bool {
    const RESAMPLES: usize = 1000;
    let in_100 = |x: &[f64]| x.chunks(x.len().div_ceil(100)).map(mean).collect::<Vec<_>>();
    let (base, head) = (in_100(base), in_100(head));
    let welch = |a: &[f64], b: &[f64]| {
        let (mean_a, mean_b) = (mean(a), mean(b));
        let se2 = variance(a, mean_a) / a.len() as f64 + variance(b, mean_b) / b.len() as f64;
        (mean_a - mean_b) / se2.sqrt()
    };
    let draw = |from: &[f64], n: usize, rng: &mut Rng| -> Vec<f64> {
        (0..n).map(|_| from[rng.below(from.len() as u64) as usize]).collect()
    };
    let pooled: Vec<f64> = head.iter().chain(&base).copied().collect();
    let t = welch(&head, &base);
    let below = (0..RESAMPLES)
        .filter(|_| {
            let resample = draw(&pooled, pooled.len(), rng);
            welch(&resample[..head.len()], &resample[head.len()..]) < t
        })
        .count();
    let p = 2.0 * below.min(RESAMPLES - below) as f64 / RESAMPLES as f64;
    if p >= 0.05 {
        return false;
    }
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| mean(&draw(&head, head.len(), rng)) / mean(&draw(&base, base.len(), rng)) - 1.0)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let (lo, hi) = (ratios[RESAMPLES * 25 / 1000], ratios[RESAMPLES * 975 / 1000 - 1]);
    lo > 0.01 || hi < -0.01
}

/// NVBench's compare script: the same if the relative difference of the means is within the smaller relative
/// standard deviation of the samples.
pub fn nvbench_changed(base: &[f64], head: &[f64]) -> bool {
    let (mean_base, mean_head) = (mean(base), mean(head));
    let noise_base = variance(base, mean_base).sqrt() / mean_base;
    let noise_head = variance(head, mean_head).sqrt() / mean_head;
    ((mean_head - mean_base) / mean_base).abs() > noise_base.min(noise_head)
}

/// Mann–Whitney on all samples as if they were independent, normal approximation, two-sided 5 %. Ties of u64
/// nanoseconds around a millisecond are too rare to matter.
pub fn mann_whitney_changed(base: &[f64], head: &[f64]) -> bool {
    let mut all: Vec<(f64, bool)> =
        base.iter().map(|&v| (v, false)).chain(head.iter().map(|&v| (v, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 = all.iter().enumerate().filter(|(_, (_, head))| *head).map(|(i, _)| i as f64 + 1.0).sum();
    let (n, m) = (head.len() as f64, base.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    let z = (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    z.abs() > dist::normal_quantile(0.975)
}

/// Process summaries of one arm around 1, straight from the model (no iterations).
fn arm(count: usize, level: f64, sd: f64, rng: &mut Rng) -> Vec<f64> {
    (0..count).map(|_| (level + sd * rng.normal()).exp()).collect()
}

/// Share of `Regressed` when the true effect is the minimum detectable one: for the true spread, and for the
/// spread that an earlier comparison of as many pairs happened to see and print.
pub fn power_at_mde(pairs: usize, comparisons: u32, seed: u64) -> (Share, Share) {
    let rule = Rule::new(0.01);
    let between = 0.005;
    let (mut of_truth, mut as_printed) = (Share::default(), Share::default());
    for i in 0..comparisons {
        let mut rng = Rng::stream(seed, u64::from(i));
        let mut arms =
            |effect: f64| (arm(pairs, 0.0, between, &mut rng), arm(pairs, effect, between, &mut rng));
        let (base, head) = arms(0.0);
        let earlier = paired_t(&log_ratios(&base, &head).expect("usable"), 0.0).expect("usable");
        let mut truth = earlier;
        truth.se = between * (2.0 / pairs as f64).sqrt();
        for (mde_of, share) in [(truth, &mut of_truth), (earlier, &mut as_printed)] {
            let mde = minimum_detectable_effect(&mde_of, rule.margin, rule.alpha, rule.power);
            let (base, head) = arms(mde);
            let judged = judge_pairs(&base, &head, &question(rule)).expect("usable");
            share.count(judged.ruling.decision == Decision::Regressed);
        }
    }
    (of_truth, as_printed)
}

/// What sequential looks come to: share of A/A runs with p_zero below the threshold at any look, and share of
/// runs on the margin (true effect δ) that end in a claim of equivalence (one-sided, so half the rate is
/// nominal).
pub fn sequential(overall: f64, comparisons: u32, seed: u64) -> (Share, Share, Share) {
    let alpha = look_alpha(overall).expect("a simulated rate");
    let rule = Rule::new(0.01).at_alpha(alpha);
    let looks = trt_perf::stats::LOOKS;
    let last = looks[looks.len() - 1];
    let (mut any, mut regressed, mut equivalent) = (Share::default(), Share::default(), Share::default());
    for i in 0..comparisons {
        let mut rng = Rng::stream(seed, u64::from(i));
        let (base, null) = (arm(last, 0.0, 0.004, &mut rng), arm(last, 0.0, 0.004, &mut rng));
        let at_margin: Vec<f64> = null.iter().map(|h| h * rule.margin.exp()).collect();
        any.count(looks.iter().any(|&n| {
            let judged = judge_pairs(&base[..n], &null[..n], &question(rule)).expect("usable");
            judged.ruling.p_zero <= alpha
        }));
        let first = looks.iter().find_map(|&n| {
            let judged = judge_pairs(&base[..n], &at_margin[..n], &question(rule)).expect("usable");
            let decision = judged.ruling.decision;
            (decision != Decision::Inconclusive).then_some(decision)
        });
        regressed.count(first == Some(Decision::Regressed));
        equivalent.count(matches!(first, Some(Decision::Unchanged | Decision::ChangedWithinMargin)));
    }
    (any, regressed, equivalent)
}

/// Share of runs of `cases` unchanged cases with any verdict, before and after the correction for their
/// number: each case looked at with `looks` pairs in turn, at threshold `alpha`, until it is decided.
pub fn suites(
    cases: usize,
    looks: &[usize],
    alpha: f64,
    between: f64,
    runs: u32,
    seed: u64,
) -> (Share, Share) {
    let rule = Rule::new(0.01_f64.ln_1p()).at_alpha(alpha);
    let last = looks[looks.len() - 1];
    let (mut before, mut after) = (Share::default(), Share::default());
    let is_verdict = |r: &Ruling| matches!(r.decision, Decision::Regressed | Decision::Improved);
    for i in 0..runs {
        let mut rng = Rng::stream(seed, u64::from(i));
        let mut case = || {
            let (base, head) = (arm(last, 0.0, between, &mut rng), arm(last, 0.0, between, &mut rng));
            let at = |n: usize| judge_pairs(&base[..n], &head[..n], &question(rule)).expect("usable").ruling;
            let stopped = looks.iter().find(|&&n| n == last || at(n).decision != Decision::Inconclusive);
            at(*stopped.unwrap_or(&last))
        };
        let rulings: Vec<Ruling> = (0..cases).map(|_| case()).collect();
        before.count(rulings.iter().any(is_verdict));
        after.count(any_stays(&rulings, looks.len()));
    }
    (before, after)
}

/// Five pairs of a device with twenty past comparisons, spreads varying by a factor of about `vary` (log sd)
/// from case to case: share with p ≤ 5 % for the plain and for the moderated t, with a true change of
/// `effect`.
pub fn moderated(vary: f64, effect: f64, comparisons: u32, seed: u64) -> (Share, Share) {
    let (mut plain, mut with_history) = (Share::default(), Share::default());
    for i in 0..comparisons {
        let mut rng = Rng::stream(seed, u64::from(i));
        let mut compare = |effect: f64| {
            let between = 0.005 * (vary * rng.normal()).exp();
            let (base, head) = (arm(5, 0.0, between, &mut rng), arm(5, effect, between, &mut rng));
            paired_t(&log_ratios(&base, &head).expect("usable"), 0.0).expect("usable")
        };
        let history: Vec<(f64, f64)> = (0..20).map(|_| compare(0.0)).map(|e| (e.sd, e.df)).collect();
        let prior = fit_prior(&history).expect("twenty spreads");
        let now = compare(effect);
        plain.count(now.p_zero() <= 0.05);
        with_history.count(moderate(&now, &prior).p_zero() <= 0.05);
    }
    (plain, with_history)
}

/// Share of verdicts against a stored record of the same code when sessions differ by `session`: ignoring
/// that, and allowing for it as estimated from `history` earlier sessions. Five processes an arm, 0.3 %
/// between processes, δ = 1 %.
pub fn stored(session: f64, history: usize, comparisons: u32, seed: u64) -> (Share, Share) {
    let (processes, between) = (5, 0.003);
    let rule = Rule::new(0.01_f64.ln_1p());
    let (mut ignoring, mut allowing) = (Share::default(), Share::default());
    for i in 0..comparisons {
        let mut rng = Rng::stream(seed, u64::from(i));
        let mut day = || {
            let level = session * rng.normal();
            arm(processes, level, between, &mut rng)
        };
        let past: Vec<Vec<f64>> = (0..history).map(|_| day()).collect();
        let (base, head) = (day(), day());
        let spread = session_spread(&past).expect("enough sessions");
        for (spread, share) in [(SessionSpread::NONE, &mut ignoring), (spread, &mut allowing)] {
            let judged = judge_unpaired(&base, &head, Orientation::LowerIsBetter, spread, &rule);
            let decision = judged.expect("usable").ruling.decision;
            share.count(matches!(decision, Decision::Regressed | Decision::Improved));
        }
    }
    (ignoring, allowing)
}
