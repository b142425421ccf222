//! Reads what TensorRT puts into names: the nodes of the model, what a layer is for, and numbers that each build gives
//! anew. Pure.

use super::LayerRole;

/// What a layer of this name and type is for.
pub fn role(name: &str, kind: &str) -> LayerRole {
    let kind = kind.to_ascii_lowercase();
    if kind == "signal" || kind == "wait" {
        LayerRole::Sync
    } else if kind == "reformat" || name.starts_with("Reformatting CopyNode") {
        LayerRole::Reformat
    } else if ["loop", "recurrence", "triplimit", "iterator"].iter().any(|word| kind.contains(word)) {
        LayerRole::Loop
    } else if name.starts_with("{ForeignNode[") {
        LayerRole::Region
    } else {
        LayerRole::Compute
    }
}

/// The nodes that `Metadata` names: `[ONNX Layer: a]`, with control characters between several.
pub fn nodes_of_metadata(metadata: &str) -> Vec<String> {
    let marked = metadata.split(['\u{1e}', '\u{1f}']).flat_map(|part| part.split("[ONNX Layer: ").skip(1));
    // Names may hold brackets themselves.
    sorted(marked.filter_map(|node| Some(node.rsplit_once(']')?.0.to_owned())))
}

/// The nodes in the name of a layer, for releases that tell them nowhere else (8.x): `a + b`, `a || b`, `PWN(a, b)`,
/// `{ForeignNode[a...b]}`. Reformats and waits compute no node.
pub fn nodes(name: &str, role: LayerRole) -> Vec<String> {
    if matches!(role, LayerRole::Reformat | LayerRole::Sync) {
        return Vec::new();
    }
    if let Some(region) = name.strip_prefix("{ForeignNode[") {
        let inner = region.rsplit_once("]}").map_or(region, |(inner, _)| inner);
        return sorted(inner.split("...").flat_map(parts));
    }
    sorted(parts(name).into_iter())
}

fn parts(name: &str) -> Vec<String> {
    let one = |part: &str| {
        let part = part.trim().trim_start_matches("PWN(");
        // Only brackets that PWN opened: names have brackets of their own.
        let opened = part.matches('(').count();
        let closed = part.matches(')').count();
        let end = part.len()
            - part.bytes().rev().take(closed.saturating_sub(opened)).filter(|b| *b == b')').count();
        without_ids(&part[..end])
    };
    let names = name.split(" + ").flat_map(|p| p.split(" || ")).flat_map(|p| p.split(", "));
    names.map(one).filter(|node| !node.trim_matches('_').is_empty()).collect()
}

fn sorted(nodes: impl Iterator<Item = String>) -> Vec<String> {
    let mut nodes: Vec<String> = nodes.collect();
    nodes.sort();
    nodes.dedup();
    nodes
}

/// A name without what each build gives anew: `_0x…` (a hash of generated code), `_myl0_12` and `mye5041` (counters).
pub fn without_ids(name: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = name.split('_').peekable();
    while let Some(part) = parts.next() {
        if counter(part, "myl") {
            // The number of the layer within its region.
            parts.next_if(|next| !next.is_empty() && next.bytes().all(|b| b.is_ascii_digit()));
        } else if !counter(part, "mye") && !hash(part) {
            kept.push(part);
        }
    }
    kept.join("_")
}

fn counter(part: &str, prefix: &str) -> bool {
    part.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn hash(part: &str) -> bool {
    // Shorter ones are sizes.
    part.strip_prefix("0x").is_some_and(|h| h.len() >= 8 && h.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_from_metadata_and_from_the_names_of_older_releases() {
        let metadata =
            "[ONNX Layer: /l/Conv]\u{1f}[ONNX Layer: /l/a[0]/Relu]\u{1e}[ONNX Layer: /l/Conv]__gemm";
        assert_eq!(nodes_of_metadata(metadata), ["/l/Conv", "/l/a[0]/Relu"]);
        assert_eq!(nodes_of_metadata("[ONNX Layer: a][ONNX Layer: b]"), ["a", "b"]);
        assert!(nodes_of_metadata("").is_empty() && nodes_of_metadata("[SHAPE]").is_empty());
        let of = |name: &str| nodes(name, role(name, ""));
        assert_eq!(of("Conv_0 + Relu_1"), ["Conv_0", "Relu_1"]);
        assert_eq!(of("a || b"), ["a", "b"]);
        assert_eq!(of("PWN(PWN(Sigmoid_1), Mul_2)"), ["Mul_2", "Sigmoid_1"]);
        assert_eq!(
            of("{ForeignNode[/a...(Unnamed Layer* 3) [Constant]]}"),
            ["(Unnamed Layer* 3) [Constant]", "/a"]
        );
        assert_eq!(of("/conv1/Conv_myl0_1"), ["/conv1/Conv"]);
        assert!(of("Reformatting CopyNode for Input Tensor 0 to Conv_0").is_empty());
        assert!(of("__mye5395_myl0_3").is_empty() && of(")))").len() < 2);
    }

    #[test]
    fn numbers_of_a_build_are_left_out_and_sizes_are_not() {
        for (name, expected) in [
            ("__myl_MoveConc_0xc1455be378008feffc8e73982aa134dd", "__myl_MoveConc"),
            ("/conv1/Conv_myl0_12", "/conv1/Conv"),
            ("sm80_xmma_fprop_64x64_0x10_v1", "sm80_xmma_fprop_64x64_0x10_v1"),
            ("Conv_12", "Conv_12"),
            ("", ""),
        ] {
            assert_eq!(without_ids(name), expected);
        }
    }

    #[test]
    fn what_a_layer_is_for_shows_in_its_type_or_its_name() {
        for (name, kind, expected) in [
            ("x", "signal", LayerRole::Sync),
            ("Reformatting CopyNode for Output Tensor 0 to x", "NoOp", LayerRole::Reformat),
            ("x", "Reformat", LayerRole::Reformat),
            ("x", "LoopOutput", LayerRole::Loop),
            ("{ForeignNode[a...b]}", "Myelin", LayerRole::Region),
            ("Conv_0", "CaskConvolution", LayerRole::Compute),
        ] {
            assert_eq!(role(name, kind), expected, "{name} {kind}");
        }
    }
}
