//! Computes a [`Calibration`] from A/A sessions: how much this device's numbers vary when nothing changed, and where
//! the variation comes from. Pure.
//!
//! Each session is a sequence of pairs of fresh processes of the same engine, so every difference is noise: within a
//! process, between processes, between the two of a pair, between sessions. `check` judges with the spread of pairs,
//! `run` and `compare` with that of sessions. Only sessions in which nothing was changed may be used, and only for the
//! device that they ran on.

pub mod advice;
pub mod lanes;
pub mod wire;

use crate::case::{Budget, Margins};
use crate::compare::{CalibratedPrior, Design, Metric, Sessions, Verdict, compare_case, metrics};
use crate::config::Scenario;
use crate::device::Timer;
use crate::record::{CaseRecord, RecordDevice};
use crate::stats::sessions::MIN_SESSIONS;
use crate::stats::{
    self, Decision, Estimate, Prior, SessionSpread, clopper_pearson, fit_prior, geometric_mean, log_ratios,
    median_by, session_spread,
};
use crate::units::Nanos;
use lanes::LaneCalibration;
use std::collections::BTreeMap;

/// Error rate at which sessions are judged, and of every interval.
pub const ALPHA: f64 = 0.05;
/// Power for which detectable changes are stated.
pub const POWER: f64 = 0.9;
/// Time limits for which the smallest detectable change is stated, in minutes.
pub const MINUTES: [u64; 3] = [1, 5, 15];
/// Fewer pairs than this have no spread.
const MIN_PAIRS: usize = 2;

/// How much numbers vary on one device when nothing changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// 16 hexadecimal digits; empty until it was written or read.
    pub id: String,
    /// Seconds since 1970-01-01 UTC, of its newest case.
    pub created_s: i64,
    /// Version of this tool.
    pub tool: String,
    /// The device that was calibrated.
    pub device: RecordDevice,
    /// The clock that requests were timed with.
    pub clock: Timer,
    /// The cases, by id.
    pub cases: BTreeMap<String, CaseCalibration>,
    /// Whether lanes disturb each other; `None` where that was not measured.
    pub lanes: Option<LaneCalibration>,
}

/// One case of a calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseCalibration {
    /// Seconds since 1970-01-01 UTC.
    pub created_s: i64,
    /// The hash of the case's definition.
    pub definition_hash: String,
    /// The backend's name.
    pub backend: String,
    /// Latency, throughput or capacity.
    pub scenario: Scenario,
    /// The budget of the case, if it has one.
    pub budget: Option<Budget>,
    /// Those the sessions were judged with.
    pub margins: Margins,
    /// How long each process measured: shorter ones vary more.
    pub measure: Nanos,
    /// Complete sessions.
    pub sessions: usize,
    /// Pairs kept, over all sessions.
    pub pairs: usize,
    /// Pairs that were thrown away, over all sessions.
    pub discarded: usize,
    /// What a pair takes, start-up and warm-up included.
    pub per_pair: Nanos,
    /// σ_within: standard deviation of requests in a process as a share of their mean; median over processes.
    pub within_sd_frac: f64,
    /// Median over processes.
    pub lag1: f64,
    /// Sessions whose verdict was Regressed or Improved, though nothing had changed.
    pub false_verdicts: Rate,
    /// In the order of [`metrics`]; without those that too few requests support.
    pub metrics: Vec<MetricCalibration>,
}

/// One metric of a case. Spreads are standard deviations of logarithms: 0.005 is about 0.5 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricCalibration {
    /// Which number it is about.
    pub metric: Metric,
    /// Geometric mean over all processes; nanoseconds, or inferences per second.
    pub typical: f64,
    /// σ_process: processes of one session, pooled over sessions.
    pub process: Spread,
    /// s_d: log ratios of pairs, pooled over sessions.
    pub pair: Spread,
    /// What s_d of a further session is like: fewer degrees of freedom than `pair` where sessions differ in
    /// their spread. `None` where nothing varied.
    pub prior: Option<Prior>,
    /// σ_session: what sessions differ beyond what their processes explain.
    pub session: SessionSpread,
    /// Out of the sessions in which it was judged.
    pub false_verdicts: Rate,
}

/// A pooled standard deviation and its degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Standard deviation of logarithms.
    pub sd: f64,
    /// Degrees of freedom; infinite where it is known exactly.
    pub df: f64,
}

/// `count` of `of`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: usize,
    /// Out of how many.
    pub of: usize,
}

impl Rate {
    /// The exact 95 % interval of the share.
    pub fn interval(self) -> (f64, f64) {
        clopper_pearson(self.count, self.of, ALPHA)
    }
}

/// One A/A session of one case: both arms are the same engine, process i of both ran back to back.
#[derive(Clone, Debug)]
pub struct AaSession {
    /// The processes of the first arm.
    pub base: CaseRecord,
    /// The processes of the second arm.
    pub head: CaseRecord,
    /// Pairs that were thrown away.
    pub discarded: usize,
    /// For all pairs, discarded ones too.
    pub elapsed: Nanos,
    /// The seed of the order of the arms.
    pub seed: u64,
}

