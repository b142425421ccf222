//! The results of a session as plain data: what it reported while it ran, and what it has at its end.
//!
//! Sessions fill it in, reports show it. Every number that is shown is computed here, once, so that no two formats can
//! disagree.

mod added;
mod bound;
mod check;
mod detail;
mod event;
mod figures;
mod grid;
mod memory;
mod past;
mod picture;
mod run;
mod spread;
mod tally;

pub use added::{Added, AddedBy, AddedWhat};
pub use bound::Bound;
pub use check::{Checked, Counts, Gap, OnMissing, Row, RowOrigin, SettingChanged};
pub use detail::{CaseDetail, LayerDetail};
pub use event::Event;
pub use figures::{
    BudgetAnswer, BudgetResult, CONFIDENCE, CapacityFigures, CapacityPoint, Cliff, FewRequests, Figure,
    Figures, GpuFigures, NoRate,
};
pub use grid::{Discovered, Dropped, Explored};
pub use memory::{MemoryArm, MemoryDetail, MemoryMoment, MemoryOutcome, MemoryPicture, MemoryRow};
pub use past::{Backfilled, BisectAnswer, Bisected, CommitDone, PastCommit};
pub use picture::{
    ArmValues, CasePicture, Envelope, LatencyAxis, MOST_PROCESSES, ProcessValues, SampledArm, SampledProcess,
};
pub use run::{Base, Compared, RunOutcome, RunRow, verdict, worst_first};
pub use spread::BuildSpread;
pub use tally::Tally;
