//! How long a session goes on: by its settings before it measures, then by how long that took so far.

use crate::session::expected::{ExpectedTime, whole_time};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What was expected, and how far it is.
pub(super) struct Pace {
    expected: ExpectedTime,
    /// When the first process began.
    began: Option<Instant>,
    /// What was expected of the processes that ended.
    processes: Duration,
    /// The cases that ended.
    ended: BTreeSet<String>,
}

impl Pace {
    pub fn new(expected: ExpectedTime) -> Self {
        Self { expected, began: None, processes: Duration::ZERO, ended: BTreeSet::new() }
    }

    /// What is known before anything is measured.
    pub fn expected(&self) -> String {
        self.expected.text()
    }

    /// A process begins.
    pub fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    /// A process ended.
    pub fn process(&mut self, id: &str) {
        self.processes += self.expected.of_process(id).unwrap_or_default();
    }

    /// A case ended: how many have, and how long the others take; `None` where none is left.
    pub fn ended(&mut self, id: &str) -> Option<String> {
        self.ended.insert(id.to_owned());
        self.left(self.began.map_or(Duration::ZERO, |began| began.elapsed()))
    }

    /// The others take as much longer than expected as what took `measured` until now.
    fn left(&self, measured: Duration) -> Option<String> {
        let (done, all) = (self.ended.len(), self.expected.count());
        let left = self.expected.of_parts(|id| !self.ended.contains(id));
        let so_far = match self.processes {
            // Processes that differ have no time of their own.
            Duration::ZERO => self.expected.of_parts(|id| self.ended.contains(id)),
            known => known,
        };
        let ratio = measured.as_secs_f64() / so_far.as_secs_f64();
        let ratio = if ratio.is_finite() && ratio > 0.0 { ratio } else { 1.0 };
        let about = if self.expected.is_at_most() { "at most about" } else { "about" };
        (done < all)
            .then(|| format!("{done} of {all} done; {about} {} left", whole_time(left.mul_f64(ratio))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Host, cases};
    use crate::config::{Overrides, Project};
    use crate::session::looks::Looks;

    /// Cases of one model, each of whose processes warm up for half a second and measure for one.
    fn known() -> Vec<Case> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("trt-perf.toml"), "").unwrap();
        let model = dir.path().join("model.onnx");
        std::fs::write(&model, "").unwrap();
        let project = Project::find(Some(&dir.path().join("trt-perf.toml"))).unwrap();
        let model = project.ad_hoc(&model, &Overrides::default()).unwrap();
        let mut cases = cases(&[model], Host { cpus: 2, gpu: false, tensorrt: false });
        for case in &mut cases {
            case.effort.processes = 4;
            case.effort.warm_up = Duration::from_millis(500).into();
            case.effort.measure = Duration::from_secs(1).into();
        }
        cases
    }

    #[test]
    fn time_is_told_by_the_settings_and_then_by_what_it_took() {
        let cases = known();
        let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), 2, "latency and throughput");
        let mut pace = Pace::new(ExpectedTime::of_run(&cases));
        assert_eq!(
            pace.expected(),
            "measuring takes about 12 s (1.5 s a process), and building and loading on top"
        );
        (0..4).for_each(|_| pace.process(ids[0]));
        pace.ended.insert(ids[0].to_owned());
        // Twice as long as expected.
        assert_eq!(pace.left(Duration::from_secs(12)).unwrap(), "1 of 2 done; about 12 s left");
        pace.ended.insert(ids[1].to_owned());
        assert_eq!(pace.left(Duration::from_secs(24)), None);
    }

    #[test]
    fn looks_may_end_it_sooner_and_limits_too() {
        let cases = known();
        let mut looks = Looks { pairs: None, max_time: None, alpha: 0.05, seed: 1, after: 0 };
        let text = |looks: &Looks| ExpectedTime::of_check(&cases, looks).text();
        assert_eq!(
            text(&looks),
            "measuring takes at most about 2 min (1.5 s a process, 20 pairs a case; what is clear is decided by fewer), and building, loading and confirming a change on top"
        );
        looks.pairs = Some(5);
        assert!(text(&looks).starts_with("measuring takes about 30 s (1.5 s a process), and "));
        let lanes = |lanes| ExpectedTime::of_check(&cases, &looks).in_lanes(lanes).text();
        assert_eq!(lanes(0), text(&looks));
        assert!(
            lanes(2).starts_with("measuring takes about 15 s ") && lanes(3) == lanes(2),
            "a case is not split"
        );
        looks.max_time = Some(Duration::from_secs(5));
        assert!(text(&looks).starts_with("measuring takes about 10 s "));
        let amount =
            |max_time| crate::session::calibrate::Amount { sessions: 6, pairs: 5, max_time, seed: 1 };
        let text = |max_time| ExpectedTime::of_calibration(&cases, &amount(max_time), 1).text();
        assert!(text(None).starts_with("measuring takes about 3 min "));
        assert!(text(Some(Duration::from_secs(60))).starts_with("measuring takes at most about 60 s "));
    }
}
