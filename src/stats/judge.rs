//! Answers the two questions that a comparison asks, each in one call: two arms that ran as pairs, and two that did not.
//!
//! So no caller can forget to orient, to shift by the margin, or which test decides. The rules themselves are in
//! [`mod@super::decide`] and its neighbours.

use super::decide::{CONSENT_ALPHA, Rule, Ruling, Test, decide};
use super::estimate::{Estimate, Orientation};
use super::paired::{crossover_t, log_ratios, paired_t, rounding_bound};
use super::ranks::{crossover, rank_sum, signed_rank};
use super::sessions::SessionSpread;
use super::shrinkage::{Prior, moderate};
use super::welch::welch;
use super::{StatError, sample};

/// From this many pairs on ranks decide, and not the t: with fewer they cannot reach α/2 at the usual levels
/// (2^(−5) = .031).
pub const MIN_RANKED_UNITS: usize = 8;

/// From this many pairs on the order inside a pair is fitted. With eight, four of either order, no rank test can reach
/// the threshold of a look then (1/70 one-sided).
pub const MIN_FITTED_UNITS: usize = 12;

/// More pairs than this have more centres than are worth keeping, and a mean that is as good as normal.
const MAX_RANKED_UNITS: usize = 1000;

/// Two arms that did not run as pairs are not decided with fewer processes in either: of processes that are fast or
/// slow by chance, three of each differ without overlap in 3 % of all cases.
pub const MIN_UNPAIRED_UNITS: usize = 4;

/// Which process of a pair ran first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// That of the base arm.
    BaseFirst,
    /// That of the head arm.
    HeadFirst,
}

/// How one metric of a paired comparison is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedQuestion<'a> {
    /// Which way the metric gets worse.
    pub orientation: Orientation,
    /// How it is decided.
    pub rule: Rule,
    /// Spread that rounding alone gives a log ratio ([`super::paired::rounding_sd`]); 0 if unknown.
    pub resolution_sd: f64,
    /// What this device's past comparisons say about the spread.
    pub prior: Option<Prior>,
    /// The order of each pair; empty where it is not known.
    pub first: &'a [Order],
}

/// A ruling with everything it was made from. All effects are oriented: + = worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The effect and its uncertainty by the t.
    pub estimate: Estimate,
    /// Whether the estimate's spread is also that of past comparisons.
    pub moderated: bool,
    /// What decided.
    pub test: Test,
    /// What is decided. Its interval is the one whose bounds decided.
    pub ruling: Ruling,
}

/// Judges two arms that ran as pairs: `base[i]` and `head[i]` are one summary of each process of pair i.
///
/// Which test decides follows from the number of pairs, their order and α alone:
/// - below [`MIN_RANKED_UNITS`] pairs, and wherever no rank test can reach α: Student's t, moderated by the prior.
/// - from there on: Wilcoxon's signed ranks.
/// - from [`MIN_FITTED_UNITS`] pairs of known order on: the rank sum of the two orders, which takes out what the second
///   process of a pair has over the first.
///
/// Simulated checks with looks at up to 20 pairs, margin 1 %, `Regressed` now and by the t with the consent of sign flips
/// (`benches/verdicts.rs`): one process of ten times the time and +5 %: 100 and 75 %; 20 % of the processes 30 % slower and
/// +5 %: 49 and 25 %; the second process of a pair 1 % slower and +1.5 %: 98 and 7 %. Normal noise of 1 % and +2 %: 68 and
/// 71 %, +2.5 %: 96 and 97 %. Where nothing changed: 0.4 and 0.3 % at most (noise of 2 %).
///
/// Fails as [`log_ratios`], [`paired_t`] and [`decide`] do, and where the order is that of other pairs. One pair is too
/// few for any of it.
pub fn judge_pairs(base: &[f64], head: &[f64], question: &PairedQuestion) -> Result<Judgement, StatError> {
    let ratios = match question.orientation {
        Orientation::LowerIsBetter => log_ratios(base, head)?,
        // The same numbers with the other sign, exactly.
        Orientation::HigherIsBetter => log_ratios(head, base)?,
    };
    let plain = paired_t(&ratios, question.resolution_sd)?;
    let (estimate, test) = match by_ranks(&ratios, question)? {
        Some((fitted, test)) => (fitted.unwrap_or(plain), test),
        None => (question.prior.map_or(plain, |prior| moderate(&plain, &prior)), Test::T),
    };
    let moderated = test == Test::T && estimate != plain;
    let ruling = decide(&estimate, &test, &question.rule)?;
    Ok(Judgement { estimate, moderated, test, ruling })
}

