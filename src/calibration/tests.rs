//! Tests calibrations on sessions with known noise.

use super::*;
use crate::record::sample;
use crate::rng::Rng;
use crate::stats::QUANTILES;
use crate::summarize::Summary;

/// What the simulated device varies by, on the log scale.
#[derive(Clone, Copy)]
struct Truth {
    process: f64,
    session: f64,
    /// Of requests in a process.
    within: f64,
}

const TRUTH: Truth = Truth { process: 0.004, session: 0.01, within: 0.05 };
const MEASURE: Nanos = Nanos(1_000_000_000);

fn summary(mean_ns: f64, within: f64) -> Summary {
    let mut quantiles_ns = [mean_ns; QUANTILES.len()];
    quantiles_ns[8] = mean_ns * 1.2;
    Summary {
        sd_ns: mean_ns * within,
        min_ns: (mean_ns * 0.9) as u64,
        max_ns: (mean_ns * 1.5) as u64,
        quantiles_ns,
        lag1: 0.3,
        n_eff: 2500.0,
        ..sample::summary(mean_ns)
    }
}

fn record(scenario: Scenario, processes: Vec<Summary>) -> CaseRecord {
    let mut case = CaseRecord { definition_hash: "d".repeat(64), scenario, processes, ..sample::case() };
    case.engine.inputs_hash = "e".repeat(64);
    case
}

fn sessions(count: usize, pairs: usize, truth: Truth, scenario: Scenario, seed: u64) -> Vec<AaSession> {
    let mut rng = Rng::new(seed);
    (0..count)
        .map(|number| {
            let session = truth.session * rng.normal();
            let mut arm = || {
                let of = |rng: &mut Rng| 1e6 * (session + truth.process * rng.normal()).exp();
                let all = (0..pairs).map(|_| summary(of(&mut rng), truth.within)).collect();
                record(scenario, all)
            };
            let (base, head) = (arm(), arm());
            let elapsed = Nanos(4_000_000_000 * pairs as u64);
            AaSession { base, head, discarded: 0, elapsed, seed: seed + number as u64 }
        })
        .collect()
}

fn calibrated(count: usize, pairs: usize, truth: Truth, seed: u64) -> CaseCalibration {
    let sessions = sessions(count, pairs, truth, Scenario::Latency, seed);
    calibrate_case("p/m/default/latency", &sessions, Margins::default(), MEASURE, 1_795_305_600).unwrap()
}

/// A small calibration with every kind of field, as other tests store and print it.
pub fn example() -> Calibration {
    let case = |seed, truth| calibrated(6, 5, truth, seed);
    let quiet = Truth { process: 0.002, session: 0.0005, ..TRUTH };
    Calibration {
        id: String::new(),
        created_s: 1_795_305_600,
        tool: "0.1.0".into(),
        device: RecordDevice {
            key: "cpu-example-2c".into(),
            name: "Example".into(),
            soft: BTreeMap::from([("kernel".to_owned(), "6.1".to_owned())]),
        },
        clock: Timer { resolution: Some(Nanos(19)), min: Nanos(19), median: Nanos(21) },
        lanes: None,
        cases: BTreeMap::from([
            ("p/loud/default/latency".to_owned(), case(1, TRUTH)),
            ("p/quiet/default/latency".to_owned(), case(2, quiet)),
            ("p/other/default/latency".to_owned(), case(3, quiet)),
        ]),
    }
}

#[test]
fn every_component_is_found_again() {
    let seeds = 200;
    let (mut process, mut pair, mut session, mut df) = (0.0, 0.0, 0.0, 0.0);
    for seed in 0..seeds {
        let c = calibrated(6, 5, TRUTH, seed);
        let mean = c.metric(Metric::Mean).unwrap();
        process += mean.process.sd.powi(2) / seeds as f64;
        pair += mean.pair.sd.powi(2) / seeds as f64;
        session += mean.session.sd.powi(2) / seeds as f64;
        df += mean.prior.unwrap().df / seeds as f64;
        assert_eq!((mean.process.df, mean.pair.df), (54.0, 24.0));
        assert!((1.0..=5.0).contains(&mean.session.df));
        assert!((c.within_sd_frac - 0.05).abs() < 1e-12 && c.lag1 == 0.3);
        assert_eq!((c.sessions, c.pairs, c.per_pair), (6, 30, Nanos(4_000_000_000)));
    }
    // Means of 200 estimated variances: their own standard errors are 1.4, 2 and 5 %.
    let near = |got: f64, truth: f64, by: f64| assert!((got / truth - 1.0).abs() < by, "{got} {truth}");
    near(process, TRUTH.process.powi(2), 0.06);
    near(pair, 2.0 * TRUTH.process.powi(2), 0.08);
    near(session, TRUTH.session.powi(2), 0.2);
    assert!((12.0..=24.0).contains(&df), "sessions of one spread keep most degrees of freedom: {df}");
}

