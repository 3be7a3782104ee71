//! `/2.0/mlflow/logged-models`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use serde_json::{Map, Value, json};
use tiegel_store::{LoggedModelMetric, LoggedModelRow, LoggedModelStatus, NewLoggedModel, Tags};

use crate::caller::Caller;
use crate::params::{Params, missing};
use crate::registry::{names, or_missing, pair_json, put_list};
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

const KEY_CHARS_MAX: usize = 255;
const VALUE_CHARS_MAX: usize = 1 << 20;
const MODEL_TYPE_CHARS_MAX: usize = 500;
const RUN_ID_CHARS_MAX: usize = 256;

pub(crate) fn routes() -> Router<Mlflow> {
    let below = Router::new()
        .route("/", post(create))
        .route("/{model_id}", get(read).patch(finalize).delete(remove))
        .route("/{model_id}/params", post(log_params))
        .route("/{model_id}/tags", patch(set_tags))
        .route("/{model_id}/tags/{key}", delete(delete_tag));
    Router::new().nest("/2.0/mlflow/logged-models", below)
}

async fn create(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let experiment_id = validate::experiment_id(params.required_text("experiment_id")?)?;
    state.ctx.store.experiment(&caller.scope(), experiment_id).await?;
    let uuid = state.ctx.new_uuid();
    let name = match params.text("name")?.filter(|name| !name.is_empty()) {
        Some(name) => {
            names::logged_model_name(name)?;
            name.to_owned()
        }
        None => tiegel_tracking::random_name(uuid.as_u64_pair().0),
    };
    let new = NewLoggedModel {
        model_id: format!("m-{}", uuid.simple()),
        experiment_id,
        name,
        model_type: limited(&params, "model_type", MODEL_TYPE_CHARS_MAX)?,
        source_run_id: limited(&params, "source_run_id", RUN_ID_CHARS_MAX)?,
        params: checked(&params, "params")?,
        tags: checked(&params, "tags")?,
    };
    let row = state.ctx.store.create_logged_model(new, state.ctx.now_ms()).await?;
    Ok(model(&row))
}

async fn read(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let allow_deleted = params.text("allow_deleted")?.is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    Ok(model(&seen(&state, &caller, &id, allow_deleted).await?))
}

async fn finalize(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let status = status_of(params.get("status")?.ok_or_else(|| missing("status"))?)?;
    seen(&state, &caller, &id, true).await?;
    let row = state.ctx.store.finalize_logged_model(&id, status, state.ctx.now_ms()).await;
    Ok(model(&row.map_err(or_missing(|| no_logged_model(&id)))?))
}

async fn remove(State(state): State<Mlflow>, caller: Caller, Path(id): Path<String>) -> MlflowResult<Answer> {
    seen(&state, &caller, &id, true).await?;
    state.ctx.store.delete_logged_model(&id, state.ctx.now_ms()).await?;
    Ok(Answer(json!({})))
}

async fn log_params(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let values = checked(&params, "params")?;
    seen(&state, &caller, &id, true).await?;
    state.ctx.store.log_logged_model_params(&id, values).await?;
    Ok(Answer(json!({})))
}

async fn set_tags(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let tags = checked(&params, "tags")?;
    seen(&state, &caller, &id, true).await?;
    state.ctx.store.set_logged_model_tags(&id, tags).await?;
    Ok(Answer(json!({})))
}

async fn delete_tag(
    State(state): State<Mlflow>,
    caller: Caller,
    Path((id, key)): Path<(String, String)>,
) -> MlflowResult<Answer> {
    seen(&state, &caller, &id, true).await?;
    if state.ctx.store.delete_logged_model_tag(&id, &key).await? {
        return Ok(Answer(json!({})));
    }
    Err(MlflowError::not_found(format!("No tag with key '{key}' found for model with ID '{id}'.")))
}

