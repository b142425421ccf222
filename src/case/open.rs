//! Says how `capacity` offers its requests, which is part of what is asked.

use super::{Case, sha256_hex};
use crate::case::BackendKind;
use crate::config::{ArrivalsChoice, Scenario, Wait};
use crate::error::{Failure, Result};
use crate::file;
use serde::{Deserialize, Serialize};

/// An open loop as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// When requests arrive.
    pub arrivals: ArrivalsChoice,
    /// Every budget that a rate is looked for, ascending; the case's own is one of them.
    pub budgets_ns: Vec<u64>,
    /// Each arrival is one inference and waits up to so long for others to fill the batch; `None`: each arrival is a
    /// request of a whole batch.
    pub batch_delay_ns: Option<u64>,
}

/// An open loop as it stands in definitions and records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpenIdentity {
    /// `poisson`, `uniform`, or the SHA-256 of a file of arrival times.
    pub arrivals: String,
    /// Ascending.
    pub budgets_ns: Vec<u64>,
    /// How long an inference may wait for others to fill the batch; absent where each arrival is a whole batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_delay_ns: Option<u64>,
}

impl OpenLoop {
    /// The same with a file of arrivals known by its contents.
    pub fn identity(&self) -> Result<OpenIdentity> {
        let arrivals = match &self.arrivals {
            ArrivalsChoice::Poisson => "poisson".to_owned(),
            ArrivalsChoice::Uniform => "uniform".to_owned(),
            ArrivalsChoice::File(path) => sha256_hex(&file::read(path, &file::ARRIVALS)?),
        };
        Ok(OpenIdentity {
            arrivals,
            budgets_ns: self.budgets_ns.clone(),
            batch_delay_ns: self.batch_delay_ns,
        })
    }
}

/// Fails for the first case that asks for what cannot be: before anything is built.
pub fn check(cases: &[Case]) -> Result<()> {
    cases.iter().try_for_each(check_program)?;
    cases.iter().try_for_each(|case| match (case.scenario, impossible(case)) {
        (Scenario::Capacity, Some((what, next))) => {
            Err(Failure::usage(format!("{}: {what}", case.id)).next(next).context(&case.place))
        }
        _ => Ok(()),
    })
}

/// A program has neither tensors that we know nor requests that we could offer side by side.
fn check_program(case: &Case) -> Result<()> {
    let has_program = case.build.program.is_some();
    let (what, next) = if case.target.kind.is_command() != has_program {
        (
            "the backends command and gpu-command measure programs",
            "say which: run = [\"python3\", \"infer.py\"]",
        )
    } else if !has_program {
        return Ok(());
    } else if case.scenario != Scenario::Latency {
        (
            "a program answers one request after the other, and has the scenario latency alone",
            "leave it out with --skip, or take `scenarios` out of its table",
        )
    } else if !(case.inputs.is_empty() && case.expect.is_empty() && case.shapes.is_empty()) {
        ("a program has inputs and outputs of its own", "take `inputs`, `expect` and `shapes` out")
    } else {
        return check_settings(case);
    };
    Err(Failure::usage(format!("{}: {what}", case.id)).next(next).context(&case.place))
}

/// Settings are about requests that we send.
fn check_settings(case: &Case) -> Result<()> {
    let Some(key) = case.meaningless.first() else { return Ok(()) };
    let what = format!("{}: {key} means nothing to a program, which runs its requests itself", case.id);
    let next = format!("leave the program out with --skip, or take `{key}` out of its table");
    Err(Failure::usage(what).next(next).context(&case.place))
}

/// What is wrong with a `capacity` case, and what to do.
fn impossible(case: &Case) -> Option<(&'static str, &'static str)> {
    let open = case.open.as_ref()?;
    if case.budget.is_none() {
        return Some((
            "capacity is the highest rate that keeps a budget, and there is none",
            "set max-latency, such as max-latency = \"5ms\" or --max-latency 5ms",
        ));
    }
    if case.target.kind == BackendKind::Trtexec {
        return Some((
            "trtexec offers its requests itself, back to back: it has no open loop",
            "use another backend for capacity, or the scenarios latency and throughput",
        ));
    }
    if open.batch_delay_ns.is_some() && case.point.batch == 1 {
        return Some((
            "batch-delay fills batches, and the batch is 1",
            "set batches, or take batch-delay out",
        ));
    }
    if case.point.in_flight > 1 && case.mode.wait == Wait::Block {
        return Some((
            "with several requests in flight an open loop asks the GPU over and over; it cannot block",
            "set wait = \"spin\", or in-flight = 1",
        ));
    }
    None
}
