//! `/2.0/mlflow/registered-models`.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};
use serde_json::{Map, Value, json};
use tiegel_registry::check_alias;
use tiegel_store::{Made, ModelRow, NewModel, Stage, is_prompt};

use crate::caller::Caller;
use crate::params::Params;
use crate::registry::{
    model_json, model_name, names, no_model, no_version, or_missing, put_list, seen_model, tags, version_json,
    version_number,
};
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

/// Characters, as MLflow's databases have it.
/// MLflow's SQLite keeps any length.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 100_000;

pub(crate) fn routes() -> Router<Mlflow> {
    let below = Router::new()
        .route("/create", post(create))
        .route("/get", get(read))
        .route("/update", patch(update))
        .route("/rename", post(rename))
        .route("/delete", delete(remove))
        .route("/get-latest-versions", post(latest_versions).get(latest_versions))
        .route("/set-tag", post(set_tag))
        .route("/delete-tag", delete(delete_tag))
        .route("/alias", post(set_alias).get(version_by_alias).delete(delete_alias));
    Router::new().nest("/2.0/mlflow/registered-models", below)
}

async fn create(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = params.required_text("name")?;
    names::new_model_name("name", name)?;
    let tags = tags(&params)?;
    let new =
        NewModel { project: caller.project.clone(), name: name.to_owned(), description: description(&params)?, tags };
    let (name, is_prompt) = (new.name.clone(), is_prompt(&new.tags));
    match state.ctx.store.create_model(new, caller.change(&state)).await? {
        Made::Made(row) => {
            state.registry.changed();
            Ok(registered(&row))
        }
        Made::Taken { by_prompt } => Err(taken(&name, by_prompt, is_prompt)),
    }
}

async fn read(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    Ok(registered(&seen_model(&state, &caller, model_name(&params)?).await?))
}

async fn update(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let change = caller.change(&state);
    let row = state.ctx.store.describe_model(name, description(&params)?, change).await;
    Ok(registered(&row.map_err(or_missing(|| no_model(name)))?))
}

async fn rename(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let new_name = params.required_text("new_name")?;
    names::new_model_name("new_name", new_name)?;
    let name = model_name(&params)?;
    let made = state.ctx.store.rename_model(name, new_name.to_owned(), caller.change(&state)).await;
    match made.map_err(or_missing(|| no_model(name)))? {
        Made::Made(row) => {
            state.registry.changed();
            Ok(registered(&row))
        }
        Made::Taken { .. } => Err(MlflowError::exists(format!("Registered Model (name={new_name}) already exists."))),
    }
}

async fn remove(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let deleted = state.ctx.store.delete_model(name, caller.change(&state)).await;
    deleted.map_err(or_missing(|| no_model(name)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn latest_versions(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let stages = params.texts("stages")?.into_iter().map(|stage| stage.parse::<Stage>());
    let stages: Vec<_> = stages.collect::<Result<_, _>>().map_err(MlflowError::invalid)?;
    let row = seen_model(&state, &caller, model_name(&params)?).await?;
    let asked = row.latest.iter().filter(|version| stages.is_empty() || stages.contains(&version.stage));
    let mut fields = Map::new();
    put_list(&mut fields, "model_versions", asked.map(version_json));
    Ok(Answer(Value::Object(fields)))
}

async fn set_tag(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let (key, value) = (params.required_text("key")?, params.text("value")?.unwrap_or_default());
    names::tag(key, value)?;
    let tag = (key.to_owned(), value.to_owned());
    let set = state.ctx.store.set_model_tag(name, tag, caller.change(&state)).await;
    set.map_err(or_missing(|| no_model(name)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn delete_tag(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let key = params.required_text("key")?;
    validate::key("key", key)?;
    let deleted = state.ctx.store.delete_model_tag(name, key.to_owned(), caller.change(&state)).await;
    deleted.map_err(or_missing(|| no_model(name)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn set_alias(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let alias = alias(&params, true)?;
    let missing = || no_version(name, params.text("version").ok().flatten().unwrap_or_default());
    let version = version_number(&params)?.ok_or_else(missing)?;
    let set = state.ctx.store.set_alias(name, alias, version, caller.change(&state)).await;
    set.map_err(or_missing(missing))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn delete_alias(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let deleted = state.ctx.store.delete_alias(name, alias(&params, false)?, caller.change(&state)).await;
    deleted.map_err(or_missing(|| no_model(name)))?;
    state.registry.changed();
    Ok(Answer(json!({})))
}

async fn version_by_alias(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = model_name(&params)?;
    let alias = alias(&params, false)?;
    let found = if alias.eq_ignore_ascii_case("latest") {
        let newest = seen_model(&state, &caller, name).await?.latest.into_iter().max_by_key(|version| version.version);
        newest.ok_or_else(|| MlflowError::not_found(format!("Latest version not found for model {name}.")))?
    } else {
        let found = state.ctx.store.version_by_alias(name, alias).await.map_err(or_missing(|| no_model(name)))?;
        let found = found.filter(|version| version.project == caller.project);
        found.ok_or_else(|| MlflowError::invalid(format!("Registered model alias {alias} not found.")))?
    };
    Ok(Answer(json!({ "model_version": version_json(&found) })))
}

fn alias(params: &Params, is_set: bool) -> MlflowResult<&str> {
    let alias = params.required_text("alias")?;
    check_alias(alias, is_set).map_err(MlflowError::invalid)?;
    Ok(alias)
}

fn description(params: &Params) -> MlflowResult<String> {
    let text = params.text("description")?.unwrap_or_default();
    validate::length("description", text, DESCRIPTION_CHARS_MAX)?;
    Ok(text.to_owned())
}

fn registered(row: &ModelRow) -> Answer {
    Answer(json!({ "registered_model": model_json(row) }))
}

/// Models and prompts share their names.
fn taken(name: &str, by_prompt: bool, is_prompt: bool) -> MlflowError {
    let word = |is_prompt| if is_prompt { "Prompt" } else { "Registered Model" };
    let (old, new) = (word(by_prompt), word(is_prompt));
    if old == new {
        return MlflowError::exists(format!("{new} (name={name}) already exists."));
    }
    MlflowError::exists(format!(
        "Tried to create a {} with name '{name}', but the name is already taken by a {}. MLflow does not allow creating a \
         model and a prompt with the same name.",
        new.to_lowercase(),
        old.to_lowercase()
    ))
}
