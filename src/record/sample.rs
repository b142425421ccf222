//! One summary and one case from which the unit tests of several files start.

use super::{CaseRecord, EngineRecord};
use crate::case::{Mode, OperatingPoint};
use crate::config::{BuildOptions, Scenario};
use crate::stats::QUANTILES;
use crate::summarize::Summary;
use std::collections::BTreeMap;

/// A steady process whose requests all took about `mean_ns`.
pub fn summary(mean_ns: f64) -> Summary {
    Summary {
        requests: 5000,
        warm_up_requests: 10,
        steady: true,
        dropped: 0,
        tick_ns: None,
        measure_ns: None,
        build: None,
        non_stationary: false,
        throttled: false,
        mean_ns,
        sd_ns: mean_ns / 100.0,
        min_ns: mean_ns as u64,
        max_ns: mean_ns as u64,
        quantiles_ns: [mean_ns; QUANTILES.len()],
        lag1: 0.0,
        n_eff: 5000.0,
        outliers_mild: 0,
        outliers_severe: 0,
        inferences_per_s: 1e9 / mean_ns,
        over_budget_frac: None,
        load_ns: 1,
        first_ns: 1,
        peak_host_bytes: None,
        steps: Vec::new(),
        gpu: None,
        capacity: None,
    }
}

/// A `latency` case on `cpu` without any process.
pub fn case() -> CaseRecord {
    CaseRecord {
        definition_hash: "asked".into(),
        scenario: Scenario::Latency,
        point: OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false },
        mode: Mode::default(),
        budget: None,
        open: None,
        shapes: BTreeMap::new(),
        discovery: None,
        layers_sha256: None,
        engine: EngineRecord {
            inputs_hash: String::new(),
            payload_sha256: String::new(),
            model_sha256: String::new(),
            backend: "cpu".into(),
            library: String::new(),
            build: BuildOptions::default(),
            threads: 1,
            tactics_sha256: None,
            build_ns: 1,
            engine_bytes: 1,
            kernels: None,
            builds: Vec::new(),
        },
        outputs: BTreeMap::new(),
        processes: Vec::new(),
    }
}
