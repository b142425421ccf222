//! Finds which of the acceptances that head adds cover a regression, or a gap.

use super::Evidence;
use crate::acceptance::{AcceptanceStatus, GapUnderTest, UnderTest, acceptance_status, gap_status};
use crate::compare::Verdict;
use crate::outcome::{Added, Gap, Row};
use crate::record::{Acceptance, ChangeKind, Record};
use std::collections::BTreeMap;

impl Evidence {
    /// Notes at every row that would fail the check, for a regression or for a gap, whether an added acceptance covers it.
    /// Of several acceptances one that is honoured wins, otherwise the newest tells why not.
    pub(super) fn accept(&self, rows: &mut BTreeMap<String, Row>) {
        let src_tree = self.head.source.as_ref().filter(|s| !s.dirty).map(|s| s.src_tree.as_str());
        let device_key = &self.device.key;
        for (id, row) in rows.iter_mut() {
            let about: Vec<(&Record, &Acceptance)> =
                self.added.iter().filter_map(Added::acceptance).filter(|(_, a)| a.case == *id).collect();
            let head = self.cases.get(id).and_then(|case| case.found.head());
            let head = head.filter(|_| row.gates() && row.comparison.verdict == Verdict::Regressed);
            row.accepted = head.and_then(|case| {
                let definition_hash = &case.definition_hash;
                let now = UnderTest { src_tree, device_key, definition_hash, comparison: &row.comparison };
                let with_numbers = about.iter().filter(|(_, a)| !a.changes.is_empty());
                best(with_numbers.map(|(record, acceptance)| acceptance_status(record, acceptance, &now)))
            });
            row.gap_accepted = gap_kind(row).and_then(|kind| {
                let words = row.gap_words();
                let now = GapUnderTest { src_tree, device_key, kind, redefined: &words };
                best(about.iter().map(|(record, acceptance)| gap_status(record, acceptance, &now)))
            });
        }
    }
}

/// What an acceptance of the row's gap is called; `None` where there is no gap that anybody can accept.
pub fn gap_kind(row: &Row) -> Option<ChangeKind> {
    match row.gap()? {
        Gap::Removed => Some(ChangeKind::Removal),
        Gap::Redefined | Gap::NotComparable => Some(ChangeKind::Redefinition),
        Gap::NoBase => None,
    }
}

fn best(statuses: impl Iterator<Item = AcceptanceStatus>) -> Option<AcceptanceStatus> {
    let mut found: Vec<AcceptanceStatus> = statuses.collect();
    found.sort_by_key(|s| matches!(s, AcceptanceStatus::Stale { .. }));
    found.into_iter().next()
}
