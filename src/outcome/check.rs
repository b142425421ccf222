//! The result of a check: a row per case of either arm, and notes beside the rows.

use super::{Added, MemoryRow};
use crate::acceptance::AcceptanceStatus;
use crate::compare::{CaseComparison, NotComparable, Verdict};
use crate::error::Failure;
use crate::layers::Attribution;
use crate::pairing::Changed;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a row came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOrigin {
    /// Both arms have the same engine: nothing was measured.
    SameEngine,
    /// Measured as pairs; `confirmed` is what a second, independent set of pairs said of a change.
    Pairs {
        /// Pairs that were kept.
        pairs: usize,
        /// Pairs that were thrown away.
        discarded: usize,
        /// `None` where no second set was measured.
        confirmed: Option<bool>,
    },
    /// Head against stored numbers, because the base could not be measured: advisory.
    Stored {
        /// Why the base could not be measured.
        why: String,
        /// The stored record, in words.
        base: String,
    },
    /// The base has the case and cannot be measured, and there are no stored numbers.
    NoBase {
        /// Why the base could not be measured.
        why: String,
    },
    /// Only head has the case, which is no fault.
    New,
    /// Only the base has the case.
    Removed,
    /// Both arms have the case, and it was clear beforehand that their numbers would not compare.
    NotMeasured,
}

impl RowOrigin {
    /// For machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SameEngine => "same-engine",
            Self::Pairs { .. } => "pairs",
            Self::Stored { .. } => "stored",
            Self::NoBase { .. } => "no-base",
            Self::New => "new",
            Self::Removed => "removed",
            Self::NotMeasured => "not-measured",
        }
    }
}

/// What is missing before a row says that nothing regressed. A check does not pass with one unless it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Head has not the case any more.
    Removed,
    /// The two numbers do not answer the same question.
    NotComparable,
    /// Head asks something else under the same name. What the base asks may have been measured all the same.
    Redefined,
    /// The base cannot be measured. Nobody can accept that: it is no change of head's.
    NoBase,
}

impl Gap {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::NotComparable => "not-comparable",
            Self::Redefined => "redefined",
            Self::NoBase => "no-base",
        }
    }
}

/// What to do with a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMissing {
    /// The check fails.
    Fail,
    /// It is said, and the check goes on.
    Warn,
    /// As `Fail`; but where the base cannot be measured, head is measured alone and recorded, so that there is something
    /// to compare with next time, and the check goes on.
    Measure,
}

/// One case of a check.
#[derive(Clone, Debug)]
pub struct Row {
    /// Head against base.
    pub comparison: CaseComparison,
    /// Where its numbers come from.
    pub origin: RowOrigin,
    /// What head asks otherwise.
    pub redefined: Vec<Changed>,
    /// How head would be judged otherwise.
    pub settings: Vec<Changed>,
    /// Of a regression that head's baselines say is accepted: whether it is.
    pub accepted: Option<AcceptanceStatus>,
    /// The same of a gap.
    pub gap_accepted: Option<AcceptanceStatus>,
    /// What its layers contribute to the change, where they were measured.
    pub explained: Option<Attribution>,
    /// What base and head have of memory, where a budget of it was held.
    pub memory: Option<Box<MemoryRow>>,
}

impl Row {
    /// A row that nothing else is known of yet.
    pub fn new(comparison: CaseComparison, origin: RowOrigin) -> Self {
        Self {
            comparison,
            origin,
            redefined: Vec::new(),
            settings: Vec::new(),
            accepted: None,
            gap_accepted: None,
            explained: None,
            memory: None,
        }
    }

    /// Whether its verdict may fail the check. Stored numbers alone never do, nor what was accepted.
    pub fn gates(&self) -> bool {
        !matches!(self.origin, RowOrigin::Stored { .. } | RowOrigin::NoBase { .. } | RowOrigin::New)
            && !self.is_accepted()
    }

    /// Whether an acceptance covers its regression.
    pub fn is_accepted(&self) -> bool {
        is_honoured(self.accepted.as_ref())
    }

    /// What is missing, accepted or not.
    pub fn gap(&self) -> Option<Gap> {
        match (&self.origin, &self.comparison.verdict) {
            (RowOrigin::New, _) => None,
            (RowOrigin::Stored { .. } | RowOrigin::NoBase { .. }, _) => Some(Gap::NoBase),
            (RowOrigin::Removed, _) => Some(Gap::Removed),
            (_, Verdict::NotComparable(_)) => Some(Gap::NotComparable),
            _ => (!self.redefined.is_empty()).then_some(Gap::Redefined),
        }
    }

    /// The gap that no acceptance covers.
    pub fn open_gap(&self) -> Option<Gap> {
        self.gap().filter(|_| !is_honoured(self.gap_accepted.as_ref()))
    }

    /// What an acceptance of the gap has to name, so that it does not cover another one.
    pub fn gap_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.redefined.iter().map(ToString::to_string).collect();
        match &self.comparison.verdict {
            // What it may be called now is a guess.
            Verdict::NotComparable(NotComparable::Removed { .. }) => {}
            Verdict::NotComparable(why) => words.push(why.to_string()),
            _ => {}
        }
        words
    }
}

