//! Answers the two questions that a comparison asks, each in one call: two arms that ran as pairs, and two that did not.
//!
//! So no caller can forget to orient, to cross-check or to shift by the margin. The rules themselves are in
//! [`mod@super::decide`] and its neighbours.

use super::StatError;
use super::decide::{CrossCheck, Rule, Ruling, decide};
use super::estimate::{Estimate, Orientation};
use super::exact::{HodgesLehmann, hodges_lehmann, sign_flip, signed_rank};
use super::paired::{log_ratios, paired_t};
use super::sessions::SessionSpread;
use super::shrinkage::{Prior, moderate};
use super::welch::welch;

/// How one metric of a paired comparison is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedQuestion {
    /// Which way the metric gets worse.
    pub orientation: Orientation,
    /// How it is decided.
    pub rule: Rule,
    /// Spread that rounding alone gives a log ratio ([`super::paired::rounding_sd`]); 0 if unknown.
    pub resolution_sd: f64,
    /// What this device's past comparisons say about the spread.
    pub prior: Option<Prior>,
    /// Seed of the sign-flip test, which is random for more than [`super::exact::MAX_EXACT_FLIPS`] pairs.
    pub seed: u64,
}

/// A ruling with everything it was made from. All effects are oriented: + = worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The effect and its uncertainty.
    pub estimate: Estimate,
    /// Shown in reports; used from [`super::decide::MIN_CHECKED_UNITS`] pairs on.
    pub checks: Vec<CrossCheck>,
    /// The Hodges–Lehmann estimate; for tail quantiles of a paired comparison only.
    pub hodges_lehmann: Option<HodgesLehmann>,
    /// What is decided.
    pub ruling: Ruling,
}

/// Judges two arms that ran as pairs: `base[i]` and `head[i]` are one summary of each process of pair i. Tail
/// rules ([`Rule::needs_exact`]) add the signed-rank test to the sign flips.
///
/// Fails as [`log_ratios`], [`paired_t`] and [`decide`] do. One pair is too few for any of it.
pub fn judge_pairs(base: &[f64], head: &[f64], question: &PairedQuestion) -> Result<Judgement, StatError> {
    let rule = &question.rule;
    let ratios = match question.orientation {
        Orientation::LowerIsBetter => log_ratios(base, head)?,
        // The same numbers with the other sign, exactly.
        Orientation::HigherIsBetter => log_ratios(head, base)?,
    };
    let plain = paired_t(&ratios, question.resolution_sd)?;
    let estimate = question.prior.map_or(plain, |prior| moderate(&plain, &prior));
    let mut checks = vec![sign_flip(&ratios, rule.margin, question.seed)?];
    let mut robust = None;
    if rule.needs_exact {
        checks.push(signed_rank(&ratios, rule.margin)?);
        robust = Some(hodges_lehmann(&ratios, rule.alpha)?);
    }
    let ruling = decide(&estimate, &checks, rule)?;
    Ok(Judgement { estimate, checks, hodges_lehmann: robust, ruling })
}

/// Judges `head` against stored summaries `base` of another session. Without pairs there is no exact test
/// that would allow for a difference between sessions, so [`Rule::needs_exact`] is not asked for; its number
/// of processes still is, in the smaller arm.
///
/// Fails as [`welch`] and [`decide`] do. [`SessionSpread::NONE`] between sessions makes a ruling advisory at
/// best: the caller must cap it.
pub fn judge_unpaired(
    base: &[f64],
    head: &[f64],
    orientation: Orientation,
    session: SessionSpread,
    rule: &Rule,
) -> Result<Judgement, StatError> {
    let estimate = welch(base, head, session)?.oriented(orientation);
    let rule = Rule { needs_exact: false, ..*rule };
    let ruling = decide(&estimate, &[], &rule)?;
    Ok(Judgement { estimate, checks: vec![], hodges_lehmann: None, ruling })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Decision, Doubt};

    const BASE: [f64; 8] = [100.0, 101.0, 99.5, 100.2, 100.4, 99.9, 100.1, 100.6];

    fn question(orientation: Orientation, rule: Rule) -> PairedQuestion {
        PairedQuestion { orientation, rule, resolution_sd: 0.0, prior: None, seed: 1 }
    }

    fn head(factor: f64) -> Vec<f64> {
        BASE.iter()
            .zip([1.001, 0.999, 1.0, 1.002, 0.998, 1.001, 1.0, 0.9995])
            .map(|(b, e)| b * factor * e)
            .collect()
    }

    #[test]
    fn orientation_decides_what_is_worse() {
        use Orientation::{HigherIsBetter, LowerIsBetter};
        for (factor, orientation, expected) in [
            (1.05, LowerIsBetter, Decision::Regressed),
            (1.05, HigherIsBetter, Decision::Improved),
            (0.95, LowerIsBetter, Decision::Improved),
            (0.95, HigherIsBetter, Decision::Regressed),
            (1.0, LowerIsBetter, Decision::Unchanged),
            (1.005, HigherIsBetter, Decision::ChangedWithinMargin),
        ] {
            let paired = judge_pairs(&BASE, &head(factor), &question(orientation, Rule::new(0.01)));
            assert_eq!(paired.expect("usable").ruling.decision, expected, "{factor} {orientation:?}");
            let rule = Rule::new(0.01);
            let stored = judge_unpaired(&BASE, &head(factor), orientation, SessionSpread::NONE, &rule);
            assert_eq!(stored.expect("usable").ruling.decision, expected, "{factor} {orientation:?}");
        }
    }

    #[test]
    fn tails_get_the_rank_test_and_eight_processes() {
        let rule = Rule::for_tail(0.03);
        let paired =
            judge_pairs(&BASE, &head(1.1), &question(Orientation::LowerIsBetter, rule)).expect("usable");
        assert_eq!(paired.ruling.decision, Decision::Regressed);
        assert_eq!(paired.checks.iter().map(|c| c.name).collect::<Vec<_>>(), ["sign flip", "signed rank"]);
        let robust = paired.hodges_lehmann.expect("a tail");
        assert!((robust.estimate - 1.1_f64.ln()).abs() < 0.002);
        let stored =
            judge_unpaired(&BASE, &head(1.1), Orientation::LowerIsBetter, SessionSpread::NONE, &rule);
        assert_eq!(stored.expect("usable").ruling.decision, Decision::Regressed);
        let few =
            judge_unpaired(&BASE, &head(1.1)[..7], Orientation::LowerIsBetter, SessionSpread::NONE, &rule);
        assert_eq!(few.expect("usable").ruling.doubt, Some(Doubt::TooFewUnits));
    }

    #[test]
    fn a_history_helps_where_three_pairs_are_too_few() {
        let base = &BASE[..3];
        let head = &head(1.012)[..3];
        let mut ask = question(Orientation::LowerIsBetter, Rule::new(0.01));
        let alone = judge_pairs(base, head, &ask).expect("usable");
        ask.prior = Some(Prior { sd: 0.0012, df: 40.0 });
        let moderated = judge_pairs(base, head, &ask).expect("usable");
        assert_eq!(alone.ruling.decision, Decision::Inconclusive);
        assert!(moderated.ruling.mde < alone.ruling.mde && moderated.estimate.df > 40.0);
    }
}
