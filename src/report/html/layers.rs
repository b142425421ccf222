//! Draws what layers take: the slowest of an engine, or those that explain most of a change, and what is in no layer.

use super::figure::{Drawn, key};
use super::svg::{Svg, WIDTH};
use crate::layers::{Attribution, Breakdown, GroupChange, LayerRow, NsChange};
use crate::outcome::LayerDetail;
use crate::printable::line;
use crate::report::layers::{gained, kind, names, signed, times};
use crate::units::{plural, share};

/// Layers that are drawn; the others come to one number.
const SHOWN: usize = 6;
/// Where the longest bar ends; the numbers need the rest.
const LONGEST: f64 = 116.0;
/// Letters that fit into the width of a picture, whatever the font.
const LETTERS: usize = 58;

/// One layer, or several that belong together.
struct BarRow {
    name: String,
    /// Its numbers in words.
    said: String,
    /// Of base and head, in nanoseconds; `None` where there is none, or no bar is wanted.
    ns: [Option<i64>; 2],
}

/// The layers of a case.
pub fn layers(detail: &LayerDetail) -> Drawn {
    match detail {
        LayerDetail::Alone(found) => alone(found),
        LayerDetail::Compared(found) => compared(found),
    }
}

fn alone(found: &Breakdown) -> Drawn {
    let title = "Layers";
    let slowest = found.slowest();
    let shown = slowest.len().min(SHOWN);
    let row = |row: &&LayerRow| BarRow {
        name: named(&row.layer.name, &kind(row)),
        said: format!("{}  {}", signed(row.time.ns), share(row.share_frac)),
        ns: [None, Some(row.time.ns)],
    };
    let mut rows: Vec<BarRow> = slowest[..shown].iter().map(row).collect();
    if shown < slowest.len() {
        let ns = slowest[shown..].iter().map(|row| row.time.ns).sum();
        rows.push(BarRow { name: more(slowest.len() - shown), said: signed(ns), ns: [None, Some(ns)] });
    }
    let residual = found.residual().zip(found.gpu());
    rows.extend(residual.map(|(left, gpu)| BarRow {
        name: RESIDUAL.into(),
        said: format!("{} of {}", signed(left.ns), signed(gpu.ns)),
        ns: [None, Some(left.ns)],
    }));
    let whole = match found.gpu() {
        Some(gpu) => format!("; a whole request takes the GPU {}", signed(gpu.ns)),
        None => String::new(),
    };
    Drawn {
        title,
        legend: vec![(1, format!("sum of {}: {}", plural(slowest.len(), "layer"), signed(found.sum().ns)))],
        caption: format!("slowest first, with the share of their sum{whole}"),
        svg: bars(&rows),
    }
}

const RESIDUAL: &str = "residual: what is in no layer";

fn more(layers: usize) -> String {
    format!("{layers} more")
}

fn compared(found: &Attribution) -> Drawn {
    let title = "Layers that differ";
    let shown = found.groups.len().min(SHOWN);
    let row = |name: String, time: NsChange, [base, head]: [bool; 2]| {
        let [change, range, base_said, head_said] = times(time);
        let side = |there, said| if there { said } else { "–".to_owned() };
        BarRow {
            name,
            said: format!("{} → {}  {change} {range}", side(base, base_said), side(head, head_said)),
            ns: [base.then_some(time.base_ns), head.then_some(time.head_ns)],
        }
    };
    let of_group = |group: &GroupChange| {
        let name = named(&names(group), &group.changes.join(", "));
        row(name, group.time, [!group.base.is_empty(), !group.head.is_empty()])
    };
    let mut rows: Vec<BarRow> = found.groups[..shown].iter().map(of_group).collect();
    if shown < found.groups.len() {
        let said = gained(found.rest(shown));
        rows.push(BarRow { name: more(found.groups.len() - shown), said, ns: [None, None] });
    }
    rows.extend(found.residual.map(|residual| row(RESIDUAL.into(), residual, [true, true])));
    let [change, range, base, head] = times(found.whole);
    let whole = if found.residual.is_some() { "a whole request on the GPU" } else { "the sum of the layers" };
    let tactics = if found.same_tactics == Some(true) { "; both engines run the same tactics" } else { "" };
    Drawn {
        title,
        legend: [base, head].iter().enumerate().map(|(arm, said)| key(arm, 2, said)).collect(),
        caption: format!(
            "the largest change first; together they are the change of {whole}: {change} {range}; {} of {} that compute are in both{tactics}",
            found.aligned,
            plural(found.computing, "layer"),
        ),
        svg: bars(&rows),
    }
}

/// A name with a remark, which stays whole where there is not enough room.
fn named(name: &str, remark: &str) -> String {
    let (name, remark) = (line(name), line(remark));
    let remark = if remark.is_empty() { remark } else { format!(" ({remark})") };
    let room = LETTERS.saturating_sub(remark.chars().count()).max(LETTERS / 3);
    cut(&(cut(&name, room) + &remark), LETTERS)
}

fn cut(text: &str, letters: usize) -> String {
    match text.chars().count() > letters {
        true => text.chars().take(letters - 1).collect::<String>().trim_end().to_owned() + "…",
        false => text.to_owned(),
    }
}

/// Names, bars of both arms, numbers. What has no bar has one line for both texts, where they fit.
fn bars(rows: &[BarRow]) -> String {
    // What is negative, as a residual may be, has no length.
    let length = |row: &BarRow, arm: usize| row.ns[arm].filter(|ns| *ns > 0).map(|ns| ns as f64);
    let lengths = || rows.iter().flat_map(|row| [length(row, 0), length(row, 1)]).flatten();
    let longest = lengths().fold(1.0, f64::max);
    let both = rows.iter().any(|row| row.ns[0].is_some());
    let thick = if both { 5.0 } else { 10.0 };
    let mut bottom = 0.0;
    let place = |row: &BarRow| {
        let top = bottom;
        let long = row.name.chars().count() + row.said.chars().count() > LETTERS - 4;
        let below = long || length(row, 0).or(length(row, 1)).is_some();
        let said = if below { top + 24.0 } else { top + 11.0 };
        bottom = said + 7.0;
        (top, said)
    };
    let places: Vec<(f64, f64)> = rows.iter().map(place).collect();
    let mut svg = Svg::new(bottom);
    for (arm, class) in ["b k", "h k"].into_iter().enumerate() {
        let bar = |(row, (top, _)): (&BarRow, &(f64, f64))| {
            let end = LONGEST * length(row, arm)? / longest;
            let top = top + 15.0 + if both { arm as f64 * thick } else { 0.0 };
            Some([(0.0, top), (end, top), (end, top + thick), (0.0, top + thick)])
        };
        svg.paths(class, rows.iter().zip(&places).filter_map(bar), true);
    }
    svg.texts("n", rows.iter().zip(&places).map(|(row, (top, _))| ((0.0, top + 11.0), &row.name)));
    svg.texts("e", rows.iter().zip(&places).map(|(row, (_, said))| ((WIDTH, *said), &row.said)));
    svg.finish()
}
