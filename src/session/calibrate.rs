//! Runs a calibration: one engine per case, then session after session over all cases, so that the sessions of a case
//! are spread over time. Both arms of every pair are the same engine, so every difference is noise. Where several builds
//! are asked for, each arm has as many of its own: then that noise is also how much builds differ.
//!
//! On several devices a session is measured on each of them alone, which is what makes the calibration, and on all side by
//! side, which shows whether they disturb each other.

mod lanes;

use super::alternation::Alternation;
use super::context::Session;
use super::expected::whole_time;
use super::looks::{Looks, MOST_PAIRS};
use super::pairs::{Arm, PairFailure, compare_pairs};
use super::stages::{build_all, record_device};
use super::{Setup, ensure_some_make_sense};
use crate::calibration::lanes::{LaneCalibration, LaneSession, lane_effects};
use crate::calibration::{ALPHA, AaSession, Calibration, calibrate_case};
use crate::case::{Case, TimeFrom};
use crate::device::Timer;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::stats::sessions::MIN_SESSIONS;
use crate::units::Nanos;
use lanes::session_of_lanes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// How many sessions.
    pub sessions: usize,
    /// Pairs of each session.
    pub pairs: usize,
    /// No further session is begun that would end after this.
    pub max_time: Option<Duration>,
    /// The seed of the order of the arms.
    pub seed: u64,
}

impl Amount {
    /// Fewer sessions or pairs would be measured in vain.
    pub fn check(&self) -> Result<()> {
        if self.sessions < MIN_SESSIONS {
            return Err(Failure::usage(format!(
                "{} sessions do not tell how much sessions differ",
                self.sessions
            ))
            .next(format!("measure at least {MIN_SESSIONS} --sessions")));
        }
        if self.pairs < 3 {
            return Err(Failure::usage(format!("{} pairs do not tell how much pairs differ", self.pairs))
                .next("measure at least 3 --pairs per session, better 5"));
        }
        if self.pairs > MOST_PAIRS || self.sessions > MOST_PAIRS {
            let what = format!("{} sessions of {} pairs have no end", self.sessions, self.pairs);
            return Err(Failure::usage(format!("{what}; {MOST_PAIRS} of each are the most")));
        }
        Ok(())
    }
}

/// What a calibration leaves.
pub struct Calibrated {
    /// `None`: too little was complete.
    pub calibration: Option<Calibration>,
    /// Cases that could not be built, measured or calibrated.
    pub failed: BTreeMap<String, Failure>,
    /// How many sessions of every case are complete.
    pub sessions: usize,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
}

/// Measures A/A sessions of `cases` and estimates what varies. `clock` was measured before any worker ran.
pub fn calibrate(setup: &Setup, cases: &[Case], clock: Timer, amount: Amount) -> Result<Calibrated> {
    amount.check()?;
    let pairs = amount.sessions * amount.pairs * cases.len();
    // Alone, and side by side.
    let times = if setup.lanes.len() > 1 { 2 * setup.lanes.len() } else { 1 };
    let session = Session::open(setup, cases, Some((2 * pairs * times) as u64))?;
    // What a later session measures at a pinned point must have been calibrated there.
    let (mut cases, _) = session.pinned(cases);
    // All sessions must measure as long, and the calibration says how long.
    for case in cases.iter_mut().filter(|case| case.effort.measure_from == TimeFrom::BuiltIn) {
        case.effort.measure_from = TimeFrom::Chosen;
    }
    let mut run = CalibrationRun {
        measured: BTreeMap::new(),
        lanes: BTreeMap::new(),
        failed: BTreeMap::new(),
        sessions: 0,
        interrupted: false,
    };
    let several: Vec<Case> = cases.iter().filter(|case| case.effort.builds > 1).cloned().collect();
    let bases = build_all(&session, &cases);
    ensure_some_make_sense(&bases)?;
    let mut heads = build_all(&session, &several);
    let mut engines = BTreeMap::new();
    for (id, base) in bases {
        let head = heads.remove(&id).unwrap_or_else(|| base.clone());
        match base.and_then(|base| Ok([base, head?])) {
            Ok(arms) => drop(engines.insert(id, arms)),
            Err(f) => run.fail(&session, &id, f),
        }
    }
    run.all(&session, &cases, &engines, amount)?;
    Ok(run.finish(&session, &cases, clock))
}

struct CalibrationRun {
    measured: BTreeMap<String, Vec<AaSession>>,
    lanes: BTreeMap<String, Vec<LaneSession>>,
    failed: BTreeMap<String, Failure>,
    sessions: usize,
    interrupted: bool,
}

impl CalibrationRun {
    fn fail(&mut self, session: &Session, id: &str, failure: Failure) {
        if failure.kind == FailureKind::Interrupted {
            self.interrupted = true;
            return;
        }
        session.failed(id, &failure);
        self.failed.insert(id.to_owned(), failure);
    }

