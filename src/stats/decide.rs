//! Decides what an [`Estimate`] means: THE decision, the only place where numbers turn into "regressed".
//!
//! The inputs are an estimate, exact cross-checks and a [`Rule`]; raw samples are not looked at. "Unchanged" is a claim
//! of its own: it needs evidence that the change is within the margin, not only a lack of evidence for a change.
//!
//! Invariant: swapping the arms mirrors the ruling, and nothing to judge by is inconclusive (`tests/it/statistics.rs`
//! and the tests below).

use super::estimate::Estimate;
use super::interval::Interval;
use super::power::{inside, minimum_detectable_effect, units_to_settle};
use super::{StatError, sample};

/// Fewer pairs than this are never decided: with two, one coincidence of rounding makes any interval narrow.
pub const MIN_UNITS: usize = 3;

/// Exact tests speak from this many pairs on; below it they cannot reach α/2 at the usual levels (2^(1−5) =
/// .0625).
pub const MIN_CHECKED_UNITS: usize = 8;

/// What the numbers say. + means worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// L > +δ: worse by more than the margin.
    Regressed,
    /// U < −δ: better by more than the margin.
    Improved,
    /// −δ < L′ and U′ < +δ, and zero not excluded: shown to be within the margin.
    Unchanged,
    /// −δ < L′ and U′ < +δ, and [L, U] excludes 0: real, and too small to matter.
    ChangedWithinMargin,
    /// Anything else: these data do not settle it.
    Inconclusive,
}

impl Decision {
    /// What the decision would be with the arms swapped.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Regressed => Self::Improved,
            Self::Improved => Self::Regressed,
            same @ (Self::Unchanged | Self::ChangedWithinMargin | Self::Inconclusive) => same,
        }
    }
}

/// Why a ruling is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Fewer units than the rule asks for.
    TooFewUnits,
    /// Every unit gave the same number, so there is nothing to judge the uncertainty by.
    NoSpread,
    /// The interval reaches across a margin.
    TooWide,
    /// The t interval and an exact test contradict each other.
    TestsDisagree,
    /// The rule demands an exact test, and none can reach α with this many units.
    NoExactTest,
    /// Significant alone, but not among all the cases of this run (set by the multiplicity correction).
    Multiplicity,
    /// A second, independent set of units does not show it (set by the confirmation of a check).
    NotConfirmed,
}

/// How to decide one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// δ on the log scale, in (0, 1): `ln_1p` of the configured fraction.
    pub margin: f64,
    /// Two-sided error rate, in (0, ½); the threshold of the look at a sequential one.
    pub alpha: f64,
    /// Power for which the minimum detectable effect is stated, in (0, 1).
    pub power: f64,
    /// Fewer units are not decided; [`MIN_UNITS`] for most metrics, [`MIN_CHECKED_UNITS`] for tail quantiles.
    pub min_units: usize,
    /// Decide only with the consent of an exact test (tail quantiles, whose log ratios are not normal).
    pub needs_exact: bool,
}

impl Rule {
    /// The default for mean, median and throughput: 95 % confidence, 90 % power.
    pub fn new(margin: f64) -> Self {
        Self { margin, alpha: 0.05, power: 0.9, min_units: MIN_UNITS, needs_exact: false }
    }

    /// The default for p99 and beyond: eight pairs and an exact test.
    pub fn for_tail(margin: f64) -> Self {
        Self { min_units: MIN_CHECKED_UNITS, needs_exact: true, ..Self::new(margin) }
    }

    /// The same rule at another threshold: that of a sequential look.
    #[must_use]
    pub fn at_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    fn check(&self) -> Result<(), StatError> {
        sample::check_open("margin", self.margin, (0.0, 1.0), "0 to 1")?;
        sample::check_open("alpha", self.alpha, (0.0, 0.5), "0 to 0.5")?;
        sample::check_open("power", self.power, (0.0, 1.0), "0 to 1")
    }
}

