//! Prints how far the capacity of simulated queues is off, and how far apart the answers of identical runs are: ours,
//! and what bisection makes of as many requests. Takes a minute: `cargo bench --bench capacity`. Nothing is asserted:
//! `tests/it/capacity.rs` does, on a smaller version.

#[path = "../tests/it/support/queues.rs"]
mod queues;

use queues::{Queue, Service, per_s};
use trt_perf::capacity::{Ask, Pattern, SearchPlan, probe, rate, step_of};
use trt_perf::stats::clopper_pearson;

const SEED: u64 = 20_260_101;
const RUNS: u32 = 300;

/// Probes of a bisection between 1/20 of the closed rate and all of it: down to 1.5 % for a capacity of 0.6.
const BISECTIONS: u32 = 10;

fn main() {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    if !has("--bench") || has("--test") || has("--list") {
        println!("The table takes a minute: cargo bench --bench capacity");
        return;
    }
    println!("Capacity of a queue of one server from single processes, {RUNS} runs with seeds of their own.");
    println!(
        "`bisect` passes a rate whose share is within the limit, `binomial` one whose binomial bound is."
    );
    println!("Same code in both arms: sd of the difference, with other and with the same arrivals in them.");
    println!("Services are equal (M/D/1) or exponential (M/M/1), and then other ones in the other arm.\n");
    println!(
        "queue  budget  quantile  exact/s    rule       bias     sd  max-min   requests    A/A other    same"
    );
    for service in [Service::Fixed, Service::Exponential] {
        for (budget, quantile, thousands) in
            [(5.0, 0.99, 20.0), (10.0, 0.99, 20.0), (10.0, 0.95, 5.0), (20.0, 0.95, 20.0)]
        {
            let queue = Queue::new(service, 1);
            let exact = queue.capacity(budget, quantile);
            // M/M/1 with 5 services at 99 % has a capacity of 8 %: nothing that anyone would run.
            if exact > 0.1 * queue.most_per_s() {
                cell(queue, budget, quantile, &queue.plan(&[budget], quantile, thousands), exact);
            }
        }
    }
}

/// One run of one rule: seed, process, seed of the services; the rate and the requests it took.
type Rule<'a> = Box<dyn Fn(u64, u32, u64) -> (Option<f64>, usize) + 'a>;

fn cell(queue: Queue, budget: f64, quantile: f64, plan: &SearchPlan, exact: f64) {
    let ours = |seed, process, luck| {
        let found = Queue { luck, ..queue }.search(plan, &Pattern::Poisson, seed, process);
        let requests = found.probes.iter().map(|p| p.ask.arrivals).sum::<usize>();
        (found, requests)
    };
    let requests = (0..50).map(|p| ours(SEED, p, 1).1).sum::<usize>() / 50;
    let bisect = |binomial: bool| {
        move |seed, process, luck| {
            let queue = Queue { luck, ..queue };
            (Some(bisection(&queue, plan, requests, binomial, (seed, process))), requests)
        }
    };
    let rules: [(&str, Rule); 4] = [
        ("bisect", Box::new(bisect(false))),
        ("binomial", Box::new(bisect(true))),
        (
            "ours",
            Box::new(|seed, process, luck| {
                let (found, requests) = ours(seed, process, luck);
                (per_s(&found.capacities[0].outcome), requests)
            }),
        ),
        (
            "confirmed",
            Box::new(|seed, process, luck| {
                let (found, requests) = ours(seed, process, luck);
                (found.capacities[0].confirmed.map(|c| c.per_s), requests)
            }),
        ),
    ];
    for (name, rule) in &rules {
        row(queue, (budget, quantile, exact), name, rule);
    }
}

fn row(queue: Queue, (budget, quantile, exact): (f64, f64, f64), name: &str, rule: &Rule) {
    let (mut errors, mut other, mut same, mut requests) = (vec![], vec![], vec![], 0);
    for process in 0..RUNS {
        let (base, cost) = rule(SEED, process, 1);
        requests += cost;
        let Some(base) = base else { continue };
        errors.push((base / exact).ln());
        other.extend(rule(SEED + 1, process, 2).0.map(|head| (head / base).ln()));
        same.extend(rule(SEED, process, 2).0.map(|head| (head / base).ln()));
    }
    let (bias, sd) = mean_sd(&errors);
    let ends = errors.iter().fold((f64::MAX, f64::MIN), |(lo, hi), &e| (lo.min(e), hi.max(e)));
    let name_of = if queue.service == Service::Fixed { "M/D/1" } else { "M/M/1" };
    println!(
        "{name_of}  {budget:6}  {quantile:8}  {exact:7.1}    {name:<9}{}{}{}  {:9}     {}{}{}",
        percent(bias),
        percent(sd),
        percent(ends.1 - ends.0),
        requests / RUNS as usize,
        percent(mean_sd(&other).1),
        percent(mean_sd(&same).1),
        if errors.len() < RUNS as usize {
            format!("  ({} of {RUNS} runs)", errors.len())
        } else {
            String::new()
        },
    );
}

/// The usual way: halve the range of rates by whether one probe is within the limit.
fn bisection(
    queue: &Queue,
    plan: &SearchPlan,
    requests: usize,
    binomial: bool,
    (seed, process): (u64, u32),
) -> f64 {
    let (mut low, mut high) = (0.05 * queue.most_per_s(), queue.most_per_s());
    for _ in 0..BISECTIONS {
        let per_s = (low * high).sqrt();
        // On the lattice, as ours, so that common random numbers help it as much.
        let step = step_of(per_s).round() as i32;
        let arrivals = requests / BISECTIONS as usize;
        let ask = Ask { step, per_s: rate(step), arrivals, confirming: false, stop_over: (u64::MAX, 0) };
        let seen = probe::assess(plan, &ask, &queue.answer(&Pattern::Poisson, seed, process, &ask));
        let over = (seen.over[0].frac * seen.requests as f64).round() as usize;
        let upper = clopper_pearson(over, seen.requests, 0.1).1;
        let passes = if binomial { upper } else { seen.over[0].frac } <= plan.allowed_frac();
        if passes { low = per_s } else { high = per_s }
    }
    (low * high).sqrt()
}

fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt())
}

fn percent(value: f64) -> String {
    format!("{:7.2}", 100.0 * value)
}
