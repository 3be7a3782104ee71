use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;
use tiegel_store::{NewRun, RunData, RunUpdate};
use tiegel_types::RunStatus;

use crate::params::{Params, invalid, missing};
use crate::render::{InfoJson, RunJson};
use crate::wire::answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, render, validate};

/// The tag that a run's name is kept in as well.
const NAME_TAG: &str = "mlflow.runName";

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/runs/create", post(create))
        .route("/2.0/mlflow/runs/get", get(by_id))
        .route("/2.0/mlflow/runs/update", post(update))
        .route("/2.0/mlflow/runs/delete", post(delete))
        .route("/2.0/mlflow/runs/restore", post(restore))
}

async fn create(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let experiment =
        params.text("experiment_id")?.filter(|id| !id.is_empty()).ok_or_else(|| missing("experiment_id"))?;
    let experiment_id = validate::experiment_id(experiment)?;
    let start_ms = params.int("start_time")?.unwrap_or(0);
    let given = params.text("run_name")?.filter(|name| !name.is_empty());
    // Keys are as free as MLflow leaves them here, and only here.
    let tags: Vec<_> =
        params.pairs("tags")?.into_iter().map(|(key, value)| (key, validate::tag_value(&value).to_owned())).collect();
    let name = match (given, name_in(&tags)) {
        (Some(name), Some(tag)) if name != tag => {
            return Err(MlflowError::invalid(format!(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
                 (run_name='{name}', mlflow.runName='{tag}')."
            )));
        }
        (name, tag) => name.or(tag).map(str::to_owned),
    };
    let new = NewRun {
        run_id: state.ctx.new_run_id(),
        experiment_id,
        name: name.unwrap_or_else(|| tiegel_tracking::random_name(state.ctx.random_number())),
        user_id: params.text("user_id")?.unwrap_or_default().to_owned(),
        start_ms,
        job_id: None,
        source: json!({}),
        tags: tags.clone(),
    };
    let row = state.ctx.store.create_run(&workspace.scope(), new).await?;
    let data = RunData::of_new(row, tags);
    Ok(answer(&OneRun { run: RunJson { data: &data, outputs: false } }))
}

fn name_in(tags: &[(String, String)]) -> Option<&str> {
    let name = tags.iter().find(|(key, _)| key == NAME_TAG);
    name.map(|(_, name)| name.as_str()).filter(|name| !name.is_empty())
}

#[derive(Serialize)]
struct OneRun<'a> {
    run: RunJson<'a>,
}

async fn by_id(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let data = state.ctx.store.run_data(&workspace.scope(), run_id(&params)?).await?;
    Ok(answer(&OneRun { run: render::run(&data) }))
}

async fn update(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    let update = RunUpdate {
        status: status(&params)?,
        end_ms: params.int("end_time")?,
        name: params.text("run_name")?.filter(|name| !name.is_empty()).map(str::to_owned),
    };
    let row = state.ctx.store.update_run(&workspace.scope(), run, update).await?;
    Ok(answer(&Updated { run_info: InfoJson(&row) }))
}

#[derive(Serialize)]
struct Updated<'a> {
    run_info: InfoJson<'a>,
}

/// By name, or by its number in the protocol.
fn status(params: &Params) -> MlflowResult<Option<RunStatus>> {
    const NUMBERED: [RunStatus; 5] =
        [RunStatus::Running, RunStatus::Scheduled, RunStatus::Finished, RunStatus::Failed, RunStatus::Killed];
    let Some(value) = params.get("status")? else { return Ok(None) };
    let status = match value.as_str() {
        Some(name) => name.parse().ok(),
        None => value.as_u64().and_then(|number| NUMBERED.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()),
    };
    status.map(Some).ok_or_else(|| invalid("status", value))
}

async fn delete(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    state.ctx.store.delete_run(&workspace.scope(), run_id(&params)?, state.ctx.now_ms()).await?;
    Ok(answer(&json!({})))
}

async fn restore(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    state.ctx.store.restore_run(&workspace.scope(), run_id(&params)?).await?;
    Ok(answer(&json!({})))
}

/// The run that a request is about, by either of its field's names.
pub(crate) fn run_id(params: &Params) -> MlflowResult<&str> {
    let id = params.text("run_id")?.filter(|id| !id.is_empty());
    let id = if id.is_none() { params.text("run_uuid")?.filter(|id| !id.is_empty()) } else { id };
    id.ok_or_else(|| missing("run_id"))
}
