//! What OCI clients see of plugins: each is a repository with blobs, manifests and tags; and the plugins' signatures.

mod signatures;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tiegel_types::{Digest, Name};

use crate::columns::{json_text, size};
use crate::db::{Row, Tx, Value};
use crate::{Result, Store, StoreError};

pub use signatures::StoredSignature;

const COLUMNS: &str = "digest, bytes, component, subject, signer, names, annotations, created_ms";

/// A plugin of a project, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    pub project: Name,
    pub plugin: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(String),
    Digest(Digest),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRow {
    pub digest: Digest,
    pub bytes: u64,
    /// The component that a plugin's manifest names.
    pub component: Option<Digest>,
    /// The manifest that this one says something of.
    pub subject: Option<Digest>,
    /// The key of a signature.
    pub signer: Option<String>,
    /// The blobs it is made of.
    pub names: Vec<Digest>,
    pub annotations: BTreeMap<String, String>,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewManifest {
    pub manifest: ManifestRow,
    pub tag: Option<String>,
}

impl Repository {
    fn key(&self) -> [Value<'_>; 2] {
        [self.project.as_str().into(), self.plugin.as_str().into()]
    }

    fn and<'a>(&'a self, more: &'a str) -> [Value<'a>; 3] {
        let [project, plugin] = self.key();
        [project, plugin, more.into()]
    }
}

impl Store {
    /// Records a manifest, and moves the tag to it. One that is there is left as it is.
    #[tracing::instrument(name = "db.oci.put_manifest", skip_all)]
    pub async fn put_manifest(&self, repository: &Repository, new: NewManifest) -> Result<()> {
        let repository = repository.clone();
        self.transact(move |tx| {
            insert(tx, &repository, &new.manifest)?;
            if let Some(tag) = &new.tag {
                let digest = new.manifest.digest.to_string();
                let [project, plugin, tag] = repository.and(tag);
                tx.execute(
                    "INSERT INTO oci_tags (project, plugin, tag, digest) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (project, plugin, tag) DO UPDATE SET digest = excluded.digest",
                    &[project, plugin, tag, (&digest).into()],
                )?;
            }
            Ok(())
        })
        .await
    }

    #[tracing::instrument(name = "db.oci.manifest", skip_all)]
    pub async fn manifest(&self, repository: &Repository, reference: &Reference) -> Result<Option<ManifestRow>> {
        let (repository, reference) = (repository.clone(), reference.clone());
        self.query(move |tx| {
            let (wanted, condition) = match &reference {
                Reference::Digest(digest) => (digest.to_string(), "digest = $3"),
                Reference::Tag(tag) => (
                    tag.clone(),
                    "digest = (SELECT digest FROM oci_tags WHERE project = $1 AND plugin = $2 AND tag = $3)",
                ),
            };
            let sql = format!("SELECT {COLUMNS} FROM oci_manifests WHERE project = $1 AND plugin = $2 AND {condition}");
            tx.row(&sql, &repository.and(&wanted), read)
        })
        .await
    }

    /// What says something of a manifest, oldest first.
    #[tracing::instrument(name = "db.oci.referrers_of", skip_all)]
    pub async fn manifests_about(&self, repository: &Repository, subject: &Digest) -> Result<Vec<ManifestRow>> {
        let (repository, subject) = (repository.clone(), subject.to_string());
        let sql = format!(
            "SELECT {COLUMNS} FROM oci_manifests WHERE project = $1 AND plugin = $2 AND subject = $3 \
             ORDER BY created_ms, digest"
        );
        self.query(move |tx| tx.rows(&sql, &repository.and(&subject), read)).await
    }

    /// Plugins' manifests, which tags name or named.
    #[tracing::instrument(name = "db.oci.of_components", skip_all)]
    pub async fn component_manifests(&self, repository: &Repository) -> Result<Vec<ManifestRow>> {
        let repository = repository.clone();
        let sql = format!(
            "SELECT {COLUMNS} FROM oci_manifests WHERE project = $1 AND plugin = $2 AND component IS NOT NULL \
             ORDER BY created_ms, digest"
        );
        self.query(move |tx| tx.rows(&sql, &repository.key(), read)).await
    }

