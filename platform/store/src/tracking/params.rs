use super::keys::one_of;
use super::runs::{RunHead, run_to_write};
use super::{Scope, text};
use crate::db::{Column, Insert, Tx, Value};
use crate::pool::Backend;
use crate::{Result, Store, StoreError};

/// A param that would change.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamConflict {
    pub key: String,
    pub old_value: String,
    pub new_value: String,
}

impl Store {
    /// Logs params, all or none. A param keeps its first value: the same again is fine, another one is a conflict, which
    /// `refuse` makes into an error.
    #[tracing::instrument(name = "db.runs.log_params", skip_all, fields(params = params.len()))]
    pub async fn log_params<F>(&self, scope: &Scope, run: &str, params: Vec<(String, String)>, refuse: F) -> Result<()>
    where
        F: FnOnce(Vec<ParamConflict>) -> StoreError + Send + 'static,
    {
        let keys = self.keys();
        if let (Backend::Postgres, [param]) = (self.backend(), &params[..])
            && let Some(id) = keys.remembered(&param.0)
            && let Some(conflicts) = self.log_param_directly(scope, run, (id, param.clone())).await?
        {
            return if conflicts.is_empty() { Ok(()) } else { Err(refuse(conflicts)) };
        }
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let ids = keys.intern(tx, &params.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())?;
            let conflicts = put_params(tx, head, &ids, &params)?;
            if conflicts.is_empty() { Ok(()) } else { Err(refuse(conflicts)) }
        };
        self.transact(operation).await
    }
}

/// Adds those params, whose keys are `ids`, that are not there, and answers those that are and differ.
pub(crate) fn put_params(
    tx: &mut Tx<'_>,
    head: RunHead,
    ids: &[i64],
    params: &[(String, String)],
) -> Result<Vec<ParamConflict>> {
    let mut rows: Vec<_> = ids.iter().copied().zip(params).collect();
    // In one order, so that no two transactions wait for each other.
    rows.sort_by_key(|(key, _)| *key);
    let values: Vec<_> = rows.iter().map(|(_, (_, value))| text::split(value)).collect();
    let columns = [
        Column::Same(head.id.into(), rows.len()),
        Column::Int(rows.iter().map(|(key, _)| *key).collect()),
        Column::Same(head.experiment_id.into(), rows.len()),
        Column::Text(values.iter().map(|(head, _)| *head).collect()),
        Column::TextOpt(values.iter().map(|(_, rest)| *rest).collect()),
    ];
    let insert = Insert {
        table: "run_params",
        columns: &["run", "key", "experiment_id", "head", "rest"],
        on_conflict: "ON CONFLICT (run, key) DO NOTHING",
    };
    if tx.insert(&insert, &columns)? == rows.len() as u64 {
        return Ok(Vec::new());
    }
    changed(tx, head, &rows)
}

fn changed(tx: &mut Tx<'_>, head: RunHead, rows: &[(i64, &(String, String))]) -> Result<Vec<ParamConflict>> {
    let ids: Vec<i64> = rows.iter().map(|(key, _)| *key).collect();
    let (places, mut values) = one_of(&ids, 2);
    values.insert(0, Value::from(head.id));
    let sql = format!("SELECT key, head, rest FROM run_params WHERE run = $1 AND key IN {places} ORDER BY key");
    let stored = tx.rows(&sql, &values, |row| Ok((row.int(0)?, text::join(row.str(1)?, row.text_opt(2)?))))?;
    let mut conflicts = Vec::new();
    for (id, (key, value)) in rows {
        let old = stored.iter().find(|(stored, _)| stored == id).map(|(_, old)| old);
        if let Some(old) = old.filter(|old| *old != value) {
            conflicts.push(ParamConflict { key: key.clone(), old_value: old.clone(), new_value: value.clone() });
        }
    }
    Ok(conflicts)
}
