//! One set of pairs of a case, and what it says.

use crate::case::Margins;
use crate::compare::{
    CalibratedPrior, CaseComparison, Design, Inconclusive, Invalid, Metric, OutputDifference, Verdict,
    compare_case,
};
use crate::config::Tolerances;
use crate::record::CaseRecord;
use crate::stats::Order;
use crate::summarize::InvalidReason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More than this share of pairs discarded makes the comparison invalid.
const MAX_DISCARDED_FRAC: f64 = 0.2;

/// One pair that was disturbed says nothing about the machine; from two on their share counts.
pub fn is_spoiled(discarded: usize, kept: usize) -> bool {
    discarded >= 2 && discarded as f64 > MAX_DISCARDED_FRAC * (discarded + kept) as f64
}

/// The pairs that a look judged: process i of both arms ran back to back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairSet {
    /// The base's processes.
    pub base: CaseRecord,
    /// Head's processes.
    pub head: CaseRecord,
    /// Which arm ran first in each pair.
    pub order: Vec<Order>,
    /// Two-sided error rate of the look.
    pub alpha: f64,
    /// What was known of the spread between pairs, by metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priors: Vec<(Metric, CalibratedPrior)>,
    /// Pairs that were thrown away because something disturbed them.
    pub discarded: usize,
    /// Pairs that were left out because they lack requests for the tail.
    pub short: usize,
    /// Why the last of the discarded ones was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_discarded: Option<String>,
    /// Pairs of the look that there was no time for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_out: Option<usize>,
    /// How far the outputs of the first pair are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<OutputDifference>,
    /// How far they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerances: Option<Tolerances>,
}

impl PairSet {
    /// Pairs that were kept.
    pub fn pairs(&self) -> usize {
        self.head.processes.len()
    }

    /// Pairs that were thrown away, for whatever reason.
    pub fn left_out(&self) -> usize {
        self.short + self.discarded
    }

    /// Pairs that were measured.
    pub fn tried(&self) -> usize {
        self.pairs() + self.left_out()
    }

    /// Too many of the pairs were discarded.
    pub fn is_spoiled(&self) -> bool {
        is_spoiled(self.discarded, self.pairs())
    }

    /// Why no time of head counts: it computes something else, by more than is tolerated.
    pub fn computes_otherwise(&self) -> Option<Invalid> {
        let tolerances = self.tolerances?;
        let difference = self.difference.clone().filter(|d| d.exceeds(tolerances))?;
        Some(Invalid::Outputs { difference, tolerances })
    }

    /// Head against base, by this set alone.
    pub fn compare(&self, id: &str, margins: Margins) -> CaseComparison {
        let prior = |metric| self.priors.iter().find(|(of, _)| *of == metric).map(|(_, prior)| *prior);
        let design = Design::Pairs { alpha: self.alpha, first: &self.order, prior: &prior };
        let mut comparison = compare_case(id, &self.base, &self.head, margins, &design);
        // Both were asked at one point, whatever grids chose.
        comparison.moved = None;
        comparison.output_difference = self.difference.clone().filter(|_| comparison.outputs_changed);
        if let Some(why) = self.overruled() {
            comparison.verdict = why;
        }
        comparison
    }

    /// The verdict whatever the numbers say. One pair tells that head computes something else, so that comes first: no
    /// time would have changed it.
    fn overruled(&self) -> Option<Verdict> {
        if let Some(why) = self.computes_otherwise() {
            return Some(Verdict::Invalid(why));
        }
        if let Some(wanted) = self.ran_out {
            let pairs = self.pairs();
            return Some(Verdict::Inconclusive(Inconclusive::TimeRanOut { pairs, wanted }));
        }
        let last = InvalidReason::Recorded(self.last_discarded.clone().filter(|_| self.is_spoiled())?);
        let (discarded, of) = (self.discarded, self.tried());
        Some(Verdict::Invalid(Invalid::PairsDiscarded { discarded, of, last }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbance_that_passes_costs_pairs_and_not_the_answer() {
        // Two of the first seven are too many so far, and few enough of those that may still come.
        assert!(is_spoiled(2, 5) && !is_spoiled(2, 8) && !is_spoiled(2, 20));
        assert!(!is_spoiled(5, 20) && is_spoiled(6, 20), "beyond a fifth no further pair helps");
        assert!(!is_spoiled(1, 0) && !is_spoiled(0, 0), "one alone is an accident");
    }
}
