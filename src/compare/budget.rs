//! What a budget decides beside the metrics. Pure.
//!
//! A case that is faster but over its budget has regressed. A capacity whose budget is too near to the engine's own
//! time cannot be judged.

use super::reason::{BrokenBudget, MIN_BUDGET_IN_MEDIANS, NotJudged, WhichArm};
use super::{Design, Metric};
use crate::capacity::{Capacity, Outcome};
use crate::case::Budget;
use crate::config::Scenario;
use crate::record::CaseRecord;
use crate::stats::{Estimate, Rule, SessionSpread, geometric_mean_interval, paired_t};
use crate::summarize::Summary;

/// Why head is a regression whatever its throughput: it breaks the budget that the base kept.
pub(super) fn broken(base: &CaseRecord, head: &CaseRecord, design: &Design) -> Option<BrokenBudget> {
    let budget = head.budget?;
    match head.scenario {
        Scenario::Latency | Scenario::Throughput => {
            let (b, h) = (tail(base, budget)?, tail(head, budget)?);
            // The budget is the same every day and the machine is not: what sessions differ by is head's alone.
            let (alpha, session) = match design {
                Design::Pairs { alpha, .. } => (*alpha, SessionSpread::NONE),
                Design::Stored(sessions) => (Rule::new(1.0).alpha, sessions(Metric::Tail).spread()),
            };
            let max = budget.max_ns as f64;
            let head_estimate = with_session(h, session);
            let interval = head_estimate.interval(alpha).map(f64::exp);
            (interval.lo > max && b.effect.exp() <= max).then(|| BrokenBudget::Exceeded {
                metric: Metric::Tail.name(head.budget),
                head: interval,
                max_ns: budget.max_ns,
                base_ns: b.effect.exp(),
                p: head_estimate.p_above(max.ln()),
            })
        }
        Scenario::Capacity => {
            let keeps = |s: &Summary| point(s, budget.max_ns).is_some_and(|p| p.outcome.value().is_some());
            let none = |s: &Summary| {
                point(s, budget.max_ns).is_some_and(|p| matches!(p.outcome, Outcome::None { .. }))
            };
            let lost = !head.processes.is_empty()
                && head.processes.iter().all(none)
                && base.processes.iter().all(keeps);
            lost.then(|| BrokenBudget::NoRate {
                metric: Metric::Tail.name(head.budget),
                max_ns: budget.max_ns,
            })
        }
    }
}

/// The logarithm of the tail, over the processes (or builds) of one arm; `None` unless every process has it, and two do.
fn tail(case: &CaseRecord, budget: Budget) -> Option<Estimate> {
    let values = case.processes.iter().map(|s| Metric::Tail.value(s, Some(budget))).collect();
    let logs: Option<Vec<f64>> = case.by_unit(values).into_iter().map(|v| Some(v?.ln())).collect();
    paired_t(&logs?, 0.0).ok()
}

/// The same with what sessions differ by as part of its uncertainty; the degrees of freedom stay those of the processes,
/// which are the fewer.
fn with_session(e: Estimate, session: SessionSpread) -> Estimate {
    let fixed_var = session.sd * session.sd;
    Estimate { se: (e.se * e.se + fixed_var).sqrt(), fixed_var, ..e }
}

fn point(s: &Summary, budget_ns: u64) -> Option<&Capacity> {
    s.capacity.as_ref()?.at(budget_ns)
}

