//! How far the outputs of two arms are apart. Pure.

use crate::config::Tolerances;
use crate::tensor::Tensor;
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
}

impl fmt::Display for OutputDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |v: Option<f64>| v.map_or("none".to_owned(), |v| v.to_string());
        let Self { output, element, .. } = self;
        write!(f, "element {element} of `{output}`: {} → {}", value(self.base), value(self.head))
    }
}

impl OutputDifference {
    /// Whether it is more than what is tolerated.
    pub fn exceeds(&self, tolerances: Tolerances) -> bool {
        excess(self.base, self.head, tolerances) > 0.0
    }
}

/// No difference is tolerated.
const NONE: Tolerances = Tolerances { rtol: 0.0, atol: 0.0 };

/// The difference between outputs of the same names that exceeds the tolerances most, or comes nearest to it. A number
/// against none is more than any other. `None` where all values are equal.
pub fn largest_difference(
    names: &[String],
    base: &[Tensor],
    head: &[Tensor],
    tolerances: Option<Tolerances>,
) -> Option<OutputDifference> {
    let tolerances = tolerances.unwrap_or(NONE);
    let mut largest: Option<(f64, OutputDifference)> = None;
    for (name, (b, h)) in names.iter().zip(base.iter().zip(head)) {
        let (mut b, mut h) = (b.values(), h.values());
        for element in 0.. {
            let (base, head) = (b.next(), h.next());
            if base.is_none() && head.is_none() {
                break;
            }
            let by = excess(base, head, tolerances);
            if excess(base, head, NONE) > 0.0 && largest.as_ref().is_none_or(|(most, _)| by > *most) {
                largest = Some((by, OutputDifference { output: name.clone(), element, base, head }));
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
        let names = ["a".to_owned(), "b".to_owned()];
        let t = |values: &[f32]| Tensor::from_f32(vec![values.len()], values);
        let base = [t(&[1.0, 2.0]), t(&[0.0, 100.0, 1.0])];
        let found = |head: [Tensor; 2], tolerances| largest_difference(&names, &base, &head, tolerances);
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
}
