//! What verdicts follow from evidence, whole, in parts and after the fact.

use super::*;
use crate::case::{Partition, PartitionBy};
use crate::compare::{Invalid, Verdict};
use crate::error::FailureKind;
use crate::outcome::RowOrigin;
use crate::record::sample;
use crate::rng::Rng;
use crate::stats::Order;
use crate::summarize::Summary;
use std::collections::BTreeSet;

/// A set of so many pairs whose processes differ by half a percent, head by `effect` more.
fn pairs(rng: &mut Rng, count: usize, effect: f64) -> PairSet {
    let mut arm = |mean: f64| {
        let mut process =
            || Summary { requests: 5000, ..sample::summary(mean * (1.0 + 0.005 * rng.normal())) };
        let processes = (0..count).map(|_| process()).collect();
        CaseRecord { processes, ..sample::case() }
    };
    PairSet {
        base: arm(1e6),
        head: arm(1e6 * (1.0 + effect)),
        order: (0..count).map(|i| if i % 2 == 0 { Order::BaseFirst } else { Order::HeadFirst }).collect(),
        alpha: 0.05,
        priors: Vec::new(),
        discarded: 1,
        short: 0,
        last_discarded: Some("the CPU was throttled".into()),
        ran_out: None,
        difference: None,
        tolerances: None,
    }
}

fn case(found: Found) -> CaseEvidence {
    CaseEvidence {
        margins: Margins::default(),
        budget: None,
        unreal: None,
        redefined: Vec::new(),
        settings: Vec::new(),
        found,
        memory: None,
        oldest: None,
        explained: None,
    }
}

/// A check of cases that changed by these effects; every claim has a second set of pairs.
fn evidence(effects: &[f64]) -> Evidence {
    let mut rng = Rng::new(11);
    let mut cases = BTreeMap::new();
    for (i, effect) in effects.iter().enumerate() {
        let first = Box::new(pairs(&mut rng, 8, *effect));
        let second = Some(Box::new(pairs(&mut rng, 8, *effect)));
        cases.insert(format!("p/m{i:02}/v/latency"), case(Found::Pairs { first, second }));
    }
    let arm = |commit: &str| EvidenceArm {
        name: commit.into(),
        source: Some(Source {
            commit: commit.repeat(40),
            branch: None,
            src_tree: commit.repeat(40),
            dirty: false,
        }),
    };
    Evidence {
        created_s: 1_795_305_600,
        tool: "0.1.0".into(),
        base: arm("b"),
        head: arm("c"),
        device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
        of_commits: true,
        part: None,
        plan: EvidencePlan {
            pairs: Some(8),
            max_time_ns: None,
            alpha: 0.05,
            on_missing: OnMissing::Fail,
            settings: "{}".into(),
        },
        order_seeds: vec![7],
        prepare_differs: None,
        interrupted: false,
        manifests: BTreeMap::new(),
        cases,
        failed: BTreeMap::new(),
        added: Vec::new(),
    }
}

/// The parts of a whole, as machines would have measured them.
fn split(whole: &Evidence, by: PartitionBy, of: u64) -> Vec<(String, Evidence)> {
    let ids: BTreeSet<&str> = whole.cases.keys().map(String::as_str).collect();
    let part = |number| {
        let partition = Partition { by, number, of };
        let mine = partition.take(&ids);
        let mut part = Evidence { part: Some(CasePart::of(partition, &ids)), ..whole.clone() };
        part.cases.retain(|id, _| mine.contains(id.as_str()));
        (partition.to_string(), part)
    };
    (1..=of).map(part).collect()
}

fn words(evidence: &Evidence) -> Vec<&'static str> {
    evidence.rows().values().map(|row| row.comparison.verdict.word()).collect()
}

const EFFECTS: [f64; 6] = [0.0, 0.05, 0.014, 0.0, -0.06, 0.013];

#[test]
fn what_a_file_holds_gives_the_same_verdicts_to_the_last_digit() {
    let written = evidence(&EFFECTS);
    let (text, _) = write(&written);
    let read = read(&text).unwrap();
    assert_eq!(read, written);
    let rows = |e: &Evidence| format!("{:?}", e.rows());
    assert_eq!(rows(&read), rows(&written));
    assert!(super::read(&text.replace("\"short\":0", "\"short\":1")).is_err(), "its id tells");
}

#[test]
fn parts_join_into_the_whole_however_it_was_split() {
    let whole = evidence(&EFFECTS);
    for (by, of) in [(PartitionBy::Hash, 3), (PartitionBy::Count, 2), (PartitionBy::Count, 7)] {
        let mut parts = split(&whole, by, of);
        parts.reverse();
        let merged = merge(&parts).unwrap();
        assert_eq!(merged.evidence, whole);
        assert_eq!(merged.notes, Vec::<String>::new());
    }
    assert!(words(&whole).contains(&"regressed") && words(&whole).contains(&"improved"));
}