/// Why a capacity is reported and not gated; `None` for other metrics and where nothing speaks against it.
pub(super) fn not_gated(metric: Metric, base: &CaseRecord, head: &CaseRecord) -> Option<NotJudged> {
    let max_ns = metric.capacity_budget_ns(head.budget)?;
    for (record, arm) in [(base, WhichArm::Base), (head, WhichArm::Head)] {
        if record.processes.iter().any(|s| s.capacity.as_ref().is_some_and(|c| c.is_late_for(max_ns))) {
            return Some(NotJudged::GeneratorWasLate { arm });
        }
        let with = |test: fn(&Outcome) -> bool| {
            record.processes.iter().filter(|s| point(s, max_ns).is_some_and(|p| test(&p.outcome))).count()
        };
        let of = record.processes.len();
        let count = with(|a| matches!(a, Outcome::None { .. }));
        if count > 0 {
            return Some(NotJudged::NoRateKeepsBudget { arm, count, of });
        }
        let count = with(|a| matches!(a, Outcome::Beyond { .. }));
        if count > 0 {
            return Some(NotJudged::NoRateIsTooMuch { arm, count, of });
        }
    }
    let medians: Vec<f64> =
        base.processes.iter().filter_map(|s| Some(s.capacity.as_ref()?.closed_p50_ns)).collect();
    let median =
        geometric_mean_interval(&medians, 0.95).map_or_else(|_| medians.first().copied(), |i| Some(i.est))?;
    let times = max_ns as f64 / median;
    (times < MIN_BUDGET_IN_MEDIANS).then_some(NotJudged::BudgetTooTight { times })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Curve;
    use crate::case::{Margins, OpenIdentity};
    use crate::compare::{CaseComparison, Sessions, Verdict, compare_case};
    use crate::record::sample;

    const BUDGET: Budget = Budget { max_ns: 5_000_000, quantile: 0.99 };

    fn compare(base: &CaseRecord, head: &CaseRecord) -> CaseComparison {
        let known = |_| Sessions::Known(SessionSpread::NONE);
        compare_case("p/m/v/x", base, head, Margins::default(), &Design::Stored(&known))
    }

    /// Eight processes that differ a little: inferences per second, and the tail in milliseconds.
    fn throughput(per_s: f64, tail_ms: f64) -> CaseRecord {
        let processes = (0..8).map(|i| {
            let jitter = 1.0 + 1e-3 * f64::from(i % 3);
            Summary { inferences_per_s: per_s * jitter, ..sample::summary(tail_ms * 1e6 * jitter) }
        });
        CaseRecord {
            scenario: Scenario::Throughput,
            budget: Some(BUDGET),
            processes: processes.collect(),
            ..sample::case()
        }
    }

    #[test]
    fn faster_but_over_the_budget_is_a_regression() {
        let base = throughput(1000.0, 4.5);
        let c = compare(&base, &throughput(1200.0, 5.5));
        assert_eq!(c.verdict, Verdict::Regressed);
        let why = c.broken_budget.map(|b| b.to_string()).unwrap_or_default();
        assert!(why.starts_with("p99 is 5.5") && why.contains("the budget of 5 ms"), "{why}");
        let c = compare(&base, &throughput(1200.0, 4.6));
        assert_eq!((c.verdict, c.broken_budget), (Verdict::Improved, None));
        // One request at a time is held to it as well, also where the change alone is within the margin of a tail.
        let latency = |tail_ms| CaseRecord { scenario: Scenario::Latency, ..throughput(1000.0, tail_ms) };
        let c = compare(&latency(4.95), &latency(5.05));
        assert!(c.verdict == Verdict::Regressed && c.broken_budget.is_some(), "{c:?}");
        let c = compare(&latency(4.85), &latency(4.95));
        assert_eq!(c.broken_budget, None);
        // What the base did not keep cannot be broken.
        let c = compare(&throughput(1000.0, 5.4), &throughput(1200.0, 5.5));
        assert_eq!((c.verdict, c.broken_budget), (Verdict::Improved, None));
    }

    /// Five processes, each with a capacity near `per_s` and a closed-loop median of `p50_ms`.
    fn capacity(answer: impl Fn(f64) -> Outcome, p50_ms: f64) -> CaseRecord {
        let budgets_ns = vec![BUDGET.max_ns];
        let processes = (0..5).map(|i| {
            let point = Capacity {
                budget_ns: BUDGET.max_ns,
                outcome: answer(1.0 + 1e-3 * f64::from(i % 3)),
                confirmed: None,
            };
            let found = Curve {
                closed_per_s: 1000.0,
                closed_p50_ns: p50_ms * 1e6,
                points: vec![point],
                late_frac: 0.0,
                late_p99_ns: 0.0,
                requests: 1,
                probes: 1,
            };
            Summary { capacity: Some(found), ..sample::summary(1e6) }
        });
        CaseRecord {
            scenario: Scenario::Capacity,
            budget: Some(BUDGET),
            open: Some(OpenIdentity { arrivals: "poisson".into(), budgets_ns, batch_delay_ns: None }),
            processes: processes.collect(),
            ..sample::case()
        }
    }

    fn rate(per_s: f64) -> impl Fn(f64) -> Outcome {
        move |jitter| Outcome::Rate { per_s: per_s * jitter, ln_se: 0.01 }
    }

    #[test]
    fn less_capacity_is_a_regression_and_more_is_none() {
        let base = capacity(rate(800.0), 1.0);
        assert_eq!(compare(&base, &capacity(rate(700.0), 1.0)).verdict, Verdict::Regressed);
        assert_eq!(compare(&base, &capacity(rate(900.0), 1.0)).verdict, Verdict::Improved);
        assert_eq!(compare(&base, &base).verdict, Verdict::Unchanged);
        let cliff = |_| Outcome::Cliff { holds_per_s: 600.0, fails_per_s: 620.0 };
        let middle = compare(&base, &capacity(cliff, 1.0)).metrics[0].head;
        assert!((middle - (600.0_f64 * 620.0).sqrt()).abs() < 1e-9, "{middle}");
    }

    #[test]
    fn a_budget_near_the_closed_loop_is_reported_and_not_gated() {
        let c = compare(&capacity(rate(800.0), 2.0), &capacity(rate(600.0), 2.0));
        assert!(
            matches!(&c.verdict, Verdict::Inconclusive(why) if why.to_string().contains("2.5 × the closed-loop p50"))
        );
        assert!(c.metrics[0].change.is_some(), "it is reported all the same");
    }

    #[test]
    fn a_budget_that_no_rate_keeps_any_more_is_a_regression() {
        let base = capacity(rate(800.0), 1.0);
        let none = |_| Outcome::None { lowest_per_s: 10.0, over_frac: 0.9 };
        let c = compare(&base, &capacity(none, 1.0));
        assert_eq!(c.verdict, Verdict::Regressed);
        assert!(c.broken_budget.is_some_and(|why| why.to_string().contains("no rate keeps p99 within 5 ms")));
        let c = compare(&capacity(none, 1.0), &base);
        assert!(
            matches!(&c.verdict, Verdict::Inconclusive(why) if why.to_string().contains("5 of 5 processes of the base"))
        );
    }
}
