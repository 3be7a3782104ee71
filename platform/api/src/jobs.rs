use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_project::RunRequest;
use tiegel_store::{JobRow, StepRow};
use tiegel_types::{JobId, JobState, Name, ResourceRef, StepState};
use utoipa::{IntoParams, ToSchema};

use crate::failure::malformed;
use crate::{ApiResult, ApiState};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// `kind/name`, such as `training/delay`.
    #[schema(value_type = String)]
    pub target: ResourceRef,
    /// Run every step again, whatever is stored.
    #[serde(default)]
    pub no_cache: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Job {
    #[schema(value_type = String)]
    pub id: JobId,
    #[schema(value_type = String)]
    pub project: Name,
    pub target: String,
    #[schema(value_type = String)]
    pub state: JobState,
    pub attempt: i64,
    pub error: Option<String>,
    pub created_ms: i64,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    /// Empty in listings.
    pub steps: Vec<Step>,
}

#[derive(Serialize, ToSchema)]
pub struct Step {
    pub name: String,
    pub kind: String,
    #[schema(value_type = String)]
    pub state: StepState,
    /// Why it ran or did not.
    pub why: Option<String>,
    /// What it says of itself while it runs.
    pub progress: Option<String>,
    pub rows: Option<u64>,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    pub error: Option<String>,
    pub trace_id: Option<String>,
    /// What it left, by digest.
    #[schema(value_type = Option<Object>)]
    pub output: Option<serde_json::Value>,
}

pub fn job_of(row: JobRow, steps: Vec<Step>) -> Job {
    Job {
        id: row.id,
        project: row.project,
        target: row.target,
        state: row.state,
        attempt: row.attempt.into(),
        error: row.error,
        created_ms: row.created_ms,
        started_ms: row.started_ms,
        finished_ms: row.finished_ms,
        steps,
    }
}

fn step_of(state: &ApiState, row: StepRow) -> Step {
    Step {
        progress: state.progress.get(row.job_id, &row.name),
        why: row.reason.as_ref().and_then(|r| r["text"].as_str()).map(str::to_owned),
        name: row.name,
        kind: row.kind,
        state: row.state,
        rows: row.rows,
        started_ms: row.started_ms,
        finished_ms: row.finished_ms,
        error: row.error,
        trace_id: row.trace_id,
        output: row.output,
    }
}

/// Queues a job that brings a resource up to date with all that it needs.
#[utoipa::path(post, path = "/api/v1/projects/{project}/jobs", tag = "jobs", params(("project" = String, Path)),
    request_body = StartRun, responses((status = 202, body = Job), (status = "4XX", body = Problem)))]
pub async fn start_run(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Json(start): Json<StartRun>,
) -> ApiResult<(StatusCode, Json<Job>)> {
    let request = RunRequest { target: start.target, no_cache: start.no_cache };
    let job = tiegel_project::queue_run(&state.ctx, &project, request).await?;
    Ok((StatusCode::ACCEPTED, Json(job_of(job, vec![]))))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListJobs {
    /// By default 50.
    limit: Option<u32>,
}

/// A project's newest jobs.
#[utoipa::path(get, path = "/api/v1/projects/{project}/jobs", tag = "jobs", params(("project" = String, Path), ListJobs),
    responses((status = 200, body = Vec<Job>), (status = "4XX", body = Problem)))]
pub async fn list_jobs(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Query(list): Query<ListJobs>,
) -> ApiResult<Json<Vec<Job>>> {
    let limit = list.limit.unwrap_or(50).min(tiegel_types::limits::PAGE_ROWS_MAX as u32);
    let rows = state.ctx.store.jobs(Some(&project), limit).await?;
    Ok(Json(rows.into_iter().map(|row| job_of(row, vec![])).collect()))
}

/// Reads a job's id; `latest` is the newest job.
async fn find(state: &ApiState, id: &str) -> ApiResult<JobRow> {
    let row = match id {
        "latest" => state.ctx.store.jobs(None, 1).await?.into_iter().next(),
        id => state.ctx.store.job(id.parse().map_err(malformed)?).await?,
    };
    row.ok_or_else(|| {
        ApiError::not_found("job_not_found", format!("there is no job '{id}'; list them with `tiegel jobs`")).into()
    })
}

/// A job with its steps.
#[utoipa::path(get, path = "/api/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path, description = "an id, or `latest`")),
    responses((status = 200, body = Job), (status = "4XX", body = Problem)))]
pub async fn get_job(State(state): State<ApiState>, Path(id): Path<String>) -> ApiResult<Json<Job>> {
    let row = find(&state, &id).await?;
    let steps = state.ctx.store.steps(row.id).await?;
    let steps = steps.into_iter().map(|step| step_of(&state, step)).collect();
    Ok(Json(job_of(row, steps)))
}

/// Asks a job to stop; what it finished stays.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/cancel", tag = "jobs", params(("job" = String, Path)),
    responses((status = 202, body = Job), (status = "4XX", body = Problem)))]
pub async fn cancel_job(State(state): State<ApiState>, Path(id): Path<String>) -> ApiResult<(StatusCode, Json<Job>)> {
    let row = find(&state, &id).await?;
    if row.state.is_final() {
        let message = format!("job {} is {} already", row.id, row.state);
        return Err(ApiError::conflict("job_finished", message).into());
    }
    state.ctx.store.request_cancel(row.id, state.ctx.now_ms()).await?;
    state.ctx.wake.wake();
    Ok((StatusCode::ACCEPTED, Json(job_of(find(&state, &id).await?, vec![]))))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhyStep {
    /// A step's name; the pipeline's name may be left out.
    step: String,
}

#[derive(Serialize, ToSchema)]
pub struct Why {
    pub step: String,
    #[schema(value_type = String)]
    pub state: StepState,
    pub lines: Vec<String>,
}

/// Why a step ran or did not.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/why", tag = "jobs", params(("job" = String, Path), WhyStep),
    responses((status = 200, body = Why), (status = "4XX", body = Problem)))]
pub async fn why_step(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<WhyStep>,
) -> ApiResult<Json<Why>> {
    let job = find(&state, &id).await?;
    let tiegel_project::Why { step, state, lines } = tiegel_project::why(&state.ctx, job.id, &query.step).await?;
    Ok(Json(Why { step, state, lines }))
}
