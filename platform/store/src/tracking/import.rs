//! Writing what another server tracked, as it was there: ids, times and lifecycles stay. Writing it again changes nothing.

use std::collections::BTreeSet;

use tiegel_types::transfer::{Direction, Experiment, ModelMetric as SourceMetric, Run, Series as SourceSeries};
use tiegel_types::{Name, uri};

use super::compact::Series;
use super::experiments::{by_name, put_experiment_tags};
use super::fold::batched_points;
use super::history::all_points;
use super::inputs::{put_datasets, put_models};
use super::latest::put_points;
use super::params::put_params;
use super::runs::{RunHead, no_run};
use super::tags::{set_tags, to_set};
use super::{DatasetInput, ExperimentRow, Keys, LoggedMetric, ModelLink, ModelMetric, OWN_ARTIFACTS, Point, batch};
use crate::db::{Tx, Value};
use crate::{Result, StoreError};

/// Takes or finds an experiment; answers its number here. The name decides which one it is.
pub(crate) fn import_experiment(tx: &mut Tx<'_>, project: &Name, experiment: &Experiment) -> Result<i64> {
    let id = match by_name(tx, project, &experiment.name)? {
        Some(found) => meet(tx, &found, experiment)?,
        None => add(tx, project, experiment)?,
    };
    put_experiment_tags(tx, id, &experiment.tags)?;
    Ok(id)
}

/// One that has runs of its own keeps its place, and spans the times of both.
fn meet(tx: &mut Tx<'_>, found: &ExperimentRow, experiment: &Experiment) -> Result<i64> {
    let sql = "SELECT 1 FROM runs WHERE experiment_id = $1 LIMIT 1";
    let has_runs = tx.row(sql, &[found.id.into()], |_| Ok(()))?.is_some();
    let (created_ms, updated_ms) = match has_runs {
        true => (found.created_ms.min(experiment.created_ms), found.updated_ms.max(experiment.updated_ms)),
        false => (experiment.created_ms, experiment.updated_ms),
    };
    let sql = "UPDATE experiments SET lifecycle = $2, created_ms = $3, updated_ms = $4 WHERE id = $1";
    let values = [found.id.into(), lifecycle(experiment.deleted).into(), created_ms.into(), updated_ms.into()];
    tx.execute(sql, &values)?;
    Ok(found.id)
}

fn add(tx: &mut Tx<'_>, project: &Name, experiment: &Experiment) -> Result<i64> {
    let taken = tx.row("SELECT 1 FROM experiments WHERE id = $1", &[experiment.id.into()], |_| Ok(()))?.is_some();
    let values = [
        project.as_str().into(),
        (&experiment.name).into(),
        lifecycle(experiment.deleted).into(),
        experiment.created_ms.into(),
        experiment.updated_ms.into(),
    ];
    let id = if taken { insert_numbered(tx, &values)? } else { insert_as(tx, experiment.id, &values)? };
    let own = uri::append(OWN_ARTIFACTS, &[&id.to_string()]);
    let theirs = uri::append(OWN_ARTIFACTS, &[&experiment.id.to_string()]);
    let given = &experiment.artifact_location;
    // The folder of a number that is another experiment's here is that one's.
    let location = if given.is_empty() || (taken && *given == theirs) { &own } else { given };
    tx.execute("UPDATE experiments SET artifact_location = $2 WHERE id = $1", &[id.into(), location.into()])?;
    Ok(id)
}

fn insert_numbered(tx: &mut Tx<'_>, values: &[Value<'_>]) -> Result<i64> {
    let sql = "INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms) VALUES ($1, $2, $3, $4, $5) \
               RETURNING id";
    let id = tx.row(sql, values, |row| row.int(0))?;
    id.ok_or_else(|| StoreError::Engine("an experiment got no number".to_owned()))
}

