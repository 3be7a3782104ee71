use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow};
use tiegel_types::{Digest, JobId, Name, StepState};

use crate::columns::{Columns, message, size, value_text};
use crate::error::Referring;
use crate::{Result, Store, StoreError};

/// One step of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    pub job_id: JobId,
    /// Its place in the plan, from 0.
    pub seq: u32,
    pub name: String,
    pub kind: String,
    pub state: StepState,
    pub cache_key: Option<Digest>,
    /// Why it ran or did not.
    pub reason: Option<Value>,
    /// What it depended on.
    pub inputs: Option<Value>,
    pub output: Option<Value>,
    /// How often it started to run.
    pub attempt: u32,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    pub rows: Option<u64>,
    pub error: Option<String>,
    pub trace_id: Option<String>,
}

/// A step of a job's plan, waiting for its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewStep {
    pub name: String,
    pub kind: String,
}

/// A step's new state. What is `None` stays as it was, except the end and the error, which belong to the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepUpdate {
    pub state: StepState,
    pub cache_key: Option<Digest>,
    pub reason: Option<Value>,
    pub inputs: Option<Value>,
    pub output: Option<Value>,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    pub rows: Option<u64>,
    pub error: Option<String>,
    pub trace_id: Option<String>,
}

/// A step's output, found again by what it depended on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheRow {
    pub project: Name,
    pub cache_key: Digest,
    pub output: Value,
    pub inputs: Value,
    /// The job that made it.
    pub job_id: JobId,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewCacheRow {
    pub project: Name,
    pub cache_key: Digest,
    pub output: Value,
    pub inputs: Value,
    pub job_id: JobId,
    pub created_ms: i64,
}

impl StepUpdate {
    /// The state alone.
    pub fn new(state: StepState) -> Self {
        Self {
            state,
            cache_key: None,
            reason: None,
            inputs: None,
            output: None,
            started_ms: None,
            finished_ms: None,
            rows: None,
            error: None,
            trace_id: None,
        }
    }
}

macro_rules! select_step {
    ($rest:literal) => {
        concat!(
            "SELECT s.job_id, s.seq, s.name, s.kind, s.state, s.cache_key, s.reason, s.inputs, s.output, s.attempt, \
             s.started_ms, s.finished_ms, s.\"rows\", s.error, s.trace_id FROM steps s ",
            $rest
        )
    };
}

impl Store {
    /// Writes a job's plan in order. A step that is there already, from before an interruption, stays as it is.
    #[tracing::instrument(name = "db.steps.put", skip_all)]
    pub async fn put_steps(&self, job: JobId, steps: &[NewStep]) -> Result<()> {
        let mut tx = self.begin().await?;
        for (seq, step) in steps.iter().enumerate() {
            sqlx::query(
                "INSERT INTO steps (job_id, seq, name, kind, state, attempt) VALUES ($1, $2, $3, $4, 'waiting', 0) \
                 ON CONFLICT (job_id, name) DO NOTHING",
            )
            .bind(job.to_string())
            .bind(size(seq as u64))
            .bind(step.name.as_str())
            .bind(step.kind.as_str())
            .execute(&mut *tx)
            .await
            .referring_to(|| format!("job {job}"))?;
        }
        Ok(tx.commit().await?)
    }

    #[tracing::instrument(name = "db.steps.update", skip_all, fields(step = name, state = %update.state))]
    pub async fn update_step(&self, job: JobId, name: &str, update: StepUpdate) -> Result<()> {
        self.commit_step(job, name, update, None).await
    }

    /// Ends a step and stores its output in the cache in one transaction: a step is done when both are there. An
    /// output that is cached already stays.
    #[tracing::instrument(name = "db.steps.commit", skip_all, fields(step = name, state = %update.state))]
    pub async fn commit_step(
        &self,
        job: JobId,
        name: &str,
        update: StepUpdate,
        cache: Option<NewCacheRow>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        set_step(&mut tx, job, name, update).await?;
        if let Some(row) = cache {
            sqlx::query(
                "INSERT INTO cache (project, cache_key, output, inputs, job_id, created_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, cache_key) DO NOTHING",
            )
            .bind(row.project.as_str())
            .bind(row.cache_key.to_string())
            .bind(value_text(&row.output))
            .bind(value_text(&row.inputs))
            .bind(row.job_id.to_string())
            .bind(row.created_ms)
            .execute(&mut *tx)
            .await
            .referring_to(|| format!("project '{}' or job {}", row.project, row.job_id))?;
        }
        Ok(tx.commit().await?)
    }

