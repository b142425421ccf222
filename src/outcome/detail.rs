//! What a page shows of a case beside its verdict.

use super::{CasePicture, MemoryDetail};
use crate::history::Series;
use crate::layers::{Attribution, Breakdown};
use crate::record::CaseRecord;

/// One case in full.
#[derive(Clone, Debug, Default)]
pub struct CaseDetail {
    /// What was measured of base and head; `None` where that arm has nothing of it.
    pub arms: [Option<CaseRecord>; 2],
    /// What there is to draw of its processes.
    pub picture: Option<CasePicture>,
    /// What its layers take, where that was measured and is still here.
    pub layers: Option<LayerDetail>,
    /// What it has of memory, where a memory run was made.
    pub memory: Option<MemoryDetail>,
    /// The case over all stored records, where that was asked for.
    pub series: Option<Series>,
}

/// The layers of a case.
#[derive(Clone, Debug)]
pub enum LayerDetail {
    /// Of head alone.
    Alone(Breakdown),
    /// Of head against base.
    Compared(Attribution),
}
