//! The statistical acceptance table, asserted on fixed seeds. `benches/verdicts.rs` prints a larger one from
//! the same code.
//!
//! Rates that are checked in many cells are held to limits corrected for their number: twelve 95 % intervals
//! would fail in every second table by chance.

use crate::support::simulate::{Cell, World, moderated, power_at_mde, sequential, stored, suites};
use trt_perf::stats::{LOOKS, Rule, look_alpha};

const SEED: u64 = 7;

#[test]
fn the_same_code_is_told_apart_no_more_often_than_announced() {
    const CELLS: f64 = 12.0;
    for between in [0.0, 0.003, 0.01, 0.02] {
        for rho in [0.0, 0.5, 0.9] {
            let mut cell = Cell::same_code(between, rho);
            cell.world.iterations = 100;
            let rates = cell.simulate(2000, 0, SEED);
            assert!(
                rates.t.is_plausible(0.05, 1.0 - 0.05 / CELLS),
                "between {between}, rho {rho}: {:?} is not 5 %",
                rates.t
            );
            assert!(rates.verdicts() <= 0.01, "between {between}, rho {rho}: {rates:?}");
        }
    }
}

#[test]
fn real_changes_are_seen() {
    for (between, change, margin, pairs, target) in [
        (0.003, 0.05, 0.01, 5, 0.99),
        (0.003, 0.02, 0.01, 5, 0.90),
        (0.003, 0.01, 0.005, 15, 0.90),
        (0.01, 0.05, 0.01, 5, 0.99),
    ] {
        let mut cell = Cell::changed(between, change, margin, pairs);
        cell.world.iterations = 400;
        let rates = cell.simulate(2000, 0, SEED);
        let got = rates.regressed.rate();
        assert!(got >= target, "{between} {change} {margin} {pairs}: {got} below {target}");
        assert_eq!(rates.improved.hits, 0);
    }
}

#[test]
fn the_usual_rules_call_the_same_code_changed() {
    let rates = Cell::same_code(0.01, 0.5).simulate(100, 100, SEED);
    assert!(rates.verdicts() <= 0.01, "{rates:?}");
    assert!(rates.criterion_one_process.rate() > 0.2, "{rates:?}");
    assert!(rates.mann_whitney.rate() > 0.6, "{rates:?}");
    // Given all processes these two are calmer, and blind to what paired processes see.
    assert!(rates.criterion_pooled.rate() < 0.1 && rates.nvbench.rate() < 0.1, "{rates:?}");
    let small = Cell::changed(0.003, 0.01, 0.005, 15).simulate(50, 50, SEED);
    assert!(small.regressed.rate() > 0.8, "{small:?}");
    assert!(small.criterion_pooled.rate() < 0.2 && small.nvbench.rate() < 0.2, "{small:?}");
}

#[test]
fn tails_are_judged_from_eight_pairs_on() {
    let world = World { iterations: 1000, ..World::new(0.01, 0.5) };
    let rule = Rule::for_tail(0.03_f64.ln_1p());
    let same = Cell { world, effect: 0.0, rule, pairs: 8, quantile: Some(0.99) };
    let rates = same.simulate(200, 0, SEED);
    assert!(rates.verdicts() <= 0.01 && rates.settled.rate() > 0.9, "{rates:?}");
    let slower = Cell { effect: 0.1, ..same };
    assert!(slower.simulate(200, 0, SEED).regressed.rate() > 0.95);
    let seven = Cell { pairs: 7, ..slower };
    assert_eq!(seven.simulate(50, 0, SEED).settled.hits, 0);
}

#[test]
fn the_minimum_detectable_effect_is_detected_nine_times_in_ten() {
    for pairs in [5, 8, 10, 15, 20] {
        let (of_truth, as_printed) = power_at_mde(pairs, 2000, SEED);
        let got = of_truth.rate();
        assert!((0.85..=0.95).contains(&got), "{pairs} pairs: {got}");
        // One comparison's own spread is uncertain, and so is the effect computed from it.
        assert!(as_printed.rate() > 0.7 && as_printed.rate() < got + 0.02, "{pairs} pairs: {as_printed:?}");
    }
}

#[test]
fn looking_four_times_costs_nothing() {
    for overall in [0.05, 0.01] {
        let (any, regressed, equivalent) = sequential(overall, 5000, SEED);
        assert!((any.rate() - overall).abs() < 0.01, "{overall}: {any:?}");
        assert!(regressed.rate() < overall / 2.0 + 0.01, "{overall}: {regressed:?}");
        assert!(equivalent.rate() < overall + 0.01, "{overall}: {equivalent:?}");
    }
}

#[test]
fn fifty_unchanged_cases_rarely_raise_an_alarm() {
    for between in [0.003, 0.01, 0.02] {
        let (before, after) = suites(50, &[5], 0.05, between, 300, SEED);
        assert!(after.rate() <= 0.06 && after.hits <= before.hits, "{between}: {before:?} {after:?}");
        assert!(between < 0.02 || before.rate() > 0.2, "nothing to correct: {before:?}");
    }
    let alpha = look_alpha(0.05).expect("a simulated rate");
    let (_, after) = suites(50, &LOOKS, alpha, 0.02, 100, SEED);
    assert!(after.rate() <= 0.06, "{after:?}");
}

#[test]
fn stored_records_need_the_spread_between_sessions() {
    let (ignoring, allowing) = stored(0.01, 5, 2000, SEED);
    assert!(ignoring.rate() > 0.25 && allowing.rate() < 0.03, "{ignoring:?} {allowing:?}");
    let (ignoring, allowing) = stored(0.0, 5, 2000, SEED);
    assert!(ignoring.rate() < 0.01 && allowing.rate() < 0.01, "{ignoring:?} {allowing:?}");
}

#[test]
fn a_history_of_spreads_adds_power_and_keeps_the_level() {
    for vary in [0.0, 0.3, 0.7] {
        // The guard against noisy days takes back more than the t promises: the level is below 5 %.
        let (_, level) = moderated(vary, 0.0, 4000, SEED);
        assert!((0.02..0.055).contains(&level.rate()), "{vary}: {level:?}");
        let (plain, with_history) = moderated(vary, 0.01, 4000, SEED);
        assert!(with_history.rate() > plain.rate(), "{vary}: {plain:?} {with_history:?}");
    }
}
