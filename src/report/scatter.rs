//! Draws latency against throughput for a terminal: a mark per point, a line that joins the front, and the budget. It
//! has no colours. Pure.
//!
//! Invariant: no line is longer than the width that was given.

use super::braille::{BRAILLE, Dots, pattern};
use super::plot::{Glyphs, LEAST, Size, end_line};
use crate::units::{plain_rate, plain_time};
use std::ops::RangeInclusive;

/// What a point is; what stands lower here is drawn over what stands above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DotKind {
    /// Neither of these.
    Other,
    /// No other point is better in both.
    Front,
    /// The best within the budget.
    Winner,
}

/// A point: latency in nanoseconds (x, logarithmic) and inferences per second (y, from zero).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// To the right.
    pub latency_ns: f64,
    /// Upwards.
    pub inferences_per_s: f64,
    /// How it is marked.
    pub kind: DotKind,
}

impl DotKind {
    /// The mark of this kind.
    pub fn sign(self, glyphs: Glyphs) -> char {
        match (self, glyphs) {
            (Self::Other, Glyphs::Braille) => '·',
            (Self::Front, Glyphs::Braille) => '●',
            (Self::Winner, Glyphs::Braille) => '★',
            (Self::Other, Glyphs::Ascii) => '.',
            (Self::Front, Glyphs::Ascii) => 'o',
            (Self::Winner, Glyphs::Ascii) => 'W',
        }
    }
}

/// What a point may have; beyond it scales would overflow.
const LATENCIES: RangeInclusive<f64> = 1e-3..=1e18;
const RATES: RangeInclusive<f64> = 1e-9..=1e15;
/// A budget further away than this factor would press the points together; it is left out.
const FAR: f64 = 4.0;
/// Blank space left and right of the points, as a factor of their latency.
const SIDE: f64 = 1.08;

/// The plot, each line ended; empty without points. Points that no clock gives are left out.
pub fn scatter(dots: &[Dot], budget_ns: Option<f64>, size: Size, glyphs: Glyphs) -> String {
    let mut dots = usable(dots);
    dots.sort_by(|a, b| a.kind.cmp(&b.kind).then(a.latency_ns.total_cmp(&b.latency_ns)));
    let Some(mut x) = LogAxis::of(&dots) else { return String::new() };
    let budget = budget_ns.filter(|b| is_near(*b, &x));
    budget.iter().for_each(|b| x.include(*b));
    let most = dots.iter().map(|d| d.inferences_per_s).fold(0.0, f64::max);
    let (step, top) = steps(most);
    let height = size.height.max(LEAST.height);
    let row = |v: f64| (((1.0 - v / top) * height as f64) as usize).min(height - 1);
    let labels: Vec<(usize, String)> =
        (0..=(top / step) as usize).map(|i| (row(step * i as f64), plain_rate(step * i as f64))).collect();
    let gutter = labels.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    let width = size.width.max(LEAST.width).saturating_sub(gutter + 2).max(8);

    let mut cells = line(&dots, &x, top, (width, height), glyphs);
    let rule = budget.map(|b| x.column(b, width));
    for cell in cells.iter_mut().filter_map(|row| row.get_mut(rule?)) {
        *cell = if glyphs == Glyphs::Braille { '┊' } else { ':' };
    }
    for dot in &dots {
        cells[row(dot.inferences_per_s)][x.column(dot.latency_ns, width)] = dot.kind.sign(glyphs);
    }
    let [bar, ticked, corner, flat, tick] = lines(glyphs);
    let mut out = String::new();
    for (at, cells) in cells.iter().enumerate() {
        let label = labels.iter().find(|(row, _)| *row == at).map(|(_, text)| text.as_str());
        let axis = if label.is_some() { ticked } else { bar };
        out += &format!("{:>gutter$} {axis}{}", label.unwrap_or(""), cells.iter().collect::<String>());
        end_line(&mut out);
    }
    let under = Under::place(&x.ticks(), &x, rule.zip(budget), width);
    let foot: String = (0..width).map(|x| if under.ticks.contains(&x) { tick } else { flat }).collect();
    out += &format!("{:gutter$} {corner}{foot}\n", "");
    for text in under.lines {
        out += &format!("{:gutter$}  {}", "", text.iter().collect::<String>());
        end_line(&mut out);
    }
    out
}

/// The points that have a place in a picture.
fn usable(dots: &[Dot]) -> Vec<Dot> {
    let usable = |d: &&Dot| LATENCIES.contains(&d.latency_ns) && RATES.contains(&d.inferences_per_s);
    dots.iter().filter(usable).copied().collect()
}

fn is_near(budget_ns: f64, x: &LogAxis) -> bool {
    budget_ns > x.low / FAR && budget_ns < x.high * FAR
}

