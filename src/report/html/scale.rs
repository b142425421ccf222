//! Turns values into places on an axis, and finds the round numbers to write there.

use crate::compare::Metric;
use crate::units::{bytes, plain_rate, plain_time};

/// How far intervals may stretch an axis, in ranges of the values: that of two processes can be a hundred times as wide
/// as everything else.
const STRETCH: f64 = 0.6;

/// One axis of a plot: values from `lo` to `hi` lie between the places `from` and `to`.
#[derive(Clone, Copy, Debug)]
pub struct AxisScale {
    pub lo: f64,
    pub hi: f64,
    pub log: bool,
    pub from: f64,
    pub to: f64,
}

/// What the numbers on an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisUnit {
    /// Nanoseconds.
    Time,
    /// Inferences per second.
    Rate,
    /// Shares of one, shown as percent.
    Share,
    /// Memory, in binary units.
    Bytes,
    /// Megahertz.
    Clock,
}

/// The ticks of an axis with their texts, and the unit that all of them have; empty where each names its own.
pub struct Ticks {
    pub at: Vec<(f64, String)>,
    pub unit: &'static str,
}

impl AxisScale {
    /// An axis whose places are set later.
    pub fn new(lo: f64, hi: f64, log: bool) -> Self {
        // An axis without length has no middle either.
        let hi = if hi > lo { hi } else { lo + lo.abs().max(1.0) * 1e-3 };
        Self { lo, hi, log: log && lo > 0.0, from: 0.0, to: 1.0 }
    }

    /// An axis for the values, and for their intervals as far as those leave room for them.
    pub fn around(values: &[f64], intervals: &[(f64, f64)]) -> Self {
        let of = |fold: fn(f64, f64) -> f64| values.iter().copied().reduce(fold).unwrap_or(1.0);
        let (lo, hi) = (of(f64::min), of(f64::max));
        let range = (hi - lo).max(hi.abs() * 2e-3);
        let low = intervals.iter().map(|i| i.0).fold(lo, f64::min).max(lo - STRETCH * range);
        let high = intervals.iter().map(|i| i.1).fold(hi, f64::max).min(hi + STRETCH * range);
        Self::new(low - 0.06 * range, high + 0.06 * range, false)
    }

    pub fn between(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// The place of a value; one outside of the axis is at its end.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.lo, self.hi);
        let frac = if self.log {
            (value / self.lo).ln() / (self.hi / self.lo).ln()
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        self.from + frac * (self.to - self.from)
    }

    /// Round numbers within the axis, at most `most`.
    pub fn ticks(&self, unit: AxisUnit, most: usize) -> Ticks {
        let decades = self.log.then(|| self.decades(most)).filter(|at| at.len() > 1);
        match decades {
            Some(at) => Ticks { at: at.into_iter().map(|v| (v, unit.whole(v))).collect(), unit: "" },
            None => self.steps(unit, most),
        }
    }

    /// Powers of ten, with 2 and 5 times them where there is room.
    fn decades(&self, most: usize) -> Vec<f64> {
        let (first, last) = (self.lo.log10().floor() as i32, self.hi.log10().ceil() as i32);
        let of = |digits: &[f64]| -> Vec<f64> {
            let all = (first..=last).flat_map(|e| digits.iter().map(move |d| d * 10f64.powi(e)));
            all.filter(|v| (self.lo..=self.hi).contains(v)).collect()
        };
        [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]]
            .map(of)
            .into_iter()
            .find(|at| at.len() <= most)
            .unwrap_or_default()
    }

