//! Datasets of inputs and expectations to evaluate with.

mod records;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use serde_json::{Map, Value, json};
use tiegel_store::evaluation::{EvaluationDatasetRow, EvaluationDatasets};
use tiegel_types::{Digest, Name};

use crate::params::Params;
use crate::proto_json::python_text;
use crate::traces::listed;
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult};

/// The tag that names who writes.
const USER_TAG: &str = "mlflow.user";
const DATASETS_DEFAULT: i64 = 1_000;
const DATASETS_MAX: i64 = 50_000;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 255;
/// Digits of a digest.
const DIGEST_CHARS: usize = 8;

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/3.0/mlflow/datasets/create", post(create))
        .route("/3.0/mlflow/datasets/search", get(search).post(search))
        .route("/3.0/mlflow/datasets/{dataset_id}", get(read).delete(remove))
        .route(
            "/3.0/mlflow/datasets/{dataset_id}/records",
            get(records::list).post(records::upsert).delete(records::remove),
        )
        .route("/3.0/mlflow/datasets/{dataset_id}/tags", patch(set_tags))
        .route("/3.0/mlflow/datasets/{dataset_id}/tags/{key}", delete(delete_tag))
        .route("/3.0/mlflow/datasets/{dataset_id}/experiment-ids", get(experiments))
        .route("/3.0/mlflow/datasets/{dataset_id}/add-experiments", post(add_experiments))
        .route("/3.0/mlflow/datasets/{dataset_id}/remove-experiments", post(remove_experiments))
}

/// Clients that name no workspace are in this project.
pub(crate) fn project() -> MlflowResult<Name> {
    "default".parse().map_err(MlflowError::internal)
}

async fn create(State(mlflow): State<Mlflow>, params: Params) -> MlflowResult<Answer> {
    let name = params.required_text("name")?.to_owned();
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(MlflowError::invalid(format!("a dataset's name has at most {NAME_CHARS_MAX} characters")));
    }
    let tags = read_tags(&params)?;
    let user = tags.iter().find(|(key, _)| key == USER_TAG).map(|(_, user)| user.clone());
    let now_ms = mlflow.ctx.now_ms();
    let row = EvaluationDatasetRow {
        dataset_id: format!("d-{}", mlflow.ctx.new_uuid().simple()),
        project: project()?,
        digest: digest(&name, now_ms),
        name,
        schema: None,
        profile: None,
        created_ms: now_ms,
        updated_ms: now_ms,
        created_by: user.clone(),
        updated_by: user,
        tags,
    };
    let mut experiment_ids = texts(&params, "experiment_ids")?;
    let mut seen = std::collections::HashSet::new();
    experiment_ids.retain(|id| seen.insert(id.clone()));
    mlflow.ctx.store.create_evaluation_dataset(row.clone(), experiment_ids.clone()).await?;
    let mut answer = dataset_json(&row);
    if !experiment_ids.is_empty() {
        answer["experiment_ids"] = json!(experiment_ids);
    }
    Ok(Answer(json!({ "dataset": answer })))
}

/// Changes with each change of the dataset.
fn digest(name: &str, now_ms: i64) -> String {
    let hex = Digest::of(format!("{name}:{now_ms}").as_bytes()).hex();
    hex.chars().take(DIGEST_CHARS).collect()
}

fn texts(params: &Params, name: &str) -> MlflowResult<Vec<String>> {
    Ok(params.texts(name)?.into_iter().map(str::to_owned).collect())
}

/// Tags come as a JSON object in a text. A tag that is null is none.
fn read_tags(params: &Params) -> MlflowResult<Vec<(String, String)>> {
    let Some(text) = params.text("tags")?.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let refused = |why: String| MlflowError::invalid(format!("Invalid value for parameter 'tags' supplied: {why}"));
    let tags: Map<String, Value> =
        serde_json::from_str(text).map_err(|why| refused(format!("it must be a JSON object: {why}")))?;
    Ok(tags
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((key, text)),
            Value::Bool(flag) => Some((key, if flag { "True" } else { "False" }.to_owned())),
            other => Some((key, python_text(&other))),
        })
        .collect())
}

