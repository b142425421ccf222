//! Reads `--exportTimes`: the requests of one run, in the order in which they began. Pure.
//!
//! There is a trap in these files. All times are 32-bit floats in milliseconds from one origin, and durations are
//! differences of them; so after ten minutes they are only known to 62 µs. Starts and ends are printed with six digits,
//! which is coarser still (10 µs after a second). Therefore durations are taken from the fields that hold them, not from
//! starts and ends, and how fine they are is part of the answer.

use crate::stats::median_by;
use crate::units::{plain_time, share};
use serde::Deserialize;

/// A request as trtexec times it, by events on the GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedRequest {
    /// When the copy in began, from the start of the run.
    pub start_ms: f64,
    /// When the GPU began to compute, from the start of the run.
    pub compute_start_ms: f64,
    /// When the copy out ended, from the start of the run.
    pub end_ms: f64,
    /// Host time of handing the request to the driver.
    pub enqueue_ms: f64,
    /// Copy from the host to the device (the GPU).
    pub h2d_ms: f64,
    /// Time the GPU computed.
    pub compute_ms: f64,
    /// Copy from the device to the host.
    pub d2h_ms: f64,
    /// Copy in + compute + copy out. Waiting behind an earlier request is not in it.
    pub latency_ms: f64,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// The requests that began after the warm-up.
    pub requests: Vec<TimedRequest>,
    /// Those that began while warming up; empty where the version does not export them.
    pub warm_up: Vec<TimedRequest>,
    /// The step between two durations that can be told apart at the end of the run.
    pub resolution_ns: f64,
}

/// The parts of a request, over several of them, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The mean: enqueueing is known only as a difference of starts and ends, whose rounding a median would keep and a
    /// mean does not. The others are medians.
    pub enqueue_ns: u64,
    /// Copy from the host to the device (the GPU).
    pub h2d_ns: u64,
    /// Time the GPU computed.
    pub compute_ns: u64,
    /// Copy from the device to the host.
    pub d2h_ns: u64,
}

/// Times that are too coarse to be judged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "trtexec resolved times to {} at the end of this run, {} of the median; runs must be shorter",
    plain_time(*.resolution_ns), share(.resolution_ns / .median_ns)
)]
pub struct TooCoarse {
    /// The step between two durations that can be told apart, in nanoseconds.
    pub resolution_ns: f64,
    /// Median latency of the requests, in nanoseconds.
    pub median_ns: f64,
}

impl Times {
    /// Why the times of these requests are too coarse to be judged; `None` where they are not.
    pub fn too_coarse(&self, requests: &[TimedRequest], margin_frac: f64) -> Option<TooCoarse> {
        let median_ns = median_by(requests.iter().map(|r| r.latency_ms), f64::total_cmp)? * 1e6;
        (self.resolution_ns > margin_frac * median_ns)
            .then_some(TooCoarse { resolution_ns: self.resolution_ns, median_ns })
    }
}

/// Latencies in nanoseconds, in order.
pub fn latencies_ns(requests: &[TimedRequest]) -> Vec<u64> {
    requests.iter().map(|r| nanos(r.latency_ms).max(1)).collect()
}

/// Time computing in nanoseconds, in order. Nothing that ran took no time at all.
pub fn compute_ns(requests: &[TimedRequest]) -> Vec<u64> {
    requests.iter().map(|r| nanos(r.compute_ms).max(1)).collect()
}

/// Requests over the time from the first start to the last end.
pub fn requests_per_s(requests: &[TimedRequest]) -> f64 {
    let start = requests.iter().fold(f64::INFINITY, |t, r| t.min(r.start_ms));
    let end = requests.iter().fold(0.0_f64, |t, r| t.max(r.end_ms));
    requests.len() as f64 / ((end - start) / 1e3).max(1e-9)
}

