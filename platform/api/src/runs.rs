use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_store::RunRow;
use tiegel_types::{Name, RunId, RunStatus, limits};
use utoipa::{IntoParams, ToSchema};

use crate::failure::malformed;
use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct Run {
    #[schema(value_type = String)]
    pub run_id: RunId,
    pub experiment_id: i64,
    pub name: String,
    #[schema(value_type = String)]
    pub status: RunStatus,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub job_id: Option<String>,
    /// The newest value of each metric.
    pub metrics: BTreeMap<String, f64>,
    pub params: BTreeMap<String, String>,
    pub artifacts: Vec<Artifact>,
}

#[derive(Serialize, ToSchema)]
pub struct Artifact {
    pub path: String,
    pub digest: String,
    pub bytes: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListRuns {
    /// By default 50.
    limit: Option<u32>,
}

/// A project's newest runs.
#[utoipa::path(get, path = "/api/v1/projects/{project}/runs", tag = "runs", params(("project" = String, Path), ListRuns),
    responses((status = 200, body = Vec<Run>), (status = "4XX", body = Problem)))]
pub async fn list_runs(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Query(list): Query<ListRuns>,
) -> ApiResult<Json<Vec<Run>>> {
    let limit = list.limit.unwrap_or(50).min(limits::PAGE_ROWS_MAX as u32);
    let mut runs = Vec::new();
    for row in state.ctx.store.runs(&project, None, limit).await? {
        runs.push(full(&state, row).await?);
    }
    Ok(Json(runs))
}

/// A run with its params, newest metrics and artifacts.
#[utoipa::path(get, path = "/api/v1/runs/{run}", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Run), (status = "4XX", body = Problem)))]
pub async fn get_run(State(state): State<ApiState>, Path(run): Path<String>) -> ApiResult<Json<Run>> {
    let run: RunId = run.parse().map_err(malformed)?;
    let row = state.ctx.store.run(&run).await?;
    let row = row.ok_or_else(|| ApiError::not_found("run_not_found", format!("there is no run '{run}'")))?;
    Ok(Json(full(&state, row).await?))
}

async fn full(state: &ApiState, row: RunRow) -> ApiResult<Run> {
    let store = &state.ctx.store;
    let metrics = store.latest_metrics(&row.run_id).await?.into_iter().map(|(key, point)| (key, point.value)).collect();
    let artifacts = store.run_artifacts(&row.run_id).await?;
    let artifact =
        |a: tiegel_store::RunArtifactRow| Artifact { path: a.path, digest: a.digest.to_string(), bytes: a.bytes };
    Ok(Run {
        experiment_id: row.experiment_id,
        name: row.name,
        status: row.status,
        start_ms: row.start_ms,
        end_ms: row.end_ms,
        job_id: row.job_id.map(|id| id.to_string()),
        metrics,
        params: store.params(&row.run_id).await?.into_iter().collect(),
        artifacts: artifacts.into_iter().map(artifact).collect(),
        run_id: row.run_id,
    })
}
