//! The part of the page that is about one case: what was compared, its numbers, and its figures.

use super::figure::{self, ARMS};
use super::phases;
use super::view::{PageCase, TableCell, Tone};
use crate::compare::{CaseComparison, MetricComparison, Verdict};
use crate::outcome::{BudgetAnswer, CapacityPoint, CaseDetail, Figure, Figures, GpuFigures, NoRate};
use crate::record::CaseRecord;
use crate::report::calibration::basis;
use crate::report::terminal::sentence;
use crate::report::{interval, interval_of};
use crate::units::{bytes, change, p_value, plain_time, rate, share, time};

/// The columns of a page that compares; the second of each: whether it holds numbers.
pub const COMPARED: [(&str, bool); 7] = [
    ("case", false),
    ("metric", false),
    ("base", true),
    ("head", true),
    ("change", true),
    ("detects", true),
    ("verdict", false),
];

/// How a verdict is shown where nothing else is to be said of it.
pub fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Regressed | Verdict::Invalid(_) => Tone::Bad,
        Verdict::Improved => Tone::Good,
        Verdict::Inconclusive(_) | Verdict::NotComparable(_) => Tone::Warn,
        Verdict::Unchanged | Verdict::ChangedWithinMargin => Tone::Calm,
    }
}

/// The row of a compared case: the metric that decided, with both arms' values. `more` follows the verdict's word.
pub fn cells(c: &CaseComparison, more: &str) -> Vec<TableCell> {
    let unreal = c.unreal.map(|u| format!("not a real result: {}", u.words()));
    let more: Vec<&str> = [more].into_iter().filter(|m| !m.is_empty()).chain(unreal.as_deref()).collect();
    let m = c.deciding();
    let value = |label, of: fn(&MetricComparison) -> f64| {
        TableCell::number(label, m.map(of), |v| m.map_or_else(String::new, |m| m.metric.shown(v)))
    };
    let changed = m.and_then(|m| m.change);
    let detects = m.and_then(|m| Some(m.ruling.as_ref().ok()?.mde.exp_m1()));
    vec![
        TableCell::case(&c.id),
        TableCell::text("metric", &m.map_or_else(|| "–".to_owned(), |m| m.metric.name(c.budget))),
        value("base", |m| m.base),
        value("head", |m| m.head),
        TableCell::number("change", changed.map(|i| i.est), |_| {
            changed.map_or_else(String::new, |i| interval(&i))
        }),
        TableCell::number("detects", detects, change),
        TableCell::verdict(c.verdict.rank(), &more.join("; ")),
    ]
}

/// What a comparison says: the sentence, every metric, and what differed.
pub fn compared(case: &mut PageCase, c: &CaseComparison) {
    case.say([sentence(c)]);
    case.say(c.broken_budget.as_ref().map(|why| format!("The budget is broken: {why}.")));
    case.say(c.unreal.map(|u| format!("Not a real result: {}.", u.words())));
    case.say(basis(c).map(|note| format!("{note}.")));
    let columns = vec!["metric", "base", "head", "change [95 %]", "margin", "detects", "p of no change"];
    case.table("Compared", columns, c.metrics.iter().map(|m| metric_row(m, c)).collect());
    case.differ(c.engine_changes.iter().map(|what| format!("engine: {what}")));
    if c.outputs_changed {
        let how =
            c.output_difference.as_ref().map_or_else(String::new, |d| format!("; they differ most in {d}"));
        case.differ([format!("the outputs are not the same{how}")]);
    }
    case.differ(c.moved.map(|moved| moved.to_string()));
}

fn metric_row(m: &MetricComparison, c: &CaseComparison) -> Vec<String> {
    let value = |v: f64| if v.is_finite() { m.metric.shown(v) } else { "–".to_owned() };
    let mut row = vec![m.metric.name(c.budget), value(m.base), value(m.head)];
    row.push(m.change.map_or_else(|| "–".to_owned(), |i| interval(&i)));
    match &m.ruling {
        Ok(ruling) => row.extend([
            format!("±{}", share(m.margin_frac(c.margins))),
            change(ruling.mde.exp_m1()),
            p_value(ruling.p_zero),
        ]),
        Err(why) => row.extend(["–".to_owned(), "–".to_owned(), format!("not judged: {why}")]),
    }
    row
}

