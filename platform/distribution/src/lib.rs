//! Plugins as other registries' clients see them: each plugin of a project is an OCI repository, each version a tag.
//!
//! Invariants: a tag is a version of a plugin that was validated and compiled, and names the same component for ever; what
//! the native API took is there for OCI clients too, under a manifest that only depends on the component. A manifest is
//! stored only when all that it names is.

mod error;
mod manifest;
mod publish;
mod push;
mod repository;
mod signature;
mod uploads;

pub use error::{Code, RegistryError, RegistryResult};
pub use manifest::{
    Artifact, COMPONENT_TYPE, CONFIG_TYPE, Descriptor, EMPTY, EMPTY_TYPE, INDEX_TYPE, MANIFEST_BYTES_MAX,
    MANIFEST_TYPE, Manifest, SIGNATURE_ANNOTATION, SIGNATURE_TYPE, plugin_artifact, signature_artifact,
};
pub use publish::tag_of;
pub use push::Pushed;
pub use repository::Registry;
pub use uploads::{CHUNK_BYTES_MIN, Chunk, Session};
