//! Layers as messages.

use crate::layers::{Attribution, Breakdown, LayerNs, LayerRoofline, NsChange};
use crate::message::{
    LayerChanges, LayerGroupSaid, LayerNumbers, LayerRooflineSaid, LayerSaid, Message, NsChangeSaid, Number,
    RooflineSaid,
};
use crate::stats::Interval;

/// The layers of a case; `None` for exports.
pub fn layer_numbers(case: Option<&str>, found: &Breakdown) -> Message {
    let layers = found.slowest().into_iter().map(|row| LayerSaid {
        name: row.layer.name.clone(),
        kind: row.layer.kind.clone(),
        role: row.layer.role,
        types: row.layer.precision(),
        tactic: row.layer.tactic.clone(),
        nodes: row.layer.nodes.clone(),
        stream: row.layer.stream,
        calls: row.calls,
        time_ns: number(row.time),
        share_frac: row.share_frac,
        roofline: found.roofline_of(row).map(|LayerRoofline { work, allowed_ns }| LayerRooflineSaid {
            flops: work.flops,
            bytes: work.bytes,
            allowed_ns,
        }),
    });
    Message::Layers(Box::new(LayerNumbers {
        case: case.map(str::to_owned),
        processes: found.processes,
        requests: found.requests,
        detailed: found.detailed,
        tactics_sha256: found.fingerprint.clone(),
        without_graph: found.without_graph,
        sum_ns: number(found.sum()),
        gpu_ns: found.gpu().map(number),
        residual_ns: found.residual().map(number),
        roofline: found.roofline().map(|estimate| RooflineSaid {
            flops: estimate.flops,
            bytes: estimate.bytes,
            allowed_ns: estimate.allowed_ns,
            share_frac: estimate.share_frac,
            unknown: estimate.unknown,
        }),
        layers: layers.collect(),
    }))
}

/// What explains the change of a case; `None` for exports.
pub fn layer_changes(case: Option<&str>, found: &Attribution) -> Message {
    let groups = found.groups.iter().map(|group| LayerGroupSaid {
        correspondence: group.correspondence,
        base: group.base.iter().map(|l| l.name.clone()).collect(),
        head: group.head.iter().map(|l| l.name.clone()).collect(),
        changes: group.changes.clone(),
        time: said(group.time),
    });
    Message::LayerChanges(Box::new(LayerChanges {
        case: case.map(str::to_owned),
        whole: said(found.whole),
        residual: found.residual.map(said),
        computing: found.computing,
        aligned: found.aligned,
        same_tactics: found.same_tactics,
        groups: groups.collect(),
    }))
}

fn said(change: NsChange) -> NsChangeSaid {
    NsChangeSaid {
        base_ns: change.base_ns,
        head_ns: change.head_ns,
        change_ns: over(change.ns(), change.interval),
    }
}

fn number(time: LayerNs) -> Number {
    over(time.ns, time.interval)
}

/// The estimate is the whole number that sums with the others.
fn over(ns: i64, interval: Option<Interval>) -> Number {
    Number { lo: interval.map(|i| i.lo), est: ns as f64, hi: interval.map(|i| i.hi) }
}
