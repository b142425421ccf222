//! Measures two arms of one case as pairs of fresh processes, in ABBA order, and looks at the numbers between the
//! pairs.
//!
//! Pair i is one process of each arm, back to back. Which arm goes first is drawn per two pairs from the seed and
//! reversed in the second (Kalibera & Jones 2013; Bulej et al. 2020), so that slow drift cancels. Decisions are
//! taken at the looks only; pairs are discarded whole or not at all.

use super::alternation::Alternation;
use super::context::Session;
use super::kernels::on_its_lane;
use super::looks::Looks;
use super::pilot::{self, PILOT_PAIRS};
use super::stages::{Destination, case_record, measure_process};
use crate::case::{Case, TimeFrom};
use crate::compare::confirm::is_settled;
use crate::compare::{
    CalibratedPrior, Metric, OutputDifference, case_metrics, lacks_requests, largest_difference,
};
use crate::config::case_folder;
use crate::engine::Built;
use crate::error::{Failure, Result};
use crate::evidence::{PairSet, is_spoiled};
use crate::measure::take_outputs;
use crate::outcome::Event;
use crate::record::CaseRecord;
use crate::stats::Order;
use crate::stats::decide::MIN_TAIL_UNITS;
use crate::summarize::{InvalidReason, Summary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One side of a comparison.
pub(super) struct Arm<'a> {
    /// `base` or `head`.
    pub name: &'static str,
    /// The case.
    pub case: &'a Case,
    /// Its engine.
    pub built: &'a Built,
}

impl Arm<'_> {
    /// Where its samples go, below the folder of all.
    fn folder(&self, samples: &Path) -> PathBuf {
        samples.join(case_folder(&self.case.id)).join(self.name)
    }
}

