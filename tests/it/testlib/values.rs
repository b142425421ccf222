//! Inputs whose values decide shapes, and outputs whose shape depends on values: what the builder is told, and what a
//! context is given, in every family.

use super::runs::{Tensor, alone_with, load};
use super::{build, build_in, failure};
use crate::support::installed::{Installed, RELEASES};
use crate::support::{Ran, Sandbox, model, sample};
use std::ffi::c_void;
use std::sync::{Arc, Mutex};
use trt_perf::backend::tensorrt::sys::library::Api;
use trt_perf::backend::tensorrt::sys::output_allocator::{OutputAllocator, OutputMemory};
use trt_perf::config::Values;

/// The values of the sample's reference.
const SIZES: &str = "sizes:[1,3,16,24]";
/// A release that takes values in 32 bits only, and asks for memory without a stream.
const OLDEST: &str = "libnvinfer.so.10.0.0";

#[test]
fn every_family_is_told_the_values_that_decide_shapes() {
    for file in RELEASES.into_iter().chain([OLDEST]) {
        let setter = if file == OLDEST { "setShapeValues" } else { "setShapeValuesV2" };
        let from_file = format!("sizes={}", sample("reference/resize/in_sizes.npy").display());
        for given in [["--shape", SIZES], ["--input", &from_file]] {
            let installed = Installed::new(file);
            let done = build(&installed, "resize.onnx", &given, "");
            assert_eq!(done.code, Some(0), "{file} {given:?}: {}\n{}", done.out, done.err);
            let calls = installed.calls();
            calls.check_lifecycle();
            for which in 0..3 {
                let call = format!("{setter}(sizes, {which}, [1, 3, 16, 24])");
                assert!(calls.has(&call), "{file} {given:?}: no {call} in {calls:#?}");
            }
        }
    }
}

#[test]
fn a_range_of_values_comes_from_the_configuration_and_is_part_of_the_engine() {
    let built = |values: &str| {
        let path = sample("resize.onnx").display().to_string();
        let shapes = format!("shapes = {{ sizes = {{ values = {values} }} }}\n");
        let s = Sandbox::package(&(model("resize", &path) + &shapes));
        let installed = Installed::new(RELEASES[1]);
        let folder = installed.folder().display().to_string();
        let args = ["build", "--backend", "tensorrt", "--tensorrt", &folder, "--message-format", "json"];
        let mut command = s.command(".", &args);
        installed.tell(&mut command, "");
        let done = Ran::of(command);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        (done.message("engine")["engine"].clone(), installed.calls())
    };
    let (fixed, _) = built("[1, 3, 16, 24]");
    let (ranged, calls) = built("{ min = [1, 3, 8, 8], opt = [1, 3, 16, 24], max = [1, 3, 64, 64] }");
    assert!(calls.has("setShapeValuesV2(sizes, 0, [1, 3, 8, 8])"), "{calls:#?}");
    assert!(calls.has("setShapeValuesV2(sizes, 2, [1, 3, 64, 64])"), "{calls:#?}");
    assert_ne!(fixed, ranged);
}

#[test]
fn a_model_that_needs_values_says_which_input_and_how_to_give_them() {
    for (more, says) in [
        (&[][..], "input `sizes` decides shapes by its values, and no values are given"),
        (&["--shape", "sizes:[1,3]"], "the shape 2 given for input `sizes` does not fit the model"),
    ] {
        let installed = Installed::new(RELEASES[0]);
        let (kind, message, next) = failure(&build(&installed, "resize.onnx", more, ""));
        assert_eq!(kind, "usage", "{message}");
        assert!(message.contains(says), "{message}");
        if more.is_empty() {
            let how = "shapes = { \"sizes\" = { values = [1, 1, 1, 1] } }, or --input sizes=FILE.npy";
            assert!(next.contains(how), "{next}");
            installed.calls().check_lifecycle();
        }
    }
    let installed = Installed::new(OLDEST);
    let wide = ["--shape", "sizes:[1,3,16,9999999999]"];
    let (_, message, next) = failure(&build_in(&Sandbox::new(), &installed, "resize.onnx", &wide, ""));
    assert!(message.contains("do not fit the 32 bits") && next.contains("10.11"), "{message} {next}");
}

