//! Turns events and results of sessions into messages for machines; [`crate::message`] says what each message holds.
//! Pure.

mod check;
mod layers;

pub use check::{check_finished, checked, failed};
pub use layers::{layer_changes, layer_numbers};

use crate::case::Case;
use crate::compare::{CaseComparison, MetricComparison};
use crate::discover::Cell;
use crate::engine::Built;
use crate::message::{
    BudgetListed, BudgetNumbers, CapacityNumbers, CapacityPointNumbers, CaseFailed, CaseFinished, CaseListed,
    ComparedBase, ComparedCase, ComparedMetric, EngineReady, GpuNumbers, LaneTaken, LookTaken, Message,
    Number, ProcessEnded, RoundBegun, SessionStarted, StageBegun, StageProgress, TrialBegun, finite,
};
use crate::outcome::{
    Base, BudgetAnswer, BudgetResult, CapacityFigures, CapacityPoint, Compared, Event, Figures, GpuFigures,
};
use crate::record::{CaseRecord, Unreal};
use crate::summarize::Summary;
use crate::units::nanos;
use std::path::Path;

/// The message of an event.
pub fn event(event: &Event) -> Message {
    match event {
        Event::Started { cases, device, devices, backend, why, .. } => {
            Message::SessionStarted(SessionStarted {
                tool: env!("CARGO_PKG_VERSION").into(),
                backend: (*backend).to_owned(),
                backend_reason: (*why).to_owned(),
                device: device.key.clone(),
                devices: devices.to_vec(),
                cases: cases.iter().map(|c| c.id.clone()).collect(),
            })
        }
        Event::Waiting { folder } => {
            Message::note(format!("waiting for another session in {}", folder.display()))
        }
        Event::Lane { id, device } => Message::Lane(LaneTaken { case: (*id).to_owned(), device: *device }),
        Event::Stage { id, process, stage, expected } => Message::Stage(StageBegun {
            case: (*id).to_owned(),
            process: *process,
            stage: *stage,
            expected_ns: nanos(*expected),
        }),
        Event::Progress { id, doing, step, steps } => Message::Progress(StageProgress {
            case: (*id).to_owned(),
            doing: (*doing).to_owned(),
            step: *step,
            steps: *steps,
        }),
        Event::Look { id, pairs, until, most, expected } => Message::Look(LookTaken {
            case: (*id).to_owned(),
            pairs: *pairs,
            until: *until,
            most: *most,
            expected_ns: nanos(*expected),
        }),
        Event::Round { grid, round, cells, processes, measure } => Message::Round(RoundBegun {
            grid: (*grid).to_owned(),
            round: *round,
            cells: *cells,
            processes: *processes,
            measure_ns: measure.0,
        }),
        Event::Trial { id, cell, round } => Message::Trial(TrialBegun {
            case: (*id).to_owned(),
            round: *round,
            point: super::discover::point(*cell),
        }),
        Event::Engine { id, built } => Message::Engine(engine_ready(id, built)),
        Event::Process { id, process, summary } => Message::Process(process_ended(id, *process, summary)),
        Event::Case { id, case, comparison } => {
            Message::CaseFinished(Box::new(case_finished(id, case, *comparison)))
        }
        Event::Done { id } => Message::note(format!("{id} is done")),
        Event::Memory { row } => super::memory::message(row),
        Event::Failed { id, failure } => {
            Message::CaseFailed(CaseFailed { case: (*id).to_owned(), failure: (*failure).into() })
        }
        Event::Note { text } => Message::note(*text),
    }
}

fn engine_ready(id: &str, built: &Built) -> EngineReady {
    EngineReady {
        case: id.to_owned(),
        engine: path(&built.engine),
        inputs: built.header.inputs_hash.clone(),
        cached: built.cached,
        build_ns: built.header.build_ns,
        bytes: built.engine_bytes,
    }
}

fn process_ended(id: &str, process: u64, summary: &Summary) -> ProcessEnded {
    ProcessEnded {
        case: id.to_owned(),
        process,
        requests: summary.requests,
        mean_ns: summary.mean_ns,
        p50_ns: summary.quantile_ns(0.5),
        p99_ns: summary.quantile_ns(0.99),
        inferences_per_s: summary.inferences_per_s,
    }
}

/// A path as text.
pub fn path(path: &Path) -> String {
    path.display().to_string()
}

/// A case that would be measured.
pub fn case_listed(case: &Case) -> Message {
    Message::CaseListed(Box::new(CaseListed {
        case: case.id.clone(),
        model: path(&case.model),
        backend: case.target.kind.word().to_owned(),
        backend_reason: case.target_why.to_owned(),
        scenario: case.scenario,
        point: super::discover::point(Cell::of(case)),
        shapes: case.shapes.iter().map(|(name, shape)| (name.clone(), shape.to_string())).collect(),
        budget: case.budget.map(|b| BudgetListed { max_ns: b.max_ns, quantile: b.quantile }),
        processes: case.effort.processes,
        builds: case.effort.builds,
        warm_up_ns: case.effort.warm_up.0,
        measure_ns: case.effort.measure.0,
    }))
}