#[test]
fn sessions_of_different_spread_are_worth_fewer_degrees_of_freedom() {
    let mut all = sessions(3, 5, TRUTH, Scenario::Latency, 1);
    all.extend(sessions(3, 5, Truth { process: 0.04, ..TRUTH }, Scenario::Latency, 2));
    let c = calibrate_case("x", &all, Margins::default(), MEASURE, 0).unwrap();
    let mean = c.metric(Metric::Mean).unwrap();
    assert!(mean.prior.unwrap().df < 5.0 && mean.pair.df == 24.0, "{mean:?}");
}

#[test]
fn quiet_pairs_seldom_give_a_false_verdict_and_its_rate_has_an_interval() {
    let mut all = Rate::default();
    for seed in 0..100 {
        let c = calibrated(6, 5, TRUTH, seed);
        all = Rate { count: all.count + c.false_verdicts.count, of: all.of + c.false_verdicts.of };
        // Five pairs are too few for a tail.
        assert_eq!(c.metric(Metric::Tail).unwrap().false_verdicts.of, 0);
    }
    assert_eq!(all.of, 600);
    assert!(all.interval().0 < 0.01, "{all:?}");
    assert_eq!(calibrated(6, 8, TRUTH, 1).metric(Metric::Tail).unwrap().false_verdicts.of, 6);
}

#[test]
fn what_is_detectable_follows_the_formula_and_the_time() {
    let c = calibrated(6, 5, TRUTH, 4);
    let mean = c.metric(Metric::Mean).unwrap();
    assert_eq!([1, 5, 15].map(|m| c.pairs_in(m)), [15, 75, 225]);
    // δ + .90 s_d at 15 pairs, on the log scale.
    let expected = 0.01_f64.ln_1p() + 0.9013 * mean.pair.sd;
    assert!((c.detectable(mean, 1).unwrap().ln_1p() - expected).abs() < 1e-4);
    assert!(c.detectable(mean, 15) < c.detectable(mean, 1));
    let slow = CaseCalibration { per_pair: Nanos(21_000_000_000), ..c.clone() };
    assert_eq!(slow.detectable(mean, 1), None, "two pairs");
    assert!(slow.detectable(mean, 5).is_some(), "14 pairs");
}

#[test]
fn throughput_is_calibrated_by_its_own_metrics() {
    let all = sessions(5, 3, TRUTH, Scenario::Throughput, 5);
    let c = calibrate_case("x", &all, Margins::default(), MEASURE, 0).unwrap();
    assert_eq!(c.metrics.iter().map(|m| m.metric).collect::<Vec<_>>(), [Metric::Throughput, Metric::Tail]);
    assert!((c.metrics[0].typical / 1000.0 - 1.0).abs() < 0.03);
}

#[test]
fn too_little_is_refused_and_nothing_varying_is_no_prior() {
    let fail = |all: &[AaSession]| calibrate_case("x", all, Margins::default(), MEASURE, 0).unwrap_err();
    assert!(fail(&sessions(4, 5, TRUTH, Scenario::Latency, 1)).contains("5 are needed"));
    assert!(fail(&sessions(6, 1, TRUTH, Scenario::Latency, 1)).starts_with("0 sessions"));
    assert!(fail(&[]).starts_with("0 sessions"));
    let mut few = sessions(5, 3, TRUTH, Scenario::Latency, 1);
    few[0].base.processes[0].requests = 900;
    let c = calibrate_case("x", &few, Margins::default(), MEASURE, 0).unwrap();
    assert!(c.metric(Metric::Tail).is_none() && c.metric(Metric::Mean).is_some());
    assert!(advice::case(&c).iter().any(|a| a.contains("p99 cannot be gated")), "{:?}", advice::case(&c));
    let still = calibrated(5, 3, Truth { process: 0.0, session: 0.0, within: 0.0 }, 1);
    assert_eq!(still.metric(Metric::Mean).unwrap().prior, None);
}

