use super::latest::{put_batch, put_point};
use super::params::put_params;
use super::runs::{RunHead, run_to_write};
use super::tags::{set_tags, to_set};
use super::{ParamConflict, Point, Scope};
use crate::db::{Column, Insert, Tx};
use crate::pool::Backend;
use crate::{Result, Store, StoreError};

#[derive(Clone, Debug, PartialEq)]
pub struct LoggedMetric {
    pub key: String,
    pub point: Point,
    /// The logged model that it belongs to as well.
    pub model: Option<ModelMetric>,
}

/// What a metric of a logged model is about.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetric {
    pub model_id: String,
    pub dataset_name: Option<String>,
    pub dataset_digest: Option<String>,
}

/// What is logged at once, all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub metrics: Vec<LoggedMetric>,
    /// No key twice.
    pub params: Vec<(String, String)>,
    /// The last value of a key stays.
    pub tags: Vec<(String, String)>,
}

impl Store {
    /// A point that is there already is not doubled, and a param that is there must be the same: `refuse` makes an error of
    /// those that are not.
    #[tracing::instrument(name = "db.runs.log_batch", skip_all, fields(metrics = batch.metrics.len()))]
    pub async fn log_batch<F>(&self, scope: &Scope, run: &str, batch: Batch, refuse: F) -> Result<()>
    where
        F: FnOnce(Vec<ParamConflict>) -> StoreError + Send + 'static,
    {
        let (scope, keys, run) = (scope.clone(), self.keys(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let tags = to_set(&batch.tags);
            // All names at once: what a transaction added is not to be remembered before its commit.
            let params = batch.params.iter().map(|(key, _)| key.as_str());
            let metrics = batch.metrics.iter().map(|metric| metric.key.as_str());
            let names: Vec<&str> = params.chain(metrics).chain(tags.iter().map(|(key, _)| *key)).collect();
            let ids = keys.intern(tx, &names)?;
            let (params, ids) = ids.split_at(batch.params.len());
            let (metrics, tags_ids) = ids.split_at(batch.metrics.len());
            let conflicts = put_params(tx, head, params, &batch.params)?;
            if !conflicts.is_empty() {
                return Err(refuse(conflicts));
            }
            let points = metrics.iter().copied().zip(batch.metrics.iter().map(|metric| metric.point)).collect();
            let is_due = put_batch(tx, head, points)?;
            put_model_metrics(tx, head, metrics, &batch.metrics)?;
            set_tags(tx, head, tags_ids, &tags)?;
            Ok(is_due.then_some(head.id))
        };
        let to_fold = self.transact(operation).await?;
        if let Some(run) = to_fold {
            // The batch is stored, whatever becomes of this.
            self.fold_batches(run)
                .await
                .unwrap_or_else(|error| tracing::warn!(%error, "cannot fold batches of metrics"));
        }
        Ok(())
    }

    #[tracing::instrument(name = "db.runs.log_metric", skip_all)]
    pub async fn log_metric(&self, scope: &Scope, run: &str, metric: LoggedMetric) -> Result<()> {
        let keys = self.keys();
        if self.backend() == Backend::Postgres
            && let (Some(key), None) = (keys.remembered(&metric.key), &metric.model)
        {
            return self.log_metric_directly(scope, run, (key, metric.point)).await;
        }
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let ids = keys.intern(tx, &[&metric.key])?;
            put_point(tx, head, ids[0], metric.point)?;
            put_model_metrics(tx, head, &ids, &[metric])
        };
        self.transact(operation).await
    }
}

pub(super) fn put_model_metrics(tx: &mut Tx<'_>, head: RunHead, ids: &[i64], metrics: &[LoggedMetric]) -> Result<()> {
    let with_model = |(id, metric)| match metric {
        &LoggedMetric { point, model: Some(ref model), .. } => Some((id, point, model)),
        _ => None,
    };
    let mut rows: Vec<(i64, Point, &ModelMetric)> = ids.iter().copied().zip(metrics).filter_map(with_model).collect();
    if rows.is_empty() {
        return Ok(());
    }
    // In one order, so that no two transactions wait for each other.
    rows.sort_by(|(id, point, model), (other_id, other, other_model)| {
        (&model.model_id, id, point).cmp(&(&other_model.model_id, other_id, other))
    });
    let insert = Insert {
        table: "model_metrics",
        columns: &[
            "model_id",
            "key",
            "timestamp_ms",
            "step",
            "run",
            "experiment_id",
            "value",
            "is_nan",
            "dataset_name",
            "dataset_digest",
        ],
        on_conflict: "ON CONFLICT DO NOTHING",
    };
    let columns = [
        Column::Text(rows.iter().map(|(.., model)| model.model_id.as_str()).collect()),
        Column::Int(rows.iter().map(|(id, ..)| *id).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| point.timestamp_ms).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| point.step).collect()),
        Column::Same(head.id.into(), rows.len()),
        Column::Same(head.experiment_id.into(), rows.len()),
        Column::Real(rows.iter().map(|(_, point, _)| point.finite()).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| i64::from(point.is_nan())).collect()),
        Column::TextOpt(rows.iter().map(|(.., model)| model.dataset_name.as_deref()).collect()),
        Column::TextOpt(rows.iter().map(|(.., model)| model.dataset_digest.as_deref()).collect()),
    ];
    tx.insert(&insert, &columns)?;
    Ok(())
}
