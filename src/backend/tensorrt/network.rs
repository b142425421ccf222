//! Reads a TensorRT network from an ONNX model, with optimisation profiles for its dynamic inputs and for those that
//! decide shapes by their values.
//!
//! A model that the parser does not accept is a failure that names the nodes. No shape is guessed.

use super::sys::abi::{Dims, Family, name_of};
use super::sys::library::{Api, without_noise};
use super::sys::object::{Layout, Object, call, said};
use super::sys::tables::{
    i_parser, i_parser_error, network_definition_creation_flag, opt_profile_selector, parser_error_code,
    v_builder, v_builder_config, v_network_definition, v_optimization_profile, v_tensor,
};
use super::sys::text::{c_text, text};
use crate::config::{Shape, Values, dims_text};
use crate::error::{Failure, FailureKind, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// More errors than this say nothing new.
const ERRORS_SHOWN: usize = 10;

/// An empty network. From TensorRT 11 on, and in TensorRT-RTX, networks are strongly typed always.
pub fn create(api: &Arc<Api>, builder: &Object, strongly_typed: Option<bool>) -> Result<Object> {
    let optional = api.family() == Family::Trt10;
    if !optional && strongly_typed == Some(false) {
        return Err(Failure::usage(format!(
            "build option `strongly-typed`: networks of {} are always strongly typed; the model's own types decide",
            api.release
        ))
        .next("take the option out, or use TensorRT 10"));
    }
    let typed = strongly_typed.unwrap_or(!optional);
    let bit = network_definition_creation_flag::STRONGLY_TYPED.of(api.family()).unwrap_or(0);
    let flags = if typed { 1_u32 << bit } else { 0 };
    let pointer = call!(builder, v_builder::CREATE_NETWORK_V2, flags);
    // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
    unsafe { Object::owned(api, pointer, Layout::Wrapper, "createNetworkV2") }
}

/// Fills the network. The parser and `bytes` must live until the engine is built: it owns the weights.
pub fn parse(api: &Arc<Api>, parser: &Object, bytes: &[u8], path: &Path) -> Result<()> {
    let path = c_text("the path", &path.to_string_lossy())?;
    let data = bytes.as_ptr().cast_mut().cast();
    if call!(parser, i_parser::PARSE, data, bytes.len(), path.as_ptr()) {
        // A parser that was content has nothing to complain about later.
        api.errors();
        return Ok(());
    }
    let count = call!(parser, i_parser::GET_NB_ERRORS);
    let mut errors = Vec::new();
    for i in 0..count {
        errors.push(parse_error(api, parser, i)?);
    }
    let logged = api.errors();
    if errors.is_empty() {
        errors = logged;
    }
    let more = errors.len().saturating_sub(ERRORS_SHOWN);
    errors.truncate(ERRORS_SHOWN);
    if more > 0 {
        errors.push(format!("and {more} more"));
    }
    Err(Failure::new(
        FailureKind::Build,
        format!("the ONNX parser of {} does not take this model: {}", api.release, errors.join("; ")),
    )
    .next("export the model without what it names (another opset often helps), or measure it with another backend"))
}

/// One of the parser's errors: the node, its operator, the code, and what is wrong.
fn parse_error(api: &Arc<Api>, parser: &Object, index: i32) -> Result<String> {
    let error = call!(parser, i_parser::GET_ERROR, index);
    // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
    let error = unsafe { Object::borrowed(api, error, Layout::Interface, "getError") }?;
    let code = call!(error, i_parser_error::CODE);
    let code =
        name_of(parser_error_code::ALL, api.family(), code).map_or_else(|| code.to_string(), str::to_owned);
    let description = without_noise(&said!(error, i_parser_error::DESC));
    let (number, name, operator) = (
        call!(error, i_parser_error::NODE),
        said!(error, i_parser_error::NODE_NAME),
        said!(error, i_parser_error::NODE_OPERATOR),
    );
    let node = match (name.is_empty(), operator.is_empty()) {
        (false, _) => format!("node `{name}` ({operator})"),
        (true, false) => format!("node {number} ({operator})"),
        (true, true) => "the model".to_owned(),
    };
    Ok(format!("{node}: {} [{}]", description.trim(), code.trim_start_matches('k')))
}

/// An input of the network.
struct Input {
    name: String,
    /// -1 where it is dynamic.
    dims: Dims,
    shape_tensor: bool,
}

fn inputs(api: &Arc<Api>, network: &Object) -> Result<Vec<Input>> {
    let count = call!(network, v_network_definition::GET_NB_INPUTS);
    (0..count)
        .map(|i| {
            let tensor = call!(network, v_network_definition::GET_INPUT, i);
            // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
            let tensor = unsafe { Object::borrowed(api, tensor, Layout::Wrapper, "getInput") }?;
            Ok(Input {
                name: said!(tensor, v_tensor::GET_NAME),
                dims: call!(tensor, v_tensor::GET_DIMENSIONS),
                shape_tensor: call!(tensor, v_tensor::IS_SHAPE_TENSOR),
            })
        })
        .collect()
}

/// Adds a profile for each of `profiles` to the configuration, where the network has dynamic inputs. Returns how many.
pub fn add_profiles(
    api: &Arc<Api>,
    builder: &Object,
    network: &Object,
    config: &Object,
    profiles: &[BTreeMap<String, Shape>],
) -> Result<u32> {
    let inputs = inputs(api, network)?;
    let is_dynamic = |input: &&Input| input.dims.as_slice().contains(&-1);
    let dynamic: Vec<&Input> = inputs.iter().filter(is_dynamic).collect();
    let deciding: Vec<&Input> = inputs.iter().filter(|i| i.shape_tensor).collect();
    if dynamic.is_empty() && deciding.is_empty() {
        return Ok(0);
    }
    for (number, shapes) in profiles.iter().enumerate() {
        let pointer = call!(builder, v_builder::CREATE_OPTIMIZATION_PROFILE);
        // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
        let profile =
            unsafe { Object::borrowed(api, pointer, Layout::Wrapper, "createOptimizationProfile") }?;
        for input in &dynamic {
            let shape = shapes.get(&input.name).ok_or_else(|| {
                Failure::usage(format!(
                    "profile {number} has no shape for the dynamic input `{}`",
                    input.name
                ))
                .next("give every dynamic input a shape in each of build.profiles")
            })?;
            set_range(api, &profile, &input.name, shape)?;
        }
        for input in &deciding {
            // Further profiles need not repeat what the case's own says.
            let mut own = [Some(shapes), profiles.first()].into_iter().flatten();
            let values = own.find_map(|p| p.get(&input.name)?.values.as_ref());
            set_values(api, &profile, &input.name, values.ok_or_else(|| no_values(input))?)?;
        }
        let index = call!(config, v_builder_config::ADD_OPTIMIZATION_PROFILE, profile.pointer());
        if index < 0 {
            return Err(api.failed(FailureKind::Build, &format!("profile {number} was not taken")));
        }
    }
    Ok(u32::try_from(profiles.len()).unwrap_or(0))
}

/// The model needs values that nobody gave.
fn no_values(input: &Input) -> Failure {
    let name = &input.name;
    let ones = match input.dims.as_slice() {
        [] => "1".to_owned(),
        dims => format!("{:?}", vec![1; dims.iter().map(|d| usize::try_from(*d).unwrap_or(1)).product()]),
    };
    Failure::usage(format!("input `{name}` decides shapes by its values, and no values are given")).next(format!(
        "give what it holds: shapes = {{ \"{name}\" = {{ values = {ones} }} }}, or --input {name}=FILE.npy"
    ))
}

/// The values of an input that decides shapes. TensorRT before 10.11 takes them in 32 bits.
fn set_values(api: &Api, profile: &Object, name: &str, values: &Values) -> Result<()> {
    let c_name = c_text("the name", name)?;
    let wide = v_optimization_profile::SET_SHAPE_VALUES_V2.slot(&api.release).is_ok();
    for (selector, values) in [
        (opt_profile_selector::MIN, &values.min),
        (opt_profile_selector::OPT, &values.opt),
        (opt_profile_selector::MAX, &values.max),
    ] {
        let (at, which) = (c_name.as_ptr(), selector.of(api.family()).unwrap_or(0));
        let count = i32::try_from(values.len()).unwrap_or(i32::MAX);
        let taken = if wide {
            call!(profile, v_optimization_profile::SET_SHAPE_VALUES_V2, at, which, values.as_ptr(), count)
        } else {
            let narrow: std::result::Result<Vec<i32>, _> = values.iter().map(|v| i32::try_from(*v)).collect();
            let narrow = narrow.map_err(|_| {
                Failure::usage(format!(
                    "the values {values:?} of `{name}` do not fit the 32 bits that {} takes",
                    api.release
                ))
                .next("give smaller values, or use TensorRT 10.11 or later")
            })?;
            call!(profile, v_optimization_profile::SET_SHAPE_VALUES, at, which, narrow.as_ptr(), count)
        };
        if !taken {
            let what = format!("the values {values:?} of input `{name}` were not taken");
            return Err(api.failed(FailureKind::Build, &what));
        }
    }
    Ok(())
}

fn set_range(api: &Api, profile: &Object, name: &str, shape: &Shape) -> Result<()> {
    let c_name = c_text("the name", name)?;
    for (selector, dims) in [
        (opt_profile_selector::MIN, &shape.min),
        (opt_profile_selector::OPT, &shape.opt),
        (opt_profile_selector::MAX, &shape.max),
    ] {
        let extents: Option<Vec<i64>> = dims.iter().map(|d| i64::try_from(*d).ok()).collect();
        let c_dims = extents.and_then(|e| Dims::new(&e)).ok_or_else(|| {
            Failure::usage(format!(
                "the shape {} of `{name}` has more than {} dimensions, which TensorRT does not have",
                dims_text(dims),
                Dims::MAX
            ))
        })?;
        let selector = selector.of(api.family()).unwrap_or(0);
        if !call!(profile, v_optimization_profile::SET_DIMENSIONS, c_name.as_ptr(), selector, &c_dims) {
            return Err(api.failed(
                FailureKind::Build,
                &format!("the shape {} of input `{name}` was not taken", dims_text(dims)),
            ));
        }
    }
    Ok(())
}
