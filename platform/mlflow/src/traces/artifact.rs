use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{is_here, read_trace};
use crate::params::Params;
use crate::workspace::Workspace;
use crate::{ErrorCode, Mlflow, MlflowError, MlflowResult};

/// The spans of a trace as a file, for its page.
pub(super) async fn artifact(
    State(state): State<Mlflow>,
    workspace: Workspace,
    params: Params,
) -> MlflowResult<Response> {
    let trace_id = params.text("request_id")?.filter(|id| !id.is_empty()).ok_or_else(|| {
        MlflowError::new(ErrorCode::BadRequest, "Request must include the \"request_id\" query parameter.")
    })?;
    let trace = read_trace(&state, &workspace, trace_id).await?;
    if !is_here(&trace) {
        let message = format!("trace {trace_id} has no spans in the database: read them at its artifact location");
        return Err(MlflowError::not_found(message));
    }
    let body = format!("{{\"spans\": [{}]}}", trace.spans.join(", "));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=traces.json"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, body).into_response())
}