/// The numbers of each arm, what answered, and the figures.
pub fn measured(case: &mut PageCase, detail: &CaseDetail, paired: bool) {
    let arms: Vec<(&'static str, &CaseRecord)> =
        ARMS.into_iter().zip(&detail.arms).filter_map(|(name, arm)| Some((name, arm.as_ref()?))).collect();
    if let Some((_, asked)) = arms.last() {
        case.say([setup(asked)]);
    }
    let lone = arms.len() == 1;
    let columns =
        std::iter::once("number").chain(arms.iter().map(|(name, _)| if lone { "measured" } else { name }));
    let figures: Vec<Figures> = arms.iter().map(|(_, arm)| Figures::of(arm)).collect();
    case.table("Numbers, over processes, with 95 % intervals", columns.collect(), numbers(&figures));
    if let Some(memory) = &detail.memory {
        let (columns, rows) = phases::rows(memory);
        case.table(
            "Memory: the most that was traced, and the process at the end of each phase",
            columns,
            rows,
        );
    }
    case.draw(figure::all(detail, paired));
}

/// What was asked, and what answered: `rten 0.27.0 (cpu), batch 1, 1 stream, image 1x3x32x32`.
fn setup(case: &CaseRecord) -> String {
    let shapes: Vec<String> = case.shapes.iter().map(|(name, shape)| format!("{name} {shape}")).collect();
    let e = &case.engine;
    format!("{} ({}), {}, {}.", e.library, e.backend, case.cell().words(), shapes.join(", "))
}

/// A row of numbers, one column per arm; rows that no arm has are left out.
fn numbers(arms: &[Figures]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: &dyn Fn(&Figures) -> Option<String>| {
        let cells: Vec<Option<String>> = arms.iter().map(value).collect();
        if cells.iter().any(Option::is_some) {
            let shown = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
            rows.push(std::iter::once(name.to_owned()).chain(shown).collect());
        }
    };
    let with = |figure: Option<Figure>, show: fn(f64) -> String| figure.map(|f| interval_of(&f, &show));
    add("mean", &|f| with(f.mean_ns, time));
    add("p50", &|f| with(f.p50_ns, time));
    add("p90", &|f| with(f.p90_ns, time));
    add("p99", &|f| with(f.p99_ns, time));
    add("throughput", &|f| with(f.inferences_per_s, rate));
    add("budget", &|f| f.budget.map(|b| budget(&b)));
    let most = arms.iter().filter_map(|f| Some(f.capacity.as_ref()?.points.len())).max().unwrap_or(0);
    for i in 0..most {
        let point = |f: &Figures| f.capacity.as_ref()?.points.get(i).cloned();
        let name =
            arms.iter().find_map(point).map(|p| format!("capacity in {}", plain_time(p.budget_ns as f64)));
        add(&name.unwrap_or_default(), &|f| point(f).map(|p| capacity(&p)));
    }
    add("load", &|f| with(f.load_ns, time));
    add("first request", &|f| with(f.first_ns, time));
    add("peak host memory", &|f| with(f.peak_host_bytes, |b| bytes(b as u64)));
    let gpu = |f: &Figures, value: fn(&GpuFigures) -> Option<Figure>| f.gpu.as_ref().and_then(value);
    add("GPU compute p50", &|f| with(gpu(f, |g| g.compute_p50_ns), time));
    add("GPU compute p99", &|f| with(gpu(f, |g| g.compute_p99_ns), time));
    add("GPU clock", &|f| with(gpu(f, |g| g.sm_mhz), |mhz| format!("{mhz:.0} MHz")));
    add("energy per inference", &|f| with(gpu(f, |g| g.joules_per_inference), |j| format!("{j:.4} J")));
    add("processes", &|f| Some(f.processes.to_string()));
    add("drifted while measuring", &|f| (f.drifted > 0).then(|| format!("{} of {}", f.drifted, f.processes)));
    rows
}

fn budget(b: &crate::outcome::BudgetResult) -> String {
    let said = match b.answer {
        BudgetAnswer::Holds => "holds",
        BudgetAnswer::Missed => "does not hold",
        BudgetAnswer::TooFewRequests => "too few requests to tell",
    };
    let asked = format!("{} in {}", share(b.budget.quantile), plain_time(b.budget.max_ns as f64));
    format!("{asked}: {said}, {} over", share(b.over_frac))
}

fn capacity(p: &CapacityPoint) -> String {
    match &p.rate {
        Ok(figure) => interval_of(figure, &rate),
        Err(NoRate::TooSlow { lowest_per_s, .. }) => format!("none, not even {}", rate(*lowest_per_s)),
        Err(NoRate::Beyond { at_least_per_s }) => format!("at least {}", rate(*at_least_per_s)),
        Err(NoRate::NotMeasured) => "not measured".into(),
    }
}
