//! What the clock that requests were timed with allows to be said. Pure.

use super::{Metric, NotJudged};
use crate::stats::{Description, median_by, paired::rounding_sd};
use crate::summarize::Summary;

/// One process, as far as its clock is concerned; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    tick_ns: f64,
    median_ns: f64,
    sd_ns: f64,
    requests: f64,
}

impl Reading {
    /// `None` where nothing is known of the clock.
    pub fn of_summary(s: &Summary) -> Option<Self> {
        let median_ns = s.quantile_ns(0.5)?;
        let tick_ns = s.tick_ns? as f64;
        Some(Self { tick_ns, median_ns, sd_ns: s.sd_ns, requests: s.requests as f64 })
    }

    /// `None` where nothing is known of the clock.
    pub fn of_description(d: &Description) -> Option<Self> {
        let median_ns = d.quantile_ns(0.5)?;
        let tick_ns = d.tick_ns? as f64;
        Some(Self { tick_ns, median_ns, sd_ns: d.sd_ns, requests: d.n as f64 })
    }

    /// Half a tick is more than the margin, and the times do not spread over the ticks, so that no averaging tells more:
    /// a change of the margin may not show at all.
    fn is_too_coarse(&self, margin_frac: f64) -> bool {
        let half = self.tick_ns / 2.0;
        half > margin_frac * self.median_ns && self.sd_ns < half
    }
}

/// Whether a metric is a time that the host's clock took.
fn is_read_from_it(metric: Metric) -> bool {
    matches!(metric, Metric::Mean | Metric::Median | Metric::Tail)
}

/// Why a metric cannot be told at this margin, by most of the processes of both arms.
pub(super) fn too_coarse(metric: Metric, readings: &[Reading], margin_frac: f64) -> Option<NotJudged> {
    let coarse: Vec<&Reading> = readings.iter().filter(|r| r.is_too_coarse(margin_frac)).collect();
    if !is_read_from_it(metric) || 2 * coarse.len() <= readings.len() {
        return None;
    }
    let tick_ns = median_by(coarse.iter().map(|r| r.tick_ns), f64::total_cmp)?;
    let median_ns = median_by(coarse.iter().map(|r| r.median_ns), f64::total_cmp)?;
    Some(NotJudged::CoarseClock { tick_ns, median_ns, margin_frac })
}

/// Spread that the clock alone gives a log ratio of values near `typical`. Errors of single requests average out in a
/// mean where times spread over the ticks; in quantiles they do not. 1 ns where nothing is known of the clock.
pub(super) fn resolution_sd(metric: Metric, readings: &[Reading], typical: f64) -> f64 {
    let known = || readings.iter().filter(|_| is_read_from_it(metric));
    let tick_ns = median_by(known().map(|r| r.tick_ns), f64::total_cmp).unwrap_or(1.0);
    let spread = known().all(|r| r.sd_ns >= r.tick_ns / 2.0);
    let requests = median_by(known().map(|r| r.requests), f64::total_cmp).unwrap_or(1.0);
    let averaged = if metric == Metric::Mean && spread { requests.max(1.0).sqrt() } else { 1.0 };
    rounding_sd(tick_ns.max(1.0), typical) / averaged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(tick_ns: f64, sd_ns: f64) -> Reading {
        Reading { tick_ns, median_ns: 20_000.0, sd_ns, requests: 10_000.0 }
    }

    #[test]
    fn a_clock_is_too_coarse_where_its_ticks_hide_the_margin_and_noise_does_not_blur_them() {
        let said =
            |r: Reading, metric, margin| too_coarse(metric, &[r; 5], margin).map(|why| why.to_string());
        let coarse = said(reading(1000.0, 300.0), Metric::Median, 0.01).unwrap();
        assert!(coarse.contains("every 1 µs") && coarse.contains("1%"), "{coarse}");
        assert_eq!(said(reading(1000.0, 600.0), Metric::Median, 0.01), None, "noise blurs the ticks");
        assert_eq!(said(reading(1000.0, 300.0), Metric::Tail, 0.03), None, "half a tick is 2.5 %");
        assert_eq!(said(reading(1.0, 0.0), Metric::Mean, 0.01), None);
        assert_eq!(
            said(reading(1000.0, 300.0), Metric::Throughput, 0.01),
            None,
            "not read request by request"
        );
        let mixed = [reading(1000.0, 300.0), reading(1.0, 300.0)];
        assert!(
            too_coarse(Metric::Mean, &mixed, 0.01).is_none() && too_coarse(Metric::Mean, &[], 0.01).is_none()
        );
    }

    #[test]
    fn the_tick_bounds_how_well_quantiles_are_known_and_means_average_it() {
        let of = |metric, r: Reading| resolution_sd(metric, &[r; 3], 20_000.0);
        assert_eq!(of(Metric::Median, reading(1000.0, 600.0)), rounding_sd(1000.0, 20_000.0));
        assert_eq!(of(Metric::Mean, reading(1000.0, 600.0)), rounding_sd(1000.0, 20_000.0) / 100.0);
        assert_eq!(of(Metric::Mean, reading(1000.0, 100.0)), rounding_sd(1000.0, 20_000.0));
        assert_eq!(resolution_sd(Metric::Mean, &[], 20_000.0), rounding_sd(1.0, 20_000.0));
    }
}
