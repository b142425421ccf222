//! Decides what an [`Estimate`] means: THE decision, the only place where numbers turn into "regressed".
//!
//! The inputs are an estimate, the [`Test`] that decides and a [`Rule`]; raw samples are not looked at. "Unchanged" is a
//! claim of its own: it needs evidence that the change is within the margin, not only a lack of evidence for a change.
//!
//! Invariant: the interval of a ruling is the one whose bounds decide.
//! Invariant: swapping the arms mirrors the ruling, and nothing to judge by is inconclusive (`tests/it/statistics.rs`
//! and the tests below).

use super::estimate::{Estimate, NO_SPREAD};
use super::interval::Interval;
use super::power::{inside, minimum_detectable_effect, units_to_settle};
use super::ranks::RankTest;
use super::{StatError, sample};

/// Fewer pairs than this are never decided: with two, one coincidence of rounding makes any interval narrow.
pub const MIN_UNITS: usize = 3;

/// Fewer processes than this say nothing about a tail quantile.
pub const MIN_TAIL_UNITS: usize = 8;

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
    /// Fewer units are not decided; [`MIN_UNITS`] for most metrics, [`MIN_TAIL_UNITS`] for tail quantiles.
    pub min_units: usize,
}

impl Rule {
    /// The default for mean, median and throughput: 95 % confidence, 90 % power.
    pub fn new(margin: f64) -> Self {
        Self { margin, alpha: 0.05, power: 0.9, min_units: MIN_UNITS }
    }

    /// The default for p99 and beyond: eight pairs.
    pub fn for_tail(margin: f64) -> Self {
        Self { min_units: MIN_TAIL_UNITS, ..Self::new(margin) }
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

/// Which test of the same numbers decides. Chosen by how many units there are and how they ran, never by what they
/// came to: a rule that picks the test that says more would be wrong more often than it says.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Student's t, or Welch's.
    T,
    /// A rank test alone.
    Ranks(RankTest),
    /// The t, where a rank test excludes zero at [`CONSENT_ALPHA`] too.
    TWithConsent(RankTest),
}

/// Error rate of the rank test that must exclude zero before the t of two arms that did not run as pairs may.
pub const CONSENT_ALPHA: f64 = 0.01;

impl Test {
    /// [L, D, U] at confidence 1 − `alpha`. Without the consent that the t needs, it reaches to zero.
    fn interval(&self, estimate: &Estimate, alpha: f64) -> Interval {
        let t = || estimate.interval(alpha);
        match self {
            Self::Ranks(ranks) => ranks.interval(alpha),
            Self::TWithConsent(ranks) if ranks.p_zero() > CONSENT_ALPHA => {
                let t = t();
                Interval { lo: t.lo.min(0.0), hi: t.hi.max(0.0), ..t }
            }
            Self::T | Self::TWithConsent(_) => t(),
        }
    }

    /// Two-sided p of H0 "D = 0".
    fn p_zero(&self, estimate: &Estimate) -> f64 {
        match self {
            Self::Ranks(ranks) => ranks.p_zero(),
            Self::TWithConsent(ranks) if ranks.p_zero() > CONSENT_ALPHA => {
                ranks.p_zero().max(estimate.p_zero())
            }
            Self::T | Self::TWithConsent(_) => estimate.p_zero(),
        }
    }

    /// One-sided p of H0 "D ≤ +margin" and of H0 "D ≥ −margin".
    fn p_beyond(&self, estimate: &Estimate, margin: f64) -> (f64, f64) {
        match self {
            Self::Ranks(ranks) => (ranks.p_above(margin), ranks.p_below(-margin)),
            Self::T | Self::TWithConsent(_) => (estimate.p_above(margin), estimate.p_below(-margin)),
        }
    }

