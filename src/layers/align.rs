//! Finds which layers of two engines do the same: by the nodes of the model they compute, then by type, shapes and order.
//! Pure.
//!
//! A builder fuses, splits and renames layers as it likes; what stays are the model's nodes. Reformats compute none: two of
//! them are the same where they have the same name, or turn the same shape from one format into the same other.

use super::names::without_ids;
use super::{Layer, LayerRole};
use serde::Serialize;
use std::collections::HashMap;
use std::hash::Hash;

/// How the layers of two engines correspond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Correspondence {
    /// One for one.
    Same,
    /// Several are one now.
    Fused,
    /// One is several now.
    Split,
    /// Several are several others now.
    Regrouped,
    /// Only head has it.
    Added,
    /// Only the base has it.
    Gone,
}

/// Layers of the base, and those of head that do the same; numbers into the lists that were compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerGroup {
    /// Of the base.
    pub base: Vec<usize>,
    /// Of head.
    pub head: Vec<usize>,
}

impl LayerGroup {
    /// How the two sides correspond.
    pub fn correspondence(&self) -> Correspondence {
        match (self.base.len(), self.head.len()) {
            (1, 1) => Correspondence::Same,
            (0, _) => Correspondence::Added,
            (_, 0) => Correspondence::Gone,
            (_, 1) => Correspondence::Fused,
            (1, _) => Correspondence::Split,
            _ => Correspondence::Regrouped,
        }
    }
}

/// Every layer of both, each in one group; in the order of the base, what was added last.
pub fn align(base: &[&Layer], head: &[&Layer]) -> Vec<LayerGroup> {
    let mut found =
        Aligning { open: [(0..base.len()).collect(), (0..head.len()).collect()], groups: Vec::new() };
    let sides = [base, head];
    let computes = |l: &Layer| !l.nodes.is_empty();
    found.pair(sides, |l| computes(l).then(|| (l.nodes.clone(), l.role, dims(l))));
    found.pair(sides, |l| computes(l).then(|| l.nodes.clone()));
    found.join_by_nodes(sides);
    // Generated names are all alike without their counters, and of no use then.
    found.pair(sides, |l| {
        let name = without_ids(&l.name);
        (!name.trim_matches('_').is_empty() && !name.starts_with("__")).then_some(name)
    });
    found.pair(sides, |l| Some((l.kind.clone(), l.role, dims(l), formats(l))));
    found.finish()
}

type LayerDims<'l> = (Vec<&'l [i64]>, Vec<&'l [i64]>);

fn dims(layer: &Layer) -> LayerDims<'_> {
    (layer.inputs.iter().map(|t| &t.dims[..]).collect(), layer.outputs.iter().map(|t| &t.dims[..]).collect())
}

/// Of a reformat: what it is there for. Others do the same in any format.
fn formats(layer: &Layer) -> Vec<&str> {
    let tensors = layer.inputs.iter().chain(&layer.outputs);
    tensors.filter(|_| layer.role == LayerRole::Reformat).map(|t| t.format.as_str()).collect()
}

/// What is still without a partner, by side, and the groups so far.
struct Aligning {
    open: [Vec<usize>; 2],
    groups: Vec<LayerGroup>,
}

