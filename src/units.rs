//! Reads durations, rates, sizes and shares as people write them, and prints them as criterion does.
//!
//! Files and wire types hold integer nanoseconds and fractions of one; percent exists only here, where something is
//! shown.

pub mod exact;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in whole nanoseconds; on the wire an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The same as a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Nanos {
    fn from(d: Duration) -> Self {
        Self(nanos(d))
    }
}

/// Bytes as lower-case hexadecimal digits, two each: what checksums and ids are written as.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or_default();
    bytes.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Nanoseconds of a duration: 584 years fit, a longer one saturates.
pub fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl FromStr for Nanos {
    type Err = String;

    /// `5ms`, `1.5 s`, `200us`, `200µs`, `80ns`, `2min`, `1h`. A bare number is refused: its unit would be a guess.
    fn from_str(text: &str) -> Result<Self, String> {
        let t = text.trim();
        let split = t
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
            .ok_or_else(|| format!("`{t}` has no unit; write it like \"5ms\", \"200us\" or \"1.5s\""))?;
        let (number, unit) = t.split_at(split);
        let number: f64 = number
            .parse()
            .map_err(|_| format!("`{t}` is not a duration; write it like \"5ms\", \"200us\" or \"1.5s\""))?;
        let scale = match unit.trim() {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" | "sec" => 1e9,
            "min" | "m" => 60e9,
            "h" => 3600e9,
            other => return Err(format!("`{other}` is not a unit of time; use ns, us, ms, s, min or h")),
        };
        let ns = number * scale;
        if !(ns >= 0.0 && ns < u64::MAX as f64) {
            return Err(format!("`{t}` is out of range: a duration is zero or more"));
        }
        Ok(Self(ns.round() as u64))
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain_time(self.0 as f64))
    }
}

/// A time with the fewest digits that say it: `5 ms`, `1.5 s`. For things people configured.
pub fn plain_time(ns: f64) -> String {
    let (value, unit) = scaled_time(ns);
    format!("{} {unit}", trim_zeros(&format!("{value:.3}")))
}

/// A measured time with five significant digits, as criterion prints it: `1.2345 ms`.
pub fn time(ns: f64) -> String {
    // Rounded before: 999.9996 µs is a millisecond.
    let (value, unit) = scaled_time(round5(ns));
    format!("{} {unit}", five_digits(value))
}

fn scaled_time(ns: f64) -> (f64, &'static str) {
    match ns {
        _ if ns < 1e3 => (ns, "ns"),
        _ if ns < 1e6 => (ns / 1e3, "µs"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    }
}

/// Inferences per second with five significant digits: `812.34 inf/s`, `1.2345 Kinf/s`.
pub fn rate(per_second: f64) -> String {
    let (value, unit) = scaled_rate(round5(per_second));
    format!("{} {unit}", five_digits(value))
}

fn scaled_rate(per_second: f64) -> (f64, &'static str) {
    match per_second {
        r if r < 1e3 => (r, "inf/s"),
        r if r < 1e6 => (r / 1e3, "Kinf/s"),
        r => (r / 1e6, "Minf/s"),
    }
}

/// A rate with the fewest digits that say it: `2 Kinf/s`. For axes.
pub fn plain_rate(per_second: f64) -> String {
    let (value, unit) = scaled_rate(per_second);
    format!("{} {unit}", trim_zeros(&format!("{value:.3}")))
}

/// Bytes in binary units: `23.4 MiB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        _ if n < 1024.0 => format!("{n} B"),
        _ if n < 1024.0 * 1024.0 => format!("{:.1} KiB", n / 1024.0),
        _ if n < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", n / (1024.0 * 1024.0)),
        _ => format!("{:.2} GiB", n / (1024.0 * 1024.0 * 1024.0)),
    }
}

/// `64MiB`, `1.5 GB`, `512`: bytes, with decimal or binary units.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let t = text.trim();
    let (number, unit) = t.split_at(t.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(t.len()));
    let bad = || format!("`{t}` is not a size; write it like \"512MiB\" or \"1GiB\"");
    let number: f64 = number.parse().map_err(|_| bad())?;
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(bad()),
    };
    match number * scale {
        n if n < i64::MAX as f64 => Ok(n.round() as u64),
        _ => Err(format!("`{t}` is too large")),
    }
}

/// A signed relative change as percent: `+1.23%`; `+∞` where nothing bounds it.
pub fn change(frac: f64) -> String {
    if !frac.is_finite() {
        let word = if frac.is_nan() {
            "unknown"
        } else if frac > 0.0 {
            "+∞"
        } else {
            "-∞"
        };
        return word.to_owned();
    }
    let percent = frac * 100.0;
    let digits = match percent.abs() {
        p if p >= 100.0 => 1,
        p if p >= 0.1 => 2,
        _ => 4,
    };
    // A change that rounds to zero has no sign worth showing.
    let text = format!("{percent:+.digits$}%");
    if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { text } else { "0.00%".to_owned() }
}

