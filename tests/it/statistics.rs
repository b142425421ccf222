//! What must hold for every input: symmetry, invariance, monotony, and no NaN or panic. And what holds in worlds whose
//! noise is not normal, from fixed seeds; `benches/verdicts.rs` prints more of these.

use crate::support::noise::{Noise, Processes, checked, checks, covered, unpaired};
use crate::support::simulate::Share;
use proptest::collection::vec;
use proptest::prelude::*;
use trt_perf::stats::{
    self, Estimate, Judgement, Order, Orientation, PairedQuestion, Prior, Rule, SessionSpread, StatError,
    Test, judge_pairs, judge_unpaired,
};
use trt_perf::{rng::Rng, steady};

/// Times of `n` pairs, within ±30 % of 1 ms.
fn pairs(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(f64, f64)>> {
    vec((7e5..1.3e6_f64, 7e5..1.3e6_f64), n)
}

/// Like [`pairs`], but so alike that every kind of decision occurs.
fn close_pairs(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(f64, f64)>> {
    (vec((1e6..1.01e6_f64, -1.0..1.0_f64), n), -0.03..0.03_f64, 0.0..0.01_f64).prop_map(
        |(rows, effect, spread)| {
            rows.into_iter().map(|(base, noise)| (base, base * (effect + spread * noise).exp())).collect()
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    (0.001..0.05_f64, prop_oneof![Just(0.05), Just(0.0163), Just(0.0029)], any::<bool>()).prop_map(
        |(margin, alpha, tail)| {
            let rule = if tail { Rule::for_tail(margin) } else { Rule::new(margin) };
            rule.at_alpha(alpha)
        },
    )
}

/// Which process of each pair ran first: in ABBA order.
const FIRST: [Order; 24] = {
    use Order::{BaseFirst, HeadFirst};
    let mut first = [BaseFirst; 24];
    let mut pair = 0;
    while pair < first.len() {
        first[pair] = if pair % 4 == 1 || pair % 4 == 2 { HeadFirst } else { BaseFirst };
        pair += 1;
    }
    first
};

/// About pairs whose order is not known.
fn question(rule: Rule) -> PairedQuestion<'static> {
    PairedQuestion {
        orientation: Orientation::LowerIsBetter,
        rule,
        resolution_sd: 0.0,
        prior: None,
        first: &[],
    }
}

fn judged(rows: &[(f64, f64)], rule: Rule) -> Judgement {
    in_order(rows, rule, &[])
}

fn in_order(rows: &[(f64, f64)], rule: Rule, first: &[Order]) -> Judgement {
    let (base, head): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    judge_pairs(&base, &head, &PairedQuestion { first, ..question(rule) }).expect("positive finite times")
}

/// The same order with the arms swapped.
fn reversed(first: &[Order]) -> Vec<Order> {
    let other = |o: &Order| if *o == Order::BaseFirst { Order::HeadFirst } else { Order::BaseFirst };
    first.iter().map(other).collect()
}

fn swapped(rows: &[(f64, f64)]) -> Vec<(f64, f64)> {
    rows.iter().map(|&(base, head)| (head, base)).collect()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

/// Every number that a record or report could take from a judgement.
fn numbers(j: &Judgement) -> Vec<f64> {
    let r = &j.ruling;
    let mut all = vec![j.estimate.effect, j.estimate.se, j.estimate.df, j.estimate.sd];
    all.extend([r.interval.lo, r.interval.est, r.interval.hi, r.equivalence.lo, r.equivalence.hi]);
    all.extend([r.p_zero, r.p_regressed, r.p_improved, r.mde]);
    all
}

fn mirrors(a: &Judgement, b: &Judgement) {
    assert_eq!(a.ruling.decision, b.ruling.decision.mirrored());
    assert_eq!(a.ruling.doubt, b.ruling.doubt);
    assert_eq!(a.estimate.effect, -b.estimate.effect);
    assert_eq!((a.estimate.se, a.estimate.df), (b.estimate.se, b.estimate.df));
    assert_eq!(a.ruling.interval.lo, -b.ruling.interval.hi);
    assert_eq!(a.ruling.equivalence.lo, -b.ruling.equivalence.hi);
    assert_eq!((a.ruling.p_zero, a.ruling.p_regressed), (b.ruling.p_zero, b.ruling.p_improved));
    assert_eq!((a.ruling.mde, a.ruling.units_to_settle), (b.ruling.mde, b.ruling.units_to_settle));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn swapping_the_arms_mirrors_the_judgement(rows in prop_oneof![pairs(2..22), close_pairs(2..22)], rule in rule()) {
        mirrors(&judged(&rows, rule), &judged(&swapped(&rows), rule));
        let first = &FIRST[..rows.len()];
        mirrors(&in_order(&rows, rule, first), &in_order(&swapped(&rows), rule, &reversed(first)));
    }

    #[test]
    fn swapping_unpaired_arms_mirrors_the_judgement(
        base in vec(9e5..1.1e6_f64, 2..12), head in vec(9e5..1.1e6_f64, 2..12), sd in 0.0..0.05_f64, rule in rule(),
    ) {
        let spread = SessionSpread { sd, df: 4.0 };
        let ask = |a: &[f64], b: &[f64]| judge_unpaired(a, b, Orientation::LowerIsBetter, spread, &rule);
        mirrors(&ask(&base, &head).expect("usable"), &ask(&head, &base).expect("usable"));
    }

    #[test]
    fn orientation_is_the_same_as_swapping(rows in close_pairs(2..15), rule in rule()) {
        let (base, head): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let higher = PairedQuestion { orientation: Orientation::HigherIsBetter, ..question(rule) };
        let other = judge_pairs(&base, &head, &higher).expect("usable");
        prop_assert_eq!(other, judged(&swapped(&rows), rule));
    }

    #[test]
    fn the_unit_of_time_changes_no_number(rows in close_pairs(2..15), unit in 1e-9..1e9_f64, rule in rule()) {
        let scaled: Vec<_> = rows.iter().map(|&(base, head)| (base * unit, head * unit)).collect();
        let (a, b) = (judged(&rows, rule), judged(&scaled, rule));
        // Near zero spread rounding is all there is.
        prop_assume!(a.estimate.sd > 1e-9);
        for (x, y) in numbers(&a).into_iter().zip(numbers(&b)) {
            prop_assert!(close(x, y, 1e-4), "{x} {y}");
        }
    }

    #[test]
    fn what_the_second_process_has_over_the_first_changes_no_number(
        rows in close_pairs(12..22), order in -0.05..0.05_f64, rule in rule(),
    ) {
        let first = &FIRST[..rows.len()];
        let second = |o: &Order| if *o == Order::BaseFirst { order } else { -order };
        let slower: Vec<_> =
            rows.iter().zip(first).map(|(&(base, head), o)| (base, head * second(o).exp())).collect();
        let (a, b) = (in_order(&rows, rule, first), in_order(&slower, rule, first));
        prop_assume!(a.estimate.sd > 1e-9);
        for (x, y) in numbers(&a).into_iter().zip(numbers(&b)) {
            prop_assert!(close(x, y, 1e-4), "{x} {y}");
        }
    }

    #[test]
    fn the_order_of_pairs_changes_no_number(rows in close_pairs(2..15), seed: u64, rule in rule()) {
        let mut shuffled = rows.clone();
        Rng::new(seed).shuffle(&mut shuffled);
        let (a, b) = (judged(&rows, rule), judged(&shuffled, rule));
        prop_assume!(a.estimate.sd > 1e-9);
        for (x, y) in numbers(&a).into_iter().zip(numbers(&b)) {
            prop_assert!(close(x, y, 1e-6), "{x} {y}");
        }
    }

    #[test]
    fn slower_is_never_judged_better(rows in close_pairs(3..15), more in 0.0..0.05_f64, rule in rule()) {
        let slower: Vec<_> = rows.iter().map(|&(base, head)| (base, head * more.exp())).collect();
        let (a, b) = (judged(&rows, rule), judged(&slower, rule));
        prop_assume!(a.estimate.sd > 1e-9);
        let slack = 1e-6;
        prop_assert!(b.ruling.p_regressed <= a.ruling.p_regressed + slack);
        prop_assert!(b.ruling.p_improved >= a.ruling.p_improved - slack);
        prop_assert!(b.ruling.interval.lo >= a.ruling.interval.lo - slack);
        prop_assert!(b.ruling.interval.hi >= a.ruling.interval.hi - slack);
    }

    #[test]
    fn a_wider_margin_or_stricter_alpha_never_adds_a_regression(
        rows in close_pairs(3..15), margin in 0.001..0.02_f64, wider in 1.0..3.0_f64,
    ) {
        use trt_perf::stats::Decision::Regressed;
        let at = |rule: Rule| judged(&rows, rule).ruling;
        let (narrow, wide) = (at(Rule::new(margin)), at(Rule::new(margin * wider)));
        prop_assert!(wide.decision != Regressed || narrow.decision == Regressed);
        prop_assert!(wide.p_regressed >= narrow.p_regressed && wide.mde >= narrow.mde);
        let strict = at(Rule::new(margin).at_alpha(0.01));
        prop_assert!(strict.interval.lo <= narrow.interval.lo && narrow.interval.hi <= strict.interval.hi);
        prop_assert!(narrow.equivalence.lo >= narrow.interval.lo);
    }

    #[test]
    fn any_numbers_give_an_error_or_finite_numbers(
        base in vec(any::<f64>(), 0..12), head in vec(any::<f64>(), 0..12), rule in rule(),
    ) {
        finite_or_error(&base, &head, rule);
        let positive = |x: &[f64]| x.iter().map(|v| v.abs()).collect::<Vec<_>>();
        let (base, mut head) = (positive(&base), positive(&head));
        finite_or_error(&base, &head, rule);
        head.resize(base.len(), 1.0);
        finite_or_error(&base, &head, rule);
    }

    #[test]
    fn any_parameters_give_an_error_or_no_nan(
        rows in close_pairs(2..6), a: f64, b: f64, c: f64, d: f64, n: usize,
    ) {
        let (base, head): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let rule = Rule { margin: a, alpha: b, power: c, min_units: n % 20 };
        for rule in [rule, Rule::new(0.01)] {
            let ask = PairedQuestion {
                resolution_sd: if n % 3 == 0 { d } else { 0.0 },
                prior: Some(Prior { sd: a, df: b }),
                ..question(rule)
            };
            if let Ok(judgement) = judge_pairs(&base, &head, &ask) {
                prop_assert!(numbers(&judgement).iter().all(|x| !x.is_nan()), "{judgement:?}");
            }
            let spread = SessionSpread { sd: c, df: d };
            if let Ok(judgement) = judge_unpaired(&base, &head, Orientation::HigherIsBetter, spread, &rule) {
                prop_assert!(numbers(&judgement).iter().all(|x| !x.is_nan()), "{judgement:?}");
            }
        }
        // An estimate is plain data, so anything can be in it.
        let odd = Estimate { effect: a, se: b, df: c, sd: d, n, fixed_var: a };
        prop_assert!(stats::decide(&odd, &Test::T, &Rule::new(0.01)).is_ok());
    }

    #[test]
    fn any_history_gives_an_error_or_finite_numbers(
        sessions in vec(vec(any::<f64>(), 0..4), 0..9), history in vec((any::<f64>(), any::<f64>()), 0..6),
    ) {
        let sessions_abs: Vec<Vec<f64>> =
            sessions.iter().map(|s| s.iter().map(|v| v.abs()).collect()).collect();
        for sessions in [&sessions, &sessions_abs] {
            if let Ok(spread) = stats::session_spread(sessions) {
                prop_assert!(spread.sd.is_finite() && spread.df >= 1.0);
            }
        }
        let history_abs: Vec<(f64, f64)> = history.iter().map(|(s, d)| (s.abs(), d.abs())).collect();
        for history in [&history, &history_abs] {
            if let Ok(prior) = stats::fit_prior(history) {
                prop_assert!(prior.sd.is_finite() && prior.sd >= 0.0 && prior.df > 0.0, "{prior:?}");
            }
        }
    }

    #[test]
    fn any_samples_can_be_described(samples in vec(any::<u64>(), 0..200)) {
        let cut = steady::cold_start(&samples);
        prop_assert!(cut <= samples.len() / 10);
        let trend = steady::trend(&samples[cut..]);
        prop_assert!(trend.change_frac.is_finite() && (0.0..=1.0).contains(&trend.p));
        prop_assert!(samples.len() >= steady::MIN_SAMPLES || !steady::is_steady(&samples));
        match stats::describe(&samples) {
            Err(error) => {
                prop_assert!(samples.len() < 2);
                let too_few = matches!(error, StatError::TooFew { .. });
                prop_assert!(too_few);
            }
            Ok(d) => {
                let n = samples.len() as f64;
                prop_assert!(d.mean_ns.is_finite() && d.sd_ns.is_finite() && d.sd_ns >= 0.0);
                prop_assert!((-1.0..=1.0).contains(&d.lag1) && (1.0..=n).contains(&d.n_eff));
                prop_assert!(d.quantiles_ns.is_sorted());
                prop_assert!(d.min_ns as f64 <= d.quantiles_ns[0] && d.quantiles_ns[9] <= d.max_ns as f64);
                let labelled = d.labels.low_severe + d.labels.low_mild + d.labels.high_mild + d.labels.high_severe;
                prop_assert!(labelled <= d.n);
            }
        }
    }

    #[test]
    fn adjusted_p_values_are_larger_and_keep_their_order(p in vec(0.0..=1.0_f64, 0..30)) {
        let adjusted = stats::benjamini_hochberg(&p).expect("p values");
        for (i, (raw, new)) in p.iter().zip(&adjusted).enumerate() {
            prop_assert!(new >= raw && *new <= 1.0);
            for (other_raw, other_new) in p[..i].iter().zip(&adjusted) {
                prop_assert!((raw <= other_raw && new <= other_new) || (raw >= other_raw && new >= other_new));
            }
        }
    }
}

fn finite_or_error(base: &[f64], head: &[f64], rule: Rule) {
    let finite = |judgement: &Judgement| {
        assert!(numbers(judgement).iter().all(|x| x.is_finite()), "{judgement:?}");
    };
    if let Ok(judgement) = judge_pairs(base, head, &question(rule)) {
        finite(&judgement);
    }
    let spread = SessionSpread::NONE;
    if let Ok(judgement) = judge_unpaired(base, head, Orientation::LowerIsBetter, spread, &rule) {
        finite(&judgement);
    }
    if let Ok(interval) = stats::geometric_mean_interval(base, 0.95) {
        assert!(interval.lo.is_finite() && interval.lo <= interval.est && interval.est <= interval.hi);
        assert!(interval.hi.is_finite());
    }
}

/// Shares of `Regressed` and of `Improved` among checks with looks, and of `Regressed` where the order is not known.
fn called(world: Processes, change: f64, runs: u32) -> [f64; 3] {
    let margin = 0.01_f64.ln_1p();
    let mut shares = [Share::default(); 3];
    checks(world, change.ln_1p(), runs, |pairs, _| {
        let decision = checked(pairs, margin, true);
        shares[0].count(decision == stats::Decision::Regressed);
        shares[1].count(decision == stats::Decision::Improved);
        shares[2].count(checked(pairs, margin, false) == stats::Decision::Regressed);
    });
    shares.map(|share| share.rate())
}

const TWO_SPEEDS: Noise = Noise::TwoSpeeds(0.2, 0.3);

#[test]
fn slow_processes_hide_no_change_and_make_none() {
    for (noise, seen) in [(Noise::OneSlow(10.0), 0.98), (TWO_SPEEDS, 0.45)] {
        let world = Processes::new(0.005, noise);
        let [regressed, improved, _] = called(world, 0.05, 300);
        assert!(regressed >= seen && improved == 0.0, "{noise:?}: {regressed} {improved}");
        let [regressed, improved, _] = called(world, 0.0, 300);
        assert!(regressed + improved <= 0.03, "{noise:?}: {regressed} {improved}");
    }
}

#[test]
fn what_the_order_adds_hides_no_change_and_makes_none() {
    let world = Processes::new(0.003, Noise::Order(0.01));
    let [fitted, improved, unknown] = called(world, 0.015, 300);
    assert!(fitted >= 0.9 && fitted > unknown && improved == 0.0, "{fitted} {unknown}");
    let [regressed, improved, _] = called(world, 0.0, 300);
    assert!(regressed + improved <= 0.01, "{regressed} {improved}");
}

#[test]
fn processes_of_two_arms_that_differ_by_chance_are_no_change() {
    let fair = |slower| Noise::TwoSpeeds(0.5, slower);
    for (sd, noise) in
        [(0.2, Noise::Normal), (0.0, Noise::Skewed(0.1)), (0.003, fair(0.03)), (0.003, fair(0.3))]
    {
        for n in [3, 4, 5, 8] {
            let wrong = unpaired(Processes::new(sd, noise), n, 0.0, 3000).rate();
            assert!(wrong <= 0.0115, "{noise:?}, {n} processes: {wrong}");
        }
    }
    let seen = unpaired(Processes::new(0.003, Noise::Normal), 5, 0.02_f64.ln_1p(), 1000).rate();
    assert!(seen > 0.97, "{seen}");
}

#[test]
fn a_calibration_does_not_make_a_noisy_day_look_quiet() {
    for pairs in [3, 5, 7] {
        for times in [0.5, 1.0, 2.0, 3.0] {
            let held = covered(pairs, times, 1000).rate();
            assert!(held >= 0.92, "{pairs} pairs, {times} times the noise: {held}");
        }
    }
}

/// Samples of a process that is steady and has spikes: of 1 ms with noise of 1 %, every 80th takes three times as
/// long, at random.
fn spiky(n: usize, seed: u64) -> Vec<u64> {
    let mut rng = Rng::new(seed);
    (0..n)
        .map(|_| {
            let spike = if rng.below(80) == 0 { 3.0 } else { 1.0 };
            (1e6 * spike * (1.0 + 0.01 * rng.normal())) as u64
        })
        .collect()
}

#[test]
fn spikes_of_a_steady_process_are_neither_cut_nor_missed() {
    // The 99 % quantile of a mixture in which 1 of 80 is a spike lies among the spikes.
    let (mut cut, mut tails) = (0, Vec::new());
    for seed in 0..300 {
        let samples = spiky(2400, seed);
        let dropped = steady::cold_start(&samples);
        cut += usize::from(dropped > 0);
        let described = stats::describe(&samples[dropped..]).expect("samples");
        tails.push(described.quantile_ns(0.99).expect("a stored quantile"));
    }
    assert!(cut <= 9, "{cut} of 300 were cut");
    let middle = stats::median_by(tails, f64::total_cmp).expect("300 of them");
    // As far as the spikes' own noise allows: their 20 % quantile is 0.8 % below their mean.
    assert!((middle / 3e6 - 1.0).abs() < 0.03, "p99 is {middle}");
}
