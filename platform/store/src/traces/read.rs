use std::collections::HashMap;

use super::TraceInfo;
use super::info::{rows_of, with_details};
use crate::db::in_lists;
use crate::{Result, Scope, Store};

/// A trace and its spans.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSpans {
    pub info: TraceInfo,
    /// Each the JSON that was written; root spans first, then by start.
    pub spans: Vec<String>,
}

impl Store {
    /// Those traces that exist, in the order of the ids.
    #[tracing::instrument(name = "db.traces.spans", skip_all)]
    pub async fn traces_with_spans(&self, scope: &Scope, trace_ids: Vec<String>) -> Result<Vec<TraceSpans>> {
        let scope = scope.clone();
        self.query(move |tx| {
            let rows = rows_of(tx, &scope, &trace_ids)?;
            let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
            let at: HashMap<i64, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
            let mut traces: Vec<_> =
                with_details(tx, rows)?.into_iter().map(|info| TraceSpans { info, spans: Vec::new() }).collect();
            for (places, values) in in_lists(&ids, 1) {
                let sql = format!(
                    "SELECT trace, content FROM spans WHERE trace IN ({places}) \
                     ORDER BY trace, CASE WHEN parent_id = 0 THEN 0 ELSE 1 END, start_ns, span_id"
                );
                tx.for_each(&sql, &values, |row| {
                    traces[at[&row.int(0)?]].spans.push(row.text(1)?);
                    Ok(())
                })?;
            }
            Ok(traces)
        })
        .await
    }
}
