//! Measures two arms of one case as pairs of fresh processes, in ABBA order, and looks at the numbers between the
//! pairs.
//!
//! Pair i is one process of each arm, back to back. Which arm goes first is drawn per two pairs from the seed and
//! reversed in the second (Kalibera & Jones 2013; Bulej et al. 2020), so that slow drift cancels. Decisions are
//! taken at the looks only; pairs are discarded whole or not at all.

use super::context::Session;
use super::pilot::{self, PILOT_PAIRS};
use super::stages::{case_record, measure_process};
use crate::case::{Case, TimeFrom};
use crate::compare::{
    CalibratedPrior, CaseComparison, Design, Inconclusive, Invalid, Metric, Verdict, compare_case,
};
use crate::engine::Built;
use crate::error::{Failure, Result};
use crate::outcome::Event;
use crate::record::CaseRecord;
use crate::rng::Rng;
use crate::stats::{Decision, LOOKS, look_alpha, next_look};
use crate::summarize::{InvalidReason, Summary};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Fewer pairs decide nothing.
const MIN_PAIRS: usize = 3;
/// More than this share of pairs discarded makes the comparison invalid.
const MAX_DISCARDED_FRAC: f64 = 0.2;

/// One side of a comparison.
pub(super) struct Arm<'a> {
    /// `base` or `head`.
    pub name: &'static str,
    /// The case.
    pub case: &'a Case,
    /// Its engine.
    pub built: &'a Built,
}

/// Why no comparison came of it: the failure of the arm that could not be measured.
#[derive(Clone, Debug)]
pub(super) enum PairFailure {
    Base(Failure),
    Head(Failure),
}

impl PairFailure {
    /// The failure, whichever arm's it is.
    pub fn any(self) -> Failure {
        match self {
            Self::Base(f) | Self::Head(f) => f,
        }
    }
}

/// How many pairs, and how sure.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// A fixed number of pairs instead of sequential looks.
    pub pairs: Option<usize>,
    /// No look is begun that would end after this, judged by the pairs so far; the first one by its first pair.
    pub max_time: Option<Duration>,
    /// Overall two-sided error rate.
    pub alpha: f64,
    /// The seed of the order of the arms.
    pub seed: u64,
    /// Pairs of the case that were measured before: numbers, and with them the arrivals of an open loop, go on from
    /// there.
    pub after: u64,
}

impl Looks {
    /// Sequential looks exist for the error rates whose thresholds were simulated.
    pub fn check(&self) -> Result<()> {
        match (self.pairs, look_alpha(self.alpha)) {
            (None, Err(e)) => {
                Err(Failure::usage(e.to_string())
                    .next("use --alpha 0.05 or 0.01, or a fixed number of --pairs"))
            }
            (Some(n), _) if n < MIN_PAIRS => Err(Failure::usage(format!("{n} pairs decide nothing"))
                .next("measure at least 3 --pairs, better 5")),
            _ if !(self.alpha > 0.0 && self.alpha < 0.5) => {
                Err(Failure::usage("--alpha is an error rate, such as 0.05"))
            }
            _ => Ok(()),
        }
    }

    /// Pairs at the next look, and its error rate.
    fn next(&self, pairs: usize) -> Option<(usize, f64)> {
        match self.pairs {
            Some(fixed) => (pairs < fixed).then_some((fixed, self.alpha)),
            None => next_look(pairs).zip(look_alpha(self.alpha).ok()),
        }
    }

    /// How many pairs of a look of `until` there is time for, where `tried` pairs took `elapsed` and `kept` of them
    /// count; `None`: not enough to be worth beginning. Only the first look is made smaller.
    fn in_time(&self, until: usize, tried: usize, kept: usize, elapsed: Duration) -> Option<usize> {
        let Some(limit) = self.max_time.filter(|_| tried > 0) else { return Some(until) };
        let a_pair = elapsed.div_f64(tried as f64);
        let left = limit.saturating_sub(elapsed);
        if a_pair.mul_f64((until - kept.min(until)) as f64) <= left {
            return Some(until);
        }
        let fitting = kept + (left.as_secs_f64() / a_pair.as_secs_f64().max(1e-9)) as usize;
        (tried == 1 && fitting >= MIN_PAIRS).then_some(fitting.min(until))
    }

