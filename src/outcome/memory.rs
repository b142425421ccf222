//! The result of a memory session: what each case takes, and what differs from a base.

use crate::engine::TEST_LIBRARY;
use crate::error::{Failure, Result};
use crate::memory::wire::MemoryRecord;
use crate::memory::{CaseMemory, MemoryDifference, differences};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a memory session leaves.
pub struct MemoryOutcome {
    /// What was found of each case, as it is written.
    pub record: MemoryRecord,
    /// The same with what each is judged by, in the order of the cases.
    pub rows: Vec<MemoryRow>,
    /// Cases that could not be built or measured; one whose allocator ran out is one of them.
    pub failed: BTreeMap<String, Failure>,
    /// What the base is called, where there is one.
    pub base: Option<String>,
    /// Where the record was written, or why it could not be; `None` if nothing was measured.
    pub written: Option<Result<PathBuf>>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
}

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRow {
    /// The case's id.
    pub id: String,
    /// What it takes.
    pub memory: CaseMemory,
    /// The budget in bytes; `None` where there is none.
    pub budget: Option<u64>,
    /// How it breaks the budget, in words.
    pub over: Option<String>,
    /// Which figures are not those of the base; `None` where there is no base to compare with.
    pub differences: Option<Vec<MemoryDifference>>,
}

impl MemoryRow {
    /// The row of a case, judged.
    pub fn new(id: &str, memory: CaseMemory, budget: Option<u64>, base: Option<&CaseMemory>) -> Self {
        Self {
            id: id.to_owned(),
            budget,
            over: budget.and_then(|budget| memory.over(budget)),
            differences: base.map(|base| differences(base, &memory)),
            memory,
        }
    }
}

impl CaseMemory {
    /// Whether it is of the library of our own tests, whose numbers say nothing.
    pub fn of_test_library(&self) -> bool {
        self.library.starts_with(TEST_LIBRARY)
    }
}

impl MemoryOutcome {
    /// Cases that break their budget.
    pub fn over(&self) -> usize {
        self.rows.iter().filter(|row| row.over.is_some()).count()
    }
}
