//! Tests the acceptance rule at its limits, and the file of measured changes.

use super::measured::{self, MeasuredCase};
use super::*;
use crate::case::Margins;
use crate::compare::{Basis, BrokenBudget, Invalid, Metric, Verdict};
use crate::record::sample::case;
use crate::record::{BudgetKind, ChangeKind, RecordDevice, Source, superseded};
use crate::stats::Ruling;
use crate::summarize::InvalidReason;
use std::collections::BTreeMap;

const CASE: &str = "p/m/default/latency";

fn interval(lo: f64, est: f64, hi: f64) -> Interval {
    Interval { lo, est, hi }
}

fn metric(metric: Metric, decision: Decision, change: Option<Interval>) -> MetricComparison {
    let point = interval(0.0, 0.0, 0.0);
    let ruling = Ruling {
        decision,
        doubt: None,
        interval: point,
        equivalence: point,
        p_zero: 0.0,
        p_regressed: 0.0,
        p_improved: 1.0,
        mde: 0.01,
        units_to_settle: None,
    };
    MetricComparison { metric, base: 1.0, head: 1.0, ruling: Ok(ruling), change, basis: Basis::Pairs }
}

fn comparison(metrics: Vec<MetricComparison>) -> CaseComparison {
    CaseComparison {
        id: CASE.into(),
        verdict: Verdict::Regressed,
        metrics,
        budget: None,
        broken_budget: None,
        engine_changes: Vec::new(),
        outputs_changed: false,
        output_difference: None,
        margins: Margins::default(),
        unreal: None,
        moved: None,
    }
}