/// What the marks in the picture of these points mean.
pub fn legend(dots: &[Dot], budget_ns: Option<f64>, glyphs: Glyphs) -> String {
    let winner = dots.iter().any(|d| d.kind == DotKind::Winner);
    let axis = LogAxis::of(&usable(dots));
    let budget = axis.zip(budget_ns).is_some_and(|(x, budget)| is_near(budget, &x));
    let sign = |kind: DotKind| kind.sign(glyphs);
    let mut parts = vec![];
    if winner {
        parts.push(format!("{} winner", sign(DotKind::Winner)));
    }
    parts.push(format!("{} front", sign(DotKind::Front)));
    parts.push(format!("{} other cells", sign(DotKind::Other)));
    if budget {
        parts.push(format!("{} budget", if glyphs == Glyphs::Braille { '┊' } else { ':' }));
    }
    parts.join("   ")
}

/// y axis, y axis with a label, corner, x axis, tick.
fn lines(glyphs: Glyphs) -> [char; 5] {
    match glyphs {
        Glyphs::Braille => ['│', '┤', '└', '─', '┬'],
        Glyphs::Ascii => ['|', '+', '+', '-', '+'],
    }
}

/// A step of 1, 2 or 5 times a power of ten that fits about four times, and the top of the axis.
fn steps(most: f64) -> (f64, f64) {
    let step = nice(most / 4.0);
    (step, (most * 1.05).max(step))
}

/// The least of 1, 2, 5, 10 times a power of ten that is at least `v`.
fn nice(v: f64) -> f64 {
    let power = 10_f64.powf(v.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|n| *n >= v * (1.0 - 1e-9)).unwrap_or(v)
}

/// Latencies on a logarithmic axis.
struct LogAxis {
    low: f64,
    high: f64,
}

impl LogAxis {
    fn of(dots: &[Dot]) -> Option<Self> {
        let all = || dots.iter().map(|d| d.latency_ns);
        let (low, high) = (all().reduce(f64::min)? / SIDE, all().reduce(f64::max)? * SIDE);
        (low > 0.0 && high.is_finite()).then_some(Self { low, high })
    }

    fn include(&mut self, value: f64) {
        self.low = self.low.min(value / SIDE);
        self.high = self.high.max(value * SIDE);
    }

    /// From 0 at the left to 1.
    fn share(&self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    fn column(&self, value: f64, width: usize) -> usize {
        ((self.share(value) * width as f64) as usize).min(width - 1)
    }

    /// Round numbers on the axis: 1, 2 and 5 times powers of ten, or where it spans less than that, even steps.
    fn ticks(&self) -> Vec<f64> {
        if self.high / self.low < 6.0 {
            let step = nice((self.high - self.low) / 6.0);
            let first = (self.low / step).ceil();
            return (0..12).map(|i| step * (first + f64::from(i))).filter(|t| *t <= self.high).collect();
        }
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let all = (first..=last).flat_map(|p| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(p)));
        all.filter(|t| (self.low..=self.high).contains(t)).collect()
    }
}

/// The line that joins the front, as dots; nothing in ASCII.
fn line(
    dots: &[Dot],
    x: &LogAxis,
    top: f64,
    (width, height): (usize, usize),
    glyphs: Glyphs,
) -> Vec<Vec<char>> {
    let mut line = Dots::new((width, height), BRAILLE);
    let mut front: Vec<&Dot> = dots.iter().filter(|d| d.kind != DotKind::Other).collect();
    front.sort_by(|a, b| a.latency_ns.total_cmp(&b.latency_ns));
    let joined = if glyphs == Glyphs::Braille { front.as_slice() } else { &[] };
    for pair in joined.windows(2) {
        let at = |d: &Dot| (x.share(d.latency_ns), 1.0 - d.inferences_per_s / top);
        let ((x0, y0), (x1, y1)) = (at(pair[0]), at(pair[1]));
        // Every second dot of two by four in a character: a line that does not outshine its points.
        let (across, down) = (BRAILLE.0 * width, BRAILLE.1 * height);
        let long = ((x1 - x0).abs() * across as f64).max((y1 - y0).abs() * down as f64).ceil().max(1.0);
        for i in (0..=long as usize).step_by(2) {
            let share = i as f64 / long;
            let dot = |a: f64, b: f64, n: usize| (((a + (b - a) * share) * n as f64) as usize).min(n - 1);
            line.set(dot(x0, x1, across), dot(y0, y1, down));
        }
    }
    let cell = |row, column| pattern(line.bits(row, column)).unwrap_or(' ');
    (0..height).map(|row| (0..width).map(|column| cell(row, column)).collect()).collect()
}

/// The labels that fit below the axis: round numbers, and on a line of its own the budget.
struct Under {
    ticks: Vec<usize>,
    lines: Vec<Vec<char>>,
}

