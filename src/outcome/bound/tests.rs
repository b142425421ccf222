//! Tests each rule with times of ResNet-50 fp16 on an H100, in microseconds, and with what would have to change in them.

use super::*;
use crate::case::Mode;
use crate::measured::GpuTimes;
use crate::outcome::Figures;
use crate::record::sample;
use crate::summarize::{Compute, GpuSummary};

/// Times in microseconds: enqueue, host to device, compute, device to host. Our own requests, one after the other.
const PLAIN: [u64; 4] = [652, 12, 366, 3];
const GRAPH: [u64; 4] = [34, 12, 329, 3];

/// What a process says of requests with these times, at the GPU's highest clock.
fn gpu([enqueue, h2d, compute, d2h]: [u64; 4]) -> GpuSummary {
    let ns = compute as f64 * 1e3;
    GpuSummary {
        compute: Some(Compute { mean_ns: ns, p50_ns: ns, p99_ns: ns, p50_at_max_clock_ns: None }),
        times: Some(GpuTimes {
            enqueue_ns: enqueue * 1000,
            h2d_ns: h2d * 1000,
            compute_ns: compute * 1000,
            d2h_ns: d2h * 1000,
            isolated: true,
        }),
        sm_mhz: Some(1980.0),
        max_sm_mhz: Some(1980.0),
        held_by: Vec::new(),
        clock_change_frac: None,
        temperature_c: None,
        power_w: None,
        joules_per_inference: None,
        energy_window_ns: None,
        invalid_reason: None,
    }
}

/// Three processes that say the same.
fn case(gpu: GpuSummary) -> CaseRecord {
    let process = crate::summarize::Summary { gpu: Some(gpu), ..sample::summary(7e5) };
    CaseRecord { processes: vec![process; 3], ..sample::case() }
}

fn bound(case: &CaseRecord) -> Option<Bound> {
    // Means of logarithms have a few digits too many.
    let round = |ns: f64| ns.round();
    Some(match Figures::of(case).bound? {
        Bound::Launch { enqueue_ns, compute_ns, cuda_graph, compute_per_s } => Bound::Launch {
            enqueue_ns: round(enqueue_ns),
            compute_ns: round(compute_ns),
            cuda_graph,
            compute_per_s: compute_per_s.map(round),
        },
        Bound::Copies { h2d_ns, d2h_ns, compute_ns, overlap } => Bound::Copies {
            h2d_ns: round(h2d_ns),
            d2h_ns: round(d2h_ns),
            compute_ns: round(compute_ns),
            overlap,
        },
        Bound::Power { sm_mhz, max_sm_mhz } => {
            Bound::Power { sm_mhz: round(sm_mhz), max_sm_mhz: round(max_sm_mhz) }
        }
        Bound::Clock { sm_mhz, max_sm_mhz } => {
            Bound::Clock { sm_mhz: round(sm_mhz), max_sm_mhz: round(max_sm_mhz) }
        }
        Bound::Gpu => Bound::Gpu,
    })
}

fn with_graph(mut case: CaseRecord) -> CaseRecord {
    case.point.cuda_graph = true;
    case
}

#[test]
fn launching_that_takes_longer_than_computing_is_what_a_graph_helps() {
    let launch = |compute_per_s| Bound::Launch {
        enqueue_ns: 652_000.0,
        compute_ns: 366_000.0,
        cuda_graph: false,
        compute_per_s,
    };
    let mut plain = case(gpu(PLAIN));
    assert_eq!(bound(&plain), Some(launch(Some(2732.0))));
    plain.point.batch = 8;
    assert_eq!(bound(&plain), Some(launch(Some(21_858.0))), "a request is a batch");
    plain.point.streams = 2;
    assert_eq!(bound(&plain), Some(launch(None)), "two streams may compute at once");
    assert_eq!(bound(&with_graph(case(gpu(GRAPH)))), Some(Bound::Gpu));
    let replaying =
        Bound::Launch { enqueue_ns: 34_000.0, compute_ns: 20_000.0, cuda_graph: true, compute_per_s: None };
    assert_eq!(bound(&with_graph(case(gpu([34, 12, 20, 3])))), Some(replaying));
}

