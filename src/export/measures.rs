//! The numbers of a case that trackers of benchmarks take: a name, a unit, a value with its interval.

use crate::config::Scenario;
use crate::outcome::{Figure, Figures};
use crate::record::CaseRecord;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureUnit {
    /// A time; less is better.
    Nanoseconds,
    /// A rate; more is better.
    InferencesPerSecond,
    /// A size; less is better.
    Bytes,
}

impl MeasureUnit {
    /// Whether more is better.
    pub fn bigger_is_better(self) -> bool {
        self == Self::InferencesPerSecond
    }
}

/// One number of a case over its processes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// In lower case, words joined by hyphens.
    pub name: &'static str,
    /// What it counts.
    pub unit: MeasureUnit,
    /// Its value.
    pub figure: Figure,
}

impl Measure {
    /// The ends of its interval at 95 %; `None` where one process measured it.
    pub fn bounds(&self) -> Option<[f64; 2]> {
        match self.figure {
            Figure::Interval(i) => Some([i.lo, i.hi]),
            Figure::Single(_) => None,
        }
    }
}

/// What is known of a case, most important first. Of a capacity case latencies are left out: each process has them at a
/// rate of its own.
pub fn measures(case: &CaseRecord) -> Vec<Measure> {
    use MeasureUnit::{Bytes, InferencesPerSecond, Nanoseconds};
    let f = Figures::of(case);
    let compute = f.gpu.as_ref().and_then(|gpu| gpu.compute_p50_ns);
    let closed = case.scenario != Scenario::Capacity;
    let rate = if closed { "throughput" } else { "capacity" };
    [
        ("latency", Nanoseconds, f.mean_ns.filter(|_| closed)),
        ("latency-p50", Nanoseconds, f.p50_ns.filter(|_| closed)),
        ("latency-p90", Nanoseconds, f.p90_ns.filter(|_| closed)),
        ("latency-p99", Nanoseconds, f.p99_ns.filter(|_| closed)),
        ("gpu-compute-p50", Nanoseconds, compute),
        (rate, InferencesPerSecond, f.throughput_per_s),
        ("load", Nanoseconds, f.load_ns),
        ("first-request", Nanoseconds, f.first_ns),
        ("peak-host-memory", Bytes, f.peak_host_bytes),
    ]
    .into_iter()
    .filter_map(|(name, unit, figure)| Some(Measure { name, unit, figure: figure? }))
    .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::{Record, RecordDevice, sample};

    /// A record of one case whose processes took so many nanoseconds in the mean.
    pub fn record(id: &str, means_ns: &[f64]) -> Record {
        let device = RecordDevice { key: "cpu-x".into(), name: "A \"CPU\"".into(), soft: Default::default() };
        let mut record = Record { id: "0123456789abcdef".into(), ..Record::empty(1_763_769_600, device) };
        let processes = means_ns.iter().map(|ns| sample::summary(*ns)).collect();
        record.cases.insert(id.to_owned(), CaseRecord { processes, ..sample::case() });
        record
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let record = record("a", &[1000.0, 1000.0]);
        let mut case = record.cases["a"].clone();
        let names = |case: &CaseRecord| measures(case).iter().map(|m| m.name).collect::<Vec<_>>();
        let latencies = ["latency", "latency-p50", "latency-p90", "latency-p99"];
        let all = [&latencies[..], &["throughput", "load", "first-request"]].concat();
        assert_eq!(names(&case), all);
        let mean = measures(&case)[0];
        assert_eq!(
            (mean.figure.estimate().round(), mean.bounds().map(|b| b.map(f64::round))),
            (1000.0, Some([1000.0; 2]))
        );
        case.processes.truncate(1);
        case.processes[0].load_ns = 0;
        case.processes[0].requests = 50;
        case.processes[0].peak_host_bytes = Some(4096);
        assert_eq!(
            names(&case),
            ["latency", "latency-p50", "throughput", "first-request", "peak-host-memory"]
        );
        assert!(measures(&case).iter().all(|m| m.bounds().is_none()), "one process has no interval");
        case.scenario = Scenario::Capacity;
        assert_eq!(names(&case), ["first-request", "peak-host-memory"], "no capacity was found");
    }
}
