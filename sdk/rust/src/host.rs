use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::meta::tiegel::plugin::{artifacts, random};
use crate::{PluginError, Result};

/// Bytes of an artifact that one read asks for.
const READ_BYTES: u32 = 1 << 20;

thread_local! {
    static PROVIDED: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A number that the host seeds from (plugin, config, chunk), so that a re-run sees the same ones. It traps inside the
/// `transform` of a row-wise plugin.
///
/// # Panics
/// Outside Wasm, where there is no host to ask.
pub fn random_u64() -> u64 {
    random::next_u64()
}

/// A whole file that was granted to the plugin: a vocabulary, a lookup table. Outside Wasm, what `provide_artifact` gave.
///
/// # Errors
/// When no file of that name was granted.
pub fn artifact(name: &str) -> Result<Vec<u8>> {
    if cfg!(target_arch = "wasm32") {
        // The host's words name the file.
        return whole(|offset| artifacts::read(name, offset, READ_BYTES)).map_err(PluginError::unsupported);
    }
    PROVIDED.with_borrow(|provided| provided.get(name).cloned()).ok_or_else(|| {
        PluginError::unsupported(format!(
            "artifact '{name}': no host grants it here; a test calls provide_artifact first"
        ))
    })
}

/// Grants a file to the plugins of this thread, for tests without Wasm.
pub fn provide_artifact(name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
    PROVIDED.with_borrow_mut(|provided| provided.insert(name.into(), bytes.into()));
}

/// Reads until a piece is empty: a host may answer shorter pieces than it was asked for.
fn whole(mut read: impl FnMut(u64) -> std::result::Result<Vec<u8>, String>) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        let piece = read(bytes.len() as u64)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_joined_from_pieces_of_any_length() {
        let file: Vec<u8> = (0..1_000u32).map(|i| i as u8).collect();
        let read = |offset: u64| {
            let from = offset as usize;
            Ok(file[from..(from + 1 + from % 300).min(file.len())].to_vec())
        };
        assert_eq!(whole(read).unwrap(), file);
        assert_eq!(whole(|offset| if offset == 0 { Ok(vec![1]) } else { Err("gone".to_owned()) }).unwrap_err(), "gone");
    }

    #[test]
    fn a_file_that_was_not_granted_is_refused_by_name() {
        provide_artifact("vocab.txt", "a\nb");
        assert_eq!(artifact("vocab.txt").unwrap(), b"a\nb");
        let error = artifact("other.txt").unwrap_err();
        assert!(error.message.starts_with("artifact 'other.txt': "), "{error}");
    }
}
