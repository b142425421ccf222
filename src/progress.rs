//! What a worker reports while it works: its stage, and how far a build is.

use serde::{Deserialize, Serialize};

/// A part of the work in a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// An engine is built.
    Build,
    /// An engine is loaded.
    Load,
    /// Requests are sent that do not count.
    WarmUp,
    /// Requests are timed.
    Measure,
}

impl Stage {
    /// As it is shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "building",
            Self::Load => "loading",
            Self::WarmUp => "warming up",
            Self::Measure => "measuring",
        }
    }
}

/// Within a stage: what is being done, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub doing: String,
    /// Steps done.
    pub step: u32,
    /// 0 where nobody knows.
    pub steps: u32,
}

/// Whoever wants to know how the work goes on. Building and measuring do not know who that is.
pub trait Tell: Send {
    /// A stage begins; `expected_ns` is how long it will take at least, 0 where nobody knows.
    fn stage(&mut self, stage: Stage, expected_ns: u64);

    /// The work within a stage went on.
    fn progress(&mut self, progress: Progress);
}
