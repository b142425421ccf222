//! Evidence as it is written in files: `trt-perf/evidence@1`, in the form of [`document`], with all digits.
//!
//! Results travel between machines as artifacts, so nothing in one is believed to make sense: how much there may be of
//! everything is bounded, and what becomes a file's name has the form of one.

use super::{CaseEvidence, Evidence, Found, PairSet};
use crate::error::Result;
use crate::record::Source;
use crate::record::wire::document::{self, EVIDENCE};
use serde_json::Value;

/// Cases of one check.
const MOST_CASES: usize = 10_000;
/// Pairs of one set.
const MOST_PAIRS: usize = 10_000;
/// Checks that are joined in one file.
const MOST_SEEDS: usize = 100_000;

/// The text of the file, and its id.
pub fn write(evidence: &Evidence) -> (String, String) {
    document::write(&EVIDENCE, evidence)
}

/// What a check found, by the text of its file. Fails, naming what is wrong, on what no check can have written.
pub fn read(text: &str) -> Result<Evidence> {
    Ok(document::read(text, &EVIDENCE, sound)?.body)
}

/// The JSON Schema of such a file.
pub fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(Evidence)).unwrap_or_default()
}

fn sound(evidence: Evidence) -> Result<Evidence, String> {
    let cases = evidence.cases.len().max(evidence.failed.len());
    if cases > MOST_CASES {
        return Err(format!("{cases} cases, more than {MOST_CASES}"));
    }
    if evidence.order_seeds.len() > MOST_SEEDS {
        return Err(format!("{} order seeds, more than {MOST_SEEDS}", evidence.order_seeds.len()));
    }
    if !(evidence.plan.alpha > 0.0 && evidence.plan.alpha < 0.5) {
        return Err(format!("alpha is {}, which is no error rate", evidence.plan.alpha));
    }
    for arm in [&evidence.base, &evidence.head] {
        arm.source.iter().try_for_each(sound_source)?;
    }
    for (id, case) in &evidence.cases {
        sound_case(case).map_err(|why| format!("{id}: {why}"))?;
    }
    Ok(evidence)
}

/// Both become parts of files' names.
fn sound_source(source: &Source) -> Result<(), String> {
    for (what, id) in [("commit", &source.commit), ("source tree", &source.src_tree)] {
        let is_id = (12..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(format!("{id:?} is no {what}"));
        }
    }
    Ok(())
}

fn sound_case(case: &CaseEvidence) -> Result<(), String> {
    for frac in [case.margins.value_frac, case.margins.tail_frac] {
        if !(0.0..1.0).contains(&frac) {
            return Err(format!("{frac} is no margin"));
        }
    }
    if let Some(budget) = case.budget
        && !(budget.quantile > 0.0 && budget.quantile < 1.0)
    {
        return Err(format!("{} is no quantile", budget.quantile));
    }
    match &case.found {
        Found::Pairs { first, second } => {
            [Some(first), second.as_ref()].into_iter().flatten().try_for_each(|set| sound_pairs(set))
        }
        _ => Ok(()),
    }
}

fn sound_pairs(set: &PairSet) -> Result<(), String> {
    let (base, head, order) = (set.base.processes.len(), set.head.processes.len(), set.order.len());
    if base != head || base != order {
        return Err(format!("{base} processes of the base, {head} of head and {order} orders are no pairs"));
    }
    if base > MOST_PAIRS {
        return Err(format!("{base} pairs, more than {MOST_PAIRS}"));
    }
    let alpha_ok = set.alpha > 0.0 && set.alpha < 0.5;
    if alpha_ok { Ok(()) } else { Err(format!("{} is no error rate", set.alpha)) }
}
