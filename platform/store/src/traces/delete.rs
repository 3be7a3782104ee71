use crate::db::{Tx, in_lists};
use crate::tracking::expect_experiment;
use crate::{Result, Scope, Store, StoreError};

/// Which traces of an experiment go.
#[derive(Clone, Debug, PartialEq)]
pub enum DeleteTraces {
    /// Those at this time or before, the oldest first.
    Until {
        ms: i64,
        traces_max: Option<i64>,
    },
    Ids(Vec<String>),
}

impl Store {
    /// Answers how many are gone. An experiment that does not exist has none.
    #[tracing::instrument(name = "db.traces.delete", skip_all)]
    pub async fn delete_traces(&self, scope: &Scope, experiment_id: i64, delete: DeleteTraces) -> Result<u64> {
        let scope = scope.clone();
        self.transact(move |tx| {
            let mut gone = 0;
            match expect_experiment(tx, &scope, experiment_id) {
                Err(StoreError::NotFound(_)) => return Ok(0),
                other => other?,
            };
            for (places, values) in in_lists(&selected(tx, experiment_id, &delete)?, 1) {
                gone += tx.execute(&format!("DELETE FROM traces WHERE id IN ({places})"), &values)?;
            }
            Ok(gone)
        })
        .await
    }
}

fn selected(tx: &mut Tx<'_>, experiment_id: i64, delete: &DeleteTraces) -> Result<Vec<i64>> {
    match delete {
        DeleteTraces::Until { ms, traces_max } => {
            let sql = "SELECT id FROM traces WHERE experiment_id = $1 AND timestamp_ms <= $2 \
                       ORDER BY timestamp_ms, trace_id LIMIT $3";
            let limit = traces_max.unwrap_or(i64::MAX);
            tx.rows(sql, &[experiment_id.into(), (*ms).into(), limit.into()], |row| row.int(0))
        }
        DeleteTraces::Ids(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut found = Vec::new();
            for (places, mut values) in in_lists(&ids, 2) {
                let sql = format!("SELECT id FROM traces WHERE experiment_id = $1 AND trace_id IN ({places})");
                values.insert(0, experiment_id.into());
                found.extend(tx.rows(&sql, &values, |row| row.int(0))?);
            }
            Ok(found)
        }
    }
}
