use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::Name;

use crate::columns::Columns;
use crate::error::Referring;
use crate::{Result, Store};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRow {
    pub id: i64,
    pub project: Name,
    /// Free text, unique in its project.
    pub name: String,
    /// `active` or `deleted`.
    pub lifecycle: String,
    pub created_ms: i64,
    pub updated_ms: i64,
}

impl Store {
    #[tracing::instrument(name = "db.experiments.ensure", skip_all)]
    pub async fn ensure_experiment(&self, project: &Name, name: &str, now_ms: i64) -> Result<ExperimentRow> {
        let select = "SELECT id, project, name, lifecycle, created_ms, updated_ms FROM experiments \
                      WHERE project = $1 AND name = $2";
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms) \
             VALUES ($1, $2, 'active', $3, $3) ON CONFLICT (project, name) DO NOTHING",
        )
        .bind(project.as_str())
        .bind(name)
        .bind(now_ms)
        .execute(&mut *tx)
        .await
        .referring_to(|| format!("project '{project}'"))?;
        let row = sqlx::query_as(select).bind(project.as_str()).bind(name).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// By name.
    #[tracing::instrument(name = "db.experiments.list", skip_all)]
    pub async fn experiments(&self, project: &Name) -> Result<Vec<ExperimentRow>> {
        let sql = "SELECT id, project, name, lifecycle, created_ms, updated_ms FROM experiments \
                   WHERE project = $1 ORDER BY name";
        Ok(sqlx::query_as(sql).bind(project.as_str()).fetch_all(self.read()).await?)
    }
}

impl FromRow<'_, AnyRow> for ExperimentRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.int("id")?,
            project: row.parsed("project")?,
            name: row.text("name")?,
            lifecycle: row.text("lifecycle")?,
            created_ms: row.int("created_ms")?,
            updated_ms: row.int("updated_ms")?,
        })
    }
}
