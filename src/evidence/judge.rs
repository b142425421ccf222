//! Computes the verdicts of a check from what it measured: THE way from numbers to rows.

use super::{CaseEvidence, Evidence, Found, MemoryEvidence, StoredEvidence};
use crate::case::Margins;
use crate::compare::confirm::{Claimant, confirm, withhold};
use crate::compare::{
    self, BrokenBudget, CaseComparison, Design, Invalid, NotComparable, Sessions, Verdict, compare_case,
};
use crate::outcome::{Checked, Row, RowOrigin};
use crate::record::{CaseRecord, Record, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;

impl StoredEvidence {
    /// What was measured now against these numbers.
    fn compare(&self, id: &str, head: &CaseRecord, margins: Margins) -> CaseComparison {
        let known = |metric| {
            let found = self.sessions.iter().find(|(of, _)| *of == metric);
            found.map_or(Sessions::Assumed, |(_, sessions)| *sessions)
        };
        compare_case(id, &self.base, head, margins, &Design::Stored(&known))
    }
}

impl CaseEvidence {
    /// What the first set of pairs says, or whatever there is instead of one.
    pub fn first_row(&self, id: &str) -> Row {
        let bare = |verdict| CaseComparison::bare(id, self.budget, self.margins, self.unreal, verdict);
        let apart = |why| bare(Verdict::NotComparable(why));
        let (comparison, origin) = match &self.found {
            Found::SameEngine => (bare(Verdict::Unchanged), RowOrigin::SameEngine),
            Found::Pairs { first, .. } => {
                let (pairs, discarded) = (first.pairs(), first.left_out());
                let origin = RowOrigin::Pairs { pairs, discarded, confirmed: None };
                (first.compare(id, self.margins), origin)
            }
            Found::Stored { why, base, head } => {
                let origin = RowOrigin::Stored { why: why.clone(), base: base.label.clone() };
                (base.compare(id, head, self.margins), origin)
            }
            Found::NoBase { why, new, head } => {
                let verdict = Verdict::NotComparable(NotComparable::NoBase(why.clone()));
                let comparison = match head {
                    Some(head) => compare::without_numbers(id, head, self.margins, verdict),
                    None => bare(verdict),
                };
                (comparison, if *new { RowOrigin::New } else { RowOrigin::NoBase { why: why.clone() } })
            }
            Found::Removed { likely } => {
                (apart(NotComparable::Removed { likely: likely.clone() }), RowOrigin::Removed)
            }
            Found::Apart(why) => (apart(why.clone()), RowOrigin::NotMeasured),
            Found::BaseDidExtraWork => {
                (bare(Verdict::Invalid(Invalid::BaseDidExtraWork)), RowOrigin::NotMeasured)
            }
        };
        Row {
            redefined: self.redefined.clone(),
            settings: self.settings.clone(),
            explained: self.explained.clone(),
            ..Row::new(comparison, origin)
        }
    }

    /// What the second set of pairs says.
    fn second(&self, id: &str) -> Option<CaseComparison> {
        match &self.found {
            Found::Pairs { second: Some(second), .. } => Some(second.compare(id, self.margins)),
            _ => None,
        }
    }
}

impl Evidence {
    /// Every case by its first set of pairs alone: what there is to confirm.
    pub fn first_rows(&self) -> BTreeMap<String, Row> {
        self.cases.iter().map(|(id, case)| (id.clone(), case.first_row(id))).collect()
    }

    /// The verdicts: confirmed, corrected for the claims of all cases, with memory and what is accepted.
    pub fn rows(&self) -> BTreeMap<String, Row> {
        let mut rows = self.first_rows();
        self.confirm(&mut rows);
        for (id, row) in &mut rows {
            if let Some(memory) = self.cases.get(id).and_then(|case| case.memory) {
                hold_memory(memory, &mut row.comparison);
            }
        }
        self.accept(&mut rows);
        rows
    }

    /// Withdraws what the second sets do not show, all claims of the check together, and what has no second set.
    fn confirm(&self, rows: &mut BTreeMap<String, Row>) {
        let second = |id: &String| self.cases.get(id).and_then(|case| case.second(id));
        let second: BTreeMap<String, CaseComparison> =
            rows.keys().filter_map(|id| Some((id.clone(), second(id)?))).collect();
        let mut paired: Vec<(&mut Row, Option<&CaseComparison>)> = rows
            .iter_mut()
            .filter(|(_, row)| matches!(row.origin, RowOrigin::Pairs { .. }) && row.comparison.is_claim())
            .map(|(id, row)| (row, second.get(id)))
            .collect();
        let mut claimants: Vec<Claimant> = paired
            .iter_mut()
            .filter_map(|(row, second)| Some(Claimant { first: &mut row.comparison, second: (*second)? }))
            .collect();
        let held = confirm(&mut claimants, self.plan.alpha).unwrap_or_default();
        let mut held = held.into_iter();
        for (row, second) in &mut paired {
            // A p value that is none confirms nothing.
            let now = second.and_then(|_| held.next());
            match (&mut row.origin, now) {
                (RowOrigin::Pairs { confirmed, .. }, Some(held)) => *confirmed = held,
                _ => withhold(&mut row.comparison),
            }
        }
    }

    /// What was measured of base and head in one session; the ids come with their files. The arms of an experiment are of
    /// no commit, though they have its sources: nobody who asks for the commit's numbers means them.
    pub fn records(&self) -> [Record; 2] {
        let record = |source: &Option<Source>, of: fn(&Found) -> Option<&CaseRecord>| Record {
            tool: self.tool.clone(),
            source: source.clone().filter(|_| self.of_commits),
            experiment: !self.of_commits,
            cases: self
                .cases
                .iter()
                .filter_map(|(id, c)| Some((id.clone(), of(&c.found)?.clone())))
                .collect(),
            ..Record::empty(self.created_s, self.device.clone())
        };
        let head = record(&self.head.source, Found::head);
        [record(&self.base.source, Found::base), Record { failed: self.failed.clone(), ..head }]
    }

    /// Cases that are worse than the oldest stored record, though not than the base. Many small steps that each stay within
    /// the margin add up; the oldest record shows the sum. An experiment with settings is no step.
    fn drifted(&self, rows: &BTreeMap<String, Row>) -> BTreeMap<String, (CaseComparison, String)> {
        let drifted = |(id, case): (&String, &CaseEvidence)| {
            let (oldest, head) = case.oldest.as_ref().zip(case.found.head())?;
            let comparison = oldest.compare(id, head, case.margins);
            let known = rows.get(id).is_some_and(|r| r.comparison.verdict == Verdict::Regressed);
            let drifted = comparison.verdict == Verdict::Regressed && !known;
            drifted.then(|| (id.clone(), (comparison, oldest.label.clone())))
        };
        self.cases.iter().filter(|_| self.of_commits).filter_map(drifted).collect()
    }

    /// The result of the check. `records` and `written` are those of [`Self::records`] once they are stored, and their
    /// files.
    pub fn checked(&self, records: [Record; 2], written: Vec<PathBuf>) -> Checked {
        let rows = self.rows();
        Checked {
            drifted: self.drifted(&rows),
            rows,
            failed: self.failed.clone(),
            added: self.added.clone(),
            prepare_differs: self.prepare_differs.clone(),
            on_missing: self.plan.on_missing,
            interrupted: self.interrupted,
            records,
            written,
        }
    }
}

/// Head has regressed where it breaks a budget of memory that the base kept; memory needs no statistics.
fn hold_memory(memory: MemoryEvidence, comparison: &mut CaseComparison) {
    let MemoryEvidence { base_bytes, head_bytes, max_bytes } = memory;
    if head_bytes > max_bytes && base_bytes <= max_bytes {
        let broken = BrokenBudget::Memory { head_bytes, base_bytes, max_bytes };
        comparison.broken_budget.get_or_insert(broken);
        comparison.verdict = Verdict::Regressed;
    }
}
