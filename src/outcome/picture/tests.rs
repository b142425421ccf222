//! What is left of samples, and that they are the right ones.

use super::*;
use crate::record::sample;

/// The samples of a process that gets slower, after a cold start of ten requests, with a stall.
fn drifting(n: u64) -> (Vec<u64>, Summary) {
    let cold = vec![5_000_000; 10];
    let mut kept: Vec<u64> = (0..n).map(|i| 1_000_000 + 100_000 * i / n + i * 7919 % 1000).collect();
    kept[n as usize / 2] = 90_000_000;
    let mut sorted = kept.clone();
    sorted.sort_unstable();
    let mut summary = Summary {
        requests: n,
        dropped: 10,
        min_ns: sorted[0],
        max_ns: 90_000_000,
        ..sample::summary(1_050_000.0)
    };
    summary.quantiles_ns[8] = sorted[sorted.len() * 99 / 100] as f64;
    ([cold, kept].concat(), summary)
}

#[test]
fn a_stall_is_beyond_the_axis_and_counted() {
    let (samples, summary) = drifting(5000);
    let axis = LatencyAxis::of([&summary].into_iter()).unwrap();
    assert!(!axis.log && axis.hi_ns < 1_300_000.0 && axis.longest_ns == 90_000_000.0, "{axis:?}");
    let process = SampledProcess::of((&[], &samples), &summary, &axis, (0, 1));
    assert_eq!((process.requests, process.beyond), (5000, 1));
    assert_eq!(process.bins.iter().sum::<u64>(), 4999);
    let arm = SampledArm { p50_ns: None, processes: vec![process.clone(), process] };
    assert_eq!(arm.beyond_frac(), 2.0 / 10_000.0);
    assert!((arm.shares().iter().sum::<f64>() - 0.9998).abs() < 1e-9);
}

#[test]
fn latencies_far_apart_get_a_logarithmic_axis() {
    let mut wide = Summary { min_ns: 1000, max_ns: 5_000_000, ..sample::summary(2000.0) };
    wide.quantiles_ns[8] = 100_000.0;
    let axis = LatencyAxis::of([&wide].into_iter()).unwrap();
    assert!(axis.log && (1e6..1.01e6).contains(&axis.hi_ns), "a factor of 100 up to p99, of 10 beyond");
    assert_eq!([1, 1000, 1_000_000, 5_000_000].map(|ns| axis.bin(ns)), [Some(0), Some(0), Some(63), None]);
    let same = LatencyAxis::of([&sample::summary(1000.0)].into_iter()).unwrap();
    assert!(same.lo_ns < same.hi_ns && same.bin(1000).is_some(), "{same:?}");
    assert_eq!(LatencyAxis::of(std::iter::empty()), None);
}

#[test]
fn an_envelope_holds_every_request_in_order_and_stays_small() {
    let (samples, summary) = drifting(100_000);
    let axis = LatencyAxis::of([&summary].into_iter()).unwrap();
    let drawn = |at| SampledProcess::of((&[], &samples), &summary, &axis, at).envelope;
    let envelope = drawn((0, 1));
    assert_eq!(envelope.len(), 80);
    assert_eq!(envelope[0].max_ns, 5_000_000, "the cold start is seen");
    assert!(envelope[79].median_ns > envelope[1].median_ns * 1.05, "and so is the drift");
    assert!(envelope.iter().any(|e| e.max_ns == 90_000_000));
    assert_eq!((drawn((3, 20)).len(), drawn((59, 1000)).len(), drawn((60, 1000)).len()), (4, 4, 0));
}

#[test]
fn the_warm_up_is_seen_and_counted_nowhere() {
    let (samples, summary) = drifting(5010);
    let axis = LatencyAxis::of([&summary].into_iter()).unwrap();
    let process = SampledProcess::of((&[7_000_000; 5020], &samples), &summary, &axis, (0, 1));
    assert_eq!((process.requests, process.warm_frac, process.cold_frac), (5010, 0.5, 10.0 / 10_040.0));
    let medians: Vec<f64> = process.envelope.iter().map(|e| e.median_ns).collect();
    assert!(medians[..40].iter().all(|m| *m == 7e6) && medians[40] < 2e6, "{medians:?}");
    assert_eq!(process.bins.iter().sum::<u64>() + process.beyond, 5010);
}

#[test]
fn samples_of_another_session_are_not_taken_for_these() {
    let (samples, summary) = drifting(1000);
    let fits = |samples: &[u64]| summary.is_of(samples);
    assert!(fits(&samples));
    assert!(!fits(&samples[1..]) && !fits(&samples[..1009]) && !fits(&[]) && !fits(&samples[..3]));
    let mut other = samples.clone();
    other[510] += 1;
    assert!(!fits(&other), "its longest request is another one");
}

#[test]
fn a_picture_has_the_values_that_the_reports_print() {
    let case = CaseRecord { processes: [1e6, 1.1e6, 1.2e6].map(sample::summary).to_vec(), ..sample::case() };
    let picture = CasePicture::of([None, Some(&case)], None, |_, _, _| None).unwrap();
    assert_eq!(picture.samples, [None, None]);
    assert_eq!((picture.values.metric, picture.values.name.as_str()), (Metric::Mean, "mean"));
    let [None, Some(head)] = &picture.values.arms else { panic!("{picture:?}") };
    assert_eq!(head.values, [Some(1e6), Some(1.1e6), Some(1.2e6)]);
    assert_eq!(head.figure, Figures::of(&case).mean_ns);
    assert_eq!(CasePicture::of([None, None], None, |_, _, _| None), None);
}

#[test]
fn of_a_number_that_no_process_has_the_first_of_the_case_is_drawn_instead() {
    let case = sample::case();
    let process = |i: u32| Summary { requests: 100, ..sample::summary(1e6 + f64::from(i)) };
    let few = CaseRecord { processes: (0..8).map(process).collect(), ..case };
    let comparison = crate::compare::compare_case(
        "p/m/v/latency",
        &few,
        &few,
        crate::case::Margins::default(),
        &crate::compare::Design::Stored(&|_| crate::compare::Sessions::Assumed),
    );
    assert_eq!(comparison.deciding().map(|m| m.metric), Some(Metric::Tail), "{comparison:?}");
    let picture = CasePicture::of([Some(&few), Some(&few)], Some(&comparison), |_, _, _| None).unwrap();
    assert_eq!(picture.values.metric, Metric::Mean);
}
