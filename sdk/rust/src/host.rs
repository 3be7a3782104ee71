use crate::bindings::transform::tiegel::plugin::{artifacts, random};
use crate::{PluginError, Result};

/// Bytes of an artifact that one read asks for.
const READ_BYTES: u32 = 1 << 20;

/// A number that the host seeds from (plugin, config, chunk), so that a re-run sees the same ones. It traps inside the
/// `transform` of a row-wise plugin.
///
/// # Panics
/// Outside Wasm, where there is no host to ask.
pub fn random_u64() -> u64 {
    random::next_u64()
}

/// A file that was granted to the plugin: a vocabulary, a lookup table.
///
/// # Errors
/// When no file of that name was granted.
///
/// # Panics
/// Outside Wasm, where there is no host to ask.
pub fn artifact(name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let part = artifacts::read(name, bytes.len() as u64, READ_BYTES).map_err(PluginError::unsupported)?;
        bytes.extend_from_slice(&part);
        if part.len() < READ_BYTES as usize {
            return Ok(bytes);
        }
    }
}
