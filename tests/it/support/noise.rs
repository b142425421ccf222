//! Worlds in which the numbers of processes vary in ways that are no normal noise, and what rules make of them. Makes
//! rates of verdicts from a seed, for `tests/it/statistics.rs`, which asserts them, and `benches/verdicts.rs`, which
//! prints them.

use super::simulate::Share;
use trt_perf::rng::Rng;
use trt_perf::stats::{
    Decision, LOOKS, Order, Orientation, PairedQuestion, Prior, Rule, SessionSpread, fit_prior, judge_pairs,
    judge_unpaired, log_ratios, look_alpha, paired_t,
};

/// How the number of a process varies, beside `sd` of normal noise (log scale).
#[derive(Debug, Clone, Copy)]
pub enum Noise {
    Normal,
    /// One process of all that a comparison can have takes so many times as long.
    OneSlow(f64),
    /// So large a share of processes is slower by such a fraction.
    TwoSpeeds(f64, f64),
    /// The second process of a pair is slower by such a fraction.
    Order(f64),
    /// A lognormal time with this median is added to a time of 1.
    Skewed(f64),
}

/// A world of processes.
#[derive(Debug, Clone, Copy)]
pub struct Processes {
    pub sd: f64,
    pub noise: Noise,
}

/// Numbers of pairs, and the order in which they ran.
pub struct Pairs {
    pub base: Vec<f64>,
    pub head: Vec<f64>,
    pub first: Vec<Order>,
}

impl Processes {
    pub fn new(sd: f64, noise: Noise) -> Self {
        Self { sd, noise }
    }

    /// The logarithm of one process's number.
    fn one(&self, rng: &mut Rng) -> f64 {
        let normal = self.sd * rng.normal();
        normal
            + match self.noise {
                Noise::TwoSpeeds(share, slower) if rng.f64() < share => slower.ln_1p(),
                Noise::Skewed(median) => (median * rng.normal().exp()).ln_1p(),
                _ => 0.0,
            }
    }

    /// Numbers of one arm.
    pub fn arm(&self, n: usize, effect: f64, rng: &mut Rng) -> Vec<f64> {
        (0..n).map(|_| (effect + self.one(rng)).exp()).collect()
    }

    /// Pairs in ABBA order, as many as the last look has; head takes exp(`effect`) as long.
    pub fn pairs(&self, effect: f64, rng: &mut Rng) -> Pairs {
        let n = LOOKS[LOOKS.len() - 1];
        let slow = rng.below(2 * n as u64) as usize;
        let mut pairs = Pairs { base: vec![], head: vec![], first: vec![] };
        let mut base_first = true;
        for i in 0..n {
            base_first = if i % 2 == 0 { rng.coin() } else { !base_first };
            let mut logs = [self.one(rng), effect + self.one(rng)];
            match self.noise {
                Noise::OneSlow(times) if slow / 2 == i => logs[slow % 2] += times.ln(),
                Noise::Order(slower) => logs[usize::from(base_first)] += slower.ln_1p(),
                _ => {}
            }
            pairs.base.push(logs[0].exp());
            pairs.head.push(logs[1].exp());
            pairs.first.push(if base_first { Order::BaseFirst } else { Order::HeadFirst });
        }
        pairs
    }
}

/// What a check with looks comes to by our rule, with or without knowing the order.
pub fn checked(pairs: &Pairs, margin: f64, known: bool) -> Decision {
    let alpha = look_alpha(0.05).expect("a simulated rate");
    decided(|n| {
        let question = PairedQuestion {
            orientation: Orientation::LowerIsBetter,
            rule: Rule::new(margin).at_alpha(alpha),
            resolution_sd: 0.0,
            prior: None,
            first: if known { &pairs.first[..n] } else { &[] },
        };
        judge_pairs(&pairs.base[..n], &pairs.head[..n], &question).expect("usable").ruling.decision
    })
}

/// The decision at the first look that has one.
pub fn decided(at: impl Fn(usize) -> Decision) -> Decision {
    LOOKS.iter().map(|n| at(*n)).find(|d| *d != Decision::Inconclusive).unwrap_or(Decision::Inconclusive)
}

/// Shows `each` the pairs of so many checks of a world, and a source of chance.
pub fn checks(world: Processes, effect: f64, runs: u32, mut each: impl FnMut(&Pairs, &mut Rng)) {
    for i in 0..runs {
        let mut rng = Rng::stream(20, u64::from(i));
        let pairs = world.pairs(effect, &mut rng);
        each(&pairs, &mut rng);
    }
}

/// Share of two arms of `n` processes in one session that are called changed, at δ = 1 %.
pub fn unpaired(world: Processes, n: usize, effect: f64, runs: u32) -> Share {
    let rule = Rule::new(0.01_f64.ln_1p());
    let mut share = Share::default();
    for i in 0..runs {
        let mut rng = Rng::stream(21, u64::from(i));
        let (base, head) = (world.arm(n, 0.0, &mut rng), world.arm(n, effect, &mut rng));
        let judged = judge_unpaired(&base, &head, Orientation::LowerIsBetter, SessionSpread::NONE, &rule);
        let decision = judged.expect("usable").ruling.decision;
        share.count(matches!(decision, Decision::Regressed | Decision::Improved));
    }
    share
}

/// How often the interval of `n` pairs holds the true change on a day with `times` the noise of ten calibrated sessions
/// of five pairs: 95 % is promised.
pub fn covered(n: usize, times: f64, runs: u32) -> Share {
    let quiet = Processes::new(0.005, Noise::Normal);
    let today = Processes { sd: 0.005 * times, ..quiet };
    let mut share = Share::default();
    for i in 0..runs {
        let mut rng = Rng::stream(22, u64::from(i));
        let spreads: Vec<(f64, f64)> = (0..10)
            .map(|_| {
                let (base, head) = (quiet.arm(5, 0.0, &mut rng), quiet.arm(5, 0.0, &mut rng));
                let e = paired_t(&log_ratios(&base, &head).expect("usable"), 0.0).expect("usable");
                (e.sd, e.df)
            })
            .collect();
        let prior: Prior = fit_prior(&spreads).expect("ten spreads");
        let question = PairedQuestion {
            orientation: Orientation::LowerIsBetter,
            rule: Rule::new(0.01),
            resolution_sd: 0.0,
            prior: Some(prior),
            first: &[],
        };
        let (base, head) = (today.arm(n, 0.0, &mut rng), today.arm(n, 0.02, &mut rng));
        let judged = judge_pairs(&base, &head, &question).expect("usable");
        share.count(judged.ruling.interval.contains(0.02));
    }
    share
}
