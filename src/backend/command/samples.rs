//! Reads the latencies that a program left: a `.npy` file, or lines of its standard output.

use crate::error::{Failure, FailureKind, Result};
use crate::tensor::read_samples;
use crate::units::Nanos;
use std::path::Path;

/// Latencies in nanoseconds, in the order of the requests: those in `file` where the program wrote it, else those it
/// printed as `out`, one a line, as nanoseconds or with a unit. `name` is the program's, for messages.
pub(super) fn of(file: &Path, out: &str, name: &str) -> Result<Vec<u64>> {
    let samples =
        if file.exists() { read_samples(file)? } else { printed(out).map_err(|why| bad(name, &why))? };
    if samples.is_empty() {
        return Err(bad(name, "it left no latency"));
    }
    if samples.contains(&0) {
        return Err(bad(name, "a latency is 0 ns, which nothing takes"));
    }
    Ok(samples)
}

fn printed(out: &str) -> Result<Vec<u64>, String> {
    let lines = out.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let read = |(at, line): (usize, &str)| {
        latency(line)
            .ok_or_else(|| format!("line {} of its standard output is {line:?}, which is no latency", at + 1))
    };
    lines.map(read).collect()
}

/// A number of nanoseconds, or a time with its unit.
fn latency(line: &str) -> Option<u64> {
    match line.parse::<f64>() {
        Ok(ns) if ns.is_finite() && ns >= 0.0 => Some(ns.round() as u64),
        Ok(_) => None,
        Err(_) => line.replace(' ', "").parse::<Nanos>().ok().map(|ns| ns.0),
    }
}

fn bad(name: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Measure, format!("{name} measured nothing that can be used: {why}")).next(
        "let it write nanoseconds (u64) to the .npy file named by TRT_PERF_SAMPLES, or print one latency a line and \
         everything else to standard error",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_nanoseconds_or_have_a_unit() {
        assert_eq!(printed("1500\n\n 2.5us\n3 ms\n1e3\n").unwrap(), [1500, 2500, 3_000_000, 1000]);
        for wrong in ["warming up", "-1", "NaN", "inf", "5 parsecs"] {
            assert!(printed(wrong).unwrap_err().contains("line 1"), "{wrong}");
        }
    }
}
