//! Finds where a share that grows with x reaches a given level: fits a line of ln(share) against x and inverts it.
//!
//! The input is counts over a limit, in batches, at several x.
//!
//! Invariant: counts that make no rising line give a [`NoCrossing`] with its reason
//! (`what_makes_no_rising_line_says_why`).

/// One batch: `over` of `trials` at `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch {
    /// Where the batch was taken.
    pub x: f64,
    /// Values in it.
    pub trials: f64,
    /// How many of them are over the limit.
    pub over: f64,
}

/// Where the line crosses the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// Where the share has the level.
    pub x: f64,
    /// Standard error of `x`, by the delta method.
    pub se: f64,
    /// d ln(share) / dx, positive.
    pub slope: f64,
}

/// Why there is no crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCrossing {
    /// Too little to fit a line to.
    #[error("fewer than two places with batches, or nothing over the limit anywhere")]
    TooFew,
    /// The line falls or is level.
    #[error("the share does not grow")]
    Flat,
    /// The line is too steep, or the fit does not end.
    #[error("the share jumps: no line follows it")]
    Jump,
}

/// A steeper line is a jump: the share would grow e-fold within 0.2 % of the rate.
const SLOPE_MAX: f64 = 500.0;

/// Iterations of a fit that converges in five or so.
const ITERATIONS: usize = 100;

/// Fits ln E(over/trials) = a + slope·x and solves it for `level`, a share in (0, 1).
///
/// Quasi-Poisson regression with a log link (P. McCullagh & J. A. Nelder, *Generalized linear models*, 1989,
/// ch. 6 and 9): none over the limit is data like any other, where ln(share) would not exist and ln of a small
/// count is biased. The covariance is the sandwich over batches with the factor G/(G − 2) for their number (K.-Y.
/// Liang & S. L. Zeger, Biometrika 73, 1986), because the dispersion grows with the share. Batches that are not
/// finite, or without trials, are left out.
pub fn crossing(batches: &[Batch], level: f64) -> Result<Crossing, NoCrossing> {
    let usable = |b: &&Batch| {
        b.x.is_finite() && b.trials.is_finite() && b.trials > 0.0 && b.over.is_finite() && b.over >= 0.0
    };
    let batches: Vec<Batch> = batches.iter().filter(usable).copied().collect();
    let (trials, over) = batches.iter().fold((0.0, 0.0), |(t, o), b| (t + b.trials, o + b.over));
    let centre = batches.iter().map(|b| b.x * b.trials).sum::<f64>() / trials;
    let spread = batches.iter().map(|b| (b.x - centre).abs()).fold(0.0, f64::max);
    if batches.len() <= 2 || over <= 0.0 || spread.is_nan() || spread <= 1e-9 || !(level > 0.0 && level < 1.0)
    {
        return Err(NoCrossing::TooFew);
    }
    let line = fit(&batches, centre, (over / trials).ln())?;
    let [[v00, v01], [_, v11]] = sandwich(&batches, centre, &line).ok_or(NoCrossing::Jump)?;
    let offset = (level.ln() - line.intercept) / line.slope;
    let variance = (v00 + 2.0 * offset * v01 + offset * offset * v11) / (line.slope * line.slope);
    let (x, se) = (centre + offset, variance.max(0.0).sqrt());
    if x.is_finite() && se.is_finite() {
        Ok(Crossing { x, se, slope: line.slope })
    } else {
        Err(NoCrossing::Jump)
    }
}

/// ln(share) = intercept + slope·(x − centre).
struct FittedLine {
    intercept: f64,
    slope: f64,
}

impl FittedLine {
    /// Expected number over the limit.
    fn expected(&self, b: &Batch, centre: f64) -> f64 {
        // Beyond e^±50 nothing is a share any more, and everything stays finite.
        b.trials * (self.intercept + self.slope * (b.x - centre)).clamp(-50.0, 50.0).exp()
    }
}

/// Newton's method from a flat line, which for this link is iteratively reweighted least squares.
fn fit(batches: &[Batch], centre: f64, level: f64) -> Result<FittedLine, NoCrossing> {
    let mut line = FittedLine { intercept: level, slope: 0.0 };
    for _ in 0..ITERATIONS {
        let (mut score, mut information) = ([0.0; 2], [[0.0; 2]; 2]);
        for b in batches {
            let expected = line.expected(b, centre);
            add_squares(&mut information, b.x - centre, expected);
            score[0] += b.over - expected;
            score[1] += (b.over - expected) * (b.x - centre);
        }
        let inverse = invert(information).ok_or(NoCrossing::Jump)?;
        let step = [0, 1].map(|i| inverse[i][0] * score[0] + inverse[i][1] * score[1]);
        // A step of more than e² in share anywhere overshoots.
        let reach = batches.iter().map(|b| (step[0] + step[1] * (b.x - centre)).abs()).fold(0.0, f64::max);
        let scale = if reach > 2.0 { 2.0 / reach } else { 1.0 };
        line.intercept += scale * step[0];
        line.slope += scale * step[1];
        if !(line.intercept.is_finite() && line.slope.abs() < SLOPE_MAX) {
            return Err(if line.slope < 0.0 { NoCrossing::Flat } else { NoCrossing::Jump });
        }
        if reach < 1e-9 {
            return if line.slope > 0.0 { Ok(line) } else { Err(NoCrossing::Flat) };
        }
    }
    Err(NoCrossing::Jump)
}

