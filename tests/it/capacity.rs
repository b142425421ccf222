//! Capacity against queues whose capacity is known, on a virtual clock. `benches/capacity.rs` prints larger tables from
//! the same code.

use crate::support::queues::{Queue, SERVICE_NS, Service, md1_waits_at_most, mdc_waits_at_most, per_s};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::Cell;
use trt_perf::capacity::{
    Ask, FoundCapacities, Outcome, Pattern, ProbeAnswer, ProbeVerdict, SearchPlan, probe, search,
};
use trt_perf::error::Failure;
use trt_perf::rng::Rng;
use trt_perf::stats::{StatError, clopper_pearson, geometric_mean_interval};

const SEED: u64 = 11;

fn md1() -> Queue {
    Queue::new(Service::Fixed, 1)
}

fn mm1() -> Queue {
    Queue::new(Service::Exponential, 1)
}

/// ln(estimate / exact) of single processes, and the standard errors they state.
fn errors(queue: &Queue, budget: f64, quantile: f64, thousands: f64, processes: u32) -> Vec<(f64, f64)> {
    let plan = queue.plan(&[budget], quantile, thousands);
    let exact = queue.capacity(budget, quantile);
    let found = (0..processes).map(|p| queue.search(&plan, &Pattern::Poisson, SEED, p).capacities[0].outcome);
    let error = |outcome| match outcome {
        Outcome::Rate { per_s, ln_se } => Some(((per_s / exact).ln(), ln_se)),
        _ => None,
    };
    found.filter_map(error).collect()
}

fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[test]
fn the_formulas_agree_with_each_other_and_with_simulation() {
    for (load, x) in [(0.3, 0.5), (0.5, 2.0), (0.8, 3.7), (0.9, 6.0)] {
        let (erlang, franx) = (md1_waits_at_most(load, x), mdc_waits_at_most(1, load, x));
        assert!((erlang - franx).abs() < 1e-9, "{load} {x}: {erlang} {franx}");
    }
    for (queue, load, budget) in [
        (md1(), 0.7, 4.0),
        (mm1(), 0.6, 5.0),
        (Queue::new(Service::Fixed, 2), 0.8, 3.3),
        (Queue::new(Service::Fixed, 4), 0.9, 3.0),
    ] {
        let ask = Ask {
            step: 0,
            per_s: load * queue.most_per_s(),
            arrivals: 500_000,
            confirming: false,
            stop_over: (u64::MAX, 0),
        };
        let seen = queue.answer(&Pattern::Poisson, SEED, 0, &ask).latency_ns;
        let over = trt_perf::stats::share_over(&seen, (budget * SERVICE_NS) as u64);
        let exact = queue.share_over(load, budget);
        assert!((over / exact - 1.0).abs() < 0.03, "{queue:?} {load}: {over} for {exact}");
    }
}

/// Mean over processes within 1 % of the exact capacity; the spread of one process beside it.
#[test]
fn the_estimate_is_the_exact_capacity() {
    for (queue, budget, quantile, thousands, processes, spread) in [
        (md1(), 5.0, 0.99, 20.0, 30, 0.025),
        (md1(), 10.0, 0.99, 20.0, 30, 0.02),
        (md1(), 20.0, 0.99, 20.0, 30, 0.02),
        (mm1(), 5.0, 0.95, 20.0, 100, 0.035),
        (mm1(), 10.0, 0.99, 20.0, 40, 0.045),
        (mm1(), 20.0, 0.99, 20.0, 40, 0.035),
        (Queue::new(Service::Fixed, 2), 5.0, 0.99, 10.0, 30, 0.025),
        (Queue::new(Service::Fixed, 4), 5.0, 0.99, 10.0, 30, 0.02),
    ] {
        let errors = errors(&queue, budget, quantile, thousands, processes);
        let errors: Vec<f64> = errors.iter().map(|e| e.0).collect();
        let (bias, sd) = mean_sd(&errors);
        assert!(errors.len() as u32 == processes, "{queue:?} {budget}: {} of {processes}", errors.len());
        assert!(bias.abs() < 0.01 && sd < spread, "{queue:?} {budget} {quantile}: bias {bias}, sd {sd}");
    }
}

