//! What the gate makes of a head that computes something else.

use super::Gate;

#[test]
fn a_head_that_computes_something_else_by_more_than_the_base_tolerates_has_no_time() {
    let gate = Gate::new();
    let manifest = gate.0.path("repo/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let tolerant = |atol: &str| text.clone() + &format!("outputs = {{ atol = {atol} }}\n");
    std::fs::write(&manifest, tolerant("1e-3")).expect("written");
    gate.0.commit("repo", "tolerances");
    gate.model("mlp_slow.onnx");
    // What head would tolerate does not count.
    std::fs::write(&manifest, tolerant("1e3")).expect("written");
    gate.0.commit("repo", "another model");
    let (code, text) = gate.check(&["--pairs", "3"]);
    assert_eq!(code, 103, "{text}");
    for part in ["head computes something else than the base does: element", "(outputs: rtol 0, atol 0.001)"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(text.contains("outputs rtol 0, atol 0.001 → rtol 0, atol 1000"), "{text}");
    // One pair tells, however little time there is.
    let (code, text) = gate.check(&["--max-time", "1ms"]);
    assert_eq!(code, 103, "{text}");
    assert!(!text.contains("time ran out") && text.matches("pair 2").count() == 0, "{text}");
}

/// The model with one of its tensors as a further output.
fn with_output(model: &[u8], tensor: &str) -> Vec<u8> {
    let number = |at: &mut usize| {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = model[*at];
            *at += 1;
            value |= usize::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    };
    let field = |tag: u8, bytes: &[u8]| {
        let mut size = bytes.len();
        let mut text = vec![tag << 3 | 2];
        while size > 127 {
            text.push(size as u8 | 128);
            size >>= 7;
        }
        text.push(size as u8);
        [&text, bytes].concat()
    };
    let (mut at, mut changed) = (0, Vec::new());
    while at < model.len() {
        let begin = at;
        let key = number(&mut at);
        let size = number(&mut at);
        let end = if key & 7 == 2 { at + size } else { at };
        // Field 7 of a ModelProto is its graph, field 12 of that an output, here a tensor of f32.
        match key >> 3 {
            7 => {
                let output = [field(1, tensor.as_bytes()), field(2, &field(1, &[8, 1]))].concat();
                changed.extend(field(7, &[&model[at..end], &field(12, &output)].concat()));
            }
            _ => changed.extend(&model[begin..end]),
        }
        at = end;
    }
    changed
}

#[test]
fn an_output_more_or_less_is_another_computation_and_does_not_hide_what_the_others_hold() {
    let gate = Gate::new();
    let manifest = gate.0.path("repo/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    std::fs::write(&manifest, text + "outputs = { atol = 1e3 }\n").expect("written");
    gate.0.commit("repo", "tolerances");
    let model = std::fs::read(gate.0.path("repo/model.onnx")).expect("a model");
    gate.0.write("repo/model.onnx", with_output(&model, "layer3.relu"));
    gate.0.commit("repo", "a further output");
    for (base, only) in [("HEAD~1", "only head has the output `layer3.relu`"), ("HEAD", "only the base has")]
    {
        if base == "HEAD" {
            gate.model("mlp.onnx");
        }
        let (code, text) = gate.check(&["--base", base, "--pairs", "3"]);
        assert_eq!(code, 103, "{text}");
        let says = format!("head computes something else than the base does: {only}");
        assert!(text.contains(&says), "{says:?} is not in {text}");
    }
}