fn is_honoured(status: Option<&AcceptanceStatus>) -> bool {
    matches!(status, Some(AcceptanceStatus::Honoured { .. }))
}

/// What a check leaves.
pub struct Checked {
    /// By case id.
    pub rows: BTreeMap<String, Row>,
    /// Cases of head that could not be built or measured.
    pub failed: BTreeMap<String, Failure>,
    /// Cases that regressed against the oldest stored record, though not against the base: by id.
    pub drifted: BTreeMap<String, (CaseComparison, String)>,
    /// What head adds to the baselines of the base.
    pub added: Vec<Added>,
    /// How the commands that prepare the arms differ, in words.
    pub prepare_differs: Option<String>,
    /// What to do with gaps.
    pub on_missing: OnMissing,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// What was measured of base and head.
    pub records: [Record; 2],
    /// Their files, of those that were measured.
    pub written: Vec<PathBuf>,
}

/// How many cases of a check came to what. A redefined case also counts by its verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regressions that fail the check.
    pub regressed: usize,
    /// Regressed, and an acceptance covers it.
    pub accepted: usize,
    /// Regressed by stored numbers, which fail nothing.
    pub advisory: usize,
    /// Could not be built or measured.
    pub failed: usize,
    /// Cases whose numbers cannot be trusted.
    pub invalid: usize,
    /// Cases that only the base has.
    pub removed: usize,
    /// Cases that head asks otherwise.
    pub redefined: usize,
    /// For whatever reason but that it is removed or new.
    pub not_compared: usize,
    /// Of the three before, those that an acceptance covers; they are not counted there.
    pub gaps_accepted: usize,
    /// Cases whose numbers do not decide.
    pub inconclusive: usize,
    /// Cases that only head has.
    pub new: usize,
    /// Cases that became better.
    pub improved: usize,
    /// Those that changed within the margin too.
    pub unchanged: usize,
}

/// A setting by which head would be judged otherwise, and in which cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChanged<'a> {
    /// The setting.
    pub changed: &'a Changed,
    /// Ids of the cases that it concerns.
    pub cases: Vec<&'a str>,
}

impl Checked {
    /// A check of nothing yet, which fails for every gap.
    pub fn empty(records: [Record; 2]) -> Self {
        Self {
            rows: BTreeMap::new(),
            failed: BTreeMap::new(),
            drifted: BTreeMap::new(),
            added: Vec::new(),
            prepare_differs: None,
            on_missing: OnMissing::Fail,
            interrupted: false,
            records,
            written: Vec::new(),
        }
    }

    /// The rows, the worst verdict first, among equals those that may fail the check, then by id.
    pub fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|r| {
            let open = r.open_gap().is_some();
            (r.comparison.verdict.rank(), !r.gates(), !open, r.comparison.id.as_str())
        });
        rows
    }

    /// Counts the rows by verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { failed: self.failed.len(), ..Counts::default() };
        for row in self.rows.values() {
            counts.accepted += usize::from(row.is_accepted());
            let gap_accepted = row.gap().is_some() && row.open_gap().is_none();
            counts.gaps_accepted += usize::from(gap_accepted);
            counts.redefined += usize::from(row.open_gap() == Some(Gap::Redefined));
            match row.comparison.verdict {
                Verdict::Regressed if row.gates() => counts.regressed += 1,
                Verdict::Regressed => counts.advisory += usize::from(!row.is_accepted()),
                Verdict::Invalid(_) => counts.invalid += 1,
                Verdict::Inconclusive(_) => counts.inconclusive += 1,
                Verdict::NotComparable(_) if gap_accepted => {}
                Verdict::NotComparable(_) => match row.origin {
                    RowOrigin::New => counts.new += 1,
                    RowOrigin::Removed => counts.removed += 1,
                    _ => counts.not_compared += 1,
                },
                Verdict::Improved => counts.improved += 1,
                Verdict::Unchanged | Verdict::ChangedWithinMargin => counts.unchanged += 1,
            }
        }
        counts
    }

    /// Whether a gap of this row fails the check.
    pub fn fails_for_gap(&self, row: &Row) -> bool {
        match (row.open_gap(), self.on_missing) {
            (None, _) | (_, OnMissing::Warn) | (Some(Gap::NoBase), OnMissing::Measure) => false,
            (Some(_), OnMissing::Fail | OnMissing::Measure) => true,
        }
    }

    /// By which settings head would be judged otherwise: each change once.
    pub fn settings_changed(&self) -> Vec<SettingChanged<'_>> {
        let mut found: Vec<SettingChanged> = Vec::new();
        for (id, row) in &self.rows {
            for changed in &row.settings {
                match found.iter_mut().find(|f| f.changed == changed) {
                    Some(same) => same.cases.push(id),
                    None => found.push(SettingChanged { changed, cases: vec![id] }),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
