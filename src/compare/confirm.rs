//! Decides when the first set of pairs of a case has said enough, what it claims, and whether a second, independent set
//! confirms that. Pure: sessions only measure.
//!
//! The first set screens: it stops at the look at which the case is settled, and nothing corrects it for the number of
//! cases. What it claims is a hypothesis that the second set tests once: at a number of pairs that was fixed before, for
//! the claimed metrics and directions only, one-sided, corrected for all claims of the run. The second set is independent
//! of the selection, so that its p values need no allowance for the looks of the first.
//!
//! Simulated (`benches/decisions.rs`; 1 % between processes, p99 2 % beyond that; 200 and 2000 checks): +2 % in 1 of 50
//! cases is confirmed in 48.0 % of checks, where correcting the first set and repeating all its looks confirmed 7.0 %;
//! −5 % alone in 100.0 % and 16.0 pairs instead of 43.9 %. Where nothing changed and processes differ by 10 %, 0.05 % of
//! cases and 1.5 % of runs of 50 cases end in a verdict.
//!
//! The sets are not pooled. Combining both p values (Held, *The harmonic mean χ²-test to substantiate scientific findings*,
//! J. R. Stat. Soc. C 69, 2020; Bauer & Köhne, Biometrics 50, 1994) confirmed no more at an equal rate of false verdicts:
//! 73 and 43 % by the harmonic mean, 74 and 31 % by the product, in the two simulated worlds where it was tried.

use super::{CaseComparison, Inconclusive, Metric, Verdict, verdict_of};
use crate::stats::decide::MIN_TAIL_UNITS;
use crate::stats::{Decision, Doubt, StatError, benjamini_hochberg};

/// Whether no further look is needed: the case became worse or better, or every metric is decided.
pub fn is_settled(c: &CaseComparison) -> bool {
    let open = c.metrics.iter().any(|m| match &m.ruling {
        Ok(r) => r.decision == Decision::Inconclusive,
        Err(why) => why.wants_units(),
    });
    matches!(c.verdict, Verdict::Regressed | Verdict::Improved) || !open
}

/// The metrics that became what the case is said to have become; empty where nothing is to be confirmed, or where only
/// the budget is broken.
pub fn claims(c: &CaseComparison) -> Vec<Metric> {
    let Some(decision) = c.verdict.claim() else { return Vec::new() };
    let claims = |m: &&super::MetricComparison| m.ruling.as_ref().is_ok_and(|r| r.decision == decision);
    c.metrics.iter().filter(claims).map(|m| m.metric).collect()
}

/// Pairs of the second set of a case whose first had so many: as many, and enough for a tail quantile.
pub fn second_pairs(first: usize) -> usize {
    first.max(MIN_TAIL_UNITS)
}

/// A case that claims a change, with what the second set of pairs made of it.
pub struct Claimant<'a> {
    /// By the first set; what does not hold is withdrawn from it.
    pub first: &'a mut CaseComparison,
    /// By the second set.
    pub second: &'a CaseComparison,
}

impl Claimant<'_> {
    /// One-sided p values of the claims; 1 where the second set could not judge, or says that an improved case is worse.
    fn p_values(&self) -> Vec<f64> {
        let regressed = self.first.verdict == Verdict::Regressed;
        let against = !regressed && self.second.verdict == Verdict::Regressed;
        let p = |metric| {
            let m = self.second.metrics.iter().find(|m| m.metric == metric && !against)?;
            let ruling = m.ruling.as_ref().ok()?;
            Some(if regressed { ruling.p_regressed } else { ruling.p_improved })
        };
        claims(self.first).into_iter().map(|metric| p(metric).unwrap_or(1.0)).collect()
    }

    /// Why the second set says nothing at all.
    fn is_mute(&self) -> bool {
        matches!(
            self.second.verdict,
            Verdict::Invalid(_)
                | Verdict::NotComparable(_)
                | Verdict::Inconclusive(Inconclusive::TimeRanOut { .. })
        )
    }

    /// Withdraws the claims that do not hold, in the order of [`claims`]; whether one is left.
    fn withdraw(&mut self, held: &[bool]) -> bool {
        let claims = claims(self.first);
        let c = &mut *self.first;
        let failed = || claims.iter().zip(held).filter(|(_, held)| !**held).map(|(metric, _)| *metric);
        for m in c.metrics.iter_mut().filter(|m| failed().any(|metric| metric == m.metric)) {
            m.ruling = m.ruling.clone().map(|r| r.withheld(Doubt::NotConfirmed));
        }
        let budget_held = self.second.broken_budget.is_some();
        let broken = c.broken_budget.take();
        let was_broken = broken.is_some();
        c.broken_budget = broken.filter(|_| budget_held);
        if held.contains(&true) || c.broken_budget.is_some() {
            c.verdict = verdict_of(&c.metrics, c.budget, c.margins, c.broken_budget.as_ref());
            return true;
        }
        c.verdict = Verdict::Inconclusive(match claims.first().filter(|_| !was_broken) {
            Some(metric) => Inconclusive::NotConfirmed { metric: metric.name(c.budget) },
            None => Inconclusive::BudgetNotConfirmed,
        });
        false
    }
}

