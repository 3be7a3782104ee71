use super::assessments::put_assessments;
use super::info::{row_of, rows_of, with_details};
use super::tags::{put_pairs, upsert_pairs};
use super::usage::{cost_amounts, token_counts};
use super::{AssessmentRow, SESSION_METADATA, SOURCE_RUN_METADATA, TRACE_NAME_TAG, TraceInfo};
use crate::db::{Column, Insert, Tx};
use crate::tracking::{expect_active, expect_experiment};
use crate::{Result, Scope, Store, StoreError};

const TOKEN_METADATA: &str = "mlflow.trace.tokenUsage";
const COST_METADATA: &str = "mlflow.trace.cost";

/// A trace as its client tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrace {
    pub trace_id: String,
    pub experiment_id: i64,
    pub timestamp_ms: i64,
    pub end_ms: Option<i64>,
    pub state: String,
    pub client_request_id: Option<String>,
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    pub tags: Vec<(String, String)>,
    pub metadata: Vec<(String, String)>,
    pub assessments: Vec<AssessmentRow>,
    /// Whether this is the whole of it, not only its start.
    pub is_final: bool,
}

/// What is known at the end of a trace that was only started.
#[derive(Clone, Debug, PartialEq)]
pub struct EndTrace {
    pub trace_id: String,
    pub end_ms: i64,
    pub state: String,
    pub tags: Vec<(String, String)>,
    pub metadata: Vec<(String, String)>,
}

impl Store {
    /// Makes a trace, or completes the one that its spans have made already. Doing it again changes nothing.
    #[tracing::instrument(name = "db.traces.start", skip_all)]
    pub async fn start_trace(&self, scope: &Scope, new: NewTrace) -> Result<TraceInfo> {
        let scope = scope.clone();
        self.transact(move |tx| {
            expect_active(&expect_experiment(tx, &scope, new.experiment_id)?)?;
            expect_ours(tx, &scope, &new.trace_id)?;
            put_trace(tx, &new)?;
            let row = row_of(tx, &scope, &new.trace_id)?;
            put_tags(tx, row.id, &new.tags)?;
            put_metadata(tx, row.id, &new.metadata)?;
            put_assessments(tx, row.id, &new.assessments)?;
            one(tx, &scope, &new.trace_id)
        })
        .await
    }

    #[tracing::instrument(name = "db.traces.end", skip_all)]
    pub async fn end_trace(&self, scope: &Scope, end: EndTrace) -> Result<TraceInfo> {
        let scope = scope.clone();
        self.transact(move |tx| {
            let row = row_of(tx, &scope, &end.trace_id)?;
            let name = value_of(&end.tags, TRACE_NAME_TAG);
            tx.execute(
                "UPDATE traces SET end_ms = $1, state = $2, name = COALESCE($3, name), \
                 session_id = COALESCE($4, session_id) WHERE id = $5",
                &[
                    end.end_ms.into(),
                    (&end.state).into(),
                    name.into(),
                    value_of(&end.metadata, SESSION_METADATA).into(),
                    row.id.into(),
                ],
            )?;
            put_tags(tx, row.id, &end.tags)?;
            put_metadata(tx, row.id, &end.metadata)?;
            one(tx, &scope, &end.trace_id)
        })
        .await
    }
}

/// Refuses the id of a trace that another project has.
fn expect_ours(tx: &mut Tx<'_>, scope: &Scope, trace_id: &str) -> Result<()> {
    let sql = "SELECT e.project FROM traces AS t JOIN experiments AS e ON e.id = t.experiment_id WHERE t.trace_id = $1";
    match tx.row(sql, &[trace_id.into()], |row| row.text(0))? {
        Some(project) if !scope.sees(&project) => Err(foreign(trace_id)),
        _ => Ok(()),
    }
}

pub(super) fn foreign(trace_id: &str) -> StoreError {
    StoreError::Conflict(format!("Trace with ID '{trace_id}' is in another workspace: give this one another id."))
}

