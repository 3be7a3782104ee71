use std::collections::BTreeMap;

use tiegel_types::transfer::{LoggedModel, ModelMetric};

use super::MlflowDatabase;
use super::select::{As, int, pairs, places, text, texts};
use crate::Result;
use crate::db::{Row, Tx};

/// MLflow numbers them; 0 is unspecified.
const STATUSES: [&str; 4] = ["PENDING", "PENDING", "READY", "FAILED"];

const MODEL: [(&str, As); 11] = [
    ("model_id", As::Text),
    ("experiment_id", As::Int),
    ("name", As::Text),
    ("artifact_location", As::Text),
    ("model_type", As::Text),
    ("source_run_id", As::Text),
    ("status", As::Int),
    ("status_message", As::Text),
    ("lifecycle_stage", As::Text),
    ("creation_timestamp_ms", As::Int),
    ("last_updated_timestamp_ms", As::Int),
];
const PARAM: [(&str, As); 3] = [("model_id", As::Text), ("param_key", As::Text), ("param_value", As::Text)];
const TAG: [(&str, As); 3] = [("model_id", As::Text), ("tag_key", As::Text), ("tag_value", As::Text)];
const METRIC: [(&str, As); 8] = [
    ("model_id", As::Text),
    ("run_id", As::Text),
    ("metric_name", As::Text),
    ("metric_timestamp_ms", As::Int),
    ("metric_step", As::Int),
    ("metric_value", As::Real),
    ("dataset_name", As::Text),
    ("dataset_digest", As::Text),
];

impl MlflowDatabase {
    /// The next logged models of an experiment by id after `after`, deleted ones too. Fewer than `limit` are the last.
    pub async fn logged_models(&self, experiment: i64, after: &str, limit: usize) -> Result<Vec<LoggedModel>> {
        if !self.has("logged_models") {
            return Ok(Vec::new());
        }
        let sql = format!(
            "{} WHERE experiment_id = $1 AND model_id > $2 ORDER BY model_id LIMIT $3",
            self.select("logged_models", &MODEL)
        );
        let (database, after) = (self.clone(), after.to_owned());
        self.read(move |tx| {
            let values = [experiment.into(), (&after).into(), (limit as i64).into()];
            let models = tx.rows(&sql, &values, |row| read(&row))?;
            if models.is_empty() { Ok(models) } else { database.complete_models(tx, models) }
        })
        .await
    }

    fn complete_models(&self, tx: &mut Tx<'_>, mut models: Vec<LoggedModel>) -> Result<Vec<LoggedModel>> {
        let ids: Vec<_> = models.iter().map(|model| model.model_id.clone()).collect();
        let of_models = format!("WHERE model_id IN {} ORDER BY model_id", places(ids.len(), 1));
        let select = |table: &str, columns: &[(&str, As)], order: &str| {
            format!("{} {of_models}, {order}", self.select(table, columns))
        };
        let values = texts(&ids);
        let mut params = pairs(tx, &select("logged_model_params", &PARAM, "param_key"), &values)?;
        let mut tags = pairs(tx, &select("logged_model_tags", &TAG, "tag_key"), &values)?;
        let mut metrics = BTreeMap::<String, Vec<ModelMetric>>::new();
        let order = "metric_name, metric_timestamp_ms, metric_step, run_id";
        tx.for_each(&select("logged_model_metrics", &METRIC, order), &values, |row| {
            metrics.entry(row.text(0)?).or_default().push(metric(&row)?);
            Ok(())
        })?;
        for model in &mut models {
            model.params = params.remove(&model.model_id).unwrap_or_default();
            model.tags = tags.remove(&model.model_id).unwrap_or_default();
            model.metrics = metrics.remove(&model.model_id).unwrap_or_default();
        }
        Ok(models)
    }
}

fn read(row: &Row<'_>) -> Result<LoggedModel> {
    let status = usize::try_from(int(row, 6)?).unwrap_or_default();
    Ok(LoggedModel {
        model_id: row.text(0)?,
        experiment_id: row.int(1)?,
        name: text(row, 2)?,
        artifact_location: text(row, 3)?,
        model_type: text(row, 4)?,
        source_run_id: text(row, 5)?,
        status: STATUSES.get(status).copied().unwrap_or("PENDING").to_owned(),
        status_message: row.text_opt(7)?,
        deleted: row.text_opt(8)?.as_deref() == Some("deleted"),
        created_ms: int(row, 9)?,
        updated_ms: int(row, 10)?,
        params: Vec::new(),
        tags: Vec::new(),
        metrics: Vec::new(),
    })
}

fn metric(row: &Row<'_>) -> Result<ModelMetric> {
    Ok(ModelMetric {
        run_id: text(row, 1)?,
        key: row.text(2)?,
        timestamp_ms: int(row, 3)?,
        step: int(row, 4)?,
        value: row.real_opt(5)?.filter(|value| !value.is_nan()),
        dataset_name: row.text_opt(6)?,
        dataset_digest: row.text_opt(7)?,
    })
}
