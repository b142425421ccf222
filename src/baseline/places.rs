//! Finds where the commits of stored records are in the history of HEAD.

use super::MAX_STEPS;
use crate::config::Project;
use crate::git::Repo;
use crate::history::CommitPlace;
use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// Where the commits of `records` stand in HEAD's history. Without a repository, or as far as it is damaged, dates
/// order the records, and `notes` says so.
pub fn places(
    project: &Project,
    records: &[Record],
    notes: &mut Vec<String>,
) -> BTreeMap<String, CommitPlace> {
    let wanted: BTreeSet<&str> =
        records.iter().filter_map(|r| r.source.as_ref()).map(|s| s.commit.as_str()).collect();
    let mut places = BTreeMap::new();
    let mut by_date = |why: String| notes.push(format!("records are in the order of their dates: {why}"));
    let repo = match Repo::discover(&project.root) {
        Ok(Some(repo)) => repo,
        Ok(None) => {
            by_date("there is no git repository here".into());
            return places;
        }
        Err(e) => {
            by_date(e.to_string());
            return places;
        }
    };
    let ancestors = match repo.head() {
        Ok(Some(head)) => repo.ancestors(&head.id),
        Ok(None) => return places,
        Err(e) => Err(e),
    };
    let ancestors = match ancestors {
        Ok(ancestors) => ancestors,
        Err(e) => {
            by_date(e.to_string());
            return places;
        }
    };
    for (back, ancestor) in ancestors.take(MAX_STEPS).enumerate() {
        match ancestor {
            Ok(a) if wanted.contains(a.id.as_str()) => {
                places.insert(a.id, CommitPlace { back, time_s: a.time });
            }
            Ok(_) => {}
            Err(e) => {
                notes.push(format!("older commits could not be read: {e}"));
                break;
            }
        }
        if places.len() == wanted.len() {
            break;
        }
    }
    places
}