/// The rank test that decides, if one does; with the estimate where that has the order fitted too.
fn by_ranks(
    ratios: &[f64],
    question: &PairedQuestion,
) -> Result<Option<(Option<Estimate>, Test)>, StatError> {
    let (n, alpha) = (ratios.len(), question.rule.alpha);
    let of = |order| -> Vec<f64> {
        let pairs = ratios.iter().zip(question.first);
        pairs.filter(|(_, first)| **first == order).map(|(ratio, _)| *ratio).collect()
    };
    if !question.first.is_empty() {
        sample::check_count("the order of the pairs", n, question.first.len())?;
    }
    if !(MIN_RANKED_UNITS..=MAX_RANKED_UNITS).contains(&n) {
        return Ok(None);
    }
    let rounding = rounding_bound(question.resolution_sd);
    let (one, other) = (of(Order::BaseFirst), of(Order::HeadFirst));
    if n >= MIN_FITTED_UNITS && one.len().min(other.len()) >= 2 {
        let ranks = crossover(&one, &other, rounding)?;
        if ranks.reaches(alpha) {
            let fitted = crossover_t([&one, &other], question.resolution_sd)?;
            return Ok(Some((Some(fitted), Test::Ranks(ranks))));
        }
    }
    let ranks = signed_rank(ratios, rounding)?;
    Ok(ranks.reaches(alpha).then_some((None, Test::Ranks(ranks))))
}

