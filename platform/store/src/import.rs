//! Writing what another server tracked, and counting it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tiegel_types::Name;
use tiegel_types::transfer::{Counts, Record, Series};

use crate::artifacts::below;
use crate::db::{Tx, Value};
use crate::registry::{import_logged_model, import_registered_model};
use crate::tracking::{Keys, count_points, import_experiment, import_model_metrics, import_points, import_run, one_of};
use crate::{Change, Result, Store};

#[cfg(test)]
mod tests;

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The number that each experiment has here, by the one that it has at the source.
    pub experiments: BTreeMap<i64, i64>,
}

/// What to count, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToCount {
    pub experiments: Vec<i64>,
    pub runs: Vec<String>,
    pub logged_models: Vec<String>,
    pub registered_models: Vec<String>,
    pub traces: Vec<String>,
    /// Folders below `mlflow-artifacts:/`.
    pub places: Vec<String>,
}

impl Store {
    /// Writes records, all or none; experiments are those of `project`. What is there already becomes as the records say.
    #[tracing::instrument(name = "db.import", skip_all, fields(records = records.len()))]
    pub async fn import(&self, project: &Name, records: Vec<Record>, change: Change) -> Result<Imported> {
        let (keys, project) = (self.keys(), project.clone());
        let operation = move |tx: &mut Tx<'_>| {
            ensure_project(tx, &project, change.at_ms)?;
            let mut imported = Imported::default();
            let mut series = Vec::new();
            for record in &records {
                if let Record::Series(next) = record {
                    if series.first().is_some_and(|first: &&Series| first.run_id != next.run_id) {
                        import_points(tx, &keys, &project, &std::mem::take(&mut series))?;
                    }
                    series.push(next);
                    continue;
                }
                import_points(tx, &keys, &project, &std::mem::take(&mut series))?;
                write(tx, (&keys, &project, &change), record, &mut imported)?;
            }
            import_points(tx, &keys, &project, &series)?;
            Ok(imported)
        };
        self.transact(operation).await
    }

    /// What a project has of the things that are named.
    #[tracing::instrument(name = "db.import_counts", skip_all)]
    pub async fn import_counts(&self, project: &Name, wanted: ToCount) -> Result<Counts> {
        let project = project.clone();
        self.query(move |tx| count(tx, &project, &wanted)).await
    }
}

fn ensure_project(tx: &mut Tx<'_>, project: &Name, now_ms: i64) -> Result<()> {
    let sql = "INSERT INTO projects (name, serial, created_ms) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, &[project.as_str().into(), now_ms.into()])?;
    Ok(())
}

fn write(
    tx: &mut Tx<'_>,
    (keys, project, change): (&Keys, &Name, &Change),
    record: &Record,
    imported: &mut Imported,
) -> Result<()> {
    match record {
        Record::Experiment(experiment) => {
            let id = import_experiment(tx, project, experiment)?;
            imported.experiments.insert(experiment.id, id);
            Ok(())
        }
        Record::Run(run) => import_run(tx, keys, project, run),
        Record::LoggedModel(model) => {
            import_logged_model(tx, project, model)?;
            import_model_metrics(tx, keys, (project, &model.model_id), &model.metrics)
        }
        Record::RegisteredModel(model) => import_registered_model(tx, project, model, change),
        // Gathered by run, so that a run's points are one write.
        Record::Series(series) => import_points(tx, keys, project, &[series]),
    }
}

fn count(tx: &mut Tx<'_>, project: &Name, wanted: &ToCount) -> Result<Counts> {
    let mut counts = Counts::default();
    count_experiments(tx, project, &wanted.experiments, &mut counts)?;
    count_runs(tx, project, &wanted.runs, &mut counts)?;
    count_models(tx, project, wanted, &mut counts)?;
    let traces = ids(
        tx,
        "SELECT t.id FROM traces t JOIN experiments e ON e.id = t.experiment_id WHERE e.project = $1 \
                          AND t.trace_id IN",
        project,
        &wanted.traces,
    )?;
    counts.traces = traces.len() as u64;
    counts.spans = sum(tx, "SELECT COUNT(*) FROM spans WHERE trace IN", &traces)?;
    counts.assessments = sum(tx, "SELECT COUNT(*) FROM assessments WHERE trace IN", &traces)?;
    for place in &wanted.places {
        let (first, end) = below(place);
        let sql =
            "SELECT COUNT(*), COALESCE(CAST(SUM(bytes) AS BIGINT), 0) FROM artifacts WHERE path > $1 AND path < $2";
        let found = tx.row(sql, &[(&first).into(), (&end).into()], |row| Ok((row.int(0)?, row.int(1)?)))?;
        let (files, bytes) = found.unwrap_or_default();
        counts.artifacts += files as u64;
        counts.artifact_bytes += bytes as u64;
    }
    Ok(counts)
}

