//! Before statistics: whether two arms answer the same question, and whether their numbers can be believed at all.

use crate::record::CaseRecord;

/// What is asked must be the same; says what is not.
pub(super) fn different_definition(base: &CaseRecord, head: &CaseRecord) -> Option<String> {
    if base.engine.backend != head.engine.backend {
        return Some(format!("backend {} against {}", head.engine.backend, base.engine.backend));
    }
    if base.definition_hash == head.definition_hash {
        return None;
    }
    let mut what = Vec::new();
    if base.point != head.point {
        what.push("operating point");
    }
    if base.mode != head.mode {
        what.push("transfers or way of waiting");
    }
    if base.budget != head.budget {
        what.push("budget");
    }
    if base.open != head.open {
        what.push("arrivals, further budgets or batching");
    }
    if base.shapes != head.shapes {
        what.push("shapes");
    }
    if what.is_empty() {
        what.push("inputs, seed or measuring protocol");
    }
    Some(format!("another definition: {} changed", what.join(", ")))
}

/// Why the numbers of an arm must not be believed. (Pairs with such a process were discarded before.)
pub(super) fn spoiled(arm: &CaseRecord, name: &str) -> Option<String> {
    let (why, count) = arm.spoiled()?;
    Some(format!("in {count} of {} processes of {name} {why}", arm.processes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Margins;
    use crate::compare::{Design, Sessions, Verdict, compare_case};
    use crate::record::sample;
    use crate::summarize::GpuSummary;

    #[test]
    fn one_engine_in_two_sessions_is_never_the_commits_change() {
        let mut base = CaseRecord { processes: vec![sample::summary(1e6); 5], ..sample::case() };
        base.engine.payload_sha256 = "e".into();
        let spread = |case: &CaseRecord, by: f64| {
            let processes = (0..5).map(|i| sample::summary(1e6 * by * (1.0 + 1e-4 * f64::from(i)))).collect();
            CaseRecord { processes, ..case.clone() }
        };
        let verdict = |design: &Design, base: &CaseRecord, head: &CaseRecord| {
            compare_case("p/m/v/latency", base, head, Margins::default(), design).verdict
        };
        let stored = Design::Stored(&|_| Sessions::Assumed);
        let (before, after) = (spread(&base, 1.0), spread(&base, 1.5));
        for (b, h) in [(&before, &after), (&after, &before)] {
            let said = verdict(&stored, b, h);
            assert!(
                matches!(&said, Verdict::Inconclusive(why) if why.contains("very same engine")),
                "{said:?}"
            );
        }
        let mut other = after.clone();
        other.engine.payload_sha256 = "f".into();
        assert_eq!(verdict(&stored, &before, &other), Verdict::Regressed);
        // Within one session nothing but the arms differs: then other settings are the reason.
        let pairs = Design::Pairs { alpha: 0.05, seed: 1, prior: &|_| None };
        assert_eq!(verdict(&pairs, &before, &after), Verdict::Regressed);
    }

    #[test]
    fn a_process_that_is_known_to_be_wrong_makes_the_comparison_invalid() {
        let steady = CaseRecord { processes: vec![sample::summary(1e6); 5], ..sample::case() };
        let mut moved = steady.clone();
        moved.processes[3].gpu = Some(GpuSummary {
            compute: None,
            times: None,
            sm_mhz: None,
            temperature_c: None,
            power_w: None,
            joules_per_inference: None,
            spoiled: Some("the GPU's clock went from 1980 to 1500 MHz".into()),
        });
        let mut throttled = steady.clone();
        throttled.processes[0].throttled = true;
        let verdict = |base: &CaseRecord, head: &CaseRecord| {
            let design = Design::Stored(&|_| Sessions::Assumed);
            compare_case("p/m/v/latency", base, head, Margins::default(), &design).verdict
        };
        assert!(!matches!(verdict(&steady, &steady), Verdict::Invalid(_)));
        let said = verdict(&steady, &moved).reason().map(str::to_owned).unwrap_or_default();
        assert!(said.starts_with("in 1 of 5 processes of head the GPU's clock"), "{said}");
        let said = verdict(&throttled, &steady).reason().map(str::to_owned).unwrap_or_default();
        assert!(said.contains("of base the CPU was throttled"), "{said}");
    }
}