pub fn values_decide_shapes(api: &Arc<Api>, plan: &[u8]) {
    let engine = load(api, plan);
    let io = engine.io_tensors().unwrap();
    assert_eq!((io[1].name.as_c_str(), io[1].host, io[0].host), (c"sizes", true, false));
    let values = Values::fixed(vec![1, 3, 16, 24]);
    assert_eq!(engine.profile_values(c"sizes", 0, 4), Ok(Some(values)));
    assert_eq!(engine.profile_values(c"image", 0, 4), Ok(None));
    let mut context = engine.context(false).unwrap();
    context.set_input_shape(c"image", &[1, 3, 8, 8]).unwrap();
    context.set_input_shape(c"sizes", &[4]).unwrap();
    assert_eq!(context.tensor_shape(c"y"), Ok(vec![1, 3, -1, -1]), "nobody told the values yet");
    let mut sizes = Box::new([1_i64, 3, 16, 24]);
    let (mut x, mut y) = (Box::new(Tensor([7; 4096])), vec![Tensor([1; 4096]), Tensor([1; 4096])]);
    // SAFETY: host memory, which the library uses in this process; as large as the tensors, and alive until the end.
    unsafe {
        context.set_tensor_address(c"sizes", sizes.as_mut_ptr().cast()).unwrap();
        context.set_tensor_address(c"image", x.0.as_mut_ptr().cast()).unwrap();
        context.set_tensor_address(c"y", y.as_mut_ptr().cast()).unwrap();
    }
    assert_eq!(context.tensor_shape(c"y"), Ok(vec![1, 3, 16, 24]));
    // SAFETY: as above.
    unsafe { context.enqueue(std::ptr::null_mut()) }.unwrap();
    // 192 floats are copied, 1152 are the output's.
    assert!(y[0].0[..768].iter().all(|b| *b == 7) && y[1].0[..512].iter().all(|b| *b == 0));
    sizes[3] = 25;
    // SAFETY: as above; the output is no larger than its memory.
    let failure = unsafe { context.enqueue(std::ptr::null_mut()) }.unwrap_err();
    assert!(failure.message.contains("[1, 3, 16, 25] are outside of the profile"), "{failure}");
}

#[test]
fn a_context_reads_values_in_host_memory_in_every_family() {
    for file in RELEASES.into_iter().chain([OLDEST]) {
        alone_with("values", file, "", "resize.onnx", &["--shape", SIZES]).check_lifecycle();
    }
}

/// Memory on the host that gives at most one page.
#[derive(Default)]
struct Page {
    memory: Mutex<Vec<Box<Tensor>>>,
    dims: Mutex<Vec<i64>>,
}

impl OutputMemory for Page {
    fn room(&self, bytes: u64) -> *mut c_void {
        if bytes > 4096 {
            return std::ptr::null_mut();
        }
        let mut all = self.memory.lock().unwrap();
        all.push(Box::new(Tensor([1; 4096])));
        all.last_mut().map_or(std::ptr::null_mut(), |page| page.0.as_mut_ptr().cast())
    }

    fn has_shape(&self, dims: &[i64]) {
        *self.dims.lock().unwrap() = dims.to_vec();
    }
}

pub fn an_output_asks_for_memory(api: &Arc<Api>, plan: &[u8]) {
    let engine = load(api, plan);
    let mut context = engine.context(false).unwrap();
    context.set_input_shape(c"x", &[4, 8]).unwrap();
    assert_eq!(context.tensor_shape(c"places"), Ok(vec![2, -1]), "it depends on values");
    let page = Arc::new(Page::default());
    let memory: Arc<dyn OutputMemory> = page.clone();
    let allocator = Arc::new(OutputAllocator::new(api.family(), memory));
    let (mut x, mut kept) = (Box::new(Tensor([0; 4096])), Box::new(Tensor([1; 4096])));
    // SAFETY: host memory, which the library uses in this process; as large as the tensors, and alive until the end.
    let enqueue = |context: &mut trt_perf::backend::tensorrt::context::Context| unsafe {
        context.enqueue(std::ptr::null_mut())
    };
    // SAFETY: as above.
    unsafe {
        context.set_tensor_address(c"x", x.0.as_mut_ptr().cast()).unwrap();
        context.set_tensor_address(c"kept", kept.0.as_mut_ptr().cast()).unwrap();
    }
    let failure = enqueue(&mut context).unwrap_err();
    assert!(failure.message.contains("places has no allocator"), "{failure}");
    for _ in 0..2 {
        context.set_output_allocator(c"places", &allocator).unwrap();
    }
    assert!(context.set_output_allocator(c"x", &allocator).is_err(), "it is no output");
    for found in [5, 32, 0] {
        x.0.fill(0);
        x.0[..4 * found].fill(9);
        enqueue(&mut context).unwrap();
        assert_eq!(*page.dims.lock().unwrap(), [2, found as i64]);
        let all = page.memory.lock().unwrap();
        let last = &all.last().expect("it was asked for").0;
        assert!(last[..4 * found].iter().all(|b| *b == 9), "{found}");
        assert!(last[16 * found..].iter().all(|b| *b == 1), "{found}: beyond the output");
    }
    drop(engine);
    drop(context);
}

#[test]
fn an_output_whose_shape_depends_on_values_has_the_memory_and_the_shape_that_the_library_says() {
    for file in RELEASES.into_iter().chain([OLDEST]) {
        let calls = alone_with("found", file, "", "found.onnx", &[]);
        calls.check_lifecycle();
        for call in ["setOutputAllocator(places)", "output allocator reallocate(places, 80)"] {
            assert!(calls.has(call), "{file}: no {call} in {calls:#?}");
        }
    }
}
