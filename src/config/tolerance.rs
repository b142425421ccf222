//! How far outputs may be apart.

use super::table::number;
use serde_json::Value;
use std::fmt;

/// |a − b| ≤ atol + rtol·|b|, as numpy's allclose has it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Tolerances {
    /// Relative to the value that is compared with.
    pub rtol: f64,
    /// Absolute.
    pub atol: f64,
}

impl Tolerances {
    /// By how much more than tolerated two values differ; not above zero where they may. As numpy has it, an infinity is
    /// near to nothing but itself, and what is not a number to nothing at all.
    pub fn excess(self, got: f64, want: f64) -> f64 {
        if got == want {
            return 0.0;
        }
        let excess = (got - want).abs() - (self.atol + self.rtol * want.abs());
        if excess.is_nan() { f64::INFINITY } else { excess }
    }

    /// Reads `{ rtol = 1e-2, atol = 1e-3 }`; what is left out is zero.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let Value::Object(table) = value else {
            return Err("is no table, such as { rtol = 1e-2, atol = 1e-3 }".into());
        };
        if let Some(other) = table.keys().find(|key| !matches!(key.as_str(), "rtol" | "atol")) {
            return Err(format!("has the key `{other}`; it takes rtol and atol"));
        }
        let of = |key: &str| {
            table.get(key).map_or(Ok(0.0), |v| tolerance(v).map_err(|why| format!("its `{key}` {why}")))
        };
        Ok(Self { rtol: of("rtol")?, atol: of("atol")? })
    }
}

impl fmt::Display for Tolerances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtol {}, atol {}", self.rtol, self.atol)
    }
}

/// A number that is zero or more.
pub(super) fn tolerance(value: &Value) -> Result<f64, String> {
    number(value)
        .and_then(|n| if n >= 0.0 { Ok(n) } else { Err(format!("is {n}; a tolerance is zero or more")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_near_as_numpy_has_it() {
        let t = Tolerances { rtol: 0.1, atol: 0.5 };
        let near = |got, want| t.excess(got, want) <= 0.0;
        assert!(near(10.25, 9.0) && !near(10.5, 9.0) && near(f64::INFINITY, f64::INFINITY));
        assert!(!near(f64::NAN, f64::NAN) && !near(1.0, f64::INFINITY) && !near(f64::INFINITY, 1.0));
    }

    #[test]
    fn tolerances_are_a_table_of_two_numbers() {
        let read = |value| Tolerances::read(&value).map(|t| t.to_string());
        assert_eq!(read(json!({ "rtol": 0.01, "atol": 1 })), Ok("rtol 0.01, atol 1".into()));
        assert_eq!(read(json!({})), Ok("rtol 0, atol 0".into()));
        assert_eq!(read(json!({ "rtol": -1 })), Err("its `rtol` is -1; a tolerance is zero or more".into()));
        assert!(read(json!({ "tol": 1 })).unwrap_err().contains("`tol`"));
        assert!(read(json!(0.1)).unwrap_err().contains("is no table"));
    }
}