/// A p value as reports say it: `p = 0.031`, and never `p = 0.00`, which no test can give.
pub fn p_value(p: f64) -> String {
    const LEAST: f64 = 1e-4;
    match p {
        p if p < LEAST => format!("p < {LEAST}"),
        p if p < 0.1 => format!("p = {}", trim_zeros(&format!("{p:.4}"))),
        p => format!("p = {p:.2}"),
    }
}

/// A share of one as percent: `0.12%`.
pub fn share(frac: f64) -> String {
    format!("{}%", trim_zeros(&format!("{:.3}", frac * 100.0)))
}

/// A share as people write it: `2%` or `0.5 %`. A bare number is refused: it might mean a fraction.
pub fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').map(str::trim_end);
    number
        .and_then(|n| n.parse::<f64>().ok())
        .filter(|p| p.is_finite() && *p >= 0.0)
        .map(|p| p / 100.0)
        .ok_or_else(|| format!("`{}` is not a percentage; write it like \"2%\"", text.trim()))
}

/// A count with thousands separators: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 case`, `2 cases`, `5 processes`.
pub fn plural(n: usize, word: &str) -> String {
    let ending = match n {
        1 => "",
        _ if word.ends_with('s') => "es",
        _ => "s",
    };
    format!("{n} {word}{ending}")
}

/// `value` rounded to five significant digits: what records hold.
pub fn round5(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    // Through the decimal text, so that the stored number has the shortest form.
    format!("{value:.4e}").parse().unwrap_or(value)
}

/// Five significant digits, without a unit.
pub fn five_digits(value: f64) -> String {
    let value = round5(value);
    match value.abs() {
        v if v < 10.0 => format!("{value:.4}"),
        v if v < 100.0 => format!("{value:.3}"),
        v if v < 1000.0 => format!("{value:.2}"),
        v if v < 10_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(hex([0, 0x9f, 255]), "009fff");
    }

    #[test]
    fn durations_read_as_written() {
        for (text, ns) in [
            ("5ms", 5_000_000),
            ("1.5 s", 1_500_000_000),
            ("200us", 200_000),
            ("200µs", 200_000),
            ("80ns", 80),
            ("2min", 120_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Nanos(ns)), "{text}");
        }
        for text in ["5", "", "ms", "-5ms", "5 parsecs", "1e400s", "nanms"] {
            assert!(text.parse::<Nanos>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_look_like_criterions() {
        assert_eq!(time(1_234_567.0), "1.2346 ms");
        assert_eq!(time(12.3), "12.300 ns");
        assert_eq!(
            [time(999_999.6), time(9_999.96), rate(999.9999)],
            ["1.0000 ms", "10.000 µs", "1.0000 Kinf/s"]
        );
        assert_eq!(plain_time(5e6), "5 ms");
        assert_eq!(plain_time(1_500_000.0), "1.5 ms");
        assert_eq!(rate(1234.5), "1.2345 Kinf/s");
        assert_eq!([plain_rate(0.0), plain_rate(2500.0)], ["0 inf/s", "2.5 Kinf/s"]);
        assert_eq!(change(0.0123), "+1.23%");
        assert_eq!(change(-0.0), "0.00%");
        assert_eq!(change(2.5), "+250.0%");
        assert_eq!([f64::INFINITY, -f64::INFINITY, f64::NAN].map(change), ["+∞", "-∞", "unknown"]);
        assert_eq!(
            [0.0, 9e-5, 0.00123, 0.05, 0.5].map(p_value),
            ["p < 0.0001", "p < 0.0001", "p = 0.0012", "p = 0.05", "p = 0.50"]
        );
        assert_eq!(share(0.0012), "0.12%");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            [plural(1, "case"), plural(2, "case"), plural(5, "process")],
            ["1 case", "2 cases", "5 processes"]
        );
        assert_eq!(bytes(24_536_678), "23.4 MiB");
    }

    #[test]
    fn percentages_need_their_sign() {
        assert_eq!(parse_percent("2%"), Ok(0.02));
        assert_eq!(parse_percent(" 0.5 % "), Ok(0.005));
        for bad in ["2", "%", "-1%", "nan%", "inf%", ""] {
            assert!(parse_percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn five_significant_digits_survive() {
        assert_eq!(round5(123_456_789.0), 123_460_000.0);
        assert_eq!(round5(0.001_234_567), 0.001_234_6);
        assert_eq!(round5(0.0), 0.0);
    }
}
