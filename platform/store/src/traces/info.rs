use std::collections::HashMap;

use tiegel_types::uri;

use super::AssessmentRow;
use super::assessments::{ASSESSMENT_COLUMNS, ASSESSMENTS, read_assessment};
use crate::db::{Row, Tx, in_lists};
use crate::tracking::OWN_ARTIFACTS;
use crate::{Result, Scope, Store, StoreError};

/// A trace's own facts.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRow {
    /// The row, known to this database alone.
    pub id: i64,
    pub trace_id: String,
    pub experiment_id: i64,
    pub timestamp_ms: i64,
    pub end_ms: Option<i64>,
    pub state: String,
    pub name: Option<String>,
    pub session_id: Option<String>,
    pub client_request_id: Option<String>,
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    pub is_final: bool,
    pub has_spans: bool,
    pub project: String,
    /// Where its experiment keeps artifacts.
    pub artifact_location: String,
}

/// A trace without its spans.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceInfo {
    pub row: TraceRow,
    /// By key; the name is in the row.
    pub tags: Vec<(String, String)>,
    /// By key; the session is in the row, and tokens and cost are in `usage`.
    pub metadata: Vec<(String, String)>,
    pub usage: Vec<(String, f64)>,
    /// The oldest first.
    pub assessments: Vec<AssessmentRow>,
}

impl Store {
    #[tracing::instrument(name = "db.traces.info", skip_all)]
    pub async fn trace_info(&self, scope: &Scope, trace_id: &str) -> Result<TraceInfo> {
        let infos = self.trace_infos(scope, vec![trace_id.to_owned()]).await?.pop();
        infos.ok_or_else(|| not_found(trace_id))
    }

    /// Those that exist, in the order of the ids; an id that is named twice is answered once.
    #[tracing::instrument(name = "db.traces.infos", skip_all)]
    pub async fn trace_infos(&self, scope: &Scope, trace_ids: Vec<String>) -> Result<Vec<TraceInfo>> {
        let scope = scope.clone();
        self.query(move |tx| {
            let rows = rows_of(tx, &scope, &trace_ids)?;
            with_details(tx, rows)
        })
        .await
    }
}

pub(super) const TRACE_COLUMNS: &str = "t.id, t.trace_id, t.experiment_id, t.timestamp_ms, t.end_ms, t.state, t.name, \
     t.session_id, t.client_request_id, t.request_preview, t.response_preview, t.is_final, t.has_spans, \
     e.project, e.artifact_location";

/// Traces and the experiments that they are in.
pub(super) const TRACES: &str = "traces AS t JOIN experiments AS e ON e.id = t.experiment_id";

pub(super) fn read_row(row: &Row<'_>) -> Result<TraceRow> {
    let experiment_id = row.int(2)?;
    let location = row.text_opt(14)?;
    Ok(TraceRow {
        id: row.int(0)?,
        trace_id: row.text(1)?,
        experiment_id,
        timestamp_ms: row.int(3)?,
        end_ms: row.int_opt(4)?,
        state: row.text(5)?,
        name: row.text_opt(6)?,
        session_id: row.text_opt(7)?,
        client_request_id: row.text_opt(8)?,
        request_preview: row.text_opt(9)?,
        response_preview: row.text_opt(10)?,
        is_final: row.flag(11)?,
        has_spans: row.flag(12)?,
        project: row.text(13)?,
        artifact_location: location.unwrap_or_else(|| uri::append(OWN_ARTIFACTS, &[&experiment_id.to_string()])),
    })
}

/// The rows of these ids, in their order.
pub(super) fn rows_of(tx: &mut Tx<'_>, scope: &Scope, trace_ids: &[String]) -> Result<Vec<TraceRow>> {
    let ids: Vec<&str> = trace_ids.iter().map(String::as_str).collect();
    let mut found = HashMap::new();
    for (places, values) in in_lists(&ids, 1) {
        let sql = format!("SELECT {TRACE_COLUMNS} FROM {TRACES} WHERE t.trace_id IN ({places})");
        tx.for_each(&sql, &values, |row| {
            let row = read_row(&row)?;
            if scope.sees(&row.project) {
                found.insert(row.trace_id.clone(), row);
            }
            Ok(())
        })?;
    }
    Ok(trace_ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// The row of one trace, or that it does not exist.
pub(super) fn row_of(tx: &mut Tx<'_>, scope: &Scope, trace_id: &str) -> Result<TraceRow> {
    rows_of(tx, scope, &[trace_id.to_owned()])?.pop().ok_or_else(|| not_found(trace_id))
}

pub(super) fn not_found(trace_id: &str) -> StoreError {
    StoreError::NotFound(format!("Trace with ID '{trace_id}' not found."))
}

/// Those of the experiments that the scope sees.
pub(crate) fn seen_experiments(tx: &mut Tx<'_>, scope: &Scope, ids: &[i64]) -> Result<Vec<i64>> {
    let mut seen = Vec::with_capacity(ids.len());
    for (places, values) in in_lists(ids, 1) {
        let sql = format!("SELECT id, project FROM experiments WHERE id IN ({places}) ORDER BY id");
        tx.for_each(&sql, &values, |row| {
            if scope.sees(row.str(1)?) {
                seen.push(row.int(0)?);
            }
            Ok(())
        })?;
    }
    Ok(seen)
}

/// Adds tags, metadata, usage and assessments.
pub(super) fn with_details(tx: &mut Tx<'_>, rows: Vec<TraceRow>) -> Result<Vec<TraceInfo>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let at: HashMap<i64, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut infos: Vec<_> = rows
        .into_iter()
        .map(|row| TraceInfo { row, tags: vec![], metadata: vec![], usage: vec![], assessments: vec![] })
        .collect();
    let mut pairs = |table: &str, put: fn(&mut TraceInfo, &Row<'_>) -> Result<()>| {
        for (places, values) in in_lists(&ids, 1) {
            let sql = format!("SELECT trace, key, value FROM {table} WHERE trace IN ({places}) ORDER BY trace, key");
            tx.for_each(&sql, &values, |row| put(&mut infos[at[&row.int(0)?]], &row))?;
        }
        Ok::<_, StoreError>(())
    };
    pairs("trace_tags", |info, row| {
        info.tags.push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    pairs("trace_metadata", |info, row| {
        info.metadata.push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    pairs("trace_usage", |info, row| {
        info.usage.push((row.text(1)?, row.real(2)?));
        Ok(())
    })?;
    for (places, values) in in_lists(&ids, 1) {
        let sql = format!(
            "SELECT {ASSESSMENT_COLUMNS} FROM {ASSESSMENTS} WHERE a.trace IN ({places}) ORDER BY a.created_ms, a.assessment_id"
        );
        tx.for_each(&sql, &values, |row| {
            infos[at[&row.int(0)?]].assessments.push(read_assessment(&row)?);
            Ok(())
        })?;
    }
    Ok(infos)
}