    /// The estimate and the two-sided rate by which a number of units is planned: ranks are worth 3/π of the normal
    /// numbers behind them (E. J. G. Pitman's asymptotic relative efficiency; Hollander, Wolfe & Chicken 2014, chapter 3).
    fn planned(&self, estimate: &Estimate, alpha: f64) -> (Estimate, f64) {
        match self {
            Self::Ranks(ranks) => {
                let wider = (std::f64::consts::PI / 3.0).sqrt();
                let estimate = Estimate { se: estimate.se * wider, sd: estimate.sd * wider, ..*estimate };
                (estimate, ranks.level(alpha).min(alpha))
            }
            Self::T | Self::TWithConsent(_) => (*estimate, alpha),
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

/// Decides `estimate` by `test` and `rule`. The five decisions exclude each other and cover everything; equivalence is
/// shown by two one-sided tests (D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987), never by failing to
/// reject.
///
/// Fails only on a rule outside its ranges.
pub fn decide(estimate: &Estimate, test: &Test, rule: &Rule) -> Result<Ruling, StatError> {
    rule.check()?;
    let interval = test.interval(estimate, rule.alpha);
    let equivalence = test.interval(estimate, 2.0 * rule.alpha);
    let (decision, doubt) = if estimate.n < rule.min_units.max(2) {
        (Decision::Inconclusive, Some(Doubt::TooFewUnits))
    } else if !estimate.has_spread() || !is_wide(&interval) {
        (Decision::Inconclusive, Some(Doubt::NoSpread))
    } else {
        let decision = classify(&interval, &equivalence, rule.margin);
        (decision, (decision == Decision::Inconclusive).then_some(Doubt::TooWide))
    };
    let (planned, level) = test.planned(estimate, rule.alpha);
    let (p_regressed, p_improved) = test.p_beyond(estimate, rule.margin);
    Ok(Ruling {
        decision,
        doubt,
        interval,
        equivalence,
        p_zero: test.p_zero(estimate),
        p_regressed,
        p_improved,
        mde: minimum_detectable_effect(&planned, rule.margin, level, rule.power),
        units_to_settle: match doubt {
            Some(Doubt::TooFewUnits) => Some(rule.min_units),
            Some(Doubt::TooWide) => units_to_settle(&planned, rule.margin, rule.alpha, rule.power),
            Some(Doubt::NoSpread | Doubt::Multiplicity | Doubt::NotConfirmed) | None => None,
        },
    })
}

/// Most numbers can be equal where their spread is not 0; an interval of one point is no uncertainty to judge by.
fn is_wide(interval: &Interval) -> bool {
    interval.hi - interval.lo > NO_SPREAD
}

fn classify(interval: &Interval, equivalence: &Interval, margin: f64) -> Decision {
    if interval.lo > margin {
        Decision::Regressed
    } else if interval.hi < -margin {
        Decision::Improved
    } else if !inside(equivalence, margin) {
        Decision::Inconclusive
    } else if interval.contains(0.0) {
        Decision::Unchanged
    } else {
        Decision::ChangedWithinMargin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{rank_sum, signed_rank};

    fn estimate(effect: f64, se: f64, n: usize) -> Estimate {
        Estimate { effect, se, df: n as f64 - 1.0, sd: se * (n as f64).sqrt(), n, fixed_var: 0.0 }
    }

    fn ruled(e: Estimate, test: &Test, rule: Rule) -> (Decision, Option<Doubt>) {
        let ruling = decide(&e, test, &rule).expect("a valid rule");
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
            let got = ruled(estimate(effect, se, 5), &Test::T, Rule::new(0.01));
            assert_eq!(got, (expected, doubt), "{effect} {se}");
            let mirror = ruled(estimate(-effect, se, 5), &Test::T, Rule::new(0.01));
            assert_eq!(mirror, (expected.mirrored(), doubt), "{effect} {se} mirrored");
        }
    }

    #[test]
    fn where_ranks_decide_an_outlier_does_not_hide_a_change() {
        let mut d = [0.05, 0.051, 0.049, 0.052, 0.048, 0.053, 0.047, 0.05, 0.0505, 0.0495, 0.0515, 0.0485];
        d[3] += 2.3;
        let e = crate::stats::paired_t(&d, 0.0).expect("twelve pairs");
        let ranks = Test::Ranks(signed_rank(&d, 0.0).expect("twelve pairs"));
        assert_eq!(ruled(e, &Test::T, Rule::new(0.01)), (Decision::Inconclusive, Some(Doubt::TooWide)));
        assert_eq!(ruled(e, &ranks, Rule::new(0.01)), (Decision::Regressed, None));
        let mirrored: Vec<f64> = d.iter().map(|x| -x).collect();
        let ranks = Test::Ranks(signed_rank(&mirrored, 0.0).expect("twelve pairs"));
        assert_eq!(ruled(Estimate { effect: -e.effect, ..e }, &ranks, Rule::new(0.01)).0, Decision::Improved);
    }

    #[test]
    fn mostly_equal_numbers_are_no_precision() {
        let mut d = [0.0; 12];
        d[0] = 0.5;
        let e = crate::stats::paired_t(&d, 0.0).expect("twelve pairs");
        let point = Test::Ranks(signed_rank(&d, 0.0).expect("twelve pairs"));
        assert_eq!(ruled(e, &point, Rule::new(0.01)), (Decision::Inconclusive, Some(Doubt::NoSpread)));
        let coarse = Test::Ranks(signed_rank(&d, 0.002).expect("twelve pairs"));
        assert_eq!(ruled(e, &coarse, Rule::new(0.01)), (Decision::Unchanged, None));
    }

    #[test]
    fn without_consent_the_interval_reaches_to_zero() {
        let apart = Test::TWithConsent(rank_sum(&[0.0; 5], &[1.0; 5], 0.0).expect("two arms"));
        let mixed = Test::TWithConsent(rank_sum(&[0.0, 2.0], &[1.0, 3.0], 0.0).expect("two arms"));
        let e = estimate(0.05, 0.001, 5);
        let rule = Rule::new(0.01);
        assert_eq!(ruled(e, &apart, rule), (Decision::Regressed, None));
        assert_eq!(ruled(e, &mixed, rule), (Decision::Inconclusive, Some(Doubt::TooWide)));
        let ruling = decide(&e, &mixed, &rule).expect("a valid rule");
        assert!(ruling.interval.lo == 0.0 && ruling.interval.hi > 0.05 && ruling.p_zero > CONSENT_ALPHA);
        assert_eq!(ruled(estimate(0.005, 0.001, 5), &apart, rule).0, Decision::ChangedWithinMargin);
        assert_eq!(ruled(estimate(0.005, 0.001, 5), &mixed, rule).0, Decision::Unchanged);
    }

    #[test]
    fn nothing_to_judge_by_is_inconclusive_and_never_nan() {
        let rule = Rule::new(0.01);
        let doubtful = |doubt| (Decision::Inconclusive, Some(doubt));
        assert_eq!(ruled(estimate(0.05, 0.001, 2), &Test::T, rule), doubtful(Doubt::TooFewUnits));
        assert_eq!(ruled(estimate(0.05, 0.0, 5), &Test::T, rule), doubtful(Doubt::NoSpread));
        assert_eq!(ruled(estimate(f64::NAN, 0.1, 5), &Test::T, rule), doubtful(Doubt::NoSpread));
        let bad = [
            Rule::new(0.0),
            Rule::new(f64::NAN),
            rule.at_alpha(0.5),
            rule.at_alpha(0.0),
            Rule { power: 1.0, ..rule },
        ];
        for rule in bad {
            assert!(decide(&estimate(0.1, 0.1, 5), &Test::T, &rule).is_err(), "{rule:?}");
        }
    }

    #[test]
    fn an_inconclusive_ruling_says_how_many_pairs_would_settle_it() {
        let settle = |effect, sd: f64, n: usize| {
            let e = estimate(effect, sd / (n as f64).sqrt(), n);
            decide(&e, &Test::T, &Rule::new(0.01)).expect("a valid rule").units_to_settle
        };
        // An effect at the MDE of R = 20 needs 20 pairs: factor .77 of s_d.
        let at_20 = settle(0.01 + 0.7652 * 0.02, 0.02, 5);
        assert!(matches!(at_20, Some(20 | 21)), "{at_20:?}");
        assert!(settle(0.0, 0.02, 5) > Some(30), "{:?}", settle(0.0, 0.02, 5));
        assert_eq!(settle(0.01, 0.02, 5), None);
        assert_eq!(settle(0.05, 0.001, 5), None);
    }
}
