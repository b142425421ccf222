//! Computes from sessions that lanes measured alone and side by side whether they disturb each other. Pure.
//!
//! A session measures every lane alone, then all at once, or the other way round. Its processes share what is particular to
//! it, so a session is one unit: what counts is by how much a lane's mean over a session is another beside its neighbours.

use super::{ALPHA, AaSession, advice::percent};
use crate::case::Margins;
use crate::compare::{metrics, value_change};
use crate::record::date;
use crate::stats::sessions::MIN_SESSIONS;
use crate::stats::{
    Decision, Interval, Order, Orientation, PairedQuestion, Rule, geometric_mean, judge_pairs, log_ratios,
    paired_t,
};
use crate::summarize::Summary;
use crate::units::{change, rate, round5, time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether the devices of one host disturb each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneCalibration {
    /// Seconds since 1970-01-01 UTC.
    pub created_s: i64,
    /// Their numbers.
    pub devices: Vec<u32>,
    /// By case id: each number on each device.
    pub cases: BTreeMap<String, Vec<LaneEffect>>,
}

/// One number of a case on one device, alone and beside busy neighbours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneEffect {
    /// The device's number.
    pub device: u32,
    /// What it is called: a metric's name, or `spread` for the standard deviation of requests as a share of their mean.
    pub name: String,
    /// What `alone` and `together` are.
    pub unit: LaneUnit,
    /// Sessions behind it.
    pub sessions: usize,
    /// Geometric mean over all processes of the sessions alone.
    pub alone: f64,
    /// The same over the sessions side by side.
    pub together: f64,
    /// Relative change from alone to together: +0.05 is 5 % more.
    pub change: f64,
    /// Lower end of its interval at 95 %.
    pub change_lo: f64,
    /// Upper end of its interval at 95 %.
    pub change_hi: f64,
    /// What that means.
    pub effect: Disturbance,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneUnit {
    /// Nanoseconds.
    Time,
    /// Inferences per second.
    Rate,
    /// A fraction.
    Share,
}

/// What neighbours do to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// They change it by more than the margin.
    Disturbed,
    /// They do not.
    Undisturbed,
    /// These sessions do not settle it.
    Unsettled,
    /// There is no margin for it.
    Shown,
}

/// One session of one case: for each lane, what it measured alone and side by side.
#[derive(Clone, Debug)]
pub struct LaneSession {
    /// Which of both came first.
    pub alone_first: bool,
    /// In the order of the devices.
    pub lanes: Vec<[AaSession; 2]>,
}

impl LaneEffect {
    /// `p99 of demo/m/default/latency on device 1 +3.1% [+2.0%, +4.2%]`.
    fn words(&self, id: &str) -> String {
        let interval =
            format!("{} [{}, {}]", change(self.change), change(self.change_lo), change(self.change_hi));
        format!("{} of {id} on device {} {interval}", self.name, self.device)
    }

    /// A value of it for people.
    pub fn shown(&self, value: f64) -> String {
        match self.unit {
            LaneUnit::Time => time(value),
            LaneUnit::Rate => rate(value),
            LaneUnit::Share => percent(value),
        }
    }
}

impl LaneCalibration {
    /// All numbers, with the id of their case.
    fn effects(&self) -> impl Iterator<Item = (&str, &LaneEffect)> {
        self.cases.iter().flat_map(|(id, effects)| effects.iter().map(move |effect| (id.as_str(), effect)))
    }

    /// That with the largest change of those that came to `effect`, and how many there are.
    fn largest(&self, effect: Disturbance) -> Option<(String, usize)> {
        let all = || self.effects().filter(move |(_, found)| found.effect == effect);
        let (id, largest) = all().max_by(|(_, a), (_, b)| a.change.abs().total_cmp(&b.change.abs()))?;
        Some((largest.words(id), all().count()))
    }