    /// Pairs at the last look.
    fn most(&self) -> usize {
        self.pairs.unwrap_or(LOOKS[LOOKS.len() - 1])
    }

    /// How many looks there can be: what a correction for several cases has to allow for.
    pub fn count(&self) -> usize {
        if self.pairs.is_some() { 1 } else { LOOKS.len() }
    }
}

/// A comparison by pairs, with both arms' records.
#[derive(Clone, Debug)]
pub(super) struct Paired {
    /// Head against base.
    pub comparison: CaseComparison,
    /// The base's processes.
    pub base: CaseRecord,
    /// The head's processes.
    pub head: CaseRecord,
    /// Pairs that were kept.
    pub pairs: usize,
    /// Pairs that were thrown away.
    pub discarded: usize,
}

/// What is known of the spread between a case's pairs before any is measured; given the record so far.
pub(super) type Expect<'a> = dyn Fn(&CaseRecord, Metric) -> Option<CalibratedPrior> + 'a;

/// Measures pairs until every gated metric is decided, or the last look or the time is reached.
pub(super) fn compare_pairs(
    session: &Session,
    base: &Arm,
    head: &Arm,
    looks: Looks,
    expect: &Expect,
    samples: &Path,
) -> Result<Paired, PairFailure> {
    let start = Instant::now();
    let mut run = PairRun {
        arms: [base, head],
        summaries: [Vec::new(), Vec::new()],
        outputs: [BTreeMap::new(), BTreeMap::new()],
        done: looks.after,
        discarded: 0,
        why_discarded: None,
        order: Order::new(looks.seed),
        began: start,
    };
    let mut paired = None;
    while let Some((until, alpha)) = looks.next(run.summaries[0].len()) {
        if run.tried() == 0 && looks.max_time.is_some() {
            run.pair(session, samples)?;
        }
        let Some(until) = looks.in_time(until, run.tried(), run.summaries[0].len(), start.elapsed()) else {
            if paired.is_none() {
                paired = Some(run.out_of_time(until, looks, expect)?);
            }
            break;
        };
        if paired.is_some() {
            run.tell_look(session, until, looks.most(), start.elapsed());
        }
        while run.summaries[0].len() < until && !run.hopeless(looks.most()) {
            run.pair(session, samples)?;
        }
        let now = run.judge(alpha, looks.seed, expect).map_err(PairFailure::Head)?;
        // A machine that was disturbed for a while gets the pairs of the next looks to make up for it.
        let open = undecided(&now.comparison) || run.is_spoiled();
        paired = Some(now);
        if !open || run.hopeless(looks.most()) {
            break;
        }
    }
    match paired {
        Some(p) => Ok(p),
        None => run.judge(looks.alpha, looks.seed, expect).map_err(PairFailure::Head),
    }
}

/// Whether a further look could decide something: a metric that is not decided, or not yet judged for want of
/// pairs.
fn undecided(c: &CaseComparison) -> bool {
    c.metrics.iter().any(|m| match &m.ruling {
        Ok(r) => r.decision == Decision::Inconclusive,
        Err(why) => why.wants_processes(),
    })
}

/// One pair that was disturbed says nothing about the machine; from two on their share counts.
fn is_spoiled(discarded: usize, kept: usize) -> bool {
    discarded >= 2 && discarded as f64 > MAX_DISCARDED_FRAC * (discarded + kept) as f64
}