/// The correction is that of all cases: what is claimed alone may be withheld among others, so no part has the verdict.
#[test]
fn claims_are_corrected_for_the_cases_of_all_parts() {
    let second_p = |e: &Evidence, id: &str| {
        let Found::Pairs { second: Some(second), .. } = &e.cases[id].found else { return 1.0 };
        let c = second.compare(id, Margins::default());
        c.metrics[0].ruling.as_ref().map_or(1.0, |ruling| ruling.p_regressed)
    };
    // One change that is just there, among claims whose second set shows nothing.
    let mut whole = evidence(&[0.05; 12]);
    let mut rng = Rng::new(5);
    for (i, case) in whole.cases.values_mut().enumerate() {
        let effect = if i == 0 { 0.014 } else { 0.0 };
        if let Found::Pairs { second, .. } = &mut case.found {
            *second = Some(Box::new(pairs(&mut rng, 8, effect)));
        }
    }
    let id = "p/m00/v/latency";
    let seeds = (0..500).map(|seed| {
        let mut whole = whole.clone();
        let case = whole.cases.get_mut(id).expect("there");
        if let Found::Pairs { second, .. } = &mut case.found {
            *second = Some(Box::new(pairs(&mut Rng::new(seed), 8, 0.014)));
        }
        whole
    });
    let weak = seeds.into_iter().find(|e| (0.01..0.02).contains(&second_p(e, id))).expect("a weak change");
    let alone = split(&weak, PartitionBy::Count, 12).remove(0).1;
    assert_eq!(alone.rows()[id].comparison.verdict, Verdict::Regressed);
    let among = &merge(&split(&weak, PartitionBy::Count, 12)).unwrap().evidence.rows()[id];
    assert!(matches!(among.origin, RowOrigin::Pairs { confirmed: Some(false), .. }), "{among:?}");
}

#[test]
fn what_does_not_belong_together_is_refused_with_what_differs() {
    let whole = evidence(&EFFECTS);
    let refused = |change: &dyn Fn(&mut Evidence)| {
        let mut parts = split(&whole, PartitionBy::Count, 2);
        change(&mut parts[1].1);
        let failure = merge(&parts).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Nothing);
        failure.message
    };
    assert!(refused(&|e| e.device.key = "cpu-y".into()).ends_with("device cpu-x against cpu-y"));
    assert!(refused(&|e| e.tool = "0.2.0".into()).contains("version 0.1.0 against 0.2.0"));
    assert!(refused(&|e| e.plan.alpha = 0.01).contains("--alpha 0.05 against 0.01"));
    assert!(refused(&|e| e.plan.settings = "{\"seed\":2}".into()).contains("settings {} against"));
    assert!(refused(&|e| e.interrupted = true).contains("count:2/2 was stopped by Ctrl-C"));
    assert!(refused(&|e| e.cases.clear()).contains("3 of 6 cases are there"));
    let dirty = refused(&|e| e.head.source.as_mut().expect("a source").dirty = true);
    assert!(dirty.contains("with changes beside it"), "{dirty}");
    let mut parts = split(&whole, PartitionBy::Count, 2);
    parts[1].1.device.soft.insert("kernel".into(), "6.1".into());
    parts[0].1.device.soft.insert("kernel".into(), "6.2".into());
    assert_eq!(merge(&parts).unwrap().notes, ["the machines differ in kernel: 6.1, 6.2"]);
}

#[test]
fn a_claim_without_a_second_set_is_none() {
    let mut whole = evidence(&[0.05]);
    assert_eq!(words(&whole), ["regressed"]);
    for case in whole.cases.values_mut() {
        if let Found::Pairs { second, .. } = &mut case.found {
            *second = None;
        }
    }
    let rows = whole.rows();
    let why = rows["p/m00/v/latency"].comparison.verdict.reason().unwrap_or_default();
    assert!(why.contains("no second set was measured"), "{why}");
    assert_eq!(whole.first_rows()["p/m00/v/latency"].comparison.verdict, Verdict::Regressed);
}

#[test]
fn other_margins_give_other_verdicts_and_say_which() {
    let whole = evidence(&[0.05, 0.0]);
    let wide = NewMargins { value_frac: Some(0.2), tail_frac: Some(0.2) };
    let (again, said) = rejudge(&whole, wide);
    assert!(said.contains(&"margin 1% → 20% (2 cases)".into()), "{said:?}");
    let moved = "p/m00/v/latency: regressed → changed within the margin".to_owned();
    assert!(said.contains(&moved) && words(&again)[0] == "changed within the margin", "{said:?}");
    assert_eq!(rejudge(&whole, NewMargins::default()), (whole.clone(), Vec::new()));
}

#[test]
fn memory_regresses_where_head_alone_breaks_the_budget() {
    let with = |base_bytes, head_bytes| {
        let mut whole = evidence(&[0.0]);
        let memory = MemoryEvidence { base_bytes, head_bytes, max_bytes: 100 };
        whole.cases.values_mut().for_each(|case| case.memory = Some(memory));
        words(&whole)[0]
    };
    assert_eq!(with(90, 110), "regressed");
    assert!(with(110, 120) != "regressed" && with(90, 100) != "regressed");
}

#[test]
fn that_head_computes_something_else_outranks_that_time_ran_out() {
    let mut set = pairs(&mut Rng::new(3), 3, 0.0);
    set.ran_out = Some(5);
    let verdict = |set: &PairSet| set.compare("p/m/v/latency", Margins::default()).verdict;
    assert!(matches!(verdict(&set), Verdict::Inconclusive(_)));
    set.discarded = 3;
    assert!(
        matches!(verdict(&set), Verdict::Inconclusive(_)),
        "too few to tell that the machine is disturbed"
    );
    let difference = crate::compare::OutputDifference {
        output: "y".into(),
        element: 0,
        base: Some(1.0),
        head: Some(2.0),
        only: None,
    };
    (set.difference, set.tolerances) =
        (Some(difference), Some(crate::config::Tolerances { rtol: 0.0, atol: 0.5 }));
    assert!(matches!(verdict(&set), Verdict::Invalid(Invalid::Outputs { .. })));
}

#[test]
fn the_arms_of_an_experiment_are_of_no_commit() {
    let commits = evidence(&EFFECTS).records();
    assert!(commits.iter().all(|record| record.source.is_some() && !record.experiment));
    let settings = Evidence { of_commits: false, ..evidence(&EFFECTS) }.records();
    assert!(settings.iter().all(|record| record.source.is_none() && record.experiment));
}
