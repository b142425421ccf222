//! `--message-format json`: one JSON object a line, each with `"schema": "trt-perf/message@1"` and a `reason`.
//!
//! | `reason` | when | fields beside `schema` and `reason` |
//! |---|---|---|
//! | `session-started` | once, first | `tool`, `backend`, `backend_reason`, `device` (key), `cases` (ids) |
//! | `stage` | a stage of a worker begins | `case`, `process` (0 while building, then from 1), `stage`, `expected_ns` (0: unknown) |
//! | `progress` | the library builds an engine, at most every tenth of a second; an open loop tries a rate | `case`, `doing`, `step`, `steps` (0: unknown) |
//! | `engine` | an engine is ready | `case`, `engine` (path), `inputs` (hash), `cached`, `build_ns`, `bytes` |
//! | `process` | a measuring process ended | `case`, `process`, `requests`, `mean_ns`, `p50_ns`, `p99_ns`, `inferences_per_s` |
//! | `case-finished` | all processes of a case ended | `case`, `scenario`, `debug_extra_work_frac` (null unless it is a test), `test_library` (whether the library of our own tests took TensorRT's place), `mean_ns`, `p50_ns`, `p90_ns`, `p99_ns`, `inferences_per_s` (each `{lo, est, hi}`; no `lo` and `hi` for one process; null if too few requests, or not known), `load_ns`, `first_ns`, `peak_host_bytes`, `gpu` (null on `cpu`; else `compute_p50_ns`, `compute_p99_ns`, `enqueue_ns`, `h2d_ns`, `d2h_ns`, `sm_mhz`, `joules_per_inference`, each as above or null), `budget` (`{max_ns, quantile, over_frac, holds, judged}` or null), `capacity` (null in closed loops; else `points`, one `{budget_ns, inferences_per_s, confirmed_per_s}` per budget, null where there is no such rate; `closed_per_s`, `closed_p50_ns`, `late_frac`), `comparison` (as below, or null) |
//! | `case-failed` | a case could not be built or measured | `case`, `kind`, `message`, `next` |
//! | `comparison` | of `compare`, a case of both records | `case`, `verdict`, `verdict_reason`, `metrics` (`{metric, base, head, change: {lo, est, hi}, p, mde_frac, judged, why, basis}`; `basis`: where the idea of the noise comes from beside the processes, in words, or null), `engine_changes`, `outputs_changed`, `broken_budget` (null, or how head breaks the budget that the base kept), `debug_extra_work`, `test_library` and `workload` (whether the numbers of an arm are no result of a model, and why), `moved` (null, or that two grids had different winners: no verdict), `base` (`{label, path, steps}` or null) |
//! | `checked` | of `check`, a case | `case`, `gates` (whether its verdict may fail the check), `how`, `pairs`, `discarded`, `confirmed` (null unless it was measured a second time), `acceptance` (null, or `{honoured, reason, by, why}`: whether an added acceptance covers the regression, and `why` not), `comparison` (as above) |
//! | `drift` | of `check`, a case slower than the oldest stored record | `case`, `base`, `comparison` |
//! | `added-baseline` | of `check`, a record that head adds to the baselines | `path`, `record` (id), `device` (key), `cases` (ids), `acceptance` (`{case, kind, reason, by, base_commit, changes: {metric: {lo, est, hi}}}` or null), `problem` (null, or why it cannot be read) |
//! | `check-finished` | of `check`, once, last | `records` (paths), `failed`, `regressed`, `accepted`, `inconclusive`, `invalid`, `interrupted`, `exit_code` |
//! | `calibration` | of `calibrate`, once, last | `path` (null if not stored), `sessions` (complete), `failed`, `interrupted`, `exit_code`; and unless there is none: `id`, `device`, `created`, `clock` (`{resolution_ns, read_min_ns, read_median_ns}`), `false_verdicts` (`{count, of, lo, hi}`), `advice` (sentences), `cases` (by id: `{sessions, pairs, discarded, per_pair_ns, within_sd_frac, lag1, false_verdicts, advice, metrics}`; each metric by name: `typical`, `process`, `pair`, `session` (each `{sd, df}` of logarithms), `detectable_frac_in_minutes` (by "1", "5", "15"; null: not reachable), `false_verdicts`) |
//! | `history` | of `history`, once | `case`, `device` (key), `metric`, `definition`, `left_out` (`{other_definition, definitions, without_value, too_old}`, records but for `definitions`), `points` (oldest first: `{record, commit, branch, dirty, created_s, in_history, processes, est, lo, hi, change, engine_changes, debug_extra_work}`; `change` from the point before), `changes` (`{point, change, worse, p, first_commit, first_record, last_commit, last_record}`, `point` an index into `points`; null if not searched for), `no_changes_because`, `seed`, `permutations` |
//! | `round` | of `discover`, a round of trials of a grid begins | `grid`, `round` (from 1), `cells`, `processes` (of each cell), `measure_ns` |
//! | `trial` | of `discover`, a cell is about to be measured; the stages and processes that follow are its | `case`, `round`, `batch`, `streams`, `in_flight`, `cuda_graph`, `threads` |
//! | `cell` | of `discover`, a cell of a grid that is done | `grid`, `case`, `batch`, `streams`, `in_flight`, `cuda_graph`, `threads`, `round` (the last it was measured in, of 3; 0: none), `inferences_per_s`, `tail_ns` (null where it failed), `tail_quantile`, `judged` (whether there were requests enough for that quantile), `over_frac` (of the budget; null without one), `out` (null, or `over-budget`, `dominated`, `failed`: why it went no further), `failure` (`{kind, message, next}` or null), `front` (whether it is on the Pareto front), `best` (whether it is the winner of its case) |
//! | `winner` | of `discover`, once per grid, after its cells | `grid`, `rounds` (in all), `budget` (`{max_ns, quantile}` or null), `winner` (the cell as above, or null), `nearest` (null, or the cell as above: no cell is within the budget), `moved` (by case, that another point won than the pinned one: no verdict), `unreal` (null, or why the numbers are no result) |
//! | `discover-finished` | of `discover`, once, last | `record` (path or null), `id`, `written` (manifest, or null), `interrupted`, `exit_code` |
//! | `note` | something worth knowing | `text` |
//! | `session-finished` | once, last | `record` (path or null), `id`, `measured`, `failed`, `regressed`, `inconclusive`, `interrupted`, `exit_code` |
//!
//! Fields are added within a version; none is renamed or removed. Times are nanoseconds, shares fractions of one.

