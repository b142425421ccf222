//! Attributes the change between two engines to their layers. Pure.
//!
//! Invariant: the changes of all groups and of the residual sum to the change of the whole, to the nanosecond
//! (`the_parts_of_a_change_sum_to_it`).

use super::align::{LayerGroup, align};
use super::breakdown::{Breakdown, CONFIDENCE, LayerNs, LayerRow};
use super::names::without_ids;
use super::{Correspondence, Layer, LayerRole};
use crate::stats::{Interval, difference};
use serde::{Deserialize, Serialize};

/// A time in both engines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NsChange {
    /// In the base.
    pub base_ns: i64,
    /// In head.
    pub head_ns: i64,
    /// The difference with its interval; `None` where one of them was measured in a single process.
    pub interval: Option<Interval>,
}

impl NsChange {
    /// Head less base: more is slower.
    pub fn ns(&self) -> i64 {
        self.head_ns - self.base_ns
    }

    fn of(base_ns: i64, head_ns: i64, [base, head]: [&[f64]; 2]) -> Self {
        // A layer that one of them does not have takes no time there, in each of its processes.
        Self { base_ns, head_ns, interval: difference(base, head, CONFIDENCE).ok() }
    }
}

/// What layers contribute to the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupChange {
    /// How the layers correspond.
    pub correspondence: Correspondence,
    /// The base's layers.
    pub base: Vec<Layer>,
    /// Head's layers.
    pub head: Vec<Layer>,
    /// What they take.
    pub time: NsChange,
    /// What changed in them, in words: precision, tactic, format.
    pub changes: Vec<String>,
}

/// What explains the change between two engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Attribution {
    /// Every layer of both, the largest contribution first.
    pub groups: Vec<GroupChange>,
    /// What is in no layer; `None` where the whole was not measured in both.
    pub residual: Option<NsChange>,
    /// The whole request on the GPU; where that was not measured in both, the sum of the layers.
    pub whole: NsChange,
    /// Layers that compute nodes of the model, and how many of them have a partner; over both engines.
    pub computing: usize,
    /// Of `computing`.
    pub aligned: usize,
    /// Whether both engines have the same tactics; `None` where one does not tell.
    pub same_tactics: Option<bool>,
}

/// Compares two engines layer by layer.
pub fn attribute(base: &Breakdown, head: &Breakdown) -> Attribution {
    let (b, h): (Vec<&Layer>, Vec<&Layer>) =
        (base.rows.iter().map(|r| &r.layer).collect(), head.rows.iter().map(|r| &r.layer).collect());
    let found = align(&b, &h);
    let mut groups: Vec<GroupChange> = found.iter().map(|group| change_of(group, base, head)).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.time.ns().abs()));
    let sums = NsChange::of(base.sum().ns, head.sum().ns, [&base.sums_ns, &head.sums_ns]);
    let whole = |of: fn(&Breakdown) -> Option<LayerNs>, values: fn(&Breakdown) -> Vec<f64>| {
        Some(NsChange::of(of(base)?.ns, of(head)?.ns, [&values(base), &values(head)]))
    };
    let (mut computing, mut aligned) = (0, 0);
    for group in &groups {
        let all = group
            .base
            .iter()
            .chain(&group.head)
            .filter(|l| !matches!(l.role, LayerRole::Reformat | LayerRole::Sync));
        let count = all.count();
        computing += count;
        aligned += if group.base.is_empty() || group.head.is_empty() { 0 } else { count };
    }
    Attribution {
        groups,
        residual: whole(Breakdown::residual, Breakdown::residuals_ns),
        whole: whole(Breakdown::gpu, |of| of.gpu_ns.clone()).unwrap_or(sums),
        computing,
        aligned,
        same_tactics: base.fingerprint.as_ref().zip(head.fingerprint.as_ref()).map(|(b, h)| b == h),
    }
}

impl Attribution {
    /// What the groups after the first `shown` come to together.
    pub fn rest(&self, shown: usize) -> i64 {
        self.groups.iter().skip(shown).map(|group| group.time.ns()).sum()
    }

    /// The groups that made head slower, most first, or faster where it is that.
    pub fn explaining(&self) -> impl Iterator<Item = &GroupChange> {
        let sign = self.whole.ns().signum();
        self.groups.iter().filter(move |group| group.time.ns().signum() == sign && sign != 0)
    }
}

fn change_of(group: &LayerGroup, base: &Breakdown, head: &Breakdown) -> GroupChange {
    let (b, h) = (rows(base, &group.base), rows(head, &group.head));
    let layers = |rows: &[&LayerRow]| rows.iter().map(|r| r.layer.clone()).collect::<Vec<_>>();
    let ns = |rows: &[&LayerRow]| rows.iter().map(|r| r.time.ns).sum();
    let time = NsChange::of(ns(&b), ns(&h), [&sums(&b, base.processes), &sums(&h, head.processes)]);
    let (base, head) = (layers(&b), layers(&h));
    GroupChange { correspondence: group.correspondence(), changes: changes(&base, &head), time, base, head }
}

fn rows<'r>(of: &'r Breakdown, numbers: &[usize]) -> Vec<&'r LayerRow> {
    numbers.iter().map(|at| &of.rows[*at]).collect()
}

/// What the rows take together, a value per process.
fn sums(rows: &[&LayerRow], processes: usize) -> Vec<f64> {
    (0..processes).map(|process| rows.iter().map(|row| row.medians_ns[process]).sum()).collect()
}