fn count_experiments(tx: &mut Tx<'_>, project: &Name, wanted: &[i64], counts: &mut Counts) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let (places, mut values) = one_of(wanted, 2);
    values.insert(0, project.as_str().into());
    let sql = format!("SELECT id FROM experiments WHERE project = $1 AND id IN {places}");
    let found = tx.rows(&sql, &values, |row| row.int(0))?;
    counts.experiments = found.len() as u64;
    counts.experiment_tags = sum(tx, "SELECT COUNT(*) FROM experiment_tags WHERE experiment_id IN", &found)?;
    Ok(())
}

fn count_runs(tx: &mut Tx<'_>, project: &Name, wanted: &[String], counts: &mut Counts) -> Result<()> {
    let runs = ids(tx, "SELECT id FROM runs WHERE project = $1 AND run_id IN", project, wanted)?;
    counts.runs = runs.len() as u64;
    counts.params = sum(tx, "SELECT COUNT(*) FROM run_params WHERE run IN", &runs)?;
    counts.tags = sum(tx, "SELECT COUNT(*) FROM run_tags WHERE run IN", &runs)?;
    counts.dataset_inputs = sum(tx, "SELECT COUNT(*) FROM run_datasets WHERE run IN", &runs)?;
    counts.model_links = sum(tx, "SELECT COUNT(*) FROM run_models WHERE run IN", &runs)?;
    for run in runs {
        counts.points += count_points(tx, run)?;
    }
    Ok(())
}

fn count_models(tx: &mut Tx<'_>, project: &Name, wanted: &ToCount, counts: &mut Counts) -> Result<()> {
    if !wanted.logged_models.is_empty() {
        let (places, mut values) = one_of(&wanted.logged_models.iter().collect::<Vec<_>>(), 2);
        values.insert(0, project.as_str().into());
        let of = format!(
            "(SELECT m.model_id FROM logged_models m JOIN experiments e ON e.id = m.experiment_id \
             WHERE e.project = $1 AND m.model_id IN {places})"
        );
        let mut number = |table: &str| -> Result<u64> {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE model_id IN {of}");
            Ok(tx.row(&sql, &values, |row| row.int(0))?.unwrap_or_default() as u64)
        };
        counts.logged_models = number("logged_models")?;
        counts.logged_model_params = number("logged_model_params")?;
        counts.logged_model_tags = number("logged_model_tags")?;
        counts.logged_model_metrics = number("model_metrics")?;
    }
    let names = &wanted.registered_models;
    let models = ids(tx, "SELECT id FROM registered_models WHERE project = $1 AND name IN", project, names)?;
    counts.registered_models = models.len() as u64;
    counts.registered_model_tags = sum(tx, "SELECT COUNT(*) FROM registered_model_tags WHERE model IN", &models)?;
    counts.versions = sum(tx, "SELECT COUNT(*) FROM model_versions WHERE model IN", &models)?;
    counts.aliases = sum(tx, "SELECT COUNT(*) FROM model_aliases WHERE model IN", &models)?;
    let tags = "SELECT COUNT(*) FROM model_version_tags t JOIN model_versions v ON v.id = t.version WHERE v.model IN";
    counts.version_tags = sum(tx, tags, &models)?;
    Ok(())
}

/// The integers of those names that the project has.
fn ids(tx: &mut Tx<'_>, select: &str, project: &Name, names: &[String]) -> Result<Vec<i64>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (places, mut values) = one_of(&names.iter().collect::<Vec<_>>(), 2);
    values.insert(0, Value::from(project.as_str()));
    tx.rows(&format!("{select} {places}"), &values, |row| row.int(0))
}

fn sum(tx: &mut Tx<'_>, select: &str, ids: &[i64]) -> Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let (places, values) = one_of(ids, 1);
    Ok(tx.row(&format!("{select} {places}"), &values, |row| row.int(0))?.unwrap_or_default() as u64)
}
