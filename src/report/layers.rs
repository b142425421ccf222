//! Shows the layers of an engine with their times. Pure.

use super::roofline;
use super::table::TextTable;
use crate::layers::{
    Attribution, BUILD_WITH_DETAILS, Breakdown, Correspondence, GroupChange, Layer, LayerNs, LayerRole,
    LayerRow, NsChange,
};
use crate::units::{plural, share, time};

/// The slowest layers, and what they leave of the whole request; with `roofline` also what each computes and moves. In so
/// many columns.
pub fn lines(found: &Breakdown, limit: usize, roofline: bool, width: usize) -> String {
    let slowest = found.slowest();
    let shown = slowest.len().min(limit);
    let which = match slowest.len() - shown {
        0 => format!("{}, slowest first", plural(slowest.len(), "layer")),
        _ => format!("the slowest {shown} of {}", plural(slowest.len(), "layer")),
    };
    let of = [plural(found.processes, "process"), plural(found.requests as usize, "request")].join(", ");
    let mut text = format!("{which} (medians; {of}; share of their sum):\n");
    text += &table(found, &slowest[..shown], roofline, width);
    text += &whole(found);
    text += &roofline::line(found, roofline);
    for role in [LayerRole::Loop, LayerRole::Region] {
        if slowest.iter().any(|row| row.layer.role == role) {
            text += &format!("{}\n", inside(role));
        }
    }
    if !found.detailed {
        text += &format!("types, shapes and tactics are not known; {BUILD_WITH_DETAILS}\n");
    }
    text
}

fn table(found: &Breakdown, rows: &[&LayerRow], roofline: bool, width: usize) -> String {
    let estimate: &[&str] = if roofline { &roofline::HEADER } else { &[] };
    let header = [&["time", "", "share", "calls"], estimate, &["types", "kind", "layer", "tactic"]].concat();
    let mut table = TextTable::new(header).numbers(0..4 + estimate.len());
    for row in rows {
        let layer = &row.layer;
        let times =
            [time(row.time.ns as f64), plus_minus(row.time), share(row.share_frac), row.calls.to_string()];
        let estimate = roofline.then(|| roofline::cells(found, row));
        let names = [layer.precision(), kind(row), layer.name.clone(), layer.tactic.clone()];
        table.row(times.into_iter().chain(estimate.into_iter().flatten()).chain(names));
    }
    table.text(width)
}

/// What TensorRT calls it, and what is special about it.
pub(super) fn kind(row: &LayerRow) -> String {
    let mut words = vec![row.layer.kind.clone()];
    words.extend(role_word(row.layer.role).map(str::to_owned));
    words.extend((row.layer.stream > 0).then(|| format!("stream {}", row.layer.stream)));
    words.retain(|word| !word.is_empty());
    words.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    words.join(", ")
}

/// `None` for what computes.
pub(super) fn role_word(role: LayerRole) -> Option<&'static str> {
    match role {
        LayerRole::Compute => None,
        LayerRole::Reformat => Some("reformat"),
        LayerRole::Sync => Some("sync"),
        LayerRole::Loop => Some("loop"),
        LayerRole::Region => Some("region"),
    }
}

/// Half the width of the interval.
fn plus_minus(time_ns: LayerNs) -> String {
    time_ns.interval.map_or(String::new(), |i| format!("±{}", time((i.hi - i.lo) / 2.0)))
}

/// The sum, the whole, and what is between them.
fn whole(found: &Breakdown) -> String {
    let show = |ns: LayerNs| {
        format!(
            "{}{}",
            signed(ns.ns),
            if ns.interval.is_some() { format!(" {}", plus_minus(ns)) } else { String::new() }
        )
    };
    let mut text = format!("sum of the layers: {}\n", show(found.sum()));
    if found.without_graph {
        text += "the library tells no layers of a CUDA graph: they are of requests without it\n";
    }
    if let (Some(gpu), Some(residual)) = (found.gpu(), found.residual()) {
        let of = if gpu.ns > 0 { residual.ns as f64 / gpu.ns as f64 } else { 0.0 };
        text += &format!("GPU time of a whole request, not looked into: {}\n", show(gpu));
        text += &format!("residual: {} ({} of the whole): {}\n", show(residual), share(of), why(residual.ns));
    }
    text
}