/// Judges `head` against stored summaries `base` of another session, by Welch's t. Few processes that are fast or slow
/// by chance can look like two arms that differ, and no t of so few sees it. So the rank sum of both arms has to exclude
/// zero too, at [`CONSENT_ALPHA`]; where there are too few processes for that, the t has to at that rate.
///
/// Where nothing changed, 4, 5 and 8 processes an arm are called changed in 0.9 % of the cases or fewer, be their spread
/// normal (20 %), lognormal or of two speeds; by Welch's t alone in up to 3.8 % (`benches/verdicts.rs`). Five processes that
/// vary by 0.3 % show +2 % in 99 %, as before; four in 67 %, where it was 95 %.
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
    let mut rule = Rule { min_units: rule.min_units.max(MIN_UNPAIRED_UNITS), ..*rule };
    let mut test = Test::T;
    if base.len().max(head.len()) <= MAX_RANKED_UNITS {
        let (base, head) = (sample::logs(base)?, sample::logs(head)?);
        let ranks = match orientation {
            Orientation::LowerIsBetter => rank_sum(&base, &head, 0.0)?,
            Orientation::HigherIsBetter => rank_sum(&head, &base, 0.0)?,
        };
        if ranks.reaches(CONSENT_ALPHA) {
            test = Test::TWithConsent(ranks);
        } else {
            rule.alpha = rule.alpha.min(CONSENT_ALPHA);
        }
    }
    let ruling = decide(&estimate, &test, &rule)?;
    Ok(Judgement { estimate, moderated: false, test, ruling })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Decision, Doubt};

    const BASE: [f64; 8] = [100.0, 101.0, 99.5, 100.2, 100.4, 99.9, 100.1, 100.6];

    fn question(orientation: Orientation, rule: Rule) -> PairedQuestion<'static> {
        PairedQuestion { orientation, rule, resolution_sd: 0.0, prior: None, first: &[] }
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
            // Half a percent is not told from chance between arms that vary as much.
            let expected =
                if expected == Decision::ChangedWithinMargin { Decision::Unchanged } else { expected };
            assert_eq!(stored.expect("usable").ruling.decision, expected, "{factor} {orientation:?}");
        }
    }

    #[test]
    fn tails_need_eight_processes() {
        let rule = Rule::for_tail(0.03);
        let lower = Orientation::LowerIsBetter;
        let paired = judge_pairs(&BASE, &head(1.1), &question(lower, rule)).expect("usable");
        assert_eq!(paired.ruling.decision, Decision::Regressed);
        assert!((paired.ruling.interval.est - 1.1_f64.ln()).abs() < 0.002);
        let stored = judge_unpaired(&BASE, &head(1.1), lower, SessionSpread::NONE, &rule);
        assert_eq!(stored.expect("usable").ruling.decision, Decision::Regressed);
        let few = judge_unpaired(&BASE, &head(1.1)[..7], lower, SessionSpread::NONE, &rule);
        assert_eq!(few.expect("usable").ruling.doubt, Some(Doubt::TooFewUnits));
    }

    /// Which test decides n pairs in ABBA order at α, and whether the order is fitted.
    fn chosen(n: usize, alpha: f64, known: bool) -> (bool, bool) {
        let base: Vec<f64> = (0..n).map(|i| 100.0 + (i % 5) as f64).collect();
        let abba: Vec<Order> = (0..n)
            .map(|i| if matches!(i % 4, 0 | 3) { Order::BaseFirst } else { Order::HeadFirst })
            .collect();
        let ask = PairedQuestion {
            first: if known { &abba } else { &[] },
            prior: Some(Prior { sd: 0.03, df: 40.0 }),
            ..question(Orientation::LowerIsBetter, Rule::new(0.01).at_alpha(alpha))
        };
        let head: Vec<f64> = (0..n).map(|i| 101.0 + (i % 7) as f64).collect();
        let judged = judge_pairs(&base, &head, &ask).expect("usable");
        let ranks = matches!(judged.test, Test::Ranks(_));
        assert_eq!(judged.moderated, !ranks, "a history is of no use to ranks");
        (ranks, ranks && judged.estimate.df == n as f64 - 2.0)
    }

    #[test]
    fn the_number_of_pairs_their_order_and_alpha_choose_the_test() {
        assert_eq!(chosen(7, 0.05, true), (false, false));
        assert_eq!(chosen(8, 0.0163, true), (true, false));
        assert_eq!(chosen(8, 0.0029, true), (false, false), "1/256 is more than α/2");
        assert_eq!(chosen(12, 0.0163, true), (true, true));
        assert_eq!(chosen(12, 0.0029, true), (true, true));
        assert_eq!(chosen(12, 0.001, true), (true, false), "1/924 is more than α/2, 1/4096 is not");
        assert_eq!(chosen(20, 0.0163, false), (true, false));
    }

    #[test]
    fn an_effect_of_the_order_hides_nothing_and_makes_nothing() {
        let first: Vec<Order> =
            (0..12).map(|i| if i % 2 == 0 { Order::BaseFirst } else { Order::HeadFirst }).collect();
        let noise = [3.0, -2.0, 1.0, -1.0, 2.0, -3.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5].map(|x| x * 1e-3);
        // The second process of a pair is 5 % slower.
        let second = |order: &Order| if *order == Order::BaseFirst { 1.05 } else { 1.0 / 1.05 };
        let base = [100.0; 12];
        let decision = |factor: f64, known: bool| {
            let head: Vec<f64> =
                first.iter().zip(noise).map(|(o, e)| 100.0 * factor * second(o) * (1.0 + e)).collect();
            let ask = PairedQuestion {
                first: if known { &first } else { &[] },
                ..question(Orientation::LowerIsBetter, Rule::new(0.01))
            };
            judge_pairs(&base, &head, &ask).expect("usable").ruling.decision
        };
        assert_eq!(
            (decision(1.02, false), decision(1.02, true)),
            (Decision::Inconclusive, Decision::Regressed)
        );
        assert_eq!(
            (decision(1.0, false), decision(1.0, true)),
            (Decision::Inconclusive, Decision::Unchanged)
        );
        let short =
            PairedQuestion { first: &first[..5], ..question(Orientation::LowerIsBetter, Rule::new(0.01)) };
        assert!(matches!(
            judge_pairs(&base, &base, &short),
            Err(StatError::TooFew { needed: 12, got: 5, .. })
        ));
    }

    #[test]
    fn arms_that_were_no_pairs_must_not_overlap_by_chance() {
        let ask = |base: &[f64], head: &[f64]| {
            let rule = Rule::new(0.01);
            let lower = Orientation::LowerIsBetter;
            judge_unpaired(base, head, lower, SessionSpread::NONE, &rule).expect("usable").ruling
        };
        let (fast, slow) = (&BASE[..5], &head(1.3)[..5]);
        assert_eq!(ask(fast, slow).decision, Decision::Regressed);
        // One slow process among the fast ones: the t of eight alone would call it a regression.
        let (mut base, slow) = (BASE, head(1.3));
        base[3] = 131.0;
        base[5] = 131.0;
        let mixed = ask(&base, &slow[..5]);
        assert_eq!((mixed.decision, mixed.interval.lo), (Decision::Inconclusive, 0.0));
        assert_eq!(ask(&fast[..4], &slow[..4]).decision, Decision::Regressed, "at 1 %");
        let three = ask(&fast[..3], &slow[..3]);
        assert_eq!((three.doubt, three.units_to_settle), (Some(Doubt::TooFewUnits), Some(4)));
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
        assert!(moderated.ruling.mde < alone.ruling.mde && moderated.estimate.df == 4.0);
    }
}
