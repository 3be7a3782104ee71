use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{Digest, RunId};

use crate::columns::{Columns, size};
use crate::error::Referring;
use crate::{Result, Store};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunArtifactRow {
    pub run_id: RunId,
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
}

impl Store {
    /// The same path again replaces it.
    #[tracing::instrument(name = "db.runs.put_artifact", skip_all)]
    pub async fn put_run_artifact(&self, run: &RunId, path: &str, digest: &Digest, bytes: u64) -> Result<()> {
        sqlx::query(
            "INSERT INTO run_artifacts (run_id, path, digest, bytes) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (run_id, path) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes",
        )
        .bind(run.as_str())
        .bind(path)
        .bind(digest.to_string())
        .bind(size(bytes))
        .execute(&mut *self.write().await?)
        .await
        .referring_to(|| format!("run {run}"))?;
        Ok(())
    }

    /// By path.
    #[tracing::instrument(name = "db.runs.artifacts", skip_all)]
    pub async fn run_artifacts(&self, run: &RunId) -> Result<Vec<RunArtifactRow>> {
        let sql = "SELECT run_id, path, digest, bytes FROM run_artifacts WHERE run_id = $1 ORDER BY path";
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_all(self.read()).await?)
    }
}

impl FromRow<'_, AnyRow> for RunArtifactRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: row.parsed("run_id")?,
            path: row.text("path")?,
            digest: row.parsed("digest")?,
            bytes: row.count("bytes")?,
        })
    }
}