/// What an exact test says about the same units, at the three places where the t interval decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossCheck {
    /// The name of the test, for people.
    pub name: &'static str,
    /// Two-sided p of H0 "D = 0".
    pub p_zero: f64,
    /// One-sided p of H0 "D ≤ +δ".
    pub p_above_margin: f64,
    /// One-sided p of H0 "D ≥ −δ".
    pub p_below_minus_margin: f64,
    /// One-sided p of H0 "D ≤ −δ": half of the equivalence test.
    pub p_above_minus_margin: f64,
    /// One-sided p of H0 "D ≥ +δ": the other half.
    pub p_below_margin: f64,
    /// Smallest two-sided p the test can give with these units, 2^(1−R).
    pub p_floor: f64,
}

impl CrossCheck {
    /// Whether the test can reach the threshold at all. Otherwise its p values are shown and not used.
    fn can_speak(&self, units: usize, alpha: f64) -> bool {
        units >= MIN_CHECKED_UNITS && self.p_floor <= alpha
    }

    /// Whether the test supports what `decision` claims. Equivalence claims only "within the margin": whether
    /// zero is excluded is a second claim, see [`decide`].
    fn supports(&self, decision: Decision, alpha: f64) -> bool {
        match decision {
            Decision::Regressed => self.p_above_margin <= alpha / 2.0,
            Decision::Improved => self.p_below_minus_margin <= alpha / 2.0,
            Decision::Unchanged | Decision::ChangedWithinMargin => {
                self.p_above_minus_margin <= alpha && self.p_below_margin <= alpha
            }
            Decision::Inconclusive => true,
        }
    }
}

/// A decision and the numbers it stands on. Effects on the log scale, + = worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// What the numbers say.
    pub decision: Decision,
    /// Present exactly when the decision is [`Decision::Inconclusive`].
    pub doubt: Option<Doubt>,
    /// [L, D, U] at confidence 1 − α.
    pub interval: Interval,
    /// [L′, D, U′] at confidence 1 − 2α, for the two one-sided tests.
    pub equivalence: Interval,
    /// Two-sided p of H0 "D = 0".
    pub p_zero: f64,
    /// One-sided p of H0 "D ≤ +δ", for the correction over all cases.
    pub p_regressed: f64,
    /// One-sided p of H0 "D ≥ −δ".
    pub p_improved: f64,
    /// Smallest true effect that would be ruled `Regressed` with the rule's power.
    pub mde: f64,
    /// Units that would settle an inconclusive ruling, where that is known.
    pub units_to_settle: Option<usize>,
}

impl Ruling {
    /// The same numbers, no longer decided.
    #[must_use]
    pub fn withheld(self, doubt: Doubt) -> Self {
        Self { decision: Decision::Inconclusive, doubt: Some(doubt), ..self }
    }
}

/// Decides `estimate` by `rule`. The five decisions exclude each other and cover everything; equivalence is
/// shown by two one-sided tests (D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987), never by failing to
/// reject.
///
/// Each of `checks` that can reach the threshold must support what the interval claims, else the ruling is
/// inconclusive. One disagreement is milder: both are within the margin, and the exact test does not exclude
/// zero where t does. The claim both support is then `Unchanged`, and that is the ruling.
///
/// Fails only on a rule outside its ranges.
pub fn decide(estimate: &Estimate, checks: &[CrossCheck], rule: &Rule) -> Result<Ruling, StatError> {
    rule.check()?;
    let (decision, doubt) = judge(estimate, checks, rule);
    let settle = || units_to_settle(estimate, rule.margin, rule.alpha, rule.power);
    Ok(Ruling {
        decision,
        doubt,
        interval: estimate.interval(rule.alpha),
        equivalence: estimate.interval(2.0 * rule.alpha),
        p_zero: estimate.p_zero(),
        p_regressed: estimate.p_above(rule.margin),
        p_improved: estimate.p_below(-rule.margin),
        mde: minimum_detectable_effect(estimate, rule.margin, rule.alpha, rule.power),
        units_to_settle: match doubt {
            Some(Doubt::TooFewUnits) => Some(rule.min_units),
            Some(Doubt::TooWide | Doubt::TestsDisagree) => {
                settle().map(|n| n.max(if rule.needs_exact { units_to_reach(rule.alpha) } else { 0 }))
            }
            Some(Doubt::NoExactTest) => Some(units_to_reach(rule.alpha)),
            Some(Doubt::NoSpread | Doubt::Multiplicity | Doubt::NotConfirmed) | None => None,
        },
    })
}

