//! Plans when requests arrive, from a pattern, a seed and what a probe asks.
//!
//! Invariant: the same seed, process and lattice step give the same arrivals, and a longer probe starts with those of a
//! shorter one (`a_schedule_depends_on_seed_process_step_and_purpose_alone`).

use super::Ask;
use crate::error::{Failure, FailureKind, Result};
use crate::rng::Rng;

/// How arrivals follow each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Independent exponential gaps: many users who do not know of each other.
    Poisson,
    /// Equal gaps: a camera, a clock.
    Uniform,
    /// Gaps of a recorded trace, at least one, with mean 1; scaled to any rate.
    Recorded(Vec<f64>),
}

impl Pattern {
    /// A trace from `text`: one time of arrival in seconds a line, in order; empty lines and what follows a `#` are
    /// skipped. `name` is the file, for messages.
    pub fn recorded(text: &str, name: &str) -> Result<Self> {
        let bad = |message: String| Failure::new(FailureKind::Format, format!("{name}: {message}"));
        let mut times: Vec<f64> = vec![];
        for (index, line) in text.lines().enumerate() {
            let value = line.split('#').next().unwrap_or_default().trim();
            if value.is_empty() {
                continue;
            }
            let here = |what: &str| bad(format!("line {}: `{value}` {what}", index + 1));
            let time = value.parse::<f64>().ok().filter(|t| t.is_finite());
            let time =
                time.ok_or_else(|| here("is not a time in seconds").next("write one number a line"))?;
            if times.last().is_some_and(|&before| time < before) {
                return Err(here("is earlier than the line before").next("sort the times"));
            }
            times.push(time);
        }
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
        if !(mean > 0.0 && mean.is_finite()) {
            return Err(bad("no two different times of arrival".to_owned())
                .next("record at least two requests, one time in seconds a line"));
        }
        Ok(Self::Recorded(gaps.iter().map(|gap| gap / mean).collect()))
    }
}

/// Planned arrivals of a probe in nanoseconds from its start, in order. `process` is the number of the process
/// pair: both arms of a pair pass the same one. Times beyond 2⁶⁴ ns stay there.
pub fn schedule(pattern: &Pattern, seed: u64, process: u32, ask: &Ask) -> Vec<u64> {
    let mut rng = Rng::stream(seed, stream(process, ask));
    let gap_ns = 1e9 / ask.per_s;
    let planned = |time: f64| (time * gap_ns) as u64;
    match pattern {
        Pattern::Poisson => (0..ask.arrivals)
            .scan(0.0, |time, _| {
                *time += rng.exponential();
                Some(planned(*time))
            })
            .collect(),
        Pattern::Uniform => {
            let phase = rng.f64();
            (0..ask.arrivals).map(|i| planned(phase + i as f64)).collect()
        }
        Pattern::Recorded(gaps) => {
            let start = rng.below(gaps.len() as u64) as usize;
            let gaps = gaps.iter().cycle().skip(start).take(ask.arrivals);
            gaps.scan(0.0, |time, gap| {
                *time += gap;
                Some(planned(*time))
            })
            .collect()
        }
    }
}

/// A number of its own for every process, step and purpose.
fn stream(process: u32, ask: &Ask) -> u64 {
    let purpose = u64::from(ask.confirming) << 63;
    // The bits of a negative step are as good as any; 31 bits of processes are enough.
    purpose ^ (u64::from(process) << 32) ^ u64::from(ask.step as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::rate;
    use std::collections::BTreeSet;

    fn ask(step: i32, arrivals: usize) -> Ask {
        Ask { step, per_s: rate(step), arrivals, confirming: false, stop_over: (0, 0) }
    }

    #[test]
    fn a_schedule_depends_on_seed_process_step_and_purpose_alone() {
        let long = schedule(&Pattern::Poisson, 7, 2, &ask(100, 500));
        let short = schedule(&Pattern::Poisson, 7, 2, &Ask { stop_over: (9, 9), ..ask(100, 200) });
        assert_eq!(long[..200], short);
        let of = |seed, process, ask: &Ask| schedule(&Pattern::Poisson, seed, process, ask)[..3].to_vec();
        let mut heads = BTreeSet::new();
        for (seed, process) in [(7, 2), (8, 2), (7, 0), (7, 1), (7, 1 << 30)] {
            for step in [-3, -2, 0, 1, 2, 100] {
                heads.insert(of(seed, process, &Ask { per_s: 1.0, ..ask(step, 3) }));
                heads.insert(of(seed, process, &Ask { per_s: 1.0, confirming: true, ..ask(step, 3) }));
            }
        }
        assert_eq!(heads.len(), 5 * 6 * 2);
    }

    #[test]
    fn every_pattern_keeps_its_rate_and_its_order() {
        let trace = Pattern::recorded("0.5\n0.5 # twice at once\n\n1.25\n2", "trace.txt").expect("a trace");
        assert_eq!(trace, Pattern::Recorded(vec![0.0, 1.5, 1.5]));
        for pattern in [Pattern::Poisson, Pattern::Uniform, trace] {
            let n = 30_000;
            let times = schedule(&pattern, 1, 0, &ask(200, n));
            assert!(times.len() == n && times.is_sorted());
            let per_s = n as f64 / (times[n - 1] as f64 / 1e9);
            assert!((per_s / rate(200) - 1.0).abs() < 0.02, "{pattern:?}: {per_s}");
        }
        let even = schedule(&Pattern::Uniform, 1, 0, &ask(0, 3));
        assert!(even[0] < 1_000_000_000 && (even[2] - even[1]).abs_diff(1_000_000_000) <= 1);
    }

    #[test]
    fn a_bad_trace_names_the_line() {
        for (text, expected) in [
            ("1\nx", "t: line 2: `x` is not a time in seconds"),
            ("1\nNaN", "t: line 2: `NaN` is not a time"),
            ("\n2\n1", "t: line 3: `1` is earlier"),
            ("", "t: no two different times"),
            ("4", "t: no two different times"),
            ("4\n4", "t: no two different times"),
            ("-1e308\n1e308", "t: no two different times"),
        ] {
            let failure = Pattern::recorded(text, "t").expect_err("no trace");
            assert!(failure.message.starts_with(expected) && !failure.next.is_empty(), "{failure}");
        }
    }

    #[test]
    fn odd_rates_and_traces_make_no_panic() {
        assert!(schedule(&Pattern::Recorded(vec![]), 1, 0, &ask(0, 5)).is_empty());
        for per_s in [0.0, f64::NAN, f64::INFINITY, -1.0, 1e-300] {
            assert_eq!(schedule(&Pattern::Poisson, 1, 0, &Ask { per_s, ..ask(0, 5) }).len(), 5);
        }
    }
}