    /// What they do to each other, in a sentence.
    pub fn sentence(&self) -> String {
        if let Some((worst, count)) = self.largest(Disturbance::Disturbed) {
            let more =
                if count > 1 { format!(" ({} more numbers moved, too)", count - 1) } else { String::new() };
            return format!(
                "lanes disturb each other: {worst}{more}: measure on one device at a time (--device)"
            );
        }
        if let Some((worst, _)) = self.largest(Disturbance::Unsettled) {
            return format!(
                "whether lanes disturb each other is not settled: {worst}; calibrate with more --sessions or --pairs"
            );
        }
        match self.largest(Disturbance::Undisturbed) {
            Some((worst, _)) => {
                format!(
                    "lanes do not disturb each other by more than the margins; the largest change is {worst}"
                )
            }
            None => "no number tells whether lanes disturb each other".into(),
        }
    }

    /// Why lanes on `devices` are not to be trusted as they are, in words; `None` where nothing speaks against it. `known`:
    /// what was calibrated.
    pub fn doubt(known: Option<&Self>, devices: &[u32]) -> Option<String> {
        let numbers = |devices: &[u32]| devices.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let Some(known) = known.filter(|known| devices.iter().all(|d| known.devices.contains(d))) else {
            return Some(format!(
                "whether the devices disturb each other is not known: `cargo trt-perf calibrate --devices {}` measures it",
                numbers(devices)
            ));
        };
        let good =
            known.effects().all(|(_, e)| matches!(e.effect, Disturbance::Undisturbed | Disturbance::Shown));
        (!good).then(|| format!("{} (calibrated {})", known.sentence(), date(known.created_s)))
    }
}

/// What the sessions of one case say of each device; nothing of fewer than [`MIN_SESSIONS`].
pub fn lane_effects(devices: &[u32], sessions: &[LaneSession], margins: Margins) -> Vec<LaneEffect> {
    let Some(case) = sessions.first().and_then(|s| s.lanes.first()).map(|lane| &lane[0].base) else {
        return Vec::new();
    };
    let first: Vec<Order> =
        sessions.iter().map(|s| if s.alone_first { Order::BaseFirst } else { Order::HeadFirst }).collect();
    let mut effects = Vec::new();
    for (lane, device) in devices.iter().enumerate().filter(|_| sessions.len() >= MIN_SESSIONS) {
        let of = |value: &dyn Fn(&Summary) -> Option<f64>| BothWays::of(sessions, lane, value);
        for metric in metrics(case.scenario, case.gpu_timed()) {
            let Some(moved) = of(&|s| metric.value(s, case.budget)) else { continue };
            // A session's mean is one unit, and no process that may have too few requests.
            let rule = Rule { min_units: MIN_SESSIONS, ..metric.rule(margins) };
            let orientation = metric.orientation();
            let question =
                PairedQuestion { orientation, rule, resolution_sd: 0.0, prior: None, first: &first };
            let Ok(judged) = judge_pairs(&moved.alone, &moved.together, &question) else { continue };
            let effect = match judged.ruling.decision {
                Decision::Regressed | Decision::Improved => Disturbance::Disturbed,
                Decision::Unchanged | Decision::ChangedWithinMargin => Disturbance::Undisturbed,
                Decision::Inconclusive => Disturbance::Unsettled,
            };
            let unit = if metric.is_rate() { LaneUnit::Rate } else { LaneUnit::Time };
            let interval = value_change(judged.ruling.interval, orientation);
            effects.extend(moved.effect(*device, metric.name(case.budget), unit, interval, effect));
        }
        let spread = of(&|s| Some(s.sd_ns / s.mean_ns).filter(|share| *share > 0.0));
        effects.extend(spread.and_then(|moved| {
            let ratios = log_ratios(&moved.alone, &moved.together).ok()?;
            let interval = paired_t(&ratios, 0.0).ok()?.interval(ALPHA);
            let change = value_change(interval, Orientation::LowerIsBetter);
            moved.effect(*device, "spread".into(), LaneUnit::Share, change, Disturbance::Shown)
        }));
    }
    effects
}

/// A number in each session: alone, and side by side.
struct BothWays {
    alone: Vec<f64>,
    together: Vec<f64>,
}

