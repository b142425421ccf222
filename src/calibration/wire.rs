//! Calibrations as they are written in files: `trt-perf/calibration@1`, in the form of [`document`], with five
//! significant digits.
//!
//! A newer calibration replaces an older one and is not copied into another file, so fields that this version does not
//! know are ignored without a message.

use super::lanes::LaneCalibration;
use super::{Calibration, CaseCalibration, MetricCalibration, Rate, Spread};
use crate::case::{Budget, Margins};
use crate::compare::metrics;
use crate::config::Scenario;
use crate::device::Timer;
use crate::error::Result;
use crate::record::wire::document;
use crate::record::{RecordDevice, created_seconds, rfc3339};
use crate::stats::{Prior, SessionSpread};
use crate::units::{Nanos, round5};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A calibration, version 1. Times are nanoseconds, spreads standard deviations of logarithms, shares fractions.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(title = "trt-perf/calibration@1")]
struct CalibrationV1 {
    /// Always `trt-perf/calibration@1`.
    schema: String,
    /// First 16 digits of the SHA-256 of this text with the id taken out.
    id: String,
    /// RFC 3339, UTC.
    created: String,
    /// Version of cargo-trt-perf that measured.
    tool: String,
    device: CalibrationDeviceV1,
    clock: ClockV1,
    /// By case id: package/model/variant/scenario.
    cases: BTreeMap<String, CalibrationCaseV1>,
    /// What devices of one host do to each other; left out where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lanes: Option<LaneCalibration>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct CalibrationDeviceV1 {
    /// A calibration is used only where it is the same.
    key: String,
    name: String,
    /// What may change without making numbers incomparable: kernel, governor, driver.
    soft: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct ClockV1 {
    /// Null where it is coarser than could be measured.
    resolution_ns: Option<u64>,
    read_min_ns: u64,
    read_median_ns: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct CalibrationCaseV1 {
    /// RFC 3339, UTC; left out where the case was measured when the file was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// SHA-256 over everything that is asked, as in a record.
    definition: String,
    backend: String,
    scenario: Scenario,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<CalibrationBudgetV1>,
    margin_frac: f64,
    tail_margin_frac: f64,
    /// How long each process measured.
    measure_ns: u64,
    sessions: usize,
    /// Over all sessions; discarded ones are not among them.
    pairs: usize,
    discarded: usize,
    per_pair_ns: u64,
    /// Standard deviation of requests in a process as a share of their mean; median over processes.
    within_sd_frac: f64,
    lag1: f64,
    /// Sessions that would have been called regressed or improved.
    false_verdicts: RateV1,
    /// By name: mean, p50, p99 (or the budget's percentile), throughput.
    metrics: BTreeMap<String, MetricV1>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct CalibrationBudgetV1 {
    max_ns: u64,
    quantile: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct RateV1 {
    count: usize,
    of: usize,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct MetricV1 {
    /// Geometric mean; nanoseconds, or inferences per second.
    typical: f64,
    /// Processes within a session.
    process: SpreadV1,
    /// Log ratios of pairs within a session.
    pair: SpreadV1,
    /// What the spread of pairs in a further session is like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prior: Option<SpreadV1>,
    /// Between sessions, beyond what their processes explain.
    session: SpreadV1,
    false_verdicts: RateV1,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct SpreadV1 {
    sd: f64,
    df: f64,
}

/// The JSON Schema of a calibration file.
pub fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(CalibrationV1)).unwrap_or_default()
}

/// Gives the calibration its id and returns the text of its file.
pub fn write(calibration: &mut Calibration) -> String {
    let (text, id) = document::write(&document::CALIBRATION, &to_wire(calibration));
    calibration.id = id;
    text
}

/// The calibration in the text of a file.
pub fn read(text: &str) -> Result<Calibration> {
    Ok(document::read(text, &document::CALIBRATION, from_wire)?.body)
}

fn to_wire(c: &Calibration) -> CalibrationV1 {
    CalibrationV1 {
        schema: document::CALIBRATION.schema(),
        id: c.id.clone(),
        created: rfc3339(c.created_s),
        tool: c.tool.clone(),
        device: CalibrationDeviceV1 {
            key: c.device.key.clone(),
            name: c.device.name.clone(),
            soft: c.device.soft.clone(),
        },
        clock: ClockV1 {
            resolution_ns: c.clock.resolution.map(|n| n.0),
            read_min_ns: c.clock.min.0,
            read_median_ns: c.clock.median.0,
        },
        cases: c.cases.iter().map(|(id, case)| (id.clone(), case_to_wire(case, c.created_s))).collect(),
        lanes: c.lanes.clone(),
    }
}

fn case_to_wire(c: &CaseCalibration, file_s: i64) -> CalibrationCaseV1 {
    CalibrationCaseV1 {
        created: (c.created_s != file_s).then(|| rfc3339(c.created_s)),
        definition: c.definition_hash.clone(),
        backend: c.backend.clone(),
        scenario: c.scenario,
        budget: c.budget.map(|b| CalibrationBudgetV1 { max_ns: b.max_ns, quantile: b.quantile }),
        margin_frac: c.margins.value_frac,
        tail_margin_frac: c.margins.tail_frac,
        measure_ns: c.measure.0,
        sessions: c.sessions,
        pairs: c.pairs,
        discarded: c.discarded,
        per_pair_ns: c.per_pair.0,
        within_sd_frac: round5(c.within_sd_frac),
        lag1: round5(c.lag1),
        false_verdicts: rate_to_wire(c.false_verdicts),
        metrics: c.metrics.iter().map(|m| (m.metric.name(c.budget), metric_to_wire(m))).collect(),
    }
}

fn metric_to_wire(m: &MetricCalibration) -> MetricV1 {
    let spread = |sd: f64, df: f64| SpreadV1 { sd: round5(sd), df: round5(df) };
    MetricV1 {
        typical: round5(m.typical),
        process: spread(m.process.sd, m.process.df),
        pair: spread(m.pair.sd, m.pair.df),
        prior: m.prior.map(|p| spread(p.sd, p.df)),
        session: spread(m.session.sd, m.session.df),
        false_verdicts: rate_to_wire(m.false_verdicts),
    }
}

fn rate_to_wire(r: Rate) -> RateV1 {
    RateV1 { count: r.count, of: r.of }
}

fn from_wire(w: CalibrationV1) -> Result<Calibration, String> {
    let created_s = created_seconds(&w.created)?;
    let cases = w.cases.into_iter().map(|(id, c)| {
        let case = case_from_wire(c, created_s).map_err(|e| format!("{id}: {e}"))?;
        Ok((id, case))
    });
    Ok(Calibration {
        id: w.id,
        created_s,
        tool: w.tool,
        device: RecordDevice { key: w.device.key, name: w.device.name, soft: w.device.soft },
        clock: Timer {
            resolution: w.clock.resolution_ns.map(Nanos),
            min: Nanos(w.clock.read_min_ns),
            median: Nanos(w.clock.read_median_ns),
        },
        cases: cases.collect::<Result<_, String>>()?,
        lanes: w.lanes,
    })
}

fn case_from_wire(mut c: CalibrationCaseV1, file_s: i64) -> Result<CaseCalibration, String> {
    let budget = c.budget.map(|b| Budget { max_ns: b.max_ns, quantile: b.quantile });
    let mut found = Vec::new();
    // A metric this version does not know is passed over: none of its questions is about it.
    for metric in metrics(c.scenario, true) {
        let name = metric.name(budget);
        if let Some(m) = c.metrics.remove(&name) {
            // These decide verdicts: a spread of 0 without degrees of freedom would make everything significant.
            let sound = |s: &SpreadV1| s.sd.is_finite() && s.sd >= 0.0 && s.df.is_finite() && s.df >= 0.0;
            if ![&m.process, &m.pair, &m.session].into_iter().chain(&m.prior).all(sound) {
                return Err(format!("{name}: a spread that is none"));
            }
            found.push(MetricCalibration {
                metric: *metric,
                typical: m.typical,
                process: Spread { sd: m.process.sd, df: m.process.df },
                pair: Spread { sd: m.pair.sd, df: m.pair.df },
                prior: m.prior.map(|p| Prior { sd: p.sd, df: p.df }),
                session: SessionSpread { sd: m.session.sd, df: m.session.df },
                false_verdicts: Rate { count: m.false_verdicts.count, of: m.false_verdicts.of },
            });
        }
    }
    Ok(CaseCalibration {
        created_s: c.created.as_deref().map_or(Ok(file_s), created_seconds)?,
        definition_hash: c.definition,
        backend: c.backend,
        scenario: c.scenario,
        budget,
        margins: Margins { value_frac: c.margin_frac, tail_frac: c.tail_margin_frac },
        measure: Nanos(c.measure_ns),
        sessions: c.sessions,
        pairs: c.pairs,
        discarded: c.discarded,
        per_pair: Nanos(c.per_pair_ns),
        within_sd_frac: c.within_sd_frac,
        lag1: c.lag1,
        false_verdicts: Rate { count: c.false_verdicts.count, of: c.false_verdicts.of },
        metrics: found,
    })
}
