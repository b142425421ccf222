//! Joins the records of several machines that shared the cases of one run.

use super::{Record, short};
use crate::case::{ensure_all_cases, ensure_all_parts, join};
use crate::error::{Failure, FailureKind, Result};
use std::collections::BTreeMap;

/// Joins records, each with its name, into one of no part. Fails where they are not of one run (another commit, device or
/// version of the tool), where parts are missing, or where two disagree about a case.
pub fn merge(parts: &[(String, Record)]) -> Result<Record> {
    let named: Vec<_> = parts.iter().map(|(name, r)| (name.as_str(), r.part.as_ref())).collect();
    let whole = ensure_all_parts(&named)?;
    let Some((first_name, first)) = parts.first() else {
        return Err(Failure::usage("there is no record to join"));
    };
    let mut all = BTreeMap::new();
    for (name, record) in parts {
        if let Some((what, one, another)) = difference(first, record) {
            let text = format!("{first_name} and {name} are not of one run: {what} {one} against {another}");
            return Err(Failure::new(FailureKind::Nothing, text)
                .next("join what one version of the tool measured of the same commit on the same device"));
        }
        let failed = record.failed.iter().map(|(id, failure)| (id.clone(), Err(failure.clone())));
        let cases = record.cases.iter().map(|(id, case)| (id.clone(), Ok(case.clone())));
        join(&mut all, name, cases.chain(failed))?;
    }
    ensure_all_cases(whole, all.len())?;
    let created_s = parts.iter().map(|(_, record)| record.created_s).max().unwrap_or(first.created_s);
    let mut merged =
        Record { source: first.source.clone(), ..Record::empty(created_s, first.device.clone()) };
    merged.tool.clone_from(&first.tool);
    for (id, (_, found)) in all {
        match found {
            Ok(case) => drop(merged.cases.insert(id, case)),
            Err(failure) => drop(merged.failed.insert(id, failure)),
        }
    }
    Ok(merged)
}

/// What makes two records not of one run, and what it is in each.
fn difference(a: &Record, b: &Record) -> Option<(&'static str, String, String)> {
    let facts = |r: &Record| {
        let commit = r.source.as_ref().map_or("none".to_owned(), |s| {
            let changes = if s.dirty { " with changes beside it" } else { "" };
            format!("{} (sources {}){changes}", short(&s.commit), short(&s.src_tree))
        });
        [("version", r.tool.clone()), ("device", r.device.key.clone()), ("commit", commit)]
    };
    let mut pairs = facts(a).into_iter().zip(facts(b));
    pairs.find(|((_, a), (_, b))| a != b).map(|((what, a), (_, b))| (what, a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CasePart;
    use crate::record::{RecordDevice, sample};

    fn part(text: &str, holds: &[&str]) -> (String, Record) {
        let device = RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() };
        let part = CasePart::of(text.parse().unwrap(), &["a", "b", "c"].into_iter().collect());
        let cases = holds.iter().map(|id| ((*id).to_owned(), sample::case())).collect();
        (text.to_owned(), Record { cases, part: Some(part), ..Record::empty(1, device) })
    }

    #[test]
    fn parts_of_one_run_become_a_record_of_no_part() {
        let mut parts = [part("count:1/2", &["a", "c"]), part("count:2/2", &[])];
        let said = merge(&parts).unwrap_err().to_string();
        assert!(said.contains("2 of 3 cases are there"), "{said}");
        parts[1].1.failed.insert("b".into(), Failure::usage("no model"));
        let merged = merge(&parts).unwrap();
        assert_eq!((merged.cases.len(), merged.failed.len(), merged.part), (2, 1, None));
        parts[1].1.device.key = "cpu-y".into();
        let said = merge(&parts).unwrap_err().to_string();
        assert!(said.contains("are not of one run: device cpu-x against cpu-y"), "{said}");
    }

    #[test]
    fn a_record_that_measured_a_case_otherwise_is_refused() {
        let mut parts = [part("count:1/1", &["a", "b", "c"]), part("count:1/1", &["a"])];
        assert_eq!(merge(&parts).unwrap().cases.len(), 3);
        parts[1].1.cases.get_mut("a").unwrap().processes.push(sample::summary(1e6));
        assert!(merge(&parts).unwrap_err().to_string().contains("count:1/1 and count:1/1 disagree about a"));
    }
}
