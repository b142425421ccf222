//! What an open loop found in one process.

/// More late requests than this make the numbers those of the generator.
pub const MAX_LATE_FRAC: f64 = 0.01;

/// Capacity against budget, of one process. Rates are inferences per second.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacitySummary {
    /// Of a closed loop at the same operating point, just before.
    pub closed_per_s: f64,
    pub closed_p50_ns: f64,
    /// By budget, ascending.
    pub points: Vec<CapacityPoint>,
    /// Share of the arrivals that found a free server and were sent late all the same.
    pub late_frac: f64,
    pub late_p99_ns: f64,
    /// Arrivals over all probes, and how many of those there were.
    pub arrivals: u64,
    pub probes: u64,
}

/// The highest rate that keeps one budget.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPoint {
    pub budget_ns: u64,
    pub answer: CapacityAnswer,
    pub confirmed: Option<Confirmed>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CapacityAnswer {
    /// Where the fitted share over the budget meets the limit; `ln_se` is the standard error of its logarithm within
    /// this process.
    Rate { per_s: f64, ln_se: f64 },
    /// Between two neighbouring rates the share jumps over the limit.
    Cliff { holds_per_s: f64, fails_per_s: f64 },
    /// It still holds at the highest rate that could be offered.
    AtLeast { per_s: f64 },
    /// No rate keeps the budget: at the lowest tried, this share was over.
    None { lowest_per_s: f64, over_frac: f64 },
}

/// One long run at a rate that keeps the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confirmed {
    pub per_s: f64,
    /// Share of requests over the budget, and the upper end of its one-sided 95 % interval.
    pub over_frac: f64,
    pub upper_frac: f64,
    pub n_eff: f64,
    pub requests: u64,
}

impl CapacityAnswer {
    /// The number that stands for it; `None` where there is none to compare.
    pub fn value(&self) -> Option<f64> {
        match *self {
            Self::Rate { per_s, .. } => Some(per_s),
            Self::Cliff { holds_per_s, fails_per_s } => Some((holds_per_s * fails_per_s).sqrt()),
            Self::AtLeast { .. } | Self::None { .. } => None,
        }
    }
}

impl CapacitySummary {
    pub fn at(&self, budget_ns: u64) -> Option<&CapacityPoint> {
        self.points.iter().find(|p| p.budget_ns == budget_ns)
    }

    /// Why the numbers are the generator's and not the engine's.
    pub fn spoiled(&self) -> Option<String> {
        (self.late_frac > MAX_LATE_FRAC).then(|| {
            format!(
                "the load generator was late for {} of the requests that found a free server (p99 {}); leave a CPU core free, use fewer streams or a longer budget",
                crate::units::share(self.late_frac),
                crate::units::time(self.late_p99_ns)
            )
        })
    }
}
