//! Reads what an engine says about its layers.

use super::context::Context;
use super::runtime::{Engine, as_measure_failure};
use super::sys::object::{Layout, Object, call, said};
use super::sys::tables::{
    layer_information_format, v_cuda_engine as engine, v_engine_inspector as inspector,
};
use super::sys::text::text;
use crate::error::Result;

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
}
