//! `tiegel-plugin.toml`: what a plugin is, what it asks for and how much it may use.
//!
//! A built component carries it in a custom section, so that one digest covers code and manifest.

use serde::{Deserialize, Serialize};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

/// Where a plugin's folder keeps it.
pub const FILE: &str = "tiegel-plugin.toml";

/// Where a component carries it, as the JSON of [`Manifest`].
const SECTION: &str = "tiegel:manifest";

const MANIFEST_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{FILE}: {0}")]
    Malformed(String),
    #[error("{FILE}: `{field}` {why}")]
    Invalid { field: &'static str, why: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub world: World,
    pub summary: String,
    /// An SPDX expression.
    pub license: Option<String>,
    pub build: Build,
    #[serde(default)]
    pub capabilities: Capabilities,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub reuse: Reuse,
}

/// Which exports of the contract it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    Transform,
    Estimator,
    RequestProcessor,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub language: Language,
    /// The file that the plugin's class is in, for languages that need it; relative to the folder.
    pub entry: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// TypeScript too.
    Js,
    Rust,
    Python,
}

/// What it asks the host for beyond its input. A host grants at most this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Files that lie beside the manifest and travel with the component.
    pub artifacts: Vec<String>,
}

/// What a call may use; a host's own limits are never raised by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub memory_mib: Option<u32>,
    pub wall_ms: Option<u32>,
    pub output_mib: Option<u32>,
    pub log_kib: Option<u32>,
}

/// What becomes of an instance after a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reuse {
    pub policy: Policy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Kept for the next call.
    #[default]
    Warm,
    /// Dropped: every call sees a fresh one.
    Ephemeral,
}

impl Manifest {
    /// # Errors
    /// When a field is missing, unknown or of the wrong form.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let invalid = |field, why: &str| Err(ManifestError::Invalid { field, why: why.to_owned() });
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(is_word) {
            return invalid("name", "is made of lowercase letters, digits and hyphens");
        }
        if self.version.split('.').count() != 3 {
            return invalid("version", "is a semantic version such as 1.0.0");
        }
        let escapes = |name: &str| {
            let parts = std::path::Path::new(name).components();
            name.is_empty() || parts.into_iter().any(|part| !matches!(part, std::path::Component::Normal(_)))
        };
        if self.capabilities.artifacts.iter().any(|name| escapes(name)) {
            return invalid("capabilities.artifacts", "are files within the plugin's folder, by relative paths");
        }
        Ok(())
    }
}

/// The component with its manifest.
pub fn embed(manifest: &Manifest, component: &[u8]) -> Vec<u8> {
    let json = serde_json::to_vec(manifest).expect("a manifest has string keys only");
    let mut embedded = component.to_vec();
    CustomSection { name: SECTION.into(), data: json.into() }.append_to_component(&mut embedded);
    embedded
}

/// The manifest that a component carries; none where it carries none.
///
/// # Errors
/// When it is malformed, too large, or there are two.
pub fn read(component: &[u8]) -> Result<Option<Manifest>, ManifestError> {
    let malformed = |why: &str| ManifestError::Malformed(why.to_owned());
    let mut found = None;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| malformed(error.message()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = usize::saturating_sub(depth, 1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                if found.is_some() {
                    return Err(malformed("the component carries two"));
                }
                if section.data().len() > MANIFEST_BYTES_MAX {
                    return Err(malformed("the component carries one that is too large"));
                }
                let manifest: Manifest =
                    serde_json::from_slice(section.data()).map_err(|error| malformed(&error.to_string()))?;
                manifest.check()?;
                found = Some(manifest);
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
name = "zscore"
version = "1.0.0"
world = "estimator"
summary = "Centres and scales."

[build]
language = "rust"
"#;

    #[test]
    fn a_component_carries_the_manifest_it_was_built_with() {
        let manifest = Manifest::parse(TEXT).unwrap();
        let component = embed(&manifest, b"\0asm\x0d\0\x01\0");
        assert_eq!(read(&component).unwrap(), Some(manifest.clone()));
        assert_eq!(read(b"\0asm\x0d\0\x01\0").unwrap(), None);
        let twice = read(&embed(&manifest, &component)).unwrap_err();
        assert_eq!(twice.to_string(), "tiegel-plugin.toml: the component carries two");
    }

    #[test]
    fn a_manifest_that_asks_for_what_it_may_not_have_is_refused_by_field() {
        let refused = |text: &str| Manifest::parse(text).unwrap_err().to_string();
        let escaping = format!("{TEXT}\n[capabilities]\nartifacts = [\"../secret\"]");
        assert!(refused(&escaping).contains("`capabilities.artifacts` are files within"), "{}", refused(&escaping));
        assert!(refused(&format!("{TEXT}\n[capabilities]\nnetwork = true")).contains("unknown field `network`"));
        assert!(refused(&TEXT.replace("zscore", "Z Score")).contains("`name` is made of lowercase letters"));
    }
}
