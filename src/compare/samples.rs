//! Compares processes that another program measured, by the same rule as records. Pure.

use super::clock::Reading;
use super::{
    CaseComparison, Design, Metric, MetricComparison, NotJudged, Unit, case_verdict, compare_values, metrics,
};
use crate::case::Margins;
use crate::config::Scenario;
use crate::stats::{Description, is_judged};

/// Compares two arms whose processes ran back-to-back requests, one in flight; `id` is what reports call them.
pub fn compare_samples(
    id: &str,
    base: &[Description],
    head: &[Description],
    margins: Margins,
    design: &Design,
) -> CaseComparison {
    let clock: Vec<Reading> = base.iter().chain(head).filter_map(Reading::of_description).collect();
    let metrics: Vec<MetricComparison> = metrics(Scenario::Latency, false)
        .iter()
        .map(|metric| {
            let values = |arm: &[Description]| arm.iter().map(|d| value(*metric, d)).collect::<Vec<_>>();
            let m = compare_values(*metric, [&values(base), &values(head)], &clock, margins, design);
            MetricComparison { ruling: m.ruling.map_err(of_files), ..m }
        })
        .collect();
    CaseComparison {
        id: id.to_owned(),
        verdict: case_verdict(&metrics, None, margins),
        metrics,
        budget: None,
        broken_budget: None,
        engine_changes: Vec::new(),
        outputs_changed: false,
        output_difference: None,
        margins,
        unreal: None,
        moved: None,
    }
}

/// More of them are for the other program to measure.
fn of_files(why: NotJudged) -> NotJudged {
    match why {
        NotJudged::NeedsUnits { need, have, .. } => NotJudged::NeedsUnits { unit: Unit::Files, need, have },
        why => why,
    }
}

/// As [`Metric::value`], without a budget.
fn value(metric: Metric, d: &Description) -> Option<f64> {
    match metric {
        Metric::Mean => Some(d.mean_ns),
        Metric::Median => d.quantile_ns(0.5),
        Metric::Tail => d.quantile_ns(0.99).filter(|_| is_judged(d.n, 0.99)),
        Metric::Throughput => Some(1e9 / d.mean_ns),
        Metric::Compute | Metric::Capacity | Metric::CapacityAt(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Sessions, Verdict};
    use crate::rng::Rng;
    use crate::stats::{SessionSpread, describe};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SAME: Design = Design::Stored(&|_| Sessions::Known(SessionSpread::NONE));
    const OTHER: Design = Design::Stored(&|_| Sessions::Assumed);
    const PAIRS: Design = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };

    /// `n` processes of 2000 samples around `mean_ns`, which differ by 0.2 %.
    fn arm(n: usize, mean_ns: f64, seed: u64) -> Vec<Description> {
        let mut rng = Rng::new(seed);
        (0..n)
            .map(|_| {
                let level = mean_ns * (1.0 + 0.002 * rng.normal());
                let samples: Vec<u64> =
                    (0..2000).map(|_| (level * (1.0 + 0.01 * rng.normal())) as u64).collect();
                describe(&samples).expect("samples")
            })
            .collect()
    }

    fn verdict(base: &[Description], head: &[Description], design: &Design) -> Verdict {
        compare_samples("x", base, head, Margins::default(), design).verdict
    }

    #[test]
    fn the_design_decides_how_small_a_change_is_seen() {
        let (base, slower) = (arm(8, 1e6, 1), arm(8, 1.03e6, 2));
        assert_eq!(verdict(&base, &slower, &SAME), Verdict::Regressed);
        assert_eq!(verdict(&base, &slower, &PAIRS), Verdict::Regressed);
        // 3 % is less than what two sessions are assumed to differ by.
        assert!(matches!(verdict(&base, &slower, &OTHER), Verdict::Inconclusive(_)));
        assert_eq!(verdict(&base, &arm(8, 1.2e6, 3), &OTHER), Verdict::Regressed);
        assert_eq!(verdict(&arm(8, 1.1e6, 5), &base, &SAME), Verdict::Improved);
        assert_eq!(verdict(&base, &arm(8, 1e6, 4), &SAME), Verdict::Unchanged);
    }

    #[test]
    fn two_processes_are_shown_and_not_judged() {
        let c = compare_samples("x", &arm(2, 1e6, 1), &arm(2, 2e6, 2), Margins::default(), &SAME);
        assert!(
            matches!(&c.verdict, Verdict::Inconclusive(why) if why.to_string().ends_with("needs 4 files, has 2 (one for each process)"))
        );
        assert!((c.metrics[0].head / c.metrics[0].base - 2.0).abs() < 0.02);
        let c = compare_samples("x", &arm(5, 1e6, 1), &arm(5, 2e6, 2), Margins::default(), &SAME);
        assert_eq!(c.verdict, Verdict::Regressed);
        assert!(c.metrics[2].ruling.is_err(), "p99 from 8 processes on");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn identical_processes_never_regress(
            arm in vec(vec(any::<u32>(), 2..40), 0..10),
        ) {
            let arm: Vec<Description> = arm
                .iter()
                .map(|s| describe(&s.iter().map(|v| u64::from(*v)).collect::<Vec<_>>()).expect("two samples"))
                .collect();
            for design in [&SAME, &OTHER, &PAIRS] {
                let got = verdict(&arm, &arm, design);
                prop_assert!(matches!(got, Verdict::Unchanged | Verdict::Inconclusive(_)), "{got:?}");
            }
        }
    }
}
