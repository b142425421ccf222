//! Says how much each process has to measure. Pure.

/// A quantile is judged with ten samples beyond it; a fifth more, so that a process that loses some is still judged.
const SAMPLES_BEYOND: f64 = 12.0;

/// Requests that a process needs so that quantile `q` of it is judged, ⌈1.2 · 10 / (1 − q)⌉: 1,200 for p99. `q` from 0
/// to below 1; no number of requests suffices for more.
pub fn requests_for(q: f64) -> u64 {
    // 12/(1 − 0.99) is 1199.999…9 or 1200.000…1 in binary: the allowance is far below one request.
    (SAMPLES_BEYOND / (1.0 - q).max(0.0) - 1e-6).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::is_judged;

    #[test]
    fn what_is_asked_for_is_judged_with_a_fifth_to_spare() {
        let asked = [0.5, 0.9, 0.99, 0.999].map(|q| (requests_for(q), is_judged(requests_for(q) * 5 / 6, q)));
        assert_eq!(asked, [(24, true), (120, true), (1200, true), (12_000, true)]);
    }
}
