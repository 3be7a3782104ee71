use tiegel_signing::Signature;
use tiegel_store::{NewPlugin, PluginRow, StoredSignature};
use tiegel_types::{Digest, Name, PluginDescriptor, limits};

use crate::{Context, OpError, OpResult};

/// A component on its way into a project.
pub struct PluginUpload {
    pub project: Name,
    pub wasm: Vec<u8>,
    pub signatures: Vec<Signature>,
}

impl Context {
    /// Makes sure that a project may use a stored plugin and that its compiled code is at hand. Cheap when it is.
    pub async fn ensure_plugin(&self, project: &Name, digest: Digest) -> OpResult<()> {
        if self.trust.is_required_in(project) {
            self.check_signed(project, &digest, &[]).await?;
        }
        if self.plugins.is_installed(&digest) {
            return Ok(());
        }
        let wasm = self.blobs.get(&digest).await?;
        let host = self.plugins.clone();
        self.blocking(move || host.install(&wasm)).await??;
        Ok(())
    }

    /// Validates, compiles and stores a component, and makes it the plugin that it says it is, unless `check` refuses
    /// that. Nothing of it is compiled before its signatures were looked at.
    pub async fn install_plugin(
        &self,
        upload: PluginUpload,
        check: impl FnOnce(&PluginDescriptor) -> OpResult<()>,
    ) -> OpResult<PluginRow> {
        let PluginUpload { project, wasm, signatures } = upload;
        if wasm.len() > limits::PLUGIN_BYTES_MAX {
            let message =
                format!("the plugin has {} bytes; at most {} are taken", wasm.len(), limits::PLUGIN_BYTES_MAX);
            return Err(OpError::Limit(message));
        }
        let (digest, wasm) = self.blocking(move || (Digest::of(&wasm), wasm)).await?;
        self.check_signed(&project, &digest, &signatures).await?;
        let host = self.plugins.clone();
        let (wasm, descriptor) = self
            .blocking(move || {
                let descriptor = host.install(&wasm);
                (wasm, descriptor)
            })
            .await?;
        let descriptor = descriptor?;
        let name = Name::new(descriptor.name.clone()).map_err(|e| OpError::invalid("invalid_plugin", e.to_string()))?;
        check(&descriptor)?;
        let (bytes, created_ms) = (wasm.len() as u64, self.now_ms());
        self.blobs.put_bytes(wasm.into()).await?;
        self.store.ensure_project(&project, created_ms).await?;
        self.add_signatures(&digest, &signatures).await?;
        let version = descriptor.version.clone();
        let new = NewPlugin { project, name, version, digest, descriptor, bytes, created_ms };
        Ok(self.store.add_plugin(new).await?)
    }

    /// Adds signatures that were verified.
    pub async fn add_signatures(&self, digest: &Digest, signatures: &[Signature]) -> OpResult<()> {
        let stored = |s: &Signature| StoredSignature { signer: s.key().to_string(), signature: s.to_string() };
        Ok(self.store.add_signatures(digest, signatures.iter().map(stored).collect(), self.now_ms()).await?)
    }

    /// Refuses a component whose signatures, those that are stored and those that came with it, do not let it in.
    async fn check_signed(&self, project: &Name, digest: &Digest, given: &[Signature]) -> OpResult<()> {
        let refused = |why: String| OpError::invalid("plugin_signature", why);
        let mut stored = self.store.signatures(&[*digest]).await?;
        let mut signatures = given.to_vec();
        for row in stored.remove(digest).unwrap_or_default() {
            signatures.push(row.signature.parse().map_err(|e: tiegel_signing::SigningError| refused(e.to_string()))?);
        }
        self.trust.check(project, digest, &signatures).map_err(refused)
    }
}
