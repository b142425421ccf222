//! Shows a calibration: how much varies, how small a change a check can see, and what to do about it. Pure.
//!
//! It also has the one line in which a comparison says what it took into account. Every spread is shown with the number
//! of sessions behind it.

use super::style::{BOLD, DIM, RESET, YELLOW};
use super::table::TextTable;
use crate::calibration::advice::{self, percent};
use crate::calibration::lanes::{Disturbance, LaneCalibration};
use crate::calibration::{Calibration, CaseCalibration, MINUTES, MetricCalibration, Rate};
use crate::compare::{Basis, CaseComparison, MetricComparison, Sessions};
use crate::message::{
    Clock, FalseVerdicts, StoredCalibration, StoredCase, StoredMetric, StoredSpread, finite,
};
use crate::printable::line;
use crate::record::date;
use crate::stats::SessionSpread;
use crate::units::{change, share, time};
use std::fmt::Write;

/// The whole calibration, in so many columns.
pub fn terminal(c: &Calibration, width: usize) -> String {
    let mut out = format!("{BOLD}calibration of {}{RESET} ({})\n", line(&c.device.key), line(&c.device.name));
    let resolution = c.clock.resolution.map_or("too coarse to measure".to_owned(), |n| format!("{n} steps"));
    let _ = writeln!(out, "clock: {resolution}, a read takes {}", c.clock.median);
    for (id, case) in &c.cases {
        out += &format!("\n{}", block(id, case, width));
    }
    let wrong = c.false_verdicts();
    let _ = writeln!(out, "\n{BOLD}false verdicts{RESET} over all cases and sessions: {}", of(wrong));
    out += &c.lanes.as_ref().map(|found| lanes(found, width)).unwrap_or_default();
    for text in advice::machine(c) {
        let _ = writeln!(out, "{YELLOW}warning{RESET}: {}", line(&text));
    }
    out
}

fn block(id: &str, c: &CaseCalibration, width: usize) -> String {
    let discarded = if c.discarded > 0 { format!(", {} discarded", c.discarded) } else { String::new() };
    let mut out = format!(
        "{BOLD}{}{RESET}\n  {} sessions, {} pairs{discarded}, {} a pair; within a process ±{}, lag-1 {:.2}\n",
        line(id),
        c.sessions,
        c.pairs,
        time(c.per_pair.0 as f64),
        percent(c.within_sd_frac),
        c.lag1
    );
    let mut table = TextTable::new([
        "",
        "typical",
        "processes",
        "pairs",
        "sessions",
        "seen in 1 min",
        "5 min",
        "15 min",
        "false verdicts",
    ]);
    for m in &c.metrics {
        let spread = |sd: f64, df: f64| format!("{} (df {df:.0})", percent(sd));
        let [a, b, d] = MINUTES.map(|n| c.detectable(m, n).map_or_else(|| "not reachable".into(), percent));
        table.row([
            m.metric.name(c.budget),
            typical(m),
            spread(m.process.sd, m.process.df),
            spread(m.pair.sd, m.pair.df),
            spread(m.session.sd, m.session.df),
            a,
            b,
            d,
            of(m.false_verdicts),
        ]);
    }
    for line in table.text(width.saturating_sub(2)).lines() {
        let _ = writeln!(out, "  {line}");
    }
    for line in advice::case(c) {
        let _ = writeln!(out, "  {DIM}-{RESET} {line}");
    }
    out
}

