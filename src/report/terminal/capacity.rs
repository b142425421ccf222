//! What an open loop found, line by line: a rate for each budget, the run that confirmed it, and the closed loop beside it.

use super::case::{figure, figure_line};
use crate::capacity::{Capacity, Curve, Outcome};
use crate::record::CaseRecord;
use crate::report::Figure;
use crate::report::style::{DIM, GREEN, RED, YELLOW, paint};
use crate::summarize::Summary;
use crate::units::{count, plain_time, rate, share, time};

/// Empty in closed loops.
pub(super) fn lines(case: &CaseRecord) -> Vec<String> {
    let (Some(budget), Some(open)) = (case.budget, &case.open) else { return Vec::new() };
    let asked = |ns: u64| format!("{} within {}", share(budget.quantile), plain_time(ns as f64));
    let mut lines: Vec<String> = open
        .budgets_ns
        .iter()
        .flat_map(|ns| {
            let found = figure(case, |s| at(s, *ns)?.outcome.value());
            let first = match found {
                Some(_) => format!("{} {}", figure_line("rate:", found, rate), asked(*ns)),
                None => format!("{:<8}{}: {}", "rate:", asked(*ns), without(case, *ns)),
            };
            let indented = |text: String| format!("{:<8}{text}", "");
            [Some(first), cliff(case, *ns).map(indented), confirmed(case, *ns).map(indented)]
        })
        .flatten()
        .collect();
    lines.extend(closed(case, budget.max_ns));
    lines
}

fn at(s: &Summary, budget_ns: u64) -> Option<&Capacity> {
    s.capacity.as_ref()?.at(budget_ns)
}

/// Why there is no one number.
fn without(case: &CaseRecord, budget_ns: u64) -> String {
    let outcomes: Vec<&Outcome> =
        case.processes.iter().filter_map(|s| Some(&at(s, budget_ns)?.outcome)).collect();
    let none = outcomes.iter().find_map(|a| match a {
        Outcome::None { lowest_per_s, over_frac } => Some((lowest_per_s, over_frac)),
        _ => None,
    });
    let at_least = outcomes.iter().find_map(|a| match a {
        Outcome::Beyond { at_least_per_s } => Some(*at_least_per_s),
        _ => None,
    });
    match (none, at_least) {
        (Some((lowest, over)), _) => {
            paint(RED, &format!("no rate keeps it; at {} {} are over", rate(*lowest), share(*over)))
        }
        (_, Some(per_s)) => paint(GREEN, &format!("at least {}, the most that can be offered", rate(per_s))),
        _ => paint(YELLOW, "not measured"),
    }
}

/// Where the share over the budget jumps over the limit, in any process.
fn cliff(case: &CaseRecord, budget_ns: u64) -> Option<String> {
    let cliffs: Vec<(f64, f64)> = case
        .processes
        .iter()
        .filter_map(|s| match at(s, budget_ns)?.outcome {
            Outcome::Cliff { holds_per_s, fails_per_s } => Some((holds_per_s, fails_per_s)),
            _ => None,
        })
        .collect();
    let lo = cliffs.iter().map(|c| c.0).reduce(f64::min)?;
    let hi = cliffs.iter().map(|c| c.1).reduce(f64::max)?;
    let text = format!(
        "a cliff: holds at {}, fails at {} ({} of {} processes)",
        rate(lo),
        rate(hi),
        cliffs.len(),
        case.processes.len()
    );
    Some(paint(YELLOW, &text))
}

/// The lowest of the confirmed rates, and what was seen there.
fn confirmed(case: &CaseRecord, budget_ns: u64) -> Option<String> {
    let confirmed: Vec<_> = case.processes.iter().filter_map(|s| at(s, budget_ns)?.confirmed).collect();
    let of = case.processes.len();
    let Some(lowest) = confirmed.iter().min_by(|a, b| a.per_s.total_cmp(&b.per_s)) else {
        let found = figure(case, |s| at(s, budget_ns)?.outcome.value()).is_some();
        return found
            .then(|| paint(YELLOW, "no long run confirmed a rate near it; measure longer, with --measure"));
    };
    let text = format!(
        "confirmed in {} of {of}: {}, {} over (below {} at 95 %, n_eff {} of {})",
        confirmed.len(),
        rate(lowest.per_s),
        share(lowest.over_frac),
        share(lowest.upper_frac),
        count(lowest.n_eff.round() as u64),
        count(lowest.requests as u64)
    );
    Some(paint(DIM, &text))
}

fn closed(case: &CaseRecord, budget_ns: u64) -> Option<String> {
    let of = |value: fn(&Curve) -> f64| {
        figure(case, move |s| s.capacity.as_ref().map(value)).map(|f: Figure| f.estimate())
    };
    let (per_s, p50) = (of(|c| c.closed_per_s)?, of(|c| c.closed_p50_ns)?);
    let late = case.processes.iter().filter_map(|s| s.capacity.as_ref()).map(|c| c.late_frac);
    let late = late.reduce(f64::max)?;
    let p99 = case.processes.iter().filter_map(|s| s.capacity.as_ref()).map(|c| c.late_p99_ns);
    let p99 = p99.reduce(f64::max)?;
    let text = format!(
        "closed: {} at p50 {} (the budget is {:.1} ×); arrivals late: {} at most, p99 {}",
        rate(per_s),
        time(p50),
        budget_ns as f64 / p50,
        share(late),
        time(p99)
    );
    Some(paint(DIM, &text))
}
