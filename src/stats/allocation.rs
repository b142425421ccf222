//! Says how much each process has to measure. Pure.

use super::describe::{JUDGED_TAIL, samples_with};

/// A quantile is judged with ten samples beyond it; a fifth more, so that a process that loses some is still judged.
const SAMPLES_BEYOND: f64 = 1.2 * JUDGED_TAIL;

/// Requests that a process needs so that quantile `q` of it is judged, ⌈1.2 · 10 / (1 − q)⌉: 1,200 for p99. `q` from 0
/// to below 1; no number of requests suffices for more.
pub fn requests_for(q: f64) -> u64 {
    samples_with(SAMPLES_BEYOND, q)
}

/// What processes of a case cost and how they vary. Variances are those of logarithms, or of shares of the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessCost {
    /// Seconds that a process takes beside measuring: starting, loading, warming up.
    pub overhead_s: f64,
    /// Variance that a process which measured for one second has from its requests alone: that of a request over the
    /// effective number of requests per second.
    pub within_var_s: f64,
    /// Variance between processes that measure for ever.
    pub process_var: f64,
}

impl ProcessCost {
    /// How long each process should measure so that a given time of the machine tells most, in seconds: with
    /// cost O + T and variance σ_p² + σ_w²/T per process, their product is least at T = √(O·σ_w²/σ_p²) (T. Kalibera
    /// and R. Jones, *Rigorous benchmarking in reasonable time*, ISMM 2013, in time instead of iterations).
    /// Infinite where processes do not differ; 0 where nothing but processes does.
    pub fn best_time_s(&self) -> f64 {
        let best = (self.overhead_s.max(0.0) * self.within_var_s.max(0.0) / self.process_var.max(0.0)).sqrt();
        if best.is_nan() { 0.0 } else { best }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_time_gives_the_least_variance_for_the_same_cost() {
        // Loading takes 2.4 s, requests of 1 ms vary by 5 %, processes by 0.2 %.
        let cost = ProcessCost { overhead_s: 2.4, within_var_s: 0.05_f64.powi(2) * 1e-3, process_var: 4e-6 };
        let best = cost.best_time_s();
        let product = |t: f64| (cost.overhead_s + t) * (cost.process_var + cost.within_var_s / t);
        assert!((best - 1.224_745).abs() < 1e-6, "{best}");
        assert!([0.5, 0.9, 1.1, 2.0].iter().all(|by| product(best * by) > product(best)));
        let quick = ProcessCost { overhead_s: 0.024, ..cost };
        assert!((quick.best_time_s() / best - 0.1).abs() < 1e-9, "where loading is cheap, shorter");
        assert_eq!(ProcessCost { process_var: 0.0, ..cost }.best_time_s(), f64::INFINITY);
        assert_eq!(ProcessCost { process_var: 0.0, within_var_s: 0.0, ..cost }.best_time_s(), 0.0);
    }
    use crate::stats::is_judged;

    #[test]
    fn what_is_asked_for_is_judged_with_a_fifth_to_spare() {
        let asked = [0.5, 0.9, 0.99, 0.999].map(|q| (requests_for(q), is_judged(requests_for(q) * 5 / 6, q)));
        assert_eq!(asked, [(24, true), (120, true), (1200, true), (12_000, true)]);
    }
}
