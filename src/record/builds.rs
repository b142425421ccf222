//! What is replicated in a case: its processes, or the builds of its engine where there are several.
//!
//! A builder that times kernels may choose others when it builds the same model again, so that two engines of one commit
//! differ by more than processes of one engine do. Processes that load one build share its choices: they say much of that
//! engine and little of the commit. Then the build is the unit of replication, and the mean of its processes is its value;
//! to count its processes instead would find changes where only choices differ (pseudoreplication: S. H. Hurlbert,
//! Ecological Monographs 54, 1984; cluster means as the units: Kalibera & Jones, ISMM 2013).

use super::CaseRecord;
use crate::stats::geometric_mean;

impl CaseRecord {
    /// Whether its processes loaded several builds of the engine.
    pub fn has_builds(&self) -> bool {
        self.processes.iter().any(|s| s.build.is_some())
    }

    /// Values of its processes as values of its builds: the geometric mean of each, in the order in which they were first
    /// measured; `None` where a process has none. A case without several builds is one build.
    pub fn by_build(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let mut builds: Vec<(Option<u32>, Vec<Option<f64>>)> = Vec::new();
        for (process, value) in self.processes.iter().zip(values) {
            match builds.iter_mut().find(|(build, _)| *build == process.build) {
                Some((_, all)) => all.push(*value),
                None => builds.push((process.build, vec![*value])),
            }
        }
        let mean = |all: Vec<Option<f64>>| {
            let known: Option<Vec<f64>> = all.into_iter().collect();
            geometric_mean(&known?)
        };
        builds.into_iter().map(|(_, all)| mean(all)).collect()
    }

    /// Values of its processes as values of what is replicated.
    pub fn by_unit(&self, values: Vec<Option<f64>>) -> Vec<Option<f64>> {
        if self.has_builds() { self.by_build(&values) } else { values }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::{CaseRecord, sample};
    use crate::summarize::Summary;

    #[test]
    fn the_processes_of_a_build_are_one_value() {
        let processes = |builds: [Option<u32>; 5]| CaseRecord {
            processes: builds.into_iter().map(|build| Summary { build, ..sample::summary(1e6) }).collect(),
            ..sample::case()
        };
        let values = [1.0, 8.0, 4.0, 2.0, 9.0].map(Some);
        let case = processes([Some(1), Some(2), Some(1), Some(2), Some(3)]);
        let means: Vec<f64> = case.by_unit(values.to_vec()).into_iter().flatten().collect();
        assert!(means.iter().zip([2.0, 4.0, 9.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{means:?}");
        let one = processes([None; 5]);
        assert_eq!((one.by_unit(values.to_vec()), one.by_build(&values).len()), (values.to_vec(), 1));
        let unknown = case.by_unit(vec![Some(1.0), None, Some(1.0), Some(1.0), Some(1.0)]);
        assert_eq!(unknown.iter().map(Option::is_none).collect::<Vec<_>>(), [false, true, false]);
    }
}
