use wit_component::ComponentEncoder;

use crate::component;

/// Why a core module cannot become a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    #[error("the module cannot be wrapped into a component: {0}")]
    Encode(String),
    #[error("the component is no plugin: {0}")]
    NotAPlugin(String),
}

/// Wraps a core module, built for `wasm32-unknown-unknown` with the SDK, into a component.
///
/// # Errors
/// When the module carries no interface of the contract, or imports what no plugin is given.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    let encode = |error| ComponentizeError::Encode(format!("{error:#}"));
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(core_module).map_err(encode)?;
    let component = encoder.encode().map_err(encode)?;
    component::inspect(&component).map_err(ComponentizeError::NotAPlugin)?;
    Ok(component)
}
