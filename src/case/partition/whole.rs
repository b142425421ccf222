//! Whether parts are of one whole, do not disagree, and are all there.

use super::{CasePart, Partition};
use crate::error::{Failure, FailureKind, Result};
use std::collections::{BTreeMap, BTreeSet};

/// How many missing parts a message names.
const MOST_NAMED: usize = 20;

fn refuse(what: String, next: &str) -> Failure {
    Failure::new(FailureKind::Nothing, what).next(next)
}

/// Fails unless results, each with its name, are parts of one selection of cases, and every part is there; or none of
/// them is said to be a part. Gives how many cases the whole has, where that is known.
pub fn ensure_all_parts(parts: &[(&str, Option<&CasePart>)]) -> Result<Option<usize>> {
    let Some((first_name, first)) = parts.first() else {
        return Err(refuse("there is no result to join".into(), "name the files, or their folder"));
    };
    let Some(first) = first else {
        return match parts.iter().find_map(|(name, part)| Some((name, (*part)?))) {
            None => Ok(None),
            Some((name, part)) => Err(refuse(
                format!("{name} is part {} of several, and {first_name} is a whole", part.partition),
                "join the parts of one selection of cases, or wholes",
            )),
        };
    };
    for (name, part) in parts {
        let same = |part: &CasePart| {
            let key = |p: &CasePart| (p.partition.by, p.partition.of, p.cases, p.cases_sha256.clone());
            key(part) == key(first)
        };
        match part {
            Some(part) if same(part) => {}
            Some(part) => {
                let what = |p: &CasePart| format!("part {} of {} cases", p.partition, p.cases);
                let text = format!(
                    "{first_name} is {}, and {name} is {}: not of one selection",
                    what(first),
                    what(part)
                );
                return Err(refuse(text, "select the same cases, and as many parts, on every machine"));
            }
            None => {
                return Err(refuse(
                    format!("{first_name} is part {} of several, and {name} is a whole", first.partition),
                    "join the parts of one selection of cases, or wholes",
                ));
            }
        }
    }
    let there: BTreeSet<Partition> = parts.iter().filter_map(|(_, part)| Some((*part)?.partition)).collect();
    let missing: Vec<String> =
        first.partition.siblings().filter(|p| !there.contains(p)).map(|p| p.to_string()).collect();
    if missing.is_empty() {
        return Ok(Some(first.cases));
    }
    let more = missing.len().saturating_sub(MOST_NAMED);
    let named = missing[..missing.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(refuse(
        format!("missing: {named}{more}"),
        "run what is missing (`--partition`), and join all parts; no verdict is given on a part",
    ))
}

/// What a result is of, each with its name.
pub type Facts<const N: usize> = [(&'static str, String); N];

/// Fails where two results, each with its name and facts, are not of one `kind`; `next` says what to join instead.
pub fn ensure_same<const N: usize>(
    (first_name, first): (&str, Facts<N>),
    (name, other): (&str, Facts<N>),
    (kind, next): (&str, &str),
) -> Result<()> {
    match first.into_iter().zip(other).find(|((_, a), (_, b))| a != b) {
        None => Ok(()),
        Some(((what, a), (_, b))) => Err(refuse(
            format!("{first_name} and {name} are not of one {kind}: {what} {a} against {b}"),
            next,
        )),
    }
}

/// Fails where fewer cases were found than the whole has: a part was stopped early.
pub fn ensure_all_cases(whole: Option<usize>, found: usize) -> Result<()> {
    match whole {
        Some(whole) if found < whole => Err(refuse(
            format!("{found} of {whole} cases are there, though every part is: one was stopped early"),
            "run that part again",
        )),
        _ => Ok(()),
    }
}

/// Adds what `name` holds, by case, to what others hold. The same twice is fine; fails where two disagree.
pub fn join<V: PartialEq>(
    all: &mut BTreeMap<String, (String, V)>,
    name: &str,
    more: impl IntoIterator<Item = (String, V)>,
) -> Result<()> {
    for (id, value) in more {
        match all.get(&id) {
            Some((other, known)) if *known != value => {
                return Err(refuse(
                    format!("{other} and {name} disagree about {id}"),
                    "a case belongs to one part, measured once: leave one of the two out",
                ));
            }
            Some(_) => {}
            None => drop(all.insert(id, (name.to_owned(), value))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, ids: &[&str]) -> CasePart {
        CasePart::of(text.parse().unwrap(), &ids.iter().copied().collect())
    }

    fn refused(parts: &[(&str, Option<&CasePart>)]) -> String {
        ensure_all_parts(parts).unwrap_err().to_string()
    }

    #[test]
    fn all_parts_of_one_selection_are_asked_for() {
        let [a, b, c] = ["hash:1/3", "hash:2/3", "hash:3/3"].map(|text| part(text, &["x", "y"]));
        let whole = [("a", Some(&a)), ("b", Some(&b)), ("c", Some(&c)), ("b again", Some(&b))];
        assert_eq!(ensure_all_parts(&whole), Ok(Some(2)));
        assert!(refused(&whole[..1]).starts_with("missing: hash:2/3, hash:3/3\n  next: run what is missing"));
        assert_eq!(ensure_all_parts(&[("a", None), ("b", None)]), Ok(None));
        for parts in [[("a", Some(&a)), ("b", None)], [("b", None), ("a", Some(&a))]] {
            assert!(refused(&parts).contains("a is part hash:1/3 of several, and b is a whole"));
        }
        let other = part("hash:2/3", &["x"]);
        let said = refused(&[("a", Some(&a)), ("o", Some(&other))]);
        assert!(said.contains("a is part hash:1/3 of 2 cases, and o is part hash:2/3 of 1 cases"), "{said}");
        assert!(refused(&[]).contains("no result to join"));
        let of_many = part("count:1/1000", &["x"]);
        assert!(refused(&[("a", Some(&of_many))]).contains("count:21/1000 and 979 more"));
    }

    #[test]
    fn what_is_there_twice_must_agree() {
        let mut all = BTreeMap::new();
        join(&mut all, "a", [("x".to_owned(), 1), ("y".to_owned(), 2)]).unwrap();
        join(&mut all, "b", [("x".to_owned(), 1), ("z".to_owned(), 3)]).unwrap();
        let said = join(&mut all, "c", [("z".to_owned(), 4)]).unwrap_err().to_string();
        assert!(said.starts_with("b and c disagree about z"), "{said}");
        assert_eq!(all.len(), 3);
        assert!(ensure_all_cases(Some(4), 3).is_err() && ensure_all_cases(Some(3), 3).is_ok());
    }
}
