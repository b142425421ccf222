//! A table for spreadsheets and data frames (RFC 4180): one row per case and process, units in the names of columns. A
//! cell is empty where a number is not known.

use crate::compare::Metric;
use crate::printable;
use crate::record::{CaseRecord, Record};
use crate::stats::QUANTILES;
use crate::summarize::Summary;

/// What a row is made of.
struct CsvRow<'a> {
    record: &'a Record,
    id: &'a str,
    case: &'a CaseRecord,
    /// From 1.
    process: usize,
    summary: &'a Summary,
}

type CsvColumn = (&'static str, fn(&CsvRow) -> String);

/// What the row is about.
const ABOUT: [CsvColumn; 16] = [
    ("record", |r| r.record.id.clone()),
    ("commit", |r| r.record.source.as_ref().map_or_else(String::new, |s| s.commit.clone())),
    ("changes_beside_commit", |r| opt(r.record.source.as_ref().map(|s| s.dirty))),
    ("created_s", |r| r.record.created_s.to_string()),
    ("device_key", |r| r.record.device.key.clone()),
    ("device", |r| r.record.device.name.clone()),
    ("case", |r| r.id.to_owned()),
    ("scenario", |r| r.case.scenario.word().to_owned()),
    ("backend", |r| r.case.engine.backend.clone()),
    ("library", |r| r.case.engine.library.clone()),
    ("batch", |r| r.case.point.batch.to_string()),
    ("streams", |r| r.case.point.streams.to_string()),
    ("in_flight", |r| r.case.point.in_flight.to_string()),
    ("cuda_graph", |r| r.case.point.cuda_graph.to_string()),
    ("process", |r| r.process.to_string()),
    ("build", |r| opt(r.summary.build)),
];

/// What the process measured, before the quantiles.
const MEASURED: [CsvColumn; 10] = [
    ("requests", |r| r.summary.requests.to_string()),
    ("warm_up_requests", |r| r.summary.warm_up_requests.to_string()),
    ("steady", |r| r.summary.steady.to_string()),
    ("dropped_requests", |r| r.summary.dropped.to_string()),
    ("drifted", |r| r.summary.non_stationary.to_string()),
    ("mean_ns", |r| r.summary.mean_ns.to_string()),
    ("sd_ns", |r| r.summary.sd_ns.to_string()),
    ("min_ns", |r| r.summary.min_ns.to_string()),
    ("max_ns", |r| r.summary.max_ns.to_string()),
    ("inferences_per_s", |r| r.summary.inferences_per_s.to_string()),
];

/// The rest, behind the quantiles.
const OTHERS: [CsvColumn; 13] = [
    ("capacity_per_s", |r| opt(Metric::Capacity.value(r.summary, r.case.budget))),
    ("over_budget_frac", |r| opt(r.summary.over_budget_frac)),
    ("load_ns", |r| opt(known(r.summary.load_ns))),
    ("first_request_ns", |r| opt(known(r.summary.first_ns))),
    ("peak_host_bytes", |r| opt(r.summary.peak_host_bytes)),
    ("gpu_compute_mean_ns", |r| opt(r.summary.gpu.as_ref().and_then(|g| Some(g.compute?.mean_ns)))),
    ("gpu_compute_p50_ns", |r| opt(r.summary.gpu.as_ref().and_then(|g| Some(g.compute?.p50_ns)))),
    ("gpu_compute_p99_ns", |r| opt(r.summary.gpu.as_ref().and_then(|g| Some(g.compute?.p99_ns)))),
    ("sm_mhz", |r| opt(r.summary.gpu.as_ref().and_then(|g| g.sm_mhz))),
    ("temperature_c", |r| opt(r.summary.gpu.as_ref().and_then(|g| g.temperature_c))),
    ("power_w", |r| opt(r.summary.gpu.as_ref().and_then(|g| g.power_w))),
    ("joules_per_inference", |r| opt(r.summary.gpu.as_ref().and_then(|g| g.joules_per_inference))),
    ("not_to_be_trusted", |r| doubts(r)),
];

/// The table with its header; lines end with CRLF, as the RFC says.
pub fn text(record: &Record) -> String {
    let names = |columns: &[CsvColumn]| columns.iter().map(|c| c.0.to_owned()).collect::<Vec<_>>();
    let quantiles = QUANTILES.iter().map(|q| format!("p{}_ns", (q * 1000.0).round() / 10.0));
    let header = [names(&ABOUT), names(&MEASURED), quantiles.collect(), names(&OTHERS)].concat();
    let rows = record.cases.iter().flat_map(|(id, case)| {
        case.processes.iter().enumerate().map(|(i, summary)| {
            let row = CsvRow { record, id, case, process: i + 1, summary };
            let cells = |columns: &[CsvColumn]| columns.iter().map(|c| (c.1)(&row)).collect::<Vec<_>>();
            let quantiles = summary.quantiles_ns.iter().map(f64::to_string).collect();
            line(&[cells(&ABOUT), cells(&MEASURED), quantiles, cells(&OTHERS)].concat())
        })
    });
    std::iter::once(line(&header)).chain(rows).collect()
}

fn line(cells: &[String]) -> String {
    cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Text from outside as one cell.
fn quoted(cell: &str) -> String {
    let cell = printable::line(cell);
    if cell.contains([',', '"', ' ']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn opt(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// Programs that measure themselves do not tell every phase.
fn known(ns: u64) -> Option<u64> {
    (ns > 0).then_some(ns)
}

fn doubts(row: &CsvRow) -> String {
    let unreal = row.case.engine.unreal().map(|unreal| unreal.words().to_owned());
    let invalid = row.summary.invalid_reason().map(|why| why.to_string());
    [unreal, invalid].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::measures::tests::record;
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let text = text(&record("p/m/latency", &[1000.5, 2000.0]));
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!((lines.len(), lines[3]), (4, ""), "a header, two rows, and the end of the last");
        let header: Vec<&str> = lines[0].split(',').collect();
        let row: Vec<&str> = lines[1].split(',').collect();
        assert_eq!(header.len(), row.len());
        let cell = |name: &str| row[header.iter().position(|h| *h == name).expect(name)];
        assert_eq!((cell("case"), cell("process"), cell("mean_ns")), ("p/m/latency", "1", "1000.5"));
        assert_eq!((cell("p50_ns"), cell("p99.9_ns"), cell("p1_ns")), ("1000.5", "1000.5", "1000.5"));
        assert_eq!((cell("power_w"), cell("device")), ("", "\"A \"\"CPU\"\"\""));
    }

    #[test]
    fn text_from_outside_stays_in_its_cell() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\r\nb"), r"a\r\nb");
        assert_eq!(quoted("1.5"), "1.5");
    }
}