/// What a request consists of.
pub fn parts(requests: &[TimedRequest]) -> Parts {
    let median = |part: fn(&TimedRequest) -> f64| {
        median_by(requests.iter().map(|r| nanos(part(r))), u64::cmp).unwrap_or(0)
    };
    let enqueue_ms = requests.iter().map(|r| r.enqueue_ms).sum::<f64>() / requests.len().max(1) as f64;
    Parts {
        enqueue_ns: nanos(enqueue_ms),
        h2d_ns: median(|r| r.h2d_ms),
        compute_ns: median(|r| r.compute_ms),
        d2h_ns: median(|r| r.d2h_ms),
    }
}

fn nanos(ms: f64) -> u64 {
    // Checked when the file was read: zero or more, and finite; beyond 2⁶⁴ ns this saturates.
    (ms * 1e6).round() as u64
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimesRow {
    start_enq_ms: f64,
    end_enq_ms: f64,
    #[serde(rename = "startH2dMs", alias = "startInMs")]
    start_h2d_ms: f64,
    start_compute_ms: f64,
    #[serde(rename = "endD2hMs", alias = "endOutMs")]
    end_d2h_ms: f64,
    #[serde(rename = "h2dMs", alias = "inMs")]
    h2d_ms: f64,
    compute_ms: f64,
    #[serde(rename = "d2hMs", alias = "outMs")]
    d2h_ms: f64,
    latency_ms: f64,
}

/// The run in the text of an export; `warm_up_ms` is what trtexec was told. The error continues the file's name.
///
/// Versions before 8.6 export the warm-up too. It is told from the rest by trtexec's own rule: a request belongs to it
/// that computes before it is over.
pub fn times(text: &str, warm_up_ms: f64) -> Result<Times, String> {
    let rows: Vec<TimesRow> = serde_json::from_str(text).map_err(|e| explain(text, &e))?;
    let mut all = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        all.push(request(row).map_err(|why| format!("{why} in request {} of {}", i + 1, rows.len()))?);
    }
    let measured = all.iter().position(|r| r.compute_start_ms >= warm_up_ms).unwrap_or(all.len());
    let requests = all.split_off(measured);
    if requests.is_empty() {
        return Err(if all.is_empty() {
            "holds no request".into()
        } else {
            format!("holds nothing but {} requests of the warm-up ({warm_up_ms} ms)", all.len())
        });
    }
    let end_ms = requests.iter().fold(0.0_f64, |end, r| end.max(r.end_ms));
    Ok(Times { requests, warm_up: all, resolution_ns: step_ms(end_ms) * 1e6 })
}

/// No run of trtexec takes longer: a month.
const LONGEST_MS: f64 = 31.0 * 86_400e3;

fn request(row: &TimesRow) -> Result<TimedRequest, String> {
    let durations = [
        ("latencyMs", row.latency_ms),
        ("computeMs", row.compute_ms),
        ("h2dMs", row.h2d_ms),
        ("d2hMs", row.d2h_ms),
        ("startEnqMs", row.start_enq_ms),
        ("startComputeMs", row.start_compute_ms),
        ("endD2hMs", row.end_d2h_ms),
        ("startH2dMs", row.start_h2d_ms),
    ];
    if let Some((name, value)) = durations.iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
        return Err(format!("has {name} = {value}, which is no time,"));
    }
    if let Some((name, value)) = durations.iter().find(|(_, v)| *v > LONGEST_MS) {
        return Err(format!("has {name} = {value}, which is longer than a month,"));
    }
    if row.latency_ms == 0.0 {
        return Err("says that nothing was timed (latencyMs = 0)".into());
    }
    Ok(TimedRequest {
        start_ms: row.start_h2d_ms,
        compute_start_ms: row.start_compute_ms,
        end_ms: row.end_d2h_ms,
        enqueue_ms: (row.end_enq_ms - row.start_enq_ms).max(0.0),
        h2d_ms: row.h2d_ms,
        compute_ms: row.compute_ms,
        d2h_ms: row.d2h_ms,
        latency_ms: row.latency_ms,
    })
}

