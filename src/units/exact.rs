//! Numbers in files, with all their digits, also those that JSON has not: `"NaN"`, `"inf"` and `"-inf"` stand as text.
//! For `#[serde(with = "exact")]`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a number stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExactNumber {
    /// As JSON has it.
    Finite(f64),
    /// `NaN`, `inf` or `-inf`.
    Other(String),
}

impl From<f64> for ExactNumber {
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Finite(value) } else { Self::Other(value.to_string()) }
    }
}

impl TryFrom<ExactNumber> for f64 {
    type Error = String;

    fn try_from(number: ExactNumber) -> Result<Self, String> {
        match number {
            ExactNumber::Finite(value) => Ok(value),
            ExactNumber::Other(text) => match text.as_str() {
                "NaN" => Ok(Self::NAN),
                "inf" => Ok(Self::INFINITY),
                "-inf" => Ok(Self::NEG_INFINITY),
                _ => Err(format!("{text:?} is no number")),
            },
        }
    }
}

/// Writes the number.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    ExactNumber::from(*value).serialize(serializer)
}

/// Reads the number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    ExactNumber::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
}

/// The same for a number that may not be there.
pub mod option {
    use super::{Deserialize, Deserializer, ExactNumber, Serialize, Serializer};

    /// Writes the number, or null.
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(ExactNumber::from).serialize(serializer)
    }

    /// Reads the number, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let number = Option::<ExactNumber>::deserialize(deserializer)?;
        number.map(f64::try_from).transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Held {
        #[serde(with = "super")]
        value: f64,
        #[serde(with = "super::option")]
        perhaps: Option<f64>,
    }

    #[test]
    fn every_number_comes_back_to_the_last_bit() {
        for value in [0.1 + 0.2, -0.0, f64::MIN_POSITIVE, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let text = serde_json::to_string(&Held { value, perhaps: Some(value) }).unwrap();
            let read: Held = serde_json::from_str(&text).unwrap();
            assert!(
                read.value.to_bits() == value.to_bits() || value.is_nan() && read.value.is_nan(),
                "{text}"
            );
            assert_eq!(read.perhaps.map(f64::to_bits), Some(read.value.to_bits()));
        }
        let none: Held = serde_json::from_str(r#"{"value":1,"perhaps":null}"#).unwrap();
        assert_eq!((none.value, none.perhaps), (1.0, None));
        assert!(serde_json::from_str::<Held>(r#"{"value":"1e3","perhaps":null}"#).is_err());
    }
}
