//! Shows the result of an open loop: a rate for each budget, the probe that confirmed it, and the closed loop beside
//! it.

use super::case::figure_line;
use crate::case::Budget;
use crate::outcome::{CapacityFigures, CapacityPoint, Cliff, Figure, Figures, NoRate};
use crate::report::style::{DIM, GREEN, RED, YELLOW, paint};
use crate::units::{count, plain_time, rate, share, time};

/// Empty in closed loops.
pub(super) fn lines(figures: &Figures, budget: Option<Budget>) -> Vec<String> {
    let Some((found, budget)) = figures.capacity.as_ref().zip(budget) else { return Vec::new() };
    let mut lines: Vec<String> =
        found.points.iter().flat_map(|point| point_lines(point, budget, figures.processes)).collect();
    lines.extend(closed(found, budget.max_ns));
    lines
}

/// The rate within one budget, its cliff, and what confirmed it in how many of the processes.
fn point_lines(point: &CapacityPoint, budget: Budget, of: usize) -> Vec<String> {
    let asked = format!("{} within {}", share(budget.quantile), plain_time(point.budget_ns as f64));
    let indented = |text: String| format!("{:<8}{text}", "");
    let first = match point.rate {
        Ok(figure) => format!("{} {asked}", figure_line("rate:", Some(figure), rate)),
        Err(why) => format!("{:<8}{asked}: {}", "rate:", without(why)),
    };
    let more = [point.cliff.map(|c| cliff(c, of)), confirmed(point, of)];
    std::iter::once(first).chain(more.into_iter().flatten().map(indented)).collect()
}

/// Why there is no one number.
fn without(why: NoRate) -> String {
    match why {
        NoRate::TooSlow { lowest_per_s, over_frac } => {
            paint(RED, &format!("no rate keeps it; at {} {} are over", rate(lowest_per_s), share(over_frac)))
        }
        NoRate::Beyond { at_least_per_s } => {
            paint(GREEN, &format!("at least {}, the most that can be offered", rate(at_least_per_s)))
        }
        NoRate::NotMeasured => paint(YELLOW, "not measured"),
    }
}

fn cliff(c: Cliff, of: usize) -> String {
    let (holds, fails) = (rate(c.holds_per_s), rate(c.fails_per_s));
    paint(YELLOW, &format!("a cliff: holds at {holds}, fails at {fails} ({} of {of} processes)", c.processes))
}

/// The lowest of the confirmed rates, and what was seen there.
fn confirmed(point: &CapacityPoint, of: usize) -> Option<String> {
    let Some((lowest, processes)) = point.confirmed else {
        return point
            .rate
            .is_ok()
            .then(|| paint(YELLOW, "no long run confirmed a rate near it; measure longer, with --measure"));
    };
    let text = format!(
        "confirmed in {processes} of {of}: {}, {} over (below {} at 95 %, n_eff {} of {})",
        rate(lowest.per_s),
        share(lowest.over_frac),
        share(lowest.upper_frac),
        count(lowest.n_eff.round() as u64),
        count(lowest.requests as u64)
    );
    Some(paint(DIM, &text))
}

fn closed(found: &CapacityFigures, budget_ns: u64) -> Option<String> {
    let estimate = |figure: Option<Figure>| figure.map(|f| f.estimate());
    let (per_s, p50) = (estimate(found.closed_per_s)?, estimate(found.closed_p50_ns)?);
    let text = format!(
        "closed: {} at p50 {} (the budget is {:.1} ×); arrivals late: {} at most, p99 {}",
        rate(per_s),
        time(p50),
        budget_ns as f64 / p50,
        share(found.late_frac?),
        time(found.late_p99_ns?)
    );
    Some(paint(DIM, &text))
}
