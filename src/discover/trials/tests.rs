//! Tests trials with given numbers: which cell goes when, which one wins, and which one came nearest.

use super::*;
use crate::case::OperatingPoint;
use crate::record::sample;
use proptest::collection::vec;
use proptest::prelude::*;

const MS: f64 = 1e6;

fn cell(batch: u64, streams: u64) -> Cell {
    Cell { point: OperatingPoint { batch, streams, in_flight: 1, cuda_graph: false }, threads: 1 }
}

/// Every latency the same; enough requests for p99.
fn score(latency_ms: f64, inferences_per_s: f64) -> Score {
    Score { inferences_per_s, quantiles_ns: [latency_ms * MS; QUANTILES.len()], requests: 5000 }
}

fn budget(ms: f64) -> Option<Budget> {
    Some(Budget { max_ns: (ms * MS) as u64, quantile: 0.99 })
}

/// Cells given as (batch, latency in ms, inferences/s), each the same in every round.
fn played(cells: &[(u64, f64, f64)], budget: Option<Budget>) -> Trials {
    let named = cells.iter().enumerate();
    let mut trials = Trials::new(
        named.map(|(i, (b, ..))| (format!("p/m/b{b}/throughput"), cell(*b, i as u64 + 1))),
        budget,
    );
    for round in 1..=ROUNDS {
        for i in trials.due() {
            let (_, latency, rate) = cells[i];
            trials.measured(i, round, score(latency, rate));
        }
        trials.close(round);
    }
    trials
}

fn rounds(trials: &Trials) -> Vec<usize> {
    trials.entries.iter().map(|e| e.round).collect()
}

#[test]
fn what_is_clearly_out_goes_early_and_the_rest_stays() {
    let cells = [
        (1, 4.0, 1000.0),
        // Over the budget of 5 ms by 60, 20 and 4 %.
        (1, 8.0, 3000.0),
        (1, 6.0, 2000.0),
        (1, 5.2, 1500.0),
        // Beaten by the first: by 30 % in both, by 15 %, by 30 % in one only.
        (1, 5.3, 750.0),
        (1, 4.7, 860.0),
        (1, 4.0, 700.0),
    ];
    let trials = played(&cells, budget(5.0));
    assert_eq!(rounds(&trials), [3, 1, 2, 3, 1, 2, 3]);
    let outs: Vec<Option<&Out>> = trials.entries.iter().map(|e| e.out.as_ref()).collect();
    assert_eq!(outs[1..3], [Some(&Out::OverBudget); 2]);
    assert_eq!(outs[4..6], [Some(&Out::Dominated); 2]);
    let ranking = trials.ranking();
    assert_eq!(ranking.winner, Some(0), "the faster one is over the budget");
    assert_eq!(ranking.front, [true, false, false, true, false, false, false]);
    assert_eq!((ranking.best, ranking.nearest), (vec![0], None));
}

#[test]
fn batches_do_not_push_each_other_out() {
    let trials = played(&[(1, 1.0, 900.0), (1, 2.0, 950.0), (4, 9.0, 100.0), (8, 2.0, 4000.0)], budget(3.0));
    assert_eq!(rounds(&trials), [3, 3, 1, 3]);
    let ranking = trials.ranking();
    assert_eq!((ranking.winner, ranking.best), (Some(3), vec![1, 3]), "batch 4 has none");
    assert_eq!(ranking.front, [true, false, false, true]);
}

#[test]
fn without_a_budget_there_is_a_front_and_no_winner() {
    let ranking = played(&[(1, 1.0, 900.0), (1, 2.0, 1700.0)], None).ranking();
    assert_eq!(ranking, Ranking { front: vec![true; 2], winner: None, best: vec![], nearest: None });
}

#[test]
fn a_budget_that_nothing_meets_has_a_nearest_cell() {
    let ranking = played(&[(1, 6.2, 900.0), (1, 5.25, 100.0), (1, 5.3, 120.0)], budget(5.0)).ranking();
    let (index, over) = ranking.nearest.unwrap();
    assert_eq!((ranking.winner, index), (None, 1));
    assert!((over - 0.05).abs() < 1e-9, "{over}");
    // Nothing gets past the first round.
    let (index, over) = played(&[(1, 60.0, 9.0), (1, 50.0, 1.0)], budget(5.0)).ranking().nearest.unwrap();
    assert_eq!(index, 1);
    assert!((over - 9.0).abs() < 1e-9, "{over}");
}

