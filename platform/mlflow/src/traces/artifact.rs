use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tiegel_artifacts::ArtifactPath;
use uuid::Uuid;

use super::{info, is_here, read_trace};
use crate::artifacts::sent;
use crate::params::Params;
use crate::workspace::Workspace;
use crate::{ErrorCode, Mlflow, MlflowError, MlflowResult};

/// The spans of a trace, or what is attached to them, as a file.
pub(super) async fn artifact(
    State(state): State<Mlflow>,
    workspace: Workspace,
    headers: HeaderMap,
    params: Params,
) -> MlflowResult<Response> {
    let trace_id = params.text("request_id")?.filter(|id| !id.is_empty()).ok_or_else(|| {
        MlflowError::new(ErrorCode::BadRequest, "Request must include the \"request_id\" query parameter.")
    })?;
    let path = match params.text("path")?.filter(|path| !path.is_empty()) {
        Some(attachment) => format!("attachments/{}", attachment_id(attachment)?),
        None => "traces.json".to_owned(),
    };
    let is_attachment = path != "traces.json";
    let trace = read_trace(&state, &workspace, trace_id).await?;
    if is_here(&trace) && !is_attachment {
        return Ok(spans(&trace.spans));
    }
    let root = state.artifacts.at(&info::artifact_uri(&trace.info))?;
    sent(&root, &ArtifactPath::decode(&path)?, &headers).await
}

/// Attachments are named by ids, written the one way.
fn attachment_id(path: &str) -> MlflowResult<&str> {
    let is_plain = Uuid::parse_str(path).is_ok_and(|id| id.to_string() == path);
    if is_plain {
        return Ok(path);
    }
    Err(MlflowError::invalid(format!("Invalid attachment path: '{path}'. Attachment path must be a valid UUID.")))
}

fn spans(spans: &[String]) -> Response {
    let body = format!("{{\"spans\": [{}]}}", spans.join(", "));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=traces.json"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}