    /// In the order of the plan.
    #[tracing::instrument(name = "db.steps.list", skip_all)]
    pub async fn steps(&self, job: JobId) -> Result<Vec<StepRow>> {
        let sql = select_step!("WHERE s.job_id = $1 ORDER BY s.seq, s.name");
        Ok(sqlx::query_as(sql).bind(job.to_string()).fetch_all(self.read()).await?)
    }

    /// The step of that name that ended last in the project with an output, in whatever job.
    #[tracing::instrument(name = "db.steps.last", skip_all)]
    pub async fn last_step_of(&self, project: &Name, name: &str) -> Result<Option<StepRow>> {
        let sql = select_step!(
            "JOIN jobs j ON j.id = s.job_id WHERE j.project = $1 AND s.name = $2 \
             AND s.state IN ('succeeded', 'cached') ORDER BY s.finished_ms DESC, s.job_id DESC LIMIT 1"
        );
        Ok(sqlx::query_as(sql).bind(project.as_str()).bind(name).fetch_optional(self.read()).await?)
    }

    #[tracing::instrument(name = "db.cache.get", skip_all)]
    pub async fn cached(&self, project: &Name, key: &Digest) -> Result<Option<CacheRow>> {
        let sql = "SELECT project, cache_key, output, inputs, job_id, created_ms FROM cache \
                   WHERE project = $1 AND cache_key = $2";
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(key.to_string());
        Ok(query.fetch_optional(self.read()).await?)
    }
}

async fn set_step(tx: &mut AnyConnection, job: JobId, name: &str, update: StepUpdate) -> Result<()> {
    let done = sqlx::query(
        "UPDATE steps SET state = $3, cache_key = COALESCE($4, cache_key), reason = COALESCE($5, reason), \
         inputs = COALESCE($6, inputs), output = COALESCE($7, output), started_ms = COALESCE($8, started_ms), \
         finished_ms = $9, \"rows\" = COALESCE($10, \"rows\"), error = $11, trace_id = COALESCE($12, trace_id), \
         attempt = attempt + CASE WHEN $3 = 'running' THEN 1 ELSE 0 END WHERE job_id = $1 AND name = $2",
    )
    .bind(job.to_string())
    .bind(name)
    .bind(update.state.as_str())
    .bind(update.cache_key.map(|key| key.to_string()))
    .bind(update.reason.as_ref().map(value_text))
    .bind(update.inputs.as_ref().map(value_text))
    .bind(update.output.as_ref().map(value_text))
    .bind(update.started_ms)
    .bind(update.finished_ms)
    .bind(update.rows.map(size))
    .bind(update.error.as_deref().map(message))
    .bind(update.trace_id)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::not_found(format!("step '{name}' of job {job}")));
    }
    Ok(())
}

impl FromRow<'_, AnyRow> for StepRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            job_id: row.parsed("job_id")?,
            seq: row.count("seq")?,
            name: row.text("name")?,
            kind: row.text("kind")?,
            state: row.parsed("state")?,
            cache_key: row.parsed_opt("cache_key")?,
            reason: row.json_opt("reason")?,
            inputs: row.json_opt("inputs")?,
            output: row.json_opt("output")?,
            attempt: row.count("attempt")?,
            started_ms: row.int_opt("started_ms")?,
            finished_ms: row.int_opt("finished_ms")?,
            rows: row.count_opt("rows")?,
            error: row.text_opt("error")?,
            trace_id: row.text_opt("trace_id")?,
        })
    }
}

impl FromRow<'_, AnyRow> for CacheRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            project: row.parsed("project")?,
            cache_key: row.parsed("cache_key")?,
            output: row.json("output")?,
            inputs: row.json("inputs")?,
            job_id: row.parsed("job_id")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

#[cfg(test)]
mod tests;