/// Share of intervals over five processes that contain the exact capacity, what people see; and of the single
/// processes' ±1.96 standard errors.
fn coverage(queue: &Queue, budget: f64, quantile: f64, thousands: f64) -> (f64, f64) {
    let errors = errors(queue, budget, quantile, thousands, 5000);
    assert!(errors.len() >= 4950, "{queue:?}: {} of 5000", errors.len());
    let covers = |five: &[(f64, f64)]| {
        let rates: Vec<f64> = five.iter().map(|(error, _)| error.exp()).collect();
        geometric_mean_interval(&rates, 0.95).expect("five rates").contains(1.0)
    };
    let fives = errors.chunks_exact(5);
    let runs = fives.len() as f64;
    let own = errors.iter().filter(|(error, se)| error.abs() < 1.96 * se).count() as f64;
    (fives.filter(|five| covers(five)).count() as f64 / runs, own / errors.len() as f64)
}

/// One process's own standard error covers less, because few bursts make it small by chance: its documentation says
/// so, and nothing is decided by it.
#[test]
fn an_interval_over_five_processes_covers_the_capacity_of_equal_services() {
    let (five, own) = coverage(&md1(), 3.0, 0.95, 1.5);
    assert!((0.93..=0.97).contains(&five) && (0.8..0.93).contains(&own), "{five} {own}");
}

#[test]
fn an_interval_over_five_processes_covers_the_capacity_of_random_services() {
    let (five, own) = coverage(&mm1(), 5.0, 0.9, 1.5);
    assert!((0.93..=0.97).contains(&five) && (0.75..0.93).contains(&own), "{five} {own}");
}

/// At the very limit a pass is wrong. A binomial bound on single requests is beside it.
#[test]
fn a_probe_at_the_limit_rarely_passes() {
    const PROBES: u32 = 1000;
    for (queue, budget, quantile, requests) in [
        (md1(), 3.0, 0.99, 2000),
        (md1(), 5.0, 0.99, 2000),
        (md1(), 10.0, 0.99, 2000),
        (md1(), 10.0, 0.95, 2000),
        (mm1(), 5.0, 0.95, 2000),
        (mm1(), 10.0, 0.99, 5000),
        (mm1(), 20.0, 0.95, 2000),
        (md1(), 20.0, 0.95, 5000),
    ] {
        let plan = queue.plan(&[budget], quantile, 1.0);
        let per_s = queue.capacity(budget, quantile);
        let arrivals = requests * 10 / 9 + 1;
        let ask = Ask { step: 0, per_s, arrivals, confirming: false, stop_over: (u64::MAX, 0) };
        let (mut passes, mut binomial) = (0, 0);
        for process in 0..PROBES {
            let seen = probe::assess(&plan, &ask, &queue.answer(&Pattern::Poisson, SEED, process, &ask));
            let over = (seen.over[0].frac * seen.requests as f64).round() as usize;
            passes += u32::from(seen.over[0].verdict == ProbeVerdict::Passes);
            binomial += u32::from(clopper_pearson(over, seen.requests, 0.1).1 <= plan.allowed_frac());
        }
        // 5 % and three standard errors of so many probes.
        let most = 50 + 3 * 7;
        let cell = format!("{queue:?} {budget} {quantile} {requests}: {passes}, binomial {binomial}");
        assert!(passes <= most && binomial > 2 * passes && binomial >= 100, "{cell}");
    }
}

#[test]
fn the_same_server_in_both_arms_has_the_same_capacity_and_a_slower_one_less() {
    let plan = md1().plan(&[5.0, 10.0], 0.99, 20.0);
    let slower = Queue { mean_ns: 1.05 * SERVICE_NS, ..md1() };
    let mut losses = [vec![], vec![]];
    for process in 0..20 {
        let base = md1().search(&plan, &Pattern::Poisson, SEED, process);
        if process == 0 {
            assert_eq!(base, md1().search(&plan, &Pattern::Poisson, SEED, process));
        }
        let head = slower.search(&plan, &Pattern::Poisson, SEED, process);
        for (losses, (base, head)) in losses.iter_mut().zip(base.capacities.iter().zip(&head.capacities)) {
            let (base, head) = (per_s(&base.outcome), per_s(&head.outcome));
            losses.push((head.expect("a rate") / base.expect("a rate")).ln());
        }
    }
    for (losses, budget) in losses.iter().zip([5.0, 10.0]) {
        let exact = (slower.capacity(budget, 0.99) / md1().capacity(budget, 0.99)).ln();
        let (mean, sd) = mean_sd(losses);
        assert!((mean - exact).abs() < 0.01, "budget {budget}: {mean} for {exact}, sd {sd}");
    }
}