fn sandwich(batches: &[Batch], centre: f64, line: &FittedLine) -> Option<[[f64; 2]; 2]> {
    let (mut bread, mut filling) = ([[0.0; 2]; 2], [[0.0; 2]; 2]);
    for b in batches {
        let expected = line.expected(b, centre);
        add_squares(&mut bread, b.x - centre, expected);
        add_squares(&mut filling, b.x - centre, (b.over - expected).powi(2));
    }
    let bread = invert(bread)?;
    let g = batches.len() as f64;
    let product = |a: [[f64; 2]; 2], b: [[f64; 2]; 2]| {
        [0, 1].map(|i| [0, 1].map(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
    };
    Some(product(product(bread, filling), bread).map(|row| row.map(|v| v * g / (g - 2.0))))
}

/// Adds `weight`·(1, x)(1, x)ᵀ.
fn add_squares(to: &mut [[f64; 2]; 2], x: f64, weight: f64) {
    to[0][0] += weight;
    to[0][1] += weight * x;
    to[1][0] += weight * x;
    to[1][1] += weight * x * x;
}

fn invert([[a, b], [c, d]]: [[f64; 2]; 2]) -> Option<[[f64; 2]; 2]> {
    let det = a * d - b * c;
    // Relative to its terms: all the weight at one x leaves only rounding.
    (det.is_finite() && det > 1e-12 * a * d).then(|| [[d / det, -b / det], [-c / det, a / det]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn batches(counts: &[(f64, f64)]) -> Vec<Batch> {
        counts.iter().map(|&(x, over)| Batch { x, trials: 1000.0, over }).collect()
    }

    /// Shares on an exact line: the fit is that line, and nothing is uncertain.
    #[test]
    fn an_exact_line_is_found() {
        let on_line = |x: f64| (x, 1000.0 * 0.01 * (12.0 * (x - 5.0)).exp());
        let got = crossing(&batches(&[4.9, 4.95, 5.05, 5.1].map(on_line)), 0.01).expect("a rising line");
        assert!((got.x - 5.0).abs() < 1e-9 && (got.slope - 12.0).abs() < 1e-6 && got.se < 1e-9, "{got:?}");
    }

    /// The standard error is the spread of the estimates, and counts of about 5 a batch bias them by far less.
    #[test]
    fn the_standard_error_is_the_spread() {
        let mut rng = Rng::new(8);
        let (mut sum, mut squares, mut se) = (0.0, 0.0, 0.0);
        let runs = 400;
        for _ in 0..runs {
            let mut all = vec![];
            for x in [-0.1, -0.05, 0.0, 0.05, 0.1] {
                let p = 0.01 * (10.0_f64 * x).exp();
                for _ in 0..20 {
                    let over = (0..500).filter(|_| rng.f64() < p).count();
                    all.push(Batch { x, trials: 500.0, over: over as f64 });
                }
            }
            let got = crossing(&all, 0.01).expect("a rising line");
            (sum, squares, se) = (sum + got.x, squares + got.x * got.x, se + got.se);
        }
        let n = f64::from(runs);
        let sd = (squares / n - (sum / n).powi(2)).sqrt();
        assert!((sum / n).abs() < 0.1 * sd + 2.0 * sd / n.sqrt(), "bias {} sd {sd}", sum / n);
        assert!((se / n / sd - 1.0).abs() < 0.1, "se {} sd {sd}", se / n);
    }

    #[test]
    fn what_makes_no_rising_line_says_why() {
        let why = |counts: &[(f64, f64)]| crossing(&batches(counts), 0.01).expect_err("no line");
        assert_eq!(why(&[]), NoCrossing::TooFew);
        assert_eq!(why(&[(1.0, 5.0), (1.0, 6.0), (1.0, 7.0)]), NoCrossing::TooFew);
        assert_eq!(why(&[(1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]), NoCrossing::TooFew);
        assert_eq!(why(&[(1.0, 9.0), (2.0, 6.0), (3.0, 2.0)]), NoCrossing::Flat);
        assert_eq!(why(&[(1.0, 0.0), (1.01, 0.0), (1.02, 900.0)]), NoCrossing::Jump);
        assert_eq!(why(&[(f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, f64::NAN)]), NoCrossing::TooFew);
    }
}