use super::{Figure, budget_result};
use crate::acceptance::Standing;
use crate::capacity::Curve;
use crate::compare::{CaseComparison, MetricComparison};
use crate::record::{Acceptance, CaseRecord, Unreal};
use crate::session::check::{How, Row};
use crate::session::{Added, Base, Compared, Event};
use crate::stats::{Interval, is_judged};
use crate::summarize::{GpuSummary, Summary};
use serde_json::{Value, json};

const SCHEMA: &str = "trt-perf/message@1";

/// One line, with schema and reason put in.
pub fn message(reason: &str, mut fields: Value) -> String {
    if let Value::Object(map) = &mut fields {
        map.insert("schema".into(), SCHEMA.into());
        map.insert("reason".into(), reason.into());
    }
    fields.to_string()
}

/// The line of an event; `None` for events that are only worth a person's while.
pub fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started { cases, device, backend, why, .. } => message(
            "session-started",
            json!({ "tool": env!("CARGO_PKG_VERSION"), "backend": backend, "backend_reason": why, "device": device.key,
                    "cases": cases.iter().map(|c| c.id.as_str()).collect::<Vec<_>>() }),
        ),
        Event::Waiting { folder } => {
            message("note", json!({ "text": format!("waiting for another session in {}", folder.display()) }))
        }
        Event::Stage { id, process, stage, expected } => message(
            "stage",
            json!({ "case": id, "process": process, "stage": stage, "expected_ns": expected.as_nanos() as u64 }),
        ),
        Event::Progress { id, doing, step, steps } => {
            message("progress", json!({ "case": id, "doing": doing, "step": step, "steps": steps }))
        }
        Event::Round { grid, round, cells, processes, measure } => message(
            "round",
            json!({ "grid": grid, "round": round, "cells": cells, "processes": processes, "measure_ns": measure }),
        ),
        Event::Trial { id, cell, round } => {
            let mut fields = super::discover::point(*cell);
            fields.extend([("case".to_owned(), json!(id)), ("round".to_owned(), json!(round))]);
            message("trial", fields.into())
        }
        Event::Engine { id, built } => message(
            "engine",
            json!({ "case": id, "engine": built.engine, "inputs": built.header.inputs_hash, "cached": built.cached,
                    "build_ns": built.header.build_ns, "bytes": built.engine_bytes }),
        ),
        Event::Process { id, process, summary } => message(
            "process",
            json!({ "case": id, "process": process, "requests": summary.requests, "mean_ns": summary.mean_ns,
                    "p50_ns": summary.quantile_ns(0.5), "p99_ns": summary.quantile_ns(0.99), "inferences_per_s": summary.inferences_per_s }),
        ),
        Event::Case { id, case, comparison } => message("case-finished", case_fields(id, case, *comparison)),
        Event::Failed { id, failure } => message(
            "case-failed",
            json!({ "case": id, "kind": failure.kind, "message": failure.message, "next": failure.next }),
        ),
        Event::Note { text } => message("note", json!({ "text": text })),
    })
}

