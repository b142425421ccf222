//! A record in the formats of other programs: one file for each format. Pure: a record in, text out.
//!
//! Every number is one that a report shows too ([`crate::outcome::Figures`]), or that a process told. What a format has no
//! place for is left out; what we do not know is left out, too, and is not made up.

pub mod bencher;
pub mod benchmark_action;
pub mod criterion;
pub mod csv;
mod measures;
pub mod openmetrics;
pub mod trtexec;

pub use measures::{Measure, MeasureUnit, measures};

use crate::record::Record;
use crate::units::plural;

/// What a reader of the exported numbers has to know, and most formats have no place for.
pub fn warnings(record: &Record) -> Vec<String> {
    let of_cases = record.cases.iter().flat_map(|(id, case)| {
        let unreal = case.engine.unreal().map(|u| format!("{id}: not a real result: {}", u.words()));
        let invalid = case.invalid_reason().map(|(why, n)| {
            format!("{id}: not to be trusted: {why} ({n} of {})", plural(case.processes.len(), "process"))
        });
        [unreal, invalid].into_iter().flatten()
    });
    let failed = record.failed.keys().map(|id| format!("{id}: failed, so it has no numbers"));
    of_cases.chain(failed).collect()
}