fn judge(estimate: &Estimate, checks: &[CrossCheck], rule: &Rule) -> (Decision, Option<Doubt>) {
    let doubtful = |doubt| (Decision::Inconclusive, Some(doubt));
    if estimate.n < rule.min_units.max(2) {
        return doubtful(Doubt::TooFewUnits);
    }
    if !estimate.has_spread() {
        return doubtful(Doubt::NoSpread);
    }
    let claim = classify(estimate, rule);
    if claim == Decision::Inconclusive {
        return doubtful(Doubt::TooWide);
    }
    let mut speaking = checks.iter().filter(|c| c.can_speak(estimate.n, rule.alpha)).peekable();
    if rule.needs_exact && speaking.peek().is_none() {
        return doubtful(Doubt::NoExactTest);
    }
    let mut zero_excluded = true;
    for check in speaking {
        if !check.supports(claim, rule.alpha) {
            return doubtful(Doubt::TestsDisagree);
        }
        zero_excluded &= check.p_zero <= rule.alpha;
    }
    match claim {
        Decision::ChangedWithinMargin if !zero_excluded => (Decision::Unchanged, None),
        claim => (claim, None),
    }
}

/// The decision of the t interval alone.
fn classify(estimate: &Estimate, rule: &Rule) -> Decision {
    let interval = estimate.interval(rule.alpha);
    if interval.lo > rule.margin {
        Decision::Regressed
    } else if interval.hi < -rule.margin {
        Decision::Improved
    } else if !inside(&estimate.interval(2.0 * rule.alpha), rule.margin) {
        Decision::Inconclusive
    } else if interval.contains(0.0) {
        Decision::Unchanged
    } else {
        Decision::ChangedWithinMargin
    }
}