impl Aligning {
    /// The first with the first, the second with the second, … of those that have the same key.
    fn pair<'l, K: Hash + Eq>(&mut self, sides: [&[&'l Layer]; 2], key: impl Fn(&'l Layer) -> Option<K>) {
        let mut waiting: HashMap<K, Vec<usize>> = HashMap::new();
        for &at in self.open[1].iter().rev() {
            if let Some(key) = key(sides[1][at]) {
                waiting.entry(key).or_default().push(at);
            }
        }
        let mut taken = Vec::new();
        self.open[0].retain(|&at| {
            let partner = key(sides[0][at]).and_then(|key| waiting.get_mut(&key)?.pop());
            if let Some(partner) = partner {
                taken.push(partner);
                self.groups.push(LayerGroup { base: vec![at], head: vec![partner] });
            }
            partner.is_none()
        });
        self.open[1].retain(|at| !taken.contains(at));
    }

    /// Layers that share nodes, directly or over others, make a group.
    fn join_by_nodes(&mut self, sides: [&[&Layer]; 2]) {
        let mut joined: Vec<([Vec<usize>; 2], Vec<&str>)> = Vec::new();
        for (side, open) in self.open.iter().enumerate() {
            for &at in open {
                let layer = sides[side][at];
                let mut group: ([Vec<usize>; 2], Vec<&str>) =
                    (Default::default(), layer.nodes.iter().map(String::as_str).collect());
                group.0[side].push(at);
                let (with, without) = joined
                    .into_iter()
                    .partition(|(_, nodes)| nodes.iter().any(|node| group.1.contains(node)));
                joined = without;
                for (numbers, nodes) in with {
                    for (mine, theirs) in group.0.iter_mut().zip(numbers) {
                        mine.extend(theirs);
                    }
                    group.1.extend(nodes);
                }
                joined.push(group);
            }
        }
        for ([mut base, mut head], _) in joined {
            if base.is_empty() || head.is_empty() {
                continue;
            }
            base.sort_unstable();
            head.sort_unstable();
            self.open[0].retain(|at| !base.contains(at));
            self.open[1].retain(|at| !head.contains(at));
            self.groups.push(LayerGroup { base, head });
        }
    }

    fn finish(mut self) -> Vec<LayerGroup> {
        let [gone, added] = self.open;
        self.groups.extend(gone.into_iter().map(|at| LayerGroup { base: vec![at], head: vec![] }));
        self.groups.sort_by_key(|group| group.base.first().copied());
        self.groups.extend(added.into_iter().map(|at| LayerGroup { base: vec![], head: vec![at] }));
        self.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::LayerTensor;

    /// A layer by its name, which names its nodes, with an output of these dimensions.
    fn layer(name: &str, dims: &[i64]) -> Layer {
        let output = LayerTensor { dims: dims.to_vec(), ..LayerTensor::default() };
        Layer { outputs: vec![output], kind: "x".into(), ..Layer::named(name) }
    }

    /// `base > head` for each group.
    fn aligned(base: &[Layer], head: &[Layer]) -> Vec<String> {
        let (b, h): (Vec<&Layer>, Vec<&Layer>) = (base.iter().collect(), head.iter().collect());
        let names = |side: &[&Layer], at: &[usize]| {
            at.iter().map(|i| side[*i].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        align(&b, &h)
            .iter()
            .map(|g| format!("{:?}: {} > {}", g.correspondence(), names(&b, &g.base), names(&h, &g.head)))
            .collect()
    }

    #[test]
    fn layers_that_compute_the_same_nodes_are_the_same() {
        let base = [
            layer("a + b", &[1]),
            layer("c", &[2]),
            layer("d", &[2]),
            layer("e + f", &[3]),
            layer("g", &[4]),
        ];
        let head = [
            layer("b + a", &[1]),
            layer("c + d", &[2]),
            layer("e", &[3]),
            layer("f", &[3]),
            layer("h", &[5]),
        ];
        assert_eq!(
            aligned(&base, &head),
            [
                "Same: a + b > b + a",
                "Fused: c, d > c + d",
                "Split: e + f > e, f",
                "Gone: g > ",
                "Added:  > h"
            ]
        );
        let regrouped =
            aligned(&[layer("a + b", &[1]), layer("c", &[1])], &[layer("a", &[1]), layer("b + c", &[1])]);
        assert_eq!(regrouped, ["Regrouped: a + b, c > a, b + c"]);
    }

    #[test]
    fn layers_of_the_same_nodes_are_told_apart_by_shape_and_order() {
        let base = [layer("a", &[1]), layer("a", &[2]), layer("a", &[2])];
        let head = [layer("a", &[2]), layer("a", &[2])];
        assert_eq!(aligned(&base, &head), ["Gone: a > ", "Same: a > a", "Same: a > a"]);
        // Another exporter names every node anew: what is left are type and shapes.
        let renamed = aligned(&[layer("a", &[1]), layer("b", &[2])], &[layer("x", &[2]), layer("y", &[1])]);
        assert_eq!(renamed, ["Same: a > y", "Same: b > x"]);
    }

    #[test]
    fn a_reformat_is_the_same_where_its_formats_are() {
        let reformat = |name: &str, format: &str| {
            let tensor = LayerTensor { dims: vec![1], format: format.into(), ..LayerTensor::default() };
            let name = format!("Reformatting CopyNode for Input Tensor 0 to {name}");
            Layer { inputs: vec![tensor], ..Layer::named(&name) }
        };
        let found = aligned(
            &[reformat("a", "NCHW"), reformat("b", "NCHW")],
            &[reformat("c", "NCHW"), reformat("b", "NHWC")],
        );
        let name = |n: &str| format!("Reformatting CopyNode for Input Tensor 0 to {n}");
        assert_eq!(
            found,
            [format!("Same: {} > {}", name("a"), name("c")), format!("Same: {} > {}", name("b"), name("b"))]
        );
        let other = aligned(&[reformat("a", "NCHW")], &[reformat("c", "NHWC")]);
        assert_eq!(other, [format!("Gone: {} > ", name("a")), format!("Added:  > {}", name("c"))]);
    }
}
