//! Draws what is left of a case's raw samples: their distribution, and how they went over time.

use super::figure::{ARMS, Drawn, class, key};
use super::scale::{AxisScale, AxisUnit};
use super::svg::{BOTTOM, FOOT, HEIGHT, LEFT, RIGHT, Svg, TOP};
use crate::outcome::{CasePicture, Envelope, Figure, LatencyAxis, SampledArm, SampledProcess};
use crate::units::{share, time};

const NOT_KEPT: &str = "samples are not kept here";
/// Of all arms together in the picture over time.
const PANELS: f64 = 172.0;

/// How many requests took how long, both arms in one plot, with their medians.
pub fn distribution(picture: &CasePicture) -> Drawn {
    let title = "Distribution of latencies";
    let arms: Vec<(usize, &SampledArm)> = kept(picture);
    if arms.is_empty() {
        return Drawn::absent(title, NOT_KEPT);
    }
    let shares: Vec<(usize, Vec<f64>)> = arms.iter().map(|(arm, s)| (*arm, s.shares())).collect();
    let most = shares.iter().flat_map(|(_, s)| s).copied().fold(0.0, f64::max);
    let x = x_scale(&picture.axis);
    let y = AxisScale::new(0.0, most * 1.05, false).between(FOOT, TOP);
    let mut svg = Svg::new(HEIGHT);
    svg.y_axis(&y, AxisUnit::Share);
    for (arm, shares) in &shares {
        svg.path(&format!("{} f", class(*arm)), outline(shares, &y), true);
    }
    svg.x_axis(&x, FOOT, AxisUnit::Time);
    let mut legend = Vec::new();
    for (arm, samples) in &arms {
        let p50 = samples.p50_ns.map(|f| f.estimate());
        if let Some(p50) = p50 {
            svg.line(&format!("{} w", class(*arm)), (x.at(p50), TOP), (x.at(p50), FOOT));
        }
        let median = p50.map_or_else(|| "median unknown".to_owned(), |p50| format!("median {}", time(p50)));
        legend.push(key(*arm, arms.len(), &median));
    }
    Drawn { title, legend, caption: beyond(picture, &arms), svg: svg.finish() }
}

/// The arms whose samples are there, in the order in which they are drawn.
fn kept(picture: &CasePicture) -> Vec<(usize, &SampledArm)> {
    picture.samples.iter().enumerate().filter_map(|(arm, s)| Some((arm, s.as_ref()?))).collect()
}

fn x_scale(axis: &LatencyAxis) -> AxisScale {
    AxisScale::new(axis.lo_ns, axis.hi_ns, axis.log).between(LEFT, RIGHT)
}

/// A step for each bin, on the foot of the plot.
fn outline(shares: &[f64], y: &AxisScale) -> Vec<(f64, f64)> {
    let width = (RIGHT - LEFT) / shares.len() as f64;
    let side = |i: usize| LEFT + i as f64 * width;
    let steps = shares.iter().enumerate().flat_map(|(i, s)| [(side(i), y.at(*s)), (side(i + 1), y.at(*s))]);
    let foot = |x| (x, y.at(0.0));
    std::iter::once(foot(LEFT)).chain(steps).chain(std::iter::once(foot(RIGHT))).collect()
}

/// What the axis does not show.
fn beyond(picture: &CasePicture, arms: &[(usize, &SampledArm)]) -> String {
    let over = |(arm, s): &(usize, &SampledArm)| {
        let frac = s.beyond_frac();
        (frac > 0.0).then(|| {
            format!(
                "{} of the requests{}",
                share(frac),
                if arms.len() > 1 { format!(" of {}", ARMS[*arm]) } else { String::new() }
            )
        })
    };
    let over: Vec<String> = arms.iter().filter_map(over).collect();
    if over.is_empty() {
        return String::new();
    }
    format!("longer than the axis: {}; the longest took {}", over.join(", "), time(picture.axis.longest_ns))
}

