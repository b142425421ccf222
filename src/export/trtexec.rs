//! The shape of `trtexec --exportTimes`: an array with an object for each request, times in milliseconds.
//!
//! Only `latencyMs` is written. What trtexec's other fields say, copies and computing between events of the GPU, and when
//! each began, is not kept for single requests. What its latency is differs, too: it adds copy in, compute and copy out,
//! and ours is what a caller waits.

/// The text of a file, of one process's requests in the order in which they were timed.
pub fn text(samples_ns: &[u64]) -> String {
    let rows: Vec<String> =
        samples_ns.iter().map(|ns| format!("{{ \"latencyMs\" : {} }}", milliseconds(*ns))).collect();
    format!("[\n  {}\n]\n", rows.join("\n, "))
}

/// With all digits: a 64-bit float would lose some of long ones.
fn milliseconds(ns: u64) -> String {
    format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn each_request_is_an_object_with_its_latency() {
        let rows: Vec<Value> = serde_json::from_str(&text(&[1_234_567, 89, 5_000_000])).expect("JSON");
        let latencies: Vec<f64> = rows.iter().filter_map(|row| row["latencyMs"].as_f64()).collect();
        assert_eq!(latencies, [1.234567, 0.000089, 5.0]);
        assert!(rows.iter().all(|row| row.as_object().is_some_and(|fields| fields.len() == 1)));
        assert_eq!(milliseconds(u64::MAX), "18446744073709.551615");
    }
}
