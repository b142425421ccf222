//! Checks, before any statistics, whether two arms measured the same thing and whether their numbers can be used. Pure.

use super::reason::{Difference, Invalid, NotComparable, WhichArm};
use crate::record::CaseRecord;

/// What is asked must be the same; says what is not.
pub(super) fn different_definition(base: &CaseRecord, head: &CaseRecord) -> Option<NotComparable> {
    if base.engine.backend != head.engine.backend {
        let (base, head) = (base.engine.backend.clone(), head.engine.backend.clone());
        return Some(NotComparable::Backend { base, head });
    }
    if base.definition_hash == head.definition_hash {
        return None;
    }
    let told = [
        (base.point != head.point, Difference::OperatingPoint),
        (base.mode != head.mode, Difference::Mode),
        (base.budget != head.budget, Difference::Budget),
        (base.open != head.open, Difference::OpenLoop),
        (base.shapes != head.shapes, Difference::Shapes),
    ];
    let mut what: Vec<Difference> =
        told.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect();
    if what.is_empty() {
        what.push(Difference::Untold);
    }
    Some(NotComparable::Definition(what))
}

/// Why the numbers of an arm must not be believed. (Pairs with such a process were discarded before.)
pub(super) fn invalid(record: &CaseRecord, arm: WhichArm) -> Option<Invalid> {
    let (why, count) = record.invalid_reason()?;
    Some(Invalid::Processes { arm, count, of: record.processes.len(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Margins;
    use crate::compare::{Design, Sessions, Verdict, compare_case};
    use crate::device::GpuDisturbance;
    use crate::record::sample;
    use crate::summarize::{GpuSummary, Summary};

    #[test]
    fn one_engine_in_two_sessions_is_never_the_commits_change() {
        let mut base = sample::case();
        base.engine.payload_sha256 = "e".into();
        let spread = |case: &CaseRecord, by: f64| {
            let process =
                |i| Summary { requests: 1000, ..sample::summary(1e6 * by * (1.0 + 1e-4 * f64::from(i))) };
            let processes = (0..8).map(process).collect();
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
                matches!(&said, Verdict::Inconclusive(why) if why.to_string().contains("very same engine")),
                "{said:?}"
            );
        }
        let mut other = after.clone();
        other.engine.payload_sha256 = "f".into();
        assert_eq!(verdict(&stored, &before, &other), Verdict::Regressed);
        // Within one session nothing but the arms differs: then other settings are the reason.
        let pairs = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };
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
            max_sm_mhz: None,
            held_by: Vec::new(),
            clock_change_frac: None,
            temperature_c: None,
            power_w: None,
            joules_per_inference: None,
            energy_window_ns: None,
            invalid_reason: Some(GpuDisturbance::ClockMoved { before_mhz: 1980.0, after_mhz: 1500.0 }.into()),
        });
        let mut throttled = steady.clone();
        throttled.processes[0].throttled = true;
        let verdict = |base: &CaseRecord, head: &CaseRecord| {
            let design = Design::Stored(&|_| Sessions::Assumed);
            compare_case("p/m/v/latency", base, head, Margins::default(), &design).verdict
        };
        assert!(!matches!(verdict(&steady, &steady), Verdict::Invalid(_)));
        let said = verdict(&steady, &moved).reason().unwrap_or_default();
        assert!(said.starts_with("in 1 of 5 processes of head the GPU's clock"), "{said}");
        let said = verdict(&throttled, &steady).reason().unwrap_or_default();
        assert!(said.contains("of base the CPU was throttled"), "{said}");
    }
}
