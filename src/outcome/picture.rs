//! Reduces the raw samples of a case to what pictures of them need: a histogram, an envelope over time, and the value of
//! each process. Pure. However many samples there are, what is left is small.

mod axis;
mod process;

pub use axis::LatencyAxis;
pub use process::{Envelope, MOST_PROCESSES, SampledProcess};

use super::{Figure, Figures};
use crate::compare::{CaseComparison, Metric, case_metrics};
use crate::record::CaseRecord;
use crate::summarize::Summary;

/// What there is to draw of a case. Arms are base and head, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct CasePicture {
    /// The axis that the samples of both arms share.
    pub axis: LatencyAxis,
    /// The samples of each arm; `None` where they are not kept any more, or there is no such arm.
    pub samples: [Option<SampledArm>; 2],
    /// The value of each process.
    pub values: ProcessValues,
}

/// What is left of the samples of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledArm {
    /// The median that the reports print.
    pub p50_ns: Option<Figure>,
    /// Each process.
    pub processes: Vec<SampledProcess>,
}

impl SampledArm {
    /// The samples of a case, process by process.
    pub fn of(case: &CaseRecord, processes: Vec<SampledProcess>) -> Self {
        Self { p50_ns: Figures::of(case).p50_ns, processes }
    }

    /// The share of all requests in each bin of the axis.
    pub fn shares(&self) -> Vec<f64> {
        let total: u64 = self.processes.iter().map(|p| p.requests).sum();
        let in_bin = |bin: usize| self.processes.iter().map(|p| p.bins[bin]).sum::<u64>();
        (0..LatencyAxis::BINS).map(|bin| in_bin(bin) as f64 / total.max(1) as f64).collect()
    }

    /// The share of all requests that took longer than the axis shows.
    pub fn beyond_frac(&self) -> f64 {
        let total: u64 = self.processes.iter().map(|p| p.requests).sum();
        let beyond: u64 = self.processes.iter().map(|p| p.beyond).sum();
        beyond as f64 / total.max(1) as f64
    }
}

/// One number of a case for each of its processes, in both arms.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessValues {
    /// Which number.
    pub metric: Metric,
    /// What it is called.
    pub name: String,
    /// By arm; `None` where there is no such arm.
    pub arms: [Option<ArmValues>; 2],
}

/// The values of the processes of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmValues {
    /// In the order in which they were measured; `None` where too few requests support it.
    pub values: Vec<Option<f64>>,
    /// The geometric mean with its interval, as the reports print it; `None` unless every process has a value.
    pub figure: Option<Figure>,
}

impl ProcessValues {
    /// The metric that decided the comparison; without one, or where no process has it, the first of the scenario. `None`
    /// without any arm.
    fn of(arms: [Option<&CaseRecord>; 2], comparison: Option<&CaseComparison>) -> Option<Self> {
        let case = arms[1].or(arms[0])?;
        let decided = comparison.and_then(|c| Some(c.deciding()?.metric));
        let has = |metric: &Metric| {
            arms.iter().flatten().any(|c| c.processes.iter().any(|s| metric.value(s, c.budget).is_some()))
        };
        let metric = decided.filter(has).or_else(|| case_metrics(case).first().copied())?;
        let values = |case: &CaseRecord| {
            let values: Vec<Option<f64>> =
                case.processes.iter().map(|s: &Summary| metric.value(s, case.budget)).collect();
            let all: Option<Vec<f64>> = values.iter().copied().collect();
            ArmValues { figure: all.and_then(|all| Figure::of(&all)), values }
        };
        Some(Self { metric, name: metric.name(case.budget), arms: arms.map(|arm| arm.map(values)) })
    }
}

impl CasePicture {
    /// `samples` reads what is left of the samples of an arm, reduced to `axis`. `None` without any process.
    pub fn of(
        arms: [Option<&CaseRecord>; 2],
        comparison: Option<&CaseComparison>,
        mut samples: impl FnMut(usize, &CaseRecord, &LatencyAxis) -> Option<Vec<SampledProcess>>,
    ) -> Option<Self> {
        let axis = LatencyAxis::of(arms.iter().flatten().flat_map(|case| &case.processes))?;
        let values = ProcessValues::of(arms, comparison)?;
        let mut sampled = |arm: usize| {
            let case = arms[arm]?;
            Some(SampledArm::of(case, samples(arm, case, &axis)?))
        };
        Some(Self { samples: [sampled(0), sampled(1)], values, axis })
    }
}

#[cfg(test)]
mod tests;
