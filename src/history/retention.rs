//! Decides which records of a device stay when old ones are to go, and says of each why. Pure.
//!
//! What something needs always stays: the newest records of each case, the oldest that drift is measured from, the newest
//! that pins an operating point, what somebody accepted, and what replaced a record that stays. Beside these, the records
//! at both ends of every level of a case's history may stay, so that what is left still shows when the case changed.
//!
//! The next search sees only what is left, which is not enough to find the same changes again: with a record at each end
//! of a level, of six changes in five years two were left after pruning every quarter. So each half year is searched alone,
//! once it is over, and one with too few records to be searched stays as it is.
//!
//! Records of HEAD's history and others (of branches that were never merged, or were squashed) are counted apart: many of
//! these must not leave HEAD without a base.

use super::{CommitPlace, default_metric, in_order, place_of, steps, values};
use crate::error::Failure;
use crate::record::{CaseRecord, Record, superseded};
use crate::stats::changepoint::MAX_SERIES;
use crate::stats::geometric_mean;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// 26 weeks: weekly records are enough to search, and daily ones not too many to keep until it is over.
const HALF_YEAR_S: i64 = 26 * 7 * 86_400;

/// What is to stay beside what something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest records of each case; at least one.
    pub newest: usize,
    /// Whether the ends of every level stay.
    pub epochs: bool,
}

/// What a case needs a record for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaseNeed {
    /// It is one of the newest of the case, as many as are to be kept.
    Newest,
    /// It is the oldest of the case that nothing replaced: drift is measured from it.
    Oldest,
    /// It is the newest that pins the operating point of the case.
    Pin,
    /// It is at the beginning or the end of a level of the case, within a half year.
    Level,
    /// It is of the newest half year, whose levels are not told yet.
    Recent,
}

impl CaseNeed {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Pin => "pin",
            Self::Level => "level",
            Self::Recent => "recent",
        }
    }
}

/// Why a record stays.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyKept {
    /// These cases, by their ids, need it.
    Cases(CaseNeed, Vec<String>),
    /// Somebody accepted a change with it.
    Accepts,
    /// It replaced a record that stays, by its id: that one would become a reference again.
    Replaces(String),
    /// Nobody can tell what would be lost.
    Unreadable(Failure),
}

/// Why each of `records` stays, in their order; those without a reason may go. All are of one device; `places` says where
/// full commit ids stand in HEAD's history.
pub fn kept(records: &[Record], places: &BTreeMap<String, CommitPlace>, keep: Keep) -> Vec<Vec<WhyKept>> {
    let mut newest_first: Vec<usize> = (0..records.len()).collect();
    newest_first.sort_by_key(|i| Reverse((records[*i].created_s, &records[*i].id)));
    let mut holders: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for i in newest_first {
        records[i].cases.keys().for_each(|id| holders.entry(id).or_default().push(i));
    }
    let mut needs: Vec<BTreeMap<CaseNeed, Vec<String>>> = vec![BTreeMap::new(); records.len()];
    let newest = records.iter().map(|record| half_year(record, places)).max().unwrap_or_default();
    for (id, holders) in holders {
        for (i, need) in (StoredOfCase { records, places, newest, id }).needs(&holders, keep) {
            needs[i].entry(need).or_default().push(id.clone());
        }
    }
    let why = needs.into_iter().zip(records).map(|(needs, record)| {
        let cases = needs.into_iter().map(|(need, cases)| WhyKept::Cases(need, cases));
        cases.chain(record.acceptance.is_some().then_some(WhyKept::Accepts)).collect()
    });
    with_replacing(records, why.collect())
}

/// What is kept may itself have been replaced: again until nothing more is found.
fn with_replacing(records: &[Record], mut why: Vec<Vec<WhyKept>>) -> Vec<Vec<WhyKept>> {
    loop {
        let kept = records.iter().zip(&why).filter(|(_, why)| !why.is_empty());
        let kept: BTreeSet<&str> = kept.map(|(record, _)| record.id.as_str()).collect();
        let replacing = records.iter().zip(&why).enumerate().filter(|(_, (_, why))| why.is_empty());
        let found: Vec<(usize, String)> = replacing
            .filter_map(|(i, (record, _))| {
                Some((i, record.supersedes.iter().find(|id| kept.contains(id.as_str()))?.clone()))
            })
            .collect();
        if found.is_empty() {
            return why;
        }
        found.into_iter().for_each(|(i, id)| why[i].push(WhyKept::Replaces(id)));
    }
}

/// The half year that a record is of: an old commit may have been measured yesterday.
fn half_year(record: &Record, places: &BTreeMap<String, CommitPlace>) -> i64 {
    place_of(record, places).map_or(record.created_s, |place| place.time_s).div_euclid(HALF_YEAR_S)
}

