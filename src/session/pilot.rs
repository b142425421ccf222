//! Chooses how long the processes of a case measure, from what its first pairs showed. Pure.

use crate::case::{Case, Effort, OperatingPoint, TimeFrom};
use crate::config::Scenario;
use crate::stats::{ProcessCost, median_by};
use crate::summarize::Summary;
use crate::units::{Nanos, share, time};
use std::time::Duration;

/// Pairs after which the time is chosen.
pub(super) const PILOT_PAIRS: usize = 2;

/// Shorter processes see too little of what comes and goes: heat, clocks, other load.
const LEAST_S: f64 = 0.25;

/// Two pairs know too little of how processes vary to make the time longer than by this factor: two that agreed by chance
/// once made a check of eight pairs take 141 s that takes 29 s otherwise (factor 8, ResNet-50 on an H200).
const MOST_TIMES_LONGER: f64 = 3.0;

/// Two pairs may agree by chance: the variance between processes is at least this share of what was seen.
const LEAST_SHARE: f64 = 0.1;

/// The time for each further process of both arms, and why in words.
pub(super) struct Chosen {
    pub measure: Nanos,
    pub why: String,
}

/// `arms`: the processes of each arm so far; `elapsed`: what all of them took. `None` where nothing can be told, and in
/// an open loop, whose probes have a time of their own.
pub(super) fn choose(
    scenario: Scenario,
    point: OperatingPoint,
    effort: &Effort,
    arms: [&[Summary]; 2],
    elapsed: Duration,
) -> Option<Chosen> {
    let all = || arms.into_iter().flatten();
    let value: fn(&Summary) -> f64 = match scenario {
        Scenario::Latency => |s| s.mean_ns,
        Scenario::Throughput => |s| s.inferences_per_s,
        Scenario::Capacity => return None,
    };
    let seconds = |s: &Summary| s.requests as f64 * point.batch as f64 / s.inferences_per_s;
    let measured_s = median_by(all().map(seconds), f64::total_cmp)?;
    let within = |s: &Summary| (s.sd_ns / s.mean_ns).powi(2) * seconds(s) / s.n_eff;
    let within_var_s = median_by(all().map(within), f64::total_cmp)?;
    let seen = pooled_variance(arms.map(|arm| arm.iter().map(|s| value(s).ln()).collect::<Vec<_>>()))?;
    let overhead_s = elapsed.as_secs_f64() / all().count() as f64 - measured_s;
    let process_var = (seen - within_var_s / measured_s).max(LEAST_SHARE * seen);
    let best = ProcessCost { overhead_s, within_var_s, process_var }.best_time_s();
    let now_s = effort.measure.duration().as_secs_f64();
    let most = (now_s * MOST_TIMES_LONGER).min(effort.time_limit.duration().as_secs_f64() / 2.0);
    let least = LEAST_S.min(most);
    if !(best >= 0.0 && measured_s.is_finite()) {
        return None;
    }
    // Tenths are enough to choose by, and read better.
    let chosen_s = ((best.clamp(least, most) * 20.0).round() / 20.0).max(0.05);
    let measure = Nanos::from(Duration::from_secs_f64(chosen_s));
    let why = format!(
        "{measure} a process from here on: each takes {} beside measuring, its requests vary by {}, processes by {}",
        time(overhead_s.max(0.0) * 1e9),
        percent(median_by(all().map(|s| s.sd_ns / s.mean_ns), f64::total_cmp)?),
        percent(process_var.sqrt())
    );
    Some(Chosen { measure, why })
}

/// The case with the time that was chosen for it, if one was and none was asked for.
pub(super) fn timed(case: &Case, chosen: Option<Nanos>) -> Case {
    let mut case = case.clone();
    if let Some(measure) = chosen.filter(|_| case.effort.measure_from == TimeFrom::BuiltIn) {
        (case.effort.measure, case.effort.measure_from) = (measure, TimeFrom::Chosen);
    }
    case
}

fn percent(frac: f64) -> String {
    share((frac * 1e4).round() / 1e4)
}

/// About each arm's own mean; `None` without degrees of freedom.
fn pooled_variance(arms: [Vec<f64>; 2]) -> Option<f64> {
    let (mut squares, mut df) = (0.0, 0);
    for arm in &arms {
        let mean = arm.iter().sum::<f64>() / arm.len().max(1) as f64;
        squares += arm.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        df += arm.len().saturating_sub(1);
    }
    (df > 0).then(|| squares / df as f64).filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    const POINT: OperatingPoint = OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false };

    /// Four processes of 1000 requests in one second that vary by 5 %, 0.2 % from each other.
    fn chosen(scenario: Scenario, seconds_each: f64, time_limit_s: u64) -> Option<Chosen> {
        let process = |by: f64| Summary {
            requests: 1000,
            n_eff: 1000.0,
            sd_ns: 5e4 * by,
            inferences_per_s: 1000.0,
            ..sample::summary(1e6 * by)
        };
        let arm = [process(1.0), process(1.003)];
        let effort = Effort {
            processes: 5,
            builds: 1,
            warm_up: Nanos(0),
            measure: Nanos(1_000_000_000),
            measure_from: TimeFrom::BuiltIn,
            time_limit: Nanos(time_limit_s * 1_000_000_000),
        };
        choose(scenario, POINT, &effort, [&arm, &arm], Duration::from_secs_f64(4.0 * seconds_each))
    }

    #[test]
    fn processes_that_load_slowly_measure_longer_and_the_reason_is_said() {
        let slow = chosen(Scenario::Latency, 21.0, 600).unwrap();
        let quick = chosen(Scenario::Latency, 1.1, 600).unwrap();
        assert!(slow.measure > Nanos(2_000_000_000), "{}", slow.measure);
        assert!(quick.measure < Nanos(500_000_000), "{}", quick.measure);
        assert!(slow.why.contains("a process from here on: each takes 20.000 s beside"), "{}", slow.why);
        assert!(slow.why.contains("vary by 5%"), "{}", slow.why);
    }

    #[test]
    fn the_time_stays_within_its_bounds_and_probes_have_their_own() {
        assert_eq!(chosen(Scenario::Latency, 1e6, 600).unwrap().measure, Nanos(3_000_000_000));
        assert_eq!(chosen(Scenario::Latency, 1e6, 4).unwrap().measure, Nanos(2_000_000_000));
        assert_eq!(chosen(Scenario::Latency, 1.0, 600).unwrap().measure, Nanos(250_000_000));
        assert!(chosen(Scenario::Capacity, 2.0, 600).is_none());
    }
}