impl Under {
    fn place(values: &[f64], x: &LogAxis, budget: Option<(usize, f64)>, width: usize) -> Self {
        let mut under = Self { ticks: Vec::new(), lines: vec![vec![' '; width]] };
        let mut free_from = 0;
        for value in values {
            let column = x.column(*value, width);
            let text = plain_time(*value);
            let long = text.chars().count();
            let start = column.saturating_sub(long / 2).min(width.saturating_sub(long));
            if start >= free_from && long <= width {
                under.write(0, start, &text);
                under.ticks.push(column);
                free_from = start + long + 2;
            }
        }
        if let Some((column, max_ns)) = budget {
            let text = format!("budget {}", plain_time(max_ns));
            let long = text.chars().count();
            if long <= width {
                under.lines.push(vec![' '; width]);
                under.write(1, column.saturating_sub(long / 2).min(width - long), &text);
            }
        }
        under
    }

    fn write(&mut self, line: usize, start: usize, text: &str) {
        for (cell, c) in self.lines[line].iter_mut().skip(start).zip(text.chars()) {
            *cell = c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SIZE: Size = Size { width: 60, height: 8 };

    fn dot(ms: f64, inferences_per_s: f64, kind: DotKind) -> Dot {
        Dot { latency_ns: ms * 1e6, inferences_per_s, kind }
    }

    fn dots() -> Vec<Dot> {
        vec![
            dot(1.0, 1000.0, DotKind::Front),
            dot(2.0, 1800.0, DotKind::Front),
            dot(4.0, 1700.0, DotKind::Other),
            dot(4.0, 2600.0, DotKind::Winner),
            dot(9.0, 3000.0, DotKind::Front),
        ]
    }

    #[test]
    fn points_stand_where_they_belong_in_ascii() {
        let text = scatter(&dots(), Some(5e6), SIZE, Glyphs::Ascii);
        assert!(text.is_ascii() && text.lines().all(|l| l.len() <= 60), "{text}");
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 8 + 1 + 2, "{text}");
        assert_eq!((text.matches('o').count(), text.matches('W').count()), (3, 1), "{text}");
        let row = |c: char| rows.iter().position(|r| r.contains(c)).unwrap();
        assert!(
            row('o') < row('W') && row('W') < row('.'),
            "the slowest answer has the most throughput\n{text}"
        );
        let winner = rows[row('W')];
        assert!(winner.find('W') < winner.rfind(':'), "within the budget\n{text}");
        assert_eq!(winner.find('W'), rows[row('.')].find('.'), "the same latency\n{text}");
        for label in ["1 Kinf/s +", "3 Kinf/s +", "0 inf/s +", "2 ms", "5 ms", "budget 5 ms"] {
            assert!(text.contains(label), "{label}\n{text}");
        }
    }

    #[test]
    fn the_front_is_joined_and_a_far_budget_left_out() {
        let text = scatter(&dots(), Some(1e12), SIZE, Glyphs::Braille);
        assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{text}");
        assert!(text.contains('★') && text.contains('●') && !text.contains("budget"), "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 60), "{text}");
    }

    #[test]
    fn one_point_equal_points_and_none() {
        assert_eq!(scatter(&[], None, SIZE, Glyphs::Ascii), "");
        assert_eq!(scatter(&[dot(f64::NAN, 1.0, DotKind::Front)], None, SIZE, Glyphs::Ascii), "");
        assert_eq!(scatter(&[dot(1.0, 0.0, DotKind::Front)], None, SIZE, Glyphs::Ascii), "");
        let same = vec![dot(3.0, 7.0, DotKind::Front); 3];
        assert_eq!(scatter(&same, None, SIZE, Glyphs::Ascii).matches('o').count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_numbers_and_sizes_fit(
            points in vec((any::<f64>(), any::<f64>(), 0_u8..3), 0..40),
            limit in proptest::option::of(any::<f64>()),
            width in 0_usize..200, height in 0_usize..30, ascii: bool,
        ) {
            let kinds = [DotKind::Other, DotKind::Front, DotKind::Winner];
            let dots: Vec<Dot> = points
                .iter()
                .map(|(x, y, k)| Dot { latency_ns: *x, inferences_per_s: *y, kind: kinds[usize::from(*k)] })
                .collect();
            let glyphs = if ascii { Glyphs::Ascii } else { Glyphs::Braille };
            for line in scatter(&dots, limit, Size { width, height }, glyphs).lines() {
                prop_assert!(line.chars().count() <= width.max(LEAST.width), "{line}");
            }
        }

        #[test]
        fn measurable_numbers_stay_within_the_width(
            points in vec((1.0..1e11_f64, 1e-3..1e8_f64, 0_u8..3), 1..40),
            limit in 1.0..1e11_f64, width in 32_usize..200, height in 4_usize..30,
        ) {
            let kinds = [DotKind::Other, DotKind::Front, DotKind::Winner];
            let dots: Vec<Dot> = points
                .iter()
                .map(|(x, y, k)| Dot { latency_ns: *x, inferences_per_s: *y, kind: kinds[usize::from(*k)] })
                .collect();
            for line in scatter(&dots, Some(limit), Size { width, height }, Glyphs::Braille).lines() {
                prop_assert!(line.chars().count() <= width, "{line}");
            }
        }
    }
}