fn record(id: &str, supersedes: &[&str], holds: bool) -> Record {
    Record {
        id: id.into(),
        created_s: 0,
        tool: String::new(),
        source: Some(Source { commit: "c".into(), branch: None, src_tree: "tree".into(), dirty: false }),
        device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
        supersedes: supersedes.iter().map(|s| (*s).to_owned()).collect(),
        acceptance: None,
        cases: holds.then(|| (CASE.to_owned(), case())).into_iter().collect(),
        failed: BTreeMap::new(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    }
}

fn acceptance(changes: &[(&str, Interval)]) -> Acceptance {
    Acceptance {
        case: CASE.into(),
        kind: ChangeKind::Regression,
        reason: "more accurate".into(),
        redefined: Vec::new(),
        changes: changes.iter().map(|(name, i)| ((*name).to_owned(), *i)).collect(),
        broken_budget: None,
        by: "Ada".into(),
        base_commit: "b".into(),
    }
}

fn judged(accepted: &[(&str, Interval)], measured: Vec<MetricComparison>) -> AcceptanceStatus {
    let comparison = comparison(measured);
    let now = UnderTest {
        src_tree: Some("tree"),
        device_key: "cpu-x",
        definition_hash: "asked",
        comparison: &comparison,
    };
    acceptance_status(&record("r", &[], true), &acceptance(accepted), &now)
}

fn stale(status: AcceptanceStatus) -> String {
    match status {
        AcceptanceStatus::Stale { why } => why,
        AcceptanceStatus::Honoured { .. } => "honoured".into(),
    }
}

/// The mean alone: what was accepted, what is measured.
fn mean(accepted: Interval, measured: Interval) -> String {
    stale(judged(&[("mean", accepted)], vec![metric(Metric::Mean, Decision::Regressed, Some(measured))]))
}

#[test]
fn what_was_accepted_is_honoured_and_so_is_anything_better() {
    let accepted = interval(0.045, 0.05, 0.055);
    for measured in [accepted, interval(0.02, 0.03, 0.04), interval(0.055, 0.06, 0.065)] {
        assert_eq!(mean(accepted, measured), "honoured", "{measured:?}");
    }
}

#[test]
fn the_difference_decides_and_not_the_overlap_of_the_intervals() {
    let accepted = interval(0.04, 0.05, 0.06);
    // Two half-widths of 1 % make 1.4 % of the difference; with the margin of 1 % that allows 2.4 % more or so.
    assert_eq!(mean(accepted, interval(0.06, 0.07, 0.08)), "honoured");
    assert!(mean(accepted, interval(0.07, 0.08, 0.09)).contains("worse than the accepted +5"));
}

#[test]
fn the_threshold_is_the_margin_on_the_log_scale() {
    // Without any uncertainty the formula is m - a <= ln(1 + margin): 1.05 * 1.01 = 1.0605.
    let exactly = |x: f64| interval(x, x, x);
    assert_eq!(mean(exactly(0.05), exactly(0.0604)), "honoured");
    assert!(mean(exactly(0.05), exactly(0.0606)).contains("mean changed by"));
}

#[test]
fn an_accepted_improvement_covers_no_regression() {
    assert!(mean(interval(-0.11, -0.1, -0.09), interval(0.04, 0.05, 0.06)).contains("worse than"));
}

#[test]
fn throughput_is_worse_when_it_falls() {
    let judge = |accepted, measured| {
        let m = metric(Metric::Throughput, Decision::Regressed, Some(measured));
        stale(judged(&[("throughput", accepted)], vec![m]))
    };
    let accepted = interval(-0.11, -0.1, -0.09);
    assert_eq!(judge(accepted, interval(-0.06, -0.05, -0.04)), "honoured");
    assert!(judge(accepted, interval(-0.21, -0.2, -0.19)).contains("worse than the accepted"));
}

#[test]
fn every_metric_that_regressed_needs_cover_and_no_other() {
    let fine = interval(0.04, 0.05, 0.06);
    let bad = interval(0.4, 0.5, 0.6);
    let mean = |d, c| metric(Metric::Mean, d, Some(c));
    let tail = |d, c| metric(Metric::Tail, d, c);
    let both = vec![mean(Decision::Regressed, fine), tail(Decision::Regressed, Some(fine))];
    let why = stale(judged(&[("mean", fine)], both.clone()));
    assert_eq!(why, "p99 regressed, and no change of it was accepted");
    assert_eq!(stale(judged(&[("mean", fine), ("p99", fine)], both)), "honoured");
    let doubtful = vec![mean(Decision::Regressed, fine), tail(Decision::Inconclusive, Some(bad))];
    assert_eq!(stale(judged(&[("mean", fine)], doubtful)), "honoured");
    let unknown = vec![tail(Decision::Regressed, None)];
    assert!(stale(judged(&[("p99", fine)], unknown)).contains("unknown amount"));
}

#[test]
fn a_broken_budget_needs_cover_of_its_own() {
    let change = interval(0.04, 0.05, 0.06);
    let memory = BrokenBudget::Memory { head_bytes: 3, base_bytes: 1, max_bytes: 2 };
    let mut broken = comparison(vec![metric(Metric::Mean, Decision::Regressed, Some(change))]);
    broken.broken_budget = Some(memory);
    let now = UnderTest {
        src_tree: Some("tree"),
        device_key: "cpu-x",
        definition_hash: "asked",
        comparison: &broken,
    };
    let judge = |accepted| {
        let accepted = Acceptance { broken_budget: accepted, ..acceptance(&[("mean", change)]) };
        stale(acceptance_status(&record("r", &[], true), &accepted, &now))
    };
    assert_eq!(judge(None), "the budget of memory is broken, and that was not accepted");
    assert_eq!(judge(Some(BudgetKind::Latency)), judge(None), "another budget");
    assert_eq!(judge(Some(BudgetKind::Memory)), "honoured");
    let measured = MeasuredCase::of(&broken, "b", "r").expect("something to accept");
    assert_eq!(measured.broken_budget, Some(BudgetKind::Memory));
    let cases = BTreeMap::from([(CASE.to_owned(), measured)]);
    assert_eq!(measured::read(&measured::write(&cases)).expect("readable"), cases);
}

#[test]
fn an_interval_without_an_end_covers_nothing() {
    // -100 % throughput is endlessly worse: such an acceptance would cover whatever comes.
    let m = metric(Metric::Throughput, Decision::Regressed, Some(interval(-0.3, -0.2, -0.1)));
    let why = stale(judged(&[("throughput", interval(-1.0, -0.5, -0.1))], vec![m]));
    assert!(why.contains("worse than the accepted"), "{why}");
    let endless = interval(0.0, 0.1, f64::INFINITY);
    assert!(mean(endless, interval(0.04, 0.05, 0.06)).contains("worse than"));
}

#[test]
fn it_must_be_about_what_is_under_test() {
    let change = interval(0.04, 0.05, 0.06);
    let comparison = comparison(vec![metric(Metric::Mean, Decision::Regressed, Some(change))]);
    let (accepted, good) = (acceptance(&[("mean", change)]), record("r", &[], true));
    let now = UnderTest {
        src_tree: Some("tree"),
        device_key: "cpu-x",
        definition_hash: "asked",
        comparison: &comparison,
    };
    let judge = |r: &Record, a: &Acceptance, now: &UnderTest| stale(acceptance_status(r, a, now));
    assert_eq!(judge(&good, &accepted, &now), "honoured");
    let dirty = Source { dirty: true, ..good.source.clone().expect("a source") };
    let of = |source| Record { source, ..good.clone() };
    let elsewhere = Acceptance { case: "p/other/default/latency".into(), ..accepted.clone() };
    for (why, expected) in [
        (judge(&good, &accepted, &UnderTest { src_tree: None, ..now }), "changes beside the commit"),
        (judge(&good, &accepted, &UnderTest { src_tree: Some("other"), ..now }), "other sources"),
        (judge(&of(None), &accepted, &now), "no source tree"),
        (judge(&of(Some(dirty)), &accepted, &now), "no source tree"),
        (
            judge(&good, &accepted, &UnderTest { device_key: "cpu-y", ..now }),
            "measured on cpu-x, this is cpu-y",
        ),
        (judge(&good, &accepted, &UnderTest { definition_hash: "b", ..now }), "another definition"),
        (judge(&record("r", &[], false), &accepted, &now), "does not hold the case"),
        (judge(&good, &elsewhere, &now), "does not hold the case"),
    ] {
        assert!(why.contains(expected), "{why} / {expected}");
    }
}

#[test]
fn records_are_superseded_per_case_and_through_the_chain() {
    let chain = [record("a", &[], true), record("b", &["a"], true), record("c", &["b"], true)];
    assert_eq!(superseded(&chain, CASE).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert!(superseded(&chain, "p/other/default/latency").is_empty());
    // A record that does not hold the case says nothing about it.
    assert!(superseded(&[record("b", &["a"], false)], CASE).is_empty());
}

#[test]
fn measured_changes_survive_their_file() {
    let c = comparison(vec![
        metric(Metric::Mean, Decision::Regressed, Some(interval(0.04, 0.05, 0.06))),
        metric(Metric::Tail, Decision::Inconclusive, None),
    ]);
    let case = MeasuredCase::of(&c, "base", "record").expect("something to accept");
    assert_eq!((case.kind, case.changes.len()), (ChangeKind::Regression, 1));
    let cases = BTreeMap::from([(CASE.to_owned(), case)]);
    assert_eq!(measured::read(&measured::write(&cases)).expect("readable"), cases);
}

#[test]
fn what_cannot_be_trusted_cannot_be_accepted() {
    let mut c = comparison(vec![metric(Metric::Mean, Decision::Regressed, Some(interval(0.04, 0.05, 0.06)))]);
    c.verdict = Verdict::Invalid(Invalid::Alone(InvalidReason::CpuThrottled));
    assert_eq!(MeasuredCase::of(&c, "b", "r"), None);
    assert_eq!(MeasuredCase::of(&comparison(Vec::new()), "b", "r"), None);
    let newer = measured::write(&BTreeMap::new()).replace("check@1", "check@2");
    assert!(measured::read(&newer).expect_err("newer").message.contains("newer version"));
    assert!(measured::read("{").expect_err("cut off").next.contains("cargo trt-perf check"));
}

#[test]
fn a_gap_is_accepted_for_the_same_sources_and_device_in_the_same_words() {
    let redefined = vec!["seed 1 → 2".to_owned()];
    let accepted =
        Acceptance { kind: ChangeKind::Redefinition, redefined: redefined.clone(), ..acceptance(&[]) };
    let now = GapUnderTest {
        src_tree: Some("tree"),
        device_key: "cpu-x",
        kind: ChangeKind::Redefinition,
        redefined: &redefined,
    };
    let judge = |now: &GapUnderTest| stale(gap_status(&record("r", &[], false), &accepted, now));
    assert_eq!(judge(&now), "honoured");
    let removal = GapUnderTest { kind: ChangeKind::Removal, ..now };
    for (now, expected) in [
        (GapUnderTest { src_tree: None, ..now }, "changes beside the commit"),
        (GapUnderTest { src_tree: Some("other"), ..now }, "other sources"),
        (GapUnderTest { device_key: "cpu-y", ..now }, "measured on cpu-x, this is cpu-y"),
        (removal, "it accepts a redefinition, and this is a removal"),
        (GapUnderTest { redefined: &[], ..now }, "it accepts “seed 1 → 2”, and now it is “”"),
    ] {
        let why = judge(&now);
        assert!(why.contains(expected), "{why} / {expected}");
    }
}