/// A logged model in an experiment that the caller can see.
pub(crate) async fn seen(
    state: &Mlflow,
    caller: &Caller,
    id: &str,
    allow_deleted: bool,
) -> MlflowResult<LoggedModelRow> {
    let row = state.ctx.store.logged_model(id, allow_deleted).await?;
    let row = row.ok_or_else(|| no_logged_model(id))?;
    let experiment = state.ctx.store.experiment(&caller.scope(), row.experiment_id).await;
    experiment.map_err(or_missing(|| no_logged_model(id)))?;
    Ok(row)
}

pub(crate) fn no_logged_model(id: &str) -> MlflowError {
    MlflowError::not_found(format!("Logged model with ID '{id}' not found."))
}

fn limited(params: &Params, field: &str, chars_max: usize) -> MlflowResult<String> {
    let text = params.text(field)?.unwrap_or_default();
    validate::length(field, text, chars_max)?;
    Ok(text.to_owned())
}

/// Params or tags of a logged model: their keys are freer than those of runs.
fn checked(params: &Params, field: &str) -> MlflowResult<Tags> {
    let pairs = params.pairs(field)?;
    for (key, value) in &pairs {
        validate::length("key", key, KEY_CHARS_MAX)?;
        validate::length("value", value, VALUE_CHARS_MAX)?;
    }
    Ok(pairs)
}

const STATUSES: [(&str, LoggedModelStatus); 4] = [
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", LoggedModelStatus::Unspecified),
    ("LOGGED_MODEL_PENDING", LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", LoggedModelStatus::Failed),
];

/// By name, or by its place in the list.
fn status_of(value: &Value) -> MlflowResult<LoggedModelStatus> {
    let known = match value {
        Value::String(name) => STATUSES.iter().find(|(known, _)| known == name),
        Value::Number(number) => {
            number.as_u64().and_then(|at| usize::try_from(at).ok()).and_then(|at| STATUSES.get(at))
        }
        _ => None,
    };
    let names = STATUSES.map(|(name, _)| name).join(", ");
    let unknown = || MlflowError::invalid(format!("Unknown model status: {value}; it is one of {names}"));
    known.map(|(_, status)| *status).ok_or_else(unknown)
}

fn model(row: &LoggedModelRow) -> Answer {
    Answer(json!({ "model": logged_model_json(row) }))
}

pub(crate) fn logged_model_json(row: &LoggedModelRow) -> Value {
    let status = STATUSES.iter().find(|(_, status)| *status == row.status).map(|(name, _)| *name);
    let mut info = Map::new();
    let mut put = |key: &str, value: Value| _ = info.insert(key.to_owned(), value);
    put("model_id", json!(row.model_id));
    put("experiment_id", json!(row.experiment_id.to_string()));
    put("name", json!(row.name));
    put("creation_timestamp_ms", json!(row.created_ms));
    put("last_updated_timestamp_ms", json!(row.updated_ms));
    put("artifact_uri", json!(row.artifact_location));
    put("status", json!(status));
    put("model_type", json!(row.model_type));
    put("source_run_id", json!(row.source_run_id));
    if let Some(message) = &row.status_message {
        put("status_message", json!(message));
    }
    put_list(&mut info, "tags", row.tags.iter().map(pair_json));
    let mut data = Map::new();
    put_list(&mut data, "params", row.params.iter().map(pair_json));
    put_list(&mut data, "metrics", row.metrics.iter().map(|metric| metric_json(&row.model_id, metric)));
    json!({ "info": info, "data": data })
}

fn metric_json(model_id: &str, metric: &LoggedModelMetric) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| _ = fields.insert(key.to_owned(), value);
    put("key", json!(metric.key));
    put("value", if metric.value.is_nan() { json!("NaN") } else { json!(metric.value) });
    put("timestamp", json!(metric.timestamp_ms));
    put("step", json!(metric.step));
    for (field, text) in [("dataset_name", &metric.dataset_name), ("dataset_digest", &metric.dataset_digest)] {
        if let Some(text) = text {
            put(field, json!(text));
        }
    }
    put("model_id", json!(model_id));
    put("run_id", json!(metric.run_id));
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
