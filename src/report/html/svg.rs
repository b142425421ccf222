//! Writes SVG by hand: lines, paths, dots and texts, and a frame with axes. Colours are classes of the page's style, so
//! that they follow its light and dark.

use super::scale::{AxisScale, AxisUnit, Ticks};
use std::fmt::Write;

/// Units across every picture: about the pixels of a narrow phone, so that its letters stay readable there.
pub const WIDTH: f64 = 400.0;
/// Room for the numbers of the y axis, and beside the plot.
pub const LEFT: f64 = 46.0;
/// Where plots end on the right.
pub const RIGHT: f64 = WIDTH - 8.0;
/// Room above a plot for the unit of its y axis.
pub const TOP: f64 = 18.0;
/// Room for the numbers of the x axis.
pub const BOTTOM: f64 = 22.0;
/// How high a picture with one plot is.
pub const HEIGHT: f64 = 190.0;
/// Where that plot stands.
pub const FOOT: f64 = HEIGHT - BOTTOM;

/// A picture that is being drawn.
pub struct Svg {
    height: f64,
    body: String,
}

impl Svg {
    pub fn new(height: f64) -> Self {
        Self { height, body: String::new() }
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.path(class, [from, to], false);
    }

    pub fn rect(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x, y, w, h] = [x1.min(x2), y1.min(y2), (x2 - x1).abs(), (y2 - y1).abs()].map(place);
        self.push(format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>"));
    }

    /// A dot at each place: lines without length, whose ends the style makes round, or square for the base, so that arms
    /// are told apart without colours, too. Circles would take three times as many letters.
    pub fn dots(&mut self, class: &str, places: impl IntoIterator<Item = (f64, f64)>) {
        let dot = |(x, y)| format!("M{} {}h0", place(x), place(y));
        let all: String = places.into_iter().map(dot).collect();
        if !all.is_empty() {
            self.push(format_args!("<path class=\"{class} p\" d=\"{all}\"/>"));
        }
    }

    /// A line through all points; closed where it is an area.
    pub fn path(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>, closed: bool) {
        self.paths(class, std::iter::once(points), closed);
    }

    /// Several lines in one element. Each point is written as its distance from the one before, in tenths: pages hold
    /// thousands of them.
    pub fn paths<L>(&mut self, class: &str, lines: impl IntoIterator<Item = L>, closed: bool)
    where
        L: IntoIterator<Item = (f64, f64)>,
    {
        let mut d = String::new();
        for line in lines {
            steps(&mut d, line);
            if closed && !d.is_empty() {
                d.push('Z');
            }
        }
        if !d.is_empty() {
            self.push(format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
        }
    }

    pub fn text(&mut self, class: &str, at: (f64, f64), text: &str) {
        self.texts(class, [(at, text)]);
    }

    /// Texts that are set alike.
    pub fn texts<T: AsRef<str>>(&mut self, class: &str, texts: impl IntoIterator<Item = ((f64, f64), T)>) {
        self.push(format_args!("<g class=\"{class}\">"));
        for ((x, y), text) in texts {
            let [x, y] = [x, y].map(place);
            self.push(format_args!("<text x=\"{x}\" y=\"{y}\">{}</text>", escape(text.as_ref())));
        }
        self.push(format_args!("</g>"));
    }

    /// The numbers of the y axis with a rule each, and its unit above.
    pub fn y_axis(&mut self, y: &AxisScale, unit: AxisUnit) {
        let unit = self.y_numbers(y, unit);
        if !unit.is_empty() {
            self.text("e", (LEFT - 5.0, y.from.min(y.to) - 7.0), unit);
        }
    }

    /// The same without the unit, which is given back.
    pub fn y_numbers(&mut self, y: &AxisScale, unit: AxisUnit) -> &'static str {
        let most = (y.from - y.to).abs() / 30.0;
        let Ticks { at, unit } = y.ticks(unit, most.round().max(3.0) as usize);
        self.paths("g", at.iter().map(|(value, _)| [(LEFT, y.at(*value)), (RIGHT, y.at(*value))]), false);
        self.texts("e", at.iter().map(|(value, text)| ((LEFT - 5.0, (y.at(*value) + 3.5).round()), text)));
        unit
    }

