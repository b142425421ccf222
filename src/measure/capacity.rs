//! The measured phase of an open loop: searches for the highest rate that keeps each budget, with probes that are sent
//! to the loaded engine. The samples are those of the probe that confirmed the rate for the case's own budget.

use super::host::{Answered, phase, requests_per_s};
use super::job::{MeasureJob, OpenJob};
use super::open::{Batching, Offer, offer};
use crate::backend::Stream;
use crate::capacity::{Ask, Curve, Pattern, ProbeAnswer, SearchPlan, schedule, search};
use crate::config::ArrivalsChoice;
use crate::error::Result;
use crate::file;
use crate::progress::{Progress, Tell};
use crate::stats::describe::quantile_sorted;
use crate::units::five_digits;
use std::time::Duration;

/// Rates beyond this many times the closed loop's are not tried: requests cannot be answered faster than back to back,
/// but a short closed loop may have been measured at a bad moment.
const MOST_OVER_CLOSED: f64 = 2.0;
/// Probes for each budget; a search that needs more answers with an interval.
const MOST_PROBES: usize = 80;
/// Share of a probe's time that the closed loop gets.
const CLOSED: f64 = 0.5;
/// Probes last so many times the time of one, all together, where nothing is in doubt: for showing progress.
pub const EXPECTED_PROBES: u64 = 10;

/// Searches in this process, and keeps what it was told.
pub(super) fn measure(
    streams: &mut [Box<dyn Stream>],
    job: &MeasureJob,
    open: &OpenJob,
    tell: &mut dyn Tell,
) -> Result<Answered> {
    let depth = job.load.point.in_flight;
    let batching = open.how.batch_delay_ns.map(|delay_ns| Batching { batch: job.load.point.batch, delay_ns });
    let per_request = batching.map_or(1.0, |b| b.batch as f64);
    let closed = phase(streams, depth, Duration::from_nanos(job.measure_ns).mul_f64(CLOSED))?;
    let closed_per_s = requests_per_s(&closed) * per_request;
    let mut closed: Vec<u64> = closed.iter().flatten().map(|s| s.latency_ns).collect();
    closed.sort_unstable();
    let plan = SearchPlan {
        budgets_ns: open.how.budgets_ns.clone(),
        quantile: open.budget.quantile,
        closed_per_s,
        max_per_s: closed_per_s * MOST_OVER_CLOSED,
        probe_ns: job.measure_ns,
        max_probes: MOST_PROBES * open.how.budgets_ns.len(),
    };
    let pattern = pattern(&open.how.arrivals)?;
    let mut late_ns = Vec::new();
    let mut kept = Kept { latency_ns: Vec::new(), per_s: 0.0, worth: 0 };
    let mut probe = |ask: &Ask| -> Result<ProbeAnswer> {
        let doing = format!("offering {}/s", five_digits(ask.per_s));
        tell.progress(Progress { doing, step: 0, steps: 0 });
        let planned_ns = schedule(&pattern, job.load.seed, open.process, ask);
        let offered =
            offer(streams, &Offer { planned_ns: &planned_ns, depth, batching, stop_over: ask.stop_over })?;
        late_ns.extend_from_slice(&offered.late_ns);
        kept.offer(ask, open.budget.max_ns, &offered.latency_ns);
        Ok(ProbeAnswer { latency_ns: offered.latency_ns, stopped: offered.stopped })
    };
    let found = search(&plan, &mut probe)?;
    let closed_loop = (closed_per_s, quantile_sorted(&closed, 0.5));
    let curve = Curve::new(found, open.budget.max_ns, closed_loop, late_ns);
    Ok(Answered {
        requests: (closed.len() as f64 * per_request) as u64 + curve.requests,
        latencies: kept.latency_ns,
        requests_per_s: kept.per_s,
        capacity: Some(curve),
    })
}

/// The probe whose samples stand for the process.
struct Kept {
    latency_ns: Vec<u64>,
    per_s: f64,
    worth: u8,
}

impl Kept {
    /// The last one that confirms the case's own budget; failing that, the last one for it; failing that, the last.
    fn offer(&mut self, ask: &Ask, budget_ns: u64, latency_ns: &[u64]) {
        let own = ask.stop_over.0 == budget_ns;
        let worth = u8::from(own) + u8::from(own && ask.confirming);
        if worth >= self.worth && latency_ns.len() > 1 {
            *self = Self { latency_ns: latency_ns.to_vec(), per_s: ask.per_s, worth };
        }
    }
}

fn pattern(arrivals: &ArrivalsChoice) -> Result<Pattern> {
    match arrivals {
        ArrivalsChoice::Poisson => Ok(Pattern::Poisson),
        ArrivalsChoice::Uniform => Ok(Pattern::Uniform),
        ArrivalsChoice::File(path) => {
            let text = file::text(path, &file::ARRIVALS)?;
            Pattern::recorded(&text, &path.display().to_string())
        }
    }
}