struct PairRun<'a> {
    arms: [&'a Arm<'a>; 2],
    summaries: [Vec<Summary>; 2],
    outputs: [BTreeMap<String, String>; 2],
    /// Number of the last pair.
    done: u64,
    discarded: usize,
    /// Why the last discarded pair was discarded.
    why_discarded: Option<InvalidReason>,
    order: Order,
    began: Instant,
}

impl PairRun<'_> {
    /// One more pair, kept or discarded whole.
    fn pair(&mut self, session: &Session, samples: &Path) -> Result<(), PairFailure> {
        self.done += 1;
        let first = self.order.next();
        let mut found: [Option<Summary>; 2] = [None, None];
        for arm in [first, 1 - first] {
            let side = self.arms[arm];
            let folder = samples.join(side.case.id.replace('/', "__")).join(side.name);
            let case = pilot::timed(side.case, session.chosen_time(&side.case.id));
            let measured = measure_process(session, &case, side.built, self.done, &folder);
            let (summary, outputs) =
                measured.map_err(if arm == 0 { PairFailure::Base } else { PairFailure::Head })?;
            if self.outputs[arm].is_empty() {
                self.outputs[arm] = outputs;
            }
            found[arm] = Some(summary);
        }
        let [Some(base), Some(head)] = found else { return Ok(()) };
        if let Some(why) = base.invalid_reason().or_else(|| head.invalid_reason()) {
            self.discarded += 1;
            self.why_discarded = Some(why);
        } else {
            self.summaries[0].push(base);
            self.summaries[1].push(head);
        }
        self.choose_time(session);
        Ok(())
    }

    /// How long further processes measure, once the first pairs are there to choose by.
    fn choose_time(&self, session: &Session) {
        let case = self.arms[1].case;
        let free = self.arms.iter().all(|arm| arm.case.effort.measure_from == TimeFrom::BuiltIn);
        let pilot = self.tried() == PILOT_PAIRS && self.discarded == 0;
        if !free || !pilot || session.chosen_time(&case.id).is_some() {
            return;
        }
        let arms = [&self.summaries[0][..], &self.summaries[1][..]];
        let chosen = pilot::choose(case.scenario, case.point, &case.effort, arms, self.began.elapsed());
        if let Some(chosen) = chosen {
            session.note(&format!("{}: {}", case.id, chosen.why));
            session.times.borrow_mut().insert(case.id.clone(), chosen.measure);
        }
    }

    /// Says that a look did not decide, and how long the next one takes if pairs go on as they did.
    fn tell_look(&self, session: &Session, until: usize, most: usize, elapsed: Duration) {
        let pairs = self.summaries[0].len();
        let a_pair = elapsed.div_f64(self.tried().max(1) as f64);
        let expected = a_pair.mul_f64(until.saturating_sub(pairs) as f64);
        session.tell(Event::Look { id: &self.arms[1].case.id, pairs, until, most, expected });
    }

    fn tried(&self) -> usize {
        self.summaries[0].len() + self.discarded
    }

    /// Too many of the pairs so far were discarded.
    fn is_spoiled(&self) -> bool {
        is_spoiled(self.discarded, self.summaries[0].len())
    }

    /// So many pairs were discarded that the comparison is invalid, even if all others up to the last look are kept.
    fn hopeless(&self, most: usize) -> bool {
        is_spoiled(self.discarded, most)
    }

    /// There was no time for a look of `wanted` pairs.
    fn out_of_time(&self, wanted: usize, looks: Looks, expect: &Expect) -> Result<Paired, PairFailure> {
        let mut paired = self.judge(looks.alpha, looks.seed, expect).map_err(PairFailure::Head)?;
        let pairs = self.summaries[0].len();
        paired.comparison.verdict = Verdict::Inconclusive(Inconclusive::TimeRanOut { pairs, wanted });
        Ok(paired)
    }

    fn judge(&self, alpha: f64, seed: u64, expect: &Expect) -> Result<Paired> {
        let record = |arm: usize| {
            case_record(
                self.arms[arm].case,
                self.arms[arm].built,
                self.outputs[arm].clone(),
                self.summaries[arm].clone(),
            )
        };
        let (base, head) = (record(0)?, record(1)?);
        let case = self.arms[1].case;
        let design = Design::Pairs { alpha, seed, prior: &|metric| expect(&head, metric) };
        let mut comparison = compare_case(&case.id, &base, &head, case.margins, &design);
        if let Some(last) = self.why_discarded.clone().filter(|_| self.is_spoiled()) {
            let (discarded, of) = (self.discarded, self.tried());
            comparison.verdict = Verdict::Invalid(Invalid::PairsDiscarded { discarded, of, last });
        }
        Ok(Paired { comparison, base, head, pairs: self.summaries[0].len(), discarded: self.discarded })
    }
}

