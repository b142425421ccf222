//! How far the outputs of two arms are apart. Pure.

use super::WhichArm;
use crate::config::Tolerances;
use crate::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The element in which the outputs of two arms differ most, measured by what is tolerated.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct OutputDifference {
    /// The output's name.
    pub output: String,
    /// Which element of it, in row-major order.
    pub element: usize,
    /// The base's value; `None` where its output has fewer elements.
    #[serde(with = "crate::units::exact::option")]
    #[schemars(with = "Option<crate::units::exact::ExactNumber>")]
    pub base: Option<f64>,
    /// The head's value; `None` where its output has fewer elements.
    #[serde(with = "crate::units::exact::option")]
    #[schemars(with = "Option<crate::units::exact::ExactNumber>")]
    pub head: Option<f64>,
    /// The one arm that has this output at all; `None`: both have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<WhichArm>,
}

impl fmt::Display for OutputDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |v: Option<f64>| v.map_or("none".to_owned(), |v| v.to_string());
        let Self { output, element, .. } = self;
        if let Some(arm) = self.only {
            return write!(f, "only {} has the output `{output}`", arm.in_words());
        }
        write!(f, "element {element} of `{output}`: {} → {}", value(self.base), value(self.head))
    }
}

impl OutputDifference {
    /// An output that one arm alone has.
    fn of_one(output: &str, arm: WhichArm) -> Self {
        Self { output: output.to_owned(), element: 0, base: None, head: None, only: Some(arm) }
    }

    /// Whether it is more than what is tolerated.
    pub fn exceeds(&self, tolerances: Tolerances) -> bool {
        excess(self.base, self.head, tolerances) > 0.0
    }
}

/// No difference is tolerated.
const NONE: Tolerances = Tolerances { rtol: 0.0, atol: 0.0 };

/// The difference between the outputs, by their names, that exceeds the tolerances most, or comes nearest to it. An output
/// that one arm alone has, and a number against none, are more than any other. `None` where all values are equal.
pub fn largest_difference(
    base: &BTreeMap<String, Tensor>,
    head: &BTreeMap<String, Tensor>,
    tolerances: Option<Tolerances>,
) -> Option<OutputDifference> {
    let tolerances = tolerances.unwrap_or(NONE);
    let mut largest: Option<(f64, OutputDifference)> = None;
    let names: BTreeSet<&String> = base.keys().chain(head.keys()).collect();
    for name in names {
        let (b, h) = match (base.get(name), head.get(name)) {
            (Some(b), Some(h)) => (b, h),
            (b, _) => {
                return Some(OutputDifference::of_one(name, b.map_or(WhichArm::Head, |_| WhichArm::Base)));
            }
        };
        let (mut b, mut h) = (b.values(), h.values());
        for element in 0.. {
            let (base, head) = (b.next(), h.next());
            if base.is_none() && head.is_none() {
                break;
            }
            let by = excess(base, head, tolerances);
            if excess(base, head, NONE) > 0.0 && largest.as_ref().is_none_or(|(most, _)| by > *most) {
                let output = name.clone();
                largest = Some((by, OutputDifference { output, element, base, head, only: None }));
            }
        }
    }
    largest.map(|(_, difference)| difference)
}

/// How much more than tolerated two values differ.
fn excess(base: Option<f64>, head: Option<f64>, tolerances: Tolerances) -> f64 {
    let (Some(base), Some(head)) = (base, head) else { return f64::INFINITY };
    if base.is_nan() && head.is_nan() { 0.0 } else { tolerances.excess(head, base) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_of_all_outputs_is_found() {
        let t = |values: &[f32]| Tensor::from_f32(vec![values.len()], values);
        let named = |[a, b]: [Tensor; 2]| BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        let base = [t(&[1.0, 2.0]), t(&[0.0, 100.0, 1.0])];
        let found = |head, tolerances| largest_difference(&named(base.clone()), &named(head), tolerances);
        let head = [t(&[1.5, 2.0]), t(&[0.0, 99.0, 1.0])];
        let said = |d: Option<OutputDifference>| d.map(|d| d.to_string());
        assert_eq!(said(found(head.clone(), None)).as_deref(), Some("element 1 of `b`: 100 → 99"));
        // 1 of 100 is tolerated, a half of 1 is not.
        let tolerances = Tolerances { rtol: 0.02, atol: 0.0 };
        let beyond = found(head, Some(tolerances)).expect("a difference");
        assert_eq!(beyond.to_string(), "element 0 of `a`: 1 → 1.5");
        assert!(beyond.exceeds(tolerances) && !beyond.exceeds(Tolerances { atol: 0.5, ..tolerances }));
        assert_eq!(found(base.clone(), None), None);
        let nan = found([t(&[1.0, f32::NAN]), t(&[0.0, 100.0, 9.0])], None).expect("a number against none");
        assert_eq!((nan.output.as_str(), nan.element, nan.exceeds(tolerances)), ("a", 1, true));
        let short = found([t(&[1.0]), t(&[0.0, 100.0, 1.0])], None);
        assert_eq!(said(short).as_deref(), Some("element 1 of `a`: 2 → none"));
    }

    #[test]
    fn outputs_are_paired_by_name_and_one_that_an_arm_alone_has_is_never_tolerated() {
        let of = |names: &[&str]| -> BTreeMap<String, Tensor> {
            names.iter().map(|n| ((*n).to_owned(), Tensor::from_f32(vec![1], &[n.len() as f32]))).collect()
        };
        let tolerances = Tolerances { rtol: 1.0, atol: 1e9 };
        let found = |base, head| largest_difference(&of(base), &of(head), Some(tolerances));
        assert_eq!(found(&["logits", "x"], &["x", "logits"]), None, "in another order they are the same");
        for (base, head, says) in [
            (&["x"][..], &["x", "logits"][..], "only head has the output `logits`"),
            (&["x", "logits"], &["x"], "only the base has the output `logits`"),
            (&["x"], &["y"], "only the base has the output `x`"),
        ] {
            let difference = found(base, head).expect("a difference");
            assert_eq!((difference.to_string().as_str(), difference.exceeds(tolerances)), (says, true));
        }
    }
}
