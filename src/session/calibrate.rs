//! The order of a calibration: one engine per case, then session after session over all cases, so that the sessions
//! of a case are spread in time. Both arms of every pair are the same engine: whatever differs is noise.

use super::lock::lock;
use super::pairs::{Arm, Looks, compare_pairs};
use super::pin::pinned;
use super::stages::{build_all, record_device, source_or_none};
use super::{Event, History};
use crate::build::Built;
use crate::calibration::{ALPHA, Calibration, Session, calibrate_case};
use crate::case::Case;
use crate::config::Project;
use crate::device::{Device, Timer};
use crate::error::{Failure, FailureKind, Result};
use crate::stats::sessions::MIN_SESSIONS;
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    pub sessions: usize,
    /// Of each session.
    pub pairs: usize,
    /// No further session is begun that would end after this.
    pub max_time: Option<Duration>,
    /// Of the order of the arms.
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
    pub interrupted: bool,
}

/// Measures A/A sessions of `cases` and estimates what varies. `clock` was measured before any worker ran.
pub fn calibrate(
    project: &Project,
    cases: &[Case],
    device: &Device,
    clock: Timer,
    amount: Amount,
    now_s: i64,
    on_event: &mut dyn FnMut(Event),
) -> Result<Calibrated> {
    amount.check()?;
    let _lock = lock(&project.target, device, on_event)?;
    // What is shown as to come is pairs, not the processes of a run.
    let mut planned = cases.to_vec();
    planned.iter_mut().for_each(|c| c.effort.processes = 2 * (amount.sessions * amount.pairs) as u64);
    let why = "the same engine in both arms";
    let processes = Some(planned.iter().map(|c| c.effort.processes).sum());
    on_event(Event::Started { cases: &planned, device, backend: "calibrate", why, processes });
    let source = source_or_none(project, on_event);
    let history = History::open(project, &project.baselines(), source.as_ref(), device, on_event);
    // What a later session measures at a pinned point must have been calibrated there.
    let (cases, _) = pinned(cases, &history, on_event);
    let cases = cases.as_slice();
    let mut run = Run { measured: BTreeMap::new(), failed: BTreeMap::new(), sessions: 0, interrupted: false };
    let mut engines = BTreeMap::new();
    for (id, built) in build_all(&project.target.join("engines"), cases, on_event) {
        match built {
            Ok(built) => drop(engines.insert(id, built)),
            Err(f) => run.fail(&id, f, on_event),
        }
    }
    let samples = project.target.join("samples").join(format!("{now_s}-{}", std::process::id()));
    run.all(cases, &engines, amount, &samples, on_event)?;
    Ok(run.finish(cases, device, clock, now_s))
}

struct Run {
    measured: BTreeMap<String, Vec<Session>>,
    failed: BTreeMap<String, Failure>,
    sessions: usize,
    interrupted: bool,
}

impl Run {
    fn fail(&mut self, id: &str, failure: Failure, on_event: &mut dyn FnMut(Event)) {
        if failure.kind == FailureKind::Interrupted {
            self.interrupted = true;
            return;
        }
        on_event(Event::Failed { id, failure: &failure });
        self.failed.insert(id.to_owned(), failure);
    }

    /// Session 1 of every case, then session 2, until there are enough or the time is up.
    fn all(
        &mut self,
        cases: &[Case],
        engines: &BTreeMap<String, Built>,
        amount: Amount,
        samples: &Path,
        on_event: &mut dyn FnMut(Event),
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
                match one(case, built, amount, number, samples, on_event) {
                    Ok(session) => self.measured.entry(case.id.clone()).or_default().push(session),
                    Err(f) => self.fail(&case.id, f, on_event),
                }
            }
            if self.interrupted || self.failed.len() == cases.len() {
                return Ok(());
            }
            self.sessions = number;
            let each = start.elapsed() / number as u32;
            let left = each * (amount.sessions - number) as u32;
            if number < amount.sessions {
                let text =
                    format!("session {number} of {} is done; about {} left", amount.sessions, whole(left));
                on_event(Event::Note { text: &text });
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

    fn finish(mut self, cases: &[Case], device: &Device, clock: Timer, now_s: i64) -> Calibrated {
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
            created_s: now_s,
            tool: env!("CARGO_PKG_VERSION").into(),
            device: record_device(device),
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
    case: &Case,
    built: &Built,
    amount: Amount,
    number: usize,
    samples: &Path,
    on_event: &mut dyn FnMut(Event),
) -> Result<Session> {
    let seed = amount.seed.wrapping_add(number as u64);
    let looks = Looks { pairs: Some(amount.pairs), max_time: None, alpha: ALPHA, seed, after: 0 };
    let arm = |name| Arm { name, case, built };
    let start = Instant::now();
    let folder = samples.join(format!("session-{number}"));
    let paired = compare_pairs(&arm("base"), &arm("head"), looks, &|_, _| None, &folder, on_event)?;
    Ok(Session {
        base: paired.base,
        head: paired.head,
        discarded: paired.discarded,
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