    /// Session 1 of every case, then session 2, until there are enough or the time is up.
    fn all(
        &mut self,
        session: &Session,
        cases: &[Case],
        engines: &BTreeMap<String, [Built; 2]>,
        amount: Amount,
    ) -> Result<()> {
        let start = Instant::now();
        let mut order = Alternation::new(amount.seed);
        for number in 1..=amount.sessions {
            let alone_first = order.next() == 0;
            for case in cases {
                let Some(built) = engines.get(&case.id).filter(|_| !self.failed.contains_key(&case.id))
                else {
                    continue;
                };
                if self.interrupted {
                    return Ok(());
                }
                if let Err(f) = self.one(session, case, built, amount, (number, alone_first)) {
                    self.fail(session, &case.id, f);
                }
            }
            if self.interrupted || self.failed.len() == cases.len() {
                return Ok(());
            }
            self.sessions = number;
            let each = start.elapsed() / number as u32;
            let left = each * (amount.sessions - number) as u32;
            if number < amount.sessions {
                let (all, left) = (amount.sessions, whole_time(left));
                session.note(&format!("session {number} of {all} is done; about {left} left"));
            }
            if let Some(limit) = amount.max_time {
                in_time(number, each, limit)?;
                if start.elapsed() + each > limit {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Session `number` of a case.
    fn one(
        &mut self,
        session: &Session,
        case: &Case,
        built: &[Built; 2],
        amount: Amount,
        number: (usize, bool),
    ) -> Result<()> {
        let measured = self.measured.entry(case.id.clone()).or_default();
        if session.lanes.all.len() < 2 {
            measured.push(one(session, case, built, amount, number.0, "")?);
            return Ok(());
        }
        let found = session_of_lanes(session, case, built, amount, number)?;
        measured.extend(found.lanes.iter().map(|[alone, _]| alone.clone()));
        self.lanes.entry(case.id.clone()).or_default().push(found);
        Ok(())
    }

    /// Whether lanes disturb each other, by the cases that have enough sessions.
    fn lanes(&self, session: &Session, cases: &[Case]) -> Option<LaneCalibration> {
        let devices: Vec<u32> = session.lanes.all.iter().map(|lane| lane.number).collect();
        let effects = |case: &Case| {
            let sessions = self.lanes.get(&case.id)?;
            let found = lane_effects(&devices, sessions, case.margins);
            (!found.is_empty()).then(|| (case.id.clone(), found))
        };
        let cases: BTreeMap<_, _> = cases.iter().filter_map(effects).collect();
        (!cases.is_empty()).then_some(LaneCalibration { created_s: session.now_s, devices, cases })
    }

    /// What came of it. Nothing before the sessions are enough for every case: a calibration takes the place of the one
    /// before with all of its cases.
    fn finish(mut self, session: &Session, cases: &[Case], clock: Timer) -> Calibrated {
        let mut calibrated = BTreeMap::new();
        for case in cases.iter().filter(|_| self.sessions >= MIN_SESSIONS) {
            let Some(sessions) = self.measured.get(&case.id).filter(|_| !self.failed.contains_key(&case.id))
            else {
                continue;
            };
            match calibrate_case(&case.id, sessions, case.margins, case.effort.measure, session.now_s) {
                Ok(found) => drop(calibrated.insert(case.id.clone(), found)),
                Err(why) => {
                    let failure = Failure::new(FailureKind::Measure, format!("cannot be calibrated: {why}"));
                    self.failed.insert(case.id.clone(), failure.next("measure longer, with --measure"));
                }
            }
        }
        let calibration = (!calibrated.is_empty()).then(|| Calibration {
            id: String::new(),
            created_s: session.now_s,
            tool: env!("CARGO_PKG_VERSION").into(),
            device: record_device(session.device),
            clock,
            cases: calibrated,
            lanes: self.lanes(session, cases),
        });
        Calibrated {
            calibration,
            failed: self.failed,
            sessions: self.sessions,
            interrupted: self.interrupted,
        }
    }
}

/// One session of one case: a fixed number of pairs, judged by nobody yet. Samples go to `place` below the session's folder.
fn one(
    session: &Session,
    case: &Case,
    [base, head]: &[Built; 2],
    amount: Amount,
    number: usize,
    place: &str,
) -> Result<AaSession> {
    let seed = amount.seed.wrapping_add(number as u64);
    let looks = Looks { pairs: Some(amount.pairs), max_time: None, alpha: ALPHA, seed, after: 0 };
    let arm = |name, built| Arm { name, case, built };
    let start = Instant::now();
    let folder = session.samples().join(format!("session-{number}")).join(place);
    let paired = compare_pairs(session, &arm("base", base), &arm("head", head), looks, &|_, _| None, &folder)
        .map_err(PairFailure::any)?;
    Ok(AaSession {
        discarded: paired.left_out(),
        base: paired.base,
        head: paired.head,
        elapsed: Nanos::from(start.elapsed()),
        seed,
    })
}

/// Fails when the sessions that are needed at least cannot end in time: better now than when the time is up.
fn in_time(done: usize, each: Duration, limit: Duration) -> Result<()> {
    let needed = each * MIN_SESSIONS as u32;
    if done >= MIN_SESSIONS || needed <= limit {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--max-time {} is too short: {MIN_SESSIONS} sessions take about {}; nothing is stored",
        Nanos::from(limit),
        whole_time(needed)
    ))
    .next("allow more time, or select fewer cases"))
}
