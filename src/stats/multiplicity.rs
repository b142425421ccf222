//! Corrects the rulings of a run for their number: among many cases, chance alone makes some look changed.
//!
//! The input is every gated ruling of the run. The correction can only withhold a decision, not make one.

use super::decide::{Decision, Doubt, Ruling};
use super::{StatError, sample};

/// Expected share of false ones among the regressions (and, separately, improvements) of a run.
pub const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// Adjusted p values of the step-up procedure of Y. Benjamini and Y. Hochberg (J. R. Stat. Soc. B 57, 1995):
/// a hypothesis is rejected at false discovery rate q exactly if its adjusted value is ≤ q. In the order
/// given, each in [0, 1].
///
/// Valid for independent and for positively dependent p values, as those of metrics of one case are. Fails on
/// a value that is not finite or lies outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, StatError> {
    sample::check_finite(p_values)?;
    if let Some(&value) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(StatError::OutOfRange { name: "a p value", value, range: "0 to 1" });
    }
    let m = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[b].total_cmp(&p_values[a]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (above, &index) in order.iter().enumerate() {
        let rank = m - above as f64;
        // m/rank first: it is at least 1, so rounding cannot make an adjusted value smaller than its p.
        least = least.min(p_values[index] * (m / rank));
        adjusted[index] = least;
    }
    Ok(adjusted)
}

/// Withholds each `Regressed` whose H0 "D ≤ +δ", and each `Improved` whose H0 "D ≥ −δ", is not rejected at
/// false discovery rate `q` among all of `rulings`; the two directions are two families. Other rulings stay
/// as they are.
///
/// The direction filter: a hypothesis whose own ruling did not claim it enters with p = 1. That only makes p
/// values larger, so the rate still holds, and a metric that was too uncertain to be ruled cannot help
/// another one over the threshold.
///
/// Meant for rulings at a number of pairs that was fixed beforehand; after sequential looks use [`correct_after_looks`].
/// Fails on q outside (0, 1).
pub fn correct(rulings: &mut [Ruling], q: f64) -> Result<(), StatError> {
    correct_after_looks(rulings, q, 1)
}

/// [`correct`] for rulings that stopped at one of `looks` planned looks. Stopping where p is small makes p
/// too small; times the number of looks (Bonferroni) it is a valid p of the whole sequence. A single case is
/// not withheld by this: its look's α/2 times four looks is still below the rate of 5 %.
pub fn correct_after_looks(rulings: &mut [Ruling], q: f64, looks: usize) -> Result<(), StatError> {
    sample::check_open("false discovery rate", q, (0.0, 1.0), "0 to 1")?;
    let times = looks.max(1) as f64;
    let family = |claim: Decision, p: fn(&Ruling) -> f64| {
        let p_values: Vec<f64> = rulings
            .iter()
            .map(|ruling| if ruling.decision == claim { (p(ruling) * times).min(1.0) } else { 1.0 })
            .collect();
        benjamini_hochberg(&p_values)
    };
    let worse = family(Decision::Regressed, |r| r.p_regressed)?;
    let better = family(Decision::Improved, |r| r.p_improved)?;
    for (ruling, (worse, better)) in rulings.iter_mut().zip(worse.into_iter().zip(better)) {
        let withheld = match ruling.decision {
            Decision::Regressed => worse > q,
            Decision::Improved => better > q,
            _ => false,
        };
        if withheld {
            *ruling = ruling.clone().withheld(Doubt::Multiplicity);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Estimate, Rule, Test, decide};

    #[test]
    fn adjusted_values_by_hand() {
        let got = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]).expect("p values");
        let expected = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
        assert_eq!(benjamini_hochberg(&[]), Ok(vec![]));
        assert_eq!(benjamini_hochberg(&[0.2]), Ok(vec![0.2]));
        assert!(benjamini_hochberg(&[f64::NAN]).is_err());
        assert!(benjamini_hochberg(&[1.1]).is_err());
    }

    fn ruling(effect: f64) -> Ruling {
        let estimate = Estimate { effect, se: 0.01, df: 4.0, sd: 0.02, n: 5, fixed_var: 0.0 };
        decide(&estimate, &Test::T, &Rule::new(0.01)).expect("a valid rule")
    }

    #[test]
    fn a_lone_weak_regression_is_withheld_and_a_strong_one_stands() {
        // p ≈ .019 of one and ≈ .0002 of the other, among 40.
        let mut rulings = vec![ruling(0.0); 38];
        rulings.extend([ruling(0.04), ruling(0.13)]);
        assert_eq!((rulings[38].decision, rulings[39].decision), (Decision::Regressed, Decision::Regressed));
        correct(&mut rulings, FALSE_DISCOVERY_RATE).expect("a valid rate");
        assert_eq!(
            (rulings[38].decision, rulings[38].doubt),
            (Decision::Inconclusive, Some(Doubt::Multiplicity))
        );
        assert_eq!(rulings[39].decision, Decision::Regressed);

        let mut mirrored: Vec<Ruling> = vec![ruling(0.0); 38];
        mirrored.extend([ruling(-0.04), ruling(-0.13)]);
        correct(&mut mirrored, FALSE_DISCOVERY_RATE).expect("a valid rate");
        let decisions: Vec<Decision> = mirrored.iter().map(|r| r.decision.mirrored()).collect();
        assert_eq!(decisions, rulings.iter().map(|r| r.decision).collect::<Vec<_>>());
    }

    #[test]
    fn one_case_alone_is_not_corrected() {
        let mut one = [ruling(0.04)];
        correct(&mut one, FALSE_DISCOVERY_RATE).expect("a valid rate");
        assert_eq!(one, [ruling(0.04)]);
        assert!(correct(&mut one, f64::NAN).is_err());
    }

    #[test]
    fn looks_make_the_correction_stricter_and_leave_a_single_case_alone() {
        // p ≈ .0019, at the threshold of four looks.
        let strong = ruling(0.068);
        let among = |others: usize, looks: usize| {
            let mut rulings = vec![ruling(0.0); others];
            rulings.push(strong.clone());
            correct_after_looks(&mut rulings, FALSE_DISCOVERY_RATE, looks).expect("a valid rate");
            rulings[others].decision
        };
        assert!((0.001..0.003).contains(&strong.p_regressed), "{}", strong.p_regressed);
        assert_eq!(
            (among(0, 1), among(0, 4), among(0, 0)),
            (Decision::Regressed, Decision::Regressed, Decision::Regressed)
        );
        assert_eq!((among(15, 1), among(15, 4)), (Decision::Regressed, Decision::Inconclusive));
    }
}
