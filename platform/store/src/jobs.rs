use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow};
use tiegel_types::{JobId, JobState, Name};

use crate::columns::{Columns, message, value_text};
use crate::error::Referring;
use crate::pool::Backend;
use crate::{Result, Store, StoreError};

/// One unit of background work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    pub id: JobId,
    pub project: Name,
    /// `kind/name` of the resource to bring up to date.
    pub target: String,
    pub payload: serde_json::Value,
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// How often it was claimed.
    pub attempt: u32,
    pub lease_owner: Option<String>,
    pub lease_until_ms: Option<i64>,
    pub cancel_requested: bool,
    pub error: Option<String>,
    /// W3C trace context of the request that queued it.
    pub trace_parent: Option<String>,
    pub created_ms: i64,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    pub id: JobId,
    pub project: Name,
    /// `kind/name` of the resource to bring up to date.
    pub target: String,
    pub payload: serde_json::Value,
    pub priority: i64,
    pub trace_parent: Option<String>,
    pub created_ms: i64,
}

/// What a worker learns when it renews its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whether the job is still this worker's. If not, another one may be running it: stop.
    pub held: bool,
    pub cancel_requested: bool,
}

macro_rules! job_columns {
    () => {
        "id, project, target, payload, state, priority, attempt, lease_owner, lease_until_ms, cancel_requested, \
         error, trace_parent, created_ms, started_ms, finished_ms"
    };
}

// The subquery picks the job, the update takes it: one statement, so two workers never take the same one. In Postgres
// the loser of a race skips the locked row; in SQLite there is one writer at a time.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "UPDATE jobs SET state = 'running', lease_owner = $1, lease_until_ms = $2, attempt = attempt + 1, \
             started_ms = COALESCE(started_ms, $3) WHERE id = (SELECT id FROM jobs \
             WHERE state IN ('queued', 'running') AND (state = 'queued' OR lease_until_ms < $3) \
             ORDER BY priority DESC, created_ms, id LIMIT 1",
            $lock,
            ") RETURNING ",
            job_columns!()
        )
    };
}

impl Store {
    #[tracing::instrument(name = "db.jobs.enqueue", skip_all)]
    pub async fn enqueue(&self, new: NewJob) -> Result<JobRow> {
        let sql = concat!(
            "INSERT INTO jobs (id, project, target, payload, state, priority, attempt, cancel_requested, trace_parent, \
             created_ms) VALUES ($1, $2, $3, $4, 'queued', $5, 0, 0, $6, $7) RETURNING ",
            job_columns!()
        );
        sqlx::query_as(sql)
            .bind(new.id.to_string())
            .bind(new.project.as_str())
            .bind(new.target.as_str())
            .bind(value_text(&new.payload))
            .bind(new.priority)
            .bind(new.trace_parent)
            .bind(new.created_ms)
            .fetch_one(&mut *self.write().await?)
            .await
            .referring_to(|| format!("project '{}'", new.project))
    }

    /// Takes the oldest of the most urgent jobs that are queued, or whose worker let its lease run out.
    #[tracing::instrument(name = "db.jobs.claim", level = "debug", skip_all)]
    pub async fn claim(&self, owner: &str, now_ms: i64, lease_ms: i64) -> Result<Option<JobRow>> {
        let sql = match self.backend() {
            Backend::Sqlite => claim!(""),
            Backend::Postgres => claim!(" FOR UPDATE SKIP LOCKED"),
        };
        let query = sqlx::query_as(sql).bind(owner).bind(now_ms + lease_ms).bind(now_ms);
        Ok(query.fetch_optional(&mut *self.write().await?).await?)
    }

    #[tracing::instrument(name = "db.jobs.heartbeat", level = "debug", skip_all)]
    pub async fn heartbeat(&self, id: JobId, owner: &str, now_ms: i64, lease_ms: i64) -> Result<Heartbeat> {
        let row = sqlx::query(
            "UPDATE jobs SET lease_until_ms = $3 WHERE id = $1 AND lease_owner = $2 AND state = 'running' \
             RETURNING cancel_requested",
        )
        .bind(id.to_string())
        .bind(owner)
        .bind(now_ms + lease_ms)
        .fetch_optional(&mut *self.write().await?)
        .await?;
        let cancel_requested = row.as_ref().map(|row| row.flag("cancel_requested")).transpose()?.unwrap_or(false);
        Ok(Heartbeat { held: row.is_some(), cancel_requested })
    }

    /// Ends a job, if this owner still has it, and with it the steps that are still open: of a failed job those that
    /// were running have failed. Answers whether it did.
    #[expect(clippy::too_many_arguments, reason = "who, what and when are plain arguments of every write")]
    #[tracing::instrument(name = "db.jobs.finish", skip_all, fields(%state))]
    pub async fn finish(
        &self,
        id: JobId,
        owner: &str,
        state: JobState,
        error: Option<&str>,
        now_ms: i64,
    ) -> Result<bool> {
        if !state.is_final() {
            return Err(StoreError::Invalid(format!("a job does not end as '{state}'")));
        }
        let mut tx = self.begin().await?;
        let ended = sqlx::query(
            "UPDATE jobs SET state = $3, error = $4, finished_ms = $5, lease_owner = NULL, lease_until_ms = NULL \
             WHERE id = $1 AND lease_owner = $2 AND state = 'running'",
        )
        .bind(id.to_string())
        .bind(owner)
        .bind(state.as_str())
        .bind(error.map(message))
        .bind(now_ms)
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if ended {
            close_steps(&mut tx, id, state, now_ms).await?;
            tx.commit().await?;
        }
        Ok(ended)
    }

