//! Compares two records, case by case. Every verdict of this tool is made here. Pure.
//!
//! Whether two cases can be compared at all is decided before any statistics; the decision itself is `stats::decide`.
//! This file has the rule for stored summaries (Welch's test on the logarithms of the processes' summaries). Numbers
//! that come from two sessions also carry what differs between sessions.

mod budget;
mod builds;
mod changes;
mod clock;
pub mod confirm;
mod deciding;
mod design;
pub mod many;
mod metric;
mod outputs;
mod question;
mod reason;
pub mod samples;
mod several;
mod verdict;

pub use changes::engine_changes;
pub use design::{ASSUMED_SESSION_SD, Basis, CalibratedPrior, Design, Sessions};
pub use metric::{Metric, case_metrics, lacks_requests, metrics};
pub use outputs::{OutputDifference, largest_difference};
pub use reason::{
    BrokenBudget, Difference, Inconclusive, Invalid, NotComparable, NotJudged, Remedy, Unit, WhichArm,
};
pub use several::{SeveralCell, SeveralRow, several};
pub use verdict::{Verdict, case_verdict, verdict_of};

use crate::case::{Budget, Margins};
use crate::discover::{self, Moved};
use crate::record::{CaseRecord, EngineRecord, Record, Unreal};
use crate::stats::judge::MIN_UNPAIRED_UNITS;
use crate::stats::{self, Interval, Judgement, Orientation, PairedQuestion, Rule, Ruling};
use clock::Reading;
use question::{different_definition, invalid};

/// One metric of one case, base against head.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricComparison {
    /// Which number it is about.
    pub metric: Metric,
    /// Geometric means over processes.
    pub base: f64,
    /// Geometric mean over the head's processes; nanoseconds, or inferences per second.
    pub head: f64,
    /// `Err`: why it is shown and not judged.
    pub ruling: Result<Ruling, NotJudged>,
    /// Relative change of the value itself (not oriented): +0.05 is 5 % more.
    pub change: Option<stats::Interval>,
    /// What was taken into account beside the processes themselves.
    pub basis: Basis,
}

/// One case, base against head.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseComparison {
    /// The case's id.
    pub id: String,
    /// The verdict on the case.
    pub verdict: Verdict,
    /// Its metrics, in the order in which they are shown.
    pub metrics: Vec<MetricComparison>,
    /// The budget of the case, if it has one.
    pub budget: Option<Budget>,
    /// How head breaks the budget that the base kept: a regression, however fast it is.
    pub broken_budget: Option<BrokenBudget>,
    /// What changed in the engine: model, library, options.
    pub engine_changes: Vec<String>,
    /// Outputs are not bit-identical.
    pub outputs_changed: bool,
    /// How far they are apart, where both arms' are at hand.
    pub output_difference: Option<OutputDifference>,
    /// The smallest changes that count.
    pub margins: Margins,
    /// Why the numbers of one of the arms say nothing about a model.
    pub unreal: Option<Unreal>,
    /// That the grids of the two have different winners: information, no verdict.
    pub moved: Option<Moved>,
}

/// Compares every case of `head` that `base` has too; both were measured in sessions of their own.
pub fn compare(
    base: &Record,
    head: &Record,
    margins: Margins,
    sessions: &dyn Fn(&str, Metric) -> Sessions,
) -> Vec<CaseComparison> {
    head.cases
        .iter()
        .filter_map(|(id, head_case)| {
            let base_case = base.cases.get(id)?;
            Some(match different_device(base, head) {
                Some(why) => without_numbers(id, head_case, margins, Verdict::NotComparable(why)),
                None => compare_case(
                    id,
                    base_case,
                    head_case,
                    margins,
                    &Design::Stored(&|metric| sessions(id, metric)),
                ),
            })
        })
        .collect()
}

/// Why two records do not compare at all.
pub fn different_device(base: &Record, head: &Record) -> Option<NotComparable> {
    (base.device.key != head.device.key)
        .then(|| NotComparable::Device { base: base.device.key.clone(), head: head.device.key.clone() })
}