/// Fewest pairs with which a sign-flip test can reach `alpha`: 2^(1−R) ≤ α.
fn units_to_reach(alpha: f64) -> usize {
    let needed = 1.0 - alpha.max(1e-300).log2();
    (needed.ceil() as usize).max(MIN_CHECKED_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(effect: f64, se: f64, n: usize) -> Estimate {
        Estimate { effect, se, df: n as f64 - 1.0, sd: se * (n as f64).sqrt(), n, fixed_var: 0.0 }
    }

    fn agreeing() -> CrossCheck {
        CrossCheck {
            name: "test",
            p_zero: 0.001,
            p_above_margin: 0.001,
            p_below_minus_margin: 0.001,
            p_above_minus_margin: 0.001,
            p_below_margin: 0.001,
            p_floor: 0.001,
        }
    }

    fn ruled(e: Estimate, checks: &[CrossCheck], rule: Rule) -> (Decision, Option<Doubt>) {
        let ruling = decide(&e, checks, &rule).expect("a valid rule");
        assert_eq!(ruling.doubt.is_some(), ruling.decision == Decision::Inconclusive);
        (ruling.decision, ruling.doubt)
    }

    /// R = 5, so t(4, .975) = 2.776 and t(4, .95) = 2.132; margin 1 %.
    #[test]
    fn the_five_decisions() {
        use Decision::{ChangedWithinMargin, Improved, Inconclusive, Regressed, Unchanged};
        for (effect, se, expected) in [
            (0.05, 0.001, Regressed),
            (0.0128, 0.001, Regressed),
            (0.0127, 0.001, Inconclusive),
            (0.05, 0.0145, Inconclusive),
            (-0.05, 0.001, Improved),
            (0.0, 0.001, Unchanged),
            (0.0027, 0.001, Unchanged),
            (0.0028, 0.001, ChangedWithinMargin),
            (-0.005, 0.001, ChangedWithinMargin),
            (0.0078, 0.001, ChangedWithinMargin),
            (0.0079, 0.001, Inconclusive),
            (0.0, 0.0047, Inconclusive),
            (0.0, 0.0046, Unchanged),
        ] {
            let doubt = (expected == Inconclusive).then_some(Doubt::TooWide);
            let got = ruled(estimate(effect, se, 5), &[], Rule::new(0.01));
            assert_eq!(got, (expected, doubt), "{effect} {se}");
            let mirror = ruled(estimate(-effect, se, 5), &[], Rule::new(0.01));
            assert_eq!(mirror, (expected.mirrored(), doubt), "{effect} {se} mirrored");
        }
    }

    #[test]
    fn exact_tests_speak_only_from_eight_pairs_on() {
        let rule = Rule::new(0.01);
        let against = CrossCheck { p_above_margin: 0.2, ..agreeing() };
        let regressed = (Decision::Regressed, None);
        let disputed = (Decision::Inconclusive, Some(Doubt::TestsDisagree));
        assert_eq!(ruled(estimate(0.05, 0.001, 7), &[against], rule), regressed);
        assert_eq!(ruled(estimate(0.05, 0.001, 8), &[against], rule), disputed);
        assert_eq!(ruled(estimate(0.05, 0.001, 8), &[agreeing(), against], rule), disputed);
        assert_eq!(ruled(estimate(0.05, 0.001, 8), &[agreeing()], rule), regressed);
        let mute = CrossCheck { p_floor: 0.06, ..against };
        assert_eq!(ruled(estimate(0.05, 0.001, 8), &[mute], rule), regressed);
    }

    #[test]
    fn a_dispute_about_zero_alone_leaves_unchanged() {
        let rule = Rule::new(0.01);
        let check = CrossCheck { p_zero: 0.06, ..agreeing() };
        assert_eq!(ruled(estimate(0.005, 0.001, 8), &[check], rule), (Decision::Unchanged, None));
    }

    #[test]
    fn a_tail_quantile_needs_an_exact_test() {
        let rule = Rule::for_tail(0.03);
        let doubtful = |doubt| (Decision::Inconclusive, Some(doubt));
        assert_eq!(ruled(estimate(0.2, 0.01, 7), &[agreeing()], rule), doubtful(Doubt::TooFewUnits));
        assert_eq!(ruled(estimate(0.2, 0.01, 8), &[], rule), doubtful(Doubt::NoExactTest));
        assert_eq!(ruled(estimate(0.2, 0.01, 8), &[agreeing()], rule), (Decision::Regressed, None));
        assert_eq!((units_to_reach(0.05), units_to_reach(0.0029)), (8, 10));
    }

    #[test]
    fn nothing_to_judge_by_is_inconclusive_and_never_nan() {
        let rule = Rule::new(0.01);
        let doubtful = |doubt| (Decision::Inconclusive, Some(doubt));
        assert_eq!(ruled(estimate(0.05, 0.001, 2), &[], rule), doubtful(Doubt::TooFewUnits));
        assert_eq!(ruled(estimate(0.05, 0.0, 5), &[], rule), doubtful(Doubt::NoSpread));
        assert_eq!(ruled(estimate(f64::NAN, 0.1, 5), &[], rule), doubtful(Doubt::NoSpread));
        let bad = [
            Rule::new(0.0),
            Rule::new(f64::NAN),
            rule.at_alpha(0.5),
            rule.at_alpha(0.0),
            Rule { power: 1.0, ..rule },
        ];
        for rule in bad {
            assert!(decide(&estimate(0.1, 0.1, 5), &[], &rule).is_err(), "{rule:?}");
        }
    }

    #[test]
    fn an_inconclusive_ruling_says_how_many_pairs_would_settle_it() {
        let settle = |effect, sd: f64, n: usize| {
            let e = estimate(effect, sd / (n as f64).sqrt(), n);
            decide(&e, &[], &Rule::new(0.01)).expect("a valid rule").units_to_settle
        };
        // An effect at the MDE of R = 20 needs 20 pairs: factor .77 of s_d.
        let at_20 = settle(0.01 + 0.7652 * 0.02, 0.02, 5);
        assert!(matches!(at_20, Some(20 | 21)), "{at_20:?}");
        assert!(settle(0.0, 0.02, 5) > Some(30), "{:?}", settle(0.0, 0.02, 5));
        assert_eq!(settle(0.01, 0.02, 5), None);
        assert_eq!(settle(0.05, 0.001, 5), None);
    }
}