fn insert_as(tx: &mut Tx<'_>, id: i64, values: &[Value<'_>]) -> Result<i64> {
    let overriding = if tx.is_sqlite() { "" } else { "OVERRIDING SYSTEM VALUE" };
    let sql = format!(
        "INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms, id) {overriding} \
         VALUES ($1, $2, $3, $4, $5, $6)"
    );
    tx.execute(&sql, &[values, &[id.into()]].concat())?;
    if !tx.is_sqlite() {
        // SQLite goes on after the greatest number by itself.
        let sql = "SELECT setval(pg_get_serial_sequence('experiments', 'id'), GREATEST(MAX(id), 1)) FROM experiments";
        tx.row(sql, &[], |_| Ok(()))?;
    }
    Ok(id)
}

fn lifecycle(deleted: bool) -> &'static str {
    if deleted { "deleted" } else { "active" }
}

/// All of a run but its points.
pub(crate) fn import_run(tx: &mut Tx<'_>, keys: &Keys, project: &Name, run: &Run) -> Result<()> {
    let head = put_run(tx, project, run)?;
    let ids = keys.intern(tx, &run.params.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())?;
    if let Some(changed) = put_params(tx, head, &ids, &run.params)?.first() {
        return Err(StoreError::Conflict(format!(
            "param '{}' of run {} is '{}' here and '{}' at the source",
            changed.key, run.run_id, changed.old_value, changed.new_value
        )));
    }
    let tags = to_set(&run.tags);
    let ids = keys.intern(tx, &tags.iter().map(|(key, _)| *key).collect::<Vec<_>>())?;
    set_tags(tx, head, &ids, &tags)?;
    let dataset = |dataset: &tiegel_types::transfer::Dataset| DatasetInput {
        name: dataset.name.clone(),
        digest: dataset.digest.clone(),
        source_type: dataset.source_type.clone(),
        source: dataset.source.clone(),
        schema: dataset.schema.clone(),
        profile: dataset.profile.clone(),
        tags: dataset.tags.clone(),
    };
    put_datasets(tx, head, run.datasets.iter().map(dataset).collect())?;
    for (direction, name) in [(Direction::Input, "input"), (Direction::Output, "output")] {
        let links = run.models.iter().filter(|link| link.direction == direction);
        let links = links.map(|link| ModelLink { model_id: link.model_id.clone(), step: link.step }).collect();
        let newest_step = "ON CONFLICT (run, direction, model_id) DO UPDATE SET step = excluded.step";
        put_models(tx, head, (name, newest_step), links)?;
    }
    Ok(())
}

fn put_run(tx: &mut Tx<'_>, project: &Name, run: &Run) -> Result<RunHead> {
    let sql = "INSERT INTO runs (run_id, experiment_id, project, name, user_id, status, start_ms, end_ms, artifact_uri, \
                   lifecycle, deleted_ms, source) \
               SELECT $1, e.id, e.project, $4, $5, $6, $7, $8, $9, $10, $11, '{}' FROM experiments e \
               WHERE e.id = $2 AND e.project = $3 \
               ON CONFLICT (run_id) DO UPDATE SET name = excluded.name, user_id = excluded.user_id, \
                   status = excluded.status, start_ms = excluded.start_ms, end_ms = excluded.end_ms, \
                   artifact_uri = excluded.artifact_uri, lifecycle = excluded.lifecycle, \
                   deleted_ms = excluded.deleted_ms \
               WHERE runs.experiment_id = excluded.experiment_id RETURNING id, experiment_id";
    let deleted_ms = run.deleted.then(|| run.deleted_ms.or(run.end_ms).unwrap_or(run.start_ms));
    let values = [
        (&run.run_id).into(),
        run.experiment_id.into(),
        project.as_str().into(),
        (&run.name).into(),
        (&run.user_id).into(),
        run.status.as_str().into(),
        run.start_ms.into(),
        run.end_ms.into(),
        (&run.artifact_uri).into(),
        lifecycle(run.deleted).into(),
        deleted_ms.into(),
    ];
    let head = tx.row(sql, &values, |row| Ok(RunHead { id: row.int(0)?, experiment_id: row.int(1)? }))?;
    head.ok_or_else(|| {
        let (run, experiment) = (&run.run_id, run.experiment_id);
        StoreError::Conflict(format!(
            "run {run} is in another experiment here, or project '{project}' has no experiment {experiment}"
        ))
    })
}