/// Figures of the design: what 1 % of speed is worth at a tight budget.
#[test]
fn a_tight_budget_multiplies_a_loss() {
    let slower = Queue { mean_ns: 1.01 * SERVICE_NS, ..md1() };
    for (budget, loss) in [(2.0, 0.128), (3.0, 0.0246)] {
        let got = 1.0 - slower.capacity(budget, 0.99) / md1().capacity(budget, 0.99);
        assert!((got - loss).abs() < 0.001, "{budget}: {got}");
    }
}

#[test]
fn budgets_of_a_curve_use_each_others_probes() {
    let budgets = [4.0, 5.0, 6.0];
    let found = md1().search(&md1().plan(&budgets, 0.95, 5.0), &Pattern::Poisson, SEED, 0);
    let rates: Vec<f64> = found.capacities.iter().filter_map(|c| per_s(&c.outcome)).collect();
    assert!(rates.len() == 3 && rates.is_sorted(), "{rates:?}");
    let alone = |&budget: &f64| {
        md1().search(&md1().plan(&[budget], 0.95, 5.0), &Pattern::Poisson, SEED, 0).probes.len()
    };
    assert!(found.probes.len() < budgets.iter().map(alone).sum(), "{}", found.probes.len());
    for (capacity, exact) in found.capacities.iter().zip(budgets.map(|b| md1().capacity(b, 0.95))) {
        let confirmed = capacity.confirmed.expect("a rate below holds");
        assert!(confirmed.per_s < exact && confirmed.upper_frac <= 0.05, "{confirmed:?}");
        assert!(confirmed.n_eff < confirmed.requests as f64);
    }
}

#[test]
fn a_cliff_is_an_interval() {
    // A camera's even gaps: nothing waits until everything does.
    let plan = md1().plan(&[1.5, 3.0, 20.0], 0.99, 5.0);
    let found = md1().search(&plan, &Pattern::Uniform, SEED, 0);
    for capacity in &found.capacities {
        let Outcome::Cliff { holds_per_s, fails_per_s } = capacity.outcome else { panic!("{capacity:?}") };
        assert!(
            holds_per_s <= 1000.0 && fails_per_s > 1000.0 && fails_per_s < 1.04 * holds_per_s,
            "{capacity:?}"
        );
        assert!(capacity.confirmed.is_some(), "{capacity:?}");
    }
    // A cache that some rate overflows.
    let mut cache = |ask: &Ask| {
        let latency_ns = vec![if ask.per_s < 333.0 { 10 } else { 1000 }; ask.arrivals];
        Ok::<_, StatError>(ProbeAnswer { latency_ns, ..ProbeAnswer::default() })
    };
    let plan = SearchPlan { budgets_ns: vec![100], ..plan };
    let outcome = search(&plan, &mut cache).expect("a sound plan").capacities[0].outcome;
    let Outcome::Cliff { holds_per_s, fails_per_s } = outcome else { panic!("{outcome:?}") };
    assert!(holds_per_s < 333.0 && fails_per_s >= 333.0 && fails_per_s < 1.013 * holds_per_s, "{outcome:?}");
}

#[test]
fn what_has_no_crossing_says_so() {
    let search = |plan: &SearchPlan| md1().search(plan, &Pattern::Poisson, SEED, 0);
    let plan = SearchPlan { max_per_s: 300.0, ..md1().plan(&[10.0], 0.99, 10.0) };
    let beyond = search(&plan);
    let Outcome::Beyond { at_least_per_s } = beyond.capacities[0].outcome else { panic!("{beyond:?}") };
    assert!((290.0..=300.0).contains(&at_least_per_s) && beyond.capacities[0].confirmed.is_some());
    assert!(beyond.probes.iter().all(|probe| probe.ask.per_s <= 300.0));

    let none = search(&md1().plan(&[0.9], 0.99, 1.0));
    let Outcome::None { lowest_per_s, over_frac } = none.capacities[0].outcome else { panic!("{none:?}") };
    assert!(lowest_per_s < 20.0 && over_frac == 1.0 && none.capacities[0].confirmed.is_none());
    // Requests that cannot pass any more are not waited for.
    assert!(none.probes.len() == 5 && none.probes.iter().all(|probe| probe.stopped && probe.requests < 30));

    let spent = search(&SearchPlan { max_probes: 2, ..md1().plan(&[10.0], 0.99, 1.0) });
    assert!(spent.probes.len() == 2 && per_s(&spent.capacities[0].outcome).is_none(), "{spent:?}");
}

