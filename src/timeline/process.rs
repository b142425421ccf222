//! A measuring process as tracks: what loading was spent on, the first request, and the requests that were timed.
//!
//! Of a request its length is kept, not when it began. Where one follows the other, which is one stream with one request in
//! flight, that is known all the same, but for the tens of nanoseconds between two.

use super::{Span, Track};

/// One process, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTimes<'a> {
    /// The case's id.
    pub case: &'a str,
    /// From 1.
    pub process: usize,
    /// Loading as a whole.
    pub load_ns: u64,
    /// What loading was spent on, in order.
    pub steps: &'a [(String, u64)],
    /// The first request.
    pub first_ns: u64,
    /// The timed requests, one after the other; empty where they overlapped, or are not kept.
    pub requests: &'a [u64],
}

/// The tracks of one process. How long it warmed up is not kept: the requests follow the first one there.
pub fn tracks(times: &ProcessTimes) -> Vec<Track> {
    let group = format!("{} · process {}", times.case, times.process);
    let mut phases = Line::default();
    phases.put("load", times.load_ns);
    phases.put("first request", times.first_ns);
    let mut steps = Line::default();
    times.steps.iter().for_each(|(name, ns)| steps.put(name, *ns));
    let mut requests = Line { at: phases.at, ..Line::default() };
    times.requests.iter().for_each(|ns| requests.put("request", *ns));
    [
        ("phases", phases),
        ("steps of loading", steps),
        ("requests after the warm-up (its time is not kept)", requests),
    ]
    .into_iter()
    .filter(|(_, line)| !line.spans.is_empty())
    .map(|(name, line)| Track { group: group.clone(), name: name.to_owned(), spans: line.spans })
    .collect()
}

/// Spans that follow each other.
#[derive(Default)]
struct Line {
    at: i64,
    spans: Vec<Span>,
}

impl Line {
    fn put(&mut self, name: &str, ns: u64) {
        let start = self.at;
        self.at = start.saturating_add_unsigned(ns);
        if ns > 0 {
            self.spans.push(Span { name: name.to_owned(), start, end: self.at, facts: Vec::new() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_and_requests_follow_each_other() {
        let steps = [("deserialise".to_owned(), 60), ("context".to_owned(), 40)];
        let times = ProcessTimes {
            case: "p/m/v/latency",
            process: 2,
            load_ns: 100,
            steps: &steps,
            first_ns: 20,
            requests: &[7, 8],
        };
        let tracks = tracks(&times);
        let spans: Vec<Vec<(&str, i64, i64)>> = tracks
            .iter()
            .map(|t| t.spans.iter().map(|s| (s.name.as_str(), s.start, s.end)).collect())
            .collect();
        assert_eq!(
            spans,
            [
                vec![("load", 0, 100), ("first request", 100, 120)],
                vec![("deserialise", 0, 60), ("context", 60, 100)],
                vec![("request", 120, 127), ("request", 127, 135)],
            ]
        );
        assert!(tracks.iter().all(|t| t.group == "p/m/v/latency · process 2"));
        let unknown = ProcessTimes { load_ns: 0, steps: &[], first_ns: 0, requests: &[], ..times };
        assert!(super::tracks(&unknown).is_empty(), "what is not known is not drawn");
    }
}
