//! Joins the records of several machines that shared the cases of one run.

use super::{Record, Source};
use crate::case::{Facts, ensure_all_cases, ensure_all_parts, ensure_same, join};
use crate::error::{Failure, Result};
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
        ensure_same((first_name, facts(first)), (name, facts(record)), ONE_RUN)?;
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

const ONE_RUN: (&str, &str) =
    ("run", "join what one version of the tool measured of the same commit on the same device");

/// What is the same in all records of one run.
fn facts(record: &Record) -> Facts<3> {
    let commit = record.source.as_ref().map_or("none".to_owned(), Source::words);
    [("version", record.tool.clone()), ("device", record.device.key.clone()), ("commit", commit)]
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