impl CaseComparison {
    /// Whether it claims a change, which a second set of pairs has to confirm.
    pub fn is_claim(&self) -> bool {
        self.verdict.claim().is_some()
    }
}

/// Withdraws all claims of a case that has no second set of pairs.
pub fn withhold(c: &mut CaseComparison) {
    let claims = claims(c);
    for m in c.metrics.iter_mut().filter(|m| claims.contains(&m.metric)) {
        m.ruling = m.ruling.clone().map(|r| r.withheld(Doubt::NotConfirmed));
    }
    let broken = c.broken_budget.take();
    let metric = claims.first().filter(|_| broken.is_none()).unwrap_or(&Metric::Tail).name(c.budget);
    c.verdict = Verdict::Inconclusive(Inconclusive::NoSecondSet { metric });
}

/// Withdraws what the second sets do not confirm: `alpha` is the error rate of a run that claims one change, and the
/// expected share of false ones among all that stand (Benjamini–Hochberg over all claims of the run). A broken budget
/// has no p value; it stands where the second set breaks it, too. Where the second set says nothing at all, its reason
/// becomes the verdict.
///
/// Gives, for every claimant, whether a claim is left; `None` where the second set says nothing. Fails on a p value that
/// is none, which no ruling has.
pub fn confirm(claimants: &mut [Claimant], alpha: f64) -> Result<Vec<Option<bool>>, StatError> {
    let p_values: Vec<Vec<f64>> =
        claimants.iter().map(|c| if c.is_mute() { Vec::new() } else { c.p_values() }).collect();
    let adjusted = benjamini_hochberg(&p_values.concat())?;
    let mut held = adjusted.into_iter().map(|p| p <= alpha);
    let mut confirmed = Vec::new();
    for (claimant, p_values) in claimants.iter_mut().zip(&p_values) {
        let held: Vec<bool> = held.by_ref().take(p_values.len()).collect();
        confirmed.push(if claimant.is_mute() {
            claimant.first.verdict = claimant.second.verdict.clone();
            None
        } else {
            Some(claimant.withdraw(&held))
        });
    }
    Ok(confirmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Margins;
    use crate::compare::Design;
    use crate::compare::samples::compare_samples;
    use crate::stats::{Description, describe};

    /// Eight processes whose requests all take about `mean_ns`, with a tail that is `tail` times as long.
    fn arm(mean_ns: f64, tail: f64, pairs: u32) -> Vec<Description> {
        let process = |i: u32| {
            let level = mean_ns * (1.0 + 1e-3 * f64::from(i % 3));
            let samples: Vec<u64> =
                (0..1000).map(|s| (level * if s % 50 == 0 { tail } else { 1.0 }) as u64).collect();
            describe(&samples).expect("samples")
        };
        (0..pairs).map(process).collect()
    }

    fn compared(head: f64, tail: f64, pairs: u32) -> CaseComparison {
        let design = Design::Pairs { alpha: 0.05, first: &[], prior: &|_| None };
        // Heads vary in another order than bases, or all pairs would differ by the same.
        let mut head = arm(head, tail, pairs);
        head.rotate_left(1);
        compare_samples("c", &arm(1e6, 2.0, pairs), &head, Margins::default(), &design)
    }

    #[test]
    fn a_case_is_settled_once_it_changed_or_everything_is_decided() {
        assert!(is_settled(&compared(1.1e6, 2.0, 5)), "worse by its mean, whatever p99 is");
        assert!(!is_settled(&compared(1e6, 2.0, 5)), "p99 may still be worse");
        assert!(!is_settled(&compared(0.9e6, 2.0, 5)), "no improvement before p99 was looked at");
        assert!(is_settled(&compared(1e6, 2.0, 8)) && is_settled(&compared(0.9e6, 2.0, 8)));
    }

    #[test]
    fn a_change_claims_the_metrics_that_changed() {
        assert_eq!(claims(&compared(1.1e6, 2.0, 5)), [Metric::Mean, Metric::Median]);
        assert_eq!(claims(&compared(1e6, 3.0, 8)), [Metric::Mean, Metric::Tail]);
        assert_eq!(claims(&compared(0.9e6, 2.0, 8)), [Metric::Mean, Metric::Median, Metric::Tail]);
        assert_eq!(claims(&compared(1e6, 2.0, 8)), []);
        assert_eq!((second_pairs(5), second_pairs(8), second_pairs(20)), (8, 8, 20));
    }

    fn confirmed(first: &mut CaseComparison, second: &CaseComparison) -> Option<bool> {
        confirm(&mut [Claimant { first, second }], 0.05).expect("p values")[0]
    }

    #[test]
    fn what_the_second_set_shows_stands_and_the_rest_is_withdrawn() {
        let mut all = compared(1.1e6, 2.0, 8);
        assert_eq!(
            (confirmed(&mut all, &compared(1.1e6, 2.0, 8)), &all.verdict),
            (Some(true), &Verdict::Regressed)
        );
        // The second set sees the tail alone: the median is withdrawn, and the case is still worse.
        let mut mixed = compared(1.1e6, 3.0, 8);
        assert_eq!(confirmed(&mut mixed, &compared(1e6, 3.0, 8)), Some(true));
        assert_eq!((claims(&mixed).contains(&Metric::Median), &mixed.verdict), (false, &Verdict::Regressed));
        let mut none = compared(1.1e6, 2.0, 5);
        assert_eq!(confirmed(&mut none, &compared(1e6, 2.0, 8)), Some(false));
        assert_eq!(none.verdict, Verdict::Inconclusive(Inconclusive::NotConfirmed { metric: "mean".into() }));
        assert_eq!(none.deciding().map(|m| m.metric), Some(Metric::Mean));
    }

    #[test]
    fn an_improvement_needs_a_second_set_that_is_not_worse() {
        let second = compared(0.9e6, 2.0, 8);
        let mut better = compared(0.9e6, 2.0, 8);
        assert_eq!((confirmed(&mut better, &second), &better.verdict), (Some(true), &Verdict::Improved));
        let worse = compared(0.9e6, 3.0, 8);
        assert_eq!(worse.verdict, Verdict::Regressed);
        assert_eq!(confirmed(&mut better, &worse), Some(false));
    }

    #[test]
    fn without_a_second_set_nothing_is_claimed() {
        for mean in [1.1e6, 0.9e6] {
            let mut c = compared(mean, 2.0, 8);
            assert!(c.is_claim());
            withhold(&mut c);
            assert_eq!(c.verdict, Verdict::Inconclusive(Inconclusive::NoSecondSet { metric: "mean".into() }));
            assert_eq!(c.deciding().map(|m| m.metric), Some(Metric::Mean));
        }
    }

    #[test]
    fn a_second_set_without_an_answer_says_why() {
        let mut first = compared(1.1e6, 2.0, 8);
        let late = Verdict::Inconclusive(Inconclusive::TimeRanOut { pairs: 3, wanted: 8 });
        let second = CaseComparison { verdict: late.clone(), ..compared(1.1e6, 2.0, 8) };
        assert_eq!((confirmed(&mut first, &second), first.verdict), (None, late));
    }
}
