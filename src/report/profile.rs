//! Shows the kernels of a profile for a terminal. Pure.

use super::style::clipped;
use super::table::TextTable;
use crate::profile::KernelTable;
use crate::units::{bytes, count, plural, share, time};

/// Rows that are shown where not all are asked for.
const SHOWN: usize = 20;

/// The kernels by time, then what to know about them, in so many columns.
pub fn kernels(table: &KernelTable, all: bool, width: usize) -> String {
    let mut text = String::new();
    if table.runs > 0 {
        text.push_str(&headline(table));
        text.push_str(&rows(table, if all { usize::MAX } else { SHOWN }, width));
    } else {
        text.push_str(&match table.requests {
            0 => "the report has no kernels\n".to_owned(),
            n => format!("the report has no kernels; it has {}\n", requests(n)),
        });
    }
    for copy in &table.copies {
        let (runs, total) = (count(copy.runs), time(copy.total_ns as f64));
        text.push_str(&format!(
            "{}: {runs} ×, {}, {total} in all\n",
            copy.direction.word(),
            bytes(copy.bytes)
        ));
    }
    remarks(table).iter().for_each(|remark| text.push_str(&format!("note: {remark}\n")));
    text
}

fn headline(table: &KernelTable) -> String {
    let total = time(table.total_ns as f64);
    let runs = count(table.runs);
    match table.requests {
        0 => format!("{runs} kernels ran, {total} in all\n"),
        n => format!(
            "{runs} kernels ran in {}, {total} in all, {} a request\n",
            requests(n),
            time(table.total_ns as f64 / n as f64)
        ),
    }
}

fn requests(n: u64) -> String {
    plural(usize::try_from(n).unwrap_or(usize::MAX), "request")
}

fn rows(table: &KernelTable, most: usize, width: usize) -> String {
    let mut shown = TextTable::new(["total", "share", "runs", "median", "layer", "kernel"]).numbers(0..4);
    for row in table.rows.iter().take(most) {
        let layer = row.layer.as_deref().map_or_else(|| "–".to_owned(), clipped);
        shown.row([
            time(row.total_ns as f64),
            share(row.total_ns as f64 / table.total_ns.max(1) as f64),
            count(row.runs),
            time(row.median_ns as f64),
            layer,
            clipped(&row.kernel),
        ]);
    }
    let left = table.rows.len().saturating_sub(most);
    let more = if left > 0 { format!("  and {left} more; --verbose shows all\n") } else { String::new() };
    shown.text(width) + &more
}

/// What a reader might take amiss.
fn remarks(table: &KernelTable) -> Vec<&'static str> {
    let mut remarks = Vec::new();
    if table.whole_graphs {
        remarks.push("CUDA graphs were recorded as a whole, so their kernels are missing: --cuda-graph-trace=node shows them");
    }
    if table.in_graph_without_layer > 0 {
        remarks.push("the CUDA graph was captured before the report began, so its kernels have no layer");
    } else if table.runs > 0 && table.without_layer == table.runs {
        remarks.push("no kernel has a layer: nothing was marked by TensorRT (NVTX)");
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::NsysTrace;

    #[test]
    fn kernels_are_shown_with_their_layers() {
        let trace = NsysTrace::read(include_bytes!("../../tests/nsys/small.sqlite")).unwrap();
        let table = KernelTable::of(&trace);
        insta::assert_snapshot!(kernels(&table, false, 200));
        let graph = KernelTable { in_graph_without_layer: 1, ..table };
        assert!(kernels(&graph, false, 200).contains("captured before the report began"));
    }

    #[test]
    fn a_report_without_kernels_says_so() {
        assert_eq!(kernels(&KernelTable::default(), false, 200), "the report has no kernels\n");
        let cpu = KernelTable { requests: 7, ..KernelTable::default() };
        assert_eq!(kernels(&cpu, false, 200), "the report has no kernels; it has 7 requests\n");
        let whole = KernelTable { whole_graphs: true, ..KernelTable::default() };
        assert!(kernels(&whole, false, 200).contains("--cuda-graph-trace=node"));
    }
}
