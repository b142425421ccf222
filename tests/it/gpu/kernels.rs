//! Kernels that TensorRT-RTX compiles while it loads, kept for the processes that measure.

use super::gpu;
use super::testlib::Lab;
use crate::support::installed::RELEASES;

#[test]
fn kernels_that_are_refused_are_compiled_again_and_that_is_said() {
    if !gpu() {
        return;
    }
    let lab = Lab::new(RELEASES[2]);
    let more = ["--processes", "2", "--scenario", "latency"];
    lab.run(&["mlp.onnx"], &more, "").says(0, &[]).silent_on(&["refuses the kernels"]);
    let refused = lab.run(&["mlp.onnx"], &more, "kernels-refused");
    let says = "refuses the kernels that were kept for this engine";
    refused.says(0, &[says]);
    let times = refused.out.matches(says).count() + refused.err.matches(says).count();
    assert_eq!(times, 1, "{refused}");
    lab.installed.calls().check_lifecycle();
}
