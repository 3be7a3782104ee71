use serde::{Deserialize, Serialize};

use super::Scope;
use super::keys::one_of;
use super::runs::{RunHead, run_to_write};
use crate::columns::json_text;
use crate::db::{Column, Insert, Tx};
use crate::{Result, Store, StoreError};

/// The tag of an input that says what it was used for.
const CONTEXT_TAG: &str = "mlflow.data.context";
/// Summaries that one request answers.
const SUMMARIES_MAX: i64 = 1_000;

/// A dataset that a run read.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetInput {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// A logged model that a run read or made.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLink {
    pub model_id: String,
    pub step: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DatasetSummary {
    pub experiment_id: i64,
    pub name: String,
    pub digest: String,
    pub context: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredTag {
    key: String,
    value: String,
}

impl Store {
    /// A dataset that the experiment has, by name and digest, stays as it is; so does an input that the run has.
    #[tracing::instrument(name = "db.runs.log_inputs", skip_all)]
    pub async fn log_inputs(
        &self,
        scope: &Scope,
        run: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelLink>,
    ) -> Result<()> {
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            put_datasets(tx, head, datasets)?;
            put_models(tx, head, ("input", "ON CONFLICT DO NOTHING"), models)
        };
        self.transact(operation).await
    }

    #[tracing::instrument(name = "db.runs.log_outputs", skip_all)]
    pub async fn log_outputs(&self, scope: &Scope, run: &str, models: Vec<ModelLink>) -> Result<()> {
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let newest_step = "ON CONFLICT (run, direction, model_id) DO UPDATE SET step = excluded.step";
            put_models(tx, head, ("output", newest_step), models)
        };
        self.transact(operation).await
    }

    /// The datasets that runs of the experiments read, once for each use; at most 1,000.
    #[tracing::instrument(name = "db.datasets.summaries", skip_all)]
    pub async fn dataset_summaries(&self, scope: &Scope, experiments: Vec<i64>) -> Result<Vec<DatasetSummary>> {
        if experiments.is_empty() {
            return Ok(Vec::new());
        }
        let scope = scope.clone();
        let operation = move |tx: &mut Tx<'_>| {
            let (places, mut values) = one_of(&experiments, 2);
            values.insert(0, SUMMARIES_MAX.into());
            let sql = format!(
                "SELECT DISTINCT d.experiment_id, d.name, d.digest, i.context, e.project FROM datasets d \
                 JOIN run_datasets i ON i.dataset = d.id JOIN experiments e ON e.id = d.experiment_id \
                 WHERE d.experiment_id IN {places} ORDER BY d.experiment_id, d.name, d.digest, i.context LIMIT $1"
            );
            let mut summaries = Vec::new();
            tx.for_each(&sql, &values, |row| {
                if scope.sees(row.str(4)?) {
                    let (experiment_id, context) = (row.int(0)?, row.text_opt(3)?);
                    summaries.push(DatasetSummary { experiment_id, name: row.text(1)?, digest: row.text(2)?, context });
                }
                Ok(())
            })?;
            Ok(summaries)
        };
        self.query(operation).await
    }
}

pub(super) fn put_datasets(tx: &mut Tx<'_>, head: RunHead, mut inputs: Vec<DatasetInput>) -> Result<()> {
    inputs.sort_by(|left, right| (&left.name, &left.digest).cmp(&(&right.name, &right.digest)));
    inputs.dedup_by(|later, earlier| (&later.name, &later.digest) == (&earlier.name, &earlier.digest));
    let datasets = Insert {
        table: "datasets",
        columns: &["experiment_id", "name", "digest", "source_type", "source", "schema", "profile"],
        on_conflict: "ON CONFLICT (experiment_id, name, digest) DO NOTHING",
    };
    let column = |field: fn(&DatasetInput) -> &str| Column::Text(inputs.iter().map(field).collect());
    let columns = [
        Column::Same(head.experiment_id.into(), inputs.len()),
        column(|input| &input.name),
        column(|input| &input.digest),
        column(|input| &input.source_type),
        column(|input| &input.source),
        Column::TextOpt(inputs.iter().map(|input| input.schema.as_deref()).collect()),
        Column::TextOpt(inputs.iter().map(|input| input.profile.as_deref()).collect()),
    ];
    tx.insert(&datasets, &columns)?;
    let ids: Vec<i64> = inputs.iter().map(|input| dataset_id(tx, head, input)).collect::<Result<_>>()?;
    let tags: Vec<String> = inputs.iter().map(tags_text).collect::<Result<_>>()?;
    let links = Insert {
        table: "run_datasets",
        columns: &["run", "dataset", "experiment_id", "context", "tags"],
        on_conflict: "ON CONFLICT (run, dataset) DO NOTHING",
    };
    let columns = [
        Column::Same(head.id.into(), ids.len()),
        Column::Int(ids),
        Column::Same(head.experiment_id.into(), inputs.len()),
        Column::TextOpt(inputs.iter().map(context).collect()),
        Column::Text(tags.iter().map(String::as_str).collect()),
    ];
    tx.insert(&links, &columns)?;
    Ok(())
}

