//! Removing for good what was deleted long ago, and telling which blobs are still named.
//!
//! A removal looks once more, in its own transaction, whether the thing is still deleted: what was restored meanwhile
//! stays. Small rows go at once; points and files, which may be many, go afterwards, and a leftover says so until then.

mod leftovers;
mod referrers;
mod remove;

pub use leftovers::{DroppedArtifacts, Leftover};
pub use referrers::Referrers;
pub use remove::RemovedExperiment;

use crate::db::{Row, Tx};
use crate::{Result, Store};

/// What was deleted before some time and may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    pub runs: Vec<DeletedThing<i64>>,
    /// Those of experiments that go, too.
    pub logged_models: Vec<DeletedThing<String>>,
    pub experiments: Vec<DeletedThing<i64>>,
    /// Of the experiments that go.
    pub traces: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedThing<Id> {
    pub id: Id,
    /// Its files; none where the place is not its own.
    pub tree: Option<String>,
}

/// An experiment goes once it and all its runs were deleted long enough ago; the first one, which clients use unless they
/// name another, never. `$1` is the time, `e` the experiment.
macro_rules! experiment_goes {
    () => {
        "e.lifecycle = 'deleted' AND e.updated_ms <= $1 AND e.id <> 0 AND NOT EXISTS (SELECT 1 FROM runs r \
         WHERE r.experiment_id = e.id AND (r.lifecycle <> 'deleted' OR r.deleted_ms > $1))"
    };
}
/// `$1` is the time.
macro_rules! run_goes {
    () => {
        "lifecycle = 'deleted' AND (deleted_ms IS NULL OR deleted_ms <= $1)"
    };
}
use experiment_goes;
use run_goes;

impl Store {
    /// What was deleted at this time or before. It may be restored until it is removed.
    #[tracing::instrument(name = "db.gc.deleted", skip_all)]
    pub async fn deleted_until(&self, until_ms: i64) -> Result<Deleted> {
        self.query(move |tx| {
            let runs = concat!("SELECT id, run_id, artifact_uri FROM runs WHERE ", run_goes!(), " ORDER BY id");
            let models = concat!(
                "SELECT model_id, artifact_location FROM logged_models m WHERE (lifecycle = 'deleted' AND updated_ms <= $1) \
                 OR EXISTS (SELECT 1 FROM experiments e WHERE e.id = m.experiment_id AND ",
                experiment_goes!(),
                ") ORDER BY model_id"
            );
            let experiments =
                concat!("SELECT id, artifact_location FROM experiments e WHERE ", experiment_goes!(), " ORDER BY id");
            let traces = concat!(
                "SELECT COUNT(*) FROM traces t JOIN experiments e ON e.id = t.experiment_id WHERE ",
                experiment_goes!()
            );
            let until = [until_ms.into()];
            Ok(Deleted {
                runs: tx.rows(runs, &until, |row| {
                    Ok(DeletedThing { id: row.int(0)?, tree: own_tree(row.text(2)?, row.str(1)?) })
                })?,
                logged_models: tx.rows(models, &until, |row| {
                    Ok(DeletedThing { id: row.text(0)?, tree: own_tree(row.text(1)?, row.str(0)?) })
                })?,
                experiments: tx.rows(experiments, &until, experiment)?,
                traces: count(tx, traces, until_ms)?,
            })
        })
        .await
    }
}

fn experiment(row: Row<'_>) -> Result<DeletedThing<i64>> {
    let id = row.int(0)?;
    Ok(DeletedThing { id, tree: row.text_opt(1)?.and_then(|location| trace_tree(&location, id)) })
}

fn count(tx: &mut Tx<'_>, sql: &str, until_ms: i64) -> Result<u64> {
    Ok(tx.row(sql, &[until_ms.into()], |row| row.int(0))?.unwrap_or_default() as u64)
}

/// A folder of artifacts that is this thing's alone: its name is part of the path. Who imports a run may say anything.
fn own_tree(uri: String, name: &str) -> Option<String> {
    uri.split('/').any(|segment| segment == name).then_some(uri)
}

/// The files of an experiment's traces, where the experiment has a folder of its own.
fn trace_tree(location: &str, id: i64) -> Option<String> {
    let location = location.trim_end_matches('/');
    let is_own = location.rsplit('/').next() == Some(&id.to_string());
    is_own.then(|| tiegel_types::uri::append(location, &["traces"]))
}

#[cfg(test)]
mod tests;