/// Soft facts that differ: compared all the same, and said.
pub fn soft_differences(base: &Record, head: &Record) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> =
        base.device.soft.keys().chain(head.device.soft.keys()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let (b, h) = (base.device.soft.get(key), head.device.soft.get(key));
            let text = |v: Option<&String>| v.map_or("unknown".to_owned(), Clone::clone);
            (b != h).then(|| format!("{key}: {} → {}", text(b), text(h)))
        })
        .collect()
}

/// One case whose device is known to be the same.
pub fn compare_case(
    id: &str,
    base: &CaseRecord,
    head: &CaseRecord,
    margins: Margins,
    design: &Design,
) -> CaseComparison {
    let moved = moved(base, head);
    if let Some(why) = different_definition(base, head) {
        return CaseComparison { moved, ..without_numbers(id, head, margins, Verdict::NotComparable(why)) };
    }
    if let Some(why) = invalid(base, WhichArm::Base).or_else(|| invalid(head, WhichArm::Head)) {
        return without_numbers(id, head, margins, Verdict::Invalid(why));
    }
    let metrics: Vec<MetricComparison> =
        case_metrics(head).into_iter().map(|m| compare_metric(m, base, head, margins, design)).collect();
    let broken_budget = budget::broken(base, head, design);
    let verdict = match verdict_of(&metrics, head.budget, margins, broken_budget.as_ref()) {
        Verdict::Regressed | Verdict::Improved
            if matches!(design, Design::Stored(_)) && same_engine(&base.engine, &head.engine) =>
        {
            Verdict::Inconclusive(Inconclusive::SameEngine)
        }
        other => other,
    };
    CaseComparison {
        verdict,
        metrics,
        broken_budget,
        engine_changes: engine_changes(&base.engine, &head.engine),
        outputs_changed: base.outputs != head.outputs,
        unreal: head.engine.unreal().or_else(|| base.engine.unreal()),
        moved,
        ..without_numbers(id, head, margins, Verdict::Unchanged)
    }
}

fn same_engine(base: &EngineRecord, head: &EngineRecord) -> bool {
    !base.payload_sha256.is_empty()
        && base.payload_sha256 == head.payload_sha256
        && base.inputs_hash == head.inputs_hash
}

/// A comparison that says why there is nothing to compare, or that nothing needs to be.
pub fn without_numbers(id: &str, head: &CaseRecord, margins: Margins, verdict: Verdict) -> CaseComparison {
    CaseComparison::bare(id, head.budget, margins, head.engine.unreal(), verdict)
}

impl CaseComparison {
    /// A verdict without any metric.
    pub fn bare(
        id: &str,
        budget: Option<Budget>,
        margins: Margins,
        unreal: Option<Unreal>,
        verdict: Verdict,
    ) -> Self {
        Self {
            id: id.to_owned(),
            verdict,
            metrics: Vec::new(),
            budget,
            margins,
            broken_budget: None,
            engine_changes: Vec::new(),
            outputs_changed: false,
            output_difference: None,
            unreal,
            moved: None,
        }
    }
}

/// Where both points were chosen by grids.
fn moved(base: &CaseRecord, head: &CaseRecord) -> Option<Moved> {
    base.discovery.as_ref().zip(head.discovery.as_ref())?;
    discover::moved(base.cell(), head.cell())
}

fn compare_metric(
    metric: Metric,
    base: &CaseRecord,
    head: &CaseRecord,
    margins: Margins,
    design: &Design,
) -> MetricComparison {
    let values = |case: &CaseRecord| -> Vec<Option<f64>> {
        case.processes.iter().map(|s| metric.value(s, case.budget)).collect()
    };
    let processes = base.processes.iter().chain(&head.processes);
    let clock: Vec<Reading> = processes.filter_map(Reading::of_summary).collect();
    let arms = [values(base), values(head)];
    let mut shown = if base.has_builds() || head.has_builds() {
        builds::compare(metric, [(base, &arms[0]), (head, &arms[1])], &clock, margins, design)
    } else {
        compare_values(metric, [&arms[0], &arms[1]], &clock, margins, design)
    };
    // Too few pairs is said first: what is wrong with three of them may be an accident.
    let wants_units = shown.ruling.as_ref().is_err_and(NotJudged::wants_units);
    if let Some(why) = budget::not_gated(metric, base, head).filter(|_| !wants_units) {
        shown.ruling = Err(why);
    }
    shown
}