/// What the devices do to each other, in so many columns.
fn lanes(found: &LaneCalibration, width: usize) -> String {
    let numbers: Vec<String> = found.devices.iter().map(u32::to_string).collect();
    let mut out =
        format!("\n{BOLD}lanes{RESET} on devices {} ({})\n", numbers.join(", "), date(found.created_s));
    for (id, effects) in &found.cases {
        let _ = writeln!(out, "{BOLD}{}{RESET}", line(id));
        let header = ["device", "", "alone", "side by side", "change", "95% interval", "sessions", ""];
        let mut table = TextTable::new(header);
        for e in effects {
            let meaning = match e.effect {
                Disturbance::Disturbed => "disturbed",
                Disturbance::Undisturbed => "within the margin",
                Disturbance::Unsettled => "not settled",
                Disturbance::Shown => "",
            };
            table.row([
                e.device.to_string(),
                e.name.clone(),
                e.shown(e.alone),
                e.shown(e.together),
                change(e.change),
                format!("{} to {}", change(e.change_lo), change(e.change_hi)),
                e.sessions.to_string(),
                meaning.to_owned(),
            ]);
        }
        for line in table.text(width.saturating_sub(2)).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "{}", line(&found.sentence()));
    out
}

fn typical(m: &MetricCalibration) -> String {
    m.metric.shown(m.typical)
}

/// `0 of 6 (0–45.9%)`.
fn of(r: Rate) -> String {
    if r.of == 0 {
        return "not judged".into();
    }
    let (lo, hi) = r.interval();
    format!("{} of {} ({:.1}–{})", r.count, r.of, lo * 100.0, share((hi * 1e3).round() / 1e3))
}

/// The same for machines: everything that the text says.
pub fn message(c: &Calibration) -> StoredCalibration {
    StoredCalibration {
        id: c.id.clone(),
        device: c.device.key.clone(),
        created: date(c.created_s),
        clock: Clock {
            resolution_ns: c.clock.resolution.map(|n| n.0),
            read_min_ns: c.clock.min.0,
            read_median_ns: c.clock.median.0,
        },
        false_verdicts: false_verdicts(c.false_verdicts()),
        advice: advice::machine(c),
        cases: c.cases.iter().map(|(id, case)| (id.clone(), stored_case(case))).collect(),
        lanes: c.lanes.clone(),
    }
}

fn stored_case(c: &CaseCalibration) -> StoredCase {
    StoredCase {
        sessions: c.sessions,
        pairs: c.pairs,
        discarded: c.discarded,
        per_pair_ns: c.per_pair.0,
        within_sd_frac: c.within_sd_frac,
        lag1: c.lag1,
        false_verdicts: false_verdicts(c.false_verdicts),
        metrics: c.metrics.iter().map(|m| (m.metric.name(c.budget), stored_metric(m, c))).collect(),
        advice: advice::case(c),
    }
}

fn stored_metric(m: &MetricCalibration, c: &CaseCalibration) -> StoredMetric {
    let spread = |sd: f64, df: f64| StoredSpread { sd, df: finite(df) };
    StoredMetric {
        typical: m.typical,
        process: spread(m.process.sd, m.process.df),
        pair: spread(m.pair.sd, m.pair.df),
        session: spread(m.session.sd, m.session.df),
        detectable_frac_in_minutes: MINUTES.iter().map(|n| (n.to_string(), c.detectable(m, *n))).collect(),
        false_verdicts: false_verdicts(m.false_verdicts),
    }
}

fn false_verdicts(r: Rate) -> FalseVerdicts {
    let (lo, hi) = r.interval();
    FalseVerdicts { count: r.count, of: r.of, lo, hi }
}

/// What a comparison took into account beside its processes: that of its first metric; `None` if nothing.
pub fn basis(c: &CaseComparison) -> Option<String> {
    c.metrics.iter().filter(|m| m.ruling.is_ok()).find_map(metric_basis)
}

/// The same for one metric.
pub fn metric_basis(m: &MetricComparison) -> Option<String> {
    Some(match m.basis {
        Basis::Pairs => return None,
        Basis::Builds(None) => "each build counts once".into(),
        Basis::Builds(Some(sessions)) => format!("each build counts once; {}", sessions_text(sessions)),
        Basis::Sessions(sessions) => sessions_text(sessions),
        Basis::Calibration { prior, used } => {
            let whose = if prior.same_case { "" } else { ", other cases" };
            let expected =
                format!("{} (calibrated {}{whose})", percent(prior.prior.sd), date(prior.created_s));
            if used {
                format!("pairs are expected to differ by {expected}")
            } else {
                format!(
                    "pairs vary more than the calibration explains, so it was not used; it expects {expected}"
                )
            }
        }
    })
}