/// Where the outputs of an arm's first process are, until they are compared.
fn outputs_of(folder: &Path) -> PathBuf {
    folder.join("outputs")
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

/// What is known of the spread between a case's pairs before any is measured; given the record so far.
pub(super) type Expect<'a> = dyn Fn(&CaseRecord, Metric) -> Option<CalibratedPrior> + 'a;

/// Measures pairs until the case is settled, or the last look or the time is reached.
pub(super) fn compare_pairs(
    session: &Session,
    base: &Arm,
    head: &Arm,
    looks: Looks,
    expect: &Expect,
    samples: &Path,
) -> Result<PairSet, PairFailure> {
    let start = Instant::now();
    let here = |arm: &Arm| on_its_lane(session, arm.case, arm.built);
    let built = [here(base), here(head)];
    let [base, head] = [&Arm { built: &built[0], ..*base }, &Arm { built: &built[1], ..*head }];
    let mut run = PairRun {
        arms: [base, head],
        summaries: [Vec::new(), Vec::new()],
        first: Vec::new(),
        outputs: [BTreeMap::new(), BTreeMap::new()],
        difference: None,
        short: Vec::new(),
        takes_short: looks.most() < MIN_TAIL_UNITS,
        most: looks.most(),
        done: looks.after,
        discarded: 0,
        why_discarded: None,
        order: Alternation::new(looks.seed),
        began: start,
    };
    let mut paired = None;
    while let Some((until, alpha)) = looks.next(run.summaries[0].len()) {
        if run.tried() == 0 && looks.max_time.is_some() {
            run.pair(session, samples)?;
        }
        let Some(until) = looks.in_time(until, run.tried(), run.summaries[0].len(), start.elapsed()) else {
            if paired.is_none() {
                run.take_short();
                let set = run.set(looks.alpha, expect).map_err(PairFailure::Head)?;
                paired = Some(PairSet { ran_out: Some(until), ..set });
            } else {
                let (id, pairs) = (&head.case.id, run.summaries[0].len());
                session
                    .note(&format!("{id}: time is up (--max-time) after {pairs} pairs; {until} were next"));
            }
            break;
        };
        if paired.is_some() {
            run.tell_look(session, until, looks.most(), start.elapsed());
        }
        let enough = |run: &PairRun| run.summaries[0].len() >= until || run.hopeless(looks.most());
        while !enough(&run) && !run.computes_otherwise() {
            run.pair(session, samples)?;
        }
        let now = run.set(alpha, expect).map_err(PairFailure::Head)?;
        // A machine that was disturbed for a while gets the pairs of the next looks to make up for it.
        let open = !is_settled(&now.compare(&head.case.id, head.case.margins)) || now.is_spoiled();
        let open = open && now.computes_otherwise().is_none();
        paired = Some(now);
        if !open || run.hopeless(looks.most()) {
            break;
        }
    }
    match paired {
        Some(p) => Ok(p),
        None => run.set(looks.alpha, expect).map_err(PairFailure::Head),
    }
}

struct PairRun<'a> {
    arms: [&'a Arm<'a>; 2],
    summaries: [Vec<Summary>; 2],
    /// Which arm ran first in each pair that was kept.
    first: Vec<Order>,
    outputs: [BTreeMap<String, String>; 2],
    /// How far the outputs of the first pair are apart.
    difference: Option<OutputDifference>,
    /// Pairs with too few requests for the tail, left out.
    short: Vec<([Summary; 2], Order)>,
    /// Whether such pairs count all the same, and the tail is not judged.
    takes_short: bool,
    /// Pairs at the last look.
    most: usize,
    /// Number of the last pair.
    done: u64,
    discarded: usize,
    /// Why the last discarded pair was discarded.
    why_discarded: Option<InvalidReason>,
    order: Alternation,
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
            let folder = side.folder(samples);
            let case = pilot::timed(side.case, session.chosen_time(&side.case.id));
            // Those of one pair are all that a comparison needs.
            let outputs = (self.done == 1).then(|| outputs_of(&folder));
            let to = Destination { folder: &folder, outputs };
            let measured = measure_process(session, &case, side.built, self.done, &to);
            let (summary, outputs) =
                measured.map_err(if arm == 0 { PairFailure::Base } else { PairFailure::Head })?;
            if self.outputs[arm].is_empty() {
                self.outputs[arm] = outputs;
            }
            found[arm] = Some(summary);
        }
        if self.done == 1 {
            self.difference = self.compare_outputs(samples)?;
        }
        let [Some(base), Some(head)] = found else { return Ok(()) };
        let order = if first == 0 { Order::BaseFirst } else { Order::HeadFirst };
        if let Some(why) = base.invalid_reason().or_else(|| head.invalid_reason()) {
            self.discarded += 1;
            self.why_discarded = Some(why);
        } else if let Some(why) =
            lacks_requests(self.arms[1].case, [&base, &head]).filter(|_| !self.takes_short)
        {
            self.leave_out(session, ([base, head], order), &why);
        } else {
            self.take([base, head], order);
        }
        self.choose_time(session);
        Ok(())
    }

    /// Without tolerances, outputs that cannot be read are a difference that is not shown: that there is one, the hashes
    /// tell. With some they would be one that nobody looked for.
    fn compare_outputs(&self, samples: &Path) -> Result<Option<OutputDifference>, PairFailure> {
        let tolerances = self.arms[1].case.outputs;
        let read = |arm: &Arm| take_outputs(&outputs_of(&arm.folder(samples)), &arm.built.header.outputs);
        let [base, head] = self.arms.map(read);
        match (base, head) {
            (Ok(base), Ok(head)) => Ok(largest_difference(&base, &head, tolerances)),
            (Err(failure), _) if tolerances.is_some() => Err(PairFailure::Base(failure)),
            (_, Err(failure)) if tolerances.is_some() => Err(PairFailure::Head(failure)),
            _ => Ok(None),
        }
    }

    /// Whether no time of head counts, because it computes something else by more than is tolerated.
    fn computes_otherwise(&self) -> bool {
        let tolerances = self.arms[1].case.outputs;
        tolerances.zip(self.difference.as_ref()).is_some_and(|(tolerances, d)| d.exceeds(tolerances))
    }

    /// One process with too few requests must cost its pair and not the judgement of the tail. Where it is not one but
    /// too many, all pairs count, and it is the tail that is not judged.
    fn leave_out(&mut self, session: &Session, pair: ([Summary; 2], Order), why: &str) {
        let id = &self.arms[1].case.id;
        session.note(&format!("{id}: pair {} is discarded: {why}", self.done));
        self.short.push(pair);
        if is_spoiled(self.short.len(), self.most) {
            session.note(&format!(
                "{id}: so many pairs lack requests that they count, and the tail is not judged"
            ));
            self.take_short();
        }
    }

    fn take_short(&mut self) {
        self.takes_short = true;
        for (pair, order) in std::mem::take(&mut self.short) {
            self.take(pair, order);
        }
    }

    fn take(&mut self, [base, head]: [Summary; 2], order: Order) {
        self.summaries[0].push(base);
        self.summaries[1].push(head);
        self.first.push(order);
    }

    /// How long further processes measure, once the first pairs are there to choose by.
    fn choose_time(&self, session: &Session) {
        let case = self.arms[1].case;
        // The first pairs load different builds where there are several: their spread is not that of processes.
        let free = self
            .arms
            .iter()
            .all(|arm| arm.case.effort.measure_from == TimeFrom::BuiltIn && arm.built.others.is_empty());
        let pilot = self.tried() == PILOT_PAIRS && self.summaries[0].len() == PILOT_PAIRS;
        if !free || !pilot || session.chosen_time(&case.id).is_some() {
            return;
        }
        let arms = [&self.summaries[0][..], &self.summaries[1][..]];
        let chosen = pilot::choose(case.scenario, case.point, &case.effort, arms, self.began.elapsed());
        if let Some(chosen) = chosen {
            session.note(&format!("{}: {}", case.id, chosen.why));
            session.choose_time(&case.id, chosen.measure);
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
        self.summaries[0].len() + self.short.len() + self.discarded
    }

    /// So many pairs were discarded that the comparison is invalid, even if all others up to the last look are kept.
    fn hopeless(&self, most: usize) -> bool {
        is_spoiled(self.discarded, most)
    }

    /// The pairs so far, as a look judges them at the error rate `alpha`.
    fn set(&self, alpha: f64, expect: &Expect) -> Result<PairSet> {
        let record = |arm: usize| {
            case_record(
                self.arms[arm].case,
                self.arms[arm].built,
                self.outputs[arm].clone(),
                self.summaries[arm].clone(),
            )
        };
        let (base, head) = (record(0)?, record(1)?);
        let known = |metric| Some((metric, expect(&head, metric)?));
        Ok(PairSet {
            priors: case_metrics(&head).into_iter().filter_map(known).collect(),
            base,
            head,
            order: self.first.clone(),
            alpha,
            discarded: self.discarded,
            short: self.short.len(),
            last_discarded: self.why_discarded.as_ref().map(ToString::to_string),
            ran_out: None,
            difference: self.difference.clone(),
            tolerances: self.arms[1].case.outputs,
        })
    }
}
