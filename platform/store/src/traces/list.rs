use super::TraceInfo;
use super::info::{TRACE_COLUMNS, read_row, with_details};
use crate::db::{Value, in_lists};
use crate::{Result, Store};

/// A page of a listing, the newest traces first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceList {
    pub experiment_ids: Vec<i64>,
    /// The last trace of the page before: its time and id.
    pub after: Option<(i64, String)>,
    pub traces_max: usize,
}

impl Store {
    #[tracing::instrument(name = "db.traces.list", skip_all)]
    pub async fn traces(&self, list: TraceList) -> Result<Vec<TraceInfo>> {
        self.query(move |tx| {
            let mut rows = Vec::new();
            let (after_ms, after_id) = match &list.after {
                Some((ms, id)) => (*ms, id.as_str()),
                None => (i64::MAX, ""),
            };
            for (places, values) in in_lists(&list.experiment_ids, 4) {
                let sql = format!(
                    "SELECT {TRACE_COLUMNS} FROM traces t WHERE t.experiment_id IN ({places}) \
                     AND t.timestamp_ms <= $1 AND (t.timestamp_ms < $1 OR t.trace_id > $2) \
                     ORDER BY t.timestamp_ms DESC, t.trace_id LIMIT $3"
                );
                let limit = i64::try_from(list.traces_max).unwrap_or(i64::MAX);
                let mut all: Vec<Value<'_>> = vec![after_ms.into(), after_id.into(), limit.into()];
                all.extend(values);
                rows.extend(tx.rows(&sql, &all, |row| read_row(&row))?);
            }
            rows.sort_by(|a, b| b.timestamp_ms.cmp(&a.timestamp_ms).then_with(|| a.trace_id.cmp(&b.trace_id)));
            rows.truncate(list.traces_max);
            with_details(tx, rows)
        })
        .await
    }
}