    /// The x axis at the height `foot`, with its numbers; the last says the unit.
    pub fn x_axis(&mut self, x: &AxisScale, foot: f64, unit: AxisUnit) {
        let Ticks { at, unit } = x.ticks(unit, 5);
        let marks = at.iter().map(|(value, _)| [(x.at(*value), foot), (x.at(*value), foot + 4.0)]);
        self.paths("a", std::iter::once([(LEFT, foot), (RIGHT, foot)]).chain(marks), false);
        let last = at.len().saturating_sub(1);
        let text = |(i, (value, text)): (usize, &(f64, String))| {
            let text = if i == last { format!("{text} {unit}") } else { text.clone() };
            (x.at(*value), text.trim_end().to_owned())
        };
        // Near the right end a text would be cut off.
        let (cut, whole): (Vec<_>, Vec<_>) =
            at.iter().enumerate().map(text).partition(|(place, _)| *place > RIGHT - 22.0);
        self.texts("m", whole.into_iter().map(|(place, text)| ((place, foot + 15.0), text)));
        self.texts("e", cut.into_iter().map(|(_, text)| ((RIGHT, foot + 15.0), text)));
    }

    /// The whole element. Who is read to hears the title and the caption of its figure, and has the numbers in tables.
    pub fn finish(self) -> String {
        let [width, height] = [WIDTH, self.height].map(place);
        format!("<svg viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">{}</svg>", self.body)
    }

    fn push(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
    }
}

/// Appends a line: where it begins, and how far it is from each point to the next. Steps that go on straight up, down,
/// left or right are one.
fn steps(d: &mut String, points: impl IntoIterator<Item = (f64, f64)>) {
    let tenths = |v: f64| (v * 10.0).round() as i64;
    let mut points = points.into_iter().map(|(x, y)| (tenths(x), tenths(y)));
    let Some(mut last) = points.next() else { return };
    let _ = write!(d, "M{} {}", place_of(last.0), place_of(last.1));
    let mut moves: Vec<(i64, i64)> = Vec::new();
    for (x, y) in points {
        let step = (x - last.0, y - last.1);
        last = (x, y);
        match moves.last_mut() {
            _ if step == (0, 0) => {}
            Some(before) if before.0 == 0 && step.0 == 0 && before.1.signum() == step.1.signum() => {
                before.1 += step.1;
            }
            Some(before) if before.1 == 0 && step.1 == 0 && before.0.signum() == step.0.signum() => {
                before.0 += step.0;
            }
            _ => moves.push(step),
        }
    }
    let mut command = 'M';
    for (dx, dy) in moves {
        let (next, all) = match (dx, dy) {
            (_, 0) => ('h', &[dx][..]),
            (0, _) => ('v', &[dy][..]),
            _ => ('l', &[dx, dy][..]),
        };
        if next != command {
            d.push(next);
        }
        command = next;
        for step in all {
            // A letter and a minus sign separate as well as a blank.
            let blank = if *step < 0 || d.ends_with(['h', 'v', 'l']) { "" } else { " " };
            let _ = write!(d, "{blank}{}", place_of(*step));
        }
    }
}

/// A tenth of a pixel is more than a screen shows.
fn place(value: f64) -> String {
    place_of((value * 10.0).round() as i64)
}

/// A place in tenths: `1.2`, `-.5`, `3`.
fn place_of(tenths: i64) -> String {
    let (sign, whole, tenth) = (if tenths < 0 { "-" } else { "" }, tenths.abs() / 10, tenths.abs() % 10);
    match (whole, tenth) {
        (_, 0) => format!("{sign}{whole}"),
        (0, _) => format!("{sign}.{tenth}"),
        _ => format!("{sign}{whole}.{tenth}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out_and_numbers_are_short() {
        let mut svg = Svg::new(100.0);
        svg.text("m", (1.0 / 3.0, 2.0), "<b> & \"c\"");
        svg.path("h", [(0.0, 0.0), (1.24, 3.0), (0.9, 2.0)], true);
        svg.path("h", [], false);
        svg.paths("b", [[(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (3.0, 0.5)], [(5.0, 5.0); 4]], true);
        svg.dots("b", [(1.0, 2.0), (3.0, 4.0)]);
        svg.dots("h", []);
        assert_eq!(
            svg.finish(),
            "<svg viewBox=\"0 0 400 100\" aria-hidden=\"true\">\
             <g class=\"m\"><text x=\".3\" y=\"2\">&lt;b&gt; &amp; &quot;c&quot;</text></g>\
             <path class=\"h\" d=\"M0 0l1.2 3-.3-1Z\"/>\
             <path class=\"b\" d=\"M1 1h2v-.5ZM5 5Z\"/>\
             <path class=\"b p\" d=\"M1 2h0M3 4h0\"/></svg>"
        );
    }
}