impl AaSession {
    fn pairs(&self) -> usize {
        self.base.processes.len().min(self.head.processes.len())
    }
}

/// What the sessions of one case say; `Err`: why they say nothing. `measure` is how long each process measured, `created_s`
/// the time of the sessions.
pub fn calibrate_case(
    id: &str,
    sessions: &[AaSession],
    margins: Margins,
    measure: Nanos,
    created_s: i64,
) -> Result<CaseCalibration, String> {
    let sessions: Vec<&AaSession> = sessions.iter().filter(|s| s.pairs() >= MIN_PAIRS).collect();
    let first = sessions.first().filter(|_| sessions.len() >= MIN_SESSIONS).ok_or_else(|| {
        format!("{} sessions with at least {MIN_PAIRS} pairs; {MIN_SESSIONS} are needed", sessions.len())
    })?;
    let judged = Judged::of(id, &sessions, margins);
    let processes = || sessions.iter().flat_map(|s| s.base.processes.iter().chain(&s.head.processes));
    let pairs: usize = sessions.iter().map(|s| s.pairs()).sum();
    let discarded: usize = sessions.iter().map(|s| s.discarded).sum();
    let elapsed: u64 = sessions.iter().map(|s| s.elapsed.0).sum();
    let case = CaseCalibration {
        created_s,
        definition_hash: first.base.definition_hash.clone(),
        backend: first.base.engine.backend.clone(),
        scenario: first.base.scenario,
        budget: first.base.budget,
        margins,
        measure,
        sessions: sessions.len(),
        pairs,
        discarded,
        per_pair: Nanos(elapsed / (pairs + discarded).max(1) as u64),
        within_sd_frac: median(processes().map(|s| s.sd_ns / s.mean_ns)),
        lag1: median(processes().map(|s| s.lag1)),
        false_verdicts: judged.verdicts,
        metrics: metrics(first.base.scenario, first.base.gpu_timed())
            .iter()
            .filter_map(|m| calibrate_metric(*m, &sessions, judged.metric(*m)))
            .collect(),
    };
    if case.metrics.is_empty() {
        return Err("its numbers have no spread that could be estimated".into());
    }
    Ok(case)
}

/// What the gate would have said of each session.
struct Judged {
    verdicts: Rate,
    metrics: Vec<(Metric, Rate)>,
}

impl Judged {
    fn of(id: &str, sessions: &[&AaSession], margins: Margins) -> Self {
        let mut judged = Self { verdicts: Rate::default(), metrics: Vec::new() };
        for session in sessions {
            let design = Design::Pairs { alpha: ALPHA, first: &[], prior: &|_| None };
            let c = compare_case(id, &session.base, &session.head, margins, &design);
            judged.verdicts.of += 1;
            judged.verdicts.count += usize::from(matches!(c.verdict, Verdict::Regressed | Verdict::Improved));
            for m in &c.metrics {
                if let Ok(ruling) = &m.ruling {
                    let wrong = matches!(ruling.decision, Decision::Regressed | Decision::Improved);
                    judged.metrics.push((m.metric, Rate { count: usize::from(wrong), of: 1 }));
                }
            }
        }
        judged
    }

    fn metric(&self, metric: Metric) -> Rate {
        let of = self.metrics.iter().filter(|(m, _)| *m == metric);
        of.fold(Rate::default(), |sum, (_, r)| Rate { count: sum.count + r.count, of: sum.of + r.of })
    }
}

/// `None` where a process has too few requests for the metric, or nothing can be estimated.
fn calibrate_metric(
    metric: Metric,
    sessions: &[&AaSession],
    false_verdicts: Rate,
) -> Option<MetricCalibration> {
    let values = |case: &CaseRecord| -> Option<Vec<f64>> {
        case.processes.iter().map(|s| metric.value(s, case.budget)).collect()
    };
    let (mut all, mut ratios) = (Vec::new(), Vec::new());
    for session in sessions {
        let (base, head) = (values(&session.base)?, values(&session.head)?);
        ratios.push(log_ratios(&base, &head).ok()?);
        all.push([base, head].concat());
    }
    let logs: Vec<Vec<f64>> = all.iter().map(|s| s.iter().map(|v| v.ln()).collect()).collect();
    let spreads: Vec<(f64, f64)> =
        ratios.iter().map(|r| pooled(std::slice::from_ref(r))).map(|s| (s.sd, s.df)).collect();
    Some(MetricCalibration {
        metric,
        typical: geometric_mean(&all.concat())?,
        process: pooled(&logs),
        pair: pooled(&ratios),
        prior: fit_prior(&spreads).ok(),
        session: session_spread(&all).ok()?,
        false_verdicts,
    })
}

