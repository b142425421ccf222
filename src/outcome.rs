//! What a session came to, as plain data: what it said on its way, and what it left.
//!
//! Sessions fill it in, reports show it. Every number that is shown is computed here, once, so that no two formats can
//! disagree.

mod check;
mod event;
mod figures;
mod grid;

mod run;
mod tally;

pub use check::{Added, Checked, Counts, Row, RowOrigin};
pub use event::Event;
pub use figures::{BudgetResult, CapacityFigures, CapacityPoint, Cliff, Figure, Figures, GpuFigures, NoRate};
pub use grid::{Discovered, Dropped, Explored};
pub use run::{Base, Compared, RunOutcome, RunRow, verdict, worst_first};
pub use tally::Tally;
