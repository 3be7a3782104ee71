//! What a run logs: params, tags and metric points.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, FromRow, Row as _};
use tiegel_types::RunId;

use crate::columns::{Columns, placeholders};
use crate::error::Referring;
use crate::{Result, Store, StoreError};

/// Rows in one INSERT; SQLite takes 32,766 values in a statement.
const INSERT_ROWS_MAX: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    pub key: String,
    /// NaN and infinities are kept.
    pub value: f64,
    pub step: i64,
    pub timestamp_ms: i64,
}

impl Store {
    /// Logs params, all or none. A param keeps its first value: the same again is fine, another one is a conflict.
    #[tracing::instrument(name = "db.runs.log_params", skip_all, fields(params = params.len()))]
    pub async fn log_params(&self, run: &RunId, params: &[(String, String)]) -> Result<()> {
        let mut tx = self.begin().await?;
        let insert = ("INSERT INTO params (run_id, key, value)", "ON CONFLICT (run_id, key) DO NOTHING");
        insert_pairs(&mut tx, run, insert, params).await?;
        let stored: BTreeMap<String, String> = sqlx::query("SELECT key, value FROM params WHERE run_id = $1")
            .bind(run.as_str())
            .fetch_all(&mut *tx)
            .await?
            .iter()
            .map(|row| Ok((row.text("key")?, row.text("value")?)))
            .collect::<sqlx::Result<_>>()?;
        for (key, value) in params {
            if let Some(old) = stored.get(key).filter(|old| *old != value) {
                return Err(StoreError::Conflict(format!(
                    "param '{key}' of run {run} is '{old}' already and does not change to '{value}'; log it under another name or start another run"
                )));
            }
        }
        Ok(tx.commit().await?)
    }

    /// Sets tags; the last value of a key stays.
    #[tracing::instrument(name = "db.runs.set_tags", skip_all, fields(tags = tags.len()))]
    pub async fn set_tags(&self, run: &RunId, tags: &[(String, String)]) -> Result<()> {
        // Postgres refuses to update one row twice in a statement.
        let unique: BTreeMap<_, _> = tags.iter().cloned().collect();
        let unique: Vec<_> = unique.into_iter().collect();
        let mut tx = self.begin().await?;
        let insert =
            ("INSERT INTO tags (run_id, key, value)", "ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value");
        insert_pairs(&mut tx, run, insert, &unique).await?;
        Ok(tx.commit().await?)
    }

    /// Logs points, all or none. A point that is there already is not doubled.
    #[tracing::instrument(name = "db.runs.log_metrics", skip_all, fields(points = points.len()))]
    pub async fn log_metrics(&self, run: &RunId, points: &[MetricPoint]) -> Result<()> {
        let mut tx = self.begin().await?;
        for chunk in points.chunks(INSERT_ROWS_MAX) {
            let sql = format!(
                "INSERT INTO metrics (run_id, key, step, timestamp_ms, value, is_nan) VALUES {} ON CONFLICT DO NOTHING",
                placeholders(chunk.len(), 6)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for point in chunk {
                query = query
                    .bind(run.as_str())
                    .bind(text(&point.key)?)
                    .bind(point.step)
                    .bind(point.timestamp_ms)
                    // SQLite stores NaN as NULL.
                    .bind(if point.value.is_nan() { 0.0 } else { point.value })
                    .bind(i64::from(point.value.is_nan()));
            }
            query.execute(&mut *tx).await.referring_to(|| format!("run {run}"))?;
        }
        Ok(tx.commit().await?)
    }

    /// By key.
    #[tracing::instrument(name = "db.runs.params", skip_all)]
    pub async fn params(&self, run: &RunId) -> Result<Vec<(String, String)>> {
        let sql = "SELECT key, value FROM params WHERE run_id = $1 ORDER BY key";
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_all(self.read()).await?)
    }

    /// By key.
    #[tracing::instrument(name = "db.runs.tags", skip_all)]
    pub async fn tags(&self, run: &RunId) -> Result<Vec<(String, String)>> {
        let sql = "SELECT key, value FROM tags WHERE run_id = $1 ORDER BY key";
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_all(self.read()).await?)
    }

    /// Every point, by key, step and time.
    #[tracing::instrument(name = "db.runs.metrics", skip_all)]
    pub async fn metrics(&self, run: &RunId) -> Result<Vec<MetricPoint>> {
        let sql = "SELECT key, step, timestamp_ms, value, is_nan FROM metrics WHERE run_id = $1 \
                   ORDER BY key, step, timestamp_ms, value";
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_all(self.read()).await?)
    }

    /// One point a key: the last by step, then by time, then the greatest value.
    #[tracing::instrument(name = "db.runs.latest_metrics", skip_all)]
    pub async fn latest_metrics(&self, run: &RunId) -> Result<Vec<MetricPoint>> {
        let sql = "SELECT key, step, timestamp_ms, value, is_nan FROM (SELECT key, step, timestamp_ms, value, is_nan, \
                   ROW_NUMBER() OVER (PARTITION BY key ORDER BY step DESC, timestamp_ms DESC, is_nan, value DESC) AS place \
                   FROM metrics WHERE run_id = $1) AS placed WHERE place = 1 ORDER BY key";
        Ok(sqlx::query_as(sql).bind(run.as_str()).fetch_all(self.read()).await?)
    }
}

async fn insert_pairs(
    tx: &mut AnyConnection,
    run: &RunId,
    (insert, on_conflict): (&'static str, &'static str),
    pairs: &[(String, String)],
) -> Result<()> {
    for chunk in pairs.chunks(INSERT_ROWS_MAX) {
        let sql = format!("{insert} VALUES {} {on_conflict}", placeholders(chunk.len(), 3));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (key, value) in chunk {
            query = query.bind(run.as_str()).bind(text(key)?).bind(text(value)?);
        }
        query.execute(&mut *tx).await.referring_to(|| format!("run {run}"))?;
    }
    Ok(())
}

/// Both databases refuse what one of them cannot hold.
fn text(text: &str) -> Result<&str> {
    if text.contains('\0') {
        return Err(StoreError::Invalid(format!("{text:?} holds a NUL character, which cannot be stored; remove it")));
    }
    Ok(text)
}

impl FromRow<'_, AnyRow> for MetricPoint {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let value: f64 = row.try_get("value")?;
        Ok(Self {
            key: row.text("key")?,
            value: if row.flag("is_nan")? { f64::NAN } else { value },
            step: row.int("step")?,
            timestamp_ms: row.int("timestamp_ms")?,
        })
    }
}
