//! Estimates what the layers of an engine compute and move, and the time that the GPU's limits allow for it. Pure.
//!
//! The roofline model: a layer takes at least as long as its arithmetic at the highest rate of its type, and as moving
//! its inputs, outputs and weights once to or from the GPU's memory, whichever is longer. What is kept in a cache need
//! not be moved, so a small layer may beat its estimate.
//!
//! Only products of matrices and convolutions are counted as arithmetic; of every other layer the bytes are what counts.
//! What the engine does not tell is not guessed: such layers have no estimate, and it is said how many they are.

mod limits;
mod work;

pub use limits::GpuLimits;
pub use work::{LayerWork, work};

use super::{Breakdown, LayerRow};

/// The estimate for a whole request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// What the layers with an estimate do.
    pub flops: f64,
    /// What they move, in bytes.
    pub bytes: f64,
    /// The time that the GPU allows for them, in nanoseconds; `None` where nothing tells its limits.
    pub allowed_ns: Option<f64>,
    /// That time as a part of the measured one.
    pub share_frac: Option<f64>,
    /// Layers without an estimate.
    pub unknown: usize,
}

/// The estimate for a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerRoofline {
    /// What it does in a request.
    pub work: LayerWork,
    /// The time that the GPU allows for it, in nanoseconds; `None` where nothing tells its limits.
    pub allowed_ns: Option<f64>,
}

impl Breakdown {
    /// `None` where no layer has an estimate, as of an engine without details.
    pub fn roofline(&self) -> Option<Roofline> {
        let known: Vec<LayerRoofline> = self.rows.iter().filter_map(|row| self.roofline_of(row)).collect();
        if known.iter().all(|layer| layer.work.bytes == 0.0) {
            return None;
        }
        let allowed_ns: Option<f64> = known.iter().map(|layer| layer.allowed_ns).sum();
        // What nobody looked into is the better measure, where it is there.
        let measured_ns = self.gpu().unwrap_or_else(|| self.sum()).ns as f64;
        Some(Roofline {
            flops: known.iter().map(|layer| layer.work.flops).sum(),
            bytes: known.iter().map(|layer| layer.work.bytes).sum(),
            allowed_ns,
            share_frac: allowed_ns.filter(|_| measured_ns > 0.0).map(|ns| ns / measured_ns),
            unknown: self.rows.len() - known.len(),
        })
    }

    /// `None` where the engine does not tell enough, or the GPU has no rate for such arithmetic.
    pub fn roofline_of(&self, row: &LayerRow) -> Option<LayerRoofline> {
        let once = work(&row.layer)?;
        let calls = row.calls as f64;
        let work = LayerWork { flops: once.flops * calls, bytes: once.bytes * calls, ..once };
        let allowed_ns = match &self.limits {
            None => None,
            Some(limits) => Some(limits.allowed_ns(&work)?),
        };
        Some(LayerRoofline { work, allowed_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{LayerRun, LayerTime, LayerTimes, inspect};

    /// A product, a copy that moves as much, and a region that tells nothing. The product computes 2 · 128³ = 4.19 MFLOP.
    fn found(gpu_ns: Option<f64>) -> Breakdown {
        let tensor = r#"[{"Dimensions": [128, 128], "Datatype": "Half"}]"#;
        let engine = inspect(&format!(
            r#"{{"Layers": [
                {{"Name": "p", "LayerType": "gemm", "Inputs": {tensor}, "Constants": {tensor}, "Outputs": {tensor}}},
                {{"Name": "c", "LayerType": "Reformat", "Inputs": {tensor}, "Outputs": {tensor}}},
                {{"Name": "{{ForeignNode[x]}}", "LayerType": "Myelin", "Inputs": {tensor}, "Outputs": {tensor}}}]}}"#
        ))
        .unwrap();
        let layers = ["p", "c", "{ForeignNode[x]}"].map(|name| LayerTime {
            name: name.into(),
            median_ns: 1000.0,
            calls: 1,
        });
        let times = LayerTimes { requests: 1, layers: layers.into(), ..LayerTimes::default() };
        Breakdown::of(Some(&engine), &[LayerRun { times, gpu_ns }]).unwrap()
    }

    #[test]
    fn the_longer_of_computing_and_moving_counts() {
        // 2 SMs at 1 GHz: 4.096e12 FLOP/s in fp16, so 1024 ns; 3 · 32 KiB at 1e12 B/s are 98 ns, 2 · 32 KiB are 66.
        let limits =
            GpuLimits { capability: "8.0".into(), multiprocessors: 2, sm_hz: 1e9, memory_bytes_per_s: 1e12 };
        let mut all = found(Some(2000.0));
        all.limits = Some(limits.clone());
        let roofline = all.roofline().unwrap();
        assert_eq!(roofline.allowed_ns.map(f64::round), Some(1024.0 + 66.0));
        assert_eq!(roofline.share_frac.map(|s| (s * 100.0).round()), Some(54.0));
        assert_eq!((roofline.flops, roofline.bytes, roofline.unknown), (4_194_304.0, 163_840.0, 1));
        assert_eq!(all.roofline_of(&all.rows[2]), None, "nobody sees into a region");
        // Without a whole request the sum of the layers is what was measured.
        let alone = Breakdown { limits: Some(limits), ..found(None) }.roofline().unwrap();
        assert_eq!(alone.share_frac.map(|s| (s * 100.0).round()), Some(36.0));
    }

    #[test]
    fn without_limits_there_is_work_and_no_time() {
        let roofline = found(None).roofline().unwrap();
        assert_eq!((roofline.allowed_ns, roofline.share_frac, roofline.unknown), (None, None, 1));
        assert!(roofline.flops > 0.0);
        let mut old = found(None);
        // A GPU whose rates are in no table: the product has no estimate, the copy has.
        old.limits = Some(GpuLimits {
            capability: "6.1".into(),
            multiprocessors: 2,
            sm_hz: 1e9,
            memory_bytes_per_s: 1e12,
        });
        assert_eq!(old.roofline().map(|r| (r.flops, r.unknown)), Some((0.0, 2)));
        let names = inspect(r#"{"Layers": ["a"]}"#).unwrap();
        let times = LayerTimes {
            requests: 1,
            layers: vec![LayerTime { name: "a".into(), median_ns: 1.0, calls: 1 }],
            ..LayerTimes::default()
        };
        let plain = Breakdown::of(Some(&names), &[LayerRun { times, gpu_ns: None }]).unwrap();
        assert_eq!(plain.roofline(), None);
    }
}
