//! Takes out of a component what only debuggers read.

use std::ops::Range;

use wasm_encoder::Encode;
use wasmparser::{BinaryReaderError, Parser, Payload};

/// Bytes before the first section: the magic number, the version and the layer.
const HEADER_BYTES: usize = 8;

const MODULE_SECTION: u8 = 1;
const COMPONENT_SECTION: u8 = 4;

/// The same component without the names, producers and debug information of its modules.
///
/// # Errors
/// When the bytes are no component.
pub fn strip(component: &[u8]) -> Result<Vec<u8>, String> {
    stripped(component).map_err(|error| error.message().to_owned())
}

fn stripped(binary: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let part = |range: Range<u64>| &binary[range.start as usize..range.end as usize];
    let mut kept = binary.get(..HEADER_BYTES).unwrap_or(binary).to_vec();
    let mut append = |id: u8, body: &[u8]| {
        kept.push(id);
        body.encode(&mut kept);
    };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::ModuleSection { unchecked_range, .. } => {
                if depth == 0 {
                    append(MODULE_SECTION, &stripped(part(unchecked_range))?);
                }
                depth += 1;
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                if depth == 0 {
                    append(COMPONENT_SECTION, &stripped(part(unchecked_range))?);
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            // What lies deeper was kept with its whole module.
            _ if depth > 0 => {}
            Payload::CustomSection(section) if is_debug(section.name()) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    append(id, part(range));
                }
            }
        }
    }
    Ok(kept)
}

fn is_debug(name: &str) -> bool {
    matches!(name, "name" | "component-name" | "producers" | "target_features") || name.starts_with(".debug_")
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{Component, CustomSection, Module, ModuleSection, TypeSection};

    use super::*;

    fn custom(name: &'static str) -> CustomSection<'static> {
        CustomSection { name: name.into(), data: b"text".as_slice().into() }
    }

    fn component(sections: &[&'static str]) -> Vec<u8> {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        sections.iter().for_each(|name| _ = module.section(&custom(name)));
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        sections.iter().for_each(|name| _ = component.section(&custom(name)));
        component.finish()
    }

    #[test]
    fn names_and_debug_information_go_at_every_depth_and_the_rest_stays() {
        let whole = component(&["name", "tiegel:manifest", ".debug_info", "producers"]);
        assert_eq!(strip(&whole).unwrap(), component(&["tiegel:manifest"]));
        assert!(strip(b"no component").unwrap_err().contains("bad magic number"));
    }
}