fn dataset_json(row: &EvaluationDatasetRow) -> Value {
    let tags: Map<String, Value> = row.tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            fields.insert(key.to_owned(), value);
        }
    };
    put("dataset_id", json!(row.dataset_id));
    put("name", json!(row.name));
    put("tags", json!(python_text(&Value::Object(tags))));
    put("schema", json!(row.schema));
    put("profile", json!(row.profile));
    put("digest", json!(row.digest));
    put("created_time", json!(row.created_ms));
    put("last_update_time", json!(row.updated_ms));
    put("created_by", json!(row.created_by));
    put("last_updated_by", json!(row.updated_by));
    Value::Object(fields)
}

async fn read(State(mlflow): State<Mlflow>, Path(dataset_id): Path<String>) -> MlflowResult<Answer> {
    let row = mlflow.ctx.store.evaluation_dataset(dataset_id.clone()).await?;
    let row = row.ok_or_else(|| {
        MlflowError::not_found(format!("Evaluation dataset with id '{dataset_id}' not found"))
    })?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}

async fn remove(State(mlflow): State<Mlflow>, Path(dataset_id): Path<String>) -> MlflowResult<Answer> {
    mlflow.ctx.store.delete_evaluation_dataset(dataset_id).await?;
    Ok(Answer(json!({})))
}

async fn search(State(mlflow): State<Mlflow>, params: Params) -> MlflowResult<Answer> {
    let datasets_max = params.int("max_results")?.unwrap_or(DATASETS_DEFAULT);
    if !(1..=DATASETS_MAX).contains(&datasets_max) {
        return Err(MlflowError::invalid(format!(
            "Invalid value {datasets_max} for parameter 'max_results' supplied. It must be a positive integer, at most \
             {DATASETS_MAX}"
        )));
    }
    let list = EvaluationDatasets {
        project: project()?,
        experiment_ids: texts(&params, "experiment_ids")?,
        offset: 0,
        datasets_max,
    };
    let rows = mlflow.ctx.store.evaluation_datasets(list).await?;
    Ok(Answer(listed("datasets", rows.iter().map(dataset_json).collect())))
}

async fn set_tags(
    State(mlflow): State<Mlflow>,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    params.required_text("tags")?;
    mlflow.ctx.store.set_evaluation_dataset_tags(dataset_id, read_tags(&params)?).await?;
    Ok(Answer(json!({})))
}

async fn delete_tag(
    State(mlflow): State<Mlflow>,
    Path((dataset_id, key)): Path<(String, String)>,
) -> MlflowResult<Answer> {
    mlflow.ctx.store.delete_evaluation_dataset_tag(dataset_id, key).await?;
    Ok(Answer(json!({})))
}

async fn experiments(State(mlflow): State<Mlflow>, Path(dataset_id): Path<String>) -> MlflowResult<Answer> {
    let ids = mlflow.ctx.store.evaluation_dataset_experiments(dataset_id).await?;
    Ok(Answer(listed("experiment_ids", ids.into_iter().map(Value::String).collect())))
}

async fn add_experiments(
    State(mlflow): State<Mlflow>,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let (ids, now_ms) = (texts(&params, "experiment_ids")?, mlflow.ctx.now_ms());
    let row = mlflow.ctx.store.add_evaluation_dataset_experiments(dataset_id, ids, now_ms).await?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}

async fn remove_experiments(
    State(mlflow): State<Mlflow>,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let (ids, now_ms) = (texts(&params, "experiment_ids")?, mlflow.ctx.now_ms());
    let row = mlflow.ctx.store.remove_evaluation_dataset_experiments(dataset_id, ids, now_ms).await?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}