    fn steps(&self, unit: AxisUnit, most: usize) -> Ticks {
        let (scale, name) = unit.scaled(self.hi.abs().max(self.lo.abs()));
        // Round in the unit that is shown: a round number of bytes is none of MiB.
        let raw = (self.hi - self.lo) / scale / most as f64;
        let power = 10f64.powf(raw.log10().floor());
        let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|d| d * power).find(|s| *s >= raw).unwrap_or(raw);
        let digits = (-round.log10().floor()).clamp(0.0, 9.0) as usize;
        let step = round * scale;
        let (first, last) = ((self.lo / step).ceil() as i64, (self.hi / step + 1e-9).floor() as i64);
        let text = |v: f64| format!("{:.digits$}", v / scale);
        let at = (first..=last).map(|i| i as f64 * step).map(|v| (v, text(v))).collect();
        Ticks { at, unit: name }
    }
}

impl AxisUnit {
    /// What the values of a metric are.
    pub fn of(metric: Metric) -> Self {
        if metric.is_rate() { Self::Rate } else { Self::Time }
    }

    /// A number with its unit.
    fn whole(self, value: f64) -> String {
        match self {
            Self::Time => plain_time(value),
            Self::Rate => plain_rate(value),
            Self::Share => crate::units::share(value),
            Self::Bytes => bytes(value as u64),
            Self::Clock => format!("{value:.0} MHz"),
        }
    }

    /// What the largest number of an axis is best divided by, and what it is called then.
    fn scaled(self, most: f64) -> (f64, &'static str) {
        let units: &[(f64, &str)] = match self {
            Self::Time => &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")],
            Self::Rate => &[(1e6, "Minf/s"), (1e3, "Kinf/s"), (1.0, "inf/s")],
            Self::Share => &[(0.01, "%")],
            Self::Bytes => &[(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")],
            Self::Clock => &[(1.0, "MHz")],
        };
        units.iter().copied().find(|(size, _)| most >= *size).unwrap_or(units[units.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lo: f64, hi: f64, log: bool, unit: AxisUnit) -> (Vec<String>, &'static str) {
        let ticks = AxisScale::new(lo, hi, log).ticks(unit, 5);
        (ticks.at.into_iter().map(|(_, text)| text).collect(), ticks.unit)
    }

    #[test]
    fn ticks_are_round_in_the_unit_of_the_axis() {
        let said = |lo, hi, log, unit| {
            let (texts, unit) = texts(lo, hi, log, unit);
            format!("{} {unit}", texts.join(" "))
        };
        assert_eq!(said(1.02e6, 1.09e6, false, AxisUnit::Time), "1.02 1.04 1.06 1.08 ms");
        assert_eq!(said(0.0, 4.2e3, false, AxisUnit::Rate), "0 1 2 3 4 Kinf/s");
        assert_eq!(said(0.0, 0.31, false, AxisUnit::Share), "0 10 20 30 %");
        assert_eq!(said(4e3, 3e8, true, AxisUnit::Time), "10 µs 100 µs 1 ms 10 ms 100 ms ");
        assert_eq!(said(8e3, 4e5, true, AxisUnit::Time), "10 µs 20 µs 50 µs 100 µs 200 µs ");
        assert_eq!(said(8e3, 2e6, true, AxisUnit::Time), "10 µs 30 µs 100 µs 300 µs 1 ms ");
        assert_eq!(said(0.0, 9.1e8, false, AxisUnit::Bytes), "0 200 400 600 800 MiB");
        assert_eq!(said(1950.0, 1985.0, false, AxisUnit::Clock), "1950 1960 1970 1980 MHz");
        assert_eq!(said(950.0, 980.0, false, AxisUnit::Time), "950 960 970 980 ns");
    }

    #[test]
    fn values_lie_on_the_axis_whatever_they_are() {
        let linear = AxisScale::new(10.0, 20.0, false).between(100.0, 0.0);
        assert_eq!(
            [linear.at(10.0), linear.at(15.0), linear.at(20.0), linear.at(1e9)],
            [100.0, 50.0, 0.0, 0.0]
        );
        let log = AxisScale::new(1.0, 100.0, true).between(0.0, 10.0);
        assert!((log.at(10.0) - 5.0).abs() < 1e-9);
        assert!(AxisScale::new(0.0, 0.0, true).at(0.0).is_finite());
    }
}
