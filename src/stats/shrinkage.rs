//! Tells what earlier comparisons on a device say about the spread of the next one.
//!
//! It fits a [`Prior`] to past spreads and moderates an [`Estimate`] with it, which is worth a few pairs when there are
//! only five. A noisy day is not pulled down to the quiet past: a spread that the history does not explain is left
//! alone.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};
use statrs::function::gamma::digamma;

use super::estimate::{Estimate, NO_SPREAD};
use super::{StatError, sample};

/// Fewer past spreads than this say nothing about how spreads vary.
const MIN_HISTORY: usize = 3;

/// A spread larger than the history by this one-sided p of an F test is not moderated. With the cap on the weight in
/// [`moderate`], a 95 % interval of 3 to 7 pairs then holds the true change in 93.4 % or more where the noise is 0.5, 1, 2
/// or 3 times that of the history (`benches/verdicts.rs`). At p = .01 without the cap it was 79 % at worst.
const OUTSIDE_HISTORY_P: f64 = 0.25;

/// Spreads of log ratios and degrees of freedom above these are no measurement, and would overflow or lose
/// precision.
const MAX_SD: f64 = 1e3;
const MAX_DF: f64 = 1e6;

/// What spreads were like: as if `df` further degrees of freedom had been seen with spread `sd`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Prior {
    /// s₀, spread of one pair's log ratio.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub sd: f64,
    /// d₀, degrees of freedom the history is worth.
    #[serde(with = "crate::units::exact")]
    #[schemars(with = "crate::units::exact::ExactNumber")]
    pub df: f64,
}

/// Fits s₀ and d₀ to past spreads `(s_g, d_g)` by the moments of ln s_g² (G. K. Smyth, *Linear models and
/// empirical Bayes methods*, Stat. Appl. Genet. Mol. Biol. 3, 2004, section 6.2): with e_g = ln s_g² −
/// ψ(d_g/2) + ln(d_g/2), d₀ solves ψ′(d₀/2) = mean((e_g − ē)²·G/(G − 1) − ψ′(d_g/2)) and s₀² = exp(ē +
/// ψ(d₀/2) − ln(d₀/2)).
///
/// When past spreads vary no more than chance explains, d₀ would be infinite; it is capped at Σ d_g, all that
/// was ever seen. The past comparisons must be of one device and one metric.
///
/// Fails below [`MIN_HISTORY`] spreads, and on a spread or a number of degrees of freedom that is not finite
/// and positive.
pub fn fit_prior(history: &[(f64, f64)]) -> Result<Prior, StatError> {
    sample::check_count("a history of spreads", MIN_HISTORY, history.len())?;
    let mut adjusted = Vec::with_capacity(history.len());
    for (index, &(sd, df)) in history.iter().enumerate() {
        if !(sd.is_finite() && df.is_finite()) {
            return Err(StatError::NotFinite { index });
        }
        if sd <= NO_SPREAD || df < 1.0 {
            let value = if df < 1.0 { df } else { sd };
            return Err(StatError::NotPositive { index, value });
        }
        adjusted.push(2.0 * sd.ln() - digamma(df / 2.0) + (df / 2.0).ln());
    }
    let (mean, variance) = sample::mean_variance(&adjusted);
    let noise = sample::mean(&history.iter().map(|(_, df)| trigamma(df / 2.0)).collect::<Vec<_>>());
    let most = history.iter().map(|(_, df)| df).sum::<f64>().min(MAX_DF / 2.0);
    let excess = variance - noise;
    let df = if excess > 0.0 { (2.0 * inverse_trigamma(excess)).min(most) } else { most };
    let log_variance = mean + digamma(df / 2.0) - (df / 2.0).ln();
    Ok(Prior { sd: (log_variance / 2.0).exp(), df })
}

/// The moderated t: s̃² = (d₀s₀² + d·s²)/(d₀ + d) with d₀ + d degrees of freedom (Smyth 2004, eq. 3), and d₀ at most d:
/// however long the history, it does not outweigh what was measured now.
///
/// Returned unchanged if the estimate includes a session variance, if there is no usable spread or prior, or
/// if s is too large for the history ([`OUTSIDE_HISTORY_P`]; the robust variant of Phipson et al., Ann. Appl.
/// Stat. 10, 2016, has the same aim).
#[must_use]
pub fn moderate(estimate: &Estimate, prior: &Prior) -> Estimate {
    let usable = estimate.sd < MAX_SD
        && prior.sd < MAX_SD
        && prior.sd > NO_SPREAD
        && prior.df < MAX_DF
        && prior.df > 0.0;
    if !usable || estimate.fixed_var != 0.0 || estimate.n == 0 {
        return *estimate;
    }
    let ratio = (estimate.sd / prior.sd).powi(2);
    let unexplained =
        FisherSnedecor::new(estimate.df, prior.df).map_or(true, |f| 1.0 - f.cdf(ratio) < OUTSIDE_HISTORY_P);
    if unexplained {
        return *estimate;
    }
    let weight = prior.df.min(estimate.df);
    let df = weight + estimate.df;
    let sd = prior.sd * ((weight + estimate.df * ratio) / df).sqrt();
    Estimate { se: sd / (estimate.n as f64).sqrt(), df, sd, ..*estimate }
}