/// Points of one run.
pub(crate) fn import_points(tx: &mut Tx<'_>, keys: &Keys, project: &Name, series: &[&SourceSeries]) -> Result<()> {
    let Some(first) = series.first() else { return Ok(()) };
    let head = head_of(tx, project, &first.run_id)?.ok_or_else(|| no_run(&first.run_id))?;
    let ids = keys.intern(tx, &series.iter().map(|series| series.key.as_str()).collect::<Vec<_>>())?;
    let points = ids.into_iter().zip(series).flat_map(|(key, series)| {
        series.points.iter().map(move |(time, step, value)| (key, Point::new(time, step, value)))
    });
    put_points(tx, head, points.collect())
}

/// What runs logged with a model; metrics of runs that are not here are passed over.
pub(crate) fn import_model_metrics(
    tx: &mut Tx<'_>,
    keys: &Keys,
    (project, model_id): (&Name, &str),
    metrics: &[SourceMetric],
) -> Result<()> {
    let mut by_run: Vec<&SourceMetric> = metrics.iter().collect();
    by_run.sort_by(|left, right| left.run_id.cmp(&right.run_id));
    for of_run in by_run.chunk_by(|left, right| left.run_id == right.run_id) {
        let Some(head) = head_of(tx, project, &of_run[0].run_id)? else { continue };
        let ids = keys.intern(tx, &of_run.iter().map(|metric| metric.key.as_str()).collect::<Vec<_>>())?;
        let logged = |metric: &&SourceMetric| LoggedMetric {
            key: metric.key.clone(),
            point: Point::new(metric.timestamp_ms, metric.step, metric.value.unwrap_or(f64::NAN)),
            model: Some(ModelMetric {
                model_id: model_id.to_owned(),
                dataset_name: metric.dataset_name.clone(),
                dataset_digest: metric.dataset_digest.clone(),
            }),
        };
        batch::put_model_metrics(tx, head, &ids, &of_run.iter().map(logged).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Whether or not it is deleted.
fn head_of(tx: &mut Tx<'_>, project: &Name, run_id: &str) -> Result<Option<RunHead>> {
    let sql = "SELECT id, experiment_id FROM runs WHERE run_id = $1 AND project = $2";
    tx.row(sql, &[run_id.into(), project.as_str().into()], |row| {
        Ok(RunHead { id: row.int(0)?, experiment_id: row.int(1)? })
    })
}

/// The points of a run, each counted once though it may be stored in more than one way.
pub(crate) fn count_points(tx: &mut Tx<'_>, run: i64) -> Result<u64> {
    let mut mixed: BTreeSet<i64> = batched_points(tx, run, None)?.into_keys().collect();
    let both = "SELECT DISTINCT s.key FROM metric_segments s WHERE s.run = $1 \
                AND EXISTS (SELECT 1 FROM metric_points p WHERE p.run = s.run AND p.key = s.key)";
    mixed.extend(tx.rows(both, &[run.into()], |row| row.int(0))?);
    let by_key = "SELECT key, CAST(SUM(points) AS BIGINT) FROM ( \
                      SELECT key, COUNT(*) AS points FROM metric_points WHERE run = $1 GROUP BY key \
                      UNION ALL SELECT key, SUM(points) FROM metric_segments WHERE run = $1 GROUP BY key \
                  ) AS stored GROUP BY key";
    let mut count = 0;
    tx.for_each(by_key, &[run.into()], |row| {
        if !mixed.contains(&row.int(0)?) {
            count += row.int(1)? as u64;
        }
        Ok(())
    })?;
    for key in mixed {
        count += all_points(tx, Series { run, key })?.len() as u64;
    }
    Ok(count)
}