/// The standard deviation about each group's own mean.
fn pooled(groups: &[Vec<f64>]) -> Spread {
    let (mut squares, mut df) = (0.0, 0.0);
    for group in groups {
        let mean = group.iter().sum::<f64>() / group.len().max(1) as f64;
        squares += group.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        df += group.len().saturating_sub(1) as f64;
    }
    Spread { sd: if df > 0.0 { (squares / df).sqrt() } else { 0.0 }, df }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    median_by(values.filter(|v| v.is_finite()), f64::total_cmp).unwrap_or(0.0)
}

impl CaseCalibration {
    /// What is known of one metric; `None` where it was not judged.
    pub fn metric(&self, metric: Metric) -> Option<&MetricCalibration> {
        self.metrics.iter().find(|m| m.metric == metric)
    }

    /// How many pairs fit into so many minutes.
    pub fn pairs_in(&self, minutes: u64) -> usize {
        usize::try_from((minutes * 60_000_000_000) / self.per_pair.0.max(1)).unwrap_or(usize::MAX)
    }

    /// The smallest change of `metric`, as a fraction, that pairs of so many minutes show beyond the margin with
    /// [`POWER`]; `None`: not reachable, because too few pairs fit for the metric to be judged at all.
    pub fn detectable(&self, metric: &MetricCalibration, minutes: u64) -> Option<f64> {
        let pairs = self.pairs_in(minutes).min(stats::power::MAX_UNITS);
        let rule = metric.metric.rule(self.margins);
        if pairs < rule.min_units {
            return None;
        }
        let e = estimate(metric.pair.sd, pairs);
        Some(stats::minimum_detectable_effect(&e, rule.margin, ALPHA, POWER).exp_m1())
    }
}

/// The mean of `n` values with that spread, where nothing changed.
fn estimate(sd: f64, n: usize) -> Estimate {
    let se = sd / (n as f64).sqrt();
    Estimate { effect: 0.0, se, df: n.saturating_sub(1).max(1) as f64, sd, n, fixed_var: 0.0 }
}

impl Calibration {
    /// The case, if what it asks and who answers are still the same.
    fn same(&self, id: &str, definition: &str, backend: &str) -> Option<&CaseCalibration> {
        self.cases.get(id).filter(|c| c.definition_hash == definition && c.backend == backend)
    }

    /// σ_session of the case, where it was calibrated.
    pub fn sessions(&self, id: &str, case: &CaseRecord, metric: Metric) -> Option<Sessions> {
        let same = self.same(id, &case.definition_hash, &case.engine.backend)?;
        let spread = same.metric(metric)?.session;
        Some(Sessions::Calibrated { spread, created_s: same.created_s })
    }

    /// Takes those cases of an older calibration that this one does not hold and that are `wanted`, and tells which; and
    /// what it knows of the same lanes.
    pub fn keep_of(&mut self, old: &Self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let missing = |id: &&String| !self.cases.contains_key(*id) && wanted(id);
        let kept: Vec<String> = old.cases.keys().filter(missing).cloned().collect();
        self.cases.extend(kept.iter().filter_map(|id| Some((id.clone(), old.cases.get(id)?.clone()))));
        match (&mut self.lanes, &old.lanes) {
            (Some(lanes), Some(old)) if lanes.devices == old.devices => {
                let others = old.cases.iter().filter(|(id, _)| kept.contains(id));
                lanes.cases.extend(others.map(|(id, effects)| (id.clone(), effects.clone())));
            }
            // What devices do to each other is another question.
            (lanes @ None, old) => lanes.clone_from(old),
            (Some(_), _) => {}
        }
        kept
    }

    /// What to expect of the spread of the case's pairs: its own if it was calibrated, else what the calibrated
    /// cases have in common. `measure` is how long a process measures now: longer processes vary less, so those of a
    /// calibration that measured longer would promise too much and are left out.
    pub fn prior(
        &self,
        id: &str,
        case: &CaseRecord,
        measure: Nanos,
        metric: Metric,
    ) -> Option<CalibratedPrior> {
        let usable = |c: &&CaseCalibration| c.measure <= measure;
        let same = self.same(id, &case.definition_hash, &case.engine.backend).filter(usable);
        if let Some(c) = same
            && let Some(prior) = c.metric(metric).and_then(|m| m.prior)
        {
            return Some(CalibratedPrior { prior, created_s: c.created_s, same_case: true });
        }
        let name = metric.name(case.budget);
        let history: Vec<(f64, f64)> = self
            .cases
            .values()
            .filter(usable)
            .filter(|c| c.backend == case.engine.backend && metric.name(c.budget) == name)
            .filter_map(|c| c.metric(metric).map(|m| (m.pair.sd, m.pair.df)))
            .collect();
        let found = |prior| CalibratedPrior { prior, created_s: self.created_s, same_case: false };
        fit_prior(&history).ok().map(found)
    }

    /// False verdicts over all cases and sessions.
    pub fn false_verdicts(&self) -> Rate {
        let rates = self.cases.values().map(|c| c.false_verdicts);
        rates.fold(Rate::default(), |sum, r| Rate { count: sum.count + r.count, of: sum.of + r.of })
    }
}

#[cfg(test)]
pub(crate) mod tests;
