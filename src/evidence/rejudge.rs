//! Judges again, by other margins, what a check measured.

use super::Evidence;
use crate::units::{plural, share};
use std::collections::BTreeMap;

/// Margins in the place of those that a check was judged by, as fractions; `None`: as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NewMargins {
    /// Of mean, median and throughput.
    pub value_frac: Option<f64>,
    /// Of tail quantiles.
    pub tail_frac: Option<f64>,
}

/// The same numbers with other margins, and what is different now, in words. How many pairs were measured, and what was
/// measured a second time, was decided by the margins of the check: what claims a change now and has no second set of pairs
/// is not confirmed.
pub fn rejudge(evidence: &Evidence, margins: NewMargins) -> (Evidence, Vec<String>) {
    let mut again = evidence.clone();
    let mut changed: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for case in again.cases.values_mut() {
        let of_case = [
            ("margin", &mut case.margins.value_frac, margins.value_frac),
            ("tail-margin", &mut case.margins.tail_frac, margins.tail_frac),
        ];
        for (what, frac, new) in of_case {
            let Some(new) = new.filter(|new| new != frac) else { continue };
            *changed.entry((what, format!("{} → {}", share(*frac), share(new)))).or_default() += 1;
            *frac = new;
        }
    }
    let mut said: Vec<String> = changed
        .into_iter()
        .map(|((what, change), cases)| format!("{what} {change} ({})", plural(cases, "case")))
        .collect();
    let (before, after) = (evidence.rows(), again.rows());
    said.extend(before.iter().filter_map(|(id, before)| {
        let (was, is) = (before.comparison.verdict.word(), after.get(id)?.comparison.verdict.word());
        (was != is).then(|| format!("{id}: {was} → {is}"))
    }));
    (again, said)
}