fn dataset_id(tx: &mut Tx<'_>, head: RunHead, input: &DatasetInput) -> Result<i64> {
    let sql = "SELECT id FROM datasets WHERE experiment_id = $1 AND name = $2 AND digest = $3";
    let values = [head.experiment_id.into(), (&input.name).into(), (&input.digest).into()];
    let id = tx.row(sql, &values, |row| row.int(0))?;
    id.ok_or_else(|| StoreError::Engine(format!("dataset '{}' was not stored", input.name)))
}

fn context(input: &DatasetInput) -> Option<&str> {
    input.tags.iter().find(|(key, _)| key == CONTEXT_TAG).map(|(_, value)| value.as_str())
}

fn tags_text(input: &DatasetInput) -> Result<String> {
    let stored = |(key, value): &(String, String)| StoredTag { key: key.clone(), value: value.clone() };
    json_text("the tags of a dataset", &input.tags.iter().map(stored).collect::<Vec<_>>())
}

pub(super) fn put_models(
    tx: &mut Tx<'_>,
    head: RunHead,
    (direction, on_conflict): (&'static str, &'static str),
    mut models: Vec<ModelLink>,
) -> Result<()> {
    models.sort_by(|left, right| (&left.model_id, right.step).cmp(&(&right.model_id, left.step)));
    models.dedup_by(|later, earlier| later.model_id == earlier.model_id);
    let columns = [
        Column::Same(head.id.into(), models.len()),
        Column::Same(direction.into(), models.len()),
        Column::Text(models.iter().map(|model| model.model_id.as_str()).collect()),
        Column::Int(models.iter().map(|model| model.step).collect()),
    ];
    let insert = Insert { table: "run_models", columns: &["run", "direction", "model_id", "step"], on_conflict };
    tx.insert(&insert, &columns)?;
    Ok(())
}

/// With the run of each.
pub(crate) fn read_datasets(tx: &mut Tx<'_>, runs: &[i64]) -> Result<Vec<(i64, DatasetInput)>> {
    let (places, values) = one_of(runs, 1);
    let sql = format!(
        "SELECT i.run, i.tags, d.name, d.digest, d.source_type, d.source, d.schema, d.profile FROM run_datasets i \
         JOIN datasets d ON d.id = i.dataset WHERE i.run IN {places} ORDER BY i.run, i.dataset"
    );
    tx.rows(&sql, &values, |row| {
        let tags: Vec<StoredTag> = row.json(1)?;
        let input = DatasetInput {
            name: row.text(2)?,
            digest: row.text(3)?,
            source_type: row.text(4)?,
            source: row.text(5)?,
            schema: row.text_opt(6)?,
            profile: row.text_opt(7)?,
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        };
        Ok((row.int(0)?, input))
    })
}

/// With the run of each, and whether it is an input.
pub(crate) fn read_models(tx: &mut Tx<'_>, runs: &[i64]) -> Result<Vec<(i64, bool, ModelLink)>> {
    let (places, values) = one_of(runs, 1);
    let sql = format!(
        "SELECT run, direction, model_id, step FROM run_models WHERE run IN {places} ORDER BY run, direction, model_id"
    );
    tx.rows(&sql, &values, |row| {
        Ok((row.int(0)?, row.str(1)? == "input", ModelLink { model_id: row.text(2)?, step: row.int(3)? }))
    })
}
