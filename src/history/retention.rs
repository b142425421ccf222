//! Decides which records of a device stay when old ones are to go, and says of each why. Pure.
//!
//! What something needs always stays: the newest records of each case, the oldest that drift is measured from, the newest
//! that pins an operating point, what somebody accepted, and what replaced a record that stays. Beside these, the records
//! at both ends of every level of a case's history may stay, so that what is left still shows when the case changed.
//!
//! One record at each end would show it. But whoever looks next, `history` or this again, sees only what is left, and takes
//! one or two records between two changes for outliers: with one at each end, of six changes in five years one was left
//! after the second time. So there stay as many on each side of a change as it takes to find it again, three or four for
//! one that is plain to see.
//!
//! Records of HEAD's history and others (of branches that were never merged, or were squashed) are counted apart: many of
//! these must not leave HEAD without a base.

use super::{CommitPlace, default_metric, in_order, steps, values};
use crate::error::Failure;
use crate::record::{CaseRecord, Record, superseded};
use crate::stats::changepoint::MAX_SERIES;
use crate::stats::geometric_mean;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// So many records stay at most on each side of a change, however faint it is.
const MOST_BESIDE_CHANGE: usize = 8;

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
    /// It is at the beginning or the end of a level of the case.
    Level,
    /// It is older than what was searched for levels of the case.
    NotSearched,
}

impl CaseNeed {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Pin => "pin",
            Self::Level => "level",
            Self::NotSearched => "not-searched",
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
    for (id, holders) in holders {
        for (i, need) in (OfCase { records, places, id }).needs(&holders, keep) {
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

/// One case in all records.
struct OfCase<'a> {
    records: &'a [Record],
    places: &'a BTreeMap<String, CommitPlace>,
    id: &'a str,
}

impl<'a> OfCase<'a> {
    fn case(&self, i: usize) -> &'a CaseRecord {
        &self.records[i].cases[self.id]
    }

    fn in_history(&self, i: usize) -> bool {
        self.records[i].source.as_ref().is_some_and(|s| self.places.contains_key(&s.commit))
    }

    /// Which of the records that hold the case, newest first, it needs for what.
    fn needs(&self, holders: &[usize], keep: Keep) -> BTreeSet<(usize, CaseNeed)> {
        let real = |i: &usize| self.records[*i].reference(self.id).is_some();
        let references: Vec<usize> = holders.iter().copied().filter(real).collect();
        // Extra work for a test is no reference, and better than nothing.
        let usable = if references.is_empty() { holders } else { &references };
        let replaced = superseded(holders.iter().map(|i| &self.records[*i]), self.id);
        let (merged, others): (Vec<usize>, Vec<usize>) = usable.iter().partition(|i| self.in_history(**i));
        let mut needs = BTreeSet::new();
        for group in [merged, others].iter().filter(|group| !group.is_empty()) {
            needs.extend(group.iter().take(keep.newest.max(1)).map(|i| (*i, CaseNeed::Newest)));
            let definition = &self.case(group[0]).definition_hash;
            let may_be_reference = |i: &&usize| {
                self.case(**i).definition_hash == *definition
                    && !replaced.contains(self.records[**i].id.as_str())
            };
            needs.extend(group.iter().rev().find(may_be_reference).map(|i| (*i, CaseNeed::Oldest)));
            let mut pinned: BTreeSet<&str> = BTreeSet::new();
            let pins = group.iter().filter(|i| self.case(**i).discovery.is_some());
            let newest = pins.filter(|i| pinned.insert(&self.case(**i).engine.backend));
            needs.extend(newest.map(|i| (*i, CaseNeed::Pin)));
        }
        if keep.epochs {
            let mut definitions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for i in usable {
                definitions.entry(&self.case(*i).definition_hash).or_default().push(*i);
            }
            definitions.into_values().for_each(|same| needs.extend(self.levels(&same, keep.newest)));
        }
        needs
    }

    /// Both ends of each level of one definition of the case.
    fn levels(&self, same: &[usize], newest: usize) -> Vec<(usize, CaseNeed)> {
        let metric = default_metric(self.case(same[0]).scenario);
        let index: BTreeMap<&str, usize> = same.iter().map(|i| (self.records[*i].id.as_str(), *i)).collect();
        let holding = same.iter().map(|i| (&self.records[*i], self.case(*i))).collect();
        let points: Vec<(usize, f64)> = in_order(holding, self.places)
            .into_iter()
            .filter_map(|(record, case, _)| {
                let estimate = geometric_mean(&values(case, metric)?)?;
                Some((*index.get(record.id.as_str())?, estimate))
            })
            .collect();
        let (old, searched) = points.split_at(points.len().saturating_sub(MAX_SERIES));
        let estimates: Vec<f64> = searched.iter().map(|(_, estimate)| *estimate).collect();
        let ends = level_ends(&estimates, newest).into_iter().map(|at| (searched[at].0, CaseNeed::Level));
        old.iter().map(|(i, _)| (*i, CaseNeed::NotSearched)).chain(ends).collect()
    }
}

/// The places of values at the ends of levels, so many that a search of what is left finds the same changes; `newest` of the
/// values are left anyway.
fn level_ends(values: &[f64], newest: usize) -> BTreeSet<usize> {
    // Too few to search have one level.
    let search = |values: &[f64]| -> Vec<usize> {
        steps(values.iter().copied()).unwrap_or_default().iter().map(|change| change.at).collect()
    };
    let Some(last) = values.len().checked_sub(1) else { return BTreeSet::new() };
    let changes = search(values);
    let bounds: Vec<usize> = [0].into_iter().chain(changes.iter().copied()).chain([values.len()]).collect();
    let mut beside = vec![1; changes.len()];
    loop {
        let mut ends = BTreeSet::from([0, last]);
        for (bounds, beside) in bounds.windows(3).zip(&beside) {
            let [from, change, to] = [bounds[0], bounds[1], bounds[2]];
            ends.extend(change.saturating_sub(*beside).max(from)..(change + beside).min(to));
        }
        let mut left = ends.clone();
        left.extend(values.len().saturating_sub(newest)..values.len());
        let left: Vec<usize> = left.into_iter().collect();
        let again = search(&left.iter().map(|at| values[*at]).collect::<Vec<f64>>());
        let found: BTreeSet<usize> = again.into_iter().map(|at| left[at]).collect();
        let mut more = false;
        for (change, beside) in changes.iter().zip(&mut beside) {
            if !found.contains(change) && *beside < MOST_BESIDE_CHANGE {
                *beside += 1;
                more = true;
            }
        }
        if !more {
            return ends;
        }
    }
}

#[cfg(test)]
mod tests;
