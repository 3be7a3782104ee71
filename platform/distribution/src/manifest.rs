//! Image manifests of two kinds: a plugin (one layer, the component) and a signature (which refers to a plugin's manifest).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tiegel_signing::Signature;
use tiegel_types::Digest;

use crate::{Code, RegistryError, RegistryResult};

pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
pub const COMPONENT_TYPE: &str = "application/wasm";
/// Of the artifact, and of its one layer, which is the signature as text.
pub const SIGNATURE_TYPE: &str = "application/vnd.tiegel.plugin.signature.v1";
/// Where a plugin's manifest may carry its signature itself.
pub const SIGNATURE_ANNOTATION: &str = "dev.tiegel.plugin.signature";
pub const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// What the config of an artifact without one holds.
pub const EMPTY: &[u8] = b"{}";
/// Bytes of a manifest.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;

const SCHEMA_VERSION: u32 = 2;
/// A time would make each manifest of the same component another one.
const CREATED: &str = "1970-01-01T00:00:00Z";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A manifest as its bytes, with those of its config; the layer's are elsewhere, or small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub digest: Digest,
    pub config: Vec<u8>,
}

impl Descriptor {
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        Self::new(media_type, Digest::of(content), content.len() as u64)
    }

    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, artifact_type: None, annotations: None }
    }
}

impl Manifest {
    /// # Errors
    /// When it is neither a plugin's nor a signature's.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> RegistryResult<Self> {
        let invalid = |why: String| RegistryError::new(Code::ManifestInvalid, why);
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|e| invalid(format!("this is no image manifest, the only kind that is taken here: {e}")))?;
        let declared = manifest.media_type.as_deref().unwrap_or(MANIFEST_TYPE);
        let sent = content_type.unwrap_or(declared);
        if manifest.schema_version != SCHEMA_VERSION || declared != MANIFEST_TYPE || sent != declared {
            return Err(invalid(format!(
                "a manifest here has schemaVersion {SCHEMA_VERSION} and the media type {MANIFEST_TYPE}; this one has \
                 {} and {declared}, and was sent as {sent}",
                manifest.schema_version
            )));
        }
        if !manifest.is_signature() && !manifest.is_plugin() {
            return Err(invalid(format!(
                "this registry holds plugins: a config of {CONFIG_TYPE} and one layer of {COMPONENT_TYPE}; and their \
                 signatures: the artifact type {SIGNATURE_TYPE}, one layer, and a subject"
            )));
        }
        Ok(manifest)
    }

    pub fn is_signature(&self) -> bool {
        self.artifact_type() == SIGNATURE_TYPE && self.layers.len() == 1 && self.subject.is_some()
    }

    pub fn is_plugin(&self) -> bool {
        let one = matches!(self.layers.as_slice(), [layer] if layer.media_type == COMPONENT_TYPE);
        one && self.config.media_type == CONFIG_TYPE && self.subject.is_none()
    }

    /// What it says it is, or else what its config is.
    pub fn artifact_type(&self) -> &str {
        self.artifact_type.as_deref().unwrap_or(&self.config.media_type)
    }

    /// The one layer that both kinds have.
    pub fn layer(&self) -> RegistryResult<&Descriptor> {
        let none = || RegistryError::new(Code::ManifestInvalid, "the manifest names no layer");
        self.layers.first().ok_or_else(none)
    }

    fn finish(self, config: Vec<u8>) -> Artifact {
        let bytes = serde_json::to_vec(&self).expect("a manifest has text keys only");
        Artifact { digest: Digest::of(&bytes), manifest: self, bytes, config }
    }

    fn new(config: Descriptor, layer: Descriptor) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            media_type: Some(MANIFEST_TYPE.to_owned()),
            artifact_type: None,
            config,
            layers: vec![layer],
            subject: None,
            annotations: None,
        }
    }
}

/// The manifest of a component: the same wherever it is made.
pub fn plugin_artifact(component: (Digest, u64), name: &str, version: &str) -> Artifact {
    let (digest, size) = component;
    let config = json!({
        "created": CREATED, "architecture": "wasm", "os": "wasip2", "layerDigests": [digest],
    });
    let config = config.to_string().into_bytes();
    let mut manifest =
        Manifest::new(Descriptor::of(CONFIG_TYPE, &config), Descriptor::new(COMPONENT_TYPE, digest, size));
    let title = |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), value.to_owned());
    manifest.annotations = Some([title("title", name), title("version", version)].into());
    manifest.finish(config)
}

/// A signature of the component of another manifest, which it refers to.
pub fn signature_artifact(signature: &Signature, subject: (Digest, u64)) -> Artifact {
    let text = signature.to_string();
    let layer = Descriptor::of(SIGNATURE_TYPE, text.as_bytes());
    let mut manifest = Manifest::new(Descriptor::of(EMPTY_TYPE, EMPTY), layer);
    manifest.artifact_type = Some(SIGNATURE_TYPE.to_owned());
    manifest.subject = Some(Descriptor::new(MANIFEST_TYPE, subject.0, subject.1));
    manifest.finish(EMPTY.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_a_component_is_the_same_wherever_it_is_made() {
        let component = (Digest::of(b"component"), 9);
        let made = plugin_artifact(component, "zscore", "1.0.0");
        assert_eq!(made, plugin_artifact(component, "zscore", "1.0.0"));
        let read = Manifest::parse(&made.bytes, Some(MANIFEST_TYPE)).unwrap();
        assert_eq!(read, made.manifest);
        assert!(read.is_plugin() && !read.is_signature());
        assert_eq!(read.layer().unwrap().digest, component.0);
        assert_eq!(read.config.digest, Digest::of(&made.config));
    }

    #[test]
    fn what_is_neither_a_plugin_nor_a_signature_is_refused_with_what_is_taken() {
        let made = plugin_artifact((Digest::of(b"component"), 9), "zscore", "1.0.0").manifest;
        let refused = |manifest: &Manifest, sent: &str| {
            Manifest::parse(&serde_json::to_vec(manifest).unwrap(), Some(sent)).unwrap_err().message
        };
        let image =
            Manifest { config: Descriptor::of("application/vnd.oci.image.config.v1+json", b"{}"), ..made.clone() };
        assert!(refused(&image, MANIFEST_TYPE).contains("this registry holds plugins"));
        let two = Manifest { layers: [made.layers.clone(), made.layers.clone()].concat(), ..made.clone() };
        assert!(refused(&two, MANIFEST_TYPE).contains("one layer"));
        assert!(refused(&made, INDEX_TYPE).contains("was sent as"));
        assert!(Manifest::parse(b"[]", None).unwrap_err().message.contains("no image manifest"));
    }
}
