//! Asks model files what they take. A worker reads them, because a damaged file can make any parser slow or greedy.

use crate::error::{Failure, FailureKind, Result};
use crate::onnx::ModelInput;
use crate::worker::protocol::{Job, WorkerMessage};
use std::path::Path;
use std::time::Duration;

/// Large models take seconds to read.
const LIMIT: Duration = Duration::from_secs(60);

/// The inputs of an ONNX file as it declares them.
pub fn declared_inputs(model: &Path) -> Result<Vec<ModelInput>> {
    match crate::worker::run(&Job::Inputs(model.to_owned()), LIMIT, &mut |_| {})? {
        WorkerMessage::Inputs(inputs) => Ok(inputs),
        other => Err(Failure::new(FailureKind::Crash, format!("the worker answered {other:?}"))),
    }
}
