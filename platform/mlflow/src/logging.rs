//! One metric, param or tag at a time.

use std::fmt::Display;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use tiegel_store::{LoggedMetric, ModelMetric, ParamConflict, Point, StoreError};

use crate::params::Params;
use crate::runs::run_id;
use crate::wire::answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

/// The tag of the models that clients before 3.0 noted.
const NOTED_MODELS_TAG: &str = "mlflow.log-model.history";
const NOTED_FIELDS: [&str; 4] = ["artifact_path", "flavors", "run_id", "utc_time_created"];

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/runs/log-metric", post(log_metric))
        .route("/2.0/mlflow/runs/log-parameter", post(log_param))
        .route("/2.0/mlflow/runs/set-tag", post(set_tag))
        .route("/2.0/mlflow/runs/delete-tag", post(delete_tag))
        .route("/2.0/mlflow/runs/log-model", post(note_model))
}

async fn log_metric(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    let metric = metric(&params, "")?;
    state.ctx.store.log_metric(&workspace.scope(), run, metric).await?;
    Ok(answer(&json!({})))
}

/// A metric in the fields; `place` is what stands before a field's name in a message, such as `metrics[0].`.
pub(crate) fn metric(params: &Params, place: impl Display) -> MlflowResult<LoggedMetric> {
    let key = params.required_text("key")?;
    let value = params.required_double("value")?;
    let point = Point::new(params.required_int("timestamp")?, params.int("step")?.unwrap_or(0), value);
    let text = |field| Ok::<_, MlflowError>(params.text(field)?.filter(|text| !text.is_empty()).map(str::to_owned));
    let model = match text("model_id")? {
        Some(model_id) => {
            Some(ModelMetric { model_id, dataset_name: text("dataset_name")?, dataset_digest: text("dataset_digest")? })
        }
        None => None,
    };
    checked_metric(place, LoggedMetric { key: key.to_owned(), point, model })
}

pub(crate) fn checked_metric(place: impl Display, metric: LoggedMetric) -> MlflowResult<LoggedMetric> {
    validate::metric_key(format_args!("{place}name"), &metric.key)?;
    let (at, value) = (metric.point.timestamp_ms, metric.point.value);
    if at < 0 {
        let what = format!("metric '{}' (value={value})", metric.key);
        let why = format!("{what}. Timestamp must be a nonnegative long (64-bit integer) ");
        return Err(validate::unfit(format_args!("{place}timestamp"), at, &why));
    }
    Ok(metric)
}

async fn log_param(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?.to_owned();
    let key = params.required_text("key")?;
    let param = validate::param("key", key, params.text("value")?.unwrap_or_default())?;
    let refusal = {
        let run = run.clone();
        move |conflicts: Vec<ParamConflict>| refusal_of_one(&run, &conflicts)
    };
    state.ctx.store.log_params(&workspace.scope(), &run, vec![param], refusal).await?;
    Ok(answer(&json!({})))
}

fn refusal_of_one(run: &str, conflicts: &[ParamConflict]) -> StoreError {
    let refused = |c: &ParamConflict| {
        let ParamConflict { key, old_value, new_value } = c;
        format!(
            "Changing param values is not allowed. Param with key='{key}' was already logged with value='{old_value}' for \
             run ID='{run}'. Attempted logging new value '{new_value}'."
        )
    };
    StoreError::Conflict(conflicts.iter().map(refused).collect())
}

async fn set_tag(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    let key = params.required_text("key")?;
    let tag = validate::tag("key", key, params.text("value")?.unwrap_or_default())?;
    state.ctx.store.set_tags(&workspace.scope(), run, vec![tag]).await?;
    Ok(answer(&json!({})))
}

async fn delete_tag(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    state.ctx.store.delete_tag(&workspace.scope(), run, params.required_text("key")?).await?;
    Ok(answer(&json!({})))
}

/// Adds a model to the list in the run's tag.
async fn note_model(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    let noted = noted_model(params.required_text("model_json")?)?;
    let amend = move |old: Option<&str>| {
        let mut models: Vec<Value> = old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
        models.push(noted);
        let value = Value::from(models).to_string();
        // Cut, it could not be read again.
        if validate::tag("key", NOTED_MODELS_TAG, &value).is_ok_and(|(_, kept)| kept == value) {
            return Ok(value);
        }
        Err(StoreError::Invalid(format!("the tag '{NOTED_MODELS_TAG}' has no room for another model")))
    };
    state.ctx.store.amend_tag(&workspace.scope(), run, NOTED_MODELS_TAG, amend).await?;
    Ok(answer(&json!({})))
}

fn noted_model(text: &str) -> MlflowResult<Value> {
    let malformed = || MlflowError::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON."));
    let Value::Object(model) = serde_json::from_str(text).map_err(|_| malformed())? else { return Err(malformed()) };
    let missing: Vec<_> = NOTED_FIELDS.iter().filter(|field| !model.contains_key(**field)).copied().collect();
    if !missing.is_empty() {
        let missing: Vec<_> = missing.iter().map(|field| format!("'{field}'")).collect();
        let why = format!("Model json is missing mandatory fields: {{{}}}", missing.join(", "));
        return Err(MlflowError::invalid(why));
    }
    let mut noted: serde_json::Map<_, _> = model
        .iter()
        .filter(|(key, _)| ["run_id", "utc_time_created", "artifact_path", "model_uuid"].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut flavors = model["flavors"].clone();
    for flavor in flavors.as_object_mut().into_iter().flat_map(|flavors| flavors.values_mut()) {
        if let Some(flavor) = flavor.as_object_mut() {
            flavor.remove("config");
        }
    }
    noted.insert("flavors".to_owned(), flavors);
    Ok(Value::Object(noted))
}