/// Every process of each arm, one after the other: its fastest, median and slowest requests over time.
pub fn over_time(picture: &CasePicture) -> Drawn {
    let title = "Requests over time, process by process";
    let arms = kept(picture);
    if arms.is_empty() {
        return Drawn::absent(title, NOT_KEPT);
    }
    let panel = PANELS / arms.len() as f64;
    let height = TOP + PANELS + BOTTOM - 8.0;
    let mut svg = Svg::new(height);
    let axis = &picture.axis;
    for (i, (arm, samples)) in arms.iter().enumerate() {
        let top = TOP + i as f64 * panel;
        let y = AxisScale::new(axis.lo_ns, axis.hi_ns, axis.log).between(top + panel - 12.0, top);
        // The other panels have the same unit.
        if i == 0 {
            svg.y_axis(&y, AxisUnit::Time);
        } else {
            let _ = svg.y_numbers(&y, AxisUnit::Time);
        }
        let drawn: Vec<&SampledProcess> =
            samples.processes.iter().filter(|p| !p.envelope.is_empty()).collect();
        traces(&mut svg, class(*arm), &drawn, &y);
        if arms.len() > 1 {
            svg.text("s", (LEFT + 4.0, top + 4.0), ARMS[*arm]);
        }
    }
    svg.text("m", ((LEFT + RIGHT) / 2.0, height - 6.0), "processes in the order of measuring →");
    let any =
        |frac: fn(&SampledProcess) -> f64| arms.iter().flat_map(|(_, s)| &s.processes).any(|p| frac(p) > 0.0);
    let warm = if any(|p| p.warm_frac) { "; shaded: warming up" } else { "" };
    let cold =
        if any(|p| p.cold_frac) { "; orange: a cold start; no number counts what is shaded" } else { "" };
    Drawn {
        title,
        legend: Vec::new(),
        caption: format!("line: median; band: fastest to slowest, cut at the end of the axis{warm}{cold}"),
        svg: svg.finish(),
    }
}

/// The processes of an arm side by side.
fn traces(svg: &mut Svg, class: &str, processes: &[&SampledProcess], y: &AxisScale) {
    let slot = (RIGHT - LEFT) / processes.len().max(1) as f64;
    let width = slot * 0.94;
    let left = |at: usize| LEFT + at as f64 * slot;
    let shade = |from: fn(&SampledProcess) -> f64, to: fn(&SampledProcess) -> f64| {
        let shaded = processes.iter().enumerate().filter(move |(_, p)| to(p) > from(p));
        shaded.map(move |(at, p)| {
            let [from, to] = [from(p), to(p)].map(|frac| left(at) + width * frac);
            [(from, y.from), (to, y.from), (to, y.to), (from, y.to)].map(rough)
        })
    };
    svg.paths("warm", shade(|_| 0.0, |p| p.warm_frac), true);
    svg.paths("cold", shade(|p| p.warm_frac, |p| p.warm_frac + p.cold_frac), true);
    let line = |(at, p): (usize, &&SampledProcess), value: fn(&Envelope) -> f64| -> Vec<(f64, f64)> {
        let step = width / p.envelope.len() as f64;
        let point = |(i, e)| (left(at) + (i as f64 + 0.5) * step, y.at(value(e)));
        p.envelope.iter().enumerate().map(point).collect()
    };
    let band = |at: (usize, &&SampledProcess)| {
        let back = line(at, |e| e.min_ns as f64).into_iter().rev();
        line(at, |e| e.max_ns as f64).into_iter().chain(back).map(rough)
    };
    svg.paths(&format!("{class} i"), processes.iter().enumerate().map(band), true);
    svg.paths(&format!("{class} w"), processes.iter().enumerate().map(|at| line(at, |e| e.median_ns)), false);
}

/// Areas need not be more exact: they are most of a page.
fn rough((x, y): (f64, f64)) -> (f64, f64) {
    (x.round(), y.round())
}

/// The ends of an interval, or twice the only number.
pub fn ends(figure: &Figure) -> (f64, f64) {
    match figure {
        Figure::Interval(i) => (i.lo, i.hi),
        Figure::Single(v) => (*v, *v),
    }
}
