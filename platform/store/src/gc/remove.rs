use super::{Leftover, experiment_goes, leftovers, own_tree, run_goes, trace_tree};
use crate::db::Tx;
use crate::{Result, Store};

/// What went with an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedExperiment {
    pub traces: u64,
}

/// Rows of a run that are few and small.
const RUN_TABLES: [&str; 6] =
    ["run_params", "run_tags", "latest_metrics", "run_datasets", "run_models", "model_metrics"];

impl Store {
    /// Removes a run that was deleted at `until_ms` or before. Answers false where it was not, or is gone.
    #[tracing::instrument(name = "db.gc.run", skip_all, fields(run = id))]
    pub async fn remove_deleted_run(&self, id: i64, until_ms: i64) -> Result<bool> {
        self.transact(move |tx| {
            let sql = concat!("SELECT run_id, artifact_uri FROM runs WHERE id = $2 AND ", run_goes!());
            let found =
                tx.row(&locked(tx, sql), &[until_ms.into(), id.into()], |row| Ok((row.text(0)?, row.text(1)?)))?;
            let Some((run_id, uri)) = found else { return Ok(false) };
            for table in RUN_TABLES {
                tx.execute(&format!("DELETE FROM {table} WHERE run = $1"), &[id.into()])?;
            }
            tx.execute("DELETE FROM trace_runs WHERE run_id = $1", &[(&run_id).into()])?;
            tx.execute("DELETE FROM runs WHERE id = $1", &[id.into()])?;
            let tree = own_tree(uri, &run_id).map(Leftover::Tree);
            leftovers::add(tx, [Some(Leftover::Run(id)), tree])?;
            Ok(true)
        })
        .await
    }

    /// Removes a logged model that was deleted at `until_ms` or before, or whose experiment goes.
    #[tracing::instrument(name = "db.gc.logged_model", skip_all, fields(model = id))]
    pub async fn remove_deleted_logged_model(&self, id: &str, until_ms: i64) -> Result<bool> {
        let id = id.to_owned();
        self.transact(move |tx| {
            let sql = concat!(
                "SELECT artifact_location FROM logged_models m WHERE model_id = $2 AND \
                 ((lifecycle = 'deleted' AND updated_ms <= $1) \
                 OR EXISTS (SELECT 1 FROM experiments e WHERE e.id = m.experiment_id AND ",
                experiment_goes!(),
                "))"
            );
            let uri = tx.row(&locked(tx, sql), &[until_ms.into(), (&id).into()], |row| row.text(0))?;
            let Some(uri) = uri else { return Ok(false) };
            remove_logged_model(tx, &id, uri)?;
            Ok(true)
        })
        .await
    }

    /// Removes an experiment without runs that was deleted at `until_ms` or before, with its traces and all else that
    /// belongs to it. Answers nothing where it was not, or still has runs.
    #[tracing::instrument(name = "db.gc.experiment", skip_all, fields(experiment = id))]
    pub async fn remove_deleted_experiment(&self, id: i64, until_ms: i64) -> Result<Option<RemovedExperiment>> {
        self.transact(move |tx| {
            let sql = concat!(
                "SELECT artifact_location FROM experiments e WHERE id = $2 AND ",
                experiment_goes!(),
                " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.id)"
            );
            let location = tx.row(&locked(tx, sql), &[until_ms.into(), id.into()], |row| row.text_opt(0))?;
            let Some(location) = location else { return Ok(None) };
            let models = "SELECT model_id, artifact_location FROM logged_models WHERE experiment_id = $1";
            for (model, uri) in tx.rows(models, &[id.into()], |row| Ok((row.text(0)?, row.text(1)?)))? {
                remove_logged_model(tx, &model, uri)?;
            }
            let traces = tx.execute("DELETE FROM traces WHERE experiment_id = $1", &[id.into()])?;
            for table in ["scorers", "datasets", "experiment_tags"] {
                tx.execute(&format!("DELETE FROM {table} WHERE experiment_id = $1"), &[id.into()])?;
            }
            let text = id.to_string();
            let of_evaluations = "DELETE FROM evaluation_dataset_experiments WHERE experiment_id = $1";
            tx.execute(of_evaluations, &[(&text).into()])?;
            tx.execute("DELETE FROM experiments WHERE id = $1", &[id.into()])?;
            leftovers::add(tx, [location.and_then(|location| trace_tree(&location, id)).map(Leftover::Tree)])?;
            Ok(Some(RemovedExperiment { traces }))
        })
        .await
    }
}

fn remove_logged_model(tx: &mut Tx<'_>, id: &str, uri: String) -> Result<()> {
    for table in ["model_metrics", "run_models", "logged_models"] {
        tx.execute(&format!("DELETE FROM {table} WHERE model_id = $1"), &[id.into()])?;
    }
    leftovers::add(tx, [own_tree(uri, id).map(Leftover::Tree)])
}

/// Nobody restores what is being removed: SQLite has one writer, Postgres locks the row.
fn locked(tx: &Tx<'_>, sql: &str) -> String {
    if tx.is_sqlite() { sql.to_owned() } else { format!("{sql} FOR UPDATE") }
}
