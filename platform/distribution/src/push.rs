//! Taking manifests.

use bytes::Bytes;
use tiegel_context::{OpError, PluginUpload};
use tiegel_signing::Signature;
use tiegel_store::{ManifestRow, NewManifest, Reference, Repository};
use tiegel_types::{Digest, PluginDescriptor, limits};

use crate::manifest::{Descriptor, Manifest, SIGNATURE_ANNOTATION};
use crate::publish::tag_of;
use crate::{Code, Registry, RegistryError, RegistryResult};

/// A manifest that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    pub subject: Option<Digest>,
}

impl Registry {
    /// Stores a manifest; one with a tag makes its component that version of the plugin.
    ///
    /// # Errors
    /// When it or what it names is not what it should be, or the project does not take the plugin.
    pub async fn push(
        &self,
        repository: &Repository,
        reference: &Reference,
        (content_type, body): (Option<&str>, Bytes),
    ) -> RegistryResult<Pushed> {
        let manifest = Manifest::parse(&body, content_type)?;
        let digest = Digest::of(&body);
        if let Reference::Digest(expected) = reference
            && *expected != digest
        {
            let message = format!("the manifest has the digest {digest}, not {expected}");
            return Err(RegistryError::new(Code::DigestInvalid, message));
        }
        for named in manifest.layers.iter().chain([&manifest.config]) {
            self.check_named(repository, named).await?;
        }
        let mut row = self.row(digest, body.len(), &manifest);
        let mut tag = None;
        match (reference, &manifest.subject) {
            (Reference::Tag(_), Some(_)) => {
                let message = "a signature is pushed by its digest; tags are versions of the plugin";
                return Err(RegistryError::new(Code::ManifestInvalid, message));
            }
            (Reference::Digest(_), Some(subject)) => {
                row.subject = Some(subject.digest);
                row.signer = Some(self.take_signature(repository, &manifest, subject.digest).await?);
            }
            (Reference::Digest(_), None) => row.component = Some(manifest.layer()?.digest),
            (Reference::Tag(version), None) => {
                row.component = Some(manifest.layer()?.digest);
                self.install(repository, &manifest, (digest, version)).await?;
                tag = Some(version.clone());
            }
        }
        let subject = row.subject;
        self.ctx.blobs.put_bytes(body).await?;
        self.ctx.store.put_manifest(repository, NewManifest { manifest: row, tag }).await?;
        Ok(Pushed { digest, subject })
    }

    pub(crate) fn row(&self, digest: Digest, bytes: usize, manifest: &Manifest) -> ManifestRow {
        ManifestRow {
            digest,
            bytes: bytes as u64,
            component: None,
            subject: None,
            signer: None,
            names: manifest.layers.iter().chain([&manifest.config]).map(|named| named.digest).collect(),
            annotations: manifest.annotations.clone().unwrap_or_default(),
            created_ms: self.ctx.now_ms(),
        }
    }

    async fn check_named(&self, repository: &Repository, named: &Descriptor) -> RegistryResult<()> {
        let found = self.blob_size(repository, &named.digest).await;
        let size = found.map_err(|error| match error.code {
            Code::BlobUnknown => RegistryError::new(Code::ManifestBlobUnknown, error.message),
            _ => error,
        })?;
        if size == named.size {
            return Ok(());
        }
        let message = format!("blob {} has {size} bytes, and the manifest says {}", named.digest, named.size);
        Err(RegistryError::new(Code::ManifestInvalid, message))
    }

    /// Through the door of the native API: signatures, validation, compilation.
    async fn install(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        (digest, tag): (Digest, &str),
    ) -> RegistryResult<()> {
        let layer = manifest.layer()?;
        if layer.size > limits::PLUGIN_BYTES_MAX as u64 {
            let message = format!("a plugin has at most {} MiB", limits::PLUGIN_BYTES_MAX >> 20);
            return Err(RegistryError::new(Code::SizeInvalid, message));
        }
        let mut signatures = self.pushed_signatures(repository, &digest).await?;
        if let Some(text) = manifest.annotations.as_ref().and_then(|all| all.get(SIGNATURE_ANNOTATION)) {
            let signature: Signature =
                text.parse().map_err(|e| RegistryError::new(Code::ManifestInvalid, format!("{e}")))?;
            signatures.push(signature);
        }
        let wasm = self.ctx.blobs.get(&layer.digest).await?.to_vec();
        let upload = PluginUpload { project: repository.project.clone(), wasm, signatures };
        self.ctx.install_plugin(upload, |descriptor| agrees(repository, tag, descriptor)).await?;
        Ok(())
    }
}

fn agrees(repository: &Repository, tag: &str, descriptor: &PluginDescriptor) -> Result<(), OpError> {
    let PluginDescriptor { name, version, .. } = descriptor;
    if *name == repository.plugin.as_str() && tag_of(version) == tag {
        return Ok(());
    }
    let Repository { project, plugin } = repository;
    Err(OpError::invalid(
        "plugin_name",
        format!(
            "the component says that it is {name}@{version}, and was pushed as {plugin}:{tag}: push it as \
             plugins/{project}/{name}:{}",
            tag_of(version)
        ),
    ))
}
