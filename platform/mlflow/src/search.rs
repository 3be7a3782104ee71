//! Searching runs and experiments: the filter, the order and the page are parsed here and answered by the store.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use tiegel_search::{Entity, Filter, Order};
use tiegel_store::{SearchExperiments, SearchRuns, View};

use crate::params::{Params, invalid, invalid_because};
use crate::render::{ExperimentJson, RunJson};
use crate::wire::answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowResult, render, validate};

/// Runs on one page.
const RUNS_MAX: i64 = 50_000;
const RUNS_DEFAULT: i64 = 1_000;
/// Experiments on one page.
const EXPERIMENTS_MAX: i64 = 50_000;

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/runs/search", post(runs))
        .route("/2.0/mlflow/experiments/search", get(experiments).post(experiments))
}

#[derive(Serialize)]
struct Runs<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<RunJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn runs(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let ids = params.texts("experiment_ids")?;
    let experiments = ids.into_iter().map(validate::experiment_id).collect::<MlflowResult<_>>()?;
    let limit = params.int("max_results")?.unwrap_or(RUNS_DEFAULT);
    let search = SearchRuns {
        scope: workspace.scope(),
        experiments,
        view: view(&params, "run_view_type")?,
        filter: filter(&params, Entity::Run)?,
        order: Order::parse(Entity::Run, &params.texts("order_by")?)?,
        limit: page_len(limit, RUNS_MAX)?,
        token: token(&params)?,
    };
    let page = state.ctx.store.search_runs(search).await?;
    let answered = state.ctx.blocking(move || {
        answer(&Runs { runs: page.rows.iter().map(render::run).collect(), next_page_token: page.next })
    });
    Ok(answered.await?)
}

#[derive(Serialize)]
struct Experiments<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn experiments(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let search = SearchExperiments {
        scope: workspace.scope(),
        view: view(&params, "view_type")?,
        filter: filter(&params, Entity::Experiment)?,
        order: Order::parse(Entity::Experiment, &params.texts("order_by")?)?,
        // The protocol has no default here: its own client always says how many.
        limit: page_len(params.int("max_results")?.unwrap_or(0), EXPERIMENTS_MAX)?,
        token: token(&params)?,
    };
    let page = state.ctx.store.search_experiments(search).await?;
    let experiments = page.rows.iter().map(|found| ExperimentJson(&found.experiment, &found.tags)).collect();
    Ok(answer(&Experiments { experiments, next_page_token: page.next }))
}

pub(crate) fn filter(params: &Params, entity: Entity) -> MlflowResult<Filter> {
    Ok(Filter::parse(entity, params.text("filter")?.unwrap_or_default())?)
}

pub(crate) fn token(params: &Params) -> MlflowResult<Option<String>> {
    Ok(params.text("page_token")?.filter(|token| !token.is_empty()).map(str::to_owned))
}

pub(crate) fn page_len(asked: i64, max: i64) -> MlflowResult<usize> {
    match usize::try_from(asked) {
        Ok(len @ 1..) if asked <= max => Ok(len),
        _ => Err(invalid_because("max_results", &asked.into(), &format!("it must be between 1 and {max}"))),
    }
}

/// By name, or by its number in the protocol.
fn view(params: &Params, name: &str) -> MlflowResult<View> {
    let Some(value) = params.get(name)? else { return Ok(View::Active) };
    match (value.as_str(), value.as_i64()) {
        (Some("ACTIVE_ONLY" | "1"), _) | (_, Some(1)) => Ok(View::Active),
        (Some("DELETED_ONLY" | "2"), _) | (_, Some(2)) => Ok(View::Deleted),
        (Some("ALL" | "3"), _) | (_, Some(3)) => Ok(View::All),
        _ => Err(invalid(name, value)),
    }
}
