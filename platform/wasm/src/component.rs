use wasmparser::{Encoding, Parser, Payload};
use wasmtime::component::InstancePre;

use crate::bindings::{fitter, meta, transformer};
use crate::guest::Guest;
use crate::manifest::World;
use crate::text;

/// The contract that this host speaks; other versions with the same major and minor number fit as well.
pub const CONTRACT: &str = "tiegel:plugin";
pub const CONTRACT_VERSION: &str = "0.1";

/// The interfaces that a plugin may import. `types` holds no functions. All three others are always linked: Python and
/// JavaScript components import whatever their world names. What they give is decided at the call: `artifacts` reads
/// what the manifest names and nothing else, `random` is seeded and closed to row-wise transforms, `log` is capped.
const GRANTED: [&str; 4] = ["types", "log", "random", "artifacts"];

/// Bytes of an import's or export's name in a message.
const NAME_BYTES_SHOWN: usize = 200;

/// A component's outer shape: what it wants and what it offers, by the names in the component itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Shape {
    /// Looks at a component before anything is compiled.
    ///
    /// # Errors
    /// A sentence that says why these bytes are not a plugin for this host.
    pub fn of(wasm: &[u8]) -> Result<Self, String> {
        let mut outline = Outline::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.map_err(|error| format!("it is not a WebAssembly component: {}", error.message()))?;
            outline.take(&payload)?;
        }
        outline.check()?;
        Ok(outline.shape)
    }

    /// Whether it is what its manifest calls it.
    ///
    /// # Errors
    /// A sentence that names the difference.
    pub fn is_of_world(&self, world: World) -> Result<(), String> {
        let fits = self.exports.iter().any(|name| is_contract(name, "fitter"));
        match world {
            World::Estimator if !fits => Err("its manifest calls it an estimator, but it exports no fitter".to_owned()),
            World::Transform if fits => Err("its manifest calls it a transform, but it exports a fitter".to_owned()),
            World::Estimator | World::Transform | World::RequestProcessor => Ok(()),
        }
    }
}

/// Looks at a component's outer shape.
///
/// # Errors
/// Those of [`Shape::of`].
pub fn inspect(wasm: &[u8]) -> Result<(), String> {
    Shape::of(wasm).map(drop)
}

#[derive(Default)]
struct Outline {
    depth: usize,
    shape: Shape,
}

impl Outline {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        let malformed = |error: wasmparser::BinaryReaderError| format!("it is malformed: {}", error.message());
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => {
                return Err("it is a core module; `tiegel plugin build` wraps it into a component".to_owned());
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports.clone() {
                    let name = import.map_err(malformed)?.name.name;
                    check_import(name)?;
                    self.shape.imports.push(name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports.clone() {
                    self.shape.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        for interface in ["meta", "transformer"] {
            if self.shape.exports.iter().any(|name| is_contract(name, interface)) {
                continue;
            }
            let prefix = format!("{CONTRACT}/{interface}@");
            let other = self.shape.exports.iter().find_map(|name| name.strip_prefix(&prefix));
            return Err(match other {
                Some(version) => format!(
                    "it is built for version {} of the plugin contract; this server runs {CONTRACT_VERSION}",
                    text::clean(version, NAME_BYTES_SHOWN)
                ),
                None => format!("it exports no '{prefix}{CONTRACT_VERSION}', which every plugin has"),
            });
        }
        Ok(())
    }
}

fn check_import(name: &str) -> Result<(), String> {
    if GRANTED.iter().any(|granted| is_contract(name, granted)) {
        return Ok(());
    }
    let name = text::clean(name, NAME_BYTES_SHOWN);
    Err(format!("it imports '{name}', which no plugin is given; there are log, random and artifacts of {CONTRACT}"))
}

/// Whether `name` is this interface of the contract in a version that fits.
fn is_contract(name: &str, interface: &str) -> bool {
    let version = name.strip_prefix(CONTRACT).and_then(|rest| rest.strip_prefix('/'));
    let version = version.and_then(|rest| rest.strip_prefix(interface)).and_then(|rest| rest.strip_prefix('@'));
    let patch = version.and_then(|version| version.strip_prefix(CONTRACT_VERSION));
    patch.and_then(|patch| patch.strip_prefix('.')).is_some_and(|patch| patch.parse::<u32>().is_ok())
}

/// A component whose imports are resolved, ready to be instantiated many times.
pub struct Code {
    pub pre: InstancePre<Guest>,
    pub meta: meta::GuestIndices,
    pub transformer: transformer::GuestIndices,
    /// None for a plugin that learns nothing.
    pub fitter: Option<fitter::GuestIndices>,
}

impl Code {
    /// # Errors
    /// When the component's functions do not have the contract's types.
    pub fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        let meta = meta::GuestIndices::new(&pre)?;
        let transformer = transformer::GuestIndices::new(&pre)?;
        let exports_fitter =
            pre.component().component_type().exports(pre.engine()).any(|(name, _)| is_contract(name, "fitter"));
        let fitter = exports_fitter.then(|| fitter::GuestIndices::new(&pre)).transpose()?;
        Ok(Self { pre, meta, transformer, fitter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_contracts_interfaces_of_this_version_are_granted() {
        assert!(check_import("tiegel:plugin/log@0.1.0").is_ok());
        assert!(check_import("tiegel:plugin/types@0.1.7").is_ok());
        for bad in
            ["tiegel:plugin/log@0.2.0", "tiegel:plugin/log@0.10", "tiegel:plugin/clock@0.1.0", "wasi:io/poll@0.2.0"]
        {
            assert!(check_import(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_component_are_refused_with_a_reason() {
        assert_eq!(inspect(b"").unwrap_err(), "it is not a WebAssembly component: unexpected end-of-file");
        assert!(inspect(b"PK\x03\x04 a zip file").unwrap_err().starts_with("it is not a WebAssembly component: "));
        let core = b"\0asm\x01\0\0\0";
        assert_eq!(inspect(core).unwrap_err(), "it is a core module; `tiegel plugin build` wraps it into a component");
        let empty = b"\0asm\x0d\0\x01\0";
        assert_eq!(inspect(empty).unwrap_err(), "it exports no 'tiegel:plugin/meta@0.1', which every plugin has");
    }
}
