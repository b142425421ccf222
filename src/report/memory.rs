//! Shows what cases take of memory: a table per process, then what the engine says, what leaked, what differs. Pure.

use super::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW, no_result, paint};
use super::table::TextTable;
use crate::memory::{Leak, MemoryDifference, PhaseMemory, ProcessMemory};
use crate::message::{MemoryOfCase, Message};
use crate::outcome::MemoryRow;
use crate::printable::{line, row as row_of};
use crate::record::Unreal;
use crate::units::{bytes, change, plural};

/// A line, and its colour if it has one.
type Said = (Option<&'static str>, String);

/// The block of one case for people, in so many columns.
pub fn text(row: &MemoryRow, width: usize) -> String {
    let case = &row.memory;
    let mut out = format!("{BOLD}{}{RESET}  {}\n", line(&row.id), paint(DIM, &line(&case.library)));
    out += &case.build.as_ref().map_or_else(String::new, |build| indented(&table(build, "build", width)));
    out += &indented(&table(&case.run, "run", width));
    if case.of_test_library() {
        out += &format!("  {}\n", no_result(Unreal::TestLibrary.words()));
    }
    for (colour, text) in said(row) {
        let text = colour.map_or_else(|| text.clone(), |colour| paint(colour, &text));
        out += &format!("  {}\n", row_of(&text));
    }
    out
}

/// What there is to say beside the tables.
pub(super) fn said(row: &MemoryRow) -> Vec<Said> {
    let case = &row.memory;
    let mut lines = Vec::new();
    if let Some(build) = &case.build {
        lines.extend(faults(build, "building: "));
        let untraced = "building: the library allocates nothing on a GPU through us here";
        lines.extend(build.traced_peak().is_none().then(|| (Some(DIM), untraced.to_owned())));
    }
    lines.extend(case.run.source.map(|source| (Some(DIM), source.words().to_owned())));
    lines.push((None, engine_line(row)));
    lines.extend(faults(&case.run, ""));
    lines.extend(budget_line(row));
    lines.extend(difference_lines(row));
    lines
}

/// Before each line below the id.
const INDENT: &str = "  ";

fn indented(table: &str) -> String {
    table.lines().map(|line| format!("{INDENT}{line}\n")).collect()
}

fn table(process: &ProcessMemory, name: &str, width: usize) -> String {
    let header = [name, "traced peak", "traced", "process", "unexplained", "allocations"];
    let mut table = TextTable::new(header).numbers(1..header.len());
    for phase in &process.phases {
        table.row(cells(phase));
    }
    table.text(width.saturating_sub(INDENT.len()))
}

/// Bytes in words, or a dash.
pub(super) fn size(n: Option<u64>) -> String {
    n.map_or_else(|| "–".to_owned(), bytes)
}

fn cells(phase: &PhaseMemory) -> [String; 6] {
    let traced = phase.traced;
    [
        phase.phase.word().to_owned(),
        size(traced.map(|t| t.peak_bytes)),
        size(traced.map(|t| t.end_bytes)),
        size(phase.process_bytes),
        size(phase.unexplained_bytes()),
        traced.map_or_else(|| "–".to_owned(), |t| t.allocations.to_string()),
    ]
}

/// What the engine says of itself, and the host.
fn engine_line(row: &MemoryRow) -> String {
    let engine = row.memory.engine;
    let parts = [
        Some(format!("plan {}", bytes(engine.plan_bytes))),
        engine.context_bytes.map(|n| format!("each context {}", bytes(n))),
        engine.streamable_weight_bytes.map(|n| format!("streamable weights {}", bytes(n))),
        engine.streamed_weight_bytes.map(|n| format!("streamed {}", bytes(n))),
        row.memory.run.peak_host_bytes.map(|n| format!("host peak {}", bytes(n))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What the library did wrong with its memory, and what is left out.
fn faults(process: &ProcessMemory, lead: &str) -> Vec<Said> {
    let times = |n: u64, word: &str| plural(usize::try_from(n).unwrap_or(usize::MAX), word);
    let leak = |leak: &Leak| {
        let what = times(leak.allocations, "allocation");
        (RED, format!("leaked: {} in {what} of the phase {}", bytes(leak.bytes), leak.phase.word()))
    };
    let counted = [
        (
            process.wrong_frees.twice,
            RED,
            "double free",
            ": the library gave back memory that it had given back",
        ),
        (process.wrong_frees.unknown, RED, "free", " of memory that it never had"),
        (process.refused, YELLOW, "allocation", " failed: there was not so much memory"),
        (process.events_left_out, DIM, "event", " are not in the file of events, and in every number here"),
    ];
    let counted = counted.into_iter().filter(|(n, ..)| *n > 0);
    let counted = counted.map(|(n, colour, word, what)| (colour, times(n, word) + what));
    let all = process.leaks.iter().map(leak).chain(counted);
    all.map(|(colour, text)| (Some(colour), format!("{lead}{text}"))).collect()
}

fn budget_line(row: &MemoryRow) -> Option<Said> {
    let budget = row.budget?;
    let (colour, text) = match (&row.over, row.memory.judged_bytes()) {
        (Some(over), _) => (RED, format!("the budget is broken: {over}")),
        (None, Some(has)) => (GREEN, format!("within the budget: {} of {}", bytes(has), bytes(budget))),
        (None, None) => (YELLOW, "max-memory is not held: nothing tells what memory it takes".to_owned()),
    };
    Some((Some(colour), text))
}

fn difference_lines(row: &MemoryRow) -> Vec<Said> {
    match &row.differences {
        None => Vec::new(),
        Some(all) if all.is_empty() => vec![(Some(DIM), "the same as the base, to the byte".to_owned())],
        Some(all) => all.iter().map(difference_line).collect(),
    }
}

/// `traced peak 1.0 MiB → 2.0 MiB (+1048576 bytes, +100.0%)`.
fn difference_line(d: &MemoryDifference) -> Said {
    let (base, head) = (d.base_bytes, d.head_bytes);
    let (sign, by) = if head > base { ("+", head - base) } else { ("-", base - head) };
    let share =
        if base > 0 { format!(", {}", change(head as f64 / base as f64 - 1.0)) } else { String::new() };
    let text = format!("{} {} → {} ({sign}{by} bytes{share})", d.figure.word(), bytes(base), bytes(head));
    (Some(if head > base { YELLOW } else { GREEN }), text)
}

/// The same for machines.
pub fn message(row: &MemoryRow) -> Message {
    let case = &row.memory;
    Message::Memory(Box::new(MemoryOfCase {
        case: row.id.clone(),
        library: case.library.clone(),
        test_library: case.of_test_library(),
        engine: case.engine,
        build: case.build.as_ref().map(Into::into),
        run: (&case.run).into(),
        judged_bytes: case.judged_bytes(),
        budget_bytes: row.budget,
        over_budget: row.over.clone(),
        differences: row.differences.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{CaseMemory, EngineMemory, MemoryPhase, ProcessSource, TracedMemory, WrongFrees};

    const MIB: u64 = 1 << 20;

    fn phase(phase: MemoryPhase, peak: u64, end: u64, process: u64) -> PhaseMemory {
        let traced = TracedMemory { peak_bytes: peak * MIB, end_bytes: end * MIB, allocations: peak };
        PhaseMemory { phase, traced: Some(traced), process_bytes: Some(process * MIB) }
    }

    fn case(weights: u64) -> CaseMemory {
        let run = ProcessMemory {
            phases: vec![
                phase(MemoryPhase::Driver, 0, 0, 402),
                phase(MemoryPhase::Load, weights, weights, 444 + weights),
                phase(MemoryPhase::Inference, weights + 8, weights + 2, 452 + weights),
                phase(MemoryPhase::End, weights + 2, 2, 0),
            ],
            source: Some(ProcessSource::Nvml),
            leaks: vec![Leak { phase: MemoryPhase::Inference, allocations: 1, bytes: 2 * MIB }],
            wrong_frees: WrongFrees { twice: 1, unknown: 2 },
            refused: 1,
            events: 9,
            events_left_out: 3,
            peak_host_bytes: Some(300 * MIB),
        };
        let build = ProcessMemory {
            phases: vec![PhaseMemory { phase: MemoryPhase::Build, traced: None, process_bytes: None }],
            ..ProcessMemory::default()
        };
        let engine = EngineMemory {
            plan_bytes: 45 * MIB,
            context_bytes: Some(6 * MIB),
            streamable_weight_bytes: Some(40 * MIB),
            streamed_weight_bytes: Some(0),
        };
        CaseMemory { library: "TensorRT-RTX 1.7.1.0".into(), engine, build: Some(build), run }
    }

    #[test]
    fn a_case_with_everything_that_can_be_said() {
        let row = MemoryRow::new("p/resnet/b8/latency", case(46), Some(490 * MIB), Some(&case(45)));
        let text = anstream::adapter::strip_str(&text(&row, 120)).to_string();
        insta::assert_snapshot!(text, @"
        p/resnet/b8/latency  TensorRT-RTX 1.7.1.0
           build  traced peak  traced  process  unexplained  allocations
           build            –       –        –            –            –
           run        traced peak    traced    process  unexplained  allocations
           driver             0 B       0 B  402.0 MiB    402.0 MiB            0
           load          46.0 MiB  46.0 MiB  490.0 MiB    444.0 MiB           46
           inference     54.0 MiB  48.0 MiB  498.0 MiB    450.0 MiB           54
           end           48.0 MiB   2.0 MiB        0 B          0 B           48
          building: the library allocates nothing on a GPU through us here
          process: GPU memory of the process by NVML, at the end of each phase
          plan 45.0 MiB · each context 6.0 MiB · streamable weights 40.0 MiB · streamed 0 B · host peak 300.0 MiB
          leaked: 2.0 MiB in 1 allocation of the phase inference
          1 double free: the library gave back memory that it had given back
          2 frees of memory that it never had
          1 allocation failed: there was not so much memory
          3 events are not in the file of events, and in every number here
          the budget is broken: it takes 498.0 MiB of memory, over the budget of 490.0 MiB
          traced peak 53.0 MiB → 54.0 MiB (+1048576 bytes, +1.89%)
        ");
    }

    #[test]
    fn what_shrank_and_a_budget_that_is_kept_are_said_too() {
        let row = MemoryRow::new("p/resnet/b8/latency", case(40), Some(1 << 30), Some(&case(45)));
        let text = text(&row, 120);
        assert!(text.contains("traced peak 53.0 MiB → 48.0 MiB (-5242880 bytes, -9.43%)"), "{text}");
        assert!(text.contains("within the budget: 492.0 MiB of 1.00 GiB"), "{text}");
        let alone = MemoryRow::new("p/resnet/b8/latency", case(40), None, None);
        assert!(!super::text(&alone, 120).contains("budget"));
    }
}
