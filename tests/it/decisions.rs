//! What the rules of a check come to on simulated cases, on fixed seeds. `benches/decisions.rs` prints a larger table from
//! the same code.

use crate::support::cases::{Checks, Noise};

const SEED: u64 = 7;
const QUIET: Noise = Noise { process: 0.01, tail: 0.02 };
/// p99 varies so much that its own change stays open.
const NOISY: Noise = Noise { process: 0.01, tail: 0.05 };

fn alone(noise: Noise, change: f64) -> Checks {
    Checks { noise, effect: f64::ln_1p(change), cases: 1 }
}

#[test]
fn an_improvement_is_seen_though_its_tail_is_noisy() {
    let (now, before) = alone(NOISY, -0.05).simulate(60, SEED);
    assert!(now.right >= 0.9 && now.pairs < 25.0, "{now:?}");
    assert!(before.right < 0.3, "every metric had to be decided: {before:?}");
}

#[test]
fn a_regression_is_confirmed_in_half_the_pairs() {
    let (now, before) = alone(NOISY, 0.03).simulate(60, SEED);
    assert!(now.right >= 0.9 && before.right >= 0.9, "{now:?} {before:?}");
    assert!(now.pairs < 0.55 * before.pairs, "{now:?} {before:?}");
}

#[test]
fn one_change_among_many_cases_is_not_lost() {
    let among = |cases| Checks { cases, ..alone(QUIET, 0.02) };
    let (now, before) = among(15).simulate(20, SEED);
    assert!(now.right > before.right + 0.2 && now.wrong == 0.0, "{now:?} {before:?}");
}

#[test]
fn what_did_not_change_is_rarely_called_changed() {
    let (now, _) = alone(Noise { process: 0.1, tail: 0.05 }, 0.0).simulate(150, SEED);
    assert!(now.wrong <= 0.01, "{now:?}");
    let (now, _) = alone(QUIET, 0.0).simulate(50, SEED);
    assert_eq!(now.wrong, 0.0, "{now:?}");
}
