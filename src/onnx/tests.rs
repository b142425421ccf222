//! What is read of a damaged or unusual model.

use super::*;

fn node(name: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let texts = |t: &[&str]| t.iter().map(ToString::to_string).collect();
    NodeProto {
        name: Some(name.into()),
        op_type: Some(op.into()),
        input: texts(inputs),
        output: texts(outputs),
        ..NodeProto::default()
    }
}

fn graph(nodes: Vec<NodeProto>) -> GraphProto {
    let value = |n: &str| ValueInfoProto { name: Some(n.into()), r#type: None };
    GraphProto { node: nodes, input: vec![value("x")], output: vec![value("y")], ..GraphProto::default() }
}

#[test]
fn a_message_is_whole_or_cut_off() {
    // Field 1 is a varint of two bytes, field 7 three bytes long, field 2 fixed to four.
    let whole = [0x08, 0x96, 0x01, 0x3a, 3, b'a', b'b', b'c', 0x15, 1, 2, 3, 4];
    let ends = [0, 3, 8, whole.len()];
    for at in 0..=whole.len() {
        assert_eq!(is_whole(&whole[..at]), ends.contains(&at), "cut at {at}");
    }
    assert!(!is_whole(&[0xff; 20]) && !is_whole(&[0x0b]));
}

#[test]
fn a_sound_graph_passes_in_any_node_order() {
    let g = graph(vec![node("b", "Relu", &["t"], &["y"]), node("a", "Relu", &["x"], &["t"])]);
    assert_eq!(check_graph(&g, &HashSet::new()), Ok(()));
}

#[test]
fn unsound_graphs_name_the_node() {
    for (nodes, says) in [
        (
            vec![
                node("a", "Add", &["x", "t"], &["u"]),
                node("b", "Relu", &["u"], &["t"]),
                node("c", "Relu", &["x"], &["y"]),
            ],
            "node `b` (Relu) is part of a cycle",
        ),
        (vec![node("a", "Relu", &["nowhere"], &["y"])], "node `a` (Relu) reads `nowhere`"),
        (
            vec![node("a", "Relu", &["x"], &["y"]), node("", "Relu", &["x"], &["y"])],
            "made twice, by node `a` (Relu) and node #1 (Relu)",
        ),
        (vec![node("a", "Relu", &["x"], &["t"])], "nothing makes its output `y`"),
    ] {
        let error = check_graph(&graph(nodes), &HashSet::new()).unwrap_err();
        assert!(error.contains(says) || error.contains("node `a` (Add) is part of a cycle"), "{error}");
    }
}
