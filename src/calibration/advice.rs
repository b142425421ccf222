//! Turns a calibration into advice in words. Every sentence is derived from the numbers beside it. Pure.

use super::{ALPHA, Calibration, CaseCalibration, MetricCalibration, POWER, estimate};
use crate::case::tail_quantile;
use crate::compare::Metric;
use crate::record::date;
use crate::stats::{Estimate, LOOKS, look_alpha, minimum_detectable_effect, required_units};
use crate::units::{plain_time, share};

/// Margins that people would write, as fractions.
const MARGINS: [f64; 9] = [0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5];
/// More processes in one run are a sign that something else should be mended.
const MAX_PROCESSES: usize = 30;
/// Fewer processes have no useful interval.
const MIN_PROCESSES: usize = 3;
/// A clock that costs more than this share of a request is worth a word.
const CLOCK_FRAC: f64 = 0.01;

/// What to do about one case.
pub fn case(c: &CaseCalibration) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(first) = c.metrics.first() {
        advice.push(processes(c, first));
        advice.push(margin(c, first));
    }
    advice.push(match c.metric(Metric::Tail) {
        Some(tail) => margin(c, tail),
        None => {
            let name = Metric::Tail.name(c.budget);
            let needed = (10.0 / (1.0 - tail_quantile(c.budget))).round();
            format!(
                "{name} cannot be gated: processes of {} make fewer than {needed} requests; measure longer",
                c.measure
            )
        }
    });
    advice.extend(c.metrics.first().map(|first| sessions(c, first)));
    advice
}

/// So many that the mean of a run is known within half of the margin.
fn processes(c: &CaseCalibration, m: &MetricCalibration) -> String {
    let wanted = c.margins.value_frac / 2.0;
    let half = |n: usize| estimate(m.process.sd, n).interval(ALPHA).hi.exp_m1();
    let name = m.metric.name(c.budget);
    match (MIN_PROCESSES..=MAX_PROCESSES).find(|n| half(*n) <= wanted) {
        Some(n) => format!("run: {n} processes know the {name} of a session to ±{}", percent(half(n))),
        None => format!(
            "run: even {MAX_PROCESSES} processes know the {name} of a session only to ±{}; measure longer or find what disturbs it",
            percent(half(MAX_PROCESSES))
        ),
    }
}

/// Which margin the last look of a check can stand for: a change of twice the margin is seen with [`POWER`].
fn margin(c: &CaseCalibration, m: &MetricCalibration) -> String {
    let last = LOOKS.last().copied().unwrap_or(20);
    let alpha = look_alpha(ALPHA).unwrap_or(ALPHA);
    let noise = minimum_detectable_effect(&estimate(m.pair.sd, last), 0.0, alpha, POWER).exp_m1();
    let rule = m.metric.rule(c.margins);
    let (asked, name) = (rule.margin.exp_m1(), m.metric.name(c.budget));
    if noise <= asked {
        let units = required_units(&estimate(m.pair.sd, last), rule.margin, 2.0 * rule.margin, alpha, POWER);
        let pairs = units.unwrap_or(last).max(rule.min_units);
        return format!(
            "check: {name} can be gated at a margin of {}: a change of {} shows in about {pairs} pairs",
            share(asked),
            share(2.0 * asked)
        );
    }
    match MARGINS.iter().find(|margin| **margin >= noise) {
        Some(realistic) => format!(
            "check: {name} cannot be gated at a margin of {}; {} is realistic ({last} pairs leave a noise of {})",
            share(asked),
            share(*realistic),
            percent(noise)
        ),
        None => {
            format!("check: {name} cannot be gated here: {last} pairs leave a noise of {}", percent(noise))
        }
    }
}

/// What a comparison with numbers of another session cannot see, however many processes run.
fn sessions(c: &CaseCalibration, m: &MetricCalibration) -> String {
    let se = std::f64::consts::SQRT_2 * m.session.sd;
    let between =
        Estimate { effect: 0.0, se, df: m.session.df.max(1.0), sd: 0.0, n: c.sessions, fixed_var: se * se };
    let blind = minimum_detectable_effect(&between, 0.0, ALPHA, POWER).exp_m1();
    let differ = format!("sessions differ by {} (± 1 sd)", percent(m.session.sd));
    if blind <= c.margins.value_frac {
        format!("{differ}: stored baselines can be compared at a margin of {}", share(c.margins.value_frac))
    } else if blind <= 1.0 {
        format!(
            "{differ}: too much for stored baselines at a margin of {}, which can miss changes below {}; use check",
            share(c.margins.value_frac),
            percent(c.margins.value_frac + blind)
        )
    } else {
        // Wide because sessions differ, or because so few cannot tell; either way nothing can be said.
        format!(
            "{differ}, with {:.0} degrees of freedom: stored baselines say nothing here; use check",
            m.session.df
        )
    }
}

/// What to do about the machine.
pub fn machine(c: &Calibration) -> Vec<String> {
    let mut advice = Vec::new();
    let wrong = c.false_verdicts();
    if wrong.interval().0 > ALPHA {
        advice.push(format!(
            "{} of {} sessions gave a verdict though nothing had changed: something disturbs this machine; see `cargo trt-perf doctor`",
            wrong.count, wrong.of
        ));
    }
    for (id, case) in &c.cases {
        let time = case.metrics.iter().find(|m| !m.metric.is_rate()).map(|m| m.typical);
        let cost = c.clock.median.0 as f64;
        if let Some(time) = time.filter(|t| cost > CLOCK_FRAC * t) {
            advice.push(format!(
                "{id}: reading the clock ({}) is {} of a request ({}); a larger batch says more",
                c.clock.median,
                share(cost / time),
                plain_time(time.round())
            ));
        }
    }
    advice
}

/// `calibrated 2026-11-22 (12 days ago)`.
pub fn age(c: &Calibration, now_s: i64) -> String {
    let days = (now_s - c.created_s).max(0) / 86_400;
    let ago = match days {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        n => format!("{n} days ago"),
    };
    format!("calibrated {} ({ago})", date(c.created_s))
}

/// Two significant digits: spreads are not known better.
pub fn percent(frac: f64) -> String {
    let p = frac * 100.0;
    let digits = if p <= 0.0 || !p.is_finite() { 0 } else { (1 - p.log10().floor() as i32).clamp(0, 4) };
    format!("{p:.*}%", digits as usize)
}
