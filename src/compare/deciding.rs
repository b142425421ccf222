//! Names the metric that a verdict hangs on, so that tables and sentences show the number that decided. Pure.

use super::{CaseComparison, Inconclusive, MetricComparison, Verdict};
use crate::case::Margins;
use crate::stats::Decision;

impl CaseComparison {
    /// The metric that decided. Of several that crossed their margins it is the one that is furthest beyond its own; of a
    /// doubt, the one in doubt; where nothing changed, the first that was judged. `None` where nothing was compared.
    pub fn deciding(&self) -> Option<&MetricComparison> {
        let named = match &self.verdict {
            Verdict::Inconclusive(why) => why.metric(),
            _ => None,
        };
        let name = |m: &&MetricComparison| named == Some(m.metric.name(self.budget).as_str());
        let judged = || self.metrics.iter().find(|m| m.ruling.is_ok());
        (self.metrics.iter().find(name))
            .or_else(|| self.furthest(Decision::Regressed))
            .or_else(|| self.furthest(Decision::Improved))
            .or_else(judged)
            .or_else(|| self.metrics.first())
    }

    /// Of the metrics with this decision, the one whose interval is furthest beyond its margin, in margins.
    fn furthest(&self, decision: Decision) -> Option<&MetricComparison> {
        let beyond = |m: &MetricComparison| {
            let ruling = m.ruling.as_ref().ok().filter(|r| r.decision == decision)?;
            let nearest = ruling.interval.lo.abs().min(ruling.interval.hi.abs());
            Some(nearest / m.metric.rule(self.margins).margin)
        };
        let all = self.metrics.iter().filter_map(|m| Some((m, beyond(m)?)));
        // Of two that are as good as equal, the one that is shown first.
        all.reduce(|best, m| if m.1 > best.1 * 1.01 { m } else { best }).map(|(m, _)| m)
    }

    /// The margins that changes were held against, each with the names of the metrics that it was for. Metrics that
    /// were not judged have none.
    pub fn margins_shown(&self) -> Vec<(f64, Vec<String>)> {
        let mut all: Vec<(f64, Vec<String>)> = Vec::new();
        for m in self.metrics.iter().filter(|m| m.ruling.is_ok()) {
            let margin = m.margin_frac(self.margins);
            let name = m.metric.name(self.budget);
            match all.iter_mut().find(|(found, _)| (found - margin).abs() < 1e-9) {
                Some((_, names)) => names.push(name),
                None => all.push((margin, vec![name])),
            }
        }
        all
    }
}

impl MetricComparison {
    /// The smallest change of this metric that counts, as a fraction.
    pub fn margin_frac(&self, margins: Margins) -> f64 {
        self.metric.rule(margins).margin.exp_m1()
    }
}

impl Inconclusive {
    /// The metric that it is about, by its name in reports.
    pub fn metric(&self) -> Option<&str> {
        match self {
            Self::NotJudged { metric, .. }
            | Self::NoSpread { metric }
            | Self::ByChance { metric }
            | Self::NotConfirmed { metric }
            | Self::NoSecondSet { metric }
            | Self::TooUncertain { metric, .. } => Some(metric),
            Self::NothingToJudge | Self::SameEngine | Self::BudgetNotConfirmed | Self::TimeRanOut { .. } => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Design, Metric, Sessions, compare_case};
    use super::*;
    use crate::record::{CaseRecord, sample};
    use crate::stats::SessionSpread;
    use crate::summarize::Summary;

    /// Ten processes that differ a little: their mean, and how long their tail is.
    fn case(mean_ns: f64, tail: f64) -> CaseRecord {
        let processes = (0..10).map(|i| {
            let s = sample::summary(mean_ns * (1.0 + 1e-3 * f64::from(i % 3)));
            let quantiles_ns =
                std::array::from_fn(|q| if q >= 8 { s.mean_ns * tail } else { s.quantiles_ns[q] });
            Summary { requests: 100_000, quantiles_ns, ..s }
        });
        CaseRecord { processes: processes.collect(), ..sample::case() }
    }

    fn decided_by(base: &CaseRecord, head: &CaseRecord) -> (&'static str, Option<Metric>) {
        let known = |_| Sessions::Known(SessionSpread::NONE);
        let c = compare_case("p/m/v/latency", base, head, Margins::default(), &Design::Stored(&known));
        (c.verdict.word(), c.deciding().map(|m| m.metric))
    }

    #[test]
    fn the_metric_furthest_beyond_its_margin_decided() {
        let base = case(1e6, 2.0);
        assert_eq!(decided_by(&base, &case(1.1e6, 2.0)).0, "regressed");
        // Ten margins of the mean against 30 of the tail.
        assert_eq!(decided_by(&base, &case(1.1e6, 4.0)), ("regressed", Some(Metric::Tail)));
        assert_eq!(decided_by(&base, &case(1.1e6, 2.0)), ("regressed", Some(Metric::Mean)));
        assert_eq!(decided_by(&base, &base), ("unchanged", Some(Metric::Mean)));
        assert_eq!(decided_by(&case(1.1e6, 4.0), &base), ("improved", Some(Metric::Tail)));
    }
}
