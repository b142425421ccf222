//! Draws a plot for a terminal: a mark and an interval per point, and axes with units. It has no colours. Pure.
//!
//! Invariant: no line is longer than the width that was given.

use super::braille::{BRAILLE, Dots, WHOLE, pattern};

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where the mark is.
    pub estimate: f64,
    /// Lower and upper end of its interval.
    pub interval: Option<(f64, f64)>,
    /// Below the axis, one under the other, if there is room.
    pub label: [String; 2],
    /// A vertical line stands before it, and its label goes before others.
    pub change: bool,
}

/// What dots are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Braille patterns: two by four dots in a character.
    Braille,
    /// For terminals that show ASCII only.
    Ascii,
}

/// Columns of the whole plot, rows of the part above the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Narrower or flatter, nothing could be seen.
pub(super) const LEAST: Size = Size { width: 32, height: 4 };
/// How far intervals may stretch the axis, in ranges of the estimates: an interval of two processes can be a hundred
/// times as wide as everything else.
const STRETCH: f64 = 0.5;
/// The least range of the axis, relative to the values: below it a plot would show rounding.
const LEAST_RANGE_FRAC: f64 = 0.002;

impl Glyphs {
    /// Columns and rows of dots in a character.
    fn dots(self) -> (usize, usize) {
        match self {
            Self::Braille => BRAILLE,
            Self::Ascii => WHOLE,
        }
    }

    /// Rule before a change, y axis, corner, x axis, tick.
    fn lines(self) -> [char; 5] {
        match self {
            Self::Braille => ['│', '┤', '└', '─', '┬'],
            Self::Ascii => ['|', '|', '+', '-', '+'],
        }
    }

    /// What the marks mean.
    pub fn legend(self) -> &'static str {
        match self {
            Self::Braille => "⠶ estimate   ⡂ 95 % interval over processes   │ change point",
            Self::Ascii => "* estimate   : 95 % interval over processes   | change point",
        }
    }
}

/// The plot, each line ended; empty without marks. `show` gives a value its unit. Marks whose estimate is not finite
/// are left out; sizes below 32 × 4 are taken for that.
pub fn plot(marks: &[Mark], show: &dyn Fn(f64) -> String, size: Size, glyphs: Glyphs) -> String {
    let marks: Vec<&Mark> = marks.iter().filter(|m| m.estimate.is_finite()).collect();
    let Some(range) = PlotRange::of(&marks) else { return String::new() };
    let height = size.height.max(LEAST.height);
    let ticks = [0, height / 2, height - 1];
    let labels: Vec<(usize, String)> =
        ticks.iter().map(|row| (*row, show(range.value((*row as f64 + 0.5) / height as f64)))).collect();
    let gutter = labels.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    // A label and the axis with a space between them.
    let width = size.width.max(LEAST.width).saturating_sub(gutter + 2).max(8);
    let [_, axis, corner, flat, tick] = glyphs.lines();

    let mut out = String::new();
    for (row, cells) in Canvas::draw(&marks, &range, width, height, glyphs).rows().into_iter().enumerate() {
        let label = labels.iter().find(|(at, _)| *at == row).map_or("", |(_, text)| text);
        out += &format!("{label:>gutter$} {axis}{}", cells.iter().collect::<String>());
        end_line(&mut out);
    }
    let under = AxisLabels::place(&marks, width);
    let foot: String = (0..width).map(|x| if under.ticks.contains(&x) { tick } else { flat }).collect();
    out += &format!("{:gutter$} {corner}{foot}\n", "");
    for line in under.lines {
        out += &format!("{:gutter$}  {}", "", line.iter().collect::<String>());
        end_line(&mut out);
    }
    out
}

