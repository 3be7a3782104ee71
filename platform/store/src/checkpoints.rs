use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{Digest, Name};

use crate::columns::{Columns, size};
use crate::error::Referring;
use crate::{Result, Store};

/// Where an interrupted training goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointRow {
    pub project: Name,
    /// Of the training step.
    pub cache_key: Digest,
    /// The last epoch that is in it.
    pub epoch: u32,
    pub digest: Digest,
    pub bytes: u64,
    pub created_ms: i64,
}

pub type NewCheckpoint = CheckpointRow;

impl Store {
    /// The same epoch again replaces it.
    #[tracing::instrument(name = "db.checkpoints.put", skip_all, fields(epoch = new.epoch))]
    pub async fn put_checkpoint(&self, new: NewCheckpoint) -> Result<()> {
        sqlx::query(
            "INSERT INTO checkpoints (project, cache_key, epoch, digest, bytes, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, cache_key, epoch) DO UPDATE SET \
             digest = excluded.digest, bytes = excluded.bytes, created_ms = excluded.created_ms",
        )
        .bind(new.project.as_str())
        .bind(new.cache_key.to_string())
        .bind(i64::from(new.epoch))
        .bind(new.digest.to_string())
        .bind(size(new.bytes))
        .bind(new.created_ms)
        .execute(&mut *self.write().await?)
        .await
        .referring_to(|| format!("project '{}'", new.project))?;
        Ok(())
    }

    #[tracing::instrument(name = "db.checkpoints.latest", skip_all)]
    pub async fn latest_checkpoint(&self, project: &Name, key: &Digest) -> Result<Option<CheckpointRow>> {
        let sql = "SELECT project, cache_key, epoch, digest, bytes, created_ms FROM checkpoints \
                   WHERE project = $1 AND cache_key = $2 ORDER BY epoch DESC LIMIT 1";
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(key.to_string());
        Ok(query.fetch_optional(self.read()).await?)
    }

    #[tracing::instrument(name = "db.checkpoints.clear", skip_all)]
    pub async fn clear_checkpoints(&self, project: &Name, key: &Digest) -> Result<()> {
        sqlx::query("DELETE FROM checkpoints WHERE project = $1 AND cache_key = $2")
            .bind(project.as_str())
            .bind(key.to_string())
            .execute(&mut *self.write().await?)
            .await?;
        Ok(())
    }
}

impl FromRow<'_, AnyRow> for CheckpointRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            project: row.parsed("project")?,
            cache_key: row.parsed("cache_key")?,
            epoch: row.count("epoch")?,
            digest: row.parsed("digest")?,
            bytes: row.count("bytes")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_tests;

    store_tests! {
        async fn the_latest_checkpoint_is_the_one_of_the_last_epoch(store) {
            let project: Name = "flights".parse().unwrap();
            store.ensure_project(&project, 1).await.unwrap();
            let key = Digest::of(b"training");
            let at = |epoch: u32, content: &[u8]| NewCheckpoint {
                project: project.clone(),
                cache_key: key,
                epoch,
                digest: Digest::of(content),
                bytes: 10,
                created_ms: 2,
            };
            assert_eq!(store.latest_checkpoint(&project, &key).await.unwrap(), None);
            for (epoch, content) in [(2, b"b"), (10, b"c"), (10, b"d"), (9, b"e")] {
                store.put_checkpoint(at(epoch, content)).await.unwrap();
            }
            assert_eq!(store.latest_checkpoint(&project, &key).await.unwrap(), Some(at(10, b"d")));
            assert_eq!(store.latest_checkpoint(&project, &Digest::of(b"other")).await.unwrap(), None);
            store.clear_checkpoints(&project, &key).await.unwrap();
            assert_eq!(store.latest_checkpoint(&project, &key).await.unwrap(), None);
        }
    }
}
