//! Joins what several machines found of one check, so that one verdict follows, corrected once for the claims of all cases.

use super::{CaseEvidence, Evidence, EvidenceArm, EvidencePlan};
use crate::case::{Facts, ensure_all_cases, ensure_all_parts, ensure_same, join};
use crate::error::{Failure, FailureKind, Result};
use crate::outcome::{Added, AddedWhat};
use crate::record::Source;
use crate::units::{Nanos, plural};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// Joined results, and what there is to say of them.
#[derive(Debug)]
pub struct Merged {
    /// As one check would have found it.
    pub evidence: Evidence,
    /// What differs between the machines and does not matter for the verdict.
    pub notes: Vec<String>,
}

/// Joins results, each with its name. Fails where they are not of one check (other commits, device, version of the tool or
/// plan), where parts are missing, or where two disagree about a case.
pub fn merge(parts: &[(String, Evidence)]) -> Result<Merged> {
    let named: Vec<_> = parts.iter().map(|(name, e)| (name.as_str(), e.part.as_ref())).collect();
    let Some((first_name, first)) = parts.first() else {
        return Err(ensure_all_parts(&named).err().unwrap_or_else(|| Failure::usage("no result")));
    };
    for (name, other) in &parts[1..] {
        ensure_same((first_name, facts(first)), (name, facts(other)), ONE_CHECK)?;
    }
    let whole = ensure_all_parts(&named)?;
    if whole.is_some()
        && let Some((name, _)) = parts.iter().find(|(_, e)| e.interrupted)
    {
        let text = format!("{name} was stopped by Ctrl-C, so its part is not complete");
        return Err(Failure::new(FailureKind::Nothing, text).next("run that part again"));
    }
    let notes = notes(parts);
    let mut all = BTreeMap::new();
    for (name, evidence) in parts {
        join(&mut all, name, by_case(evidence))?;
    }
    ensure_all_cases(whole, all.len())?;
    Ok(Merged { evidence: joined(first, &parts[1..], all), notes })
}

/// What is known of a case: what was measured, and why something failed.
type OfCase = (Option<CaseEvidence>, Option<Failure>);

fn by_case(evidence: &Evidence) -> BTreeMap<String, OfCase> {
    let ids: BTreeSet<&String> = evidence.cases.keys().chain(evidence.failed.keys()).collect();
    let of = |id: &String| (evidence.cases.get(id).cloned(), evidence.failed.get(id).cloned());
    ids.into_iter().map(|id| (id.clone(), of(id))).collect()
}

/// As one check would have found it.
fn joined(
    first: &Evidence,
    others: &[(String, Evidence)],
    all: BTreeMap<String, (String, OfCase)>,
) -> Evidence {
    let mut whole = first.clone();
    let mut seeds: BTreeSet<u64> = whole.order_seeds.iter().copied().collect();
    for (_, part) in others {
        whole.created_s = whole.created_s.max(part.created_s);
        seeds.extend(&part.order_seeds);
        whole.prepare_differs = whole.prepare_differs.or_else(|| part.prepare_differs.clone());
        whole.interrupted |= part.interrupted;
        whole.manifests.extend(part.manifests.clone());
        for added in &part.added {
            if !whole.added.iter().any(|known| same_file(known, added)) {
                whole.added.push(added.clone());
            }
        }
    }
    whole.part = None;
    whole.order_seeds = seeds.into_iter().collect();
    (whole.cases, whole.failed) = (BTreeMap::new(), BTreeMap::new());
    for (id, (_, (case, failure))) in all {
        whole.cases.extend(case.map(|case| (id.clone(), case)));
        whole.failed.extend(failure.map(|failure| (id, failure)));
    }
    whole
}

/// Each machine has its checkout in a folder of its own.
fn same_file(a: &Added, b: &Added) -> bool {
    let name = |added: &Added| added.path.file_name().map_or_else(OsString::new, ToOwned::to_owned);
    let what = |added: &Added| match &added.what {
        AddedWhat::Record(record) => record.as_ref().as_ref().map_or("", |r| r.id.as_str()).to_owned(),
        AddedWhat::Calibration { device_key } => device_key.clone(),
    };
    name(a) == name(b) && what(a) == what(b)
}

const ONE_CHECK: (&str, &str) =
    ("check", "join what one version of the tool measured of the same commits, in the same way");

/// What is the same in all results of one check.
fn facts(e: &Evidence) -> Facts<10> {
    let EvidencePlan { pairs, max_time_ns, alpha, on_missing, settings } = &e.plan;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    // An arm without sources has only its name.
    let commit = |arm: &EvidenceArm| arm.source.as_ref().map_or_else(|| arm.name.clone(), Source::words);
    [
        ("version", e.tool.clone()),
        ("device", e.device.key.clone()),
        ("base", commit(&e.base)),
        ("head", commit(&e.head)),
        ("kind", if e.of_commits { "commits" } else { "an experiment" }.to_owned()),
        ("--pairs", or_none(pairs.map(|n| n.to_string()))),
        ("--max-time", or_none(max_time_ns.map(|ns| Nanos(ns).to_string()))),
        ("--alpha", alpha.to_string()),
        ("--on-missing", format!("{on_missing:?}").to_lowercase()),
        ("settings", settings.clone()),
    ]
}

/// What differs between the machines, though each case was measured on one of them in both arms.
fn notes(parts: &[(String, Evidence)]) -> Vec<String> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, evidence) in parts {
        for (what, value) in &evidence.device.soft {
            values.entry(what).or_default().insert(value);
        }
    }
    let differs = values.into_iter().filter(|(_, values)| values.len() > 1);
    let mut notes: Vec<String> = differs
        .map(|(what, values)| {
            let values: Vec<&str> = values.into_iter().collect();
            format!("the machines differ in {what}: {}", values.join(", "))
        })
        .collect();
    if parts.iter().any(|(_, e)| e.head.source.as_ref().is_some_and(|s| s.dirty)) && parts.len() > 1 {
        notes.push(format!(
            "there were changes beside the commit; that they are the same in {} nobody can tell",
            plural(parts.len(), "result")
        ));
    }
    notes
}
