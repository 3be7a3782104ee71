use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, LoggedModel, ModelMetric, Pairs, Record};

use super::{Exporter, SOURCE_MODEL_TAG, VERSIONS_TAG, keyed, with_tag};
use crate::fields::Fields;
use crate::journal::Entry;
use crate::read::model_unit;

/// What one request may log.
const PARAMS_MAX: usize = 100;
const METRICS_MAX: usize = 1_000;

impl Exporter {
    pub(super) async fn write_logged_model(&mut self, model: &LoggedModel, mark: Digest) -> anyhow::Result<()> {
        let unit = model_unit(&model.model_id);
        let experiment = self.experiment(model.experiment_id)?.to_owned();
        let there = match self.find_logged_model(&experiment, &model.model_id).await? {
            Some(found) => found,
            None => self.create_logged_model(&experiment, model).await?,
        };
        let (new_id, new_uri) = (there.text("model_id"), there.text("artifact_uri"));
        self.models.insert(model.model_id.clone(), new_id.clone());
        self.uris.insert(model.artifact_location.clone(), new_uri.clone());
        if let Some(entry) = self.journal.find(&unit, &mark) {
            self.counts += entry.counts;
            return Ok(());
        }
        let path = format!("api/2.0/mlflow/logged-models/{new_id}");
        let tags = json!({ "tags": keyed(&own_tags(model)) });
        self.target.call(Method::PATCH, &format!("{path}/tags"), &tags).await?;
        self.write_model_metrics(&new_id, &model.metrics).await?;
        let mut counts = Counts::of(&Record::LoggedModel(Box::new(model.clone())));
        let place = self.copy(&model.artifact_location, &new_uri, &mut counts).await?;
        let status = match model.status.as_str() {
            "READY" => "LOGGED_MODEL_READY",
            "FAILED" => "LOGGED_MODEL_UPLOAD_FAILED",
            _ => "LOGGED_MODEL_PENDING",
        };
        if there.text("status") != status {
            self.target.call(Method::PATCH, &path, &json!({ "model_id": new_id, "status": status })).await?;
        }
        self.counts += counts;
        self.journal.write(Entry { unit, mark, counts, place, name: Some(new_id) })
    }

    async fn find_logged_model(&self, experiment: &str, model_id: &str) -> anyhow::Result<Option<Value>> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{SOURCE_MODEL_TAG}` = '{model_id}'"),
            "max_results": 1,
        });
        let found = self.target.post("api/2.0/mlflow/logged-models/search", &body).await?;
        Ok(found.list("models").first().map(|model| model["info"].clone()))
    }

    async fn create_logged_model(&self, experiment: &str, model: &LoggedModel) -> anyhow::Result<Value> {
        let (first, more) = model.params.split_at(model.params.len().min(PARAMS_MAX));
        let mut body = json!({
            "experiment_id": experiment,
            "name": model.name,
            "model_type": model.model_type,
            "params": keyed(first),
            "tags": keyed(&own_tags(model)),
        });
        if let Some(run) = self.runs.get(&model.source_run_id) {
            body["source_run_id"] = json!(run);
        }
        let made = self.target.create("api/2.0/mlflow/logged-models", &body).await?;
        let info = made["model"]["info"].clone();
        for params in more.chunks(PARAMS_MAX) {
            let path = format!("api/2.0/mlflow/logged-models/{}/params", info.text("model_id"));
            self.target.create(&path, &json!({ "params": keyed(params) })).await?;
        }
        Ok(info)
    }

    /// They are points of runs as well, which do not come twice.
    async fn write_model_metrics(&self, new_id: &str, metrics: &[ModelMetric]) -> anyhow::Result<()> {
        let mut by_run = BTreeMap::<&str, Vec<Value>>::new();
        for metric in metrics {
            let Some(run) = self.runs.get(&metric.run_id) else { continue };
            by_run.entry(run).or_default().push(model_metric(new_id, metric));
        }
        for (run, metrics) in by_run {
            for metrics in metrics.chunks(METRICS_MAX) {
                let body = json!({ "run_id": run, "metrics": metrics });
                self.target.post("api/2.0/mlflow/runs/log-batch", &body).await?;
            }
        }
        Ok(())
    }
}

/// Without the one that tells of versions: they are registered anew.
fn own_tags(model: &LoggedModel) -> Pairs {
    let mut tags = with_tag(&model.tags, SOURCE_MODEL_TAG, &model.model_id);
    tags.retain(|(key, _)| key != VERSIONS_TAG);
    tags
}

fn model_metric(model_id: &str, metric: &ModelMetric) -> Value {
    let mut body = json!({
        "key": metric.key,
        "value": metric.value.map_or_else(|| json!("NaN"), |value| json!(value)),
        "timestamp": metric.timestamp_ms,
        "step": metric.step,
        "model_id": model_id,
    });
    for (name, text) in [("dataset_name", &metric.dataset_name), ("dataset_digest", &metric.dataset_digest)] {
        if let Some(text) = text {
            body[name] = json!(text);
        }
    }
    body
}