fn case_fields(id: &str, case: &CaseRecord, compared: Option<&Compared>) -> Value {
    let quantile = |q: f64| over(case, |s| s.quantile_ns(q).filter(|_| is_judged(s.requests, q)));
    let budget = budget_result(case).map(|b| {
        json!({ "max_ns": b.budget.max_ns, "quantile": b.budget.quantile, "over_frac": b.over_frac, "holds": b.holds, "judged": !b.thin })
    });
    json!({
        "case": id,
        "scenario": case.scenario,
        "debug_extra_work_frac": case.engine.build.debug_extra_work_frac,
        "test_library": case.engine.of_test_library(),
        "mean_ns": over(case, |s| Some(s.mean_ns)),
        "p50_ns": quantile(0.5),
        "p90_ns": quantile(0.9),
        "p99_ns": quantile(0.99),
        "inferences_per_s": over(case, |s| Some(s.inferences_per_s)),
        "load_ns": over(case, |s| (s.load_ns > 0).then_some(s.load_ns as f64)),
        "first_ns": over(case, |s| (s.first_ns > 0).then_some(s.first_ns as f64)),
        "peak_host_bytes": over(case, |s| s.peak_host_bytes.map(|b| b as f64)),
        "gpu": case.processes.iter().any(|s| s.gpu.is_some()).then(|| gpu_fields(case)),
        "budget": budget,
        "capacity": capacity_fields(case),
        "comparison": compared.map(|c| comparison(&c.comparison, Some(&c.base))),
    })
}

/// Null in closed loops.
fn capacity_fields(case: &CaseRecord) -> Option<Value> {
    let of = |value: fn(&Curve) -> f64| over(case, move |s| s.capacity.as_ref().map(value));
    let point = |ns: u64| {
        let at = |s: &Summary| s.capacity.as_ref().and_then(|c| c.at(ns)).cloned();
        let confirmed = case.processes.iter().filter_map(|s| Some(at(s)?.confirmed?.per_s));
        json!({
            "budget_ns": ns,
            "inferences_per_s": over(case, |s| at(s)?.outcome.value()),
            "confirmed_per_s": confirmed.reduce(f64::min),
        })
    };
    let late = case.processes.iter().filter_map(|s| Some(s.capacity.as_ref()?.late_frac));
    let points: Vec<Value> = case.open.as_ref()?.budgets_ns.iter().map(|ns| point(*ns)).collect();
    Some(json!({
        "points": points,
        "closed_per_s": of(|c| c.closed_per_s),
        "closed_p50_ns": of(|c| c.closed_p50_ns),
        "late_frac": late.reduce(f64::max),
    }))
}

fn gpu_fields(case: &CaseRecord) -> Value {
    let of = |value: fn(&GpuSummary) -> Option<f64>| over(case, |s| value(s.gpu.as_ref()?));
    json!({
        "compute_p50_ns": of(|g| Some(g.compute?.p50_ns)),
        "compute_p99_ns": of(|g| Some(g.compute?.p99_ns)),
        "enqueue_ns": of(|g| Some(g.times?.enqueue_ns as f64)),
        "h2d_ns": of(|g| Some(g.times?.h2d_ns as f64)),
        "d2h_ns": of(|g| Some(g.times?.d2h_ns as f64)),
        "sm_mhz": of(|g| g.sm_mhz),
        "joules_per_inference": of(|g| g.joules_per_inference),
    })
}

