//! Datasets of inputs and expectations to evaluate with.

mod records;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use serde_json::{Map, Value, json};
use tiegel_search::{Entity, Filter, Order, SearchError};
use tiegel_store::evaluation::{EvaluationDatasetRow, EvaluationDatasetSearch};
use tiegel_types::Digest;

use crate::params::Params;
use crate::proto_json::python_text;
use crate::traces::listed;
use crate::wire::Answer;
use crate::workspace::Workspace;
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

async fn create(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let name = params.required_text("name")?.to_owned();
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(MlflowError::invalid(format!("a dataset's name has at most {NAME_CHARS_MAX} characters")));
    }
    let tags = read_tags(&params)?;
    let user = tags.iter().find(|(key, _)| key == USER_TAG).map(|(_, user)| user.clone());
    let now_ms = state.ctx.now_ms();
    let row = EvaluationDatasetRow {
        dataset_id: format!("d-{}", state.ctx.new_uuid().simple()),
        project: workspace.project,
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
    state.ctx.store.create_evaluation_dataset(row.clone(), experiment_ids.clone()).await?;
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

async fn read(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
) -> MlflowResult<Answer> {
    let row = state.ctx.store.evaluation_dataset(&workspace.scope(), &dataset_id).await?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}

async fn remove(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
) -> MlflowResult<Answer> {
    state.ctx.store.delete_evaluation_dataset(&workspace.scope(), &dataset_id).await?;
    Ok(Answer(json!({})))
}

async fn search(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let datasets_max = params.int("max_results")?.unwrap_or(DATASETS_DEFAULT);
    if !(1..=DATASETS_MAX).contains(&datasets_max) {
        return Err(MlflowError::invalid(format!(
            "Invalid value {datasets_max} for parameter 'max_results' supplied. It must be a positive integer, at most \
             {DATASETS_MAX}"
        )));
    }
    let refused = |error: SearchError| MlflowError::invalid(error.to_string());
    let filter = params.text("filter_string")?.unwrap_or_default();
    let asked = EvaluationDatasetSearch {
        project: workspace.project,
        experiment_ids: texts(&params, "experiment_ids")?,
        filter: Filter::parse(Entity::EvaluationDataset, filter).map_err(refused)?,
        order: Order::parse(Entity::EvaluationDataset, &params.texts("order_by")?).map_err(refused)?,
        datasets_max: usize::try_from(datasets_max).unwrap_or(1),
        page_token: params.text("page_token")?.filter(|token| !token.is_empty()).map(str::to_owned),
    };
    let page = state.ctx.store.search_evaluation_datasets(asked).await?;
    let mut answer = listed("datasets", page.rows.iter().map(dataset_json).collect());
    if let Some(next) = page.next {
        answer["next_page_token"] = json!(next);
    }
    Ok(Answer(answer))
}

async fn set_tags(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    params.required_text("tags")?;
    state.ctx.store.set_evaluation_dataset_tags(&workspace.scope(), &dataset_id, read_tags(&params)?).await?;
    Ok(Answer(json!({})))
}

async fn delete_tag(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path((dataset_id, key)): Path<(String, String)>,
) -> MlflowResult<Answer> {
    state.ctx.store.delete_evaluation_dataset_tag(&workspace.scope(), &dataset_id, &key).await?;
    Ok(Answer(json!({})))
}

async fn experiments(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
) -> MlflowResult<Answer> {
    let ids = state.ctx.store.evaluation_dataset_experiments(&workspace.scope(), &dataset_id).await?;
    Ok(Answer(listed("experiment_ids", ids.into_iter().map(Value::String).collect())))
}

async fn add_experiments(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let (ids, now_ms) = (texts(&params, "experiment_ids")?, state.ctx.now_ms());
    let row = state.ctx.store.add_evaluation_dataset_experiments(&workspace.scope(), &dataset_id, ids, now_ms).await?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}

async fn remove_experiments(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(dataset_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let (ids, now_ms) = (texts(&params, "experiment_ids")?, state.ctx.now_ms());
    let row =
        state.ctx.store.remove_evaluation_dataset_experiments(&workspace.scope(), &dataset_id, ids, now_ms).await?;
    Ok(Answer(json!({ "dataset": dataset_json(&row) })))
}
