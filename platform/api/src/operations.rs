use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tiegel_http::Json;
use utoipa::ToSchema;

use crate::{ApiResult, ApiState};

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Version {
    pub version: String,
    /// What SQL, Parquet and plugin steps are computed with; part of every cache key.
    pub table_engine: String,
    pub model_engine: String,
}

/// The server's version.
#[utoipa::path(get, path = "/api/v1/version", tag = "operations", responses((status = 200, body = Version)))]
pub async fn version(State(state): State<ApiState>) -> Json<Version> {
    Json(Version {
        version: state.version.to_owned(),
        table_engine: state.ctx.tables.version(),
        model_engine: state.ctx.models.version(),
    })
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "Alive")))]
pub async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work: the metadata database answers.
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, description = "Ready"), (status = 503, description = "Not ready")))]
pub async fn ready(State(state): State<ApiState>) -> Response {
    match state.ctx.store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the metadata database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the metadata database does not answer\n").into_response()
        }
    }
}

/// Metrics in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, content_type = "text/plain")))]
pub async fn metrics(State(state): State<ApiState>) -> ApiResult<Response> {
    let open = state.ctx.store.open_jobs().await?;
    state.ctx.metrics.set_open_jobs(open);
    let text = state.ctx.metrics.render();
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
