//! `/2.0/mlflow/model-versions`.

mod source;

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};
use serde_json::json;
use tiegel_store::{ModelVersionRow, NewVersion, Stage, is_prompt};

use crate::caller::Caller;
use crate::params::Params;
use crate::registered_models::DESCRIPTION_CHARS_MAX;
use crate::registry::{
    model_name, names, no_model, no_version, or_missing, seen_version, tags, version_json, version_number,
};
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult, validate};
use source::Sourced;

/// Characters of a link to a run, as MLflow's databases have it.
const RUN_LINK_CHARS_MAX: usize = 500;
const RUN_ID_CHARS_MAX: usize = 256;

pub(crate) fn routes() -> Router<Mlflow> {
    let below = Router::new()
        .route("/create", post(create))
        .route("/get", get(read))
        .route("/update", patch(update))
        .route("/delete", delete(remove))
        .route("/transition-stage", post(transition))
        .route("/get-download-uri", get(download_uri))
        .route("/set-tag", post(set_tag))
        .route("/delete-tag", delete(delete_tag));
    Router::new().nest("/2.0/mlflow/model-versions", below)
}

async fn create(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let source = params.required_text("source")?;
    let tags = tags(&params)?;
    let run_link = limited(&params, "run_link", RUN_LINK_CHARS_MAX)?.unwrap_or_default();
    let description = limited(&params, "description", DESCRIPTION_CHARS_MAX)?.unwrap_or_default();
    let run_id = limited(&params, "run_id", RUN_ID_CHARS_MAX)?;
    let sourced = if is_prompt(&tags) {
        tiegel_registry::check_prompt_source(source).map_err(MlflowError::invalid)?;
        Sourced::of_prompt(source, run_id)
    } else {
        source::find(&state, &caller, source, (run_id, params.text("model_id")?)).await?
    };
    let signature = source::signature(&state, &sourced.storage_location).await;
    let new = NewVersion {
        model: name.to_owned(),
        source: sourced.source,
        storage_location: sourced.storage_location,
        run_id: sourced.run_id,
        run_link: run_link.to_owned(),
        logged_model_id: sourced.logged_model_id,
        description: Some(description.to_owned()),
        user: None,
        signature,
        tags,
    };
    let row = state.ctx.store.create_version(new, caller.change(&state)).await;
    let row = row.map_err(or_missing(|| no_model(name)))?;
    state.registry.changed();
    Ok(version(&row))
}

async fn read(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    Ok(version(&asked(&state, &caller, &params).await?))
}

async fn download_uri(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let row = asked(&state, &caller, &params).await?;
    Ok(Answer(json!({ "artifact_uri": row.storage_location })))
}

async fn update(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let Target { name, version: number, text } = target(&params)?;
    let description = limited(&params, "description", DESCRIPTION_CHARS_MAX)?.map(str::to_owned);
    let row = state.ctx.store.describe_version(name, number, description, caller.change(&state)).await;
    Ok(version(&row.map_err(or_missing(|| no_version(name, text)))?))
}

async fn remove(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let Target { name, version, text } = target(&params)?;
    let deleted = state.ctx.store.delete_version(name, version, caller.change(&state)).await;
    deleted.map_err(or_missing(|| no_version(name, text)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn transition(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let word = params.required_text("stage")?;
    let archive = params.flag("archive_existing_versions")?.unwrap_or(false);
    let stage: Stage = word.parse().map_err(MlflowError::invalid)?;
    if archive && !stage.is_active() {
        return Err(MlflowError::invalid(format!(
            "Model version transition cannot archive existing model versions because '{word}' is not an Active stage. \
             Valid stages are ['Staging', 'Production']"
        )));
    }
    let Target { name, version: number, text } = target(&params)?;
    let row = state.ctx.store.transition_version((name, number), stage, archive, caller.change(&state)).await;
    Ok(version(&row.map_err(or_missing(|| no_version(name, text)))?))
}

async fn set_tag(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let (key, value) = (params.required_text("key")?, params.text("value")?.unwrap_or_default());
    names::tag(key, value)?;
    let Target { name, version, text } = target(&params)?;
    let tag = (key.to_owned(), value.to_owned());
    let set = state.ctx.store.set_version_tag((name, version), tag, caller.change(&state)).await;
    set.map_err(or_missing(|| no_version(name, text)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn delete_tag(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let key = params.required_text("key")?;
    validate::key("key", key)?;
    let Target { name, version, text } = target(&params)?;
    let deleted = state.ctx.store.delete_version_tag((name, version), key.to_owned(), caller.change(&state)).await;
    deleted.map_err(or_missing(|| no_version(name, text)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

/// The version that a request names.
struct Target<'a> {
    name: &'a str,
    version: u32,
    /// As the request writes it.
    text: &'a str,
}

fn target(params: &Params) -> MlflowResult<Target<'_>> {
    let name = model_name(params)?;
    let text = params.required_text("version")?;
    let version = version_number(params)?.ok_or_else(|| no_version(name, text))?;
    Ok(Target { name, version, text })
}

async fn asked(state: &Mlflow, caller: &Caller, params: &Params) -> MlflowResult<ModelVersionRow> {
    let Target { name, version, text } = target(params)?;
    seen_version(state, caller, name, Some(version)).await?.ok_or_else(|| no_version(name, text))
}

fn limited<'p>(params: &'p Params, field: &str, chars_max: usize) -> MlflowResult<Option<&'p str>> {
    let text = params.text(field)?;
    validate::length(field, text.unwrap_or_default(), chars_max)?;
    Ok(text)
}

fn version(row: &ModelVersionRow) -> Answer {
    Answer(json!({ "model_version": version_json(row) }))
}