fn why(residual_ns: i64) -> &'static str {
    match residual_ns {
        0.. => "gaps between layers, and what belongs to none",
        _ => {
            "the layers were timed one after the other, with an event at each; without that they overlap, or cost less"
        }
    }
}

/// A time that may be negative.
pub(super) fn signed(ns: i64) -> String {
    if ns < 0 { format!("-{}", time(ns.unsigned_abs() as f64)) } else { time(ns as f64) }
}

/// What sees into a row that has one time for much.
fn inside(role: LayerRole) -> &'static str {
    match role {
        LayerRole::Loop => {
            "a loop has one time for all that its body runs; Nsight Systems shows each kernel (nsys profile)"
        }
        _ => {
            "a region (ForeignNode) was compiled as a whole and has one time; Nsight Systems shows its kernels (nsys profile, NVTX domain `myelin-exec`)"
        }
    }
}

/// Which layers explain the change, the largest contribution first, in so many columns.
pub fn comparison(found: &Attribution, limit: usize, width: usize) -> String {
    let shown = found.groups.len().min(limit);
    let header = ["change", "", "base", "head", "layers", "what changed"];
    let mut table = TextTable::new(header).numbers(0..4);
    for group in &found.groups[..shown] {
        let [change, range, base, head] = times(group.time);
        let none = || "–".to_owned();
        table.row([
            change,
            range,
            if group.base.is_empty() { none() } else { base },
            if group.head.is_empty() { none() } else { head },
            names(group),
            group.changes.join(", "),
        ]);
    }
    if shown < found.groups.len() {
        let rest = format!("{} more", found.groups.len() - shown);
        let cells =
            [gained(found.rest(shown)), String::new(), String::new(), String::new(), rest, String::new()];
        table.row(cells);
    }
    let mut total = |time: NsChange, what: &str| {
        let [change, range, base, head] = times(time);
        table.row([change, range, base, head, what.to_owned(), String::new()]);
    };
    if let Some(residual) = found.residual {
        total(residual, "(residual: what is in no layer)");
    }
    total(
        found.whole,
        if found.residual.is_some() { "= whole request on the GPU" } else { "= sum of the layers" },
    );
    format!("{}{}", table.text(width), aligned(found))
}

/// The layers that explain most of a change.
const EXPLAINING: usize = 3;

/// The change on the GPU, and the layers that explain most of it, in a line each.
pub fn explanation(found: &Attribution) -> Vec<String> {
    let [change, range, base, head] = times(found.whole);
    let what = if found.residual.is_some() { "GPU" } else { "sum of the layers" };
    let mut lines = vec![format!("layers:  {what} {base} → {head} ({change}{range}), of which")];
    for group in found.explaining().take(EXPLAINING) {
        let [change, range, base, head] = times(group.time);
        let how = [format!("{base} → {head}")].into_iter().chain(group.changes.clone());
        lines.push(format!(
            "         {change}{range} {} ({})",
            names(group),
            how.collect::<Vec<_>>().join(", ")
        ));
    }
    if lines.len() == 1 {
        lines.push("         no layer changed that way; what is in no layer did".to_owned());
    }
    lines
}

fn aligned(found: &Attribution) -> String {
    let tactics = match found.same_tactics {
        Some(true) => "; both engines run the same tactics",
        Some(false) | None => "",
    };
    format!(
        "{} of {} that compute were found in both engines{tactics}\n",
        found.aligned,
        plural(found.computing, "layer")
    )
}

/// Change, its interval, base and head.
pub(super) fn times(time_ns: NsChange) -> [String; 4] {
    let range = time_ns.interval.map_or(String::new(), |i| format!("±{}", time((i.hi - i.lo) / 2.0)));
    [gained(time_ns.ns()), range, signed(time_ns.base_ns), signed(time_ns.head_ns)]
}

