//! The result of an open loop, as it is written in records.

use crate::capacity::{Capacity, Confirmed, Curve, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rates are inferences per second.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct CapacityV1 {
    /// Measured in a closed loop at the same operating point.
    closed_per_s: f64,
    closed_p50_ns: f64,
    points: Vec<PointV1>,
    late_frac: f64,
    late_p99_ns: f64,
    requests: u64,
    probes: u64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct PointV1 {
    budget_ns: u64,
    #[serde(flatten)]
    answer: AnswerV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<ConfirmedV1>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum AnswerV1 {
    /// `ln_se`: standard error of the rate's logarithm within the process.
    Rate { per_s: f64, ln_se: f64 },
    /// The share over the budget jumps over the limit between these rates.
    Cliff { holds_per_s: f64, fails_per_s: f64 },
    /// It holds at the highest rate that could be offered.
    AtLeast { per_s: f64 },
    /// No rate keeps the budget.
    None { lowest_per_s: f64, over_frac: f64 },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct ConfirmedV1 {
    per_s: f64,
    over_frac: f64,
    /// Upper end of the one-sided 95 % interval.
    upper_frac: f64,
    n_eff: f64,
    requests: usize,
}

pub(super) fn to_wire(c: &Curve, round: fn(f64) -> f64) -> CapacityV1 {
    let point = |p: &Capacity| PointV1 {
        budget_ns: p.budget_ns,
        answer: match p.outcome {
            Outcome::Rate { per_s, ln_se } => AnswerV1::Rate { per_s: round(per_s), ln_se: round(ln_se) },
            Outcome::Cliff { holds_per_s, fails_per_s } => {
                AnswerV1::Cliff { holds_per_s: round(holds_per_s), fails_per_s: round(fails_per_s) }
            }
            Outcome::Beyond { at_least_per_s } => AnswerV1::AtLeast { per_s: round(at_least_per_s) },
            Outcome::None { lowest_per_s, over_frac } => {
                AnswerV1::None { lowest_per_s: round(lowest_per_s), over_frac: round(over_frac) }
            }
        },
        confirmed: p.confirmed.map(|c| ConfirmedV1 {
            per_s: round(c.per_s),
            over_frac: round(c.over_frac),
            upper_frac: round(c.upper_frac),
            n_eff: round(c.n_eff),
            requests: c.requests,
        }),
    };
    CapacityV1 {
        closed_per_s: round(c.closed_per_s),
        closed_p50_ns: round(c.closed_p50_ns),
        points: c.points.iter().map(point).collect(),
        late_frac: round(c.late_frac),
        late_p99_ns: round(c.late_p99_ns),
        requests: c.requests,
        probes: c.probes,
    }
}

pub(super) fn from_wire(c: CapacityV1) -> Curve {
    let point = |p: PointV1| Capacity {
        budget_ns: p.budget_ns,
        outcome: match p.answer {
            AnswerV1::Rate { per_s, ln_se } => Outcome::Rate { per_s, ln_se },
            AnswerV1::Cliff { holds_per_s, fails_per_s } => Outcome::Cliff { holds_per_s, fails_per_s },
            AnswerV1::AtLeast { per_s } => Outcome::Beyond { at_least_per_s: per_s },
            AnswerV1::None { lowest_per_s, over_frac } => Outcome::None { lowest_per_s, over_frac },
        },
        confirmed: p.confirmed.map(|c| Confirmed {
            per_s: c.per_s,
            over_frac: c.over_frac,
            upper_frac: c.upper_frac,
            n_eff: c.n_eff,
            requests: c.requests,
        }),
    };
    Curve {
        closed_per_s: c.closed_per_s,
        closed_p50_ns: c.closed_p50_ns,
        points: c.points.into_iter().map(point).collect(),
        late_frac: c.late_frac,
        late_p99_ns: c.late_p99_ns,
        requests: c.requests,
        probes: c.probes,
    }
}
