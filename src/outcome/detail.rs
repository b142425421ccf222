//! What a page shows of a case beside its verdict.

use super::CasePicture;
use crate::history::Series;
use crate::record::CaseRecord;

/// One case in full.
#[derive(Clone, Debug, Default)]
pub struct CaseDetail {
    /// What was measured of base and head; `None` where that arm has nothing of it.
    pub arms: [Option<CaseRecord>; 2],
    /// What there is to draw of its processes.
    pub picture: Option<CasePicture>,
    /// The case over all stored records, where that was asked for.
    pub series: Option<Series>,
}
