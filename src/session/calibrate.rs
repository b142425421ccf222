//! Runs a calibration: one engine per case, then session after session over all cases, so that the sessions of a case
//! are spread over time. Both arms of every pair are the same engine, so every difference is noise. Where several builds
//! are asked for, each arm has as many of its own: then that noise is also how much builds differ.

use super::Setup;
use super::context::Session;
use super::looks::Looks;
use super::pairs::{Arm, PairFailure, compare_pairs};
use super::stages::{build_all, record_device};
use crate::calibration::{ALPHA, AaSession, Calibration, calibrate_case};
use crate::case::{Case, TimeFrom};
use crate::device::Timer;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::stats::sessions::MIN_SESSIONS;
use crate::units::Nanos;
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
    let session = Session::open(setup, cases, Some(2 * pairs as u64))?;
    // What a later session measures at a pinned point must have been calibrated there.
    let (mut cases, _) = session.pinned(cases);
    // All sessions must measure as long, and the calibration says how long.
    for case in cases.iter_mut().filter(|case| case.effort.measure_from == TimeFrom::BuiltIn) {
        case.effort.measure_from = TimeFrom::Chosen;
    }
    let mut run = CalibrationRun {
        measured: BTreeMap::new(),
        failed: BTreeMap::new(),
        sessions: 0,
        interrupted: false,
    };
    let several: Vec<Case> = cases.iter().filter(|case| case.effort.builds > 1).cloned().collect();
    let (bases, mut heads) = (build_all(&session, &cases), build_all(&session, &several));
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
        for number in 1..=amount.sessions {
            for case in cases {
                let Some(built) = engines.get(&case.id).filter(|_| !self.failed.contains_key(&case.id))
                else {
                    continue;
                };
                if self.interrupted {
                    return Ok(());
                }
                match one(session, case, built, amount, number) {
                    Ok(measured) => self.measured.entry(case.id.clone()).or_default().push(measured),
                    Err(f) => self.fail(session, &case.id, f),
                }
            }
            if self.interrupted || self.failed.len() == cases.len() {
                return Ok(());
            }
            self.sessions = number;
            let each = start.elapsed() / number as u32;
            let left = each * (amount.sessions - number) as u32;
            if number < amount.sessions {
                let (all, left) = (amount.sessions, whole(left));
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

    fn finish(mut self, session: &Session, cases: &[Case], clock: Timer) -> Calibrated {
        let mut calibrated = BTreeMap::new();
        for case in cases {
            let Some(sessions) = self.measured.get(&case.id).filter(|_| !self.failed.contains_key(&case.id))
            else {
                continue;
            };
            match calibrate_case(&case.id, sessions, case.margins, case.effort.measure) {
                Ok(found) => drop(calibrated.insert(case.id.clone(), found)),
                // Sessions that were never begun are no failure of the case.
                Err(_) if self.sessions < MIN_SESSIONS => {}
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
        });
        Calibrated {
            calibration,
            failed: self.failed,
            sessions: self.sessions,
            interrupted: self.interrupted,
        }
    }
}

/// One session of one case: a fixed number of pairs, judged by nobody yet.
fn one(
    session: &Session,
    case: &Case,
    [base, head]: &[Built; 2],
    amount: Amount,
    number: usize,
) -> Result<AaSession> {
    let seed = amount.seed.wrapping_add(number as u64);
    let looks = Looks { pairs: Some(amount.pairs), max_time: None, alpha: ALPHA, seed, after: 0 };
    let arm = |name, built| Arm { name, case, built };
    let start = Instant::now();
    let folder = session.samples().join(format!("session-{number}"));
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
        whole(needed)
    ))
    .next("allow more time, or select fewer cases"))
}

/// `40 s`, `3 min`.
fn whole(time: Duration) -> String {
    match time.as_secs_f64().ceil() {
        s if s < 120.0 => format!("{s} s"),
        s => format!("{} min", (s / 60.0).ceil()),
    }
}
