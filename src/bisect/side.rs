//! Decides to which end of a search a commit belongs. Pure.

use crate::stats::dist::t_quantile;
use crate::stats::median_by;

/// One end is so many times as likely as the other when a commit is said to belong to it.
pub const ODDS: f64 = 99.0;

/// More pairs of one commit are not measured: what they did not tell, the noise hides.
pub const MOST_VOTES: usize = 40;

/// The mean of the votes on a commit that is said to be as an end is at least so far on its side, unless all votes are taken:
/// a commit in the middle between both must be seen as what it is.
const CLEAR: f64 = 0.5;

/// Confidence that a commit is like neither end before that is said.
const CONFIDENCE: f64 = 0.99;

/// Deviations and votes further out than so many standard deviations count as if they were there: one process of ten times
/// the time must not decide.
const FAR: f64 = 3.0;

/// The least standard deviation of a vote: a clock that shows no noise is no proof that there is none.
const LEAST_SD: f64 = 0.02;

/// How two ends differ, by the pairs that compared them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends<'a> {
    /// ln(bad) − ln(good), of either sign and not zero.
    pub change: f64,
    /// The smallest change that counts, as a logarithm.
    pub margin: f64,
    /// ln(bad) − ln(good) of each pair.
    pub ratios: &'a [f64],
}

impl Ends<'_> {
    /// The change between the ends that are left, once a commit was placed.
    pub(super) fn narrowed(self, place: &Side) -> Self {
        match place {
            Side::Between { share } => Self { change: self.change * share.max(1.0 - share), ..self },
            _ => self,
        }
    }
}

/// What a commit was found to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// As the good end; not measured where it has the same engine.
    Good {
        /// By its numbers.
        measured: bool,
    },
    /// As the bad end.
    Bad {
        /// By its numbers.
        measured: bool,
    },
    /// Like neither: there is more than one change. The search goes on where the larger part of it is.
    Between {
        /// The part of the change that the commit has, from 0 to 1.
        share: f64,
    },
    /// The noise hides to which end it belongs.
    Open,
    /// It cannot be built or measured.
    Unmeasurable,
}

impl Side {
    /// Whether the change that is looked for lies before the commit; `None` where that is not known.
    pub fn is_bad(&self) -> Option<bool> {
        match self {
            Self::Good { .. } => Some(false),
            Self::Bad { .. } => Some(true),
            Self::Between { share } => Some(*share > 0.5),
            Self::Open | Self::Unmeasurable => None,
        }
    }
}

/// How much pairs vary, by all that were measured so far.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    /// Logarithms of ratios, as deviations from the median of their group.
    deviations: Vec<f64>,
    groups: usize,
}

impl Noise {
    /// The noise of pairs of the same two commits.
    pub fn of(ratios: &[f64]) -> Self {
        let mut noise = Self::default();
        noise.add(ratios);
        noise
    }

    /// Adds pairs of two other commits.
    pub fn add(&mut self, ratios: &[f64]) {
        let mut sorted = ratios.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some((lower, upper)) =
            sorted.len().checked_sub(1).map(|last| (sorted[last / 2], sorted[last.div_ceil(2)]))
        else {
            return;
        };
        // Groups may have two: then the middle is between them.
        let middle = lower.midpoint(upper);
        self.deviations.extend(ratios.iter().map(|ratio| ratio - middle));
        self.groups += 1;
    }

    /// The standard deviation of a pair's ratio without the weight of what lies far out, and its degrees of freedom.
    fn sd(&self) -> (f64, f64) {
        let sizes = self.deviations.iter().map(|d| d.abs());
        // 1.4826: the standard deviation of normal numbers whose median size is 1.
        let typical = 1.4826 * median_by(sizes, f64::total_cmp).unwrap_or(0.0);
        let near = |d: &f64| if typical > 0.0 { d.clamp(-FAR * typical, FAR * typical) } else { *d };
        let df = self.deviations.len().saturating_sub(self.groups).max(1) as f64;
        ((self.deviations.iter().map(|d| near(d).powi(2)).sum::<f64>() / df).sqrt(), df)
    }
}

/// What the pairs of a commit with either end tell; `None`: not yet anything. `ratios`: ln(commit) − ln(good) and
/// ln(bad) − ln(commit).
pub(super) fn judge(ratios: &[Vec<f64>; 2], ends: &Ends, noise: &Noise) -> Option<Side> {
    let mut noise = noise.clone();
    ratios.iter().for_each(|with_one_end| noise.add(with_one_end));
    let (sd, df) = noise.sd();
    let sd = (2.0 * sd / ends.change.abs()).max(LEAST_SD);
    let furthest = 1.0 + FAR * sd;
    let vote = |ratio: f64| 2.0 * ratio / ends.change - 1.0;
    let votes = ratios[0].iter().map(|r| vote(*r)).chain(ratios[1].iter().map(|r| -vote(*r)));
    let votes: Vec<f64> = votes.map(|v| v.clamp(-furthest, furthest)).collect();
    if ratios.iter().any(Vec::is_empty) || !sd.is_finite() {
        return None;
    }
    let mean = votes.iter().sum::<f64>() / votes.len() as f64;
    let se = sd / (votes.len() as f64).sqrt();
    // A change that does not count is no reason to call a commit another one.
    let edge = 1.0 - 2.0 * ends.margin / ends.change.abs();
    let half = t_quantile(0.5 + CONFIDENCE / 2.0, df) * se;
    if mean - half > -edge && mean + half < edge {
        return Some(Side::Between { share: (mean + 1.0) / 2.0 });
    }
    let clear = mean.abs() >= CLEAR || votes.len() >= MOST_VOTES;
    let told = log_odds(mean, se, df).abs() >= ODDS.ln();
    (clear && told).then_some(if mean > 0.0 {
        Side::Bad { measured: true }
    } else {
        Side::Good { measured: true }
    })
}

/// ln of how much more likely a mean of +1 is than one of −1, where the standard error is itself an estimate: the ratio of
/// the densities of Student's t.
fn log_odds(mean: f64, se: f64, df: f64) -> f64 {
    let far = |end: f64| ((mean - end) / se).powi(2) / df;
    0.5 * (df + 1.0) * (far(-1.0).ln_1p() - far(1.0).ln_1p())
}
