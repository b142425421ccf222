//! Queues whose capacity is known: exact formulas, and a simulator on a virtual clock that answers probes as a
//! server would. Shared by `tests/it/capacity.rs`, which asserts, and `benches/capacity.rs`, which prints. It holds
//! no copy of our own rules.

#![allow(dead_code, reason = "the test and the benchmark use different parts")]

use trt_perf::capacity::{Ask, FoundCapacities, Outcome, Pattern, ProbeAnswer, SearchPlan, schedule, search};
use trt_perf::rng::Rng;
use trt_perf::stats::StatError;

/// Nanoseconds of one service.
pub const SERVICE_NS: f64 = 1e6;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Service {
    /// Always as long: M/D/c.
    Fixed,
    /// M/M/c.
    Exponential,
}

/// First come, first served, by `servers` of the same kind.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    pub service: Service,
    pub servers: usize,
    pub mean_ns: f64,
    /// Seed of the services, where they are random.
    pub luck: u64,
}

impl Queue {
    pub fn new(service: Service, servers: usize) -> Self {
        Self { service, servers, mean_ns: SERVICE_NS, luck: 1 }
    }

    /// Requests per second that it can serve at all.
    pub fn most_per_s(&self) -> f64 {
        self.servers as f64 * 1e9 / self.mean_ns
    }

    /// Latencies from the planned arrivals, of a queue that starts empty; exponential services drawn from `rng`.
    pub fn latencies(&self, planned_ns: &[u64], rng: &mut Rng) -> Vec<u64> {
        let mut free_ns = vec![0.0_f64; self.servers];
        let latency = |&planned: &u64| {
            let planned = planned as f64;
            let service = match self.service {
                Service::Fixed => self.mean_ns,
                Service::Exponential => self.mean_ns * rng.exponential(),
            };
            let next =
                (0..self.servers).min_by(|&a, &b| free_ns[a].total_cmp(&free_ns[b])).expect("a server");
            free_ns[next] = free_ns[next].max(planned) + service;
            (free_ns[next] - planned) as u64
        };
        planned_ns.iter().map(latency).collect()
    }

    /// What the queue answers to a probe of one process.
    pub fn answer(&self, pattern: &Pattern, seed: u64, process: u32, ask: &Ask) -> ProbeAnswer {
        let planned = schedule(pattern, seed, process, ask);
        // Its services do not depend on who asks, and are not those of other rates.
        let stream =
            (u64::from(process) << 32) ^ u64::from(ask.step as u32) ^ (u64::from(ask.confirming) << 63);
        let mut rng = Rng::stream(!seed ^ self.luck, stream);
        let mut latency_ns = self.latencies(&planned, &mut rng);
        let (budget_ns, count) = ask.stop_over;
        let over = latency_ns.iter().enumerate().filter(|(_, latency)| **latency > budget_ns);
        let stop = over.map(|(index, _)| index).nth(count);
        if let Some(last) = stop {
            latency_ns.truncate(last + 1);
        }
        ProbeAnswer { latency_ns, stopped: stop.is_some() }
    }

    pub fn search(&self, plan: &SearchPlan, pattern: &Pattern, seed: u64, process: u32) -> FoundCapacities {
        search::<StatError>(plan, &mut |ask| Ok(self.answer(pattern, seed, process, ask)))
            .expect("a sound plan")
    }

    /// A plan for budgets in service times; a refining probe takes `thousands` of thousands of them.
    pub fn plan(&self, budgets: &[f64], quantile: f64, thousands: f64) -> SearchPlan {
        SearchPlan {
            budgets_ns: budgets.iter().map(|b| (b * SERVICE_NS) as u64).collect(),
            quantile,
            closed_per_s: self.most_per_s(),
            max_per_s: 1e6,
            probe_ns: (thousands * 1000.0 * SERVICE_NS) as u64,
            max_probes: 200,
        }
    }

    /// Exact: the rate at which a share of 1 − `quantile` takes longer than `budget` mean services of
    /// [`SERVICE_NS`], by bisection.
    pub fn capacity(&self, budget: f64, quantile: f64) -> f64 {
        let budget = budget * SERVICE_NS / self.mean_ns;
        let (mut low, mut high) = (1e-3, 0.9999);
        for _ in 0..40 {
            let load = 0.5 * (low + high);
            if self.share_over(load, budget) > 1.0 - quantile { high = load } else { low = load }
        }
        low * self.most_per_s()
    }