#[test]
fn a_server_that_falls_behind_is_saturated() {
    let plan = md1().plan(&[5000.0], 0.99, 1.0);
    let saturated = |load: f64| {
        let per_s = load * 1000.0;
        let ask = Ask { step: 0, per_s, arrivals: 3000, confirming: false, stop_over: (u64::MAX, 0) };
        let seen =
            |process| probe::assess(&plan, &ask, &md1().answer(&Pattern::Poisson, SEED, process, &ask));
        let probes: Vec<_> = (0..100).map(seen).filter(|probe| probe.saturated).collect();
        // Whatever the budget.
        assert!(probes.iter().all(|probe| probe.over[0].verdict == ProbeVerdict::Fails));
        probes.len()
    };
    assert!(saturated(1.1) == 100 && saturated(0.5) <= 1 && saturated(0.8) <= 8, "{}", saturated(0.8));
}

#[test]
fn the_first_failure_of_a_probe_ends_the_search() {
    let plan = md1().plan(&[5.0], 0.99, 1.0);
    let asked = Cell::new(0);
    let mut broken = |ask: &Ask| {
        asked.set(asked.get() + 1);
        if asked.get() == 3 {
            Err(Failure::usage("gone"))
        } else {
            Ok(md1().answer(&Pattern::Poisson, 1, 0, ask))
        }
    };
    assert_eq!(search(&plan, &mut broken), Err(Failure::usage("gone")));
    assert_eq!(asked.get(), 3);
    let failure = search(&SearchPlan { quantile: 2.0, ..plan }, &mut broken).expect_err("no quantile");
    assert!(failure.message.contains("quantile") && asked.get() == 3, "{failure}");
}

/// Every number that a report could take.
fn numbers(found: &FoundCapacities) -> Vec<f64> {
    let mut all = vec![];
    for capacity in &found.capacities {
        all.extend(match capacity.outcome {
            Outcome::Rate { per_s, ln_se } => [per_s, ln_se],
            Outcome::Cliff { holds_per_s, fails_per_s } => [holds_per_s, fails_per_s],
            Outcome::Beyond { at_least_per_s } => [at_least_per_s, 0.0],
            Outcome::None { lowest_per_s, over_frac } => [lowest_per_s, over_frac],
        });
        all.extend(capacity.confirmed.iter().flat_map(|c| [c.per_s, c.over_frac, c.upper_frac, c.n_eff]));
    }
    for probe in &found.probes {
        all.push(probe.ask.per_s);
        for over in &probe.over {
            all.push(over.frac);
            all.extend(over.bound.iter().flat_map(|b| [b.lower_frac, b.upper_frac, b.dispersion, b.n_eff]));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn odd_answers_and_plans_make_no_panic_and_no_nan(
        seed in any::<u64>(),
        budgets in vec(prop_oneof![1_u64..2000, Just(u64::MAX)], 1..3),
        quantile in prop_oneof![0.01..0.9995_f64, Just(f64::NAN), Just(0.0), Just(1.0)],
        closed_per_s in prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), 1e-6..1e9_f64],
        max_per_s in prop_oneof![3 => 1.0..1e6_f64, 1 => Just(f64::INFINITY)],
        kinds in vec(0..6_u8, 1..8),
        max_probes in 0..40_usize,
    ) {
        let mut budgets_ns = budgets;
        budgets_ns.sort_unstable();
        let plan = SearchPlan { budgets_ns, quantile, closed_per_s, max_per_s, probe_ns: 1000, max_probes };
        let mut rng = Rng::new(seed);
        let mut asked = 0;
        let mut odd = |ask: &Ask| {
            asked += 1;
            // A few thousand tell as much as any number.
            let n = ask.arrivals.min(3000);
            let latency_ns: Vec<u64> = match kinds[asked % kinds.len()] {
                0 => vec![0; n],
                1 => vec![u64::MAX; n],
                2 => vec![],
                3 => (0..n).map(|_| rng.next_u64() >> rng.below(64)).collect(),
                4 => (0..n as u64).collect(),
                _ => (0..n).map(|_| rng.below(2000)).collect(),
            };
            Ok::<_, StatError>(ProbeAnswer { latency_ns, stopped: rng.coin() })
        };
        match search(&plan, &mut odd) {
            Ok(found) => {
                prop_assert!(found.probes.len() <= max_probes && found.capacities.len() == plan.budgets_ns.len());
                prop_assert!(numbers(&found).iter().all(|v| v.is_finite()), "{found:?}");
                for capacity in &found.capacities {
                    if let Outcome::Cliff { holds_per_s, fails_per_s } = capacity.outcome {
                        prop_assert!(holds_per_s < fails_per_s, "{found:?}");
                    }
                }
            }
            Err(error) => prop_assert_eq!(plan.check().map_err(|e| e.to_string()), Err(error.to_string())),
        }
    }
}
