//! Networks and the ONNX parser that fills them.

use crate::callbacks::{ERROR, log};
use crate::model::{self, Io, Refusal};
use crate::object::{Class, Object, at, delete_interface};
use crate::told::{fault, violation};
use rten_onnx::onnx::ModelProto;
use std::ffi::CStr;
use std::sync::Mutex;
use trt_perf::backend::tensorrt::sys::abi::{Bytes, Dims, ObjectPointer as Pointer, Text, This};
use trt_perf::backend::tensorrt::sys::tables::{
    i_parser, i_parser_error, v_network_definition as v, v_tensor,
};

pub static NETWORK: Class = Class { name: "network", slots: v::COUNTS, owned: true };
static TENSOR: Class = Class { name: "tensor", slots: v_tensor::COUNTS, owned: false };
static PARSER: Class = Class { name: "parser", slots: i_parser::COUNTS, owned: true };
static REFUSAL: Class = Class { name: "parser error", slots: i_parser_error::COUNTS, owned: false };

#[derive(Default)]
pub struct Network {
    pub filled: Mutex<Option<Filled>>,
}

/// What the parser made.
pub struct Filled {
    pub tensors: Vec<Io>,
    pub layers: Vec<String>,
    /// It owns the weights, so it must live until the engine is built.
    pub parser: &'static Object,
}

impl Network {
    fn with<T>(&self, ask: impl FnOnce(&Filled) -> T) -> Option<T> {
        self.filled.lock().expect("no panic while it is held").as_ref().map(ask)
    }
}

pub fn create(builder: &'static Object) -> Pointer {
    let entries = [
        at(&v::GET_NB_LAYERS, layer_count),
        at(&v::GET_NB_INPUTS, input_count),
        at(&v::GET_INPUT, input),
        at(&v::GET_NB_OUTPUTS, output_count),
        at(&v::GET_OUTPUT, output),
    ];
    Object::new(&NETWORK, &entries, &[builder], Network::default()).wrapper()
}

fn network(this: This) -> &'static Network {
    Object::of(this).state()
}

fn count(n: Option<usize>) -> i32 {
    i32::try_from(n.unwrap_or(0)).unwrap_or(0)
}

extern "C" fn layer_count(this: This) -> i32 {
    count(network(this).with(|f| f.layers.len()))
}

extern "C" fn input_count(this: This) -> i32 {
    count(network(this).with(|f| f.tensors.iter().filter(|t| t.input).count()))
}

extern "C" fn output_count(this: This) -> i32 {
    count(network(this).with(|f| f.tensors.iter().filter(|t| !t.input).count()))
}

extern "C" fn input(this: This, index: i32) -> Pointer {
    tensor(this, true, index)
}

extern "C" fn output(this: This, index: i32) -> Pointer {
    tensor(this, false, index)
}

fn tensor(this: This, input: bool, index: i32) -> Pointer {
    let pick =
        |f: &Filled| f.tensors.iter().filter(|t| t.input == input).nth(usize::try_from(index).ok()?).cloned();
    let Some(io) = network(this).with(pick).flatten() else { return std::ptr::null_mut() };
    let entries = [
        at(&v_tensor::GET_NAME, tensor_name),
        at(&v_tensor::GET_DIMENSIONS, tensor_dims),
        at(&v_tensor::GET_TYPE, tensor_type),
        at(&v_tensor::IS_SHAPE_TENSOR, decides),
    ];
    Object::new(&TENSOR, &entries, &[], io).wrapper()
}

extern "C" fn tensor_name(this: This) -> Text {
    Object::of(this).state::<Io>().name.as_ptr()
}

extern "C" fn tensor_dims(this: This) -> Dims {
    dims(&Object::of(this).state::<Io>().dims())
}

extern "C" fn tensor_type(this: This) -> i32 {
    Object::of(this).state::<Io>().dtype
}

extern "C" fn decides(this: This) -> bool {
    Object::of(this).state::<Io>().decides
}

/// As the library gives dimensions back; -1 of them for none.
pub fn dims(extents: &[i64]) -> Dims {
    Dims::new(extents).unwrap_or(Dims { count: -1, extents: [0; Dims::MAX] })
}

struct Parser {
    network: &'static Object,
    refusals: Mutex<Vec<&'static Object>>,
}

pub fn create_parser(network: Pointer) -> Pointer {
    let network = Object::of_wrapper(network, &NETWORK);
    let entries = [
        at(&i_parser::PARSE, parse),
        at(&i_parser::GET_NB_ERRORS, error_count),
        at(&i_parser::GET_ERROR, get_error),
        at(&i_parser::DELETING, delete_interface),
    ];
    Object::new(&PARSER, &entries, &[network], Parser { network, refusals: Mutex::default() }).interface()
}

extern "C" fn parse(this: This, data: Bytes, size: usize, path: Text) -> bool {
    let object = Object::of(this);
    let parser = object.state::<Parser>();
    if path.is_null() {
        violation("no path for external weights");
    }
    // SAFETY: the caller gives a text that ends in a zero byte.
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
    object.told(&format!("parse({size}, {path})"));
    // SAFETY: the caller gives `size` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    let Ok(model) = ModelProto::parse_buf(bytes) else {
        log(ERROR, "the model cannot be parsed");
        return false;
    };
    let read = model::read(&model);
    if let Ok((tensors, _)) = &read {
        crate::told::model_has(tensors);
    }
    let refused = match read {
        _ if fault("parser-error") => vec![told_to_refuse(&model)],
        _ if fault("parser-errors") => vec![told_to_refuse(&model), model::nameless_refusal()],
        Err(why) => vec![model::refusal(&model, usize::MAX, &why)],
        Ok((tensors, layers)) => {
            let filled = Filled { tensors, layers, parser: object };
            let network = parser.network.state::<Network>();
            *network.filled.lock().expect("no panic while it is held") = Some(filled);
            return true;
        }
    };
    let entries = [
        at(&i_parser_error::CODE, error_code),
        at(&i_parser_error::DESC, error_words),
        at(&i_parser_error::NODE, error_node),
        at(&i_parser_error::NODE_NAME, error_name),
        at(&i_parser_error::NODE_OPERATOR, error_operator),
    ];
    let refused = refused.into_iter().map(|refusal| Object::new(&REFUSAL, &entries, &[], refusal));
    parser.refusals.lock().expect("no panic while it is held").extend(refused);
    log(ERROR, "the model was not parsed");
    false
}

fn told_to_refuse(model: &ModelProto) -> Refusal {
    model::refusal(model, 0, "the test library was told to refuse it")
}

extern "C" fn error_count(this: This) -> i32 {
    let parser: &Parser = Object::of(this).state();
    count(Some(parser.refusals.lock().expect("no panic while it is held").len()))
}

extern "C" fn get_error(this: This, index: i32) -> Pointer {
    let parser: &Parser = Object::of(this).state();
    let all = parser.refusals.lock().expect("no panic while it is held");
    let error = usize::try_from(index).ok().and_then(|i| all.get(i));
    error.map_or(std::ptr::null_mut(), |e| e.interface())
}

fn refused(this: This) -> &'static Refusal {
    Object::of(this).state()
}

extern "C" fn error_code(this: This) -> i32 {
    refused(this).code
}

extern "C" fn error_words(this: This) -> Text {
    refused(this).words.as_ptr()
}

extern "C" fn error_node(this: This) -> i32 {
    refused(this).node
}

extern "C" fn error_name(this: This) -> Text {
    refused(this).name.as_ptr()
}

extern "C" fn error_operator(this: This) -> Text {
    refused(this).operator.as_ptr()
}
