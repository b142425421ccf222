//! Shows the estimate of what the GPU allows. Pure.

use crate::layers::{Breakdown, LayerRow};
use crate::units::{bytes, plural, time};

/// The columns of a layer.
pub(super) const HEADER: [&str; 3] = ["FLOP", "bytes", "roofline"];

/// A layer in those columns.
pub(super) fn cells(found: &Breakdown, row: &LayerRow) -> [String; 3] {
    let Some(estimate) = found.roofline_of(row) else { return ["?", "?", "?"].map(str::to_owned) };
    let allowed = estimate.allowed_ns.map_or_else(|| "?".to_owned(), time);
    [operations(estimate.work.flops), bytes(estimate.work.bytes as u64), allowed]
}

/// The estimate for the request in a line. Without a time only where it was `asked` for; nothing where the engine tells
/// nothing of its layers.
pub(super) fn line(found: &Breakdown, asked: bool) -> String {
    let Some(estimate) = found.roofline() else { return String::new() };
    let left_out = match estimate.unknown {
        0 => "every layer is in it".to_owned(),
        unknown => format!("{unknown} of {} could not be estimated", plural(found.rows.len(), "layer")),
    };
    let measured =
        if found.gpu().is_some() { "the measured GPU time" } else { "the measured sum of the layers" };
    match (estimate.allowed_ns, estimate.share_frac) {
        (Some(ns), Some(part)) => {
            // More digits would look like a measurement.
            let percent = 100.0 * part;
            format!("estimate: the roofline allows {}, {percent:.0}% of {measured}; {left_out}\n", time(ns))
        }
        _ if asked => format!(
            "estimate: {}FLOP and {} in a request; nothing tells what the GPU can do at most (for exports: put what \
             trtexec printed into the folder); {left_out}\n",
            operations(estimate.flops),
            bytes(estimate.bytes as u64)
        ),
        _ => String::new(),
    }
}

/// `8.17 G`, without the unit.
fn operations(n: f64) -> String {
    match n {
        _ if n < 1e3 => format!("{n} "),
        _ if n < 1e6 => format!("{:.2} k", n / 1e3),
        _ if n < 1e9 => format!("{:.2} M", n / 1e6),
        _ if n < 1e12 => format!("{:.2} G", n / 1e9),
        _ => format!("{:.2} T", n / 1e12),
    }
}