/// One value per process of base and of head; `None` where too few requests support it. `clock`: what is known of the
/// clock of all of them.
fn compare_values(
    metric: Metric,
    arms: [&[Option<f64>]; 2],
    clock: &[Reading],
    margins: Margins,
    design: &Design,
) -> MetricComparison {
    compare_units(metric, arms, clock, (metric.rule(margins), basis(metric, design)), design)
}

/// One value per unit of base and of head, whatever a unit is.
fn compare_units(
    metric: Metric,
    [base, head]: [&[Option<f64>]; 2],
    clock: &[Reading],
    (rule, mut basis): (Rule, Basis),
    design: &Design,
) -> MetricComparison {
    let known = |arm: &[Option<f64>]| -> Vec<f64> { arm.iter().flatten().copied().collect() };
    let (b, h) = (known(base), known(head));
    let mean = |v: &[f64]| stats::geometric_mean(v).unwrap_or(f64::NAN);
    let units = base.len().min(head.len());
    let judged = if units < rule.min_units {
        // Three unpaired ones are shown with their interval, and decide nothing.
        let least = if matches!(design, Design::Stored(_)) { MIN_UNPAIRED_UNITS } else { 0 };
        let need = rule.min_units.max(least);
        Err(NotJudged::NeedsUnits { unit: basis.unit(), need, have: units })
    } else if b.len() < base.len() || h.len() < head.len() {
        Err(NotJudged::TooFewRequests)
    } else if let Some(why) = clock::too_coarse(metric, clock, rule.margin.exp_m1()) {
        Err(why)
    } else {
        judge(metric, [&b, &h], clock, rule, design).map_err(NotJudged::from)
    };
    if let (Basis::Calibration { used, .. }, Ok(judged)) = (&mut basis, &judged) {
        *used = judged.moderated;
    }
    let change =
        judged.as_ref().ok().map(|judged| value_change(judged.ruling.interval, metric.orientation()));
    let ruling = judged.map(|judged| judged.ruling);
    MetricComparison { metric, base: mean(&b), head: mean(&h), ruling, change, basis }
}

fn basis(metric: Metric, design: &Design) -> Basis {
    match design {
        Design::Stored(sessions) => Basis::Sessions(sessions(metric)),
        Design::Pairs { prior, .. } => {
            prior(metric).map_or(Basis::Pairs, |prior| Basis::Calibration { prior, used: false })
        }
    }
}

fn judge(
    metric: Metric,
    [base, head]: [&[f64]; 2],
    clock: &[Reading],
    rule: Rule,
    design: &Design,
) -> Result<Judgement, stats::StatError> {
    let orientation = metric.orientation();
    match design {
        Design::Stored(sessions) => {
            stats::judge_unpaired(base, head, orientation, sessions(metric).spread(), &rule)
        }
        Design::Pairs { alpha, first, prior } => {
            let resolution_sd =
                base.first().map_or(0.0, |typical| clock::resolution_sd(metric, clock, *typical));
            let question = PairedQuestion {
                orientation,
                rule: rule.at_alpha(*alpha),
                resolution_sd,
                prior: prior(metric).map(|p| p.prior),
                first,
            };
            stats::judge_pairs(base, head, &question)
        }
    }
}

/// An oriented log effect (+ = worse) as relative change of the value itself.
pub fn value_change(worse: Interval, orientation: Orientation) -> Interval {
    match orientation {
        Orientation::LowerIsBetter => worse.map(f64::exp_m1),
        Orientation::HigherIsBetter => {
            let better = |x: f64| (-x).exp_m1();
            Interval { lo: better(worse.hi), est: better(worse.est), hi: better(worse.lo) }
        }
    }
}