/// Ends a line without the blanks at its end.
pub(super) fn end_line(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

/// The character column of point `i` of `n`.
fn column(i: usize, n: usize, width: usize) -> usize {
    ((2 * i + 1) * width / (2 * n.max(1))).min(width.saturating_sub(1))
}

/// What the y axis spans.
struct PlotRange {
    low: f64,
    high: f64,
}

impl PlotRange {
    fn of(marks: &[&Mark]) -> Option<Self> {
        let least = marks.iter().map(|m| m.estimate).reduce(f64::min)?;
        let most = marks.iter().map(|m| m.estimate).reduce(f64::max)?;
        let spread = (most - least).max(least.abs().max(most.abs()) * LEAST_RANGE_FRAC).min(f64::MAX / 8.0);
        let reach = STRETCH * spread;
        let ends = || marks.iter().filter_map(|m| m.interval);
        let low = ends().map(|i| i.0).fold(least - 0.05 * spread, f64::min).max(least - reach);
        let high = ends().map(|i| i.1).fold(most + 0.05 * spread, f64::max).min(most + reach);
        (high > low && (high - low).is_finite()).then_some(Self { low, high })
    }

    /// The value at a share of the height, 0 at the top.
    fn value(&self, share: f64) -> f64 {
        self.high - share * (self.high - self.low)
    }

    /// The dot row of `value`, clipped to the canvas.
    fn row(&self, value: f64, rows: usize) -> usize {
        let share = (self.high - value) / (self.high - self.low);
        // `as` takes what is below zero or not a number for 0.
        ((share * rows as f64) as usize).min(rows - 1)
    }
}

/// Dots and rules, not yet characters.
struct Canvas {
    width: usize,
    height: usize,
    glyphs: Glyphs,
    estimates: Dots,
    intervals: Dots,
    rules: Vec<bool>,
}

impl Canvas {
    fn draw(marks: &[&Mark], range: &PlotRange, width: usize, height: usize, glyphs: Glyphs) -> Self {
        let (across, down) = glyphs.dots();
        let blank = || Dots::new((width, height), glyphs.dots());
        let mut canvas =
            Self { width, height, glyphs, estimates: blank(), intervals: blank(), rules: vec![false; width] };
        let rows = height * down;
        for (i, mark) in marks.iter().enumerate() {
            let x = column(i, marks.len(), width);
            if mark.change && i > 0 {
                canvas.rules[(column(i - 1, marks.len(), width) + x).div_ceil(2)] = true;
            }
            let y = range.row(mark.estimate, rows);
            for dot in x * across..(x + 1) * across {
                canvas.estimates.set(dot, y);
                if down > 1 {
                    // A block of two by two is seen better than a line of dots.
                    canvas.estimates.set(dot, (y ^ 1).min(rows - 1));
                }
            }
            let Some((lo, hi)) = mark.interval else { continue };
            let dotted = (range.row(hi, rows)..=range.row(lo, rows)).filter(|y| down == 1 || y % 2 == 0);
            for y in dotted {
                canvas.intervals.set(x * across, y);
            }
        }
        canvas
    }

    fn rows(&self) -> Vec<Vec<char>> {
        (0..self.height).map(|row| (0..self.width).map(|column| self.cell(row, column)).collect()).collect()
    }

    fn cell(&self, row: usize, column: usize) -> char {
        let rule = if self.rules[column] { self.glyphs.lines()[0] } else { ' ' };
        let (estimate, interval) = (self.estimates.bits(row, column), self.intervals.bits(row, column));
        match (self.glyphs, estimate, interval) {
            (Glyphs::Braille, _, _) => pattern(estimate | interval).unwrap_or(rule),
            (Glyphs::Ascii, 0, 0) => rule,
            (Glyphs::Ascii, 0, _) => ':',
            (Glyphs::Ascii, _, _) => '*',
        }
    }
}

/// The labels that fit below the axis.
struct AxisLabels {
    ticks: Vec<usize>,
    lines: [Vec<char>; 2],
}

impl AxisLabels {
    fn place(marks: &[&Mark], width: usize) -> Self {
        let n = marks.len();
        let mut order: Vec<usize> = (0..n).collect();
        // Changes first, then the ends, then from the newest back.
        order.sort_by_key(|i| (!marks[*i].change, *i + 1 != n, *i != 0, n - *i));
        let mut labels = Self { ticks: Vec::new(), lines: [vec![' '; width], vec![' '; width]] };
        let mut taken = vec![false; width];
        for i in order {
            let label = &marks[i].label;
            let long = label.iter().map(|text| text.chars().count()).max().unwrap_or(0);
            let middle = column(i, n, width);
            if long == 0 || long > width {
                continue;
            }
            let start = middle.saturating_sub(long / 2).min(width - long);
            // A blank on both sides keeps neighbours apart.
            let around = start.saturating_sub(1)..(start + long + 1).min(width);
            if taken[around].iter().any(|t| *t) {
                continue;
            }
            taken[start..start + long].fill(true);
            labels.ticks.push(middle);
            for (line, text) in labels.lines.iter_mut().zip(label) {
                let indent = start + (long - text.chars().count()) / 2;
                for (at, c) in text.chars().enumerate() {
                    line[indent + at] = c;
                }
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn mark(estimate: f64, half: f64, name: &str, change: bool) -> Mark {
        let interval = Some((estimate - half, estimate + half));
        Mark { estimate, interval, label: [name.to_owned(), "2026-11-22".to_owned()], change }
    }

    fn step() -> Vec<Mark> {
        (0..8)
            .map(|i| mark(if i < 4 { 100.0 } else { 110.0 }, 1.0, &i.to_string().repeat(7), i == 4))
            .collect()
    }

    const SIZE: Size = Size { width: 60, height: 6 };

    #[test]
    fn a_step_looks_like_one_in_ascii() {
        let text = plot(&step(), &|v| format!("{v:.0} ns"), SIZE, Glyphs::Ascii);
        assert!(text.is_ascii() && text.lines().all(|l| l.len() <= 60), "{text}");
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 6 + 1 + 2, "{text}");
        assert_eq!(text.matches('*').count(), 8, "{text}");
        // Low on the left, high on the right, and the rule between them.
        let upper: Vec<&str> = rows[0..3].iter().copied().filter(|r| r.contains('*')).collect();
        assert!(upper.iter().all(|r| r.find('*') > r.rfind('|')), "{text}");
        assert!(rows[7].contains("4444444"), "the change has its label\n{text}");
        assert!(rows[7].contains("7777777") && rows[8].contains("2026-11-22"), "{text}");
        assert!(
            rows[0].contains(" ns |") && rows[3].contains(" ns |") && rows[5].contains(" ns |"),
            "{text}"
        );
    }

    #[test]
    fn braille_shows_the_same_in_finer_steps() {
        let text = plot(&step(), &|v| format!("{v:.0} ns"), SIZE, Glyphs::Braille);
        let dots = |c: &char| ('\u{2801}'..='\u{28ff}').contains(c);
        assert!(text.chars().filter(dots).count() >= 8, "{text}");
        assert!(text.contains('│') && text.contains('└') && text.contains('┬'), "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 60), "{text}");
    }

    #[test]
    fn one_point_equal_points_and_none() {
        let show = |v: f64| format!("{v:.1}");
        assert_eq!(plot(&[], &show, SIZE, Glyphs::Ascii), "");
        assert_eq!(plot(&[mark(f64::NAN, 0.0, "a", false)], &show, SIZE, Glyphs::Ascii), "");
        for n in [1, 5] {
            let text = plot(&vec![mark(7.0, 0.0, "a", false); n], &show, SIZE, Glyphs::Ascii);
            assert_eq!(text.matches('*').count(), n, "{text}");
        }
    }

    #[test]
    fn a_wide_interval_does_not_flatten_the_rest() {
        let mut marks = step();
        marks[1].interval = Some((1.0, 10_000.0));
        let text = plot(&marks, &|v| format!("{v:.0}"), SIZE, Glyphs::Ascii);
        let with = |row: &&str| row.contains('*');
        assert_eq!(text.lines().filter(with).count(), 2, "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_numbers_and_sizes_fit(
            points in vec((any::<f64>(), any::<f64>(), any::<f64>(), any::<bool>()), 0..120),
            width in 0_usize..200, height in 0_usize..30, ascii: bool,
        ) {
            let marks: Vec<Mark> = points
                .iter()
                .map(|(e, lo, hi, change)| Mark {
                    estimate: *e,
                    interval: Some((*lo, *hi)),
                    label: ["0123456".into(), "2026-11-22".into()],
                    change: *change,
                })
                .collect();
            let glyphs = if ascii { Glyphs::Ascii } else { Glyphs::Braille };
            let text = plot(&marks, &|v| format!("{v:.3e}"), Size { width, height }, glyphs);
            for line in text.lines() {
                prop_assert!(line.chars().count() <= width.max(LEAST.width), "{line}");
            }
        }
    }
}