fn one(tx: &mut Tx<'_>, scope: &Scope, trace_id: &str) -> Result<TraceInfo> {
    let rows = rows_of(tx, scope, &[trace_id.to_owned()])?;
    with_details(tx, rows)?.pop().ok_or_else(|| super::info::not_found(trace_id))
}

fn put_trace(tx: &mut Tx<'_>, new: &NewTrace) -> Result<()> {
    tx.execute(
        "INSERT INTO traces (trace_id, experiment_id, timestamp_ms, end_ms, state, name, session_id, client_request_id, \
         request_preview, response_preview, is_final, has_spans, writes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 1) \
         ON CONFLICT (trace_id) DO UPDATE SET experiment_id = excluded.experiment_id, \
         timestamp_ms = excluded.timestamp_ms, end_ms = excluded.end_ms, state = excluded.state, \
         name = COALESCE(excluded.name, traces.name), session_id = COALESCE(excluded.session_id, traces.session_id), \
         client_request_id = excluded.client_request_id, \
         request_preview = COALESCE(excluded.request_preview, traces.request_preview), \
         response_preview = COALESCE(excluded.response_preview, traces.response_preview), \
         is_final = excluded.is_final, writes = traces.writes + 1",
        &[
            (&new.trace_id).into(),
            new.experiment_id.into(),
            new.timestamp_ms.into(),
            new.end_ms.into(),
            (&new.state).into(),
            value_of(&new.tags, TRACE_NAME_TAG).into(),
            value_of(&new.metadata, SESSION_METADATA).into(),
            (&new.client_request_id).into(),
            (&new.request_preview).into(),
            (&new.response_preview).into(),
            new.is_final.into(),
        ],
    )?;
    Ok(())
}

/// The name is a column of its own.
fn put_tags(tx: &mut Tx<'_>, trace: i64, tags: &[(String, String)]) -> Result<()> {
    let tags: Vec<_> = tags.iter().filter(|(key, _)| key != TRACE_NAME_TAG).collect();
    put_pairs(tx, &upsert_pairs("trace_tags"), trace, &tags)
}

/// What has columns and tables of its own goes there.
fn put_metadata(tx: &mut Tx<'_>, trace: i64, metadata: &[(String, String)]) -> Result<()> {
    let is_kept = |key: &str| ![SESSION_METADATA, TOKEN_METADATA, COST_METADATA].contains(&key);
    let kept: Vec<_> = metadata.iter().filter(|(key, _)| is_kept(key)).collect();
    put_pairs(tx, &upsert_pairs("trace_metadata"), trace, &kept)?;
    let mut usage = value_of(metadata, TOKEN_METADATA).map(token_counts).unwrap_or_default();
    usage.extend(value_of(metadata, COST_METADATA).map(cost_amounts).unwrap_or_default());
    put_usage(tx, &usage.iter().map(|(key, value)| (trace, *key, *value)).collect::<Vec<_>>())?;
    let Some(run) = value_of(metadata, SOURCE_RUN_METADATA) else { return Ok(()) };
    tx.execute(
        "DELETE FROM trace_runs WHERE trace = $1 AND is_source = 1 AND run_id <> $2",
        &[trace.into(), run.into()],
    )?;
    tx.execute(
        "INSERT INTO trace_runs (run_id, trace, is_source) VALUES ($1, $2, 1) \
         ON CONFLICT (run_id, trace) DO UPDATE SET is_source = 1",
        &[run.into(), trace.into()],
    )?;
    Ok(())
}

pub(super) fn put_usage(tx: &mut Tx<'_>, usage: &[(i64, &'static str, f64)]) -> Result<()> {
    let insert = Insert {
        table: "trace_usage",
        columns: &["trace", "key", "value"],
        on_conflict: "ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value",
    };
    let traces = Column::Int(usage.iter().map(|(trace, ..)| *trace).collect());
    let keys = Column::Text(usage.iter().map(|(_, key, _)| *key).collect());
    let values = Column::Real(usage.iter().map(|(.., value)| *value).collect());
    tx.insert(&insert, &[traces, keys, values])?;
    Ok(())
}

fn value_of<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}
