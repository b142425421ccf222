//! What an input holds where its values decide shapes: the sizes of a resize, the target of a reshape. TensorRT calls
//! such an input a shape tensor, and must be told the range of its values before it builds.

use super::super::table::describe;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The values of an input with no or one dimension, and the range that an engine must serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Values {
    /// The smallest values that the engine must serve.
    pub min: Vec<i64>,
    /// Fed, and what the engine is optimised for.
    pub opt: Vec<i64>,
    /// The largest values that the engine must serve.
    pub max: Vec<i64>,
}

impl Values {
    /// These values and no others.
    pub fn fixed(values: Vec<i64>) -> Self {
        Self { min: values.clone(), opt: values.clone(), max: values }
    }

    /// One value, a list, or a table with min, opt and max of either; and how many dimensions the input has.
    pub(super) fn read(value: &Value) -> Result<(Self, usize), String> {
        let Value::Object(range) = value else {
            return numbers(value).map(|(values, rank)| (Self::fixed(values), rank));
        };
        let part = |key: &str| {
            let missing = || format!("has values without `{key}`; a range needs min, opt and max");
            range.get(key).ok_or_else(missing).and_then(numbers)
        };
        let ((min, rank), (opt, of_opt), (max, of_max)) = (part("min")?, part("opt")?, part("max")?);
        let alike = rank == of_opt && rank == of_max && min.len() == opt.len() && max.len() == opt.len();
        if range.len() != 3 || !alike {
            return Err("needs min, opt and max of as many values each, and nothing else".into());
        }
        if min.iter().zip(&opt).zip(&max).any(|((min, opt), max)| min > opt || opt > max) {
            return Err("must have min ≤ opt ≤ max in every value".into());
        }
        Ok((Self { min, opt, max }, rank))
    }
}

/// The values in brackets, as in a list: `[224, 224]`.
impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.opt)
    }
}

/// `[224,224]`, as it stands on the command line; `None`: no values are meant.
pub(super) fn parse(text: &str) -> Option<Result<(Values, usize), String>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let number = |word: &str| {
        word.trim().parse().map_err(|_| format!("has `{}` as a value; use whole numbers", word.trim()))
    };
    let values: Result<Vec<i64>, String> = inner.split(',').map(number).collect();
    Some(values.map(|values| (Values::fixed(values), 1)))
}

fn numbers(value: &Value) -> Result<(Vec<i64>, usize), String> {
    let number = |item: &Value| {
        item.as_i64().ok_or_else(|| format!("has {} as a value; use whole numbers", describe(item)))
    };
    match value {
        Value::Array(items) if items.is_empty() => Err("has an empty list of values".into()),
        Value::Array(items) => Ok((items.iter().map(number).collect::<Result<_, _>>()?, 1)),
        one => Ok((vec![number(one)?], 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_range_of_values_is_in_order_and_whole() {
        for (bad, says) in [
            (json!([]), "empty list"),
            (json!([1.5]), "whole numbers"),
            (json!("x"), "whole numbers"),
            (json!({"min": [1], "opt": [2]}), "without `max`"),
            (json!({"min": [1], "opt": [2], "max": [3, 4]}), "as many values"),
            (json!({"min": 1, "opt": [2], "max": [3]}), "as many values"),
            (json!({"min": [1], "opt": [2], "max": [3], "mix": [1]}), "nothing else"),
            (json!({"min": [4], "opt": [2], "max": [3]}), "min ≤ opt ≤ max"),
        ] {
            let why = Values::read(&bad).unwrap_err();
            assert!(why.contains(says), "{bad}: {why}");
        }
        assert_eq!(parse("2x3"), None);
        assert_eq!(parse("[]").map(|r| r.is_err()), Some(true));
    }
}