fn case_finished(id: &str, case: &CaseRecord, compared: Option<&Compared>) -> CaseFinished {
    let figures = Figures::of(case);
    let number = |figure: Option<crate::outcome::Figure>| figure.map(Number::from);
    CaseFinished {
        case: id.to_owned(),
        scenario: case.scenario,
        debug_extra_work_frac: case.engine.build.debug_extra_work_frac,
        test_library: case.engine.of_test_library(),
        mean_ns: number(figures.mean_ns),
        p50_ns: number(figures.p50_ns),
        p90_ns: number(figures.p90_ns),
        p99_ns: number(figures.p99_ns),
        inferences_per_s: number(figures.inferences_per_s),
        load_ns: number(figures.load_ns),
        cold_load_ns: case.engine.kernels.as_ref().map(|k| k.cold_load_ns),
        first_ns: number(figures.first_ns),
        peak_host_bytes: number(figures.peak_host_bytes),
        gpu: figures.gpu.map(gpu_numbers),
        builds: figures.builds,
        bound: figures.bound,
        budget: figures.budget.map(budget_numbers),
        capacity: figures.capacity.as_ref().map(capacity_numbers),
        comparison: compared.map(|c| compared_case(&c.comparison, Some(&c.base))),
    }
}

fn budget_numbers(b: BudgetResult) -> BudgetNumbers {
    BudgetNumbers {
        max_ns: b.budget.max_ns,
        quantile: b.budget.quantile,
        over_frac: b.over_frac,
        holds: b.over_frac <= 1.0 - b.budget.quantile,
        judged: b.answer != BudgetAnswer::TooFewRequests,
    }
}

fn gpu_numbers(gpu: GpuFigures) -> GpuNumbers {
    GpuNumbers {
        compute_p50_ns: gpu.compute_p50_ns.map(Number::from),
        compute_p99_ns: gpu.compute_p99_ns.map(Number::from),
        compute_p50_at_max_clock_ns: gpu.compute_p50_at_max_clock_ns.map(Number::from),
        enqueue_ns: gpu.enqueue_ns.map(Number::from),
        h2d_ns: gpu.h2d_ns.map(Number::from),
        d2h_ns: gpu.d2h_ns.map(Number::from),
        sm_mhz: gpu.sm_mhz.map(Number::from),
        joules_per_inference: gpu.joules_per_inference.map(Number::from),
    }
}

fn capacity_numbers(found: &CapacityFigures) -> CapacityNumbers {
    let point = |p: &CapacityPoint| CapacityPointNumbers {
        budget_ns: p.budget_ns,
        inferences_per_s: p.rate.ok().map(Number::from),
        confirmed_per_s: p.confirmed.map(|(lowest, _)| lowest.per_s),
    };
    CapacityNumbers {
        points: found.points.iter().map(point).collect(),
        closed_per_s: found.closed_per_s.map(Number::from),
        closed_p50_ns: found.closed_p50_ns.map(Number::from),
        late_frac: found.late_frac,
    }
}

/// A case of a comparison.
pub fn compared_case(c: &CaseComparison, base: Option<&Base>) -> ComparedCase {
    ComparedCase {
        case: c.id.clone(),
        verdict: c.verdict.word().to_owned(),
        verdict_reason: c.verdict.reason(),
        advisory: c.is_advisory(),
        metrics: c.metrics.iter().map(|m| compared_metric(m, c)).collect(),
        engine_changes: c.engine_changes.clone(),
        outputs_changed: c.outputs_changed,
        output_difference: c.output_difference.as_ref().map(ToString::to_string),
        broken_budget: c.broken_budget.as_ref().map(ToString::to_string),
        debug_extra_work: c.unreal == Some(Unreal::ExtraWork),
        test_library: c.unreal == Some(Unreal::TestLibrary),
        workload: c.unreal == Some(Unreal::Workload),
        moved: c.moved.map(|moved| moved.to_string()),
        base: base.map(|b| ComparedBase { label: b.label.clone(), path: path(&b.path), steps: b.steps }),
    }
}

fn compared_metric(m: &MetricComparison, c: &CaseComparison) -> ComparedMetric {
    let ruling = m.ruling.as_ref().ok();
    ComparedMetric {
        metric: m.metric.name(c.budget),
        base: finite(m.base),
        head: finite(m.head),
        change: m.change.map(Into::into),
        p: ruling.and_then(|r| finite(r.p_zero)),
        mde_frac: ruling.and_then(|r| finite(r.mde.exp_m1())),
        judged: ruling.is_some(),
        why: m.ruling.as_ref().err().map(ToString::to_string),
        basis: super::calibration::metric_basis(m),
    }
}