#[test]
fn times_that_hold_launching_promise_no_rate_and_may_tell_nothing() {
    // As NVIDIA's program measured the same engine: with a graph it computes in 338 µs, not in 809.
    let not_isolated = |times| {
        let mut gpu = gpu(times);
        gpu.times = gpu.times.map(|t| GpuTimes { isolated: false, ..t });
        bound(&case(gpu))
    };
    let launch = Bound::Launch {
        enqueue_ns: 817_000.0,
        compute_ns: 809_000.0,
        cuda_graph: false,
        compute_per_s: None,
    };
    assert_eq!(not_isolated([817, 11, 809, 5]), Some(launch));
    assert_eq!(not_isolated([28, 12, 338, 3]), Some(Bound::Gpu));
    assert_eq!(not_isolated([652, 12, 700, 3]), None, "it may compute for 48 µs or for 700");
    assert_eq!(not_isolated([150, 200, 340, 30]), None, "copies, or computing");
}

#[test]
fn copies_that_take_longer_than_computing_are_what_no_transfers_leaves_out() {
    let copies = |h2d, d2h, overlap| Bound::Copies {
        h2d_ns: h2d * 1e3,
        d2h_ns: d2h * 1e3,
        compute_ns: 329_000.0,
        overlap,
    };
    let mut both = case(gpu([34, 200, 329, 190]));
    assert_eq!(bound(&both), Some(copies(200.0, 190.0, false)), "one after the other: 390 µs");
    both.point.in_flight = 2;
    assert_eq!(bound(&both), Some(Bound::Gpu), "at the same time: 200 µs");
    let mut one_way = case(gpu([34, 12, 329, 700]));
    assert_eq!(bound(&one_way), Some(copies(12.0, 700.0, false)));
    one_way.point.streams = 4;
    assert_eq!(bound(&one_way), Some(copies(12.0, 700.0, true)));
    one_way.mode = Mode { transfers: false, ..Mode::default() };
    assert_eq!(bound(&one_way), Some(Bound::Gpu));
    let longest = case(gpu([652, 900, 366, 3]));
    assert!(matches!(bound(&longest), Some(Bound::Copies { .. })), "a graph would leave the copies");
}

#[test]
fn a_low_clock_is_the_power_limit_where_the_driver_says_so_and_set_where_it_says_nothing() {
    let at = |sm_mhz, held_by: &[Throttle]| GpuSummary {
        sm_mhz: Some(sm_mhz),
        held_by: held_by.to_vec(),
        ..gpu(GRAPH)
    };
    let said = |sm_mhz, held_by: &[Throttle]| bound(&case(at(sm_mhz, held_by)));
    let (sm_mhz, max_sm_mhz) = (1410.0, 1980.0);
    assert_eq!(said(sm_mhz, &[]), Some(Bound::Clock { sm_mhz, max_sm_mhz }));
    assert_eq!(said(sm_mhz, &[Throttle::PowerLimit]), Some(Bound::Power { sm_mhz, max_sm_mhz }));
    assert_eq!(said(sm_mhz, &[Throttle::SyncBoost]), Some(Bound::Gpu), "a reason of its own");
    assert_eq!(said(1900.0, &[]), Some(Bound::Gpu), "by 4 % a clock moves by itself");
    let mut once = case(at(1900.0, &[]));
    once.processes[0].gpu = Some(at(1900.0, &[Throttle::PowerLimit]));
    assert_eq!(bound(&once), Some(Bound::Gpu), "in one process of three");
}

#[test]
fn launching_and_copies_come_first_and_what_was_not_measured_is_not_guessed() {
    let slow =
        |held_by: &[Throttle]| GpuSummary { sm_mhz: Some(1410.0), held_by: held_by.to_vec(), ..gpu(PLAIN) };
    assert!(matches!(bound(&case(slow(&[]))), Some(Bound::Launch { .. })));
    let untimed =
        |held_by: &[Throttle]| bound(&case(GpuSummary { compute: None, times: None, ..slow(held_by) }));
    assert_eq!(untimed(&[]), None, "the host may be what is slow");
    assert!(matches!(untimed(&[Throttle::PowerLimit]), Some(Bound::Power { .. })));
    let mut invalid = case(gpu(PLAIN));
    invalid.processes[0].throttled = true;
    assert_eq!(bound(&invalid), None);
    assert_eq!(bound(&sample::case()), None, "no GPU");
}
