//! `/3.0/mlflow/workspaces`: projects, as MLflow's clients make and name them.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use tiegel_store::{Contents, StoreError, WorkspaceChange, WorkspaceRow};

use crate::caller::Actor;
use crate::params::Params;
use crate::registry::or_missing;
use crate::wire::{Answer, of_query};
use crate::workspace::{self, DEFAULT};
use crate::{ErrorCode, Mlflow, MlflowError, MlflowResult, location, validate};

const DESCRIPTION_CHARS_MAX: usize = 10_000;
const MODES: [(&str, Contents); 3] =
    [("SET_DEFAULT", Contents::Move), ("CASCADE", Contents::Delete), ("RESTRICT", Contents::Keep)];

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/3.0/mlflow/workspaces", get(list).post(create))
        .route("/3.0/mlflow/workspaces/{workspace}", get(read).patch(update).delete(remove))
}

async fn list(State(state): State<Mlflow>) -> MlflowResult<Answer> {
    let rows = state.ctx.store.workspaces().await?;
    Ok(Answer(json!({ "workspaces": rows.iter().map(workspace_json).collect::<Vec<_>>() })))
}

async fn create(State(state): State<Mlflow>, actor: Actor, params: Params) -> MlflowResult<Response> {
    let name = params.required_text("name")?;
    if name == DEFAULT {
        return Err(MlflowError::invalid(format!("The '{DEFAULT}' workspace is reserved and cannot be created")));
    }
    let name = workspace::new_name(name)?;
    refuse_archival(&params)?;
    let artifact_root = artifact_root(&params)?.filter(|root| !root.is_empty());
    let new = WorkspaceRow { name, description: description(&params)?, artifact_root };
    let body = Answer(json!({ "workspace": workspace_json(&new) }));
    state.ctx.store.create_workspace(new, &actor.0, state.ctx.now_ms()).await?;
    Ok((StatusCode::CREATED, body).into_response())
}

async fn read(State(state): State<Mlflow>, Path(name): Path<String>) -> MlflowResult<Answer> {
    let row = state.ctx.store.workspace(&workspace::known_name(&name)?).await?;
    Ok(answer(&row.ok_or_else(|| workspace::unknown(&name))?))
}

async fn update(State(state): State<Mlflow>, Path(name): Path<String>, params: Params) -> MlflowResult<Answer> {
    let known = workspace::known_name(&name)?;
    refuse_archival(&params)?;
    let change = WorkspaceChange { description: description(&params)?, artifact_root: artifact_root(&params)? };
    if change == WorkspaceChange::default() {
        return Err(MlflowError::invalid("Workspace update must have at least one key"));
    }
    let row = state.ctx.store.update_workspace(&known, change).await;
    Ok(answer(&row.map_err(or_missing(|| workspace::unknown(&name)))?))
}

async fn remove(
    State(state): State<Mlflow>,
    actor: Actor,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> MlflowResult<StatusCode> {
    if name == DEFAULT {
        return Err(MlflowError::invalid(format!("The '{DEFAULT}' workspace is reserved and cannot be deleted")));
    }
    let known = workspace::known_name(&name)?;
    let query = of_query(&query.unwrap_or_default())?;
    let mode = query.text("mode")?.unwrap_or("RESTRICT");
    let contents = MODES.iter().find(|(known, _)| *known == mode).map(|(_, contents)| *contents).ok_or_else(|| {
        let modes = MODES.map(|(mode, _)| mode).join(", ");
        MlflowError::invalid(format!("Invalid deletion mode '{mode}'. Must be one of: {modes}"))
    })?;
    let deleted = state.ctx.store.delete_workspace(&known, contents, &actor.0, state.ctx.now_ms()).await;
    deleted.map_err(|error| match error {
        StoreError::Conflict(message) => MlflowError::new(ErrorCode::InvalidState, message),
        StoreError::NotFound(_) => workspace::unknown(&name),
        other => other.into(),
    })?;
    state.registry.changed();
    Ok(StatusCode::NO_CONTENT)
}

fn description(params: &Params) -> MlflowResult<Option<String>> {
    let text = params.text("description")?;
    validate::length("description", text.unwrap_or_default(), DESCRIPTION_CHARS_MAX)?;
    Ok(text.map(str::to_owned))
}

/// Empty where the request takes the root away.
fn artifact_root(params: &Params) -> MlflowResult<Option<String>> {
    let Some(root) = params.text("default_artifact_root")?.map(str::trim) else { return Ok(None) };
    if root.is_empty() {
        return Ok(Some(String::new()));
    }
    let is_whole = root.starts_with('/') || root.split_once(':').is_some_and(|(scheme, _)| scheme.len() > 1);
    if !is_whole {
        return Err(MlflowError::invalid(format!(
            "Invalid value for 'default_artifact_root'. Expected a URI (for example 's3://bucket/prefix' or \
             'mlflow-artifacts:/prefix') or an absolute path, got '{root}'."
        )));
    }
    location::given(root).map(Some).map_err(|error| MlflowError {
        message: error.message.replace("'artifact_location'", "'default_artifact_root'"),
        ..error
    })
}

/// Traces stay where they are: there is no archive that the setting could steer.
fn refuse_archival(params: &Params) -> MlflowResult<()> {
    let Some(config) = params.message("trace_archival_config")? else { return Ok(()) };
    for field in ["location", "retention"] {
        if config.text(field)?.is_some_and(|text| !text.trim().is_empty()) {
            return Err(MlflowError::invalid(format!(
                "'trace_archival_config.{field}' cannot be set: this server does not archive traces"
            )));
        }
    }
    Ok(())
}

fn answer(row: &WorkspaceRow) -> Answer {
    Answer(json!({ "workspace": workspace_json(row) }))
}

fn workspace_json(row: &WorkspaceRow) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(row.name));
    if let Some(description) = &row.description {
        fields.insert("description".to_owned(), json!(description));
    }
    if let Some(root) = &row.artifact_root {
        fields.insert("default_artifact_root".to_owned(), json!(root));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
