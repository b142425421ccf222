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

    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(place);
        self.push(format_args!("<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\"/>"));
    }

    pub fn rect(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x, y, w, h] = [x1.min(x2), y1.min(y2), (x2 - x1).abs(), (y2 - y1).abs()].map(place);
        self.push(format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>"));
    }

    /// A dot at each place: lines without length and with round ends, which take a third of the letters of circles. Those
    /// of the base are hollow, so that head's beside them are told apart without colours, too.
    pub fn dots(&mut self, class: &str, places: impl IntoIterator<Item = (f64, f64)>) {
        let dot = |(x, y)| format!("M{} {}h0", place(x), place(y));
        let all: String = places.into_iter().map(dot).collect();
        if all.is_empty() {
            return;
        }
        self.push(format_args!("<path class=\"{class} p\" d=\"{all}\"/>"));
        if class == "b" {
            self.push(format_args!("<path class=\"o p\" d=\"{all}\"/>"));
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

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let [x, y] = [x, y].map(place);
        self.push(format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escape(text)));
    }

    /// The numbers of the y axis with a rule each, and its unit above.
    pub fn y_axis(&mut self, y: &AxisScale, unit: AxisUnit) {
        let Ticks { at, unit } = y.ticks(unit, 5);
        for (value, text) in &at {
            let place = y.at(*value);
            self.line("g", (LEFT, place), (RIGHT, place));
            self.text("e", (LEFT - 5.0, place + 3.5), text);
        }
        if !unit.is_empty() {
            self.text("e", (LEFT - 5.0, y.from.min(y.to) - 7.0), unit);
        }
    }

    /// The x axis at the height `foot`, with its numbers; the last says the unit.
    pub fn x_axis(&mut self, x: &AxisScale, foot: f64, unit: AxisUnit) {
        self.line("a", (LEFT, foot), (RIGHT, foot));
        let Ticks { at, unit } = x.ticks(unit, 5);
        let last = at.len().saturating_sub(1);
        for (i, (value, text)) in at.iter().enumerate() {
            let place = x.at(*value);
            self.line("a", (place, foot), (place, foot + 4.0));
            let text = if i == last { format!("{text} {unit}") } else { text.clone() };
            // Near the right end a text would be cut off.
            let (class, place) = if place > RIGHT - 22.0 { ("e", RIGHT) } else { ("m", place) };
            self.text(class, (place, foot + 15.0), text.trim_end());
        }
    }

    /// The whole element; `label` says in words what it shows.
    pub fn finish(self, label: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            place(WIDTH),
            place(self.height),
            escape(label),
            self.body
        )
    }

    fn push(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
    }
}

/// Appends a line: where it begins, and how far it is from each point to the next.
fn steps(d: &mut String, points: impl IntoIterator<Item = (f64, f64)>) {
    let tenths = |v: f64| (v * 10.0).round() as i64;
    let mut points = points.into_iter().map(|(x, y)| (tenths(x), tenths(y)));
    let Some(mut last) = points.next() else { return };
    let _ = write!(d, "M{} {}", place_of(last.0), place_of(last.1));
    let mut before = 'M';
    for (x, y) in points {
        let (dx, dy) = (x - last.0, y - last.1);
        let (command, all) = match (dx, dy) {
            (0, 0) => continue,
            (_, 0) => ('h', &[dx][..]),
            (0, _) => ('v', &[dy][..]),
            _ => ('l', &[dx, dy][..]),
        };
        if command != before {
            d.push(command);
        }
        for step in all {
            // A letter and a minus sign separate as well as a blank.
            let blank = if *step < 0 || d.ends_with(['h', 'v', 'l']) { "" } else { " " };
            let _ = write!(d, "{blank}{}", place_of(*step));
        }
        (last, before) = ((x, y), command);
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
        svg.paths("b", [[(1.0, 1.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.5)], [(5.0, 5.0); 4]], true);
        svg.dots("b", [(1.0, 2.0), (3.0, 4.0)]);
        svg.dots("h", []);
        assert_eq!(
            svg.finish("\"><script>"),
            "<svg viewBox=\"0 0 400 100\" role=\"img\" aria-label=\"&quot;&gt;&lt;script&gt;\">\
             <text class=\"m\" x=\".3\" y=\"2\">&lt;b&gt; &amp; &quot;c&quot;</text>\
             <path class=\"h\" d=\"M0 0l1.2 3-.3-1Z\"/>\
             <path class=\"b\" d=\"M1 1h2v-.5ZM5 5Z\"/>\
             <path class=\"b p\" d=\"M1 2h0M3 4h0\"/><path class=\"o p\" d=\"M1 2h0M3 4h0\"/></svg>"
        );
    }
}
