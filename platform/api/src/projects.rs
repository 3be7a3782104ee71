use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tiegel_http::{Json, Path, Problem};
use tiegel_project::{Applied, ApplyRequest, Plan};
use tiegel_types::Name;
use utoipa::ToSchema;

use crate::{ApiResult, ApiState};

/// Who did it, until there are users.
pub const ACTOR: &str = "admin";

#[derive(Serialize, ToSchema)]
pub struct ProjectSummary {
    #[schema(value_type = String)]
    pub name: Name,
    pub created_ms: i64,
}

/// The projects.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", responses((status = 200, body = Vec<ProjectSummary>)))]
pub async fn list_projects(State(state): State<ApiState>) -> ApiResult<Json<Vec<ProjectSummary>>> {
    let rows = state.ctx.store.projects().await?;
    Ok(Json(rows.into_iter().map(|r| ProjectSummary { name: r.name, created_ms: r.created_ms }).collect()))
}

/// What applying documents would change, and which steps would run afterwards.
#[utoipa::path(post, path = "/api/v1/projects/{project}/plan", tag = "projects", params(("project" = String, Path)),
    request_body = Value, responses((status = 200, body = Value), (status = "4XX", body = Problem)))]
pub async fn plan(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Json(request): Json<ApplyRequest>,
) -> ApiResult<Json<Plan>> {
    Ok(Json(tiegel_project::plan(&state.ctx, &project, &request, &state.source_roots).await?))
}

/// Makes documents the project's, all or none; runs nothing.
#[utoipa::path(post, path = "/api/v1/projects/{project}/apply", tag = "projects", params(("project" = String, Path)),
    request_body = Value, responses((status = 200, body = Value), (status = "4XX", body = Problem)))]
pub async fn apply(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Json(request): Json<ApplyRequest>,
) -> ApiResult<Json<Applied>> {
    let applied = tiegel_project::apply(&state.ctx, &project, &request, ACTOR).await?;
    state.reconciler.poke();
    Ok(Json(applied))
}

/// The project's documents as YAML.
#[utoipa::path(get, path = "/api/v1/projects/{project}/export", tag = "projects", params(("project" = String, Path)),
    responses((status = 200, content_type = "application/yaml"), (status = "4XX", body = Problem)))]
pub async fn export(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Response> {
    let yaml = tiegel_project::export(&state.ctx, &project).await?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], yaml).into_response())
}
