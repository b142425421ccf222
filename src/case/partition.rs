//! Splits cases among machines, in the words of cargo-nextest: `hash:K/N` and `count:K/N`. Pure.
//!
//! Each machine selects the same cases and takes its own part of them; together the parts are the whole, and no case is
//! in two. By hash a case stays in its part whatever other cases come or go. By count the parts are as equal as can be.

mod whole;

pub use whole::{Facts, ensure_all_cases, ensure_all_parts, ensure_same, join};

use super::{sha256_hex, sha256_json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// More parts than anybody has machines; bounds what a file may claim.
const MOST_PARTS: u64 = 100_000;

/// Which of N parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition {
    /// How cases are dealt out.
    pub by: PartitionBy,
    /// This part, from 1.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

/// How cases are dealt out among parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartitionBy {
    /// By a hash of the id.
    Hash,
    /// In turn, in the order of ids.
    Count,
}

impl PartitionBy {
    fn word(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Count => "count",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.by.word(), self.number, self.of)
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (by, share) = text.split_once(':')?;
            let by = [PartitionBy::Hash, PartitionBy::Count].into_iter().find(|known| known.word() == by)?;
            let (number, of) = share.split_once('/')?;
            Some(Self { by, number: number.parse().ok()?, of: of.parse().ok()? })
        };
        let found = parse().ok_or("write it like hash:1/3 or count:1/3: which part, from 1, of how many")?;
        match found {
            Self { of, .. } if of > MOST_PARTS => Err(format!("{of} parts are more than {MOST_PARTS}")),
            Self { number, of, .. } if (1..=of).contains(&number) => Ok(found),
            Self { number, of, .. } => Err(format!("there is no part {number} of {of}: they count from 1")),
        }
    }
}

impl TryFrom<String> for Partition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Partition> for String {
    fn from(partition: Partition) -> Self {
        partition.to_string()
    }
}

impl Partition {
    /// The ids of this part.
    pub fn take<'a>(self, ids: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mine = |(at, id): (u64, &&'a str)| {
            let dealt = match self.by {
                PartitionBy::Hash => hash(id),
                PartitionBy::Count => at,
            };
            (dealt % self.of == self.number - 1).then_some(*id)
        };
        (0..).zip(ids).filter_map(mine).collect()
    }

    /// The other parts of the same whole.
    pub fn siblings(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |number| Self { number, ..self })
    }
}

/// The first 64 bits of the SHA-256.
fn hash(id: &str) -> u64 {
    u64::from_str_radix(&sha256_hex(id.as_bytes())[..16], 16).unwrap_or_default()
}

/// A part with what it is a part of, so that whoever joins parts can tell whether they belong together and are all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CasePart {
    /// Such as `hash:1/3`.
    #[schemars(with = "String")]
    pub partition: Partition,
    /// How many cases the whole has.
    pub cases: usize,
    /// SHA-256 of their ids: parts of one whole have the same.
    pub cases_sha256: String,
}

impl CasePart {
    /// A part of the cases with these ids.
    pub fn of(partition: Partition, ids: &BTreeSet<&str>) -> Self {
        Self { partition, cases: ids.len(), cases_sha256: sha256_json(ids) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 7] = ["p/a/x", "p/b/x", "p/c/x", "p/d/x", "p/e/x", "p/f/x", "p/g/x"];

    fn parts(by: &str, of: u64, ids: &BTreeSet<&'static str>) -> Vec<BTreeSet<&'static str>> {
        (1..=of).map(|k| format!("{by}:{k}/{of}").parse::<Partition>().unwrap().take(ids)).collect()
    }

    #[test]
    fn parts_are_the_whole_and_share_nothing() {
        let ids = BTreeSet::from(IDS);
        for by in ["hash", "count"] {
            for of in [1, 2, 3, 10] {
                let parts = parts(by, of, &ids);
                assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), ids.len(), "{by} {of}");
                let together: BTreeSet<&str> = parts.into_iter().flatten().collect();
                assert_eq!(together, ids, "{by} {of}");
            }
        }
        let sizes: Vec<usize> = parts("count", 3, &ids).iter().map(BTreeSet::len).collect();
        assert_eq!(sizes, [3, 2, 2]);
        assert_eq!(parts("count", 3, &ids)[1], BTreeSet::from(["p/b/x", "p/e/x"]));
    }

    #[test]
    fn by_hash_a_case_stays_in_its_part_when_others_come_and_go() {
        let all = parts("hash", 3, &BTreeSet::from(IDS));
        let fewer = BTreeSet::from([IDS[0], IDS[3], IDS[6], "p/new/x"]);
        for (part, was) in parts("hash", 3, &fewer).iter().zip(&all) {
            assert!(part.iter().all(|id| was.contains(id) || *id == "p/new/x"), "{part:?} {was:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_form() {
        let refused = |text: &str| text.parse::<Partition>().unwrap_err();
        for text in ["", "hash", "hash:1", "hash:a/2", "slice:1/2", "hash:-1/2", "hash:1/2/3"] {
            assert!(refused(text).contains("hash:1/3 or count:1/3"), "{text}");
        }
        assert!(refused("hash:0/2").contains("no part 0 of 2") && refused("count:3/2").contains("no part 3"));
        assert!(refused("hash:1/0").contains("no part 1 of 0") && refused("hash:1/100001").contains("more"));
        let partition: Partition = "count:2/5".parse().unwrap();
        assert_eq!(partition.to_string(), "count:2/5");
        assert_eq!(partition.siblings().count(), 5);
    }
}
