use super::info::{row_of, rows_of};
use crate::db::{Column, Insert, Tx};
use crate::{Result, Scope, Store, StoreError};

/// The tag that is a trace's name. The name is a column.
pub const TRACE_NAME_TAG: &str = "mlflow.traceName";

impl Store {
    #[tracing::instrument(name = "db.traces.set_tag", skip_all)]
    pub async fn set_trace_tag(&self, scope: &Scope, trace_id: &str, (key, value): (String, String)) -> Result<()> {
        let (scope, trace_id) = (scope.clone(), trace_id.to_owned());
        self.transact(move |tx| {
            let trace = row_of(tx, &scope, &trace_id)?.id;
            if key == TRACE_NAME_TAG {
                tx.execute("UPDATE traces SET name = $1 WHERE id = $2", &[(&value).into(), trace.into()])?;
                return Ok(());
            }
            put_pairs(tx, &upsert_pairs("trace_tags"), trace, &[&(key, value)])
        })
        .await
    }

    #[tracing::instrument(name = "db.traces.delete_tag", skip_all)]
    pub async fn delete_trace_tag(&self, scope: &Scope, trace_id: &str, key: &str) -> Result<()> {
        let (scope, trace_id, key) = (scope.clone(), trace_id.to_owned(), key.to_owned());
        self.transact(move |tx| {
            let trace = row_of(tx, &scope, &trace_id)?.id;
            let gone = if key == TRACE_NAME_TAG {
                tx.execute("UPDATE traces SET name = NULL WHERE id = $1 AND name IS NOT NULL", &[trace.into()])?
            } else {
                let sql = "DELETE FROM trace_tags WHERE trace = $1 AND key = $2";
                tx.execute(sql, &[trace.into(), (&key).into()])?
            };
            if gone == 0 {
                let message = format!("No trace tag with key '{key}' for trace with ID '{trace_id}'");
                return Err(StoreError::NotFound(message));
            }
            Ok(())
        })
        .await
    }

    /// Traces that do not exist are left out, and nobody asks whether the run exists: a client may link what it is about to
    /// make. A trace that is linked already stays as it is.
    #[tracing::instrument(name = "db.traces.link_run", skip_all)]
    pub async fn link_traces_to_run(&self, scope: &Scope, trace_ids: Vec<String>, run_id: &str) -> Result<()> {
        let (scope, run_id) = (scope.clone(), run_id.to_owned());
        self.transact(move |tx| {
            let traces: Vec<i64> = rows_of(tx, &scope, &trace_ids)?.iter().map(|row| row.id).collect();
            let len = traces.len();
            let insert = Insert {
                table: "trace_runs",
                columns: &["run_id", "trace", "is_source"],
                on_conflict: "ON CONFLICT (run_id, trace) DO NOTHING",
            };
            let run = Column::Same((&run_id).into(), len);
            tx.insert(&insert, &[run, Column::Int(traces), Column::Same(0_i64.into(), len)])?;
            Ok(())
        })
        .await
    }

    /// Prompts are written `name/version`.
    #[tracing::instrument(name = "db.traces.link_prompts", skip_all)]
    pub async fn link_prompts_to_trace(&self, scope: &Scope, trace_id: &str, mut prompts: Vec<String>) -> Result<()> {
        let (scope, trace_id) = (scope.clone(), trace_id.to_owned());
        self.transact(move |tx| {
            let trace = row_of(tx, &scope, &trace_id)?.id;
            prompts.sort();
            prompts.dedup();
            let insert = Insert {
                table: "trace_prompts",
                columns: &["prompt", "trace"],
                on_conflict: "ON CONFLICT (prompt, trace) DO NOTHING",
            };
            let names = Column::Text(prompts.iter().map(String::as_str).collect());
            tx.insert(&insert, &[names, Column::Same(trace.into(), prompts.len())])?;
            Ok(())
        })
        .await
    }
}

/// Rows of (trace, key, value) in a table of that shape, the last value counting.
pub(super) fn upsert_pairs(table: &str) -> Insert<'_> {
    Insert {
        table,
        columns: &["trace", "key", "value"],
        on_conflict: "ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value",
    }
}

pub(super) fn put_pairs(tx: &mut Tx<'_>, insert: &Insert<'_>, trace: i64, pairs: &[&(String, String)]) -> Result<()> {
    let keys = Column::Text(pairs.iter().map(|(key, _)| key.as_str()).collect());
    let values = Column::Text(pairs.iter().map(|(_, value)| value.as_str()).collect());
    tx.insert(insert, &[Column::Same(trace.into(), pairs.len()), keys, values])?;
    Ok(())
}
