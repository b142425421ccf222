//! How far the outputs of two arms are apart. Pure.

use crate::tensor::Tensor;
use std::fmt;

/// The element in which the outputs of two arms differ most.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputDifference {
    /// The output's name.
    pub output: String,
    /// Which element of it, in row-major order.
    pub element: usize,
    /// The base's value.
    pub base: f64,
    /// The head's value.
    pub head: f64,
}

impl fmt::Display for OutputDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { output, element, base, head } = self;
        write!(f, "they differ most in element {element} of `{output}`: {base} → {head}")
    }
}

/// The largest difference between outputs of the same names; a number against none counts as the largest. `None` where
/// all values are equal, or where nothing corresponds because the arms' outputs have other sizes.
pub fn largest_difference(names: &[String], base: &[Tensor], head: &[Tensor]) -> Option<OutputDifference> {
    let of_output = |(name, (b, h)): (&String, (&Tensor, &Tensor))| {
        let same_size = b.len() == h.len();
        let pairs: Vec<(usize, f64, f64)> = if same_size {
            b.values().zip(h.values()).enumerate().map(|(i, (b, h))| (i, b, h)).collect()
        } else {
            Vec::new()
        };
        let (element, base, head) =
            pairs.into_iter().max_by(|a, b| distance(a.1, a.2).total_cmp(&distance(b.1, b.2)))?;
        Some(OutputDifference { output: name.clone(), element, base, head })
    };
    let pairs = names.iter().zip(base.iter().zip(head));
    let all = pairs.filter_map(of_output).filter(|d| distance(d.base, d.head) > 0.0);
    all.max_by(|a, b| distance(a.base, a.head).total_cmp(&distance(b.base, b.head)))
}

fn distance(base: f64, head: f64) -> f64 {
    if base == head || (base.is_nan() && head.is_nan()) {
        return 0.0;
    }
    let distance = (base - head).abs();
    if distance.is_nan() { f64::INFINITY } else { distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_of_all_outputs_is_found() {
        let names = ["a".to_owned(), "b".to_owned()];
        let t = |values: &[f32]| Tensor::from_f32(vec![values.len()], values);
        let base = [t(&[1.0, 2.0]), t(&[0.0, 5.0, 1.0])];
        let found = |head: [Tensor; 2]| largest_difference(&names, &base, &head);
        let head = [t(&[1.5, 2.0]), t(&[0.0, 4.0, 1.0])];
        let said = found(head).map(|d| d.to_string());
        assert_eq!(said.as_deref(), Some("they differ most in element 1 of `b`: 5 → 4"));
        assert_eq!(found(base.clone()), None);
        let nan = found([t(&[1.0, f32::NAN]), t(&[0.0, 5.0, 9.0])]).expect("a number against none");
        assert_eq!((nan.output.as_str(), nan.element), ("a", 1));
        assert_eq!(found([t(&[1.0]), t(&[0.0])]), None, "other sizes");
    }
}
