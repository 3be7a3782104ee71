use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use tiegel_store::{ArtifactLocation, NewExperiment, TagLimit};

use crate::params::Params;
use crate::render::ExperimentJson;
use crate::wire::answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, location, validate};

/// Views that the page keeps in an experiment's tags.
const VIEWS: TagLimit = TagLimit { prefix: "mlflow.customView.view", tags_max: 50, refusal: too_many_views };

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/experiments/create", post(create))
        .route("/2.0/mlflow/experiments/get", get(by_id))
        .route("/2.0/mlflow/experiments/get-by-name", get(by_name))
        .route("/2.0/mlflow/experiments/delete", post(delete))
        .route("/2.0/mlflow/experiments/restore", post(restore))
        .route("/2.0/mlflow/experiments/update", post(update))
        .route("/2.0/mlflow/experiments/set-experiment-tag", post(set_tag))
        .route("/2.0/mlflow/experiments/delete-experiment-tag", post(delete_tag))
}

async fn create(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let name = params.required_text("name")?;
    let given = params.text("artifact_location")?.filter(|location| !location.is_empty());
    if given.is_some() && !workspace.is_default() {
        return Err(MlflowError::invalid("artifact_location cannot be specified when workspaces are enabled"));
    }
    let tags = params.pairs("tags")?;
    if tags.iter().filter(|(key, _)| key.starts_with(VIEWS.prefix)).count() > VIEWS.tags_max {
        return Err(MlflowError::invalid(too_many_views_of("")));
    }
    validate::experiment_name(name)?;
    let tags = tags.iter().map(|(key, value)| validate::experiment_tag(key, value)).collect::<MlflowResult<_>>()?;
    let artifact_location = match given {
        Some(given) => ArtifactLocation::Given(location::given(given)?),
        None => ArtifactLocation::Below(state.default_artifact_root.clone()),
    };
    let created_ms = state.ctx.now_ms();
    let new = NewExperiment { project: workspace.project, name: name.to_owned(), artifact_location, tags, created_ms };
    let id = state.ctx.store.create_experiment(new).await?;
    Ok(answer(&json!({ "experiment_id": id.to_string() })))
}

async fn by_id(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    let (row, tags) = state.ctx.store.experiment(&workspace.scope(), id).await?;
    Ok(answer(&One { experiment: ExperimentJson(&row, &tags) }))
}

async fn by_name(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let name = params.required_text("experiment_name")?;
    let found = state.ctx.store.experiment_named(&workspace.project, name).await?;
    let (row, tags) =
        found.ok_or_else(|| MlflowError::not_found(format!("Could not find experiment with name '{name}'")))?;
    Ok(answer(&One { experiment: ExperimentJson(&row, &tags) }))
}

#[derive(serde::Serialize)]
struct One<'a> {
    experiment: ExperimentJson<'a>,
}

async fn delete(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    state.ctx.store.delete_experiment(&workspace.scope(), id, state.ctx.now_ms()).await?;
    Ok(answer(&json!({})))
}

async fn restore(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    state.ctx.store.restore_experiment(&workspace.scope(), id, state.ctx.now_ms()).await?;
    Ok(answer(&json!({})))
}

async fn update(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    let name = params.required_text("new_name")?;
    validate::experiment_name(name)?;
    state.ctx.store.rename_experiment(&workspace.scope(), id, name, state.ctx.now_ms()).await?;
    Ok(answer(&json!({})))
}

async fn set_tag(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    let key = params.required_text("key")?;
    let tag = validate::experiment_tag(key, params.text("value")?.unwrap_or_default())?;
    let limit = key.starts_with(VIEWS.prefix).then_some(VIEWS);
    state.ctx.store.set_experiment_tag(&workspace.scope(), id, tag, limit).await?;
    Ok(answer(&json!({})))
}

async fn delete_tag(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let id = experiment_id(&params)?;
    let key = params.required_text("key")?;
    state.ctx.store.delete_experiment_tag(&workspace.scope(), id, key).await?;
    Ok(answer(&json!({})))
}

pub(crate) fn experiment_id(params: &Params) -> MlflowResult<i64> {
    validate::experiment_id(params.required_text("experiment_id")?)
}

fn too_many_views(id: i64) -> String {
    too_many_views_of(&format!(" for experiment {id}"))
}

fn too_many_views_of(experiment: &str) -> String {
    format!(
        "Unable to create another custom view{experiment}; the maximum number of custom views per experiment is {}. \
         Delete an existing custom view before creating a new one.",
        VIEWS.tags_max
    )
}
