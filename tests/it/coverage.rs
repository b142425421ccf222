//! How often the printed interval holds the true change, on simulated data: 95 % is promised, 93–97 % are asked for.
//! Fixed seeds; 4,000 comparisons a cell, so that chance alone moves a rate by 0.7 points at most (two standard errors).

use crate::support::simulate::{Share, question};
use trt_perf::rng::Rng;
use trt_perf::stats::{Interval, Prior, Rule, SessionSpread, judge_pairs, judge_unpaired, session_spread};
use trt_perf::stats::{Judgement, Orientation};

const COMPARISONS: u64 = 4000;
/// Relative changes that are true in turn.
const CHANGES: [f64; 3] = [-0.03, 0.0, 0.05];

fn held(judgement: &Judgement, effect: f64) -> bool {
    let Interval { lo, hi, .. } = judgement.ruling.interval;
    (lo..=hi).contains(&effect)
}

/// Rates over comparisons that `one` makes, each of a true change in turn.
fn coverage(seed: u64, one: impl Fn(f64, &mut Rng) -> bool) -> f64 {
    let mut share = Share::default();
    for i in 0..COMPARISONS {
        let effect = CHANGES[(i % CHANGES.len() as u64) as usize].ln_1p();
        share.count(one(effect, &mut Rng::stream(seed, i)));
    }
    share.rate()
}

fn assert_covered(what: &str, rate: f64) {
    assert!(
        (0.93..=0.97).contains(&rate),
        "{what}: the interval holds the true change in {rate} of all cases"
    );
}

/// `n` process means of about 1 ms that differ by `between`.
fn arm(n: usize, level: f64, between: f64, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| 1e6 * (level + between * rng.normal()).exp()).collect()
}

/// Both arms of `n` pairs; each pair shares a disturbance of 1 %.
fn pairs(n: usize, effect: f64, between: f64, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
    (0..n)
        .map(|_| {
            let shared = 0.01 * rng.normal();
            let mut of = |level: f64| 1e6 * (shared + level + between * rng.normal()).exp();
            (of(0.0), of(effect))
        })
        .unzip()
}

#[test]
fn intervals_of_pairs() {
    for n in [3, 5, 8, 20] {
        for between in [0.003, 0.02] {
            let rate = coverage(n as u64, |effect, rng| {
                let (base, head) = pairs(n, effect, between, rng);
                let rule = Rule::new(0.01_f64.ln_1p());
                held(&judge_pairs(&base, &head, &question(rule)).expect("usable times"), effect)
            });
            assert_covered(&format!("{n} pairs, {between} between"), rate);
        }
    }
}

/// The spread of each case is drawn as the prior says, which is what a calibrated device promises.
#[test]
fn intervals_of_pairs_with_a_calibrated_spread() {
    for df in [4_u32, 12] {
        let prior = Prior { sd: 0.005, df: f64::from(df) };
        let rate = coverage(u64::from(df), |effect, rng| {
            let chi_square: f64 = (0..df).map(|_| rng.normal().powi(2)).sum();
            let sd = prior.sd * (prior.df / chi_square).sqrt();
            let (base, head) = pairs(5, effect, sd / 2.0_f64.sqrt(), rng);
            let mut question = question(Rule::new(0.01_f64.ln_1p()));
            question.prior = Some(prior);
            held(&judge_pairs(&base, &head, &question).expect("usable times"), effect)
        });
        assert_covered(&format!("5 pairs, prior worth {df} degrees of freedom"), rate);
    }
}

/// Stored records: sessions differ as wholes, and by how much is known, or estimated from ten earlier ones.
#[test]
fn intervals_of_stored_sessions() {
    let sigma = 0.008;
    for estimated in [false, true] {
        let rate = coverage(u64::from(estimated), |effect, rng| {
            let spread = if estimated {
                let earlier: Vec<Vec<f64>> = (0..10)
                    .map(|_| {
                        let level = sigma * rng.normal();
                        arm(5, level, 0.004, rng)
                    })
                    .collect();
                session_spread(&earlier).expect("ten sessions")
            } else {
                SessionSpread { sd: sigma, df: f64::INFINITY }
            };
            let (l1, l2) = (sigma * rng.normal(), effect + sigma * rng.normal());
            let (base, head) = (arm(5, l1, 0.004, rng), arm(5, l2, 0.004, rng));
            let rule = Rule::new(0.01_f64.ln_1p());
            let judged = judge_unpaired(&base, &head, Orientation::LowerIsBetter, spread, &rule);
            held(&judged.expect("usable times"), effect)
        });
        assert_covered(
            &format!("stored sessions, spread {}", if estimated { "estimated" } else { "known" }),
            rate,
        );
    }
}
