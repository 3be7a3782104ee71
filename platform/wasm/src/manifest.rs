//! `tiegel-plugin.toml`: what a plugin is, what it asks for and how much it may use.
//!
//! A built component carries it in a custom section (see `package`), so that one digest covers code and manifest.

use serde::{Deserialize, Serialize};

/// Where a plugin's folder keeps it.
pub const FILE: &str = "tiegel-plugin.toml";

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

    /// As a component carries it.
    ///
    /// # Errors
    /// Those of [`Self::parse`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| ManifestError::Malformed(error.to_string()))?;
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
        let Limits { memory_mib, wall_ms, output_mib, log_kib: _ } = self.limits;
        if [memory_mib, wall_ms, output_mib].contains(&Some(0)) {
            return invalid("limits", "leave something to work with: 0 is for log_kib only");
        }
        Ok(())
    }
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
    fn the_json_of_a_manifest_is_the_same_manifest() {
        let manifest = Manifest::parse(TEXT).unwrap();
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn a_manifest_that_asks_for_what_it_may_not_have_is_refused_by_field() {
        let refused = |text: &str| Manifest::parse(text).unwrap_err().to_string();
        let escaping = format!("{TEXT}\n[capabilities]\nartifacts = [\"../secret\"]");
        assert!(refused(&escaping).contains("`capabilities.artifacts` are files within"), "{}", refused(&escaping));
        assert!(refused(&format!("{TEXT}\n[capabilities]\nnetwork = true")).contains("unknown field `network`"));
        assert!(refused(&format!("{TEXT}\n[limits]\nwall_ms = 0")).contains("`limits` leave something"));
        assert!(refused(&TEXT.replace("zscore", "Z Score")).contains("`name` is made of lowercase letters"));
    }
}