/// A value over the processes of a case; null unless every process has it.
fn over(case: &CaseRecord, value: impl Fn(&Summary) -> Option<f64>) -> Value {
    let values: Vec<f64> = case.processes.iter().filter_map(value).collect();
    if values.len() < case.processes.len() {
        Value::Null
    } else {
        Figure::of(&values).map_or(Value::Null, figure)
    }
}

fn figure(f: Figure) -> Value {
    match f {
        Figure::Interval(i) => interval(i),
        Figure::Single(v) => json!({ "est": v }),
    }
}

fn interval(i: Interval) -> Value {
    json!({ "lo": i.lo, "est": i.est, "hi": i.hi })
}

/// The fields of a row of a check.
pub fn row(row: &Row) -> Value {
    let (pairs, discarded, confirmed) = match &row.how {
        How::Pairs { pairs, discarded, confirmed } => (Some(*pairs), Some(*discarded), *confirmed),
        _ => (None, None, None),
    };
    json!({
        "case": row.comparison.id,
        "gates": row.gates(),
        "how": super::how(&row.how),
        "pairs": pairs,
        "discarded": discarded,
        "confirmed": confirmed,
        "acceptance": row.accepted.as_ref().map(standing),
        "comparison": comparison(&row.comparison, None),
    })
}

fn standing(standing: &Standing) -> Value {
    match standing {
        Standing::Honoured { reason, by } => {
            json!({ "honoured": true, "reason": reason, "by": by, "why": null })
        }
        Standing::Stale { why } => json!({ "honoured": false, "reason": null, "by": null, "why": why }),
    }
}

/// The fields of a record that head adds to the baselines.
pub fn added(added: &Added) -> Value {
    let record = added.record.as_ref().ok();
    json!({
        "path": added.path,
        "record": record.map(|r| &r.id),
        "device": record.map(|r| &r.device.key),
        "cases": record.map(|r| r.cases.keys().collect::<Vec<_>>()),
        "acceptance": added.acceptance().map(|(_, a)| acceptance(a)),
        "problem": added.record.as_ref().err().map(|f| &f.message),
    })
}

fn acceptance(a: &Acceptance) -> Value {
    let changes: serde_json::Map<String, Value> =
        a.changes.iter().map(|(name, i)| (name.clone(), interval(*i))).collect();
    json!({ "case": a.case, "kind": a.kind, "reason": a.reason, "by": a.by, "base_commit": a.base_commit, "changes": changes })
}

/// The fields of a comparison.
pub fn comparison(c: &CaseComparison, base: Option<&Base>) -> Value {
    json!({
        "case": c.id,
        "verdict": c.verdict.word(),
        "verdict_reason": c.verdict.reason(),
        "metrics": c.metrics.iter().map(|m| metric(m, c)).collect::<Vec<_>>(),
        "engine_changes": c.engine_changes,
        "outputs_changed": c.outputs_changed,
        "broken_budget": c.broken_budget.as_ref().map(ToString::to_string),
        "debug_extra_work": c.unreal == Some(Unreal::ExtraWork),
        "test_library": c.unreal == Some(Unreal::TestLibrary),
        "workload": c.unreal == Some(Unreal::Workload),
        "moved": c.moved.map(|moved| moved.to_string()),
        "base": base.map(|b| json!({ "label": b.label, "path": b.path, "steps": b.steps })),
    })
}

fn metric(m: &MetricComparison, c: &CaseComparison) -> Value {
    let ruling = m.ruling.as_ref().ok();
    json!({
        "metric": m.metric.name(c.budget),
        "base": m.base,
        "head": m.head,
        "change": m.change.map(interval),
        "p": ruling.map(|r| r.p_zero),
        "mde_frac": ruling.map(|r| r.mde.exp_m1()),
        "judged": ruling.is_some(),
        "why": m.ruling.as_ref().err().map(ToString::to_string),
        "basis": super::calibration::metric_basis(m),
    })
}