/// How much sessions differ, and who says so.
fn sessions_text(sessions: Sessions) -> String {
    let from = match sessions {
        Sessions::Calibrated { created_s, .. } => format!("calibrated {}", date(created_s)),
        Sessions::Known(spread) if spread == SessionSpread::NONE => {
            return "one session: it does not differ from itself".into();
        }
        Sessions::Known(_) => "from stored sessions".into(),
        // As it was given, and not on the scale that is computed on.
        Sessions::Given(SessionSpread { sd, .. }) => {
            return format!("sessions differ by {} (as --assume-session-sd says)", percent(sd.exp_m1()));
        }
        Sessions::Assumed => {
            return format!("sessions differ by an assumed {}", percent(sessions.spread().sd));
        }
    };
    format!("sessions differ by {} ({from})", percent(sessions.spread().sd))
}

/// Whether a device is calibrated, for `doctor`; `Err`: why that is not known.
pub fn state(found: &Result<Option<Calibration>, String>, now_s: i64) -> String {
    match found {
        Ok(Some(c)) => {
            let cases = if c.cases.len() == 1 { "1 case".into() } else { format!("{} cases", c.cases.len()) };
            format!("{}, {cases}", advice::age(c, now_s))
        }
        Ok(None) => "not yet: `cargo trt-perf calibrate` measures how much numbers vary here".into(),
        Err(why) => format!("unknown: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::tests::example;

    #[test]
    fn text_and_json_say_the_same() {
        let mut c = example();
        c.cases.retain(|id, _| id.contains("quiet"));
        let text = anstream::adapter::strip_str(&terminal(&c, 200)).to_string();
        insta::assert_snapshot!(text, @"
        calibration of cpu-example-2c (Example)
        clock: 19 ns steps, a read takes 21 ns

        p/quiet/default/latency
          6 sessions, 30 pairs, 4.0000 s a pair; within a process ±5.0%, lag-1 0.30
                 typical    processes      pairs          sessions       seen in 1 min  5 min  15 min  false verdicts
           mean  1.0005 ms  0.20% (df 54)  0.30% (df 24)  0.034% (df 1)  1.3%           1.1%   1.1%    0 of 6 (0.0–45.9%)
           p50   1.0005 ms  0.20% (df 54)  0.30% (df 24)  0.034% (df 1)  1.3%           1.1%   1.1%    0 of 6 (0.0–45.9%)
           p99   1.2006 ms  0.20% (df 54)  0.30% (df 24)  0.034% (df 1)  3.3%           3.1%   3.1%    not judged
          - run: 3 processes know the mean of a session to ±0.50%
          - check: mean can be gated at a margin of 1%: a change of 2% shows in about 4 pairs
          - check: p99 can be gated at a margin of 3%: a change of 6% shows in about 8 pairs
          - sessions differ by 0.034% (± 1 sd): stored baselines can be compared at a margin of 1%

        false verdicts over all cases and sessions: 0 of 6 (0.0–45.9%)
        ");
        let json = serde_json::to_value(message(&c)).unwrap();
        let case = &json["cases"]["p/quiet/default/latency"];
        assert_eq!((&case["sessions"], &case["pairs"]), (&6.into(), &30.into()));
        assert_eq!(case["metrics"]["mean"]["false_verdicts"]["of"], 6);
        assert!(case["metrics"]["mean"]["detectable_frac_in_minutes"]["5"].is_number());
        for line in case["advice"].as_array().unwrap() {
            assert!(text.contains(line.as_str().unwrap()), "{line}");
        }
    }

    #[test]
    fn doctor_says_how_old_it_is() {
        let c = example();
        let now = c.created_s + 3 * 86_400;
        assert_eq!(state(&Ok(Some(c)), now), "calibrated 2026-11-22 (3 days ago), 3 cases");
        assert!(state(&Ok(None), now).starts_with("not yet"));
        assert_eq!(state(&Err("x".into()), now), "unknown: x");
    }
}