    /// Puts a job that was interrupted back in the queue, if this owner still has it. Answers whether it did.
    #[tracing::instrument(name = "db.jobs.requeue", skip_all)]
    pub async fn requeue(&self, id: JobId, owner: &str) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET state = 'queued', lease_owner = NULL, lease_until_ms = NULL \
             WHERE id = $1 AND lease_owner = $2 AND state = 'running'",
        )
        .bind(id.to_string())
        .bind(owner)
        .execute(&mut *self.write().await?)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// At start-up: what this owner ran when it was killed can be claimed at once, without waiting for the leases.
    /// Answers how many jobs that is.
    #[tracing::instrument(name = "db.jobs.release_owned", skip_all)]
    pub async fn release_owned(&self, owner: &str, now_ms: i64) -> Result<u64> {
        let released = sqlx::query(
            "UPDATE jobs SET state = 'queued', lease_owner = NULL, lease_until_ms = NULL \
             WHERE lease_owner = $1 AND state = 'running' AND created_ms <= $2",
        )
        .bind(owner)
        .bind(now_ms)
        .execute(&mut *self.write().await?)
        .await?;
        Ok(released.rows_affected())
    }

    /// A queued job is cancelled at once; a running one is told at its next heartbeat; one that ended stays as it is.
    #[tracing::instrument(name = "db.jobs.request_cancel", skip_all)]
    pub async fn request_cancel(&self, id: JobId, now_ms: i64) -> Result<JobRow> {
        let sql = concat!(
            "UPDATE jobs SET cancel_requested = CASE WHEN state IN ('queued', 'running') THEN 1 ELSE cancel_requested END, \
             finished_ms = CASE WHEN state = 'queued' THEN $2 ELSE finished_ms END, \
             state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END WHERE id = $1 RETURNING ",
            job_columns!()
        );
        let mut tx = self.begin().await?;
        let row: Option<JobRow> =
            sqlx::query_as(sql).bind(id.to_string()).bind(now_ms).fetch_optional(&mut *tx).await?;
        let row = row.ok_or_else(|| StoreError::not_found(format!("job {id}")))?;
        if row.state == JobState::Cancelled {
            close_steps(&mut tx, id, row.state, now_ms).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    #[tracing::instrument(name = "db.jobs.get", skip_all)]
    pub async fn job(&self, id: JobId) -> Result<Option<JobRow>> {
        let sql = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1");
        Ok(sqlx::query_as(sql).bind(id.to_string()).fetch_optional(self.read()).await?)
    }

    /// Newest first.
    #[tracing::instrument(name = "db.jobs.list", skip_all)]
    pub async fn jobs(&self, project: Option<&Name>, limit: u32) -> Result<Vec<JobRow>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM jobs WHERE project = COALESCE($1, project) ORDER BY created_ms DESC, id DESC LIMIT $2"
        );
        let query = sqlx::query_as(sql).bind(project.map(Name::to_string)).bind(i64::from(limit));
        Ok(query.fetch_all(self.read()).await?)
    }

    /// How many jobs are queued or running.
    #[tracing::instrument(name = "db.jobs.open", level = "debug", skip_all)]
    pub async fn open_jobs(&self) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('queued', 'running')";
        Ok(sqlx::query(sql).fetch_one(self.read()).await?.int("n")?)
    }
}

async fn close_steps(tx: &mut AnyConnection, id: JobId, state: JobState, now_ms: i64) -> Result<()> {
    let running = if state == JobState::Failed { "failed" } else { "cancelled" };
    sqlx::query(
        "UPDATE steps SET state = CASE WHEN state = 'running' THEN $2 ELSE 'cancelled' END, finished_ms = $3 \
         WHERE job_id = $1 AND state IN ('waiting', 'running')",
    )
    .bind(id.to_string())
    .bind(running)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl FromRow<'_, AnyRow> for JobRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.parsed("project")?,
            target: row.text("target")?,
            payload: row.json("payload")?,
            state: row.parsed("state")?,
            priority: row.int("priority")?,
            attempt: row.count("attempt")?,
            lease_owner: row.text_opt("lease_owner")?,
            lease_until_ms: row.int_opt("lease_until_ms")?,
            cancel_requested: row.flag("cancel_requested")?,
            error: row.text_opt("error")?,
            trace_parent: row.text_opt("trace_parent")?,
            created_ms: row.int("created_ms")?,
            started_ms: row.int_opt("started_ms")?,
            finished_ms: row.int_opt("finished_ms")?,
        })
    }
}

#[cfg(test)]
mod tests;