    /// Tags in the order of their bytes.
    #[tracing::instrument(name = "db.oci.tags", skip_all)]
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>> {
        let repository = repository.clone();
        let sql = "SELECT tag FROM oci_tags WHERE project = $1 AND plugin = $2 ORDER BY tag";
        self.query(move |tx| tx.rows(sql, &repository.key(), |row| row.text(0))).await
    }

    /// Forgets a manifest that no tag names. Answers whether it was there.
    #[tracing::instrument(name = "db.oci.delete_manifest", skip_all)]
    pub async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let (repository, digest) = (repository.clone(), digest.to_string());
        self.transact(move |tx| {
            let key = repository.and(&digest);
            let tagged = "SELECT 1 FROM oci_tags WHERE project = $1 AND plugin = $2 AND digest = $3";
            if tx.row(tagged, &key, |_| Ok(()))?.is_some() {
                return Err(StoreError::Conflict(format!("manifest {digest} has a tag")));
            }
            let sql = "DELETE FROM oci_manifests WHERE project = $1 AND plugin = $2 AND digest = $3";
            Ok(tx.execute(sql, &key)? > 0)
        })
        .await
    }

    /// A blob was sent to a repository; until `expires_ms` it waits for a manifest that names it.
    #[tracing::instrument(name = "db.oci.add_blob", skip_all)]
    pub async fn add_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        (now_ms, expires_ms): (i64, i64),
    ) -> Result<()> {
        let (repository, digest) = (repository.clone(), digest.to_string());
        self.transact(move |tx| {
            tx.execute("DELETE FROM oci_blobs WHERE expires_ms <= $1", &[now_ms.into()])?;
            let [project, plugin, digest] = repository.and(&digest);
            tx.execute(
                "INSERT INTO oci_blobs (project, plugin, digest, expires_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (project, plugin, digest) DO UPDATE SET expires_ms = excluded.expires_ms",
                &[project, plugin, digest, expires_ms.into()],
            )?;
            Ok(())
        })
        .await
    }

    /// Whether a repository has a blob: it was sent to it, or one of its manifests names it.
    #[tracing::instrument(name = "db.oci.has_blob", skip_all)]
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest, now_ms: i64) -> Result<bool> {
        let (repository, digest) = (repository.clone(), digest.to_string());
        self.query(move |tx| {
            let [project, plugin, digest_value] = repository.and(&digest);
            let sent = "SELECT 1 FROM oci_blobs WHERE project = $1 AND plugin = $2 AND digest = $3 AND expires_ms > $4";
            if tx.row(sent, &[project, plugin, digest_value, now_ms.into()], |_| Ok(()))?.is_some() {
                return Ok(true);
            }
            let pattern = format!("%\"{digest}\"%");
            let named = "SELECT 1 FROM oci_manifests WHERE project = $1 AND plugin = $2 AND names LIKE $3 LIMIT 1";
            Ok(tx.row(named, &repository.and(&pattern), |_| Ok(()))?.is_some())
        })
        .await
    }
}

fn insert(tx: &mut Tx<'_>, repository: &Repository, row: &ManifestRow) -> Result<()> {
    let text = |digest: &Option<Digest>| digest.map(|digest| digest.to_string());
    let (digest, component, subject) = (row.digest.to_string(), text(&row.component), text(&row.subject));
    let names = json_text("the names of a manifest", &row.names)?;
    let annotations = json_text("the annotations of a manifest", &row.annotations)?;
    let [project, plugin, digest] = repository.and(&digest);
    tx.execute(
        "INSERT INTO oci_manifests \
         (project, plugin, digest, bytes, component, subject, signer, names, annotations, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (project, plugin, digest) DO NOTHING",
        &[
            project,
            plugin,
            digest,
            size(row.bytes).into(),
            (&component).into(),
            (&subject).into(),
            (&row.signer).into(),
            (&names).into(),
            (&annotations).into(),
            row.created_ms.into(),
        ],
    )?;
    Ok(())
}

fn read(row: Row<'_>) -> Result<ManifestRow> {
    Ok(ManifestRow {
        digest: row.parsed(0)?,
        bytes: row.count(1)?,
        component: row.parsed_opt(2)?,
        subject: row.parsed_opt(3)?,
        signer: row.text_opt(4)?,
        names: row.json(5)?,
        annotations: row.json(6)?,
        created_ms: row.int(7)?,
    })
}