/// One case in all records.
struct StoredOfCase<'a> {
    records: &'a [Record],
    places: &'a BTreeMap<String, CommitPlace>,
    /// The newest half year of all records.
    newest: i64,
    id: &'a str,
}

impl<'a> StoredOfCase<'a> {
    fn case(&self, i: usize) -> &'a CaseRecord {
        &self.records[i].cases[self.id]
    }

    /// How many commits behind HEAD its commit is; `None` where it is not in HEAD's history.
    fn back(&self, i: usize) -> Option<usize> {
        place_of(&self.records[i], self.places).map(|place| place.back)
    }

    /// Which of the records that hold the case, newest first, it needs for what.
    fn needs(&self, holders: &[usize], keep: Keep) -> BTreeSet<(usize, CaseNeed)> {
        let real = |i: &usize| self.records[*i].reference(self.id).is_some();
        let references: Vec<usize> = holders.iter().copied().filter(real).collect();
        // Extra work for a test is no reference, and better than nothing.
        let usable = if references.is_empty() { holders } else { &references };
        let replaced = superseded(holders.iter().map(|i| &self.records[*i]), self.id);
        let (merged, others): (Vec<usize>, Vec<usize>) =
            usable.iter().partition(|i| self.back(**i).is_some());
        let mut needs = BTreeSet::new();
        for group in [merged, others].iter().filter(|group| !group.is_empty()) {
            // The newest commits, which `backfill` measures first; drift is measured from what was measured first.
            let mut by_commit = group.clone();
            by_commit.sort_by_key(|i| self.back(*i));
            needs.extend(by_commit.iter().take(keep.newest.max(1)).map(|i| (*i, CaseNeed::Newest)));
            let definition = &self.case(by_commit[0]).definition_hash;
            let may_be_reference = |i: &&usize| {
                self.case(**i).definition_hash == *definition
                    && !replaced.contains(self.records[**i].id.as_str())
            };
            needs.extend(group.iter().rev().find(may_be_reference).map(|i| (*i, CaseNeed::Oldest)));
            let mut pinned: BTreeSet<&str> = BTreeSet::new();
            let pins = by_commit.iter().filter(|i| self.case(**i).discovery.is_some());
            let newest = pins.filter(|i| pinned.insert(&self.case(**i).engine.backend));
            needs.extend(newest.map(|i| (*i, CaseNeed::Pin)));
        }
        if keep.epochs {
            let mut definitions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for i in usable {
                definitions.entry(&self.case(*i).definition_hash).or_default().push(*i);
            }
            definitions.into_values().for_each(|same| needs.extend(self.levels(&same)));
        }
        needs
    }

    /// Both ends of each level of one definition of the case, half year by half year, and all of the newest one, which
    /// nobody has searched yet: also those without a value.
    fn levels(&self, same: &[usize]) -> Vec<(usize, CaseNeed)> {
        let half_year = |record| half_year(record, self.places);
        let (recent, over): (Vec<usize>, Vec<usize>) =
            same.iter().partition(|i| half_year(&self.records[**i]) == self.newest);
        let metric = default_metric(self.case(same[0]).scenario);
        let index: BTreeMap<&str, usize> = over.iter().map(|i| (self.records[*i].id.as_str(), *i)).collect();
        let holding = over.iter().map(|i| (&self.records[*i], self.case(*i))).collect();
        let points: Vec<(i64, usize, f64)> = in_order(holding, self.places)
            .into_iter()
            .filter_map(|(record, case, _)| {
                let estimate = geometric_mean(&values(case, metric)?)?;
                Some((half_year(record), *index.get(record.id.as_str())?, estimate))
            })
            .collect();
        let half_years = points.chunk_by(|a, b| a.0 == b.0).flat_map(|points| points.chunks(MAX_SERIES));
        let levels = half_years.flat_map(|points| {
            let estimates: Vec<f64> = points.iter().map(|(.., estimate)| *estimate).collect();
            level_ends(&estimates).into_iter().map(|at| (points[at].1, CaseNeed::Level))
        });
        levels.chain(recent.into_iter().map(|i| (i, CaseNeed::Recent))).collect()
    }
}

/// The places of the first and the last value of each level; of all values where they are too few to be searched.
fn level_ends(values: &[f64]) -> BTreeSet<usize> {
    let Ok(changes) = steps(values.iter().copied()) else { return (0..values.len()).collect() };
    let changes = changes.iter().flat_map(|change| [change.at - 1, change.at]);
    [0, values.len() - 1].into_iter().chain(changes).collect()
}

#[cfg(test)]
mod tests;