/// ψ′(x) for x > 0: recurrence up to 10, then the asymptotic series (Abramowitz & Stegun 6.4.12), good to 12
/// digits.
fn trigamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0))));
    sum + 1.0 / x + y / 2.0 + series / x
}

/// The x > 0 with ψ′(x) = y, for y > 0, by bisection of the logarithm; ψ′ falls monotonically. Between 10⁻³
/// and 10⁶.
fn inverse_trigamma(y: f64) -> f64 {
    let (mut low, mut high) = (1e-3_f64.ln(), 1e6_f64.ln());
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if trigamma(middle.exp()) > y {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn trigamma_has_its_known_values() {
        let pi = std::f64::consts::PI;
        for (x, expected) in [(1.0, pi * pi / 6.0), (0.5, pi * pi / 2.0), (2.0, pi * pi / 6.0 - 1.0)] {
            assert!((trigamma(x) - expected).abs() < 1e-10, "{x}");
            assert!((inverse_trigamma(expected) - x).abs() < 1e-9, "{x}");
        }
    }

    /// `sd` of `df` + 1 normals with spread drawn around `centre`.
    fn history(count: usize, df: usize, centre: f64, spread_of_ln: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut rng = Rng::new(seed);
        (0..count)
            .map(|_| {
                let sd = centre * (spread_of_ln * rng.normal()).exp();
                let values: Vec<f64> = (0..=df).map(|_| sd * rng.normal()).collect();
                (sample::mean_variance(&values).1.sqrt(), df as f64)
            })
            .collect()
    }

    #[test]
    fn a_steady_device_is_worth_many_degrees_of_freedom() {
        let prior = fit_prior(&history(60, 4, 0.005, 0.0, 1)).expect("long history");
        assert!((prior.sd / 0.005 - 1.0).abs() < 0.15 && prior.df > 20.0, "{prior:?}");
        let fickle = fit_prior(&history(60, 4, 0.005, 0.8, 2)).expect("long history");
        assert!(fickle.df < 5.0, "{fickle:?}");
    }

    #[test]
    fn moderation_is_the_weighted_mean_of_variances() {
        let estimate =
            Estimate { effect: 0.01, se: 0.002, df: 4.0, sd: 0.002 * 5.0_f64.sqrt(), n: 5, fixed_var: 0.0 };
        let got = moderate(&estimate, &Prior { sd: 0.004, df: 3.0 });
        let variance: f64 = (3.0 * 1.6e-5 + 4.0 * 2e-5) / 7.0;
        assert!((got.sd - variance.sqrt()).abs() < 1e-12 && got.df == 7.0, "{got:?}");
        assert!((got.se - (variance / 5.0).sqrt()).abs() < 1e-12);
        let long = moderate(&estimate, &Prior { sd: 0.004, df: 1000.0 });
        assert!((long.sd - 1.8e-5_f64.sqrt()).abs() < 1e-12 && long.df == 8.0, "{long:?}");
        for left_alone in [
            Prior { sd: 0.001, df: 12.0 },
            Prior { sd: 0.0, df: 12.0 },
            Prior { sd: f64::NAN, df: 12.0 },
            Prior { sd: 0.004, df: f64::INFINITY },
            Prior { sd: 0.004, df: 0.0 },
        ] {
            assert_eq!(moderate(&estimate, &left_alone), estimate, "{left_alone:?}");
        }
    }

    #[test]
    fn unusable_histories_are_errors() {
        let good = (0.01, 4.0);
        assert!(fit_prior(&[good, good]).is_err());
        for bad in [(0.0, 4.0), (f64::NAN, 4.0), (0.01, 0.0), (0.01, f64::INFINITY), (-1.0, 4.0)] {
            assert!(fit_prior(&[good, good, bad]).is_err(), "{bad:?}");
        }
        let same = fit_prior(&[good; 4]).expect("four");
        assert_eq!(same.df, 16.0);
    }
}
