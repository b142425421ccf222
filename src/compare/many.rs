//! Judges comparisons with stored numbers together: among many cases and metrics chance alone makes some look changed, and
//! where nobody knows how much sessions differ a regression is advice. Pure.
//!
//! A check corrects its claims in [`super::confirm`] instead, with pairs that were measured for that.

use super::{BrokenBudget, CaseComparison, Inconclusive, Metric, Verdict, verdict_of};
use crate::stats::multiplicity::FALSE_DISCOVERY_RATE;
use crate::stats::{Decision, Doubt, Ruling, StatError, benjamini_hochberg};

impl CaseComparison {
    /// Whether its regression is advice and fails no gate: everything that it rests on was compared between two sessions,
    /// and how much those differ was assumed, not measured and not stated.
    pub fn is_advisory(&self) -> bool {
        let rests_on = |m: &&super::MetricComparison| {
            self.broken_budget.is_some() || m.ruling.as_ref().is_ok_and(|r| r.decision == Decision::Regressed)
        };
        let mut reasons = self.metrics.iter().filter(rests_on).peekable();
        self.verdict == Verdict::Regressed
            && reasons.peek().is_some()
            && reasons.all(|m| m.basis.assumes_sessions())
    }

    /// The verdict in a word, as tables have it.
    pub fn word(&self) -> String {
        format!("{}{}", self.verdict.word(), if self.is_advisory() { " (advisory)" } else { "" })
    }

    /// p of the claim that the budget is broken; 1 where it is not, or where no number tells.
    fn budget_p(&self) -> f64 {
        match self.broken_budget {
            Some(BrokenBudget::Exceeded { p, .. }) => p,
            Some(BrokenBudget::NoRate { .. } | BrokenBudget::Memory { .. }) | None => 1.0,
        }
    }

    /// Withdraws the claims whose adjusted p is above `q`, in the order of [`p_values`], and derives the verdict anew.
    fn withdraw(&mut self, adjusted: &mut dyn Iterator<Item = f64>, q: f64) {
        let claimed = self.verdict.claim();
        for ruling in self.metrics.iter_mut().filter_map(|m| m.ruling.as_mut().ok()) {
            let withheld = adjusted.next().is_some_and(|p| p > q) && claimed == Some(ruling.decision);
            if withheld {
                *ruling = ruling.clone().withheld(Doubt::Multiplicity);
            }
        }
        let exceeded = matches!(self.broken_budget, Some(BrokenBudget::Exceeded { .. }));
        let lost = adjusted.next().is_some_and(|p| p > q) && exceeded;
        if lost {
            self.broken_budget = None;
        }
        if claimed.is_some() {
            self.verdict =
                match verdict_of(&self.metrics, self.budget, self.margins, self.broken_budget.as_ref()) {
                    Verdict::Regressed => Verdict::Regressed,
                    _ if lost => Verdict::Inconclusive(Inconclusive::ByChance {
                        metric: Metric::Tail.name(self.budget),
                    }),
                    other => other,
                };
        }
    }
}

/// Corrects the comparisons of a run for their number: an expected 5 % of the regressions, and of the improvements, are
/// false among those that stay ([`FALSE_DISCOVERY_RATE`]; Benjamini & Hochberg 1995). The family is every judged metric
/// and every budget of all cases, in either direction; what was not claimed enters with p = 1. It can only withhold.
///
/// Gives whether each verdict is still what it was. Fails on a p value that is none, which no ruling has.
pub fn correct(cases: &mut [&mut CaseComparison]) -> Result<Vec<bool>, StatError> {
    let family = |direction| -> Result<Vec<f64>, StatError> {
        let p_values: Vec<f64> = cases.iter().flat_map(|c| p_values(c, direction)).collect();
        benjamini_hochberg(&p_values)
    };
    let (worse, better) = (family(Decision::Regressed)?, family(Decision::Improved)?);
    // What is claimed in one direction enters the other with p = 1.
    let mut adjusted = worse.into_iter().zip(better).map(|(worse, better)| worse.min(better));
    let mut stayed = Vec::new();
    for case in cases.iter_mut() {
        let before = case.verdict.clone();
        case.withdraw(&mut adjusted, FALSE_DISCOVERY_RATE);
        stayed.push(case.verdict == before);
    }
    Ok(stayed)
}

/// One p value per judged metric, then one of the budget.
fn p_values(c: &CaseComparison, direction: Decision) -> Vec<f64> {
    let claims = c.verdict.claim() == Some(direction);
    let p = |r: &Ruling| match direction {
        Decision::Regressed => r.p_regressed,
        _ => r.p_improved,
    };
    let metrics = c.metrics.iter().filter_map(|m| m.ruling.as_ref().ok());
    let of_metric = |r: &Ruling| if claims && r.decision == direction { p(r) } else { 1.0 };
    let budget = if claims && direction == Decision::Regressed { c.budget_p() } else { 1.0 };
    metrics.map(of_metric).chain([budget]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Margins;
    use crate::compare::Sessions;
    use crate::compare::{Design, compare_case};
    use crate::record::{CaseRecord, sample};
    use crate::stats::SessionSpread;
    use crate::summarize::Summary;

    /// Eight processes that differ by a few percent, `shift` apart from the next case.
    fn case(mean_ns: f64, shift: usize) -> CaseRecord {
        let jitter = [0.0, 0.02, -0.02, 0.01, -0.01, 0.03, -0.03, 0.0];
        let process = |i: usize| Summary {
            requests: 1000,
            ..sample::summary(mean_ns * (1.0 + jitter[(i + shift) % 8]))
        };
        CaseRecord { processes: (0..8).map(process).collect(), ..sample::case() }
    }

    fn compared(head: f64, sessions: Sessions) -> CaseComparison {
        let design = Design::Stored(&|_| sessions);
        compare_case("c", &case(1e6, 0), &case(head, 1), Margins::default(), &design)
    }

    const NONE: Sessions = Sessions::Known(SessionSpread::NONE);

    #[test]
    fn a_weak_regression_among_many_cases_is_withheld_and_a_strong_one_stays() {
        let weak = compared(1.035e6, NONE);
        let p = weak.metrics[0].ruling.as_ref().expect("judged").p_regressed;
        assert!(weak.verdict == Verdict::Regressed && (0.005..0.05).contains(&p), "{p}");
        let mut alone = weak.clone();
        assert_eq!(correct(&mut [&mut alone]), Ok(vec![true]));
        assert_eq!(alone, weak);
        let mut all = vec![compared(1e6, NONE); 40];
        all.extend([weak, compared(1.2e6, NONE)]);
        let stayed = correct(&mut all.iter_mut().collect::<Vec<_>>()).expect("p values");
        assert_eq!((stayed[40], stayed[41]), (false, true));
        assert_eq!(all[40].verdict, Verdict::Inconclusive(Inconclusive::ByChance { metric: "mean".into() }));
        assert_eq!(all[41].verdict, Verdict::Regressed);
    }

    #[test]
    fn a_regression_is_advice_where_the_spread_between_sessions_is_assumed() {
        let advisory = |head, sessions| {
            let c = compared(head, sessions);
            (c.word(), c.is_advisory())
        };
        assert_eq!(advisory(1.3e6, Sessions::Assumed), ("regressed (advisory)".into(), true));
        assert_eq!(advisory(1.3e6, Sessions::given(0.01)), ("regressed".into(), false));
        assert_eq!(advisory(1.3e6, NONE), ("regressed".into(), false));
        assert!(!compared(0.7e6, Sessions::Assumed).is_advisory(), "only regressions fail anything");
    }
}
