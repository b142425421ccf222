//! What differs between two cases of the same name, in the words of the settings. Pure.

use super::FileHash;
use crate::case::{Case, OpenLoop};
use crate::config::{ArrivalsChoice, Shape, Wait};
use crate::units::{Nanos, bytes, share};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// One setting that differs.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Changed {
    /// The setting, as the configuration calls it.
    pub what: String,
    /// What it is in the base, in words.
    pub base: String,
    /// What it is in head, in words.
    pub head: String,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.what, self.base, self.head)
    }
}

/// Gathers what differs.
#[derive(Default)]
struct Changes(Vec<Changed>);

impl Changes {
    fn add(&mut self, what: impl Into<String>, base: impl Into<String>, head: impl Into<String>) {
        let (what, base, head) = (what.into(), base.into(), head.into());
        if base != head {
            self.0.push(Changed { what, base, head });
        }
    }

    fn add_number(&mut self, what: &str, base: impl ToString, head: impl ToString) {
        self.add(what, base.to_string(), head.to_string());
    }

    /// Files by name; the same name with other contents differs, too.
    fn add_files(
        &mut self,
        what: &str,
        otherwise: &str,
        [base, head]: [&BTreeMap<String, PathBuf>; 2],
        contents: FileHash,
    ) {
        let names: BTreeSet<&String> = base.keys().chain(head.keys()).collect();
        for name in names {
            let found = [base.get(name), head.get(name)];
            let same = match found {
                [Some(base), Some(head)] => base == head || same_contents(base, head, contents),
                _ => false,
            };
            if !same {
                let [base, head] = found
                    .map(|path| path.map_or_else(|| otherwise.to_owned(), |path| named_file(path, contents)));
                self.add(format!("{what} {name}"), base, head);
            }
        }
    }
}

fn same_contents(base: &Path, head: &Path, contents: FileHash) -> bool {
    contents(base).is_some_and(|hash| contents(head) == Some(hash))
}

/// `x.npy (3fa94c1b)`: what it holds is what counts.
fn named_file(path: &Path, contents: FileHash) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let hash = contents(path);
    let hash = hash.as_deref().map_or("not readable", |hash| hash.get(..8).unwrap_or(hash));
    format!("{name} ({hash})")
}

/// Whether both measure the same shapes; the range around them is how an engine is built.
pub(super) fn same_shapes(base: &Case, head: &Case) -> bool {
    let opt = |c: &Case| -> BTreeMap<String, (Vec<u64>, Option<Vec<i64>>)> {
        let fed = |shape: &Shape| (shape.opt.clone(), shape.values.as_ref().map(|v| v.opt.clone()));
        c.shapes.iter().map(|(name, shape)| (name.clone(), fed(shape))).collect()
    };
    opt(base) == opt(head) && base.batch_in_shapes == head.batch_in_shapes
}

/// What head asks otherwise.
pub(super) fn definition_changes(base: &Case, head: &Case, contents: FileHash) -> Vec<Changed> {
    let mut found = Changes::default();
    let (b, h) = (&base.point, &head.point);
    found.add_number("batch", b.batch, h.batch);
    found.add_number("streams", b.streams, h.streams);
    found.add_number("in-flight", b.in_flight, h.in_flight);
    found.add_number("cuda-graph", b.cuda_graph, h.cuda_graph);
    found.add_number("transfers", base.mode.transfers, head.mode.transfers);
    let wait = |c: &Case| if c.mode.wait == Wait::Spin { "spin" } else { "block" };
    found.add("wait", wait(base), wait(head));
    let budget = |c: &Case| c.budget.map_or_else(|| "none".to_owned(), |b| Nanos(b.max_ns).to_string());
    found.add("max-latency", budget(base), budget(head));
    if let (Some(b), Some(h)) = (base.budget, head.budget) {
        found.add_number("percentile", percent(b.quantile), percent(h.quantile));
    }
    if let (Some(b), Some(h)) = (&base.open, &head.open) {
        open_changes(&mut found, b, h, contents);
    }
    shape_changes(&mut found, base, head);
    found.add_files("input", "seeded", [&base.inputs, &head.inputs], contents);
    found.add_number("seed", base.seed, head.seed);
    found.0
}

/// Without the digits that a division by 100 adds.
fn percent(quantile: f64) -> f64 {
    (quantile * 1e8).round() / 1e6
}

fn open_changes(found: &mut Changes, base: &OpenLoop, head: &OpenLoop, contents: FileHash) {
    let arrivals = |open: &OpenLoop| match &open.arrivals {
        ArrivalsChoice::Poisson => "poisson".to_owned(),
        ArrivalsChoice::Uniform => "uniform".to_owned(),
        ArrivalsChoice::File(path) => named_file(path, contents),
    };
    let same_file = match (&base.arrivals, &head.arrivals) {
        (ArrivalsChoice::File(base), ArrivalsChoice::File(head)) => same_contents(base, head, contents),
        _ => false,
    };
    if !same_file {
        found.add("arrivals", arrivals(base), arrivals(head));
    }
    let budgets = |open: &OpenLoop| {
        let all: Vec<String> = open.budgets_ns.iter().map(|ns| Nanos(*ns).to_string()).collect();
        all.join(", ")
    };
    found.add("budgets", budgets(base), budgets(head));
    let delay =
        |open: &OpenLoop| open.batch_delay_ns.map_or_else(|| "none".to_owned(), |ns| Nanos(ns).to_string());
    found.add("batch-delay", delay(base), delay(head));
}

fn shape_changes(found: &mut Changes, base: &Case, head: &Case) {
    let shape = |c: &Case, name: &String| {
        c.shapes.get(name).map_or_else(|| "the model's".to_owned(), Shape::to_string)
    };
    let names: BTreeSet<&String> = base.shapes.keys().chain(head.shapes.keys()).collect();
    for name in names {
        found.add(format!("shape of {name}"), shape(base, name), shape(head, name));
    }
    found.add_number("batch in shapes", base.batch_in_shapes, head.batch_in_shapes);
}

/// How head would be judged otherwise.
pub(super) fn setting_changes(base: &Case, head: &Case, contents: FileHash) -> Vec<Changed> {
    let mut found = Changes::default();
    found.add("margin", share(base.margins.value_frac), share(head.margins.value_frac));
    found.add("tail-margin", share(base.margins.tail_frac), share(head.margins.tail_frac));
    let (b, h) = (base.effort, head.effort);
    found.add_number("processes", b.processes, h.processes);
    found.add_number("builds", b.builds, h.builds);
    found.add_number("warm-up", b.warm_up, h.warm_up);
    found.add_number("measure", b.measure, h.measure);
    found.add_number("time-limit", b.time_limit, h.time_limit);
    found.add_files("expect", "nothing", [&base.expect, &head.expect], contents);
    found.add_number("rtol", base.rtol, head.rtol);
    found.add_number("atol", base.atol, head.atol);
    found.add_number("allow-non-finite", base.allow_non_finite, head.allow_non_finite);
    let memory = |case: &Case| case.max_memory.map_or_else(|| "none".to_owned(), bytes);
    found.add("max-memory", memory(base), memory(head));
    let outputs = |case: &Case| case.outputs.map_or("nothing".to_owned(), |t| t.to_string());
    found.add("outputs", outputs(base), outputs(head));
    found.0
}
