//! Plugins that came through the native API, and their signatures, as manifests.

use std::collections::BTreeSet;

use tiegel_signing::Signature;
use tiegel_store::{ManifestRow, NewManifest, PluginRow, Repository};
use tiegel_types::Digest;

use crate::manifest::{Artifact, plugin_artifact, signature_artifact};
use crate::{Registry, RegistryResult};

/// A tag cannot hold the `+` of a version.
pub fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

impl Registry {
    /// Makes the manifests that the repository lacks. All of them are the same however often they are made.
    pub(crate) async fn publish(&self, repository: &Repository) -> RegistryResult<()> {
        let store = &self.ctx.store;
        let versions = store.plugin_versions(&repository.project, &repository.plugin).await?;
        if versions.is_empty() {
            return Ok(());
        }
        let tags: BTreeSet<String> = store.tags(repository).await?.into_iter().collect();
        for row in versions.iter().filter(|row| !tags.contains(&tag_of(&row.version))) {
            self.publish_version(repository, row).await?;
        }
        self.publish_signatures(repository).await
    }

    async fn publish_version(&self, repository: &Repository, row: &PluginRow) -> RegistryResult<()> {
        let made = plugin_artifact((row.digest, row.bytes), row.name.as_str(), &row.version);
        let manifest = ManifestRow { component: Some(row.digest), ..self.kept(&made).await? };
        let new = NewManifest { manifest, tag: Some(tag_of(&row.version)) };
        Ok(self.ctx.store.put_manifest(repository, new).await?)
    }

    async fn publish_signatures(&self, repository: &Repository) -> RegistryResult<()> {
        let store = &self.ctx.store;
        let manifests = store.component_manifests(repository).await?;
        let components: Vec<Digest> = manifests.iter().filter_map(|row| row.component).collect();
        let signatures = store.signatures(&components).await?;
        for row in manifests {
            let Some(signed) = row.component.and_then(|component| signatures.get(&component)) else { continue };
            let known: BTreeSet<_> =
                store.manifests_about(repository, &row.digest).await?.into_iter().filter_map(|r| r.signer).collect();
            for stored in signed.iter().filter(|stored| !known.contains(&stored.signer)) {
                // One that cannot be read is refused wherever it is looked at; here it only stays unseen.
                let Ok(signature) = stored.signature.parse::<Signature>() else { continue };
                self.publish_signature(repository, (&row, signature)).await?;
            }
        }
        Ok(())
    }

    async fn publish_signature(
        &self,
        repository: &Repository,
        (subject, signature): (&ManifestRow, Signature),
    ) -> RegistryResult<()> {
        let made = signature_artifact(&signature, (subject.digest, subject.bytes));
        self.ctx.blobs.put_bytes(signature.to_string().into_bytes().into()).await?;
        let manifest = ManifestRow {
            subject: Some(subject.digest),
            signer: Some(signature.key().to_string()),
            ..self.kept(&made).await?
        };
        Ok(self.ctx.store.put_manifest(repository, NewManifest { manifest, tag: None }).await?)
    }

    /// A generated manifest's row, once its bytes are stored.
    async fn kept(&self, made: &Artifact) -> RegistryResult<ManifestRow> {
        self.ctx.blobs.put_bytes(made.config.clone().into()).await?;
        self.ctx.blobs.put_bytes(made.bytes.clone().into()).await?;
        Ok(self.row(made.digest, made.bytes.len(), &made.manifest))
    }
}