#[test]
fn a_cell_that_failed_is_out_and_the_others_go_on() {
    let cells = (1..=2).map(|streams| ("p/m/default/throughput".to_owned(), cell(1, streams)));
    let mut trials = Trials::new(cells, budget(5.0));
    trials.failed(0, Failure::usage("no"));
    assert_eq!(trials.ranking().nearest, None, "nothing is measured yet");
    for round in 1..=ROUNDS {
        trials.measured(1, round, score(1.0, 1.0));
        trials.close(round);
    }
    let ranking = trials.ranking();
    assert_eq!((ranking.winner, ranking.front), (Some(1), vec![false, true]));
}

#[test]
fn one_slow_request_among_few_takes_nobody_out() {
    // p99 of 50 requests is their slowest; p75 is what so few support.
    let mut few = score(1.0, 1000.0);
    few.requests = 50;
    few.quantiles_ns[QUANTILES.len() - 2..].fill(100.0 * MS);
    let mut trials = Trials::new([("p/m/default/throughput".to_owned(), cell(1, 1))], budget(5.0));
    trials.measured(0, 1, few.clone());
    trials.close(1);
    assert_eq!(trials.entries[0].out, None);
    assert!(few.is_thin(budget(5.0)));
    few.requests = 5000;
    trials.measured(0, 1, few);
    trials.close(1);
    assert_eq!(trials.entries[0].out, Some(Out::OverBudget));
}

#[test]
fn scores_are_means_over_processes_and_never_odd() {
    let two = Score::of(&[sample::summary(1e6), sample::summary(4e6)]).unwrap();
    assert!((two.tail_ns(None) - 2e6).abs() < 1e-3 && (two.inferences_per_s - 500.0).abs() < 1e-9);
    assert_eq!(two.requests, 10_000);
    let mut odd = sample::summary(1e6);
    odd.inferences_per_s = 0.0;
    assert_eq!(Score::of(&[odd]), None);
    assert_eq!(Score::of(&[]), None);
}

#[test]
fn a_percentile_that_is_not_stored_is_judged_by_the_next_one_above() {
    let of = |quantile| tail_quantile(Some(Budget { max_ns: 1, quantile }));
    assert_eq!([of(0.99), of(0.97), of(0.9995), of(0.5)], [0.99, 0.99, 0.999, 0.5]);
    assert_eq!(tail_quantile(None), 0.99);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_winner_is_the_fastest_within_the_budget_in_whatever_order(
        cells in vec((1_u64..3, 1_u8..12, 1_u8..12), 1..24), max in 1_u8..14, turn in 0_usize..24,
    ) {
        let mut cells: Vec<(u64, f64, f64)> =
            cells.iter().map(|(b, l, r)| (*b, f64::from(*l), 100.0 * f64::from(*r))).collect();
        let trials = played(&cells, budget(f64::from(max)));
        let ranking = trials.ranking();
        let within: Vec<&(u64, f64, f64)> = cells.iter().filter(|c| c.1 <= f64::from(max)).collect();
        let fastest = within.iter().map(|c| c.2).reduce(f64::max);
        prop_assert_eq!(ranking.winner.map(|w| cells[w].2), fastest);
        prop_assert_eq!(ranking.nearest.is_some(), within.is_empty());
        if let Some(w) = ranking.winner {
            prop_assert!(ranking.front[w], "the winner is on the front");
            prop_assert!(ranking.best.contains(&w));
        }
        let batches: std::collections::BTreeSet<u64> = within.iter().map(|c| c.0).collect();
        prop_assert_eq!(ranking.best.len(), batches.len(), "one for each batch that can");

        let before = |r: &Ranking, c: &[(u64, f64, f64)]| (
            r.winner.map(|i| c[i]), r.nearest.map(|(i, over)| (c[i].1, over)),
            c.iter().zip(&r.front).filter(|(_, on)| **on).fold(0.0, |sum, (c, _)| sum + c.1 * 1e4 + c.2),
        );
        let old = before(&ranking, &cells);
        let n = cells.len();
        cells.rotate_left(turn % n);
        let turned = played(&cells, budget(f64::from(max)));
        prop_assert_eq!(before(&turned.ranking(), &cells), old);
    }
}
