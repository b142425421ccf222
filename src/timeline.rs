//! A timeline as Chrome's trace JSON, which <https://ui.perfetto.dev> and `chrome://tracing` open.
//!
//! Whoever has something to show says it as tracks of named spans and as counters, in nanoseconds of one clock. The format
//! is "Trace Event Format": complete events (`X`), counters (`C`) and names (`M`), times in microseconds.
//!
//! Invariant: on each line of the timeline spans lie side by side or within each other, because Perfetto drops others.

pub mod memory;
pub mod process;

use crate::printable;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Something that took a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub name: String,
    /// When it began, in nanoseconds.
    pub start: i64,
    /// When it ended, in nanoseconds.
    pub end: i64,
    /// What else is known of it.
    pub facts: Vec<(&'static str, String)>,
}

/// Spans that are shown together, on as many lines as it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Which group of tracks it is in.
    pub group: String,
    /// What it is called in its group.
    pub name: String,
    /// In any order.
    pub spans: Vec<Span>,
}

/// A number over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counter {
    /// Which group of tracks it is in.
    pub group: String,
    /// What is counted, with its unit.
    pub name: String,
    /// When it became which value, in nanoseconds.
    pub points: Vec<(i64, f64)>,
}

/// The text of a trace file. Its clock begins with the first thing that is shown.
pub fn trace(tracks: &[Track], counters: &[Counter]) -> String {
    let starts = tracks.iter().flat_map(|t| &t.spans).map(|s| s.start);
    let zero = starts.chain(counters.iter().flat_map(|c| &c.points).map(|p| p.0)).min().unwrap_or(0);
    let mut groups = Groups::default();
    let mut events = TraceEvents(String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":["));
    for track in tracks {
        let process = groups.number(&track.group, &mut events);
        for (line, spans) in lines(&track.spans).into_iter().enumerate() {
            let name = if line == 0 { track.name.clone() } else { format!("{} ({})", track.name, line + 1) };
            let thread = groups.next_thread();
            events.push(&json!({"ph": "M", "name": "thread_name", "pid": process, "tid": thread, "args": {"name": name}}));
            // Otherwise lines are sorted by name.
            events.push(&json!({
                "ph": "M", "name": "thread_sort_index", "pid": process, "tid": thread, "args": {"sort_index": thread}
            }));
            spans.into_iter().for_each(|span| events.push(&complete(span, zero, process, thread)));
        }
    }
    for counter in counters {
        let process = groups.number(&counter.group, &mut events);
        for (at, value) in &counter.points {
            events.push(&json!({
                "ph": "C", "name": counter.name, "pid": process, "ts": micros(at - zero), "args": {"value": value}
            }));
        }
    }
    events.0 + "]}"
}

/// The text so far: there may be millions of events, so each is text as soon as it is known.
struct TraceEvents(String);

impl TraceEvents {
    fn push(&mut self, event: &Value) {
        if !self.0.ends_with('[') {
            self.0.push(',');
        }
        // A name may hold anything.
        self.0 += &printable::json(&event.to_string());
    }
}

fn complete(span: &Span, zero: i64, process: usize, thread: usize) -> Value {
    let facts: Map<String, Value> =
        span.facts.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
    json!({
        "ph": "X", "name": span.name, "pid": process, "tid": thread, "args": facts,
        "ts": micros(span.start - zero), "dur": micros((span.end - span.start).max(0)),
    })
}

/// Microseconds with the nanoseconds behind the point.
fn micros(ns: i64) -> f64 {
    ns as f64 / 1000.0
}

/// The numbers of groups, which the format calls processes, and of lines, which it calls threads.
#[derive(Default)]
struct Groups {
    numbers: BTreeMap<String, usize>,
    threads: usize,
}

impl Groups {
    /// The number of a group; a new one is named and put behind the others.
    fn number(&mut self, group: &str, events: &mut TraceEvents) -> usize {
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(group.to_owned()).or_insert(next);
        if number == next {
            events.push(&json!({"ph": "M", "name": "process_name", "pid": number, "args": {"name": group}}));
            events.push(&json!({
                "ph": "M", "name": "process_sort_index", "pid": number, "args": {"sort_index": number}
            }));
        }
        number
    }

    fn next_thread(&mut self) -> usize {
        self.threads += 1;
        self.threads
    }
}