/// A difference of times with its sign.
pub(super) fn gained(ns: i64) -> String {
    if ns > 0 { format!("+{}", signed(ns)) } else { signed(ns) }
}

/// What the layers are called, and how they correspond.
pub(super) fn names(group: &GroupChange) -> String {
    let of = |layers: &[Layer]| layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ");
    let (base, head) = (of(&group.base), of(&group.head));
    match group.correspondence {
        Correspondence::Same if base == head => head,
        Correspondence::Same => format!("{base} → {head}"),
        Correspondence::Added => format!("added: {head}"),
        Correspondence::Gone => format!("gone: {base}"),
        Correspondence::Fused => format!("fused: {base} → {head}"),
        Correspondence::Split => format!("split: {base} → {head}"),
        Correspondence::Regrouped => format!("regrouped: {base} → {head}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{LayerRun, LayerTime, LayerTimes, attribute, inspect};

    /// An engine of two processes; the layers with their times in nanoseconds.
    fn breakdown(layers: &[(&str, &str, f64)], gpu_ns: Option<f64>) -> Breakdown {
        let told: Vec<_> = layers
            .iter()
            .map(|(name, kind, _)| serde_json::json!({ "Name": name, "LayerType": kind, "StreamId": 1 }))
            .collect();
        let engine = inspect(&serde_json::json!({ "Layers": told }).to_string()).expect("layers");
        let run = |more: f64| LayerRun {
            times: LayerTimes {
                requests: 10,
                without_graph: false,
                layers: layers
                    .iter()
                    .map(|(name, _, ns)| LayerTime { name: (*name).into(), median_ns: ns + more, calls: 1 })
                    .collect(),
            },
            gpu_ns: gpu_ns.map(|ns| ns + more),
        };
        Breakdown::of(Some(&engine), &[run(0.0), run(0.2)]).expect("one engine")
    }

    #[test]
    fn what_is_special_about_a_layer_is_said_and_who_sees_into_it() {
        let text = lines(
            &breakdown(&[("{ForeignNode[a...b]}", "Myelin", 900.0), ("c", "Conv", 300.0)], Some(1000.0)),
            20,
            false,
            120,
        );
        for part in [
            "2 layers, slowest first (medians; 2 processes, 20 requests",
            "Myelin, region, stream 1",
            "sum of the layers: 1.2000 µs",
            "residual: -200.00 ns",
            "one after the other",
            "nsys profile",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        let gaps = lines(&breakdown(&[("c", "Conv", 300.0)], Some(1000.0)), 20, false, 100);
        assert!(gaps.contains("gaps between layers") && !gaps.contains("nsys"), "{gaps}");
    }

    #[test]
    fn an_explanation_names_three_layers_that_went_the_way_of_the_whole() {
        let base = breakdown(
            &[("a", "x", 100.0), ("b", "x", 100.0), ("c", "x", 100.0), ("d", "x", 100.0), ("e", "x", 100.0)],
            Some(600.0),
        );
        let head = breakdown(
            &[("a", "x", 400.0), ("b", "x", 120.0), ("c", "x", 150.0), ("d", "x", 110.0), ("e", "x", 50.0)],
            Some(930.0),
        );
        let found = attribute(&base, &head);
        let text = explanation(&found);
        assert!(text[0].contains("GPU 600.00 ns → 930.00 ns (+330.00 ns") && text.len() == 4, "{text:#?}");
        for (line, part) in text[1..].iter().zip(["+300.00 ns", "+50.000 ns", "+20.000 ns"]) {
            assert!(line.trim().starts_with(part), "{text:#?}");
        }
        let table = comparison(&found, 2, 100);
        assert!(table.contains("3 more") && table.contains("= whole request on the GPU"), "{table}");
        let none = explanation(&attribute(&base, &breakdown(&[("a", "x", 100.0)], Some(900.0))));
        assert!(none.len() == 2 && none[1].contains("no layer changed that way"), "{none:#?}");
    }
}
