//! Splits the spread of a case whose engine was built several times: between builds, and between the processes of a build.

use crate::compare::{Metric, case_metrics};
use crate::record::CaseRecord;
use crate::stats::{VarianceComponents, variance_components};
use crate::units::{plural, share};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// How much builds differ, and processes of one build. Standard deviations as fractions, by a one-way analysis of variance
/// ([`crate::stats::anova`]).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BuildSpread {
    /// The number that it is about: the first that decides the case.
    pub metric: String,
    /// How often the engine was built, as far as processes loaded the builds.
    pub builds: usize,
    /// How many different engines came of it.
    pub engines: usize,
    /// How many processes loaded them.
    pub processes: usize,
    /// Between builds; null where no build was loaded by two processes.
    pub between_frac: Option<f64>,
    /// Between the processes of a build; null likewise.
    pub within_frac: Option<f64>,
}

impl BuildSpread {
    /// `None` where there is one build, or a process lacks the number.
    pub fn of(case: &CaseRecord) -> Option<Self> {
        let metric = *case_metrics(case).first()?;
        let groups = groups(case, metric)?;
        let engines: BTreeSet<&str> = case.engine.builds.iter().map(|b| b.payload_sha256.as_str()).collect();
        let split = variance_components(&groups).ok();
        let frac = |sd: fn(VarianceComponents) -> f64| split.map(|split| sd(split).exp_m1());
        Some(Self {
            metric: metric.name(case.budget),
            builds: groups.len(),
            engines: engines.len(),
            processes: case.processes.len(),
            between_frac: frac(|split| split.between_sd),
            within_frac: frac(|split| split.within_sd),
        })
    }
}

/// The values of each build's processes.
fn groups(case: &CaseRecord, metric: Metric) -> Option<Vec<Vec<f64>>> {
    let mut groups: Vec<(u32, Vec<f64>)> = Vec::new();
    for process in &case.processes {
        let (build, value) = (process.build?, metric.value(process, case.budget)?);
        match groups.iter_mut().find(|(found, _)| *found == build) {
            Some((_, all)) => all.push(value),
            None => groups.push((build, vec![value])),
        }
    }
    (!groups.is_empty()).then(|| groups.into_iter().map(|(_, values)| values).collect())
}

impl fmt::Display for BuildSpread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = match self.engines {
            1 => "all the same engine".to_owned(),
            n => format!("{n} different engines"),
        };
        let of =
            format!("{} ({made}) in {}", plural(self.builds, "build"), plural(self.processes, "process"));
        let Some((between, within)) = self.between_frac.zip(self.within_frac) else {
            return write!(f, "{of}: too few to tell how much builds differ");
        };
        let [between, within] = [between, within].map(|frac| share((frac * 1e4).round() / 1e4));
        write!(
            f,
            "{}: builds differ by {between}, processes of one build by {within} (sd; {of})",
            self.metric
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{EngineBuild, sample};
    use crate::summarize::Summary;

    fn case(means: &[(u32, f64)], engines: [&str; 3]) -> CaseRecord {
        let mut case = sample::case();
        let process = |(build, mean): &(u32, f64)| Summary { build: Some(*build), ..sample::summary(*mean) };
        case.processes = means.iter().map(process).collect();
        let build = |hash: &str| EngineBuild { payload_sha256: hash.into(), build_ns: 1, engine_bytes: 1 };
        case.engine.builds = engines.map(build).to_vec();
        case
    }

    #[test]
    fn the_spread_is_split_and_told_in_words() {
        let means = [(1, 1.00e6), (2, 1.05e6), (3, 1.10e6), (1, 1.01e6), (2, 1.06e6), (3, 1.11e6)];
        let spread = BuildSpread::of(&case(&means, ["a", "b", "b"])).expect("three builds");
        assert_eq!((spread.builds, spread.engines, spread.processes), (3, 2, 6));
        assert_eq!(
            spread.to_string(),
            "mean: builds differ by 4.83%, processes of one build by 0.67% (sd; 3 builds (2 different engines) in 6 processes)"
        );
        let few = BuildSpread::of(&case(&means[..3], ["a"; 3])).expect("three builds");
        assert_eq!(
            few.to_string(),
            "3 builds (all the same engine) in 3 processes: too few to tell how much builds differ"
        );
        assert_eq!(BuildSpread::of(&sample::case()), None);
    }
}