#[test]
fn a_prior_comes_from_the_case_else_from_the_others_never_from_longer_processes() {
    let c = example();
    let case = record(Scenario::Latency, vec![]);
    let own = c.prior("p/loud/default/latency", &case, MEASURE, Metric::Mean).unwrap();
    assert!(own.same_case && own.prior.sd > 0.003);
    let common = c.prior("p/new/default/latency", &case, MEASURE, Metric::Mean).unwrap();
    assert!(!common.same_case);
    let changed = CaseRecord { definition_hash: "x".into(), ..case.clone() };
    assert!(!c.prior("p/loud/default/latency", &changed, MEASURE, Metric::Mean).unwrap().same_case);
    assert_eq!(c.prior("p/loud/default/latency", &case, Nanos(1), Metric::Mean), None);
    assert_eq!(c.prior("p/new/default/latency", &case, MEASURE, Metric::Throughput), None);
    let mut elsewhere = case.clone();
    elsewhere.engine.backend = "tensorrt".into();
    assert_eq!(c.prior("p/loud/default/latency", &elsewhere, MEASURE, Metric::Mean), None);
    assert!(c.sessions("p/loud/default/latency", &case, Metric::Mean).is_some());
    assert_eq!(c.sessions("p/loud/default/latency", &changed, Metric::Mean), None);
}

#[test]
fn a_file_reads_back_and_is_written_the_same_again() {
    let mut c = example();
    let text = wire::write(&mut c);
    let mut back = wire::read(&text).unwrap();
    assert_eq!(wire::write(&mut back), text);
    assert_eq!((back.id.len(), &back.device, back.clock), (16, &c.device, c.clock));
    assert_eq!(text.lines().filter(|l| l.starts_with("  \"p/")).count(), 3, "a line per case");
    assert!(!text.contains("NaN") && !text.contains("null"), "{text}");
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let text = wire::write(&mut example());
    let error = |text: &str| wire::read(text).unwrap_err().to_string();
    assert!(error(&text[..text.len() / 2]).starts_with("is cut off"));
    assert!(error("").starts_with("is cut off"));
    assert!(error("{\"a\": 1.").starts_with("is cut off"), "inside a number");
    assert!(error("{]").starts_with("is not JSON"));
    assert!(error("{}").contains("is not a calibration"));
    assert!(error("{\"schema\": \"trt-perf/record@1\"}").contains("is not a calibration"));
    assert!(error(&text.replace("calibration@1", "calibration@2")).contains("newer version"));
    assert!(error(&text.replace("cpu-example", "cpu-other")).contains("was changed after it was written"));
    assert!(error(&text.replace("\"clock\"", "\"clack\"")).contains("damaged"));
}

#[test]
fn advice_says_what_the_numbers_say() {
    let c = example();
    let loud = advice::case(&c.cases["p/loud/default/latency"]).join("\n");
    assert!(loud.contains("too much for stored baselines") && loud.contains("run: "), "{loud}");
    let quiet = advice::case(&c.cases["p/quiet/default/latency"]).join("\n");
    assert!(quiet.contains("mean can be gated at a margin of 1%"), "{quiet}");
    let wild = advice::case(&calibrated(6, 5, Truth { process: 0.05, ..TRUTH }, 9)).join("\n");
    assert!(wild.contains("cannot be gated at a margin of 1%; 10% is realistic"), "{wild}");
    let restless = advice::case(&calibrated(5, 3, Truth { session: 0.5, ..TRUTH }, 3)).join("\n");
    assert!(restless.contains("stored baselines say nothing here"), "{restless}");
    assert!(advice::machine(&c).is_empty());
    let mut fast = c.clone();
    fast.cases.get_mut("p/quiet/default/latency").unwrap().metrics[0].typical = 1000.0;
    assert!(advice::machine(&fast)[0].contains("reading the clock (21 ns) is 2.1% of a request"));
    assert_eq!(advice::percent(0.0082), "0.82%");
    assert_eq!(advice::age(&c, c.created_s + 90_000), "calibrated 2026-11-22 (1 day ago)");
}
