//! Reads what an engine says about its layers, and notes what its tactics are known by.

use super::context::Context;
use super::gpu_to_load;
use super::run::load_engine;
use super::runtime::{Engine, as_measure_failure};
use super::sys::library::Api;
use super::sys::object::{Layout, Object, call, said};
use super::sys::tables::{
    layer_information_format, v_cuda_engine as engine, v_engine_inspector as inspector,
};
use super::sys::text::text;
use crate::backend::Payload;
use crate::config::TensorrtOptions;
use crate::engine::TACTICS;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::{EngineLayers, inspect};
use std::sync::Arc;

impl Engine {
    /// The inspector's JSON of all layers, for the shapes of `of` where a context is given.
    pub fn layer_information(&self, of: Option<&Context>) -> Result<String> {
        let api = self.object().api();
        let pointer = call!(self.object(), engine::CREATE_ENGINE_INSPECTOR);
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let object = unsafe { Object::owned(api, pointer, Layout::Wrapper, "createEngineInspector") }
            .map_err(as_measure_failure)?;
        if let Some(of) = of {
            let accepted = call!(object, inspector::SET_EXECUTION_CONTEXT, of.object().pointer());
            api.ensure_accepted(accepted, "the inspector does not take the context")?;
        }
        let json = layer_information_format::JSON.of(api.family()).unwrap_or(1);
        Ok(said!(object, inspector::GET_ENGINE_INFORMATION, json))
    }

    /// The same, read.
    pub fn inspected(&self, of: Option<&Context>) -> Result<EngineLayers> {
        inspect(&self.layer_information(of)?).map_err(|why| {
            Failure::new(FailureKind::Measure, format!("what the engine says of its layers {why}"))
                .next("report it with the version of the library")
        })
    }
}

/// A built plan with the fingerprint of its layers among its facts; the reason, where that cannot be had: an engine without
/// it is measured all the same.
pub(super) fn with_tactics(
    api: &Arc<Api>,
    device: u32,
    options: &TensorrtOptions,
    mut payload: Payload,
) -> Payload {
    let plan = payload.parts.first().map_or(&b""[..], |(_, plan)| plan.as_slice());
    let found = gpu_to_load(api, device).and_then(|_gpu| {
        let plugins = options.plugins.as_deref().unwrap_or_default();
        load_engine(api, options, plugins, plan, None)?.inspected(None)
    });
    match found.map(|engine| engine.fingerprint) {
        Ok(Some(fingerprint)) => drop(payload.facts.insert(TACTICS.into(), fingerprint)),
        Ok(None) => {}
        Err(why) => drop(payload.facts.insert(format!("{TACTICS} not known"), why.message)),
    }
    payload
}
