use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tiegel_http::{ApiError, Json, Path, Problem};
use tiegel_serving::Absent;
use tiegel_types::{EndpointState, Name};
use utoipa::ToSchema;

use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct EndpointStatus {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub project: Name,
    #[schema(value_type = String)]
    pub state: EndpointState,
    pub live_version: Option<u32>,
    pub live_bundle: Option<String>,
    pub message: Option<String>,
    /// What the skew replay of the newest deployment found.
    #[schema(value_type = Option<Object>)]
    pub replay: Option<Value>,
    pub updated_ms: i64,
}

/// Every endpoint and where it stands.
#[utoipa::path(get, path = "/api/v1/endpoints", tag = "endpoints", responses((status = 200, body = Vec<EndpointStatus>)))]
pub async fn list_endpoints(State(state): State<ApiState>) -> ApiResult<Json<Vec<EndpointStatus>>> {
    let status = |row: tiegel_store::EndpointStatusRow| EndpointStatus {
        name: row.name,
        project: row.project,
        state: row.state,
        live_version: row.live_version,
        live_bundle: row.live_bundle.map(|d| d.to_string()),
        message: row.message,
        replay: row.replay,
        updated_ms: row.updated_ms,
    };
    Ok(Json(state.ctx.store.endpoint_statuses().await?.into_iter().map(status).collect()))
}

#[derive(Serialize, ToSchema)]
pub struct Predictions {
    /// One a row, in the request's order: a probability or a number.
    pub predictions: Vec<f64>,
    #[schema(value_type = String)]
    pub model: Name,
    pub version: u32,
}

/// Predicts rows given as JSON: `{"rows": [{"column": value}]}`.
#[utoipa::path(post, path = "/api/v1/endpoints/{endpoint}/predict", tag = "endpoints", params(("endpoint" = String, Path)),
    request_body = Value, responses((status = 200, body = Predictions), (status = "4XX", body = Problem)))]
pub async fn predict(
    State(state): State<ApiState>,
    Path(endpoint): Path<Name>,
    Json(request): Json<Value>,
) -> ApiResult<Response> {
    if let Err(Absent::NotReady { endpoint, reason }) = state.endpoints.live(endpoint.as_str()) {
        let detail = format!("endpoint '{endpoint}' is not ready: {reason}");
        return Err(ApiError::unavailable("endpoint_not_ready", detail, Duration::from_secs(1)).into());
    }
    let prediction = state.endpoints.predict_json(endpoint.as_str(), request).await?;
    let header = (HeaderName::from_static("x-tiegel-bundle"), prediction.bundle.to_string());
    let body =
        Predictions { predictions: prediction.predictions, model: prediction.model, version: prediction.version };
    Ok(([header], Json(body)).into_response())
}