/// Which arm goes first: drawn, then reversed, then drawn anew.
struct Order {
    rng: Rng,
    reversed: Option<usize>,
}

impl Order {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), reversed: None }
    }

    fn next(&mut self) -> usize {
        if let Some(arm) = self.reversed.take() {
            return arm;
        }
        let first = usize::from(self.rng.coin());
        self.reversed = Some(1 - first);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_balanced_every_two_pairs_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut order = Order::new(seed);
            (0..40).map(|_| order.next()).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert!(drawn.chunks(2).all(|p| p[0] + p[1] == 1), "ABBA or BAAB");
        assert_eq!(drawn, draw(7));
        assert!(drawn.chunks(2).any(|p| p[0] == 0) && drawn.chunks(2).any(|p| p[0] == 1));
    }

    #[test]
    fn a_disturbance_that_passes_costs_pairs_and_not_the_answer() {
        // Two of the first seven are too many so far, and few enough of those that may still come.
        assert!(is_spoiled(2, 5) && !is_spoiled(2, 8) && !is_spoiled(2, 20));
        assert!(!is_spoiled(5, 20) && is_spoiled(6, 20), "beyond a fifth no further pair helps");
        assert!(!is_spoiled(1, 0) && !is_spoiled(0, 0), "one alone is an accident");
    }

    #[test]
    fn a_look_is_begun_only_if_it_can_end_in_time_and_the_first_may_be_smaller() {
        let limit = |seconds| Looks {
            pairs: None,
            max_time: Some(Duration::from_secs(seconds)),
            alpha: 0.05,
            seed: 1,
            after: 0,
        };
        let second = Duration::from_secs(1);
        assert_eq!(limit(10).in_time(5, 1, 1, second), Some(5));
        assert_eq!(limit(4).in_time(5, 1, 1, second), Some(4));
        assert_eq!(limit(3).in_time(5, 1, 1, second), Some(3));
        assert_eq!(limit(2).in_time(5, 1, 1, second), None);
        assert_eq!(limit(2).in_time(5, 1, 1, 3 * second), None, "the first pair took it all");
        assert_eq!(limit(7).in_time(8, 5, 5, 5 * second), None, "a later look is whole or not begun");
        assert_eq!(limit(8).in_time(8, 5, 5, 5 * second), Some(8));
        let unlimited = Looks { max_time: None, ..limit(0) };
        assert_eq!(unlimited.in_time(5, 1, 1, second), Some(5));
    }

    #[test]
    fn looks_are_the_planned_ones_or_the_fixed_number() {
        let looks = Looks { pairs: None, max_time: None, alpha: 0.05, seed: 1, after: 0 };
        let steps: Vec<usize> =
            [0, 5, 8, 12, 20].iter().filter_map(|n| looks.next(*n).map(|(until, _)| until)).collect();
        assert_eq!(steps, LOOKS);
        assert_eq!(looks.most(), 20);
        let fixed = Looks { pairs: Some(3), ..looks };
        assert_eq!(fixed.most(), 3);
        assert_eq!((fixed.next(0), fixed.next(3)), (Some((3, 0.05)), None));
    }
}
