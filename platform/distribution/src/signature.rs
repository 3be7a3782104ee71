//! Signatures that arrive as artifacts: before the manifest that they are about, or after it.

use tiegel_signing::{SIGNATURE_BYTES_MAX, Signature};
use tiegel_store::{Reference, Repository};
use tiegel_types::Digest;

use crate::manifest::{Descriptor, Manifest};
use crate::{Code, Registry, RegistryError, RegistryResult};

impl Registry {
    /// Reads a signature artifact and answers whose it is. Where the manifest that it is about is there, it must fit.
    pub(crate) async fn take_signature(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        subject: Digest,
    ) -> RegistryResult<String> {
        let signature = self.read_signature(manifest.layer()?).await?;
        let signed = self.ctx.store.manifest(repository, &Reference::Digest(subject)).await?;
        if let Some(component) = signed.and_then(|signed| signed.component) {
            signature.verify(&component).map_err(|e| RegistryError::new(Code::Denied, e.to_string()))?;
            self.ctx.add_signatures(&component, &[signature]).await?;
        }
        Ok(signature.key().to_string())
    }

    /// Those that were pushed for a manifest before it came.
    pub(crate) async fn pushed_signatures(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> RegistryResult<Vec<Signature>> {
        let mut signatures = Vec::new();
        for row in self.ctx.store.manifests_about(repository, subject).await? {
            let manifest = Manifest::parse(&self.manifest_bytes(&row).await?, None)?;
            signatures.push(self.read_signature(manifest.layer()?).await?);
        }
        Ok(signatures)
    }

    async fn read_signature(&self, layer: &Descriptor) -> RegistryResult<Signature> {
        let invalid = |why: String| RegistryError::new(Code::ManifestInvalid, why);
        if layer.size > SIGNATURE_BYTES_MAX as u64 {
            return Err(invalid(format!("a signature has at most {SIGNATURE_BYTES_MAX} bytes")));
        }
        let text = self.ctx.blobs.get(&layer.digest).await?;
        String::from_utf8_lossy(&text).parse().map_err(|e: tiegel_signing::SigningError| invalid(e.to_string()))
    }
}