/// What changed, where both sides tell.
fn changes(base: &[Layer], head: &[Layer]) -> Vec<String> {
    if base.is_empty() || head.is_empty() {
        return Vec::new();
    }
    let words = |layers: &[Layer], word: &dyn Fn(&Layer) -> String| {
        let mut words: Vec<String> = layers.iter().map(word).filter(|w| !w.is_empty()).collect();
        words.dedup();
        words.join(", ")
    };
    let differ = |word: &dyn Fn(&Layer) -> String| {
        let (b, h) = (words(base, word), words(head, word));
        (!b.is_empty() && !h.is_empty() && b != h).then_some((b, h))
    };
    let formats = |l: &Layer| {
        l.inputs.iter().chain(&l.outputs).map(|t| t.format.as_str()).collect::<Vec<_>>().join("; ")
    };
    let precision = differ(&Layer::precision).map(|(b, h)| format!("types {b} to {h}"));
    let tactic = differ(&|l| without_ids(&l.tactic)).map(|_| "other tactic".to_owned());
    // Another type is another format, too, and said already.
    let format = differ(&formats).filter(|_| precision.is_none()).map(|_| "other format".to_owned());
    [precision, tactic, format].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{EngineLayers, LayerRun, LayerTime, LayerTimes, inspect};
    use proptest::prelude::*;

    fn engine(layers: &[(&str, &str, &str)]) -> EngineLayers {
        let layers: Vec<_> = layers
            .iter()
            .map(|(name, dtype, tactic)| {
                serde_json::json!({ "Name": name, "LayerType": "Conv", "TacticName": tactic,
                    "Outputs": [{ "Name": name, "Dimensions": [1], "Format/Datatype": dtype }] })
            })
            .collect();
        inspect(&serde_json::json!({ "Layers": layers }).to_string()).expect("layers")
    }

    /// A breakdown with each layer's time per process, and the whole's.
    fn breakdown(engine: &EngineLayers, times: &[&[f64]], gpu: &[f64]) -> Breakdown {
        let runs: Vec<LayerRun> = (0..gpu.len())
            .map(|process| LayerRun {
                times: LayerTimes {
                    requests: 1,
                    without_graph: false,
                    layers: engine
                        .layers
                        .iter()
                        .zip(times)
                        .map(|(l, t)| LayerTime { name: l.name.clone(), median_ns: t[process], calls: 1 })
                        .collect(),
                },
                gpu_ns: Some(gpu[process]),
            })
            .collect();
        Breakdown::of(Some(engine), &runs).expect("one engine")
    }

    #[test]
    fn the_layers_that_changed_are_named_with_what_changed() {
        let base =
            engine(&[("a", "FP32", "t"), ("b + c", "FP16", "t"), ("d", "FP16", "t_0x0123456789abcdef")]);
        let head = engine(&[
            ("a", "FP16", "u"),
            ("Reformatting CopyNode for Input Tensor 0 to a", "FP16", ""),
            ("b", "FP16", "t"),
            ("c", "FP16", "t"),
            ("d", "FP16", "t_0xfedcba9876543210"),
        ]);
        let base = breakdown(&base, &[&[100.0, 102.0], &[50.0, 50.0], &[7.0, 7.0]], &[170.0, 172.0]);
        let head = breakdown(
            &head,
            &[&[60.0, 60.0], &[5.0, 5.0], &[300.0, 302.0], &[20.0, 20.0], &[7.0, 7.0]],
            &[400.0, 402.0],
        );
        let found = attribute(&base, &head);
        let rows: Vec<_> =
            found.groups.iter().map(|g| (g.correspondence, g.time.ns(), g.changes.join(", "))).collect();
        assert_eq!(
            rows,
            [
                (Correspondence::Split, 271, String::new()),
                (Correspondence::Same, -41, "types fp32 to fp16, other tactic".to_owned()),
                (Correspondence::Added, 5, String::new()),
                (Correspondence::Same, 0, String::new()),
            ]
        );
        assert!(found.groups[0].time.interval.is_some_and(|i| i.lo < 271.0 && i.hi > 271.0));
        assert_eq!((found.computing, found.aligned, found.same_tactics), (7, 7, Some(false)));
        let explaining: Vec<i64> = found.explaining().map(|g| g.time.ns()).collect();
        assert_eq!(explaining, [271, 5]);
    }

    #[test]
    fn without_the_whole_the_layers_explain_their_sum() {
        let one = engine(&[("a", "FP32", "t")]);
        let mut base = breakdown(&one, &[&[100.0]], &[120.0]);
        base.gpu_ns.clear();
        let found = attribute(&base, &breakdown(&one, &[&[150.0]], &[170.0]));
        assert_eq!((found.residual, found.whole.ns(), found.whole.interval), (None, 50, None));
        assert_eq!(found.same_tactics, Some(true));
    }

    proptest! {
        #[test]
        fn the_parts_of_a_change_sum_to_it(
            base in prop::collection::vec((0.0_f64..1e7, 0.0_f64..1e7), 1..8),
            head in prop::collection::vec((0.0_f64..1e7, 0.0_f64..1e7), 1..8),
            gpu in (0.0_f64..1e8, 0.0_f64..1e8),
        ) {
            let names = ["a", "b + c", "d", "Reformatting CopyNode for Input Tensor 0 to d", "e", "f", "e + f"];
            let of = |times: &[(f64, f64)]| {
                let layers: Vec<_> = names.iter().take(times.len()).map(|n| (*n, "FP16", "t")).collect();
                let values: Vec<[f64; 2]> = times.iter().map(|(a, b)| [*a, *b]).collect();
                let slices: Vec<&[f64]> = values.iter().map(|v| &v[..]).collect();
                breakdown(&engine(&layers), &slices, &[gpu.0, gpu.1])
            };
            let found = attribute(&of(&base), &of(&head));
            let parts: i64 = found.groups.iter().map(|g| g.time.ns()).sum();
            prop_assert_eq!(parts + found.residual.expect("measured").ns(), found.whole.ns());
        }
    }
}
