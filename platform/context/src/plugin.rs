use tiegel_types::{Digest, PluginDescriptor, limits};

use crate::{Context, OpError, OpResult};

impl Context {
    /// Makes sure that the compiled code of a stored plugin is at hand. Cheap when it is.
    pub async fn ensure_plugin(&self, digest: Digest) -> OpResult<()> {
        if self.plugins.is_installed(&digest) {
            return Ok(());
        }
        let wasm = self.blobs.get(&digest).await?;
        let host = self.plugins.clone();
        self.blocking(move || host.install(&wasm)).await??;
        Ok(())
    }

    /// Validates, compiles and stores a component.
    pub async fn install_plugin(&self, wasm: Vec<u8>) -> OpResult<(Digest, PluginDescriptor)> {
        if wasm.len() > limits::PLUGIN_BYTES_MAX {
            let message =
                format!("the plugin has {} bytes; at most {} are taken", wasm.len(), limits::PLUGIN_BYTES_MAX);
            return Err(OpError::Limit(message));
        }
        let host = self.plugins.clone();
        let (wasm, descriptor) = self
            .blocking(move || {
                let descriptor = host.install(&wasm);
                (wasm, descriptor)
            })
            .await?;
        let descriptor = descriptor?;
        let digest = self.blobs.put_bytes(wasm.into()).await?;
        Ok((digest, descriptor))
    }
}
