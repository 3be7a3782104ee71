//! Reading a repository.

use bytes::Bytes;
use tiegel_blobs::ByteStream;
use tiegel_context::{Ctx, OpError};
use tiegel_store::{ManifestRow, Reference, Repository};
use tiegel_types::Digest;

use crate::manifest::{Descriptor, MANIFEST_TYPE, SIGNATURE_TYPE};
use crate::{Code, RegistryError, RegistryResult};

/// All repositories of the server.
#[derive(Clone)]
pub struct Registry {
    pub(crate) ctx: Ctx,
}

impl Registry {
    pub fn new(ctx: Ctx) -> Self {
        Self { ctx }
    }

    /// # Errors
    /// When the repository has no such manifest.
    pub async fn manifest(&self, repository: &Repository, reference: &Reference) -> RegistryResult<ManifestRow> {
        let mut row = self.ctx.store.manifest(repository, reference).await?;
        if row.is_none() {
            self.publish(repository).await?;
            row = self.ctx.store.manifest(repository, reference).await?;
        }
        row.ok_or_else(|| {
            let wanted = match reference {
                Reference::Tag(tag) => tag.clone(),
                Reference::Digest(digest) => digest.to_string(),
            };
            let Repository { project, plugin } = repository;
            RegistryError::new(
                Code::ManifestUnknown,
                format!("plugin '{plugin}' of project '{project}' has no manifest {wanted}"),
            )
        })
    }

    pub async fn manifest_bytes(&self, row: &ManifestRow) -> RegistryResult<Bytes> {
        Ok(self.ctx.blobs.get(&row.digest).await?)
    }

    /// All tags in the order of their bytes.
    ///
    /// # Errors
    /// When there is no such plugin.
    pub async fn tags(&self, repository: &Repository) -> RegistryResult<Vec<String>> {
        self.publish(repository).await?;
        let tags = self.ctx.store.tags(repository).await?;
        if tags.is_empty() {
            let Repository { project, plugin } = repository;
            let message = format!("there is no plugin '{plugin}' in project '{project}'");
            return Err(RegistryError::new(Code::NameUnknown, message));
        }
        Ok(tags)
    }

    /// The signatures of a plugin's manifest, as descriptors of their manifests.
    pub async fn referrers(&self, repository: &Repository, subject: &Digest) -> RegistryResult<Vec<Descriptor>> {
        self.publish(repository).await?;
        let rows = self.ctx.store.manifests_about(repository, subject).await?;
        let described = rows.into_iter().map(|row| Descriptor {
            artifact_type: Some(SIGNATURE_TYPE.to_owned()),
            annotations: Some(row.annotations).filter(|annotations| !annotations.is_empty()),
            ..Descriptor::new(MANIFEST_TYPE, row.digest, row.bytes)
        });
        Ok(described.collect())
    }

    /// The size of a blob of the repository. It stays for a day, so that it need not be sent again.
    ///
    /// # Errors
    /// When the repository has no such blob.
    pub async fn blob_size(&self, repository: &Repository, digest: &Digest) -> RegistryResult<u64> {
        let mut has = self.ctx.store.has_blob(repository, digest, self.ctx.now_ms()).await?;
        if !has {
            self.publish(repository).await?;
            has = self.ctx.store.has_blob(repository, digest, self.ctx.now_ms()).await?;
        }
        if !has || !self.ctx.blobs.renew(digest).await? {
            let Repository { project, plugin } = repository;
            let message = format!("plugin '{plugin}' of project '{project}' has no blob {digest}");
            return Err(RegistryError::new(Code::BlobUnknown, message));
        }
        Ok(self.ctx.blobs.size(digest).await?)
    }

    /// The whole blob, checked as it is read.
    pub async fn blob(&self, digest: &Digest) -> RegistryResult<ByteStream> {
        Ok(self.ctx.blobs.get_stream(digest).await?)
    }

    pub async fn blob_range(&self, digest: &Digest, range: std::ops::Range<u64>) -> RegistryResult<ByteStream> {
        Ok(self.ctx.blobs.get_range(digest, range).await?)
    }

    /// Takes a signature back, or forgets a manifest without a tag. A published version stays: pipelines and bundles name
    /// it.
    pub async fn delete(&self, repository: &Repository, reference: &Reference) -> RegistryResult<()> {
        let row = self.manifest(repository, reference).await?;
        if let (Some(signer), Some(subject)) = (&row.signer, row.subject) {
            let signed = self.ctx.store.manifest(repository, &Reference::Digest(subject)).await?;
            if let Some(component) = signed.and_then(|signed| signed.component) {
                self.ctx.store.delete_signature(&component, signer).await?;
            }
            for other in self.ctx.store.manifests_about(repository, &subject).await? {
                if other.signer == row.signer {
                    self.ctx.store.delete_manifest(repository, &other.digest).await?;
                }
            }
            return Ok(());
        }
        match self.ctx.store.delete_manifest(repository, &row.digest).await.map_err(OpError::from) {
            Err(OpError::Conflict(_)) => Err(RegistryError::new(
                Code::Unsupported,
                "a published version is not taken away, as pipelines and bundles name it: say that it should not be \
                 used any more with `tiegel plugin deprecate NAME@VERSION`",
            )),
            other => Ok(other.map(drop)?),
        }
    }
}