    /// Exact P(latency > budget), `load` in (0, 1) and the budget in mean services, above 1.
    pub fn share_over(&self, load: f64, budget: f64) -> f64 {
        match (self.service, self.servers) {
            (Service::Exponential, 1) => (-(1.0 - load) * budget).exp(),
            (Service::Exponential, c) => panic!("only M/M/1 is exact here, not M/M/{c}"),
            // Beyond, Erlang's sum has no digits left.
            (Service::Fixed, 1) if budget < 25.0 => 1.0 - md1_waits_at_most(load, budget - 1.0),
            (Service::Fixed, c) => 1.0 - mdc_waits_at_most(c, load, budget - 1.0),
        }
    }
}

/// P(waiting ≤ x services) of M/D/1: A. K. Erlang, *The theory of probabilities and telephone conversations*, 1909;
/// (1 − ρ) Σ_j e^(−ρ(j−x)) (ρ(j−x))^j / j! for j = 0…⌊x⌋. Its terms alternate and cost digits: e^(ρx)·10⁻¹⁶ is left.
pub fn md1_waits_at_most(load: f64, x: f64) -> f64 {
    let mut sum = 0.0;
    for j in 0..=x.floor() as i32 {
        let a = load * (f64::from(j) - x);
        let term = (1..=j).fold((-a).exp(), |term, i| term * a / f64::from(i));
        sum += term;
    }
    (1.0 - load) * sum
}

/// The same for M/D/c: G. J. Franx, *A simple solution for the M/D/c waiting time distribution*, Operations Research
/// Letters 29, 2001; for (k − 1) ≤ x < k it is e^(−λ(k−x)) Σ_j Q_(kc−1−j) (λ(k−x))^j / j! for j = 0…kc−1, with Q_m
/// the probability that at most m wait. Every term is positive.
pub fn mdc_waits_at_most(servers: usize, load: f64, x: f64) -> f64 {
    let lambda = load * servers as f64;
    let states = numbers_in_system(servers, lambda);
    let at_most = |m: usize| states[..=(servers + m).min(states.len() - 1)].iter().sum::<f64>();
    let k = x.floor() as usize + 1;
    let a = lambda * (k as f64 - x);
    let mut weight = (-a).exp();
    let mut sum = 0.0;
    for j in 0..k * servers {
        sum += weight * at_most(k * servers - 1 - j);
        weight *= a / (j + 1) as f64;
    }
    sum
}

/// Stationary P(n in the system): those in service at a time are gone one service later, whoever arrived since is
/// not (C. D. Crommelin, 1932). By repeating that until nothing changes.
fn numbers_in_system(servers: usize, lambda: f64) -> Vec<f64> {
    let load = lambda / servers as f64;
    let most = servers + (servers as f64 * 12.0 / (1.0 - load)).min(400.0) as usize;
    let arrivals: Vec<f64> = (0..=most)
        .scan((-lambda).exp(), |p, n| {
            let now = *p;
            *p *= lambda / (n + 1) as f64;
            Some(now)
        })
        .take_while(|p| *p > 1e-18)
        .collect();
    // Half-way to where it ends: about geometric.
    let mut states: Vec<f64> = (0..=most).map(|n| load.powi(2 * n as i32)).collect();
    for _ in 0..5000 {
        let mut next = vec![0.0; most + 1];
        for (n, p) in states.iter().enumerate() {
            let stay = n.saturating_sub(servers);
            for (arrived, q) in arrivals.iter().enumerate().take(most + 1 - stay) {
                next[stay + arrived] += p * q;
            }
        }
        let sum: f64 = next.iter().sum();
        next.iter_mut().for_each(|p| *p /= sum);
        let change: f64 = next.iter().zip(&states).map(|(a, b)| (a - b).abs()).sum();
        states = next;
        if change < 1e-12 {
            break;
        }
    }
    states
}

/// The rate of an outcome that has one.
pub fn per_s(outcome: &Outcome) -> Option<f64> {
    match *outcome {
        Outcome::Rate { per_s, .. } => Some(per_s),
        _ => None,
    }
}