/// Spread over lines on each of which spans lie side by side or within each other.
fn lines(spans: &[Span]) -> Vec<Vec<&Span>> {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    // With each line the ends of what is open there, the innermost last.
    let mut lines: Vec<(Vec<&Span>, Vec<i64>)> = Vec::new();
    for span in sorted {
        let fits = |open: &mut Vec<i64>| {
            while open.last().is_some_and(|end| *end <= span.start) {
                open.pop();
            }
            open.last().is_none_or(|end| span.end <= *end)
        };
        let at = lines.iter_mut().position(|(_, open)| fits(open)).unwrap_or(lines.len());
        if at == lines.len() {
            lines.push(Default::default());
        }
        lines[at].0.push(span);
        lines[at].1.push(span.end);
    }
    lines.into_iter().map(|(spans, _)| spans).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(name: &str, start: i64, end: i64) -> Span {
        Span { name: name.into(), start, end, facts: vec![("layer", format!("of {name}"))] }
    }

    fn events(tracks: &[Track], counters: &[Counter]) -> Vec<Value> {
        let trace: Value = serde_json::from_str(&trace(tracks, counters)).unwrap();
        assert_eq!(trace["displayTimeUnit"], "ns");
        trace["traceEvents"].as_array().unwrap().clone()
    }

    #[test]
    fn spans_counters_and_names_are_events_of_the_format() {
        let tracks = [
            Track { group: "GPU 0".into(), name: "stream 7".into(), spans: vec![span("k", 1_500, 2_001)] },
            Track { group: "GPU 0".into(), name: "stream 8".into(), spans: vec![span("c", -500, -500)] },
        ];
        let counter = Counter { group: "memory".into(), name: "bytes".into(), points: vec![(500, 4096.0)] };
        let events = events(&tracks, &[counter]);
        let of = |phase: &str| events.iter().filter(|e| e["ph"] == phase).cloned().collect::<Vec<_>>();
        assert_eq!(
            of("X"),
            [
                json!({"ph": "X", "name": "k", "pid": 1, "tid": 1, "ts": 2.0, "dur": 0.501, "args": {"layer": "of k"}}),
                json!({"ph": "X", "name": "c", "pid": 1, "tid": 2, "ts": 0.0, "dur": 0.0, "args": {"layer": "of c"}}),
            ]
        );
        assert_eq!(
            of("C"),
            [json!({"ph": "C", "name": "bytes", "pid": 2, "ts": 1.0, "args": {"value": 4096.0}})]
        );
        let names: Vec<&str> = of("M")
            .iter()
            .filter_map(|e| e["args"]["name"].as_str())
            .map(|n| match n {
                "GPU 0" => "GPU 0",
                "memory" => "memory",
                _ => "a line",
            })
            .collect();
        assert_eq!(names, ["GPU 0", "a line", "a line", "memory"], "each group is named once");
    }

    #[test]
    fn spans_that_overlap_get_a_line_each_and_those_within_another_do_not() {
        let spans = vec![
            span("b", 5, 15),
            span("a", 0, 10),
            span("in a", 2, 4),
            span("in in a", 2, 3),
            span("c", 10, 20),
        ];
        let lines = lines(&spans);
        let names: Vec<Vec<&str>> =
            lines.iter().map(|l| l.iter().map(|s| s.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["a", "in a", "in in a", "c"], vec!["b"]]);
        let track = Track { group: "g".into(), name: "t".into(), spans };
        let second = events(&[track], &[]).into_iter().filter(|e| e["name"] == "thread_name").nth(1);
        assert_eq!(second.unwrap()["args"]["name"], "t (2)");
    }

    #[test]
    fn a_name_that_would_steer_a_terminal_is_an_escape_in_the_file() {
        let track =
            Track { group: "g".into(), name: "t".into(), spans: vec![span("x\x1b[8m\u{202e}", 0, 1)] };
        let text = trace(&[track], &[]);
        assert!(!text.contains(['\x1b', '\u{202e}']) && text.contains(r"\u202e"), "{text}");
    }

    #[test]
    fn the_text_that_is_put_together_is_what_json_would_be() {
        let empty = r#"{"displayTimeUnit":"ns","traceEvents":[]}"#;
        assert_eq!(trace(&[], &[]), empty);
        let spans = vec![span("a \"x\" ##[b", 0, 1500), span("c", 1500, 1501)];
        let track = Track { group: "g".into(), name: "t".into(), spans };
        let counter = Counter { group: "memory".into(), name: "bytes".into(), points: vec![(500, 4096.0)] };
        let text = trace(&[track], &[counter]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text, printable::json(&value.to_string()));
    }
}