/// The distance from a 32-bit float to the next one.
fn step_ms(ms: f64) -> f64 {
    let value = ms as f32;
    f64::from(value.next_up()) - f64::from(value)
}

/// What is wrong with the text, in words that lead to the cause.
fn explain(text: &str, e: &serde_json::Error) -> String {
    if e.is_eof() {
        return format!(
            "is cut off ({e}); trtexec writes it when it ends, so it was stopped or the disk is full"
        );
    }
    let at = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    // C++ prints these where JSON has no word for them.
    if let Some(word) =
        ["nan", "inf"].iter().find(|w| at.contains(&format!(": {w}")) || at.contains(&format!(": -{w}")))
    {
        return format!("holds `{word}`, which is no time, in line {}", e.line());
    }
    if e.is_data() {
        return format!("is no export of trtexec --exportTimes ({e})");
    }
    format!("is not JSON ({e})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start: f64, latency: &str) -> String {
        format!(
            "{{ \"startEnqMs\" : {start}, \"endEnqMs\" : {}, \"startH2dMs\" : {start}, \"endH2dMs\" : {start}, \
             \"startComputeMs\" : {start}, \"endComputeMs\" : {}, \"startD2hMs\" : {}, \"endD2hMs\" : {}, \
             \"h2dMs\" : 0, \"computeMs\" : {latency}, \"d2hMs\" : 0, \"latencyMs\" : {latency} }}",
            start + 0.01,
            start + 1.0,
            start + 1.0,
            start + 1.0
        )
    }

    fn file(rows: &[String]) -> String {
        format!("[\n  {}\n]\n", rows.join("\n, "))
    }

    #[test]
    fn the_warm_up_is_taken_off_by_trtexecs_own_rule() {
        let text = file(&[row(1.0, "0.9"), row(199.9, "0.8"), row(200.0, "0.7"), row(201.0, "0.6")]);
        let t = times(&text, 200.0).unwrap();
        assert_eq!((t.warm_up.len(), t.requests.len()), (2, 2));
        assert_eq!(t.requests[0].latency_ms, 0.7);
        assert!((t.requests[0].enqueue_ms - 0.01).abs() < 1e-9);
        assert_eq!(times(&text, 0.0).unwrap().requests.len(), 4);
    }

    #[test]
    fn the_resolution_is_that_of_a_float_at_the_end() {
        let at = |ms: f64| times(&file(&[row(ms, "0.5")]), 0.0).unwrap().resolution_ns;
        assert!((at(3200.0) - 244.1).abs() < 0.1, "{}", at(3200.0));
        assert_eq!(at(600_000.0), 62_500.0);
    }

    #[test]
    fn each_mistake_is_named() {
        let good = file(&[row(1.0, "0.9"), row(2.0, "0.8")]);
        for (text, says) in [
            (&good[..good.len() / 2], "is cut off"),
            (&good[..good.len() - 2], "is cut off"),
            ("", "is cut off"),
            ("[]", "holds no request"),
            ("{}", "is no export of trtexec"),
            ("[{\"count\": 1}]", "is no export of trtexec"),
            ("hello", "is not JSON"),
            (&file(&[row(1.0, "nan")]), "holds `nan`"),
            (&file(&[row(1.0, "-nan")]), "holds `nan`"),
            (&file(&[row(1.0, "inf")]), "holds `inf`"),
            (&file(&[row(1.0, "-0.5")]), "latencyMs = -0.5, which is no time, in request 1 of 1"),
            (&file(&[row(1.0, "1e300")]), "latencyMs = 1"),
            (&file(&[row(1.0, "0")]), "nothing was timed"),
            (&file(&[row(1.0, "1e999")]), "out of range"),
            (&file(&[row(1.0, "\"x\"")]), "is no export"),
            (&file(&[row(1.0, "0.9"), "{}".into()]), "missing field"),
        ] {
            let why = times(text, 0.0).unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
        assert!(times(&good, 1000.0).unwrap_err().contains("nothing but 2 requests of the warm-up"));
    }
}