impl BothWays {
    /// `None` where a process has not the number.
    fn of(sessions: &[LaneSession], lane: usize, value: &dyn Fn(&Summary) -> Option<f64>) -> Option<Self> {
        let of_session = |session: &AaSession| -> Option<f64> {
            let processes = session.base.processes.iter().chain(&session.head.processes);
            geometric_mean(&processes.map(value).collect::<Option<Vec<_>>>()?)
        };
        let of_all = |how: usize| -> Option<Vec<f64>> {
            sessions.iter().map(|session| of_session(&session.lanes.get(lane)?[how])).collect()
        };
        Some(Self { alone: of_all(0)?, together: of_all(1)? })
    }

    fn effect(
        &self,
        device: u32,
        name: String,
        unit: LaneUnit,
        change: Interval,
        effect: Disturbance,
    ) -> Option<LaneEffect> {
        Some(LaneEffect {
            device,
            name,
            unit,
            sessions: self.alone.len(),
            alone: round5(geometric_mean(&self.alone)?),
            together: round5(geometric_mean(&self.together)?),
            change: round5(change.est),
            change_lo: round5(change.lo),
            change_hi: round5(change.hi),
            effect,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CaseRecord, sample};
    use crate::rng::Rng;
    use crate::units::Nanos;

    const ID: &str = "p/m/default/latency";

    /// Sessions of two lanes that vary by 0.3 %; beside its neighbour, the second one takes `slower` times as long.
    fn sessions(count: usize, slower: f64) -> Vec<LaneSession> {
        let mut rng = Rng::new(7);
        let mut arm = |by: f64| {
            let mut process = || sample::summary(1e6 * by * (0.003 * rng.normal()).exp());
            CaseRecord { processes: vec![process(), process(), process()], ..sample::case() }
        };
        let mut measured =
            |by: f64| AaSession { base: arm(by), head: arm(by), discarded: 0, elapsed: Nanos(1), seed: 1 };
        let session = |number: usize| {
            // What a session has over others is in both halves of it.
            let drift = 1.0 + 0.05 * number as f64;
            let mut lane = |by: f64| [measured(drift), measured(drift * by)];
            LaneSession { alone_first: number.is_multiple_of(2), lanes: vec![lane(1.0), lane(slower)] }
        };
        (0..count).map(session).collect()
    }

    fn calibrated(slower: f64) -> LaneCalibration {
        let effects = lane_effects(&[0, 3], &sessions(6, slower), Margins::default());
        LaneCalibration { created_s: 0, devices: vec![0, 3], cases: [(ID.to_owned(), effects)].into() }
    }

    #[test]
    fn a_neighbour_that_slows_a_lane_down_is_found_on_that_lane() {
        let found = calibrated(1.05);
        for effect in &found.cases[ID] {
            let expected = match (effect.device, effect.unit) {
                (_, LaneUnit::Share) => Disturbance::Shown,
                (3, _) => Disturbance::Disturbed,
                _ => Disturbance::Undisturbed,
            };
            assert_eq!(effect.effect, expected, "{effect:?}");
            let truth = if effect.device == 3 && effect.unit == LaneUnit::Time { 0.05 } else { 0.0 };
            assert!(effect.change_lo <= truth + 1e-3 && truth - 1e-3 <= effect.change_hi, "{effect:?}");
        }
        let said = found.sentence();
        assert!(said.starts_with("lanes disturb each other: ") && said.contains("on device 3 +"), "{said}");
        let doubt = LaneCalibration::doubt(Some(&found), &[0, 3]).unwrap();
        assert!(doubt.contains("measure on one device at a time") && doubt.contains("1970-01-01"), "{doubt}");
    }

    #[test]
    fn lanes_that_leave_each_other_alone_are_trusted_and_unknown_ones_are_not() {
        let found = calibrated(1.0);
        assert!(found.sentence().starts_with("lanes do not disturb each other"), "{}", found.sentence());
        assert_eq!(LaneCalibration::doubt(Some(&found), &[3, 0]), None);
        for (known, devices) in [(Some(&found), [0, 1]), (None, [0, 1])] {
            let doubt = LaneCalibration::doubt(known, &devices).unwrap();
            assert!(doubt.contains("`cargo trt-perf calibrate --devices 0,1`"), "{doubt}");
        }
        assert_eq!(lane_effects(&[0, 3], &sessions(MIN_SESSIONS - 1, 1.0), Margins::default()), []);
    }
}
