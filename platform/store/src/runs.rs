use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{JobId, Name, RunId, RunStatus};

use crate::columns::{Columns, message, value_text};
use crate::error::Referring;
use crate::{Result, Store, StoreError};

/// An MLflow run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub run_id: RunId,
    pub experiment_id: i64,
    pub project: Name,
    pub name: String,
    pub status: RunStatus,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub job_id: Option<JobId>,
    /// What made it.
    pub source: serde_json::Value,
    /// `active` or `deleted`.
    pub lifecycle: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    pub run_id: RunId,
    pub experiment_id: i64,
    pub project: Name,
    pub name: String,
    pub start_ms: i64,
    pub job_id: Option<JobId>,
    pub source: serde_json::Value,
}

macro_rules! run_columns {
    () => {
        "run_id, experiment_id, project, name, status, start_ms, end_ms, job_id, source, lifecycle"
    };
}

impl Store {
    /// Starts a run. One that was started before goes on: it is running again, and keeps all else.
    #[tracing::instrument(name = "db.runs.create", skip_all)]
    pub async fn create_run(&self, new: NewRun) -> Result<RunRow> {
        let sql = concat!(
            "INSERT INTO runs (run_id, experiment_id, project, name, status, start_ms, job_id, source, lifecycle) \
             VALUES ($1, $2, $3, $4, 'RUNNING', $5, $6, $7, 'active') ON CONFLICT (run_id) DO UPDATE SET \
             status = 'RUNNING', end_ms = NULL WHERE runs.experiment_id = excluded.experiment_id RETURNING ",
            run_columns!()
        );
        let row = sqlx::query_as(sql)
            .bind(new.run_id.as_str())
            .bind(new.experiment_id)
            .bind(new.project.as_str())
            .bind(message(&new.name))
            .bind(new.start_ms)
            .bind(new.job_id.map(|id| id.to_string()))
            .bind(value_text(&new.source))
            .fetch_optional(&mut *self.write().await?)
            .await
            .referring_to(|| format!("project '{}', experiment {} or the job", new.project, new.experiment_id))?;
        row.ok_or_else(|| StoreError::Conflict(format!("run {} belongs to another experiment", new.run_id)))
    }

    #[tracing::instrument(name = "db.runs.finish", skip_all, fields(%status))]
    pub async fn finish_run(&self, run: &RunId, status: RunStatus, now_ms: i64) -> Result<()> {
        let done = sqlx::query("UPDATE runs SET status = $2, end_ms = $3 WHERE run_id = $1")
            .bind(run.as_str())
            .bind(status.as_str())
            .bind(now_ms)
            .execute(&mut *self.write().await?)
            .await?;
        if done.rows_affected() == 0 {
            return Err(no_run(run));
        }
        Ok(())
    }

    #[tracing::instrument(name = "db.runs.get", skip_all)]
    pub async fn run(&self, run: &RunId) -> Result<Option<RunRow>> {
        let sql = concat!("SELECT ", run_columns!(), " FROM runs WHERE run_id = $1");
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_optional(self.read()).await?)
    }

    /// Newest first.
    #[tracing::instrument(name = "db.runs.list", skip_all)]
    pub async fn runs(&self, project: &Name, experiment: Option<i64>, limit: u32) -> Result<Vec<RunRow>> {
        let sql = concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE project = $1 AND experiment_id = COALESCE($2, experiment_id) \
             ORDER BY start_ms DESC, run_id DESC LIMIT $3"
        );
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(experiment).bind(i64::from(limit));
        Ok(query.fetch_all(self.read()).await?)
    }
}

pub(crate) fn no_run(run: &RunId) -> StoreError {
    StoreError::not_found(format!("run {run}"))
}

impl FromRow<'_, AnyRow> for RunRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: row.parsed("run_id")?,
            experiment_id: row.int("experiment_id")?,
            project: row.parsed("project")?,
            name: row.text("name")?,
            status: row.parsed("status")?,
            start_ms: row.int("start_ms")?,
            end_ms: row.int_opt("end_ms")?,
            job_id: row.parsed_opt("job_id")?,
            source: row.json("source")?,
            lifecycle: row.text("lifecycle")?,
        })
    }
}

#[cfg(test)]
mod tests;
